//! The messages of one conversation, the last one first: each row names the one before it.
//! A walk begins at a landmark, at most 63 rows behind what is wanted.

use rusqlite::{Connection, OptionalExtension, Row};

use super::failed;
use super::reads::{column, natural, whole};
use crate::journal::StoreError;
use crate::model::ConversationId;

const MESSAGE: &str =
    "SELECT conversation, before, seq, prev_for_buyer, kind, sender, within, name, note, client_id, at,
    body, number FROM message WHERE number = ?";
const LANDMARK: &str =
    "SELECT number FROM message WHERE conversation = ? AND seq >= ? AND seq % 64 = 0 ORDER BY seq LIMIT 1";

// The columns of a row that is walked over.
const CONVERSATION: usize = 0;
const BEFORE: usize = 1;
pub(super) const SEQ: usize = 2;
pub(super) const PREV_FOR_BUYER: usize = 3;
pub(super) const KIND: usize = 4;
pub(super) const SENDER: usize = 5;
pub(super) const WITHIN: usize = 6;
pub(super) const NAME: usize = 7;
pub(super) const NOTE: usize = 8;
pub(super) const CLIENT_ID: usize = 9;
pub(super) const AT: usize = 10;
pub(super) const BODY: usize = 11;
pub(super) const NUMBER: usize = 12;

/// A conversation's messages.
pub(super) struct Chain<'a> {
    connection: &'a Connection,
    conversation: i64,
    last: i64,
    last_seq: u64,
}

impl<'a> Chain<'a> {
    /// Those of a conversation, if it is there.
    pub(super) fn of(connection: &'a Connection, id: ConversationId) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT c.number, t.last_message, coalesce(m.seq, 0) FROM conversation c
            JOIN tail t ON t.conversation = c.number LEFT JOIN message m ON m.number = t.last_message WHERE c.id = ?";
        let mut statement = connection.prepare_cached(sql).map_err(failed)?;
        let found = statement.query_row([id.to_string()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let found: Option<(i64, i64, i64)> = found.optional().map_err(failed)?;
        Ok(found.map(|(conversation, last, seq)| Self {
            connection,
            conversation,
            last,
            last_seq: u64::try_from(seq).unwrap_or(0),
        }))
    }

    /// The number of the last one in its conversation.
    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Goes from the message `to`, or the last one before it, down to the one after `from`, for as long as `visit` says.
    pub(super) fn walk(
        &self,
        to: u64,
        from: u64,
        mut visit: impl FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut number = if to < self.last_seq { self.landmark(to)? } else { self.last };
        let mut statement = self.connection.prepare_cached(MESSAGE).map_err(failed)?;
        while number != 0 {
            let mut rows = statement.query([number]).map_err(failed)?;
            let Some(row) = rows.next().map_err(failed)? else { return Ok(()) };
            let seq = natural(row, SEQ)?;
            // One that has been deleted may have left its number to a message of another conversation.
            if column::<i64>(row, CONVERSATION)? != self.conversation || seq <= from {
                return Ok(());
            }
            if seq <= to && !visit(row)? {
                return Ok(());
            }
            number = column(row, BEFORE)?;
        }
        Ok(())
    }

    fn landmark(&self, seq: u64) -> Result<i64, StoreError> {
        let mut statement = self.connection.prepare_cached(LANDMARK).map_err(failed)?;
        let found = statement.query_row([self.conversation, whole(seq)], |row| row.get(0)).optional();
        Ok(found.map_err(failed)?.unwrap_or(self.last))
    }
}
