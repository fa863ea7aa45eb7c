//! What an operator looks at: figures, connections, what is in force.

use hyper::header::{self, HeaderMap};
use hyper::{StatusCode, Uri};
use serde_json::{Value, json};

use super::call::invalid;
use super::{Started, query};
use crate::metrics::Now;
use crate::model::Caller;
use crate::server::reply::{Reply, json, of_type};
use crate::session::Site;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How many connections are listed, unless it is said, and at most.
const LISTED: u64 = 100;
const LISTED_MAX: u64 = 10_000;

/// `/metrics`: in the format that is asked for.
pub(super) fn metrics(site: &Site, ready: bool, headers: &HeaderMap) -> Reply {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let open = accepted.into_iter().any(|value| value.contains("application/openmetrics-text"));
    let text = site.dispatch.metrics.text(&now(site, ready), open);
    of_type(if open { OPEN_METRICS } else { CLASSIC }, StatusCode::OK, text)
}

fn now(site: &Site, ready: bool) -> Now {
    let dispatch = &site.dispatch;
    let tally = dispatch.table.tally(dispatch.clock.now());
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Now {
        generation: i64::try_from(dispatch.table.directory().generation).unwrap_or(i64::MAX),
        ready,
        queued: number(tally.queued),
        offered: number(tally.offered),
        active: number(tally.active),
        left_messages: number(tally.left_messages),
        online: number(tally.online),
        away: number(tally.away),
        offline: number(tally.offline),
        slots_taken: number(tally.slots_taken),
        slots_free: number(tally.slots_free),
        journal_pending: i64::try_from(dispatch.writer.pending()).unwrap_or(i64::MAX),
        journal_failed: dispatch.writer.failure().is_some(),
        mailbox_frames: number(dispatch.registry.queued_frames()),
    }
}

/// `/status`: what runs here, since when, and whether it is ready.
pub(super) fn status(started: &Started, reasons: &[&'static str]) -> Reply {
    let dispatch = &started.site.dispatch;
    let now = dispatch.clock.now();
    let directory = dispatch.table.directory();
    let failure = dispatch.writer.failure().map(|failure| failure.to_string());
    let status = json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "process": std::process::id(),
        "time": now,
        "started_at": started.at,
        "uptime_s": now.since(started.at).as_secs(),
        "ready": reasons.is_empty(),
        "reasons": reasons,
        "generation": directory.generation,
        "sellers": directory.sellers.len(),
        "sub_accounts": directory.sub_accounts.len(),
        "listen": started.listen,
        "store": started.store,
        "journal": { "pending": dispatch.writer.pending(), "failure": failure },
        "sessions": dispatch.registry.count(),
        "conversations": dispatch.table.open(),
    });
    json(StatusCode::OK, status.to_string())
}

/// `/connections?limit&offset`: every session, in the order in which they were opened.
pub(super) fn connections(site: &Site, uri: &Uri) -> Reply {
    let (limit, offset) = match (query::number(uri, "limit"), query::number(uri, "offset")) {
        (Ok(limit), Ok(offset)) => (limit.unwrap_or(LISTED).min(LISTED_MAX), offset.unwrap_or(0)),
        (Err(name), _) | (_, Err(name)) => return invalid(name, "expected a number"),
    };
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let registry = &site.dispatch.registry;
    let connections = registry.connections(number(offset), number(limit)).into_iter().map(|connection| {
        let peer = connection.peer;
        let (role, id) = match &peer.caller {
            Caller::Buyer { key, .. } => ("buyer", key.sub.to_string()),
            Caller::Staff { account, .. } => ("staff", account.to_string()),
            Caller::Operator { sub } => ("operator", sub.to_string()),
        };
        json!({
            "session": peer.session.to_string(),
            "role": role,
            "id": id,
            "ip": peer.ip,
            "since": peer.since,
            "client": peer.client,
            "queued": connection.queued.frames,
        })
    });
    let connections: Vec<_> = connections.collect();
    json(StatusCode::OK, json!({ "total": registry.count(), "connections": connections }).to_string())
}

/// `/routing[?files=1]`: who is configured, as it is in force now; with the files that were accepted, if wished.
pub(super) fn routing(site: &Site, uri: &Uri) -> Reply {
    let directory = site.dispatch.table.directory();
    let now = site.dispatch.clock.now();
    let sellers = directory.sellers.values().map(|seller| {
        let groups = seller.groups.iter().map(|group| {
            let members: Vec<_> = group.members.iter().map(|member| &member.account).collect();
            json!({ "group": group.id, "name": group.name, "members": members, "queue_limit": group.queue_limit })
        });
        let mut agents: Vec<_> = seller
            .agents
            .iter()
            .map(|(account, authorization)| {
                let in_force = authorization.in_force(now);
                json!({ "sub_account": account, "role": authorization.role, "in_force": in_force })
            })
            .collect();
        agents.sort_by_key(|agent| agent["sub_account"].to_string());
        json!({
            "seller": seller.id,
            "name": seller.name,
            "account": seller.account,
            "shop": seller.shop,
            "default_group": seller.default_group,
            "groups": groups.collect::<Vec<_>>(),
            "bindings": seller.bindings.iter().map(|binding| &binding.id).collect::<Vec<_>>(),
            "agents": agents,
        })
    });
    let sellers: Vec<_> = sellers.collect();
    let sellers = Value::Array(sellers);
    let mut routing =
        json!({ "generation": directory.generation, "domains": directory.domains.len(), "sellers": sellers });
    if query::flag(uri, "files") {
        routing["accepted"] = serde_json::to_value(&*site.dispatch.configuration.accepted()).unwrap_or_default();
    }
    json(StatusCode::OK, routing.to_string())
}
