//! Errors on the wire: the only place where a refusal, a denial or a fault becomes a code, a kind and data.
//! A message says what was expected and never repeats what was sent.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::model::{AccountId, ConversationId};
use crate::policy::Denied;
use crate::routing::Refusal;

/// What kind of error it is; each has one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the protocol's own names")]
pub enum Kind {
    #[serde(rename = "parse_error")]
    Parse,
    InvalidRequest,
    MethodNotFound,
    InvalidParams,
    Internal,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    RateLimited,
    Unavailable,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Parse,
        Self::InvalidRequest,
        Self::MethodNotFound,
        Self::InvalidParams,
        Self::Internal,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::TooLarge,
        Self::RateLimited,
        Self::Unavailable,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse_error",
            Self::InvalidRequest => "invalid_request",
            Self::MethodNotFound => "method_not_found",
            Self::InvalidParams => "invalid_params",
            Self::Internal => "internal",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
        }
    }

    /// The code on the wire.
    pub const fn code(self) -> i32 {
        match self {
            Self::Parse => -32_700,
            Self::InvalidRequest => -32_600,
            Self::MethodNotFound => -32_601,
            Self::InvalidParams => -32_602,
            Self::Internal => -32_603,
            Self::Unauthenticated => -32_001,
            Self::Forbidden => -32_003,
            Self::NotFound => -32_004,
            Self::Conflict => -32_009,
            Self::TooLarge => -32_013,
            Self::RateLimited => -32_029,
            Self::Unavailable => -32_053,
        }
    }
}

/// What became of a call that is answered with `unavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Undone {
    /// Nothing has happened.
    NotDone,
    /// It may have happened: the same `client_id` again tells.
    Unknown,
}

/// An error as it is answered.
#[derive(Debug)]
pub struct RpcError {
    kind: Kind,
    message: Cow<'static, str>,
    /// Boxed: an error is rare and what may be one is moved about often.
    data: Box<Data>,
}

/// What stands in `data` beside the kind.
#[derive(Debug, Default, Serialize)]
struct Data {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<ConversationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversations: Option<Vec<ConversationId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Undone>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "ref")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<Box<RawValue>>,
}

/// How long a buyer with too many open conversations is told to wait, in milliseconds.
const TOO_MANY_RETRY_MS: u64 = 60_000;

impl RpcError {
    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The sentence for a person.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The member that is wrong, if one is.
    pub fn path(&self) -> Option<&str> {
        self.data.path.as_deref()
    }

    /// The reason of a conflict.
    pub fn reason(&self) -> Option<&'static str> {
        self.data.reason
    }

    /// What is wrong with a configuration, as JSON, if that is the error.
    pub fn diagnostics(&self) -> Option<&str> {
        self.data.diagnostics.as_ref().map(|diagnostics| diagnostics.get())
    }

    fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), data: Box::default() }
    }

    /// Not JSON, or nested too deeply.
    pub fn parse(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Parse, message)
    }

    /// Not a JSON-RPC 2.0 request.
    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidRequest, message)
    }

    /// No such method.
    pub fn method_not_found() -> Self {
        Self::new(Kind::MethodNotFound, "rpc.discover lists the methods")
    }

    /// A member of the params is not what it has to be.
    pub fn invalid_params(path: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        let data = Data { path: Some(path.into()), ..Data::default() };
        Self { data: Box::new(data), ..Self::new(Kind::InvalidParams, message) }
    }

    /// The configuration on disk cannot be used; `diagnostics` is a JSON list.
    pub fn invalid_configuration(diagnostics: Box<RawValue>) -> Self {
        let data = Data { diagnostics: Some(diagnostics), ..Data::default() };
        Self {
            data: Box::new(data),
            ..Self::new(Kind::InvalidParams, "the configuration has errors; nothing has changed")
        }
    }

    /// Our fault; `reference` is found in the log.
    pub fn internal(reference: impl Into<String>) -> Self {
        let data = Data { reference: Some(reference.into()), ..Data::default() };
        Self {
            data: Box::new(data),
            ..Self::new(Kind::Internal, "something went wrong here; the log has it under this reference")
        }
    }

    /// Nobody has said who this is, or not so that it can be believed.
    pub fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unauthenticated, message)
    }

    /// A text has too many characters.
    pub fn too_large(path: impl Into<String>, limit: usize) -> Self {
        let data = Data { path: Some(path.into()), ..Data::default() };
        Self { data: Box::new(data), ..Self::new(Kind::TooLarge, format!("a text has at most {limit} characters")) }
    }

    /// Too many requests.
    pub fn rate_limited(retry_after_ms: u64) -> Self {
        let data = Data { retry_after_ms: Some(retry_after_ms), ..Data::default() };
        Self { data: Box::new(data), ..Self::new(Kind::RateLimited, "too many requests; try again later") }
    }

    /// Draining, or the journal cannot be written.
    pub fn unavailable(outcome: Undone) -> Self {
        let data = Data { outcome: Some(outcome), ..Data::default() };
        Self { data: Box::new(data), ..Self::new(Kind::Unavailable, "the server cannot do this now") }
    }

    /// No such object, as far as the caller may know.
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, "there is no such object, or you may not know of it")
    }

    /// A second `session.open`.
    pub fn already_open() -> Self {
        Self::conflict("already_open", "the session is open already")
    }

    fn conflict(reason: &'static str, message: &'static str) -> Self {
        let data = Data { reason: Some(reason), ..Data::default() };
        Self { data: Box::new(data), ..Self::new(Kind::Conflict, message) }
    }
}

impl From<Denied> for RpcError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Role => Self::new(Kind::Forbidden, "a token of this role may not call the method"),
            Denied::Unseen => Self::not_found(),
            Denied::Scope(scope) => {
                let data = Data { scope: Some(scope.name()), ..Data::default() };
                let message = format!("the scope {} is needed here", scope.name());
                Self { data: Box::new(data), ..Self::new(Kind::Forbidden, message) }
            }
        }
    }
}

impl From<&Refusal> for RpcError {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Closed { open } => {
                let mut error = Self::conflict("closed", "the conversation is closed");
                error.data.open = *open;
                error
            }
            Refusal::NotOwner => Self::conflict("not_owner", "only who holds the conversation may do this"),
            Refusal::NotWaiting { owner } => {
                let mut error = Self::conflict("not_waiting", "the conversation does not wait any more");
                error.data.owner.clone_from(owner);
                error
            }
            Refusal::AgentUnavailable => Self::conflict(
                "agent_unavailable",
                "the agent has to be online, in session and allowed to receive here",
            ),
            Refusal::AtCapacity => Self::conflict("at_capacity", "the agent holds as many conversations as it may"),
            Refusal::HoldsConversations { conversations } => {
                let message = "conversations are still held; `reroute` hands them on";
                let mut error = Self::conflict("holds_conversations", message);
                error.data.conversations = Some(conversations.clone());
                error
            }
            Refusal::OfferExpired => Self::conflict("offer_expired", "the offer is over"),
            Refusal::ShopClosed => Self::conflict("shop_closed", "the shop takes no new conversations"),
            Refusal::ClientIdReused => {
                Self::conflict("client_id_reused", "the client_id stands for another message; use a new one")
            }
            // Whoever calls asks the store and comes again; it does not come to this.
            Refusal::Repeats => Self::unavailable(Undone::NotDone),
            Refusal::Changed => Self::conflict("changed", "the conversation has changed since that revision"),
            Refusal::NotClosed => Self::conflict("not_closed", "only a closed conversation can be rated"),
            Refusal::NotFound => Self::not_found(),
            Refusal::Unknown { path } => {
                let mut error = Self::not_found();
                error.data.path = Some((*path).to_owned());
                error
            }
            Refusal::TooMany => {
                let data = Data { retry_after_ms: Some(TOO_MANY_RETRY_MS), ..Data::default() };
                let message = "the buyer has as many conversations open as it may";
                Self { data: Box::new(data), ..Self::new(Kind::RateLimited, message) }
            }
            Refusal::Denied(denied) => (*denied).into(),
        }
    }
}

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}

impl Serialize for RpcError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            kind: Kind,
            #[serde(flatten)]
            data: &'a Data,
        }

        let mut error = serializer.serialize_struct("Error", 3)?;
        error.serialize_field("code", &self.kind.code())?;
        error.serialize_field("message", &*self.message)?;
        error.serialize_field("data", &Whole { kind: self.kind, data: &self.data })?;
        error.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Scope;

    fn json(error: &RpcError) -> serde_json::Value {
        serde_json::to_value(error).unwrap()
    }

    #[test]
    fn every_refusal_has_its_code_and_its_data() {
        let id = ConversationId(1);
        let text = id.to_string();
        let cases = [
            (Refusal::Closed { open: Some(id) }, -32_009, serde_json::json!({"reason": "closed", "open": text})),
            (Refusal::Closed { open: None }, -32_009, serde_json::json!({"reason": "closed"})),
            (
                Refusal::NotWaiting { owner: Some("mei".into()) },
                -32_009,
                serde_json::json!({"reason": "not_waiting", "owner": "mei"}),
            ),
            (
                Refusal::HoldsConversations { conversations: vec![id] },
                -32_009,
                serde_json::json!({"reason": "holds_conversations", "conversations": [text]}),
            ),
            (Refusal::NotFound, -32_004, serde_json::json!({})),
            (Refusal::Denied(Denied::Unseen), -32_004, serde_json::json!({})),
            (Refusal::Denied(Denied::Role), -32_003, serde_json::json!({})),
            (Refusal::Denied(Denied::Scope(Scope::Claim)), -32_003, serde_json::json!({"scope": "conversation.claim"})),
            (Refusal::Unknown { path: "to.group" }, -32_004, serde_json::json!({"path": "to.group"})),
            (Refusal::TooMany, -32_029, serde_json::json!({"retry_after_ms": TOO_MANY_RETRY_MS})),
        ];
        for (refusal, code, expected) in cases {
            let mut error = json(&RpcError::from(&refusal));
            assert_eq!(error["code"], code, "{refusal:?}");
            assert!(error["data"].as_object_mut().unwrap().remove("kind").unwrap().is_string());
            assert_eq!(error["data"], expected);
        }
    }

    #[test]
    fn what_may_not_be_known_reads_like_what_is_not_there() {
        let unseen = RpcError::from(Denied::Unseen);

        assert_eq!(json(&unseen), json(&RpcError::from(Refusal::NotFound)));
    }

    #[test]
    fn kinds_are_written_by_their_names() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
