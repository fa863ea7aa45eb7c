//! What waits to be written, and the thread that writes it: a batch is whatever queued up during the last one.
//! What becomes of it when that fails is in `recovery`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::{Fate, Position, Rebuild, Settings, Unavailable, Void};
use crate::journal::crash::{self, Point};
use crate::journal::{Sink, StoreError, Write};

/// How many failed commits are remembered: by then nobody waits for one of the first.
const VOIDS_MAX: usize = 1024;

pub(super) struct Queued {
    settings: Settings,
    pub(super) slots: Semaphore,
    pub(super) queue: Mutex<Queue>,
    pub(super) arrived: Condvar,
    /// Invariant: it changes under the queue's lock only, so a position is void or is written, never both.
    failed: AtomicBool,
    health: watch::Sender<Health>,
    settled: watch::Sender<Position>,
    died: watch::Sender<bool>,
    voids: Mutex<Vec<Voided>>,
    pub(super) reason: Mutex<Option<StoreError>>,
    pub(super) rebuild: OnceLock<Rebuild>,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) writes: Vec<Write>,
    pub(super) last: Position,
    pub(super) stopping: bool,
    /// Whether it is not yet known what became of the commit that failed: until then nothing behind it is settled.
    pub(super) in_doubt: bool,
    /// Whether something has been done to the table, since it was last equal to the store, that is not written.
    pub(super) strayed: bool,
    /// Whether a command has broken off in the middle: then nobody knows what the table is.
    pub(super) distrusted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well,
    Failed,
    /// It is to end: whatever it is now, it will not become well.
    Stopped,
}

struct Voided {
    first: Position,
    last: Position,
    void: Void,
}

impl Queued {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            slots: Semaphore::new(settings.slots.min(Semaphore::MAX_PERMITS)),
            queue: Mutex::default(),
            arrived: Condvar::new(),
            failed: AtomicBool::new(false),
            health: watch::Sender::new(Health::Well),
            settled: watch::Sender::new(Position(0)),
            died: watch::Sender::new(false),
            voids: Mutex::default(),
            reason: Mutex::default(),
            rebuild: OnceLock::new(),
        }
    }

    pub(super) fn rebuild_with(&self, rebuild: Rebuild) {
        let _ = self.rebuild.set(rebuild);
        self.arrived.notify_one();
    }

    pub(super) async fn permit(&self) -> Result<SemaphorePermit<'_>, Unavailable> {
        if self.has_failed() {
            return Err(Unavailable);
        }
        let permit = match self.slots.try_acquire() {
            Ok(permit) => permit,
            Err(_) => match tokio::time::timeout(self.settings.slot_wait, self.slots.acquire()).await {
                Ok(Ok(permit)) => permit,
                _ => return Err(Unavailable),
            },
        };
        if self.has_failed() { Err(Unavailable) } else { Ok(permit) }
    }

    pub(super) async fn durable(&self, position: Position) -> Result<(), Void> {
        let mut fate = self.fate(position);
        if fate == Fate::Pending {
            let mut settled = self.settled.subscribe();
            if settled.wait_for(|settled| *settled >= position).await.is_err() {
                return Err(Void::Unknown);
            }
            fate = self.fate(position);
        }
        match fate {
            Fate::Durable => Ok(()),
            Fate::Void(void) => Err(void),
            Fate::Pending => Err(Void::Unknown),
        }
    }

    pub(super) fn fate(&self, position: Position) -> Fate {
        if *self.settled.borrow() < position {
            return Fate::Pending;
        }
        let voids = self.voids.lock();
        let void = voids.iter().rev().find(|voided| (voided.first..=voided.last).contains(&position));
        void.map_or(Fate::Durable, |voided| Fate::Void(voided.void))
    }

    pub(super) fn last(&self) -> Position {
        self.queue.lock().last
    }

    pub(super) fn settled(&self) -> Position {
        *self.settled.borrow()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(super) fn failure(&self) -> Option<StoreError> {
        if self.has_failed() { self.reason.lock().clone() } else { None }
    }

    pub(super) async fn well(&self) {
        let mut health = self.health.subscribe();
        let _ = health.wait_for(|health| *health != Health::Failed).await;
    }

    pub(super) fn stray(&self) -> bool {
        let mut queue = self.queue.lock();
        queue.strayed |= self.has_failed();
        self.has_failed()
    }

    /// The table may be something else than what is written: what waits is void, and the table is built anew. Called
    /// before anybody else can look at the table; what is seen there from now on depends on a position that is void.
    pub(super) fn distrust(&self, permit: Option<SemaphorePermit<'_>>) {
        self.queue.lock().distrusted = true;
        self.push(Write::All(Vec::new()), permit);
    }

    /// The thread that writes has broken off: nothing is written any more, and what was is not known.
    pub(super) fn die(&self) {
        *self.reason.lock() = Some(StoreError::Failed("the thread that writes has broken off".to_owned()));
        let queue = self.queue.lock();
        self.mark(true);
        self.void(Position(self.settled().0 + 1), queue.last, Void::Unknown);
        self.settle(queue.last);
        drop(queue);
        self.died.send_replace(true);
    }

    pub(super) async fn died(&self) {
        let _ = self.died.subscribe().wait_for(|died| *died).await;
    }

    pub(super) fn stop(&self) {
        self.queue.lock().stopping = true;
        self.health.send_replace(Health::Stopped);
        self.arrived.notify_one();
    }

    pub(super) fn push(&self, write: Write, permit: Option<SemaphorePermit<'_>>) -> Position {
        let mut queue = self.queue.lock();
        queue.last.0 += 1;
        let position = queue.last;
        if self.has_failed() {
            queue.strayed = true;
            self.void(position, position, Void::Lost);
            if !queue.in_doubt {
                self.settle(position);
            }
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

    pub(super) fn run(&self, mut sink: impl Sink) {
        let mut writes = Vec::new();
        while let Some(last) = self.take(&mut writes) {
            crash::at(Point::Unwritten);
            let committed = if std::mem::take(&mut self.queue.lock().distrusted) {
                Err(StoreError::Failed("a command has broken off, and the table is built anew".to_owned()).into())
            } else {
                sink.commit(&writes, last)
            };
            match committed {
                Ok(()) => {
                    crash::at(Point::Unreleased);
                    self.settle(last);
                    self.slots.add_permits(writes.len());
                    crash::at(Point::Released);
                }
                Err(uncommitted) => {
                    if !self.recover(&mut sink, uncommitted, last, writes.len()) {
                        break;
                    }
                }
            }
            writes.clear();
        }
        let _queue = self.queue.lock();
        self.mark(true);
    }

    /// Everything that waits; `None` once it is to end and nothing is left.
    fn take(&self, writes: &mut Vec<Write>) -> Option<Position> {
        let mut queue = self.queue.lock();
        while queue.writes.is_empty() && !queue.stopping && !queue.distrusted {
            self.arrived.wait(&mut queue);
        }
        // Where a processor is shared, whoever has something to write now comes into the same commit.
        parking_lot::MutexGuard::unlocked(&mut queue, std::thread::yield_now);
        if queue.writes.is_empty() && !queue.distrusted {
            return None;
        }
        std::mem::swap(&mut queue.writes, writes);
        Some(queue.last)
    }

    /// Whether writing has failed. Called under the queue's lock.
    pub(super) fn mark(&self, failed: bool) {
        self.failed.store(failed, Ordering::Release);
        self.health.send_if_modified(|health| {
            let now = if failed { Health::Failed } else { Health::Well };
            let changes = *health != Health::Stopped && *health != now;
            if changes {
                *health = now;
            }
            changes
        });
    }

    pub(super) fn settle(&self, position: Position) {
        self.settled.send_replace(position);
    }

    pub(super) fn void(&self, first: Position, last: Position, void: Void) {
        if first > last {
            return;
        }
        let mut voids = self.voids.lock();
        match voids.last_mut() {
            Some(before) if before.last.0 + 1 == first.0 && before.void == void => before.last = last,
            _ => voids.push(Voided { first, last, void }),
        }
        if voids.len() > VOIDS_MAX {
            voids.remove(0);
        }
    }
}
