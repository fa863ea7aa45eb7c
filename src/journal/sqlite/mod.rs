//! The embedded journal: SQLite, with one writer and a few readers.
//! What is recorded and when is not decided here; the order is that of the writer's positions.

mod chain;
mod keep;
mod reads;
mod recorded;
mod schema;
mod sink;
mod stored;
mod writing;

pub use keep::Forgotten;
pub use recorded::{Recorded, recorded};

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::Semaphore;

use super::{Again, Audited, Filter, History, Journal, Known, Listed, Range, Reading, Recovered, Sink, StoreError};
use crate::model::{BuyerKey, ConversationId, SellerId, Timestamp};
use crate::routing::{Conversation, Decision, Resent, Said};

/// How many reads are under way at once; the next ones wait.
const READERS: usize = 4;
/// How long one connection waits for another.
const BUSY: Duration = Duration::from_secs(5);

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk.
    #[default]
    Full,
    /// It is with the operating system.
    Normal,
}

impl Durability {
    /// As SQLite's `synchronous`.
    fn as_pragma(self) -> i64 {
        match self {
            Self::Full => 2,
            Self::Normal => 1,
        }
    }
}

/// A store in a directory of its own.
pub struct Sqlite {
    place: Arc<Place>,
    readers: Arc<Readers>,
    /// The connection on which what is old is deleted, once there is one.
    keeper: Arc<Mutex<Option<Connection>>>,
}

/// The directory and what is in it.
struct Place {
    directory: PathBuf,
    durability: Durability,
    /// Held for as long as the store is open: one daemon to a directory.
    _lock: File,
}

struct Readers {
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens the store in a directory, which is made if it is not there. The second is its writing end.
    ///
    /// # Errors
    /// [`StoreError`]: it is in use, of a later version, damaged, behind what was acknowledged, or cannot be opened.
    pub fn open(directory: &Path, durability: Durability) -> Result<(Self, impl Sink + use<>), StoreError> {
        let lock = lock(directory)?;
        let place = Arc::new(Place { directory: directory.to_owned(), durability, _lock: lock });
        let sink = sink::SqliteSink::open(Arc::clone(&place))?;
        // All of them now: later there may be no file left to open.
        let idle = (0..READERS).map(|_| place.connect_to_read()).collect::<Result<_, _>>()?;
        let readers = Arc::new(Readers { permits: Semaphore::new(READERS), idle: Mutex::new(idle) });
        Ok((Self { place, readers, keeper: Arc::default() }, sink))
    }

    /// The version of SQLite that is linked.
    pub fn version() -> &'static str {
        rusqlite::version()
    }

    /// Writes a copy of the whole store to a file that must not exist, while the store is in use.
    ///
    /// # Errors
    /// That it cannot be read, or the copy not be written.
    pub fn backup(&self, to: PathBuf) -> Reading<'_, ()> {
        self.read(move |connection| {
            let to = to.to_str().ok_or_else(|| StoreError::Failed("the name of the copy is no text".to_owned()))?;
            connection.execute("VACUUM INTO ?", [to]).map(|_| ()).map_err(failed)
        })
    }

    /// Deletes a little of what closed before a time, in one small transaction that holds nobody up; it is not synced,
    /// but written in order with what is. To be called again for as long as there is more.
    ///
    /// # Errors
    /// That it cannot be written; what was deleted until then stays so.
    pub fn forget_some(&self, before: Timestamp) -> Reading<'_, Forgotten> {
        let (place, keeper) = (Arc::clone(&self.place), Arc::clone(&self.keeper));
        deleting(move || {
            let mut keeper = keeper.lock();
            let mut connection = keeper.take().map_or_else(|| place.connect_to_forget(Durability::Normal), Ok)?;
            let forgotten = keep::forget_some(&mut connection, before)?;
            *keeper = Some(connection);
            Ok(forgotten)
        })
    }

    /// Deletes everything closed of a buyer, a little at a time. How many conversations that were. Its open ones have
    /// to be closed first.
    ///
    /// # Errors
    /// That it cannot be written; what was deleted until then stays so.
    pub fn erase(&self, buyer: BuyerKey) -> Reading<'_, u64> {
        let place = Arc::clone(&self.place);
        deleting(move || {
            let (mut connection, mut conversations) = (place.connect_to_forget(place.durability)?, 0);
            loop {
                let forgotten = keep::erase_some(&mut connection, &buyer)?;
                conversations += forgotten.conversations;
                if !forgotten.more {
                    // Nor is it left in the log.
                    empty_log(&connection)?;
                    return Ok(conversations);
                }
            }
        })
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Reading<'_, T> {
        async move {
            let unusable = |error: &dyn std::fmt::Display| StoreError::Failed(error.to_string());
            let _permit = self.readers.permits.acquire().await.map_err(|error| unusable(&error))?;
            let (place, readers) = (Arc::clone(&self.place), Arc::clone(&self.readers));
            let reading = tokio::task::spawn_blocking(move || {
                let idle = readers.idle.lock().pop();
                let connection = idle.map_or_else(|| place.connect_to_read(), Ok)?;
                let result = read(&connection);
                // One that failed may have lost its file: the next read opens another.
                if result.is_ok() {
                    readers.idle.lock().push(connection);
                }
                result
            });
            reading.await.map_err(|error| unusable(&error))?
        }
        .boxed()
    }
}

impl Journal for Sqlite {
    fn history(&self, range: Range) -> Reading<'_, History> {
        self.read(move |connection| reads::history(connection, range))
    }

    fn closed(&self, conversation: ConversationId) -> Reading<'_, Option<Conversation>> {
        self.read(move |connection| reads::closed(connection, conversation))
    }

    fn last_of(&self, buyer: &BuyerKey, seller: &SellerId) -> Reading<'_, Known> {
        let (buyer, seller) = (buyer.clone(), seller.clone());
        self.read(move |connection| reads::last_of(connection, &buyer, &seller))
    }

    fn list(&self, filter: Filter, cursor: Option<ConversationId>, limit: usize) -> Reading<'_, Listed> {
        self.read(move |connection| reads::list(connection, &filter, cursor, limit))
    }

    fn resent(&self, again: Again) -> Reading<'_, Option<Resent>> {
        self.read(move |connection| reads::resent(connection, &again))
    }

    fn said(&self, conversation: ConversationId) -> Reading<'_, Vec<Said>> {
        self.read(move |connection| reads::said(connection, conversation))
    }

    fn decisions(&self, conversation: ConversationId) -> Reading<'_, Vec<Arc<Decision>>> {
        self.read(move |connection| reads::decisions(connection, conversation))
    }

    fn audit(&self, after: u64, limit: usize) -> Reading<'_, Vec<Audited>> {
        self.read(move |connection| reads::audit(connection, after, limit))
    }

    fn open(&self) -> Reading<'_, Recovered> {
        self.read(reads::recovered)
    }
}

impl Place {
    fn database(&self) -> PathBuf {
        self.directory.join("fenliu.db")
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let connection = Connection::open(self.database()).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(failed)?;
        let wanted = self.durability.as_pragma();
        connection.pragma_update(None, "synchronous", wanted).map_err(failed)?;
        let found: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(failed)?;
        if mode != "wal" || found != wanted {
            return Err(StoreError::Failed("SQLite does not keep the wanted durability here".to_owned()));
        }
        connection.pragma_update(None, "cache_size", -65_536).map_err(failed)?;
        schema::prepare(&connection)?;
        Ok(connection)
    }

    /// The log is moved into the database by the writer alone.
    fn connect_to_forget(&self, durability: Durability) -> Result<Connection, StoreError> {
        let connection = self.connect()?;
        connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(failed)?;
        connection.pragma_update(None, "synchronous", durability.as_pragma()).map_err(failed)?;
        Ok(connection)
    }

    fn connect_to_read(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.database(), flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(failed)?;
        // The first read opens the log.
        connection.query_row("SELECT only FROM progress", [], |_| Ok(())).map_err(failed)?;
        Ok(connection)
    }

    /// Writes zeros behind the end of the log.
    fn lengthen_log(&self, bytes: u64) -> io::Result<()> {
        let log = File::options().write(true).open(self.directory.join("fenliu.db-wal"))?;
        let mut end = log.metadata()?.len();
        let zeros = vec![0; 1 << 20];
        while end < bytes {
            let count = zeros.len().min(usize::try_from(bytes - end).unwrap_or(usize::MAX));
            log.write_all_at(&zeros[..count], end)?;
            end += count as u64;
        }
        Ok(())
    }

    fn durable_file(&self) -> io::Result<File> {
        File::options().read(true).write(true).create(true).truncate(false).open(self.directory.join("durable"))
    }

    /// How many commits were durable when the last one was acknowledged, as far as that is known.
    fn acknowledged(&self) -> u64 {
        let text = std::fs::read_to_string(self.directory.join("durable")).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }
}

/// Moves the log into the database, and cuts it off.
fn empty_log(connection: &Connection) -> Result<(), StoreError> {
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed)?;
    if busy { Err(StoreError::Failed("somebody reads the log".to_owned())) } else { Ok(()) }
}

fn deleting<T: Send + 'static>(delete: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Reading<'static, T> {
    async move {
        let deleting = tokio::task::spawn_blocking(delete);
        deleting.await.map_err(|error| StoreError::Failed(error.to_string()))?
    }
    .boxed()
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let cannot = |error: io::Error| StoreError::Failed(format!("{}: {error}", directory.display()));
    std::fs::create_dir_all(directory).map_err(cannot)?;
    let name = directory.join("lock");
    let lock = File::options().write(true).create(true).truncate(false).open(&name).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => {
            // Only for whoever looks: the lock itself is what counts.
            let _ = lock.set_len(0).and_then(|()| lock.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0));
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&name).unwrap_or_default();
            Err(StoreError::InUse { process: holder.trim().parse().ok() })
        }
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(error.to_string()),
        Some(ErrorCode::SystemIoFailure) => StoreError::Failed(format!("{error} while {}", doing(&error))),
        Some(ErrorCode::CannotOpen) => StoreError::Failed(format!("{error}, or there may be no more open files")),
        _ => StoreError::Failed(error.to_string()),
    }
}

/// What SQLite was at when the system failed it.
fn doing(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ffi;

    match error.sqlite_error().map(|error| error.extended_code) {
        Some(ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ) => "reading",
        Some(ffi::SQLITE_IOERR_WRITE) => "writing",
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => "syncing",
        Some(ffi::SQLITE_IOERR_TRUNCATE) => "cutting a file off",
        _ => "at work",
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod torn;
