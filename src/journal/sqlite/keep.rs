//! What is not kept: conversations that are old enough, and everything of a person who asks for it.
//! It goes in small transactions of its own, between those of the writer, so that nobody waits long for it.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, Transaction, TransactionBehavior, params};

use super::chain::{self, Chain};
use super::reads::{column, natural};
use super::stored::{Detail, from_json};
use super::{failed, reads};
use crate::journal::StoreError;
use crate::model::{BuyerKey, SellerId, Timestamp};

/// How many conversations go in one transaction, and how many statuses of agents.
const CONVERSATIONS_AT_ONCE: i64 = 32;
const STATUSES_AT_ONCE: i64 = 256;
/// How many messages go in one transaction, about: at most 63 more do.
const MESSAGES_AT_ONCE: usize = 256;

const DOOMED: &str = "SELECT number, id, buyer, within, seller, detail FROM conversation WHERE state = 'closed'";
const FIRST_LANDMARK: &str = "SELECT seq FROM message WHERE conversation = ? AND seq % 64 = 0 ORDER BY seq LIMIT 1";

/// What one transaction has deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// How many conversations have gone as a whole.
    pub conversations: u64,
    /// Whether there may be more that has to go.
    pub more: bool,
}

/// Deletes a little of what closed, or was said of agents, before a time.
pub(super) fn forget_some(connection: &mut Connection, before: Timestamp) -> Result<Forgotten, StoreError> {
    let transaction = begin(connection)?;
    // The last word of each agent still holds.
    let sql = "DELETE FROM presence WHERE number IN (SELECT number FROM presence WHERE at < ? AND number NOT IN
        (SELECT max(number) FROM presence GROUP BY account) LIMIT ?)";
    let statuses = transaction.execute(sql, params![before.micros(), STATUSES_AT_ONCE]).map_err(failed)?;
    let sql = format!("{DOOMED} AND closed_at < ? ORDER BY closed_at LIMIT ?");
    let mut forgotten = forget(&transaction, &sql, &[&before.micros(), &CONVERSATIONS_AT_ONCE])?;
    forgotten.more |= statuses > 0;
    transaction.commit().map_err(failed)?;
    Ok(forgotten)
}

/// Deletes a little of what there is of a buyer, but for what is still open.
pub(super) fn erase_some(connection: &mut Connection, buyer: &BuyerKey) -> Result<Forgotten, StoreError> {
    // What is deleted is overwritten, too.
    connection.pragma_update(None, "secure_delete", true).map_err(failed)?;
    let transaction = begin(connection)?;
    let within = buyer.within.as_ref().map_or("", SellerId::as_str);
    let sql = format!("{DOOMED} AND buyer = ? AND within = ? ORDER BY id LIMIT ?");
    let forgotten = forget(&transaction, &sql, &[&buyer.sub, &within, &CONVERSATIONS_AT_ONCE])?;
    if !forgotten.more {
        let sql = "DELETE FROM past WHERE buyer = ? AND within = ?";
        transaction.execute(sql, params![buyer.sub, within]).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    Ok(forgotten)
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)
}

/// A conversation that goes.
struct Doomed {
    number: i64,
    id: String,
    buyer: String,
    within: String,
    seller: String,
    detail: Detail,
}

impl Doomed {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let detail = from_json(&column::<String>(row, 5)?)?;
        let (number, id, buyer) = (column(row, 0)?, column(row, 1)?, column(row, 2)?);
        Ok(Self { number, id, buyer, within: column(row, 3)?, seller: column(row, 4)?, detail })
    }
}

/// They are looked up in the transaction that deletes them: one that has been opened again meanwhile stays.
fn forget(transaction: &Transaction<'_>, sql: &str, values: &[&dyn ToSql]) -> Result<Forgotten, StoreError> {
    let (mut forgotten, mut messages) = (Forgotten::default(), 0);
    for doomed in reads::all(transaction, sql, values, Doomed::read)? {
        forgotten.more = true;
        while messages < MESSAGES_AT_ONCE {
            let (deleted, more) = forget_first_messages(transaction, &doomed)?;
            messages += deleted;
            if !more {
                forget_conversation(transaction, &doomed)?;
                forgotten.conversations += 1;
                break;
            }
        }
        if messages >= MESSAGES_AT_ONCE {
            break;
        }
    }
    Ok(forgotten)
}

/// Deletes the messages up to the first landmark, or all if there is none. How many, and whether there are more: what
/// is left is still found from the last one.
fn forget_first_messages(transaction: &Transaction<'_>, doomed: &Doomed) -> Result<(usize, bool), StoreError> {
    let id = doomed.id.parse().map_err(|_| StoreError::Damaged("a conversation without an id".to_owned()))?;
    let Some(chain) = Chain::of(transaction, id)? else { return Ok((0, false)) };
    let mut statement = transaction.prepare_cached(FIRST_LANDMARK).map_err(failed)?;
    let landmark = statement.query_row([doomed.number], |row| Ok(natural(row, 0))).optional().map_err(failed)?;
    let last = landmark.transpose()?.unwrap_or(u64::MAX);
    let mut numbers = Vec::new();
    chain.walk(last, 0, |row| {
        numbers.push(column::<i64>(row, chain::NUMBER)?);
        Ok(true)
    })?;
    let mut statement = transaction.prepare_cached("DELETE FROM message WHERE number = ?").map_err(failed)?;
    for number in &numbers {
        statement.execute([number]).map_err(failed)?;
    }
    Ok((numbers.len(), last < chain.last_seq()))
}

fn forget_conversation(transaction: &Transaction<'_>, doomed: &Doomed) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM decision WHERE conversation = ?",
        "DELETE FROM tail WHERE conversation = ?",
        "DELETE FROM conversation WHERE number = ?",
    ] {
        transaction.prepare_cached(sql).map_err(failed)?.execute([doomed.number]).map_err(failed)?;
    }
    for holder in doomed.detail.held() {
        let sql = "DELETE FROM holder WHERE account = ? AND conversation = ?";
        transaction.execute(sql, params![holder.as_str(), doomed.id]).map_err(failed)?;
    }
    let sql = "DELETE FROM past WHERE buyer = ? AND within = ? AND seller = ? AND last_closed = ?";
    transaction.execute(sql, params![doomed.buyer, doomed.within, doomed.seller, doomed.id]).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests;
