//! The writing end: one transaction for whatever queued up, and how the store is opened to write it.
//! What becomes of a record in it is in `writing`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::writing::{Heads, Writing};
use super::{Place, empty_log, failed, reads};
use crate::journal::crash::{self, Point};
use crate::journal::{Position, Restored, Sink, StoreError, Uncommitted, Write};

/// How long the log may be before it is moved into the database, in pages.
const CHECKPOINT_PAGES: u32 = 4096;
/// The same in bytes, and room for one more commit.
const LOG_BYTES: u64 = 24 << 20;
/// After how many commits it is seen to that the log has its whole length.
const COMMITS_TO_LONG_LOG: u64 = 64;
/// How many statements are kept prepared.
const STATEMENTS: usize = 64;
pub(super) struct SqliteSink {
    place: Arc<Place>,
    connection: Option<Connection>,
    /// What is known to be durable, for a start to compare with.
    durable: File,
    commits: u64,
    heads: Heads,
}

impl SqliteSink {
    pub(super) fn open(place: Arc<Place>) -> Result<Self, StoreError> {
        let durable = place.durable_file().map_err(|error| StoreError::Failed(error.to_string()))?;
        let mut sink = Self { place, connection: None, durable, commits: 0, heads: Heads::default() };
        sink.connect()?;
        Ok(sink)
    }

    fn connect(&mut self) -> Result<(), StoreError> {
        self.connection = None;
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
        self.heads = Heads::of(&connection)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Gives the log of a store that is used its whole length at once: a sync need not wait for a file that grows.
    /// What is behind its last commit counts for nothing, so zeros may stand there. That it cannot be done is no harm.
    fn lengthen_log(&mut self) {
        if self.commits.is_multiple_of(COMMITS_TO_LONG_LOG)
            && let Err(error) = self.place.lengthen_log(LOG_BYTES)
        {
            tracing::debug!(%error, "the log grows as it is needed");
        }
    }
}

impl Sink for SqliteSink {
    fn commit(&mut self, writes: &[Write], _: Position) -> Result<(), Uncommitted> {
        let commits = self.commits + 1;
        let connection = self.connection.as_mut().ok_or_else(closed)?;
        let crashes = crash::is_due(Point::Unsynced);
        if crashes {
            connection.pragma_update(None, "synchronous", 0).map_err(failed)?;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let mut writing = Writing::begin(&transaction, &mut self.heads)?;
        for write in writes {
            writing.write(write)?;
        }
        writing.finish(commits)?;
        transaction.commit().map_err(|error| Uncommitted { in_doubt: is_in_doubt(&error), error: failed(error) })?;
        if crashes {
            crash::end();
        }
        self.commits = commits;
        self.lengthen_log();
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
        // From its first page to its last.
        empty_log(connection)?;
        connection.execute("UPDATE progress SET commits = commits", []).map(|_| ()).map_err(failed)
    }
}

impl Drop for SqliteSink {
    /// A store that is not in use is one file; whoever copies that has all of it.
    fn drop(&mut self) {
        if let Some(Err(error)) = self.connection.as_ref().map(empty_log) {
            tracing::debug!(%error, "the log stays beside the database");
        }
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
