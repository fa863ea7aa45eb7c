//! What a store has recorded of the past as a whole, for whoever wants to try it again: read and never written.
//! It holds nobody up, and may be read while a daemon writes.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::reads::{CONVERSATION, all, column, conversation, time};
use super::{BUSY, failed};
use crate::journal::StoreError;
use crate::model::{AccountId, Status, Timestamp};
use crate::routing::Conversation;

/// What a store has recorded.
#[derive(Clone, Debug, Default)]
pub struct Recorded<T> {
    /// Every conversation that is still kept, in the order in which they began.
    pub conversations: Vec<T>,
    /// What agents said of themselves, and when, in order.
    pub presence: Vec<(AccountId, Timestamp, Status)>,
}

/// Reads what the store in a directory has recorded; `take` makes of each conversation, and the JSON of its buyer's
/// first message, what is kept of it.
///
/// # Errors
/// That there is no store, or that it cannot be read.
pub fn recorded<T>(
    directory: &Path,
    mut take: impl FnMut(Conversation, Option<Arc<str>>) -> T,
) -> Result<Recorded<T>, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(directory.join("fenliu.db"), flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    // One view of it all, whatever is written meanwhile.
    connection.execute_batch("BEGIN").map_err(failed)?;
    let sql = "SELECT conversation, body FROM message WHERE seq = 1 AND kind = 'buyer'";
    let firsts = all(&connection, sql, &[], |row| Ok((column::<i64>(row, 0)?, column::<Arc<str>>(row, 1)?)))?;
    let mut firsts: HashMap<i64, Arc<str>> = firsts.into_iter().collect();
    let sql = format!("{CONVERSATION} ORDER BY c.number");
    let numbers =
        all(&connection, "SELECT number FROM conversation ORDER BY number", &[], |row| column::<i64>(row, 0))?;
    let mut numbers = numbers.into_iter();
    let conversations = all(&connection, &sql, &[], |row| {
        let first = numbers.next().and_then(|number| firsts.remove(&number));
        Ok(take(conversation(row)?, first))
    })?;
    Ok(Recorded { conversations, presence: presence(&connection)? })
}

/// A store from before presence was recorded has none.
fn presence(connection: &Connection) -> Result<Vec<(AccountId, Timestamp, Status)>, StoreError> {
    let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'presence'";
    let there: Option<i64> = connection.query_row(sql, [], |row| row.get(0)).optional().map_err(failed)?;
    if there.is_none() {
        return Ok(Vec::new());
    }
    all(connection, "SELECT account, at, status FROM presence ORDER BY number", &[], |row| {
        let (account, status): (String, String) = (column(row, 0)?, column(row, 2)?);
        let status = match status.as_str() {
            "online" => Status::Online,
            "away" => Status::Away,
            _ => Status::Offline,
        };
        Ok((AccountId::from(account), time(row, 1)?, status))
    })
}
