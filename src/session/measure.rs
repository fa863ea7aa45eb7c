//! What is counted of sessions: those that are open, and with which code connections end.

use super::Session;
use crate::delivery::{Mailbox, Peer};
use crate::metrics::{Closed, Metrics, Role};
use crate::model::Caller;

/// The codes that are counted by themselves.
const CODES: [(u16, &str); 11] = [
    (1000, "1000"),
    (1001, "1001"),
    (1002, "1002"),
    (1003, "1003"),
    (1007, "1007"),
    (1009, "1009"),
    (1011, "1011"),
    (4401, "4401"),
    (4403, "4403"),
    (4408, "4408"),
    (4429, "4429"),
];
/// What is counted where the peer has gone by itself.
const GONE: &str = "peer";

pub(super) fn opened(metrics: &Metrics, peer: &Peer) {
    let (role, id) = role(&peer.caller);
    tracing::debug!(session = %peer.session, role, id, "a session is open");
    let role = Role { role };
    metrics.connections.get_or_create(&role).inc();
    metrics.connections_opened.get_or_create(&role).inc();
}

/// A connection has ended, as we said or as its peer did.
pub(super) fn closed(metrics: &Metrics, session: &Session) {
    let Session { id, ip, opened, mailbox, ending: end, .. } = session;
    let (opened, end, queued) = (opened.as_ref(), *end, mailbox.queued());
    let (closed, reason) = end.unwrap_or((0, "the peer has gone"));
    let (frames, dropped) = (queued.frames, queued.dropped);
    tracing::debug!(session = %id, %ip, code = closed, reason, frames, dropped, "a connection has ended");
    let code =
        end.map_or(GONE, |(code, _)| CODES.iter().find(|(of, _)| *of == code).map_or("other", |(_, name)| *name));
    metrics.connections_closed.get_or_create(&Closed { code }).inc();
    if end == Some(Mailbox::TOO_SLOW) {
        metrics.mailbox_overflows.inc();
    }
    metrics.mailbox_dropped.inc_by(dropped);
    if let Some(opened) = opened {
        metrics.connections.get_or_create(&Role { role: role(&opened.peer.caller).0 }).dec();
    }
}

/// Its role, and who it is.
fn role(caller: &Caller) -> (&'static str, &str) {
    match caller {
        Caller::Buyer { key, .. } => ("buyer", &key.sub),
        Caller::Staff { account, .. } => ("staff", account.as_str()),
        Caller::Operator { sub } => ("operator", sub),
    }
}
