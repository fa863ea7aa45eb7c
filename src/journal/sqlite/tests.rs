//! The embedded store: what it keeps over a restart, and what it refuses.

use super::*;
use crate::journal::conformance::{self, Store, conversation, message};
use crate::journal::{Restored, Settings, Uncommitted, Write, Writer};
use crate::model::{Sender, Visibility};
use crate::routing::{Batch, Event, Row};

fn opened(directory: &Path) -> Store {
    let (sqlite, sink) = Sqlite::open(directory, Durability::Full).unwrap();
    let (writer, _) = Writer::threaded(sink, Settings::default()).unwrap();
    writer.rebuild_with(Box::new(|_, rebuilt| rebuilt()));
    Store { writer, journal: Arc::new(sqlite) }
}

/// Ends the writer as a daemon does, and waits until its thread has let go.
fn written(directory: &Path, writes: Vec<Write>) {
    let (sqlite, mut sink) = Sqlite::open(directory, Durability::Full).unwrap();
    sink.commit(&writes, crate::journal::Position(1)).unwrap();
    drop((sqlite, sink));
}

fn batch(events: Vec<Event>, rows: Vec<Row>) -> Write {
    Write::Batch(Batch { at: crate::model::Timestamp::from_micros(9_000), events, rows })
}

fn started(id: u128) -> Write {
    let boxed = || Box::new(conversation(id, "b"));
    batch(vec![Event::Started { conversation: boxed() }], vec![Row::Conversation(boxed())])
}

#[tokio::test]
async fn sqlite_is_a_journal() {
    let directories = tempfile::tempdir().unwrap();
    let mut count = 0;
    conformance::check(|| {
        count += 1;
        opened(&directories.path().join(count.to_string()))
    })
    .await;
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), vec![started(1), started(2)]);
    written(directory.path(), vec![batch(vec![Event::Messaged { message: message(1, 1) }], Vec::new())]);

    let store = opened(directory.path());

    let recovered = store.journal.open().await.unwrap();
    assert_eq!(recovered.table.conversations, [conversation(1, "b"), conversation(2, "b")]);
    let first = message(1, 1);
    let again = Again {
        conversation: first.conversation,
        sender: Sender::Buyer(conformance::buyer("b")),
        client_id: "c1".into(),
        body: first.body,
        visibility: Visibility::All,
    };
    assert!(store.journal.resent(again).await.unwrap().unwrap().same);
}

#[test]
fn a_commit_that_fails_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let (_sqlite, mut sink) = Sqlite::open(directory.path(), Durability::Full).unwrap();
    let say = || batch(vec![Event::Messaged { message: message(1, 1) }], Vec::new());
    sink.commit(&[started(1), say()], crate::journal::Position(2)).unwrap();

    let again = sink.commit(&[started(2), say()], crate::journal::Position(4));

    assert!(matches!(again, Err(Uncommitted { error: StoreError::Failed(_), in_doubt: false })), "{again:?}");
    let restored = sink.restore().unwrap();
    assert!(!restored.kept);
    assert_eq!(restored.recovered.table.conversations, [conversation(1, "b")]);
    sink.probe().unwrap();
    sink.commit(&[started(3)], crate::journal::Position(5)).unwrap();
}

#[test]
fn a_second_daemon_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _first = Sqlite::open(directory.path(), Durability::Full).unwrap();

    let second = Sqlite::open(directory.path(), Durability::Full).map(|_| ());

    assert_eq!(second, Err(StoreError::InUse { process: Some(std::process::id()) }));
}

#[test]
fn a_store_that_ends_before_what_was_acknowledged_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), vec![started(1)]);
    std::fs::write(directory.path().join("durable"), "00000000000000000007\n").unwrap();

    let behind = Sqlite::open(directory.path(), Durability::Full).map(|_| ());

    assert_eq!(behind, Err(StoreError::Behind { found: 1, acknowledged: 7 }));
}

#[test]
fn a_log_that_has_lost_its_end_is_noticed_although_sqlite_says_nothing() {
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_sqlite, mut sink) = Sqlite::open(directory.path(), Durability::Full).unwrap();
    for id in 1..=3 {
        sink.commit(&[started(id)], crate::journal::Position(1)).unwrap();
    }
    for name in ["fenliu.db", "fenliu.db-wal", "durable"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    assert!(Sqlite::open(copy.path(), Durability::Full).is_ok(), "whole, it is a store");
    for name in ["fenliu.db", "fenliu.db-wal", "durable"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let log = File::options().write(true).open(copy.path().join("fenliu.db-wal")).unwrap();
    log.write_all_at(b"!", log.metadata().unwrap().len() - 100).unwrap();

    let behind = Sqlite::open(copy.path(), Durability::Full).map(|_| ());

    assert_eq!(behind, Err(StoreError::Behind { found: 2, acknowledged: 3 }));
}

#[test]
fn a_store_that_is_not_in_use_is_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let (sqlite, mut sink) = Sqlite::open(directory.path(), Durability::Full).unwrap();
    (1..=100).for_each(|id| sink.commit(&[started(id)], crate::journal::Position(1)).unwrap());
    let log = directory.path().join("fenliu.db-wal");
    assert!(log.metadata().unwrap().len() >= 24 << 20, "it has its whole length");

    // The readers may be there a little longer.
    drop(sink);

    assert_eq!(log.metadata().unwrap().len(), 0);
    drop(sqlite);
}

#[test]
fn a_damaged_store_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("fenliu.db"), "this is no database at all, whatever it says".repeat(99))
        .unwrap();

    let damaged = Sqlite::open(directory.path(), Durability::Full).map(|_| ());

    assert!(matches!(damaged, Err(StoreError::Damaged(_))), "{damaged:?}");
}

#[tokio::test]
async fn a_backup_is_a_store_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let (sqlite, mut sink) = Sqlite::open(directory.path(), Durability::Full).unwrap();
    sink.commit(&[started(1)], crate::journal::Position(1)).unwrap();

    sqlite.backup(copy.path().join("fenliu.db")).await.unwrap();

    let store = opened(copy.path());
    assert_eq!(store.journal.open().await.unwrap().table.conversations.len(), 1);
}

#[tokio::test]
async fn the_writer_says_it_is_unavailable_until_the_table_is_rebuilt_and_is_well_again_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (sqlite, sink) = Sqlite::open(directory.path(), Durability::Full).unwrap();
    let (rebuilt, rebuilds) = std::sync::mpsc::channel();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let (writer, _) = Writer::threaded(sink, Settings::default()).unwrap();
    writer.rebuild_with(Box::new(move |restored: Restored, is_rebuilt: &dyn Fn()| {
        gone.lock().recv().unwrap();
        is_rebuilt();
        rebuilt.send(restored.recovered.table.conversations.len()).unwrap();
    }));
    let kept = writer.slot().await.unwrap();
    let store = Store { writer: writer.clone(), journal: Arc::new(sqlite) };
    store.start(&conversation(1, "b")).await;
    let unknown = || batch(vec![Event::Messaged { message: message(9, 1) }], Vec::new());

    let void = writer.slot().await.unwrap().write(unknown());

    assert!(writer.durable(void).await.is_err());
    assert!(writer.slot().await.is_err());
    assert!(writer.failure().is_some());
    let late = kept.write(started(2));
    assert!(writer.durable(late).await.is_err());
    go.send(()).unwrap();
    assert_eq!(rebuilds.recv().unwrap(), 1);
    writer.well().await;
    assert_eq!(writer.durable(writer.last()).await, Ok(()));
    store.start(&conversation(3, "b")).await;
    assert_eq!(store.journal.open().await.unwrap().table.conversations.len(), 2);
}
