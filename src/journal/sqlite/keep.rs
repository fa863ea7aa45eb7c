//! What is not kept: conversations that are old enough, and everything of a person who asks for it.
//! It goes in small transactions of its own, between those of the writer, so that nobody waits long for it.

use rusqlite::{Connection, TransactionBehavior, params};

use super::failed;
use crate::journal::StoreError;
use crate::model::{BuyerKey, SellerId, Timestamp};

/// How many conversations, and of one conversation how many messages, go in one transaction.
const AT_ONCE: i64 = 100;
const MESSAGES_AT_ONCE: u32 = 1_000;

/// Deletes what closed before a time. How many conversations that were.
pub(super) fn forget_before(connection: &mut Connection, before: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT number, id FROM conversation WHERE state = 'closed' AND closed_at < ?1 ORDER BY number LIMIT ?2";
    let mut forgotten = 0;
    loop {
        let found = numbers(connection, sql, &[&before.micros(), &AT_ONCE])?;
        if found.is_empty() {
            return Ok(forgotten);
        }
        for (number, id) in found {
            forget(connection, number, &id)?;
            forgotten += 1;
        }
    }
}

/// Deletes everything of a buyer but what is still open. How many conversations that were.
pub(super) fn erase(connection: &mut Connection, buyer: &BuyerKey) -> Result<u64, StoreError> {
    let within = buyer.within.as_ref().map_or("", SellerId::as_str);
    let sql = "SELECT number, id FROM conversation
        WHERE buyer = ?1 AND within = ?2 AND state = 'closed' ORDER BY number LIMIT ?3";
    let mut erased = 0;
    loop {
        let found = numbers(connection, sql, &[&buyer.sub, &within, &AT_ONCE])?;
        if found.is_empty() {
            break;
        }
        for (number, id) in found {
            forget(connection, number, &id)?;
            erased += 1;
        }
    }
    let sql = "DELETE FROM past WHERE buyer = ?1 AND within = ?2";
    connection.execute(sql, params![buyer.sub, within]).map_err(failed)?;
    Ok(erased)
}

fn numbers(
    connection: &Connection,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<(i64, String)>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn forget(connection: &mut Connection, number: i64, id: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM message WHERE number IN (SELECT number FROM message WHERE conversation = ?1 LIMIT ?2)";
    while connection.execute(sql, params![number, MESSAGES_AT_ONCE]).map_err(failed)? == MESSAGES_AT_ONCE as usize {}
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    for sql in [
        "DELETE FROM decision WHERE conversation = ?1",
        "DELETE FROM tail WHERE conversation = ?1",
        "DELETE FROM conversation WHERE number = ?1",
    ] {
        transaction.execute(sql, [number]).map_err(failed)?;
    }
    transaction.execute("DELETE FROM holder WHERE conversation = ?1", [id]).map_err(failed)?;
    transaction.execute("DELETE FROM past WHERE last_closed = ?1", [id]).map_err(failed)?;
    transaction.commit().map_err(failed)
}
