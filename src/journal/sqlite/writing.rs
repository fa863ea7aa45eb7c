//! One transaction: every row of one thing is written once, whatever happened to it in between.
//! It reads only what it needs to go on where it was.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::failed;
use super::reads::{self, whole};
use super::stored::{Detail, Figures, Trace, json, state_name};
use crate::directory::Accepted;
use crate::journal::{Audit, StoreError, Write};
use crate::model::{AccountId, ConversationId, GroupId, Map, SellerId, Sender, State, Status, Timestamp, Visibility};
use crate::routing::{AgentRow, Conversation, Counted, Day, Event, GroupRow, Message, Row, Tail};

/// How many accepted configurations are kept, for people who want to see an earlier one.
const GENERATIONS: i64 = 16;
/// The days of so many sellers are remembered; of more, each is read again when something is counted on it.
const DAYS_MAX: usize = 4096;

const MESSAGE: &str = "INSERT INTO message
    (number, conversation, seq, before, prev_for_buyer, kind, sender, within, name, note, client_id, at, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const TAIL: &str = "UPDATE tail SET rev = ?, first_reply_at = ?, last_seq = ?, last_for_buyer = ?, last_wrote = ?,
    unanswered_since = ?, read_by_buyer = ?, read_by_staff = ?, unread_by_buyer = ?, unread_by_staff = ?,
    last_message = ? WHERE conversation = ?";

/// Where the writing of each conversation goes on, for those that are open.
#[derive(Default)]
pub(super) struct Heads {
    known: Map<ConversationId, Head>,
    /// The days of sellers, as far as something was counted on them.
    days: Map<SellerId, Day>,
    last_message: i64,
}

/// Where the writing of a conversation goes on.
#[derive(Clone, Copy)]
struct Head {
    /// `conversation.number`.
    conversation: i64,
    /// `message.number` of its last message, or 0.
    message: i64,
    /// The number of that in the conversation. `None` where there is none yet: a conversation that was deleted, and is
    /// opened again, goes on where it was.
    seq: Option<i64>,
}

/// What one commit changes in rows that may change often.
#[derive(Default)]
struct Changed {
    tails: Map<ConversationId, (u64, Option<Timestamp>, Tail)>,
    agents: BTreeMap<AccountId, AgentRow>,
    groups: BTreeMap<(Option<SellerId>, Option<GroupId>), GroupRow>,
    days: BTreeSet<SellerId>,
    closed: Vec<ConversationId>,
    last_time: Timestamp,
}

/// A transaction that is being written.
pub(super) struct Writing<'a> {
    connection: &'a Connection,
    heads: &'a mut Heads,
    message: CachedStatement<'a>,
    changed: Changed,
}

impl Heads {
    /// Nothing is known but where messages go on.
    pub(super) fn of(connection: &Connection) -> Result<Self, StoreError> {
        let sql = "SELECT coalesce(max(number), 0) FROM message";
        let last_message = connection.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
        Ok(Self { known: Map::default(), days: Map::default(), last_message })
    }
}

impl<'a> Writing<'a> {
    pub(super) fn begin(connection: &'a Connection, heads: &'a mut Heads) -> Result<Self, StoreError> {
        let message = connection.prepare_cached(MESSAGE).map_err(failed)?;
        Ok(Self { connection, heads, message, changed: Changed::default() })
    }

    fn prepared(&self, sql: &str) -> Result<CachedStatement<'a>, StoreError> {
        self.connection.prepare_cached(sql).map_err(failed)
    }

    pub(super) fn write(&mut self, write: &Write) -> Result<(), StoreError> {
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
                self.changed.tails.insert(*conversation, (*rev, *first_reply_at, *tail));
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
            Row::Day(day) => {
                self.changed.days.insert(day.seller.clone());
                self.heads.days.insert(day.seller.clone(), day.day.clone());
                Ok(())
            }
            Row::Counted(counted) => self.counted(counted),
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), StoreError> {
        match event {
            Event::Messaged { message } => self.message(message),
            Event::Decided { conversation, decision } => {
                let number = self.head(*conversation)?.conversation;
                let sql = "INSERT INTO decision (conversation, at, detail) VALUES (?, ?, ?)";
                let detail = json(&Trace::of(decision))?;
                self.prepared(sql)?.execute(params![number, decision.at.micros(), detail]).map_err(failed)?;
                Ok(())
            }
            Event::StatusSet { agent, status, at, .. } => {
                let sql = "INSERT INTO presence (account, at, status) VALUES (?, ?, ?)";
                self.prepared(sql)?
                    .execute(params![agent.as_str(), at.micros(), status_name(*status)])
                    .map_err(failed)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn head(&mut self, id: ConversationId) -> Result<Head, StoreError> {
        self.find(id)?.ok_or_else(|| StoreError::Failed(format!("there is no conversation {id}")))
    }

    fn find(&mut self, id: ConversationId) -> Result<Option<Head>, StoreError> {
        if let Some(head) = self.heads.known.get(&id) {
            return Ok(Some(*head));
        }
        let sql = "SELECT c.number, t.last_message, m.seq FROM conversation c
            JOIN tail t ON t.conversation = c.number LEFT JOIN message m ON m.number = t.last_message WHERE c.id = ?";
        let found = self.prepared(sql)?.query_row([id.to_string()], |row| {
            Ok(Head { conversation: row.get(0)?, message: row.get(1)?, seq: row.get(2)? })
        });
        let found = found.optional().map_err(failed)?;
        self.heads.known.extend(found.map(|head| (id, head)));
        Ok(found)
    }

    fn conversation(&mut self, from: &Conversation) -> Result<(), StoreError> {
        let id = from.id.to_string();
        let within = from.profile.key.within.as_ref().map_or("", SellerId::as_str);
        let (state, group) = (state_name(from.state), from.group.as_str());
        let agent = from.agent.as_ref().map(AccountId::as_str);
        let closed_at = from.rare.closed_at.map(Timestamp::micros);
        let detail = json(&Detail::of(from))?;
        match self.find(from.id)? {
            Some(head) => {
                let sql = "UPDATE conversation SET state = ?, team = ?, agent = ?, closed_at = ?, detail = ?
                    WHERE number = ?";
                let row = params![state, group, agent, closed_at, detail, head.conversation];
                self.prepared(sql)?.execute(row).map_err(failed)?;
            }
            None => {
                let sql = "INSERT INTO conversation
                    (id, seller, within, buyer, state, team, agent, entry, started_at, closed_at, detail)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
                let (seller, sub, entry) = (from.seller.as_str(), &from.profile.key.sub, from.entry.as_str());
                let started_at = from.started_at.micros();
                let row = params![id, seller, within, sub, state, group, agent, entry, started_at, closed_at, detail];
                let number = self.prepared(sql)?.insert(row).map_err(failed)?;
                self.prepared("INSERT INTO tail VALUES (?, 0, NULL, 0, 0, 0, NULL, 0, 0, 0, 0, 0)")?
                    .execute([number])
                    .map_err(failed)?;
                self.heads.known.insert(from.id, Head { conversation: number, message: 0, seq: None });
            }
        }
        self.changed.tails.insert(from.id, (from.rev, from.first_reply_at, from.tail));
        if let Some(holder) = from.held.last() {
            let sql = "INSERT OR IGNORE INTO holder (account, conversation) VALUES (?, ?)";
            self.prepared(sql)?.execute(params![holder.as_str(), id]).map_err(failed)?;
        }
        if from.state == State::Closed {
            self.changed.closed.push(from.id);
            self.past(from, within, &id)?;
        }
        Ok(())
    }

    fn past(&self, from: &Conversation, within: &str, id: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO past (buyer, within, seller, holder, until, last_closed) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET last_closed = excluded.last_closed,
            holder = CASE WHEN excluded.until >= coalesce(until, 0) THEN excluded.holder ELSE holder END,
            until = max(coalesce(excluded.until, 0), coalesce(until, 0))";
        let holder = from.held.last();
        let until = holder.and(from.rare.closed_at).map(Timestamp::micros);
        let row = params![from.profile.key.sub, within, from.seller.as_str(), holder.map(AccountId::as_str), until, id];
        self.prepared(sql)?.execute(row).map_err(failed)?;
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<(), StoreError> {
        let head = self.head(message.conversation)?;
        let seq = whole(message.seq);
        if let Some(last) = head.seq
            && seq != last + 1
        {
            let id = message.conversation;
            return Err(StoreError::Failed(format!("message {seq} of conversation {id} does not follow {last}")));
        }
        let number = self.heads.last_message + 1;
        let (kind, sender, within) = sender_columns(&message.sender);
        let row = params![
            number,
            head.conversation,
            seq,
            head.message,
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
        self.message.execute(row).map_err(failed)?;
        self.heads.last_message = number;
        self.heads.known.insert(message.conversation, Head { message: number, seq: Some(seq), ..head });
        if !self.changed.tails.contains_key(&message.conversation) {
            let sql = "UPDATE tail SET last_message = ? WHERE conversation = ?";
            self.prepared(sql)?.execute([number, head.conversation]).map_err(failed)?;
        }
        Ok(())
    }

    /// Writes what is known only now.
    pub(super) fn finish(mut self, commits: u64) -> Result<(), StoreError> {
        self.tails()?;
        self.agents()?;
        self.groups()?;
        self.days()?;
        let sql = "UPDATE progress SET commits = ?, last_time = max(last_time, ?)";
        self.prepared(sql)?.execute(params![whole(commits), self.changed.last_time.micros()]).map_err(failed)?;
        for closed in &self.changed.closed {
            self.heads.known.remove(closed);
        }
        Ok(())
    }

    fn tails(&mut self) -> Result<(), StoreError> {
        let mut tails = Vec::with_capacity(self.changed.tails.len());
        for (id, tail) in std::mem::take(&mut self.changed.tails) {
            tails.push((self.head(id)?, tail));
        }
        tails.sort_unstable_by_key(|(head, _)| head.conversation);
        let mut statement = self.prepared(TAIL)?;
        for (head, (rev, first_reply_at, tail)) in tails {
            let row = params![
                whole(rev),
                first_reply_at.map(Timestamp::micros),
                whole(tail.last_seq),
                whole(tail.last_for_buyer),
                tail.last_wrote.micros(),
                tail.unanswered_since.map(Timestamp::micros),
                whole(tail.read_by_buyer),
                whole(tail.read_by_staff),
                tail.unread_by_buyer,
                tail.unread_by_staff,
                head.message,
                head.conversation,
            ];
            statement.execute(row).map_err(failed)?;
        }
        Ok(())
    }

    fn agents(&self) -> Result<(), StoreError> {
        if self.changed.agents.is_empty() {
            return Ok(());
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
        Ok(())
    }

    fn groups(&self) -> Result<(), StoreError> {
        if self.changed.groups.is_empty() {
            return Ok(());
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
        Ok(())
    }

    /// Counts on the day of a seller, which is written once a commit.
    fn counted(&mut self, counted: &Counted) -> Result<(), StoreError> {
        if !self.heads.days.contains_key(&counted.seller) {
            let day = reads::day_of(self.connection, &counted.seller)?;
            self.heads.days.insert(counted.seller.clone(), day);
        }
        if let Some(day) = self.heads.days.get_mut(&counted.seller) {
            day.count(counted.date, &counted.what);
        }
        if !self.changed.days.contains(&counted.seller) {
            self.changed.days.insert(counted.seller.clone());
        }
        Ok(())
    }

    fn days(&mut self) -> Result<(), StoreError> {
        if self.changed.days.is_empty() {
            return Ok(());
        }
        let mut statement = self.prepared("INSERT OR REPLACE INTO day VALUES (?, ?, ?)")?;
        for seller in &self.changed.days {
            let Some(day) = self.heads.days.get(seller) else { continue };
            let date = day.date.map(|date| date.to_string());
            statement.execute(params![seller.as_str(), date, json(&Figures::of(day))?]).map_err(failed)?;
        }
        if self.heads.days.len() > DAYS_MAX {
            self.heads.days.clear();
        }
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
