//! What a message is made of, as far as every layer has to know it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AccountId, BuyerKey};

/// The body of a message: checked JSON text, carried unread from the peer that sent it to those who get it.
///
/// Only `protocol` makes one, after it has checked every member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(Arc<str>);

impl Body {
    /// From JSON text that has been checked.
    pub fn from_checked(json: impl Into<Arc<str>>) -> Self {
        Self(json.into())
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

/// What a sender calls its message: 1 to 64 characters, unique per conversation and sender.
pub type ClientId = Arc<str>;

/// Who may read a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Both sides.
    #[default]
    All,
    /// Staff only: a note.
    Staff,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The conversation's buyer.
    Buyer(BuyerKey),
    /// Somebody of the seller's staff.
    Agent(AccountId),
    /// The daemon itself: a welcome text.
    System,
}
