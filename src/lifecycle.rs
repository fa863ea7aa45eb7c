//! The daemon's life: starting, running, draining, stopping. Everybody who has to know is handed one of these.
//! Signals and sessions are not known here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How the daemon is to come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Every session is told and closed, at the latest after so long; without: after the default.
    Close(Option<Duration>),
    /// Sessions are told, and go by themselves.
    Wait,
}

/// Nobody new is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the daemon is draining")]
pub struct Draining;

/// Where the daemon is in its life. Clones are of the same one.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    stages: Arc<Stages>,
}

#[derive(Debug)]
struct Stages {
    started: AtomicBool,
    order: watch::Sender<Option<Drain>>,
    draining: CancellationToken,
    ending: CancellationToken,
    closing: CancellationToken,
    stopped: CancellationToken,
    failed: CancellationToken,
    open: TaskTracker,
}

/// Held by every open session, until it has ended.
#[derive(Debug)]
pub struct Stay {
    _token: TaskTrackerToken,
}

impl Default for Lifecycle {
    fn default() -> Self {
        let stages = Stages {
            started: AtomicBool::new(false),
            order: watch::Sender::new(None),
            draining: CancellationToken::new(),
            ending: CancellationToken::new(),
            closing: CancellationToken::new(),
            stopped: CancellationToken::new(),
            failed: CancellationToken::new(),
            open: TaskTracker::new(),
        };
        Self { stages: Arc::new(stages) }
    }
}

impl Lifecycle {
    /// Everything is in place: whoever comes is served.
    pub fn start(&self) {
        self.stages.started.store(true, Ordering::Release);
    }

    /// Orders a drain. From here on there is no new session and no new conversation. A wait can become a close, a
    /// close can be given another deadline.
    pub fn drain(&self, drain: Drain) {
        self.stages.draining.cancel();
        if matches!(drain, Drain::Close(_)) {
            self.stages.ending.cancel();
        }
        self.stages.order.send_if_modified(|order| {
            let weaker = drain == Drain::Wait && order.is_some();
            if !weaker {
                *order = Some(drain);
            }
            !weaker
        });
    }

    /// Tells whoever is left to go, now.
    pub fn close(&self) {
        self.stages.draining.cancel();
        self.stages.ending.cancel();
        self.stages.closing.cancel();
    }

    /// Ends everything at once.
    pub fn stop(&self) {
        self.close();
        self.stages.stopped.cancel();
    }

    /// Something without which nothing goes on has broken off: a new start, from what is written, is all that helps.
    pub fn fail(&self) {
        self.stages.failed.cancel();
    }

    /// Waits until that has happened.
    pub async fn failed(&self) {
        self.stages.failed.cancelled().await;
    }

    /// The orders to drain, the first and those that change it.
    pub fn orders(&self) -> watch::Receiver<Option<Drain>> {
        self.stages.order.subscribe()
    }

    /// Whether nobody new is let in.
    pub fn is_draining(&self) -> bool {
        self.stages.draining.is_cancelled()
    }

    /// Lets a session be open.
    ///
    /// # Errors
    /// Nobody new is let in.
    pub fn enter(&self) -> Result<Stay, Draining> {
        let stay = Stay { _token: self.stages.open.token() };
        if self.is_draining() { Err(Draining) } else { Ok(stay) }
    }

    /// Waits until no session is open, once nobody new is let in.
    pub async fn emptied(&self) {
        self.stages.draining.cancelled().await;
        self.stages.open.close();
        self.stages.open.wait().await;
    }

    /// Whether sessions are being closed: then their going is the daemon's doing, and moves nobody's conversation.
    pub fn is_ending(&self) -> bool {
        self.stages.ending.is_cancelled()
    }

    /// Waits until sessions are being closed.
    pub async fn ending(&self) {
        self.stages.ending.cancelled().await;
    }

    /// Waits until whoever is left has to go.
    pub async fn closing(&self) {
        self.stages.closing.cancelled().await;
    }

    /// Waits for the end.
    pub async fn stopped(&self) {
        self.stages.stopped.cancelled().await;
    }

    /// Why the daemon is not ready, as far as its own life says.
    pub fn unready(&self) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        if !self.stages.started.load(Ordering::Acquire) {
            reasons.push("starting");
        }
        if self.is_draining() {
            reasons.push("draining");
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_ready_between_its_start_and_its_drain() {
        let life = Lifecycle::default();
        assert_eq!(life.unready(), ["starting"]);

        life.start();
        assert!(life.unready().is_empty());

        life.drain(Drain::Wait);
        assert_eq!(life.unready(), ["draining"]);
    }

    #[test]
    fn a_wait_becomes_a_close_and_a_close_does_not_become_a_wait() {
        let life = Lifecycle::default();
        let orders = life.orders();

        life.drain(Drain::Wait);
        assert!(life.is_draining() && !life.is_ending());

        life.drain(Drain::Close(None));
        life.drain(Drain::Wait);
        assert!(life.is_ending());
        assert_eq!(*orders.borrow(), Some(Drain::Close(None)));
    }

    #[tokio::test]
    async fn a_drain_lets_nobody_in_and_is_over_when_the_last_one_has_gone() {
        let life = Lifecycle::default();
        let stay = life.enter().unwrap();

        life.drain(Drain::Wait);

        assert!(life.enter().is_err());
        let emptied = tokio::spawn({
            let life = life.clone();
            async move { life.emptied().await }
        });
        assert!(!emptied.is_finished());
        drop(stay);
        emptied.await.unwrap();
    }
}
