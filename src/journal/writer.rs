//! The writer: slots, positions and group commit. What is written goes in order, as one commit whatever queued up during the last.
//! It knows nothing of how a store writes, and takes no decision but that what follows a failed commit is void.

mod queue;
mod recovery;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::SemaphorePermit;

use super::{Memory, Restored, Sink, StoreError, Write};
use crate::routing::Batch;
use queue::Queued;

/// A place in the order of everything written since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// What the writer may take.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many writes may be under way.
    pub slots: usize,
    /// How long one waits for a slot.
    pub slot_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { slots: 8192, slot_wait: Duration::from_secs(2) }
    }
}

/// The journal cannot be written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written now")]
pub struct Unavailable;

/// What was written at this position never became durable, as far as anybody was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    /// Nothing of it is kept.
    #[error("what was decided could not be written")]
    Lost,
    /// It may be kept all the same.
    #[error("whether what was decided was written cannot be known")]
    Unknown,
}

/// What became of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not yet known.
    Pending,
    /// It survives.
    Durable,
    /// It never was.
    Void(Void),
}

/// Called on the writer's thread after a failed commit, with what the store has. It rebuilds the table and calls the
/// given function **while commands are still kept out of the table**: what they do from then on is on what is kept.
pub type Rebuild = Box<dyn Fn(Restored, &dyn Fn()) + Send + Sync>;

/// The front of the journal: gives slots, takes writes, says what is durable.
#[derive(Clone)]
pub struct Writer {
    path: Arc<Path>,
}

enum Path {
    /// The store takes no time: what is written is durable at once.
    Inline { memory: Arc<Memory>, next: AtomicU64 },
    /// A thread writes.
    Queued(Queued),
}

/// The right to write once, without waiting.
pub struct Slot<'a> {
    path: &'a Path,
    permit: Option<SemaphorePermit<'a>>,
    is_used: bool,
}

impl Writer {
    /// A writer into memory.
    pub fn inline(memory: Arc<Memory>) -> Self {
        Self { path: Arc::new(Path::Inline { memory, next: AtomicU64::new(0) }) }
    }

    /// A writer with a thread of its own, which ends at [`Writer::stop`].
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn threaded(sink: impl Sink, settings: Settings) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let path = Arc::new(Path::Queued(Queued::new(settings)));
        let thread = std::thread::Builder::new().name("journal".into()).spawn({
            let path = Arc::clone(&path);
            move || {
                let Path::Queued(queued) = &*path else { return };
                if catch_unwind(AssertUnwindSafe(|| queued.run(sink))).is_err() {
                    queued.die();
                }
            }
        })?;
        Ok((Self { path }, thread))
    }

    /// What is called after a failed commit. Until it is known, a commit that fails is the last one.
    pub fn rebuild_with(&self, rebuild: Rebuild) {
        if let Path::Queued(queued) = &*self.path {
            queued.rebuild_with(rebuild);
        }
    }

    /// Waits for the right to write, at most `slot_wait`.
    ///
    /// # Errors
    /// [`Unavailable`] if the journal is full for longer, or cannot be written.
    pub async fn slot(&self) -> Result<Slot<'_>, Unavailable> {
        let permit = match &*self.path {
            Path::Inline { .. } => None,
            Path::Queued(queued) => Some(queued.permit().await?),
        };
        Ok(Slot { path: &self.path, permit, is_used: false })
    }

    /// Waits until it is known what becomes of a position.
    ///
    /// # Errors
    /// [`Void`] if it never became durable.
    pub async fn durable(&self, position: Position) -> Result<(), Void> {
        let Path::Queued(queued) = &*self.path else { return Ok(()) };
        queued.durable(position).await
    }

    /// What is known of a position now.
    pub fn fate(&self, position: Position) -> Fate {
        match &*self.path {
            Path::Inline { .. } => Fate::Durable,
            Path::Queued(queued) => queued.fate(position),
        }
    }

    /// The last position given: what is seen now depends on it.
    pub fn last(&self) -> Position {
        match &*self.path {
            Path::Inline { next, .. } => Position(next.load(Ordering::Relaxed)),
            Path::Queued(queued) => queued.last(),
        }
    }

    /// How many positions were given and are not yet settled.
    pub fn pending(&self) -> u64 {
        match &*self.path {
            Path::Inline { .. } => 0,
            Path::Queued(queued) => queued.last().0.saturating_sub(queued.settled().0),
        }
    }

    /// Why the journal cannot be written, if it cannot: whatever needs no record works on meanwhile.
    pub fn failure(&self) -> Option<StoreError> {
        let Path::Queued(queued) = &*self.path else { return None };
        queued.failure()
    }

    /// Waits until the journal can be written, or never will be.
    pub async fn well(&self) {
        if let Path::Queued(queued) = &*self.path {
            queued.well().await;
        }
    }

    /// Says that the table has to be built anew before anything is written, if nothing can be written now. False if
    /// writing goes on.
    pub fn stray(&self) -> bool {
        let Path::Queued(queued) = &*self.path else { return false };
        queued.stray()
    }

    /// Waits until the thread that writes has broken off, which is for ever if it does not.
    pub async fn died(&self) {
        match &*self.path {
            Path::Inline { .. } => std::future::pending().await,
            Path::Queued(queued) => queued.died().await,
        }
    }

    /// Lets the thread end once everything taken is written.
    pub fn stop(&self) {
        if let Path::Queued(queued) = &*self.path {
            queued.stop();
        }
    }
}

impl Slot<'_> {
    /// Takes what a command has brought about. Called under the domain's guard: never blocks, keeps the order.
    pub fn append(self, batch: Batch) -> Position {
        self.write(Write::Batch(batch))
    }

    /// Takes anything else that is written.
    pub fn write(mut self, write: Write) -> Position {
        self.is_used = true;
        match self.path {
            Path::Inline { memory, next } => {
                memory.keep(write);
                Position(next.fetch_add(1, Ordering::Relaxed) + 1)
            }
            Path::Queued(queued) => queued.push(write, self.permit.take()),
        }
    }
}

/// A command that breaks off before its record is taken may have changed the table: its slot sees that while the domain
/// is still locked.
impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let (Path::Queued(queued), false, true) = (self.path, self.is_used, std::thread::panicking()) {
            queued.distrust(self.permit.take());
        }
    }
}

#[cfg(test)]
mod tests;
