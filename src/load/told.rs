//! The few members of results and events that a run looks at.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::model::ConversationId;

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ConversationId, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    text.parse().map_err(|_| serde::de::Error::custom("no id of a conversation"))
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(deserialize_with = "id")]
    pub(super) conversation: ConversationId,
    pub(super) seq: u64,
    pub(super) prev: u64,
    #[serde(borrow)]
    pub(super) body: Body<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Body<'a> {
    #[serde(borrow, default)]
    pub(super) text: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Conversation {
    #[serde(deserialize_with = "id")]
    pub(super) id: ConversationId,
    pub(super) seller: String,
    pub(super) state: String,
    pub(super) group: Option<String>,
    #[serde(default)]
    pub(super) last_seq: u64,
    #[serde(default)]
    pub(super) context: Context,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Context {
    /// Carries the stamp of the order that started it.
    pub(super) order: Option<String>,
}

/// `conversation.assigned`, `.closed`, `.offered`: what has a whole conversation.
#[derive(Debug, Deserialize)]
pub(super) struct About {
    pub(super) conversation: Conversation,
    pub(super) cause: Option<String>,
}

/// What names a conversation only.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    #[serde(deserialize_with = "id")]
    pub(super) conversation: ConversationId,
}

#[derive(Debug, Deserialize)]
pub(super) struct Opened {
    #[serde(default)]
    pub(super) conversations: Vec<Conversation>,
    pub(super) server: Server,
    #[serde(default)]
    pub(super) limits: Limits,
}

#[derive(Debug, Deserialize)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) version: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Limits {
    #[serde(default)]
    pub(super) requests_per_second: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Started {
    pub(super) conversation: Conversation,
    pub(super) seq: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sent {
    pub(super) seq: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct History<'a> {
    #[serde(borrow)]
    pub(super) messages: Vec<Message<'a>>,
    pub(super) more: bool,
}
