//! The writing end: one transaction for whatever queued up, with every row of one thing written once.
//! It reads only what it needs to go on where it was.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, ErrorCode, TransactionBehavior, params};

use super::stored::{Detail, Trace, json, state_name};
use super::{Place, failed, reads};
use crate::directory::Accepted;
use crate::journal::{Audit, Position, Restored, Sink, StoreError, Uncommitted, Write};
use crate::model::{AccountId, ConversationId, GroupId, SellerId, Sender, State, Status, Timestamp, Visibility};
use crate::routing::{AgentRow, Conversation, Event, GroupRow, Message, Row, Tail};

/// How many commits the log may hold before it is moved into the database, in pages.
const CHECKPOINT_PAGES: u32 = 8192;
/// How many statements are kept prepared.
const STATEMENTS: usize = 64;
/// How many accepted configurations are kept, for people who want to see an earlier one.
const GENERATIONS: i64 = 16;

const TAIL: &str = "INSERT INTO tail VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT DO UPDATE SET rev = ?2, first_reply_at = ?3, last_seq = ?4, last_for_buyer = ?5, last_wrote = ?6,
    unanswered_since = ?7, read_by_buyer = ?8, read_by_staff = ?9, unread_by_buyer = ?10, unread_by_staff = ?11";

pub(super) struct SqliteSink {
    place: Arc<Place>,
    connection: Option<Connection>,
    /// What is known to be durable, for a start to compare with.
    durable: File,
    commits: u64,
    numbers: HashMap<ConversationId, i64>,
}

/// What one commit changes in rows that may change often.
#[derive(Default)]
struct Changed {
    tails: BTreeMap<i64, (u64, Option<Timestamp>, Tail)>,
    agents: BTreeMap<AccountId, AgentRow>,
    groups: BTreeMap<(Option<SellerId>, Option<GroupId>), GroupRow>,
    last_time: Timestamp,
}

impl SqliteSink {
    pub(super) fn open(place: Arc<Place>) -> Result<Self, StoreError> {
        let durable = place.durable_file().map_err(|error| StoreError::Failed(error.to_string()))?;
        let mut sink = Self { place, connection: None, durable, commits: 0, numbers: HashMap::new() };
        sink.connect()?;
        Ok(sink)
    }

    fn connect(&mut self) -> Result<(), StoreError> {
        self.connection = None;
        self.numbers.clear();
        let connection = self.place.connect()?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(failed)?;
        let commits: i64 =
            connection.query_row("SELECT commits FROM progress", [], |row| row.get(0)).map_err(failed)?;
        self.commits = u64::try_from(commits).unwrap_or(0);
        let acknowledged = self.place.acknowledged();
        if acknowledged > self.commits {
            return Err(StoreError::Behind { found: self.commits, acknowledged });
        }
        self.connection = Some(connection);
        Ok(())
    }
}

impl Sink for SqliteSink {
    fn commit(&mut self, writes: &[Write], _: Position) -> Result<(), Uncommitted> {
        let commits = self.commits + 1;
        let connection = self.connection.as_mut().ok_or_else(closed)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let mut changed = Changed::default();
        let mut writing = Writing { connection: &transaction, numbers: &mut self.numbers, changed: &mut changed };
        for write in writes {
            writing.write(write)?;
        }
        writing.finish(commits)?;
        transaction.commit().map_err(|error| Uncommitted { in_doubt: is_in_doubt(&error), error: failed(error) })?;
        self.commits = commits;
        let _ = self.durable.write_all_at(format!("{commits:020}\n").as_bytes(), 0);
        Ok(())
    }

    fn restore(&mut self) -> Result<Restored, StoreError> {
        let before = self.commits;
        self.connect()?;
        let recovered = reads::recovered(self.connection.as_ref().ok_or_else(closed)?)?;
        Ok(Restored { recovered, kept: self.commits > before })
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        let connection = self.connection.as_ref().ok_or_else(closed)?;
        // The log is moved into the database from its first page to its last, and begins anew.
        let busy: bool =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed)?;
        if busy {
            return Err(StoreError::Failed("somebody reads the log".to_owned()));
        }
        connection.execute("UPDATE progress SET commits = commits", []).map(|_| ()).map_err(failed)
    }
}

fn closed() -> StoreError {
    StoreError::Failed("it is closed".to_owned())
}

/// Whether a commit that failed may be on the disk: everything was written, and then something went wrong.
fn is_in_doubt(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::DatabaseBusy)
    )
}

struct Writing<'a> {
    connection: &'a Connection,
    numbers: &'a mut HashMap<ConversationId, i64>,
    changed: &'a mut Changed,
}

impl Writing<'_> {
    fn prepared(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        self.connection.prepare_cached(sql).map_err(failed)
    }

    fn write(&mut self, write: &Write) -> Result<(), StoreError> {
        match write {
            Write::Batch(batch) => {
                self.changed.last_time = self.changed.last_time.max(batch.at);
                // Rows first: what happened in a conversation refers to its row.
                for row in &batch.rows {
                    self.row(row)?;
                }
                batch.events.iter().try_for_each(|event| self.event(event))
            }
            Write::Accepted(accepted) => self.accepted(accepted),
            Write::Audit(Audit { at, by, action, detail }) => {
                let sql = "INSERT INTO audit (at, who, action, detail) VALUES (?, ?, ?, ?)";
                self.prepared(sql)?.execute(params![at.micros(), by, action, detail]).map_err(failed)?;
                Ok(())
            }
            Write::All(writes) => writes.iter().try_for_each(|write| self.write(write)),
        }
    }

    fn accepted(&self, accepted: &Accepted) -> Result<(), StoreError> {
        let generation = whole(accepted.generation);
        let sql = "INSERT OR REPLACE INTO accepted (generation, detail) VALUES (?, ?)";
        self.prepared(sql)?.execute(params![generation, json(accepted)?]).map_err(failed)?;
        let sql = "DELETE FROM accepted WHERE generation <= ?";
        self.prepared(sql)?.execute([generation - GENERATIONS]).map_err(failed)?;
        Ok(())
    }

    fn row(&mut self, row: &Row) -> Result<(), StoreError> {
        match row {
            Row::Conversation(conversation) => self.conversation(conversation),
            Row::Tail { conversation, rev, first_reply_at, tail } => {
                let number = self.number(*conversation)?;
                self.changed.tails.insert(number, (*rev, *first_reply_at, *tail));
                Ok(())
            }
            Row::Agent(agent) => {
                self.changed.agents.insert(agent.account.clone(), agent.clone());
                Ok(())
            }
            Row::Group(group) => {
                self.changed.groups.insert((group.seller.clone(), group.group.clone()), group.clone());
                Ok(())
            }
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), StoreError> {
        match event {
            Event::Messaged { message } => self.message(message),
            Event::Decided { conversation, decision } => {
                let number = self.number(*conversation)?;
                let sql = "INSERT INTO decision (conversation, at, detail) VALUES (?, ?, ?)";
                let detail = json(&Trace::of(decision))?;
                self.prepared(sql)?.execute(params![number, decision.at.micros(), detail]).map_err(failed)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn number(&mut self, id: ConversationId) -> Result<i64, StoreError> {
        if let Some(number) = self.numbers.get(&id) {
            return Ok(*number);
        }
        let sql = "SELECT number FROM conversation WHERE id = ?";
        let number = self.prepared(sql)?.query_row([id.to_string()], |row| row.get(0)).map_err(failed)?;
        self.numbers.insert(id, number);
        Ok(number)
    }

    fn conversation(&mut self, from: &Conversation) -> Result<(), StoreError> {
        let sql = "INSERT INTO conversation
            (id, seller, within, buyer, state, team, agent, entry, started_at, closed_at, detail)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET state = excluded.state, team = excluded.team, agent = excluded.agent,
            closed_at = excluded.closed_at, detail = excluded.detail RETURNING number";
        let id = from.id.to_string();
        let within = from.profile.key.within.as_ref().map_or("", SellerId::as_str);
        let row = params![
            id,
            from.seller.as_str(),
            within,
            from.profile.key.sub,
            state_name(from.state),
            from.group.as_str(),
            from.agent.as_ref().map(AccountId::as_str),
            from.entry.as_str(),
            from.started_at.micros(),
            from.closed_at.map(Timestamp::micros),
            json(&Detail::of(from))?,
        ];
        let number: i64 = self.prepared(sql)?.query_row(row, |row| row.get(0)).map_err(failed)?;
        self.changed.tails.insert(number, (from.rev, from.first_reply_at, from.tail));
        if let Some(holder) = from.held.last() {
            let sql = "INSERT OR IGNORE INTO holder (account, conversation) VALUES (?, ?)";
            self.prepared(sql)?.execute(params![holder.as_str(), id]).map_err(failed)?;
        }
        if from.state == State::Closed {
            self.numbers.remove(&from.id);
            self.past(from, within, &id)?;
        } else {
            self.numbers.insert(from.id, number);
        }
        Ok(())
    }

    fn past(&self, from: &Conversation, within: &str, id: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO past (buyer, within, seller, holder, until, last_closed) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET last_closed = excluded.last_closed,
            holder = CASE WHEN excluded.until >= coalesce(until, 0) THEN excluded.holder ELSE holder END,
            until = max(coalesce(excluded.until, 0), coalesce(until, 0))";
        let holder = from.held.last();
        let until = holder.and(from.closed_at).map(Timestamp::micros);
        let row = params![from.profile.key.sub, within, from.seller.as_str(), holder.map(AccountId::as_str), until, id];
        self.prepared(sql)?.execute(row).map_err(failed)?;
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<(), StoreError> {
        let number = self.number(message.conversation)?;
        let sql = "INSERT INTO message
            (conversation, seq, prev_for_buyer, kind, sender, within, name, note, client_id, at, body)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let (kind, sender, within) = sender_columns(&message.sender);
        let row = params![
            number,
            whole(message.seq),
            whole(message.prev_for_buyer),
            kind,
            sender,
            within,
            message.name,
            message.visibility == Visibility::Staff,
            message.client_id,
            message.at.micros(),
            message.body.as_json(),
        ];
        self.prepared(sql)?.execute(row).map_err(failed)?;
        Ok(())
    }

    fn finish(self, commits: u64) -> Result<(), StoreError> {
        let mut statement = self.prepared(TAIL)?;
        for (number, (rev, first_reply_at, tail)) in &self.changed.tails {
            let row = params![
                number,
                whole(*rev),
                first_reply_at.map(Timestamp::micros),
                whole(tail.last_seq),
                whole(tail.last_for_buyer),
                tail.last_wrote.micros(),
                tail.unanswered_since.map(Timestamp::micros),
                whole(tail.read_by_buyer),
                whole(tail.read_by_staff),
                tail.unread_by_buyer,
                tail.unread_by_staff,
            ];
            statement.execute(row).map_err(failed)?;
        }
        let mut statement = self.prepared("INSERT OR REPLACE INTO agent VALUES (?, ?, ?, ?, ?, ?, ?)")?;
        for agent in self.changed.agents.values() {
            let row = params![
                agent.account.as_str(),
                status_name(agent.status),
                agent.since.micros(),
                agent.last_given.micros(),
                agent.last_ended.micros(),
                agent.missed_offers,
                json(&agent.paused)?,
            ];
            statement.execute(row).map_err(failed)?;
        }
        let mut statement = self.prepared("INSERT OR REPLACE INTO rotation VALUES (?, ?, ?, ?)")?;
        for group in self.changed.groups.values() {
            let row = params![
                group.seller.as_ref().map_or("", SellerId::as_str),
                group.group.as_ref().map_or("", GroupId::as_str),
                group.last_chosen.as_ref().map(AccountId::as_str),
                json(&group.weights)?,
            ];
            statement.execute(row).map_err(failed)?;
        }
        let sql = "UPDATE progress SET commits = ?, last_time = max(last_time, ?)";
        self.prepared(sql)?.execute(params![whole(commits), self.changed.last_time.micros()]).map_err(failed)?;
        Ok(())
    }
}

/// A sender as `kind`, `sender`, `within`.
pub(super) fn sender_columns(sender: &Sender) -> (&'static str, &str, Option<&str>) {
    match sender {
        Sender::Buyer(key) => ("buyer", &key.sub, key.within.as_ref().map(SellerId::as_str)),
        Sender::Agent(account) => ("agent", account.as_str(), None),
        Sender::System => ("system", "", None),
    }
}

pub(super) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Online => "online",
        Status::Away => "away",
        Status::Offline => "offline",
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
