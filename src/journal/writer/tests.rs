//! The writer with a store that fails as it is told.

use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;

use super::*;
use crate::journal::Uncommitted;
use crate::model::Timestamp;

/// A store that answers what the test says, and says what it was asked.
struct Told {
    asked: Sender<&'static str>,
    commits: Receiver<Result<(), Uncommitted>>,
    restores: Receiver<Result<Restored, StoreError>>,
    probes: Receiver<Result<(), StoreError>>,
}

fn failed() -> StoreError {
    StoreError::Failed("told so".into())
}

fn fails(in_doubt: bool) -> Result<(), Uncommitted> {
    Err(Uncommitted { error: failed(), in_doubt })
}

impl Told {
    fn answer<T, E: From<StoreError>>(
        asked: &Sender<&'static str>,
        name: &'static str,
        from: &Receiver<Result<T, E>>,
    ) -> Result<T, E> {
        let _ = asked.send(name);
        from.recv().unwrap_or_else(|_| Err(failed().into()))
    }
}

impl Sink for Told {
    fn commit(&mut self, _: &[Write], _: Position) -> Result<(), Uncommitted> {
        Self::answer(&self.asked, "commit", &self.commits)
    }

    fn restore(&mut self) -> Result<Restored, StoreError> {
        Self::answer(&self.asked, "restore", &self.restores)
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        Self::answer(&self.asked, "probe", &self.probes)
    }
}

struct Bench {
    writer: Writer,
    asked: Receiver<&'static str>,
    commits: Sender<Result<(), Uncommitted>>,
    restores: Sender<Result<Restored, StoreError>>,
    probes: Sender<Result<(), StoreError>>,
    rebuilds: Arc<Mutex<Vec<bool>>>,
}

fn bench() -> Bench {
    let (asked_to, asked) = channel();
    let ((commits, told), (restores, restored), (probes, probed)) = (channel(), channel(), channel());
    let sink = Told { asked: asked_to, commits: told, restores: restored, probes: probed };
    let (writer, _) = Writer::threaded(sink, Settings::default()).unwrap();
    let rebuilds = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&rebuilds);
    writer.rebuild_with(Box::new(move |restored, rebuilt| {
        seen.lock().push(restored.kept);
        rebuilt();
    }));
    Bench { writer, asked, commits, restores, probes, rebuilds }
}

impl Bench {
    async fn write(&self) -> Position {
        self.writer.slot().await.unwrap().append(batch())
    }

    fn wait_for(&self, name: &str) {
        assert_eq!(self.asked.recv().unwrap(), name);
    }

    /// The store is what it was, and can be written.
    fn heal(&self, kept: bool) {
        self.restores.send(Ok(Restored { kept, ..Restored::default() })).unwrap();
        self.probes.send(Ok(())).unwrap();
        self.probes.send(Ok(())).unwrap();
    }

    async fn writes_again(&self) {
        self.writer.well().await;
        assert_eq!(self.writer.failure(), None);
        assert_eq!(self.writer.durable(self.writer.last()).await, Ok(()), "what is seen depends on nothing void");
        let position = self.write().await;
        self.commits.send(Ok(())).unwrap();
        assert_eq!(self.writer.durable(position).await, Ok(()));
    }
}

fn batch() -> Batch {
    Batch { at: Timestamp::ZERO, events: Vec::new(), rows: Vec::new() }
}

#[tokio::test]
async fn a_failed_commit_voids_itself_and_everything_behind_it() {
    let bench = bench();
    let kept = bench.write().await;
    bench.commits.send(Ok(())).unwrap();
    assert_eq!(bench.writer.durable(kept).await, Ok(()));
    bench.wait_for("commit");

    let late = bench.writer.slot().await.unwrap();
    let first = bench.write().await;
    bench.wait_for("commit");
    let behind = bench.write().await;
    bench.commits.send(fails(false)).unwrap();

    assert_eq!(bench.writer.durable(first).await, Err(Void::Lost));
    assert_eq!(bench.writer.durable(behind).await, Err(Void::Lost));
    assert!(bench.writer.slot().await.is_err());
    assert_eq!(bench.writer.failure(), Some(failed()));
    let late = late.append(batch());
    assert_eq!(bench.writer.durable(late).await, Err(Void::Lost));
    assert_eq!(bench.writer.fate(kept), Fate::Durable);
    bench.heal(false);
    bench.writes_again().await;
    assert_eq!(bench.writer.fate(late), Fate::Void(Void::Lost));
    assert_eq!(*bench.rebuilds.lock(), [false]);
}

#[tokio::test]
async fn a_commit_in_doubt_is_durable_if_the_store_has_it() {
    let bench = bench();
    let (first, behind) = (bench.write().await, bench.write().await);
    bench.wait_for("commit");
    let last = bench.write().await;

    bench.commits.send(fails(true)).unwrap();
    bench.wait_for("restore");
    assert_eq!(bench.writer.fate(first), Fate::Pending);
    bench.heal(true);

    assert_eq!(bench.writer.durable(first).await, Ok(()));
    // The second may have been taken with the first, or have waited.
    assert_ne!(bench.writer.durable(behind).await, Err(Void::Unknown));
    assert_eq!(bench.writer.durable(last).await, Err(Void::Lost));
    bench.writes_again().await;
    assert_eq!(*bench.rebuilds.lock(), [false], "who waited for it is told of it as ever");
}

#[tokio::test]
async fn a_commit_in_doubt_is_lost_if_the_store_does_not_have_it() {
    let bench = bench();
    let first = bench.write().await;

    bench.commits.send(fails(true)).unwrap();
    bench.heal(false);

    assert_eq!(bench.writer.durable(first).await, Err(Void::Lost));
    bench.writes_again().await;
}

#[tokio::test]
async fn a_commit_of_which_nobody_knew_and_that_is_found_later_is_news() {
    let bench = bench();
    let first = bench.write().await;

    bench.commits.send(fails(true)).unwrap();
    bench.restores.send(Err(failed())).unwrap();

    assert_eq!(bench.writer.durable(first).await, Err(Void::Unknown));
    bench.heal(true);
    bench.writes_again().await;
    assert_eq!(*bench.rebuilds.lock(), [true]);
}

#[tokio::test]
async fn what_needs_no_record_works_while_nothing_can_be_written() {
    let bench = bench();
    let late = bench.writer.slot().await.unwrap();
    let first = bench.write().await;

    bench.commits.send(fails(false)).unwrap();
    bench.restores.send(Ok(Restored::default())).unwrap();
    bench.probes.send(Err(failed())).unwrap();
    for asked in ["commit", "restore", "probe", "probe"] {
        bench.wait_for(asked);
    }

    assert_eq!(bench.writer.durable(first).await, Err(Void::Lost));
    assert_eq!(bench.writer.durable(bench.writer.last()).await, Ok(()));
    assert!(bench.writer.slot().await.is_err());

    let strayed = late.append(batch());
    assert_eq!(bench.writer.durable(strayed).await, Err(Void::Lost));
    bench.probes.send(Ok(())).unwrap();
    bench.wait_for("restore");
    bench.restores.send(Ok(Restored::default())).unwrap();
    bench.probes.send(Ok(())).unwrap();
    bench.writes_again().await;
    assert_eq!(*bench.rebuilds.lock(), [false, false], "what had a slot is taken out of the table again");
}

#[tokio::test]
async fn everything_taken_is_written_before_the_end() {
    let bench = bench();
    let position = bench.write().await;

    bench.writer.stop();
    bench.commits.send(Ok(())).unwrap();

    assert_eq!(bench.writer.durable(position).await, Ok(()));
    bench.writer.well().await;
}
