//! The real store beside the rows that a plain map keeps: what is read from it must be those, after every kill, every loss
//! of power, and every commit that fails.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use fenliu::directory::{Accepted, changes};
use fenliu::journal::{Durability, Journal, Position, Range, Reading, Recovered, Sink, Sqlite, StoreError, Write};
use fenliu::model::{ConversationId, Timestamp};
use fenliu::routing::{self, Batch, Conversation, GroupRow, Row, Tail};
use tempfile::TempDir;

use crate::power::Image;
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
    /// How many steps go by before the sync under way ends.
    slow: usize,
    /// What has happened to it.
    pub seen: Seen,
}

/// How often what has happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// The process was killed.
    pub kills: usize,
    /// A commit was refused.
    pub refused: usize,
    /// The power failed, or a sync did, and the commit under way was not there afterwards, or was.
    pub lost: usize,
    pub kept: usize,
    /// The power failed while the log was moved into the database.
    pub moving: usize,
    /// A store was behind what had been acknowledged.
    pub behind: usize,
    /// A sync took its time.
    pub slow: usize,
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
            slow: 0,
            seen: Seen::default(),
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

    /// How many of the writes that wait are written now, if so many would be: none while a sync takes its time, and all
    /// of them after it.
    pub fn pace(&mut self, count: usize) -> usize {
        if self.slow > 0 {
            self.slow -= 1;
            return if self.slow == 0 { usize::MAX } else { 0 };
        }
        if self.random.below(100) == 0 {
            self.slow = 1 + self.random.below(100);
            self.seen.slow += 1;
        }
        count
    }

    /// How many of the writes that wait are under way when something happens.
    pub fn under_way(&mut self, waiting: usize) -> usize {
        if self.random.percent(50) { waiting } else { self.random.below(waiting + 1) }
    }

    /// Whether it is the disk that fails, and not what is above it.
    pub fn fails(&mut self) -> bool {
        self.random.percent(40)
    }

    /// A commit is refused when everything of it has been written but the end; the store is opened anew in place.
    pub fn refuse(&mut self, mut writes: Vec<Write>) -> Result<Recovered, String> {
        let (tail, at) = (Tail::default(), self.last_time);
        let rows_of_nobody = vec![Row::Tail { conversation: NOBODY, rev: 0, first_reply_at: None, tail }];
        writes.push(Write::Batch(Batch { at, events: Vec::new(), rows: rows_of_nobody }));
        if self.sink.commit(&writes, Position(self.commits + 1)).is_ok() {
            return Err("what belongs to no conversation is kept".to_owned());
        }
        self.seen.refused += 1;
        let restored = self.sink.restore().map_err(|error| error.to_string())?;
        if restored.kept {
            return Err("a commit that failed is kept".to_owned());
        }
        self.sink.probe().map_err(|error| error.to_string())?;
        Ok(restored.recovered)
    }

    /// The process is killed: nothing is closed or flushed, and the next one finds what is there at that moment.
    pub fn kill(&mut self) -> Result<Recovered, String> {
        self.seen.kills += 1;
        let image = tempfile::tempdir().unwrap();
        for file in fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap) {
            // The index of the log is in memory: after a power cut it is not there.
            let lost = file.file_name().to_string_lossy().ends_with("-shm") && self.random.percent(50);
            if !lost && file.file_type().unwrap().is_file() {
                fs::copy(file.path(), image.path().join(file.file_name())).unwrap();
            }
        }
        self.begin_anew(image)
    }

    /// The power fails during a commit, or the system says that its sync did. Everything before was synced. Whether the
    /// commit is in what is found then, as a whole, and what that is.
    pub fn lose_power(&mut self, writes: &[Write]) -> Result<(bool, Recovered), String> {
        let (synced, acknowledged, last_time) = (Image::of(self.folder.path()), self.commits, self.last_time);
        if !writes.is_empty() {
            self.commit(writes)?;
        }
        let mut written = Image::of(self.folder.path());
        if self.random.percent(30) {
            move_log(self.folder.path());
            written.database = Image::of(self.folder.path()).database;
        }
        let left = written.torn(&synced, &mut self.random);
        let is_kept = writes.is_empty() || left.has(&written, written.end_since(&synced));
        if !is_kept {
            (self.commits, self.last_time) = (acknowledged, last_time);
        }
        self.seen.lost += usize::from(!is_kept);
        self.seen.kept += usize::from(is_kept && !writes.is_empty());
        self.seen.moving += usize::from(written.database != synced.database);
        // How much was acknowledged is written and not synced.
        let said = [self.commits, acknowledged, acknowledged.saturating_sub(self.random.below(3) as u64)];
        let image = tempfile::tempdir().unwrap();
        left.put(image.path(), *self.random.one(&said));
        Ok((is_kept, self.begin_anew(image)?))
    }

    /// The disk has not kept what it said it had synced since a moment: whoever starts then is told so.
    pub fn refuses_to_be_behind(&mut self, before: &[Image]) -> Result<(), String> {
        let after = Image::of(self.folder.path());
        let all: Vec<&Image> = before.iter().chain([&after]).collect();
        let mut left = after.torn(all[0], &mut self.random);
        if after.database != all[0].database {
            left.clone_from(all[0]);
        }
        let is_there = |pair: &&[&Image]| left.has(&after, pair[1].end_since(pair[0]));
        let lost = (before.len() - all.windows(2).take_while(is_there).count()) as u64;
        let image = tempfile::tempdir().unwrap();
        left.put(image.path(), self.commits);
        let found = Sqlite::open(image.path(), Durability::Normal).map(drop);
        let (found_is, acknowledged) = (self.commits - lost, self.commits);
        let is_refused = lost > 0;
        self.seen.behind += usize::from(is_refused);
        let behind = StoreError::Behind { found: found_is, acknowledged };
        same("a start", &found, &if is_refused { Err(behind) } else { Ok(()) })
    }

    /// The files at this moment.
    pub fn image(&self) -> Image {
        Image::of(self.folder.path())
    }

    fn begin_anew(&mut self, folder: TempDir) -> Result<Recovered, String> {
        (self.journal, self.sink) = open(folder.path());
        self.folder = folder;
        self.read(self.journal.open())
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
    pub fn same(&self, found: Recovered, rows: &Rows, config: &Config) -> Result<routing::Recovered, String> {
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

/// Moves the log into the database as far as that can be done beside its writer.
fn move_log(folder: &Path) {
    let connection = rusqlite::Connection::open(folder.join("fenliu.db")).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
}

fn open(folder: &Path) -> (Sqlite, Box<dyn Sink>) {
    let (journal, sink) = Sqlite::open(folder, Durability::Normal).unwrap();
    (journal, Box::new(sink))
}

fn same<T: Debug + PartialEq>(what: &str, found: &T, written: &T) -> Result<(), String> {
    if found == written { Ok(()) } else { Err(format!("{what}: the store has {found:?}\nwritten was {written:?}")) }
}
