//! A message as it is seen, for the OpenRPC document alone: messages are written by hand and bodies carried as text, so
//! nothing here is ever made.

use schemars::JsonSchema;

use super::object::{At, Given};

/// A body.
#[derive(Debug, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    Text { text: String },
    Image(Attached),
    File(Attached),
    Product(Card),
    Order(Card),
}

/// Something on the web: it is never fetched here.
#[derive(Debug, JsonSchema)]
#[schemars(inline)]
pub struct Attached {
    /// https only.
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// A product, or an order.
#[derive(Debug, JsonSchema)]
#[schemars(inline)]
pub struct Card {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// https only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// A price: as a text, or as a number.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum Price {
    Words(String),
    Number(f64),
}

/// A message, as its receiver sees it.
#[derive(Debug, JsonSchema)]
pub struct Message {
    pub conversation: Given,
    pub seq: u64,
    /// The number before that the receiver may see; 0: none.
    pub prev: u64,
    pub from: From,
    pub body: Body,
    /// `staff` for a note; it stands in nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<crate::model::Visibility>,
    /// To its sender and to staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    pub at: At,
}

/// Who wrote a message.
#[derive(Debug, JsonSchema)]
pub struct From {
    /// `buyer`, `agent` or `system`.
    pub kind: String,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
