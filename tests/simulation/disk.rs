//! The real store beside the rows that a plain map keeps: what is read from it must be those, after every kill and after
//! every commit that fails.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use fenliu::directory::{Accepted, changes};
use fenliu::journal::{Durability, Journal, Position, Range, Reading, Recovered, Sink, Sqlite, Write};
use fenliu::model::{ConversationId, Timestamp};
use fenliu::routing::{self, Batch, Conversation, GroupRow, Row, Tail};
use tempfile::TempDir;

use crate::random::Random;
use crate::store::{Config, Rows};

/// How many conversations are read from their first message to their last after a kill.
const READ: usize = 8;
/// No conversation has this id.
const NOBODY: ConversationId = ConversationId(u128::MAX);

/// The store of a run, in a folder of its own.
pub struct Disk {
    folder: TempDir,
    journal: Sqlite,
    sink: Box<dyn Sink>,
    runtime: tokio::runtime::Runtime,
    /// Its own: what is drawn here changes nothing of what happens to the table.
    random: Random,
    commits: u64,
    last_time: Timestamp,
    /// How often the process was killed, and how many commits failed.
    pub kills: usize,
    pub faults: usize,
}

impl Disk {
    pub fn new(seed: u64, config: &Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (journal, sink) = open(folder.path());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let mut disk = Self {
            folder,
            journal,
            sink,
            runtime,
            random: Random::new(seed ^ 0xD15C),
            commits: 0,
            last_time: Timestamp::ZERO,
            kills: 0,
            faults: 0,
        };
        disk.commit(&[accepted(config)]).unwrap();
        disk
    }

    /// One commit.
    pub fn commit(&mut self, writes: &[Write]) -> Result<(), String> {
        self.commits += 1;
        self.sink.commit(writes, Position(self.commits)).map_err(|failed| format!("{writes:?}: {}", failed.error))?;
        for write in writes {
            if let Write::Batch(batch) = write {
                self.last_time = self.last_time.max(batch.at);
            }
        }
        Ok(())
    }

    /// A commit fails when everything of it has been written but the end; the store is opened anew in place.
    pub fn fail(&mut self, mut writes: Vec<Write>, rows: &Rows, config: &Config) -> Result<routing::Recovered, String> {
        let (tail, at) = (Tail::default(), self.last_time);
        let rows_of_nobody = vec![Row::Tail { conversation: NOBODY, rev: 0, first_reply_at: None, tail }];
        let count = self.random.below(writes.len() + 1);
        writes.truncate(count);
        writes.push(Write::Batch(Batch { at, events: Vec::new(), rows: rows_of_nobody }));
        if self.sink.commit(&writes, Position(self.commits + 1)).is_ok() {
            return Err("what belongs to no conversation is kept".to_owned());
        }
        self.faults += 1;
        let restored = self.sink.restore().map_err(|error| error.to_string())?;
        if restored.kept {
            return Err("a commit that failed is kept".to_owned());
        }
        self.sink.probe().map_err(|error| error.to_string())?;
        self.same(restored.recovered, rows, config)
    }

    /// The process is killed: nothing is closed or flushed, and the next one finds what is there at that moment.
    pub fn kill(&mut self, rows: &Rows, config: &Config) -> Result<routing::Recovered, String> {
        self.kills += 1;
        let image = tempfile::tempdir().unwrap();
        for file in fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap) {
            // The index of the log is in memory: after a power cut it is not there.
            let lost = file.file_name().to_string_lossy().ends_with("-shm") && self.random.percent(50);
            if !lost && file.file_type().unwrap().is_file() {
                fs::copy(file.path(), image.path().join(file.file_name())).unwrap();
            }
        }
        (self.journal, self.sink) = open(image.path());
        self.folder = image;
        let recovered = self.read(self.journal.open())?;
        self.same(recovered, rows, config)
    }

    /// What was acknowledged is there once, in order; what is closed is as it was.
    pub fn history(&mut self, rows: &Rows, closed: &VecDeque<Conversation>) -> Result<(), String> {
        let open: Vec<_> = rows.open.values().collect();
        for _ in 0..READ.min(open.len()) {
            let conversation = *self.random.one(&open);
            self.messages(conversation)?;
        }
        for conversation in closed.iter().rev().take(READ) {
            let kept = self.read(self.journal.closed(conversation.id))?;
            same("what is closed", &kept.as_ref(), &Some(conversation))?;
            self.messages(conversation)?;
        }
        Ok(())
    }

    fn messages(&self, conversation: &Conversation) -> Result<(), String> {
        let (id, last) = (conversation.id, conversation.tail.last_seq);
        let range = Range {
            conversation: id,
            after: Some(0),
            before: None,
            limit: usize::try_from(last).unwrap() + 1,
            notes: true,
        };
        let history = self.read(self.journal.history(range))?;
        let found: Vec<u64> = history.messages.iter().map(|message| message.seq).collect();
        same("the messages", &found, &(1..=last).collect())?;
        let said = self.read(self.journal.said(id))?;
        same("what is known of them", &said.len(), &found.len())
    }

    fn read<T>(&self, reading: Reading<'_, T>) -> Result<T, String> {
        self.runtime.block_on(reading).map_err(|error| error.to_string())
    }

    /// Invariants 6 and 7: what is found is what was written.
    fn same(&self, found: Recovered, rows: &Rows, config: &Config) -> Result<routing::Recovered, String> {
        let mut there = Rows::default();
        there.open.extend(found.table.conversations.iter().map(|c| (c.id, c.clone())));
        there.agents.extend(found.table.agents.iter().map(|row| (row.account.clone(), row.clone())));
        let key = |row: &GroupRow| (row.seller.clone().unwrap(), row.group.clone().unwrap());
        there.groups.extend(found.table.groups.iter().map(|row| (key(row), row.clone())));
        for (id, row) in &rows.open {
            same("an open conversation", &there.open.get(id), &Some(row))?;
        }
        same("the open conversations", &there.open.len(), &rows.open.len())?;
        same("the agents", &there.agents, &rows.agents)?;
        same("the groups", &there.groups, &rows.groups)?;
        same("the time of the last record", &found.last_time, &self.last_time)?;
        let recorded = found.accepted.as_ref().ok_or("no configuration is recorded")?;
        same("the generation", &recorded.generation, &config.directory.generation)?;
        let directory =
            recorded.directory(found.last_time.max(crate::world::START)).map_err(|found| format!("{found:?}"))?;
        let differences = changes(&config.directory, &directory);
        if differences.is_empty() {
            Ok(found.table)
        } else {
            Err(format!("the recorded configuration: {differences:?}"))
        }
    }
}

/// A configuration as it is written.
pub fn accepted(config: &Config) -> Write {
    let files = [("shops.toml".to_owned(), config.draft.text().into())];
    Write::Accepted(Accepted::new(&files, &config.directory).into())
}

fn open(folder: &Path) -> (Sqlite, Box<dyn Sink>) {
    let (journal, sink) = Sqlite::open(folder, Durability::Normal).unwrap();
    (journal, Box::new(sink))
}

fn same<T: Debug + PartialEq>(what: &str, found: &T, written: &T) -> Result<(), String> {
    if found == written { Ok(()) } else { Err(format!("{what}: the store has {found:?}\nwritten was {written:?}")) }
}
