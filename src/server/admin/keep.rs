//! What an operator does with the store: reads the audit log, makes a copy, listens, erases a person.

use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use hyper::{StatusCode, Uri};
use serde_json::json;

use super::call::{answer, invalid};
use super::{Started, query};
use crate::journal::{Audit, StoreError, Write};
use crate::model::{BuyerKey, SellerId};
use crate::protocol::{RpcError, Undone};
use crate::server::reply::{Content, Reply, json, later, of_type};

/// How many entries of the audit log are read at once, unless it is said, and at most.
const ENTRIES: u64 = 100;
const ENTRIES_MAX: u64 = 1000;

/// `/audit?after=&limit=`: what operators did, the oldest first; `next` reads on.
pub(super) async fn audit(started: &Started, uri: &Uri) -> Reply {
    let (after, limit) = match (query::number(uri, "after"), query::number(uri, "limit")) {
        (Ok(after), Ok(limit)) => (after.unwrap_or(0), limit.unwrap_or(ENTRIES).clamp(1, ENTRIES_MAX)),
        (Err(name), _) | (_, Err(name)) => return invalid(name, "expected a number"),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = match started.site.dispatch.journal.audit(after, limit).await {
        Ok(found) => found,
        Err(error) => return unusable(&error),
    };
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.number);
    let entries = found.iter().map(|audited| {
        let detail = serde_json::from_str::<serde_json::Value>(&audited.entry.detail).unwrap_or_default();
        let entry = &audited.entry;
        json!({ "number": audited.number, "at": entry.at, "by": entry.by, "action": entry.action, "detail": detail })
    });
    let entries: Vec<_> = entries.collect();
    json(StatusCode::OK, json!({ "entries": entries, "next": next }).to_string())
}

/// `POST /backup`: a copy of the store beside it, made while it is in use.
pub(super) async fn backup(started: &Started, by: &Arc<str>) -> Reply {
    let Some(sqlite) = &started.sqlite else { return unkept() };
    let name = started.site.dispatch.clock.now().to_string().replace([':', '.'], "-");
    let folder = started.folder.join("backups");
    if let Err(error) = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder) {
        return unusable(&StoreError::Failed(error.to_string()));
    }
    let path = folder.join(format!("fenliu-{name}.db"));
    if let Err(error) = sqlite.backup(path.clone()).await {
        return unusable(&error);
    }
    let bytes = std::fs::metadata(&path).map_or(0, |found| found.len());
    let copy = json!({ "path": path, "bytes": bytes });
    match record(started, by, "server.backup", &copy).await {
        Ok(()) => json(StatusCode::OK, copy.to_string()),
        Err(reply) => reply,
    }
}

/// `/tap?seller=`: the events of a seller, a line each, as they happen. Who listens is remembered.
pub(super) async fn tap(started: &Started, by: &Arc<str>, uri: &Uri) -> Reply {
    let Some(seller) = query::value(uri, "seller") else { return invalid("seller", "expected a seller") };
    let seller = SellerId::from(seller);
    let dispatch = &started.site.dispatch;
    if !dispatch.table.directory().sellers.contains_key(&seller) {
        return answer(Err(serde_json::to_value(RpcError::not_found()).unwrap_or_default()));
    }
    if let Err(reply) = record(started, by, "server.tap", &json!({ "seller": seller })).await {
        return reply;
    }
    match dispatch.taps.open(seller) {
        Some(lines) => {
            let mut reply = of_type("application/x-ndjson", StatusCode::OK, "");
            *reply.body_mut() = Content::Lines(lines);
            reply
        }
        None => later(StatusCode::TOO_MANY_REQUESTS, "too many listen already\n"),
    }
}

/// `POST /erase?buyer=&within=`: everything closed of a person.
pub(super) async fn erase(started: &Started, by: &Arc<str>, uri: &Uri) -> Reply {
    let Some(sqlite) = &started.sqlite else { return unkept() };
    let Some(sub) = query::value(uri, "buyer").filter(|sub| !sub.is_empty()) else {
        return invalid("buyer", "expected the `sub` of a buyer");
    };
    let within = query::value(uri, "within").map(SellerId::from);
    let buyer = BuyerKey { within: within.clone(), sub: sub.as_str().into() };
    let open = started.site.dispatch.table.conversations_of_buyer(&buyer).len();
    if open > 0 {
        return json(
            StatusCode::CONFLICT,
            json!({ "message": "conversations are open; close them first", "open": open }).to_string(),
        );
    }
    // The entry comes first: whatever is gone, somebody is on record for it.
    if let Err(reply) = record(started, by, "server.erase", &json!({ "buyer": sub, "within": within })).await {
        return reply;
    }
    match sqlite.erase(buyer).await {
        Ok(erased) => json(StatusCode::OK, json!({ "conversations": erased }).to_string()),
        Err(error) => unusable(&error),
    }
}

/// Remembers what an operator does, before it is answered.
async fn record(started: &Started, by: &Arc<str>, action: &str, detail: &serde_json::Value) -> Result<(), Reply> {
    let dispatch = &started.site.dispatch;
    let entry = Audit {
        at: dispatch.clock.now(),
        by: Arc::clone(by),
        action: action.into(),
        detail: detail.to_string().into(),
    };
    let unavailable = || answer(Err(serde_json::to_value(RpcError::unavailable(Undone::NotDone)).unwrap_or_default()));
    let slot = dispatch.writer.slot().await.map_err(|_| unavailable())?;
    let position = slot.write(Write::Audit(entry));
    dispatch.writer.durable(position).await.map_err(|_| unavailable())
}

fn unusable(error: &StoreError) -> Reply {
    json(StatusCode::SERVICE_UNAVAILABLE, json!({ "message": error.to_string() }).to_string())
}

fn unkept() -> Reply {
    json(StatusCode::CONFLICT, json!({ "message": "the store is in memory: there is nothing on a disk" }).to_string())
}
