//! What is not kept: conversations that are old enough, and everything of a person who asks for it.
//! It goes in small transactions of its own, between those of the writer, so that nobody waits long for it.

use rusqlite::{Connection, Row, ToSql, TransactionBehavior, params};

use super::chain::{self, Chain};
use super::reads::column;
use super::stored::{Detail, from_json};
use super::{failed, reads};
use crate::journal::StoreError;
use crate::model::{BuyerKey, SellerId, Timestamp};

/// How many conversations are looked up at once.
const AT_ONCE: i64 = 100;
/// How many messages are deleted in one transaction.
const MESSAGES_AT_ONCE: usize = 1_000;

const DOOMED: &str = "SELECT number, id, buyer, within, seller, detail FROM conversation WHERE state = 'closed'";

/// Deletes what closed before a time. How many conversations that were.
pub(super) fn forget_before(connection: &mut Connection, before: Timestamp) -> Result<u64, StoreError> {
    // The last word of each agent still holds.
    let sql = "DELETE FROM presence WHERE at < ? AND number NOT IN (SELECT max(number) FROM presence GROUP BY account)";
    connection.execute(sql, [before.micros()]).map_err(failed)?;
    forget_all(connection, &format!("{DOOMED} AND closed_at < ? ORDER BY closed_at LIMIT ?"), &[&before.micros()])
}

/// Deletes everything of a buyer but what is still open. How many conversations that were.
pub(super) fn erase(connection: &mut Connection, buyer: &BuyerKey) -> Result<u64, StoreError> {
    // What is deleted is overwritten, too.
    connection.pragma_update(None, "secure_delete", true).map_err(failed)?;
    let within = buyer.within.as_ref().map_or("", SellerId::as_str);
    let sql = format!("{DOOMED} AND buyer = ? AND within = ? ORDER BY id LIMIT ?");
    let erased = forget_all(connection, &sql, &[&buyer.sub, &within])?;
    let sql = "DELETE FROM past WHERE buyer = ? AND within = ?";
    connection.execute(sql, params![buyer.sub, within]).map_err(failed)?;
    Ok(erased)
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

fn forget_all(connection: &mut Connection, sql: &str, values: &[&dyn ToSql]) -> Result<u64, StoreError> {
    let mut values = values.to_vec();
    values.push(&AT_ONCE);
    let mut forgotten = 0;
    loop {
        let found = reads::all(connection, sql, &values, Doomed::read)?;
        if found.is_empty() {
            return Ok(forgotten);
        }
        for doomed in found {
            forget(connection, &doomed)?;
            forgotten += 1;
        }
    }
}

fn forget(connection: &mut Connection, doomed: &Doomed) -> Result<(), StoreError> {
    let id = doomed.id.parse().map_err(|_| StoreError::Damaged("a conversation without an id".to_owned()))?;
    let mut messages = Vec::new();
    if let Some(chain) = Chain::of(connection, id)? {
        chain.walk(u64::MAX, 0, |row| {
            messages.push(column::<i64>(row, chain::NUMBER)?);
            Ok(true)
        })?;
    }
    // The first ones first: what is left is still found from the last one.
    while messages.len() > MESSAGES_AT_ONCE {
        let last = messages.split_off(messages.len() - MESSAGES_AT_ONCE);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        delete_messages(&transaction, &last)?;
        transaction.commit().map_err(failed)?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    delete_messages(&transaction, &messages)?;
    for sql in [
        "DELETE FROM decision WHERE conversation = ?",
        "DELETE FROM tail WHERE conversation = ?",
        "DELETE FROM conversation WHERE number = ?",
    ] {
        transaction.execute(sql, [doomed.number]).map_err(failed)?;
    }
    for holder in doomed.detail.held() {
        let sql = "DELETE FROM holder WHERE account = ? AND conversation = ?";
        transaction.execute(sql, params![holder.as_str(), doomed.id]).map_err(failed)?;
    }
    let sql = "DELETE FROM past WHERE buyer = ? AND within = ? AND seller = ? AND last_closed = ?";
    transaction.execute(sql, params![doomed.buyer, doomed.within, doomed.seller, doomed.id]).map_err(failed)?;
    transaction.commit().map_err(failed)
}

fn delete_messages(connection: &Connection, numbers: &[i64]) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("DELETE FROM message WHERE number = ?").map_err(failed)?;
    for number in numbers {
        statement.execute([number]).map_err(failed)?;
    }
    Ok(())
}
