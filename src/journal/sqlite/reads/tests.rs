//! What a start reads.

use rusqlite::StatementStatus;

use super::*;
use crate::journal::conformance::{conversation, day, message};
use crate::journal::{Durability, Position, Sink, Sqlite, Write};
use crate::model::State;
use crate::routing::{Batch, Event, Row};

/// A store with 30 open conversations, 5 agents, 3 groups and the day of 2 sellers, among so many closed ones.
fn filled(directory: &std::path::Path, closed: u128) -> Sqlite {
    let (sqlite, mut sink) = Sqlite::open(directory, Durability::Normal).unwrap();
    let write = |id: u128, state| {
        let mut row = Conversation { state, ..conversation(id, "b") };
        row.rare.change(|rare| rare.closed_at = Some(Timestamp::ZERO));
        let events = (1..=4).map(|seq| Event::Messaged { message: message(id, seq) }).collect();
        Write::Batch(Batch { at: Timestamp::ZERO, events, rows: vec![Row::Conversation(Box::new(row))] })
    };
    let conversations = (0..30 + closed).map(|id| write(id, if id < 30 { State::Active } else { State::Closed }));
    let agents = (0..5).map(|number| {
        Row::Agent(AgentRow {
            account: format!("agent-{number}").into(),
            status: Status::Away,
            since: Timestamp::ZERO,
            last_given: Timestamp::ZERO,
            last_ended: Timestamp::ZERO,
            missed_offers: 0,
            paused: Vec::new(),
        })
    });
    let groups = (0..3).map(|number| {
        let group = Some(format!("group-{number}").into());
        Row::Group(GroupRow { seller: Some("tea".into()), group, last_chosen: None, weights: Vec::new() })
    });
    let days = ["ink", "tea"].map(|seller| Row::Day(Box::new(DayRow { seller: seller.into(), day: day(7) })));
    let rows = agents.chain(groups).chain(days).collect();
    let rest = Write::Batch(Batch { at: Timestamp::ZERO, events: Vec::new(), rows });
    sink.commit(&conversations.chain([rest]).collect::<Vec<_>>(), Position(1)).unwrap();
    sqlite
}

/// How many rows a start reads, and how many steps SQLite takes for them.
fn started(sqlite: &Sqlite) -> (usize, i32) {
    let connection = sqlite.place.connect_to_read().unwrap();
    let table = recovered(&connection).unwrap().table;
    let steps = [&open_conversations(), AGENTS, GROUPS, DAYS].map(|sql| {
        let statement = connection.prepare_cached(sql).unwrap();
        statement.get_status(StatementStatus::VmStep)
    });
    assert!(steps.iter().all(|steps| *steps > 0));
    let rows = table.conversations.len() + table.agents.len() + table.groups.len() + table.days.len();
    (rows, steps.iter().sum())
}

#[test]
fn a_start_reads_what_is_open_and_costs_the_same_whatever_there_was_before() {
    let directory = tempfile::tempdir().unwrap();
    let fresh = filled(&directory.path().join("fresh"), 0);
    let old = filled(&directory.path().join("old"), 500);

    let (rows, steps) = started(&fresh);

    assert_eq!(rows, 30 + 5 + 3 + 2);
    assert_eq!(started(&old), (rows, steps));
}
