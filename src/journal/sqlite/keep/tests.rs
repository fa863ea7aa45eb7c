//! What goes and what stays, and that nobody waits for it.

use crate::journal::conformance::{buyer, conversation, message};
use crate::journal::{Durability, Filter, Journal, Known, Position, Range, Sink, Sqlite, Write};
use crate::model::{ConversationId, State, Timestamp};
use crate::routing::{Batch, Conversation, Event, Row};

/// A conversation that closed at ten times its number.
fn closed(id: u128, who: &str) -> Conversation {
    let closed_at = Some(Timestamp::from_micros(i64::try_from(id).unwrap() * 10));
    let mut closed = Conversation { state: State::Closed, ..conversation(id, who) };
    closed.rare.change(|rare| rare.closed_at = closed_at);
    closed
}

/// It is written, with so many messages.
fn written(conversation: Conversation, messages: u64) -> Write {
    let id = conversation.id.0;
    let events = (1..=messages).map(|seq| Event::Messaged { message: message(id, seq) }).collect();
    Write::Batch(Batch { at: Timestamp::ZERO, events, rows: vec![Row::Conversation(Box::new(conversation))] })
}

fn commit(sink: &mut impl Sink, writes: &[Write]) {
    sink.commit(writes, Position(1)).unwrap();
}

async fn left(sqlite: &Sqlite) -> Vec<u128> {
    let listed = sqlite.list(Filter::default(), None, 99).await.unwrap().conversations;
    listed.iter().map(|left| left.id.0).collect()
}

async fn seqs(sqlite: &Sqlite, id: u128) -> Vec<u64> {
    let range = Range { conversation: ConversationId(id), after: None, before: None, limit: 9, notes: true };
    sqlite.history(range).await.unwrap().messages.iter().map(|message| message.seq).collect()
}

#[tokio::test]
async fn what_closed_long_ago_and_what_a_buyer_wants_erased_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let (sqlite, mut sink) = Sqlite::open(directory.path(), Durability::Full).unwrap();
    let open = written(conversation(4, "b"), 1);
    commit(&mut sink, &[written(closed(1, "a"), 1), written(closed(2, "a"), 1), written(closed(3, "b"), 1), open]);

    let forgotten = sqlite.forget_some(Timestamp::from_micros(20)).await.unwrap();
    let nothing = sqlite.forget_some(Timestamp::from_micros(20)).await.unwrap();
    let erased = sqlite.erase(buyer("b")).await.unwrap();

    assert_eq!((forgotten.conversations, nothing, erased), (1, super::Forgotten::default(), 1));
    assert_eq!(left(&sqlite).await, [4, 2]);
    assert_eq!(sqlite.last_of(&buyer("b"), &"tea".into()).await.unwrap(), Known::default());
    assert_eq!(seqs(&sqlite, 2).await, [1]);
    commit(&mut sink, &[written(conversation(5, "b"), 1)]);
}

#[tokio::test]
async fn much_goes_a_little_at_a_time_and_whoever_writes_does_so_in_between() {
    let directory = tempfile::tempdir().unwrap();
    let (sqlite, mut sink) = Sqlite::open(directory.path(), Durability::Full).unwrap();
    let mut writes = vec![written(closed(1, "a"), 1_000)];
    writes.extend((2..=100).map(|id| written(closed(id, "a"), 1)));
    commit(&mut sink, &writes);
    let count = |sql: &str| {
        let connection = sqlite.place.connect().unwrap();
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let (mut conversations, mut messages, mut next) = (0, 1_099, 200);

    loop {
        let forgotten = sqlite.forget_some(Timestamp::MAX).await.unwrap();
        conversations += forgotten.conversations;
        let still = count("SELECT count(*) FROM message");
        assert!(messages - still <= 320, "{messages} and then {still}");
        messages = still;
        if !forgotten.more {
            break;
        }
        if conversations == 0 {
            assert_eq!(
                seqs(&sqlite, 1).await,
                (992..=1_000).collect::<Vec<_>>(),
                "the last ones are there until all go"
            );
        }
        commit(&mut sink, &[written(conversation(next, "b"), 0)]);
        next += 1;
    }

    assert_eq!((conversations, messages), (100, 0));
    assert!(next >= 207, "{next}");
    // What is begun meanwhile stays, and has one row each.
    let begun = i64::try_from(next - 200).unwrap();
    assert_eq!(count("SELECT count(*) FROM tail"), begun);
    assert_eq!(count("SELECT count(DISTINCT conversation) FROM holder"), begun);
}

#[tokio::test]
async fn one_that_is_opened_again_stays_and_one_that_had_gone_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (sqlite, mut sink) = Sqlite::open(directory.path(), Durability::Full).unwrap();
    commit(&mut sink, &[written(closed(1, "a"), 3), written(closed(2, "b"), 3)]);
    let again = |id, who| {
        let events = vec![Event::Messaged { message: message(id, 4) }];
        let rows = vec![Row::Conversation(Box::new(conversation(id, who)))];
        Write::Batch(Batch { at: Timestamp::ZERO, events, rows })
    };

    commit(&mut sink, &[again(1, "a")]);
    let forgotten = sqlite.forget_some(Timestamp::MAX).await.unwrap();
    commit(&mut sink, &[again(2, "b")]);

    assert_eq!(forgotten.conversations, 1);
    assert_eq!(left(&sqlite).await, [2, 1]);
    assert_eq!((seqs(&sqlite, 1).await, seqs(&sqlite, 2).await), (vec![1, 2, 3, 4], vec![4]));
}

#[tokio::test]
async fn what_is_erased_is_in_none_of_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let (sqlite, mut sink) = Sqlite::open(directory.path(), Durability::Full).unwrap();
    commit(&mut sink, &[written(closed(1, "a-person"), 100), written(closed(2, "b"), 1)]);
    let holds = |what: &str| {
        let files =
            std::fs::read_dir(directory.path()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.filter(|bytes| bytes.windows(what.len()).any(|found| found == what.as_bytes())).count()
    };
    assert_eq!(holds("a-person"), 1, "in the log");

    sqlite.erase(buyer("a-person")).await.unwrap();

    assert_eq!(holds("a-person"), 0);
    assert_eq!(left(&sqlite).await, [2]);
    commit(&mut sink, &[written(closed(3, "b"), 1)]);
}
