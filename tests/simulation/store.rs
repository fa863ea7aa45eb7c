//! A store that lags behind, and may lose what it has not yet written: as a journal whose commit fails.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use fenliu::directory::Directory;
use fenliu::journal::{self, Write};
use fenliu::model::{AccountId, ConversationId, GroupId, SellerId, State};
use fenliu::routing::{AgentRow, Batch, Conversation, DayRow, Event, GroupRow, Recovered, Row};

use crate::disk::{Disk, accepted};
use crate::draft::Draft;

/// A configuration as it is recorded.
#[derive(Clone, Debug)]
pub struct Config {
    pub directory: Arc<Directory>,
    pub draft: Draft,
}

/// What is written at once.
enum Record {
    Batch(Batch),
    Config(Config),
}

impl Record {
    fn write(&self) -> Write {
        match self {
            Self::Batch(batch) => Write::Batch(batch.clone()),
            Self::Config(config) => accepted(config),
        }
    }
}

fn writes(records: &[Record]) -> Vec<Write> {
    records.iter().map(Record::write).collect()
}

/// The rows of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub open: BTreeMap<ConversationId, Conversation>,
    pub agents: BTreeMap<AccountId, AgentRow>,
    pub groups: BTreeMap<(SellerId, GroupId), GroupRow>,
    pub days: BTreeMap<SellerId, DayRow>,
}

impl Rows {
    /// Takes the rows of a batch. Says what it closes.
    pub fn keep(&mut self, rows: &[Row]) -> Vec<Conversation> {
        let mut closed = Vec::new();
        for row in rows {
            match row {
                Row::Conversation(conversation) if conversation.state == State::Closed => {
                    self.open.remove(&conversation.id);
                    closed.push((**conversation).clone());
                }
                Row::Conversation(conversation) => {
                    self.open.insert(conversation.id, (**conversation).clone());
                }
                Row::Tail { conversation, rev, first_reply_at, tail } => {
                    let kept = self.open.get_mut(conversation).expect("a tail belongs to an open conversation");
                    (kept.rev, kept.first_reply_at, kept.tail) = (*rev, *first_reply_at, *tail);
                }
                Row::Agent(agent) => {
                    self.agents.insert(agent.account.clone(), agent.clone());
                }
                Row::Group(group) => {
                    self.groups.insert((group.seller.clone().unwrap(), group.group.clone().unwrap()), group.clone());
                }
                Row::Day(day) => {
                    self.days.insert(day.seller.clone(), (**day).clone());
                }
                Row::Counted(counted) => {
                    let row = self.days.entry(counted.seller.clone());
                    row.or_insert_with(|| DayRow::of(counted.seller.clone())).day.count(counted.date, &counted.what);
                }
            }
        }
        closed
    }

    /// What a table is made of.
    pub fn recovered(&self) -> Recovered {
        Recovered {
            conversations: self.open.values().cloned().collect(),
            agents: self.agents.values().cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            days: self.days.values().cloned().collect(),
        }
    }
}

/// The store.
pub struct Store {
    /// The configuration that is written.
    pub config: Config,
    /// What is written.
    pub written: Rows,
    /// What is written when all goes well.
    pub hoped: Rows,
    waiting: VecDeque<Record>,
    /// The last number of every conversation that a sender was told is kept.
    pub acknowledged: BTreeMap<ConversationId, u64>,
    /// Closed conversations that are written, the last ones.
    pub closed: VecDeque<Conversation>,
    /// The real store, where one is written too.
    pub disk: Option<Disk>,
}

impl Store {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            written: Rows::default(),
            hoped: Rows::default(),
            waiting: VecDeque::new(),
            acknowledged: BTreeMap::new(),
            closed: VecDeque::new(),
            disk: None,
        }
    }

    /// Another configuration comes in.
    pub fn record(&mut self, config: Config) {
        self.waiting.push_back(Record::Config(config));
    }

    /// Writes everything up to the last configuration.
    pub fn write_config(&mut self) -> Result<(), String> {
        let last = self.waiting.iter().rposition(|record| matches!(record, Record::Config(_)));
        self.write(last.map_or(0, |last| last + 1))
    }

    /// A batch comes in.
    pub fn send(&mut self, batch: Batch) {
        self.hoped.keep(&batch.rows);
        self.waiting.push_back(Record::Batch(batch));
    }

    /// Writes so many batches, at most, in one commit, or as many as a slow disk lets it.
    pub fn go_on(&mut self, count: usize) -> Result<(), String> {
        let count = self.disk.as_mut().map_or(count, |disk| disk.pace(count));
        self.write(count)
    }

    /// Writes so many batches, at most, before something goes wrong; none where the disk is about to fail.
    pub fn write_before(&mut self, count: usize) -> Result<(), String> {
        let fails = self.disk.as_mut().is_some_and(Disk::fails);
        self.write(if fails { 0 } else { count })
    }

    /// Writes so many batches, at most, in one commit.
    pub fn write(&mut self, count: usize) -> Result<(), String> {
        let records = self.next(count);
        if let Some(disk) = self.disk.as_mut().filter(|_| !records.is_empty()) {
            disk.commit(&writes(&records))?;
        }
        self.keep(records)
    }

    fn next(&mut self, count: usize) -> Vec<Record> {
        self.waiting.drain(..count.min(self.waiting.len())).collect()
    }

    /// This is written.
    fn keep(&mut self, records: Vec<Record>) -> Result<(), String> {
        for record in records {
            let batch = match record {
                Record::Batch(batch) => batch,
                Record::Config(config) => {
                    self.config = config;
                    continue;
                }
            };
            for closed in self.written.keep(&batch.rows) {
                self.acknowledged.remove(&closed.id);
                self.closed.push_back(closed);
            }
            if self.closed.len() > 64 {
                self.closed.drain(..32);
            }
            self.acknowledge(&batch)?;
        }
        Ok(())
    }

    /// Messages are numbered without gaps.
    fn acknowledge(&mut self, batch: &Batch) -> Result<(), String> {
        for event in &batch.events {
            let Event::Messaged { message } = event else { continue };
            if !self.written.open.contains_key(&message.conversation) {
                continue;
            }
            let last = self.acknowledged.entry(message.conversation).or_insert(message.seq - 1);
            if *last + 1 != message.seq {
                return Err(format!("{} follows {last} in {}", message.seq, message.conversation));
            }
            *last = message.seq;
        }
        Ok(())
    }

    /// The commit fails: what is not written is void. What a table is made of then.
    pub fn fail(&mut self) -> Result<Recovered, String> {
        let under_way = self.is_broken_off();
        let Some(disk) = &mut self.disk else { return Ok(self.written.recovered()) };
        let recovered = if disk.fails() { self.lose_power(under_way)? } else { disk.refuse(writes(&under_way))? };
        self.found(recovered)
    }

    /// The process is killed: what is not written was never there. What a table is made of then.
    pub fn kill(&mut self) -> Result<Recovered, String> {
        self.is_refused_where_it_is_behind()?;
        let under_way = self.is_broken_off();
        let Some(disk) = &mut self.disk else { return Ok(self.written.recovered()) };
        let recovered = if disk.fails() { self.lose_power(under_way)? } else { disk.kill()? };
        let recovered = self.found(recovered)?;
        let Some(disk) = &mut self.disk else { return Ok(recovered) };
        disk.history(&self.written, &self.closed)?;
        Ok(recovered)
    }

    /// Nothing more is written of what waits. What of it is under way.
    fn is_broken_off(&mut self) -> Vec<Record> {
        let waiting = self.waiting.len();
        let count = self.disk.as_mut().map_or(0, |disk| disk.under_way(waiting));
        let under_way = self.next(count);
        self.waiting.clear();
        self.hoped = self.written.clone();
        under_way
    }

    fn lose_power(&mut self, under_way: Vec<Record>) -> Result<journal::Recovered, String> {
        let disk = self.disk.as_mut().expect("a disk");
        let (is_kept, recovered) = disk.lose_power(&writes(&under_way))?;
        if is_kept {
            self.keep(under_way)?;
            self.hoped = self.written.clone();
        }
        Ok(recovered)
    }

    fn found(&self, recovered: journal::Recovered) -> Result<Recovered, String> {
        self.disk.as_ref().expect("a disk").same(recovered, &self.written, &self.config)
    }

    /// A few commits come about that the disk does not keep.
    fn is_refused_where_it_is_behind(&mut self) -> Result<(), String> {
        let mut before = Vec::new();
        for _ in 0..3 {
            let Some(disk) = self.disk.as_ref().filter(|_| self.waiting.len() > 1) else { break };
            before.push(disk.image());
            self.write(self.waiting.len().div_ceil(4))?;
        }
        match &mut self.disk {
            Some(disk) if !before.is_empty() => disk.refuses_to_be_behind(&before),
            _ => Ok(()),
        }
    }

    /// Whether everything acknowledged is in the rows, invariant 6.
    pub fn holds_what_it_acknowledged(&self) -> Result<(), String> {
        for (id, seq) in &self.acknowledged {
            let kept = self.written.open.get(id).map_or(0, |conversation| conversation.tail.last_seq);
            if kept < *seq {
                return Err(format!("message {seq} of {id} was acknowledged, {kept} is the last kept"));
            }
        }
        Ok(())
    }
}
