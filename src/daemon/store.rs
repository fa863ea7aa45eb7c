//! The store of a daemon: opened as the settings say, with the thread that writes it.

use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::config::settings::{self, StoreKind};
use crate::journal::{
    self, Durability, Journal, Memory, Position, Restored, Sink, Sqlite, StoreError, Uncommitted, Write, Writer,
};
use crate::metrics::Metrics;

/// How long the last records may take to be written at the end.
const LAST: Duration = Duration::from_secs(10);

/// What is written to and read from, and what was in it.
pub struct Store {
    pub(super) writer: Writer,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) recovered: journal::Recovered,
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) sqlite: Option<Arc<Sqlite>>,
    pub(super) metrics: Arc<Metrics>,
}

impl Store {
    /// One that keeps nothing over a restart.
    pub fn memory() -> Self {
        let memory = Arc::new(Memory::default());
        let writer = Writer::inline(Arc::clone(&memory));
        Self {
            writer,
            journal: memory,
            recovered: journal::Recovered::default(),
            thread: None,
            sqlite: None,
            metrics: Arc::default(),
        }
    }

    /// The store that the settings name.
    ///
    /// # Errors
    /// It is damaged, in use, or cannot be had.
    pub async fn open(settings: &settings::Store) -> anyhow::Result<Self> {
        if settings.kind == StoreKind::Memory {
            return Ok(Self::memory());
        }
        let durability = match settings.durability {
            settings::Durability::Full => Durability::Full,
            settings::Durability::Normal => Durability::Normal,
        };
        let place = || format!("store.path {}", settings.path.display());
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true).mode(0o700).create(&settings.path).with_context(place)?;
        let (sqlite, sink) = Sqlite::open(&settings.path, durability).with_context(place)?;
        tracing::info!(sqlite = Sqlite::version(), path = %settings.path.display(), "the store is open");
        let limits = journal::Settings { slot_wait: settings.slot_wait, ..journal::Settings::default() };
        let sqlite = Arc::new(sqlite);
        let store = Self::with(Arc::clone(&sqlite) as Arc<dyn Journal>, sink, limits).await?;
        Ok(Self { sqlite: Some(sqlite), ..store })
    }

    /// One that is read and written like this.
    ///
    /// # Errors
    /// It cannot be read, or not be written by a thread of its own.
    pub async fn with(journal: Arc<dyn Journal>, sink: impl Sink, limits: journal::Settings) -> anyhow::Result<Self> {
        let recovered = journal.open().await?;
        let metrics = Arc::<Metrics>::default();
        let sink = Measured { sink, metrics: Arc::clone(&metrics) };
        let (writer, thread) = Writer::threaded(sink, limits)?;
        Ok(Self { writer, journal, recovered, thread: Some(thread), sqlite: None, metrics })
    }
}

/// A sink whose commits are timed.
struct Measured<S> {
    sink: S,
    metrics: Arc<Metrics>,
}

impl<S: Sink> Sink for Measured<S> {
    fn commit(&mut self, writes: &[Write], last: Position) -> Result<(), Uncommitted> {
        let begun = Instant::now();
        let committed = self.sink.commit(writes, last);
        self.metrics.commit.observe(begun.elapsed());
        self.metrics.journal_batch_records.observe_number(writes.len() as u64);
        committed
    }

    fn restore(&mut self) -> Result<Restored, StoreError> {
        self.sink.restore()
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.sink.probe()
    }
}

/// Lets the writer write what it has, and waits for that. Whether all of it is durable.
pub(super) async fn finish(writer: &Writer, thread: Option<JoinHandle<()>>) -> bool {
    let last = writer.last();
    writer.stop();
    let Some(thread) = thread else { return true };
    let ended = tokio::time::timeout(LAST, tokio::task::spawn_blocking(move || thread.join().is_ok())).await;
    matches!(ended, Ok(Ok(true))) && writer.fate(last) == journal::Fate::Durable
}
