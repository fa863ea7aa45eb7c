//! Events as text: once for each side, however many get it. A message is written by hand, since it is most of the
//! traffic; the rest by serde.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Class;
use super::object::{At, Conversation, Desk, Given, Queue, Shown, queue, seconds};
use super::text::{write_id, write_number, write_string, write_time};
use crate::model::{SellerId, Sender, Status, Timestamp, Visibility};
use crate::routing::{self, Notice, Side};

/// The text of an event, as one side gets it.
pub fn event(notice: &Notice, class: Class) -> Utf8Bytes {
    if let Notice::Message(message) = notice {
        let mut out = String::with_capacity(320 + message.body.as_json().len());
        out.push_str(r#"{"jsonrpc":"2.0","method":"message.new","params":"#);
        write_message(&mut out, message, class);
        out.push('}');
        return out.into();
    }
    notification(name(notice), &params(notice, class))
}

/// The session's token ends soon.
pub fn expiring(expires_at: Timestamp, in_: Duration) -> Utf8Bytes {
    notification("session.expiring", &Expiring { expires_at: At(expires_at), expires_in_s: seconds(in_) })
}

/// The daemon goes: come back after so long.
pub fn draining(reconnect_after: Duration) -> Utf8Bytes {
    let reconnect_after_ms = u64::try_from(reconnect_after.as_millis()).unwrap_or(u64::MAX);
    notification("session.draining", &Draining { reconnect_after_ms })
}

/// One's own rights or groups are others now.
pub fn config_changed(generation: u64, sellers: &[SellerId]) -> Utf8Bytes {
    let sellers = sellers.iter().map(SellerId::as_str).collect();
    notification("config.changed", &ConfigChanged { generation, sellers })
}

/// The name of an event on the wire.
pub const fn name(notice: &Notice) -> &'static str {
    match notice {
        Notice::Queued { .. } => "conversation.queued",
        Notice::Offered { .. } => "conversation.offered",
        Notice::OfferEnded { .. } => "conversation.offer_ended",
        Notice::Assigned { .. } => "conversation.assigned",
        Notice::Unassigned { .. } => "conversation.unassigned",
        Notice::LeftMessage { .. } => "conversation.left_message",
        Notice::Overdue { .. } => "conversation.overdue",
        Notice::Closed { .. } => "conversation.closed",
        Notice::Reopened { .. } => "conversation.reopened",
        Notice::Message(_) => "message.new",
        Notice::Read { .. } => "message.read",
        Notice::Typing { .. } => "message.typing",
        Notice::BuyerPresence { .. } => "buyer.presence",
        Notice::Presence { .. } => "presence.changed",
        Notice::DeskChanged { .. } => "desk.changed",
    }
}

/// Writes a message as one side sees it.
pub fn write_message(out: &mut String, message: &routing::Message, class: Class) {
    let prev = match class {
        Class::Buyer => message.prev_for_buyer,
        Class::Staff => message.seq.saturating_sub(1),
    };
    out.push_str(r#"{"conversation":"#);
    write_id(out, message.conversation);
    out.push_str(r#","seq":"#);
    write_number(out, message.seq);
    out.push_str(r#","prev":"#);
    write_number(out, prev);
    let (kind, id) = match &message.sender {
        Sender::Buyer(key) => (r#","from":{"kind":"buyer","#, Some(&*key.sub)),
        Sender::Agent(account) => (r#","from":{"kind":"agent","#, Some(account.as_str())),
        Sender::System => (r#","from":{"kind":"system""#, None),
    };
    out.push_str(kind);
    if let Some(id) = id {
        out.push_str(r#""id":"#);
        write_string(out, id);
    }
    if let Some(name) = &message.name {
        out.push_str(r#","name":"#);
        write_string(out, name);
    }
    out.push_str(r#"},"body":"#);
    out.push_str(message.body.as_json());
    if message.visibility == Visibility::Staff {
        out.push_str(r#","visibility":"staff""#);
    }
    let is_shown = class == Class::Staff || matches!(message.sender, Sender::Buyer(_));
    if let Some(client_id) = message.client_id.as_ref().filter(|_| is_shown) {
        out.push_str(r#","client_id":"#);
        write_string(out, client_id);
    }
    out.push_str(r#","at":"#);
    write_time(out, message.at);
    out.push('}');
}

/// The params of events, by the names of their members.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Params<'a> {
    Queued(Queued<'a>),
    Offered(Offered<'a>),
    OfferEnded(OfferEnded<'a>),
    Assigned(Box<Assigned<'a>>),
    Unassigned(Unassigned<'a>),
    LeftMessage(LeftMessage<'a>),
    Overdue(Overdue<'a>),
    Closed(Box<Closed<'a>>),
    Read(Read<'a>),
    Typing(Typing<'a>),
    BuyerPresence(BuyerPresence),
    Presence(Presence<'a>),
    Desk(Desk<'a>),
    Nothing {},
}

macro_rules! params {
    ($($name:ident { $($(#[$attribute:meta])* $member:ident: $kind:ty),+ $(,)? })+) => {
        $(
            #[derive(Debug, Serialize, JsonSchema)]
            pub struct $name<'a> { $($(#[$attribute])* pub $member: $kind),+ }
        )+
    };
}

params! {
    Queued { conversation: Given, group: &'a str, #[serde(flatten)] queue: Queue }
    Offered { conversation: Conversation<'a> }
    OfferEnded { conversation: Given, why: &'a str }
    Assigned {
        conversation: Conversation<'a>,
        cause: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<&'a str>,
    }
    Unassigned {
        conversation: Given,
        cause: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<&'a str>,
    }
    LeftMessage {
        conversation: Given,
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
    }
    Overdue { conversation: Given, waiting_s: f64, level: &'a str }
    Closed {
        conversation: Conversation<'a>,
        by: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    }
    Read { conversation: Given, by: &'a str, seq: u64 }
    Typing { conversation: Given, by: &'a str, on: bool }
    Presence {
        sub_account: &'a str,
        status: Status,
        cause: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        seller: Option<&'a str>,
    }
    ConfigChanged { generation: u64, sellers: Vec<&'a str> }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct BuyerPresence {
    pub conversation: Given,
    pub online: bool,
    pub since: At,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Expiring {
    pub expires_at: At,
    pub expires_in_s: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Draining {
    pub reconnect_after_ms: u64,
}

fn params(notice: &Notice, class: Class) -> Params<'_> {
    match notice {
        Notice::Queued { conversation, group, place } => {
            Params::Queued(Queued { conversation: Given(*conversation), group: group.as_str(), queue: queue(place) })
        }
        Notice::Offered { view } => {
            Params::Offered(Offered { conversation: Conversation::of(view, class, Shown::Event) })
        }
        Notice::OfferEnded { conversation, why } => {
            Params::OfferEnded(OfferEnded { conversation: Given(*conversation), why: why.name() })
        }
        Notice::Assigned { view, cause, note } => Params::Assigned(Box::new(Assigned {
            conversation: Conversation::of(view, class, Shown::Event),
            cause: cause.name(),
            note: note.as_deref().filter(|_| class == Class::Staff),
        })),
        Notice::Unassigned { conversation, cause, to } => Params::Unassigned(Unassigned {
            conversation: Given(*conversation),
            cause: cause.name(),
            to: to.as_ref().map(|to| to.as_str()),
        }),
        Notice::LeftMessage { conversation, reason, text } => Params::LeftMessage(LeftMessage {
            conversation: Given(*conversation),
            reason: reason.name(),
            text: text.as_deref(),
        }),
        Notice::Overdue { conversation, waiting, level } => Params::Overdue(Overdue {
            conversation: Given(*conversation),
            waiting_s: seconds(*waiting),
            level: level.name(),
        }),
        Notice::Closed { view, by, reason } => Params::Closed(Box::new(Closed {
            conversation: Conversation::of(view, class, Shown::Event),
            by: by.name(),
            reason: reason.as_deref(),
        })),
        Notice::Reopened { view, by } => Params::Closed(Box::new(Closed {
            conversation: Conversation::of(view, class, Shown::Event),
            by: by.name(),
            reason: None,
        })),
        Notice::Read { conversation, by, seq } => {
            Params::Read(Read { conversation: Given(*conversation), by: side(by), seq: *seq })
        }
        Notice::Typing { conversation, by, on } => {
            Params::Typing(Typing { conversation: Given(*conversation), by: side(by), on: *on })
        }
        Notice::BuyerPresence { conversation, online, since } => Params::BuyerPresence(BuyerPresence {
            conversation: Given(*conversation),
            online: *online,
            since: At(*since),
        }),
        Notice::Presence { agent, status, cause, seller } => Params::Presence(Presence {
            sub_account: agent.as_str(),
            status: *status,
            cause: cause.name(),
            seller: seller.as_ref().map(|seller| seller.as_str()),
        }),
        Notice::DeskChanged { desk } => Params::Desk(Desk::of(desk)),
        Notice::Message(_) => Params::Nothing {},
    }
}

const fn side(side: &Side) -> &'static str {
    match side {
        Side::Buyer(_) => "buyer",
        Side::Agent(_) => "agent",
    }
}

fn notification(method: &'static str, params: &impl Serialize) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Notification<'a, P> {
        jsonrpc: &'static str,
        method: &'static str,
        params: &'a P,
    }

    // Nothing in an event can fail to be written: there are no maps with other keys than strings.
    serde_json::to_string(&Notification { jsonrpc: "2.0", method, params }).unwrap_or_default().into()
}

#[cfg(test)]
#[path = "event_tests.rs"]
pub(super) mod tests;
