//! A commit has failed: it and everything behind it is void, the table is built again from what the store has, and once
//! a write succeeds, commands are taken again. Until then everything that needs no record works on.

use std::time::Duration;

use super::queue::Queued;
use super::{Position, Void};
use crate::journal::{Sink, StoreError, Uncommitted};

/// How long a store that cannot be written is left alone: at first, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What is known of a commit that failed, and of the table after it.
struct Recovery {
    /// The positions of the commit, as long as it is not known what became of it.
    doubt: Option<(Position, Position)>,
    /// Whether its senders were told that nobody knows.
    is_unknown: bool,
    /// Whether the table is what the store has.
    is_rebuilt: bool,
}

impl Queued {
    /// Goes on until the journal can be written again; false if it is to end before that.
    pub(super) fn recover(&self, sink: &mut impl Sink, uncommitted: Uncommitted, last: Position, count: usize) -> bool {
        tracing::error!(error = %uncommitted.error, in_doubt = uncommitted.in_doubt, "the journal cannot be written");
        let mut recovery = self.fail(uncommitted, last, count);
        let mut wait = BACK_OFF.0;
        loop {
            let written = self.restore(sink, &mut recovery).and_then(|()| sink.probe());
            self.resolve(&mut recovery, Err(Void::Unknown));
            match written {
                Ok(()) if self.resume(&mut recovery) => {
                    tracing::warn!("the journal can be written again");
                    return true;
                }
                Ok(()) => continue,
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

    /// From here on nothing is written; what waited never will be.
    fn fail(&self, Uncommitted { error, in_doubt }: Uncommitted, last: Position, count: usize) -> Recovery {
        *self.reason.lock() = Some(error);
        let first = Position(last.0 + 1 - u64::try_from(count).unwrap_or(last.0));
        let mut queue = self.queue.lock();
        self.mark(true);
        let behind = queue.writes.len();
        queue.writes.clear();
        (queue.in_doubt, queue.strayed) = (in_doubt, true);
        if !in_doubt {
            self.void(first, last, Void::Lost);
        }
        self.void(Position(last.0 + 1), queue.last, Void::Lost);
        if !in_doubt {
            self.settle(queue.last);
        }
        drop(queue);
        self.slots.add_permits(count + behind);
        Recovery { doubt: in_doubt.then_some((first, last)), is_unknown: false, is_rebuilt: false }
    }

    /// Gets the table to be what the store has.
    fn restore(&self, sink: &mut impl Sink, recovery: &mut Recovery) -> Result<(), StoreError> {
        if recovery.is_rebuilt {
            return Ok(());
        }
        let rebuild = self.rebuild.get().ok_or_else(|| StoreError::Failed("there is no table yet".to_owned()))?;
        let mut restored = sink.restore()?;
        if recovery.doubt.is_some() {
            // Only what could be written again is certain to be there, or not to be.
            let fate = match (sink.probe(), restored.kept) {
                (Ok(()), true) => Ok(()),
                (Ok(()), false) => Err(Void::Lost),
                (Err(_), _) => Err(Void::Unknown),
            };
            self.resolve(recovery, fate);
        }
        restored.kept &= std::mem::take(&mut recovery.is_unknown);
        rebuild(restored, &|| self.rebuilt());
        recovery.is_rebuilt = true;
        Ok(())
    }

    /// Says what became of the commit, if that has not been said.
    fn resolve(&self, recovery: &mut Recovery, fate: Result<(), Void>) {
        let Some((first, last)) = recovery.doubt.take() else { return };
        let mut queue = self.queue.lock();
        if let Err(void) = fate {
            self.void(first, last, void);
        }
        recovery.is_unknown = fate == Err(Void::Unknown);
        queue.in_doubt = false;
        self.settle(queue.last);
    }

    /// The table is what the store has: what is seen there from now on depends on nothing that was void.
    fn rebuilt(&self) {
        let mut queue = self.queue.lock();
        queue.strayed = false;
        queue.last.0 += 1;
        self.settle(queue.last);
    }

    /// Takes writes again, unless a command that had its slot before has changed the table since it was rebuilt.
    fn resume(&self, recovery: &mut Recovery) -> bool {
        let queue = self.queue.lock();
        if queue.strayed {
            recovery.is_rebuilt = false;
            return false;
        }
        self.mark(false);
        true
    }
}
