//! The writer: slots, positions and group commit. What is written goes in order, as one commit whatever queued up during the last.
//! It knows nothing of how a store writes, and takes no decision but that what follows a failed commit is void.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::{Memory, Recovered, Sink, StoreError, Write};
use crate::routing::Batch;

/// How many failed commits are remembered: by then nobody waits for one of the first.
const VOIDS_MAX: usize = 1024;
/// How long a store that cannot be restored is left alone.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

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

/// What was written at this position never became durable, and never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was decided could not be written")]
pub struct Void;

/// What became of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not yet known.
    Pending,
    /// It survives.
    Durable,
    /// It never was.
    Void,
}

/// Called on the writer's thread after a failed commit, with what the store has. It rebuilds the table and calls the
/// given function **while commands are still kept out of the table**: from then on writes are taken again.
pub type Rebuild = Box<dyn Fn(Recovered, &dyn Fn()) + Send + Sync>;

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

struct Queued {
    settings: Settings,
    slots: Semaphore,
    queue: Mutex<Queue>,
    arrived: Condvar,
    failed: AtomicBool,
    settled: watch::Sender<Position>,
    voids: Mutex<Vec<(Position, Position)>>,
    reason: Mutex<Option<StoreError>>,
}

#[derive(Default)]
struct Queue {
    writes: Vec<Write>,
    last: Position,
    stopping: bool,
}

/// The right to write once, without waiting.
pub struct Slot<'a> {
    path: &'a Path,
    permit: Option<SemaphorePermit<'a>>,
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
    pub fn threaded(
        sink: impl Sink,
        settings: Settings,
        rebuild: Rebuild,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let queued = Queued {
            settings,
            slots: Semaphore::new(settings.slots.min(Semaphore::MAX_PERMITS)),
            queue: Mutex::default(),
            arrived: Condvar::new(),
            failed: AtomicBool::new(false),
            settled: watch::Sender::new(Position(0)),
            voids: Mutex::default(),
            reason: Mutex::default(),
        };
        let path = Arc::new(Path::Queued(queued));
        let thread = std::thread::Builder::new().name("journal".into()).spawn({
            let path = Arc::clone(&path);
            move || {
                if let Path::Queued(queued) = &*path {
                    queued.run(sink, &rebuild);
                }
            }
        })?;
        Ok((Self { path }, thread))
    }

    /// Waits for the right to write, at most `slot_wait`.
    ///
    /// # Errors
    /// [`Unavailable`] if the journal is full for longer, or cannot be written.
    pub async fn slot(&self) -> Result<Slot<'_>, Unavailable> {
        let Path::Queued(queued) = &*self.path else { return Ok(Slot { path: &self.path, permit: None }) };
        if queued.failed.load(Ordering::Acquire) {
            return Err(Unavailable);
        }
        let permit = match queued.slots.try_acquire() {
            Ok(permit) => permit,
            Err(_) => match tokio::time::timeout(queued.settings.slot_wait, queued.slots.acquire()).await {
                Ok(Ok(permit)) => permit,
                _ => return Err(Unavailable),
            },
        };
        if queued.failed.load(Ordering::Acquire) {
            return Err(Unavailable);
        }
        Ok(Slot { path: &self.path, permit: Some(permit) })
    }

    /// Waits until it is known what becomes of a position.
    ///
    /// # Errors
    /// [`Void`] if it never became durable.
    pub async fn durable(&self, position: Position) -> Result<(), Void> {
        let mut fate = self.fate(position);
        if let (Fate::Pending, Path::Queued(queued)) = (fate, &*self.path) {
            let mut settled = queued.settled.subscribe();
            if settled.wait_for(|settled| *settled >= position).await.is_err() {
                return Err(Void);
            }
            fate = self.fate(position);
        }
        if fate == Fate::Durable { Ok(()) } else { Err(Void) }
    }

    /// What is known of a position now.
    pub fn fate(&self, position: Position) -> Fate {
        let Path::Queued(queued) = &*self.path else { return Fate::Durable };
        if *queued.settled.borrow() < position {
            return Fate::Pending;
        }
        let voids = queued.voids.lock();
        let void = voids.iter().rev().any(|(first, last)| (*first..=*last).contains(&position));
        if void { Fate::Void } else { Fate::Durable }
    }

    /// The last position given.
    pub fn last(&self) -> Position {
        match &*self.path {
            Path::Inline { next, .. } => Position(next.load(Ordering::Relaxed)),
            Path::Queued(queued) => queued.queue.lock().last,
        }
    }

    /// Why the journal cannot be written, if it cannot.
    pub fn failure(&self) -> Option<StoreError> {
        let Path::Queued(queued) = &*self.path else { return None };
        if !queued.failed.load(Ordering::Acquire) {
            return None;
        }
        queued.reason.lock().clone()
    }

    /// Lets the thread end once everything taken is written.
    pub fn stop(&self) {
        if let Path::Queued(queued) = &*self.path {
            queued.queue.lock().stopping = true;
            queued.arrived.notify_one();
        }
    }
}

impl Slot<'_> {
    /// Takes what a command has brought about. Called under the domain's guard: never blocks, keeps the order.
    pub fn append(self, batch: Batch) -> Position {
        self.write(Write::Batch(batch))
    }

    /// Takes anything else that is written.
    pub fn write(self, write: Write) -> Position {
        match self.path {
            Path::Inline { memory, next } => {
                memory.keep(write);
                Position(next.fetch_add(1, Ordering::Relaxed) + 1)
            }
            Path::Queued(queued) => queued.push(write, self.permit),
        }
    }
}

impl Queued {
    fn push(&self, write: Write, permit: Option<SemaphorePermit<'_>>) -> Position {
        let mut queue = self.queue.lock();
        queue.last.0 += 1;
        let position = queue.last;
        // Invariant: `failed` changes under the queue's lock only, so a position is void or is written, never both.
        if self.failed.load(Ordering::Acquire) {
            self.void(position, position);
            self.settled.send_replace(position);
            return position;
        }
        let first = queue.writes.is_empty();
        queue.writes.push(write);
        drop(queue);
        if let Some(permit) = permit {
            permit.forget();
        }
        if first {
            self.arrived.notify_one();
        }
        position
    }

    fn run(&self, mut sink: impl Sink, rebuild: &Rebuild) {
        let mut writes = Vec::new();
        loop {
            let last = {
                let mut queue = self.queue.lock();
                while queue.writes.is_empty() && !queue.stopping {
                    self.arrived.wait(&mut queue);
                }
                if queue.writes.is_empty() {
                    self.failed.store(true, Ordering::Release);
                    return;
                }
                std::mem::swap(&mut queue.writes, &mut writes);
                queue.last
            };
            let count = writes.len();
            match sink.commit(&writes, last) {
                Ok(()) => {
                    self.settled.send_replace(last);
                    self.slots.add_permits(count);
                    writes.clear();
                }
                Err(error) => {
                    writes.clear();
                    self.fail(error, last, count);
                    if !self.restore(&mut sink, rebuild) {
                        return;
                    }
                }
            }
        }
    }

    fn fail(&self, error: StoreError, last: Position, count: usize) {
        tracing::error!(%error, "the journal cannot be written");
        *self.reason.lock() = Some(error);
        let mut queue = self.queue.lock();
        self.failed.store(true, Ordering::Release);
        let behind = queue.writes.len();
        queue.writes.clear();
        let first = Position(last.0 + 1 - u64::try_from(count).unwrap_or(last.0));
        self.void(first, queue.last);
        self.settled.send_replace(queue.last);
        drop(queue);
        self.slots.add_permits(count + behind);
    }

    fn restore(&self, sink: &mut impl Sink, rebuild: &Rebuild) -> bool {
        let mut wait = BACK_OFF.0;
        loop {
            match sink.restore() {
                Ok(recovered) => {
                    rebuild(recovered, &|| {
                        let _queue = self.queue.lock();
                        self.failed.store(false, Ordering::Release);
                    });
                    tracing::warn!("the journal can be written again");
                    return true;
                }
                Err(error) => *self.reason.lock() = Some(error),
            }
            let mut queue = self.queue.lock();
            if queue.stopping {
                return false;
            }
            self.arrived.wait_for(&mut queue, wait);
            wait = (wait * 2).min(BACK_OFF.1);
        }
    }

    fn void(&self, first: Position, last: Position) {
        let mut voids = self.voids.lock();
        match voids.last_mut() {
            Some(before) if before.1.0 + 1 == first.0 => before.1 = last,
            _ => voids.push((first, last)),
        }
        if voids.len() > VOIDS_MAX {
            voids.remove(0);
        }
    }
}
