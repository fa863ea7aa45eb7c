//! The reads, on a connection of their own each. They see what is committed and hold nobody up.
//! Nothing is written here.

use std::sync::Arc;

use rusqlite::types::{ToSql, Value};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::chain::{self, Chain};
use super::failed;

use super::stored::{Detail, Figures, Trace, from_json, state, state_name};
use super::writing::sender_columns;
use crate::journal::{Again, Audit, Audited, Filter, History, Known, Listed, Range, Recovered, StoreError};
use crate::model::{Body, BuyerKey, ConversationId, EntryId, GroupId, SellerId, Sender, Status, Timestamp, Visibility};
use crate::routing::{
    self, AgentRow, Conversation, Day, DayRow, Decision, GroupRow, Message, Past, Profile, Rare, Resent, Said, Tail,
};

pub(super) const CONVERSATION: &str =
    "SELECT c.id, c.seller, c.within, c.buyer, c.state, c.team, c.agent, c.entry, c.started_at,
    c.closed_at, c.detail, t.rev, t.first_reply_at, t.last_seq, t.last_for_buyer, t.last_wrote, t.unanswered_since,
    t.read_by_buyer, t.read_by_staff, t.unread_by_buyer, t.unread_by_staff
    FROM conversation c JOIN tail t ON t.conversation = c.number";

const AGENTS: &str = "SELECT * FROM agent ORDER BY account";
const GROUPS: &str = "SELECT * FROM rotation ORDER BY seller, team";
const DAYS: &str = "SELECT seller, date, detail FROM day ORDER BY seller";
const DAY_OF: &str = "SELECT seller, date, detail FROM day WHERE seller = ?";

fn open_conversations() -> String {
    format!("{CONVERSATION} WHERE c.state <> 'closed' ORDER BY c.number")
}

pub(super) fn recovered(connection: &Connection) -> Result<Recovered, StoreError> {
    let conversations = all(connection, &open_conversations(), &[], conversation)?;
    let agents = all(connection, AGENTS, &[], agent)?;
    let groups = all(connection, GROUPS, &[], group)?;
    let days = all(connection, DAYS, &[], day)?;
    let last_time: i64 =
        connection.query_row("SELECT last_time FROM progress", [], |row| row.get(0)).map_err(failed)?;
    let sql = "SELECT detail FROM accepted ORDER BY generation DESC LIMIT 1";
    let accepted: Option<String> = connection.query_row(sql, [], |row| row.get(0)).optional().map_err(failed)?;
    Ok(Recovered {
        table: routing::Recovered { conversations, agents, groups, days },
        last_time: Timestamp::from_micros(last_time),
        accepted: accepted.as_deref().map(from_json).transpose()?,
    })
}

pub(super) fn history(connection: &Connection, range: Range) -> Result<History, StoreError> {
    let Some(chain) = Chain::of(connection, range.conversation)? else { return Ok(History::default()) };
    let is_visible = |row: &Row<'_>| Ok(range.notes || !column::<bool>(row, chain::NOTE)?);
    let Some(after) = range.after else {
        let last = range.before.map_or(u64::MAX, |before| before.saturating_sub(1));
        let mut messages = Vec::new();
        chain.walk(last, 0, |row| {
            if is_visible(row)? {
                messages.push(message(row, range.conversation)?);
            }
            Ok(messages.len() <= range.limit)
        })?;
        let more = messages.len() > range.limit;
        messages.truncate(range.limit);
        messages.reverse();
        return Ok(History { messages, more });
    };
    let (mut messages, mut from) = (Vec::new(), after);
    while messages.len() <= range.limit && from < chain.last_seq() {
        let to = from.saturating_add(range.limit as u64 + 1);
        let begun = messages.len();
        chain.walk(to, from, |row| {
            if is_visible(row)? {
                messages.push(message(row, range.conversation)?);
            }
            Ok(true)
        })?;
        messages[begun..].reverse();
        from = to;
    }
    let more = messages.len() > range.limit;
    messages.truncate(range.limit);
    Ok(History { messages, more })
}

pub(super) fn closed(connection: &Connection, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
    let sql = format!("{CONVERSATION} WHERE c.id = ? AND c.state = 'closed'");
    Ok(all(connection, &sql, &[&id.to_string()], conversation)?.pop())
}

pub(super) fn last_of(connection: &Connection, buyer: &BuyerKey, seller: &SellerId) -> Result<Known, StoreError> {
    let sql = "SELECT holder, until, last_closed FROM past WHERE buyer = ? AND within = ? AND seller = ?";
    let within = buyer.within.as_ref().map_or("", SellerId::as_str);
    let found = all(connection, sql, &[&buyer.sub, &within, &seller.as_str()], |row| {
        let (holder, until): (Option<String>, Option<i64>) = (column(row, 0)?, column(row, 1)?);
        let recent = holder.zip(until).map(|(holder, until)| (holder.into(), Timestamp::from_micros(until)));
        Ok(Known { past: Past { recent }, last_closed: Some(id(&column::<String>(row, 2)?)?) })
    })?;
    Ok(found.into_iter().next().unwrap_or_default())
}

pub(super) fn list(
    connection: &Connection,
    filter: &Filter,
    cursor: Option<ConversationId>,
    limit: usize,
) -> Result<Listed, StoreError> {
    let (mut wheres, mut values) = (Vec::new(), Vec::<Value>::new());
    let mut equal = |what: &str, value: String| {
        wheres.push(format!("{what} ?"));
        values.push(Value::Text(value));
    };
    if let Some(seller) = &filter.seller {
        equal("c.seller =", seller.to_string());
    }
    if let Some(buyer) = &filter.buyer {
        equal("c.buyer =", buyer.sub.to_string());
        equal("c.within =", buyer.within.as_ref().map(SellerId::to_string).unwrap_or_default());
    }
    if let Some(sub) = &filter.buyer_sub {
        equal("c.buyer =", sub.to_string());
    }
    if let Some(wanted) = filter.state {
        equal("c.state =", state_name(wanted).to_owned());
    }
    if let Some(cursor) = cursor {
        equal("c.id <", cursor.to_string());
    }
    if let Some(holder) = &filter.holder {
        wheres.push("c.id IN (SELECT conversation FROM holder WHERE account = ?)".to_owned());
        values.push(Value::Text(holder.to_string()));
    }
    if let Some(groups) = &filter.groups {
        wheres.push(format!("c.team IN ({})", vec!["?"; groups.len()].join(", ")));
        values.extend(groups.iter().map(|group| Value::Text(group.to_string())));
    }
    if wheres.is_empty() {
        wheres.push("TRUE".to_owned());
    }
    values.push(Value::Integer(whole(limit as u64).saturating_add(1)));
    let sql = format!("{CONVERSATION} WHERE {} ORDER BY c.id DESC LIMIT ?", wheres.join(" AND "));
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(failed)?;
    let mut conversations = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        conversations.push(conversation(row)?);
    }
    let more = conversations.len() > limit;
    conversations.truncate(limit);
    let next = conversations.last().filter(|_| more).map(|last| last.id);
    Ok(Listed { conversations, next })
}

/// From the last message backwards: whoever repeats one does it soon.
pub(super) fn resent(connection: &Connection, again: &Again) -> Result<Option<Resent>, StoreError> {
    let Some(chain) = Chain::of(connection, again.conversation)? else { return Ok(None) };
    let (kind, sender, within) = sender_columns(&again.sender);
    let mut first = None;
    chain.walk(u64::MAX, 0, |row| {
        let text = |at| row.get_ref(at).map_err(failed)?.as_str_or_null().map_err(|_| damaged("a text that is none"));
        let is_first = text(chain::CLIENT_ID)? == Some(&again.client_id)
            && text(chain::SENDER)? == Some(sender)
            && text(chain::KIND)? == Some(kind)
            && text(chain::WITHIN)? == within;
        if is_first {
            first = Some(message(row, again.conversation)?);
        }
        Ok(!is_first)
    })?;
    Ok(first.map(|first| again.answer(&first)))
}

pub(super) fn said(connection: &Connection, id: ConversationId) -> Result<Vec<Said>, StoreError> {
    let Some(chain) = Chain::of(connection, id)? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    chain.walk(u64::MAX, 0, |row| {
        let (sender, visibility) = written_by(row)?;
        all.push(Said { sender, visibility, client_id: column(row, chain::CLIENT_ID)? });
        Ok(true)
    })?;
    all.reverse();
    Ok(all)
}

pub(super) fn decisions(connection: &Connection, id: ConversationId) -> Result<Vec<Arc<Decision>>, StoreError> {
    let Some(number) = number(connection, id)? else { return Ok(Vec::new()) };
    let sql = "SELECT detail FROM decision WHERE conversation = ? ORDER BY number";
    all(connection, sql, &[&number], |row| {
        from_json::<Trace>(&column::<String>(row, 0)?)?.into_decision().map(Arc::new)
    })
}

pub(super) fn audit(connection: &Connection, after: u64, limit: usize) -> Result<Vec<Audited>, StoreError> {
    let sql = "SELECT number, at, who, action, detail FROM audit WHERE number > ? ORDER BY number LIMIT ?";
    all(connection, sql, &[&whole(after), &whole(limit as u64)], |row| {
        let (by, action, detail): (Arc<str>, Arc<str>, Arc<str>) = (column(row, 2)?, column(row, 3)?, column(row, 4)?);
        let entry = Audit { at: time(row, 1)?, by, action, detail };
        Ok(Audited { number: natural(row, 0)?, entry })
    })
}

fn number(connection: &Connection, id: ConversationId) -> Result<Option<i64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT number FROM conversation WHERE id = ?").map_err(failed)?;
    statement.query_row(params![id.to_string()], |row| row.get(0)).optional().map_err(failed)
}

pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(values).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn conversation(row: &Row<'_>) -> Result<Conversation, StoreError> {
    let detail: Detail = from_json(&column::<String>(row, 10)?)?;
    let key = BuyerKey { within: vouching(column(row, 2)?), sub: column(row, 3)? };
    let started_at = time(row, 8)?;
    let mut found = Conversation {
        id: id(&column::<String>(row, 0)?)?,
        rev: natural(row, 11)?,
        seller: column::<String>(row, 1)?.into(),
        profile: Arc::new(Profile { key: key.clone(), name: None, attributes: Vec::new() }),
        context: Arc::new([]),
        entry: EntryId::from(column::<String>(row, 7)?),
        state: state(&column::<String>(row, 4)?)?,
        group: GroupId::from(column::<String>(row, 5)?),
        via: None,
        agent: column::<Option<String>>(row, 6)?.map(Into::into),
        recent: None,
        priority: 0,
        queued_at: started_at,
        waiting_since: started_at,
        counted: false,
        buyer_gone_since: None,
        asked: Vec::new(),
        held: Vec::new(),
        started_at,
        assigned_at: None,
        came_by: None,
        first_assigned_at: None,
        first_reply_at: maybe_time(row, 12)?,
        left: None,
        rare: Rare::default(),
        tail: tail(row)?,
    };
    let (name, attributes) = detail.fill(maybe_time(row, 9)?, &mut found)?;
    found.profile = Arc::new(Profile { key, name, attributes });
    Ok(found)
}

fn tail(row: &Row<'_>) -> Result<Tail, StoreError> {
    Ok(Tail {
        last_seq: natural(row, 13)?,
        last_for_buyer: natural(row, 14)?,
        last_wrote: time(row, 15)?,
        unanswered_since: maybe_time(row, 16)?,
        read_by_buyer: natural(row, 17)?,
        read_by_staff: natural(row, 18)?,
        unread_by_buyer: column(row, 19)?,
        unread_by_staff: column(row, 20)?,
    })
}

/// Who wrote a message, and who may read it.
fn written_by(row: &Row<'_>) -> Result<(Sender, Visibility), StoreError> {
    let (kind, who): (String, String) = (column(row, chain::KIND)?, column(row, chain::SENDER)?);
    let sender = match kind.as_str() {
        "buyer" => {
            let within = column::<Option<String>>(row, chain::WITHIN)?;
            Sender::Buyer(BuyerKey { within: within.map(Into::into), sub: who.into() })
        }
        "agent" => Sender::Agent(who.into()),
        "system" => Sender::System,
        _ => return Err(damaged("a message of nobody")),
    };
    let visibility = if column(row, chain::NOTE)? { Visibility::Staff } else { Visibility::All };
    Ok((sender, visibility))
}

fn message(row: &Row<'_>, conversation: ConversationId) -> Result<Message, StoreError> {
    let (sender, visibility) = written_by(row)?;
    Ok(Message {
        conversation,
        seq: natural(row, chain::SEQ)?,
        prev_for_buyer: natural(row, chain::PREV_FOR_BUYER)?,
        sender,
        name: column(row, chain::NAME)?,
        body: Body::from_checked(column::<Arc<str>>(row, chain::BODY)?),
        visibility,
        client_id: column(row, chain::CLIENT_ID)?,
        at: time(row, chain::AT)?,
    })
}

fn agent(row: &Row<'_>) -> Result<AgentRow, StoreError> {
    let status = match column::<String>(row, 1)?.as_str() {
        "online" => Status::Online,
        "away" => Status::Away,
        "offline" => Status::Offline,
        _ => return Err(damaged("an agent without a status")),
    };
    Ok(AgentRow {
        account: column::<String>(row, 0)?.into(),
        status,
        since: time(row, 2)?,
        last_given: time(row, 3)?,
        last_ended: time(row, 4)?,
        missed_offers: column(row, 5)?,
        paused: from_json(&column::<String>(row, 6)?)?,
    })
}

fn group(row: &Row<'_>) -> Result<GroupRow, StoreError> {
    Ok(GroupRow {
        seller: vouching(column(row, 0)?),
        group: Some(column::<String>(row, 1)?).filter(|group| !group.is_empty()).map(Into::into),
        last_chosen: column::<Option<String>>(row, 2)?.map(Into::into),
        weights: from_json(&column::<String>(row, 3)?)?,
    })
}

/// What is kept of a seller's day; nothing, if nothing was ever counted.
pub(super) fn day_of(connection: &Connection, seller: &SellerId) -> Result<Day, StoreError> {
    let days = all(connection, DAY_OF, &[&seller.as_str()], day)?;
    Ok(days.into_iter().next().map(|row| row.day).unwrap_or_default())
}

fn day(row: &Row<'_>) -> Result<DayRow, StoreError> {
    let (date, detail): (String, String) = (column(row, 1)?, column(row, 2)?);
    let figures: Figures = from_json(&detail)?;
    Ok(DayRow { seller: column::<String>(row, 0)?.into(), day: figures.into_day(&date)? })
}

fn vouching(name: String) -> Option<SellerId> {
    Some(name).filter(|name| !name.is_empty()).map(Into::into)
}

fn id(text: &str) -> Result<ConversationId, StoreError> {
    text.parse().map_err(|_| damaged("a conversation without an id"))
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

pub(super) fn column<T: rusqlite::types::FromSql>(row: &Row<'_>, at: usize) -> Result<T, StoreError> {
    row.get(at).map_err(failed)
}

pub(super) fn natural(row: &Row<'_>, at: usize) -> Result<u64, StoreError> {
    u64::try_from(column::<i64>(row, at)?).map_err(|_| damaged("a number below zero"))
}

pub(super) fn time(row: &Row<'_>, at: usize) -> Result<Timestamp, StoreError> {
    column(row, at).map(Timestamp::from_micros)
}

fn maybe_time(row: &Row<'_>, at: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(column::<Option<i64>>(row, at)?.map(Timestamp::from_micros))
}

pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
