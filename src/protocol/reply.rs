//! Replies: what came of a command as the result of the method that gave it, and the frames around results.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::identity::Identity;
use super::object::{At, Conversation, Decision, Desk, ServerLimits, Shown};
use super::targets::FreeTargets;
use super::text::{write_number, write_time};
use super::{Class, RpcError, Undone, event};
use crate::model::{ConversationId, SessionId, Status, Timestamp};
use crate::policy::Method;
use crate::routing::{self, Outcome, Refusal, View};

/// What a message is without its body, about.
const MESSAGE_BYTES: usize = 320;
/// What most results fit in.
const RESULT_ROOM: usize = 768;
/// How long a page of messages may be, about: well below what a mailbox holds.
const PAGE_BYTES_MAX: usize = 400 * 1024;

/// The reply to a command.
pub fn reply(id: &RawValue, method: Method, class: Class, answer: &Result<Outcome, Refusal>) -> Utf8Bytes {
    match answer {
        Err(refusal) => error_reply(Some(id), &refusal.into()),
        Ok(Outcome::Sent { seq, at, duplicate }) => sent(id, *seq, *at, *duplicate),
        Ok(Outcome::Started { view, resumed, seq }) => {
            let conversation = Conversation::of(view, class, Shown::Reply);
            result(id, &Started { conversation, resumed: *resumed, seq: *seq })
        }
        Ok(Outcome::Conversation(_)) if method == Method::ConversationDecline => done(id),
        Ok(Outcome::Conversation(view)) => result(id, &Conversation::of(view, class, Shown::Reply)),
        Ok(Outcome::Conversations(views)) => list(id, class, views, None),
        Ok(Outcome::Status(status)) => result(id, &StatusIs { status: *status }),
        Ok(Outcome::Desk(desk)) => result(id, &Desk::of(desk)),
        Ok(Outcome::Targets(targets)) => result(id, &FreeTargets::of(targets)),
        Ok(Outcome::Decision(decision)) => result(id, &Decided { decision: Decision::of(decision) }),
        Ok(Outcome::Arrived { .. } | Outcome::Readable { .. } | Outcome::Done) => done(id),
    }
}

/// The reply to what cannot be done; without an id, where none could be made out.
pub fn error_reply(id: Option<&RawValue>, error: &RpcError) -> Utf8Bytes {
    let mut out = String::with_capacity(160);
    out.push_str(r#"{"jsonrpc":"2.0","id":"#);
    out.push_str(id.map_or("null", RawValue::get));
    out.push_str(r#","error":"#);
    out.push_str(&serde_json::to_string(error).unwrap_or_default());
    out.push('}');
    out.into()
}

/// The reply to what could not be recorded.
pub fn unavailable_reply(id: &RawValue, undone: Undone) -> Utf8Bytes {
    error_reply(Some(id), &RpcError::unavailable(undone))
}

/// A result whose JSON is there already.
pub fn raw(id: &RawValue, json: &str) -> Utf8Bytes {
    let mut out = String::with_capacity(32 + id.get().len() + json.len());
    begin(&mut out, id);
    out.push_str(json);
    out.push('}');
    out.into()
}

/// The result of what is done without anything to say.
pub fn done(id: &RawValue) -> Utf8Bytes {
    raw(id, "{}")
}

/// Leaves out of a page what would make it longer than a reader is granted, at the end that can be read on from; at
/// least one message stays. Whether something was left out.
pub fn shorten(messages: &mut Vec<routing::Message>, range: super::Range) -> bool {
    let bytes = |message: &routing::Message| message.body.as_json().len() + MESSAGE_BYTES;
    let count = messages.len();
    let mut left = PAGE_BYTES_MAX;
    let mut fits = |message: &routing::Message| {
        let fitting = left >= bytes(message);
        left = left.saturating_sub(bytes(message));
        fitting
    };
    match range {
        super::Range::After(_) => {
            let fitting = messages.iter().take_while(|message| fits(message)).count();
            messages.truncate(fitting.max(1));
        }
        super::Range::Before(_) => {
            let fitting = messages.iter().rev().take_while(|message| fits(message)).count();
            messages.drain(..count.saturating_sub(fitting.max(1)));
        }
    }
    messages.len() < count
}

/// A page of messages.
pub fn history(id: &RawValue, class: Class, messages: &[routing::Message], more: bool) -> Utf8Bytes {
    let mut out = String::with_capacity(64 + messages.len() * 320);
    begin(&mut out, id);
    out.push_str(r#"{"messages":["#);
    for (at, message) in messages.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        event::write_message(&mut out, message, class);
    }
    out.push_str(if more { r#"],"more":true}}"# } else { r#"],"more":false}}"# });
    out.into()
}

/// A page of conversations.
pub fn list(id: &RawValue, class: Class, views: &[Arc<View>], next: Option<ConversationId>) -> Utf8Bytes {
    let conversations = views.iter().map(|view| Conversation::of(view, class, Shown::Reply)).collect();
    result(id, &List { conversations, next: next.map(|next| next.to_string()) })
}

/// The decisions about a conversation.
pub fn decisions(id: &RawValue, decisions: &[Arc<routing::Decision>]) -> Utf8Bytes {
    result(id, &Decisions { decisions: decisions.iter().map(|decision| Decision::of(decision)).collect() })
}

/// That somebody is there.
pub fn pong(id: &RawValue, now: Timestamp) -> Utf8Bytes {
    result(id, &Pong { time: At(now) })
}

/// Until when the new token lasts.
pub fn refreshed(id: &RawValue, expires_at: Timestamp) -> Utf8Bytes {
    result(id, &Refreshed { expires_at: At(expires_at) })
}

/// What a session begins with.
#[derive(Debug)]
#[expect(missing_docs, reason = "the members of the result")]
pub struct Opened {
    pub session: SessionId,
    /// A visitor's new token.
    pub token: Option<String>,
    pub identity: Identity,
    pub standing: Option<routing::Standing>,
    pub conversations: Vec<Arc<View>>,
    pub now: Timestamp,
    pub heartbeat_s: u64,
    pub limits: ServerLimits,
}

/// The reply to `session.open`.
pub fn opened(id: &RawValue, class: Class, opened: &Opened) -> Utf8Bytes {
    let conversations = opened.conversations.iter().map(|view| Conversation::of(view, class, Shown::Reply)).collect();
    result(
        id,
        &Session {
            session: opened.session.to_string(),
            token: opened.token.as_deref(),
            identity: &opened.identity,
            status: opened.standing.as_ref().map(|standing| standing.status),
            paused: opened.standing.iter().flat_map(paused).collect(),
            conversations,
            server: Server { name: "fenliu", version: env!("CARGO_PKG_VERSION"), time: At(opened.now) },
            heartbeat_s: opened.heartbeat_s,
            limits: opened.limits,
        },
    )
}

fn paused(standing: &routing::Standing) -> impl Iterator<Item = Pause<'_>> {
    standing.paused.iter().map(|(seller, status)| Pause { seller: seller.as_str(), status: *status })
}

/// One frame of the replies to a batch; none if nothing is answered.
pub fn batch(replies: &[Utf8Bytes]) -> Option<Utf8Bytes> {
    let bytes: usize = replies.iter().map(|reply| reply.len() + 1).sum();
    let mut out = String::with_capacity(bytes + 1);
    for reply in replies {
        out.push(if out.is_empty() { '[' } else { ',' });
        out.push_str(reply);
    }
    out.push(']');
    (!replies.is_empty()).then(|| out.into())
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Started<'a> {
    pub conversation: Conversation<'a>,
    /// Whether it was open already.
    pub resumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// A message was taken; it is written by hand.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sent {
    pub seq: u64,
    pub at: At,
    pub duplicate: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusIs {
    pub status: Status,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Decided<'a> {
    pub decision: Decision<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Decisions<'a> {
    pub decisions: Vec<Decision<'a>>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct List<'a> {
    pub conversations: Vec<Conversation<'a>>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Pong {
    pub time: At,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Refreshed {
    pub expires_at: At,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Session<'a> {
    pub session: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'a str>,
    pub identity: &'a Identity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The sellers for whom others have paused whoever is staff; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paused: Vec<Pause<'a>>,
    pub conversations: Vec<Conversation<'a>>,
    pub server: Server<'a>,
    pub heartbeat_s: u64,
    pub limits: ServerLimits,
}

/// An agent is this for one seller, whatever it says of itself.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pause<'a> {
    pub seller: &'a str,
    pub status: Status,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Server<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub time: At,
}

fn sent(id: &RawValue, seq: u64, at: Timestamp, duplicate: bool) -> Utf8Bytes {
    let mut out = String::with_capacity(112 + id.get().len());
    begin(&mut out, id);
    out.push_str(r#"{"seq":"#);
    write_number(&mut out, seq);
    out.push_str(r#","at":"#);
    write_time(&mut out, at);
    out.push_str(if duplicate { r#","duplicate":true}}"# } else { r#","duplicate":false}}"# });
    out.into()
}

fn result(id: &RawValue, value: &impl Serialize) -> Utf8Bytes {
    let mut out = String::with_capacity(RESULT_ROOM);
    begin(&mut out, id);
    let mut bytes = out.into_bytes();
    let written = serde_json::to_writer(&mut bytes, value);
    bytes.push(b'}');
    // What serde writes is text.
    written.ok().and_then(|()| String::from_utf8(bytes).ok()).unwrap_or_default().into()
}

fn begin(out: &mut String, id: &RawValue) {
    out.push_str(r#"{"jsonrpc":"2.0","id":"#);
    out.push_str(id.get());
    out.push_str(r#","result":"#);
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
