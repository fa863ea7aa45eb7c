//! What is counted of sessions: those that are open, and with which code connections end.

use super::{End, Opened};
use crate::delivery::Mailbox;
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

pub(super) fn opened(metrics: &Metrics, caller: &Caller) {
    let role = Role { role: role(caller) };
    metrics.connections.get_or_create(&role).inc();
    metrics.connections_opened.get_or_create(&role).inc();
}

pub(super) fn closed(metrics: &Metrics, opened: Option<&Opened>, mailbox: &Mailbox, end: Option<End>) {
    let code =
        end.map_or(GONE, |(code, _)| CODES.iter().find(|(of, _)| *of == code).map_or("other", |(_, name)| *name));
    metrics.connections_closed.get_or_create(&Closed { code }).inc();
    if end == Some(Mailbox::TOO_SLOW) {
        metrics.mailbox_overflows.inc();
    }
    metrics.mailbox_dropped.inc_by(mailbox.queued().dropped);
    if let Some(opened) = opened {
        metrics.connections.get_or_create(&Role { role: role(&opened.peer.caller) }).dec();
    }
}

fn role(caller: &Caller) -> &'static str {
    match caller {
        Caller::Buyer { .. } => "buyer",
        Caller::Staff { .. } => "staff",
        Caller::Operator { .. } => "operator",
    }
}
