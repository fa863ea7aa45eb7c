//! The params of every method, as they come: one type each, that takes no member it does not know.
//! What their values may be beyond their types is judged in `method`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::RpcError;
use super::body::WireBody;
use super::described::Body;
use crate::model::{ConversationId, State, Status, Visibility};

/// The longest name of a member that an error repeats.
const PATH_CHARACTERS_MAX: usize = 64;

/// A text, borrowed from the frame where it has no escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> serde::de::Visitor<'de> for Read {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(Read)
    }
}

impl JsonSchema for Text<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// An id that this server gave; a text that cannot be one names what does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(transparent)]
pub struct Id(#[schemars(with = "String", length(max = 40))] pub ConversationId);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const UUID_CHARACTERS: usize = 36;
        let Text(text) = Text::deserialize(deserializer)?;
        let id = Some(&text).filter(|text| text.len() == UUID_CHARACTERS).and_then(|text| text.parse().ok());
        Ok(Self(id.unwrap_or(ConversationId(0))))
    }
}

/// Reads an object where the derived reader would take an array for one.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Read<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Read<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Read(PhantomData))
}

/// As [`object`], for a member that may be missing.
pub fn object_if<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    object(deserializer).map(Some)
}

/// Reads the params of a call. Missing params, `{}` and `[]` are the same.
///
/// # Errors
/// `invalid_params`, naming the member.
pub fn read<'a, T: Deserialize<'a>>(params: Option<&'a RawValue>) -> Result<T, RpcError> {
    let text = params.map_or("{}", RawValue::get);
    let text = match text.strip_prefix('[') {
        None => text,
        Some(rest) if rest.trim_ascii_start() == "]" => "{}",
        Some(_) => return Err(RpcError::invalid_params("params", "params go by name: an object")),
    };
    serde_json::from_str(text).or_else(|_| explain(text))
}

/// Reads again, slowly, to find out what is wrong where.
fn explain<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, RpcError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let place = error.path().to_string();
        let said = error.inner().to_string();
        let (member, expected) = expected(&said);
        let path = match (place.as_str(), member) {
            (".", Some(member)) => member.to_owned(),
            (place, Some(member)) => format!("{place}.{member}"),
            (".", None) => "params".to_owned(),
            (place, None) => place.chars().take(PATH_CHARACTERS_MAX).collect(),
        };
        RpcError::invalid_params(path, expected)
    })
}

/// What the reader expected, and the member that it missed: its words without anything of what was sent.
fn expected(said: &str) -> (Option<&str>, String) {
    if let Some(rest) = said.strip_prefix("missing field `") {
        let member = rest.split('`').next();
        return (member, "this member is needed".to_owned());
    }
    if said.starts_with("duplicate field") {
        return (None, "expected each member once".to_owned());
    }
    if said.starts_with("unknown field") && said.contains("there are no fields") {
        return (None, "expected no members".to_owned());
    }
    let words = said.rsplit_once(" at line ").map_or(said, |(words, _)| words);
    match words.rsplit_once(", expected ") {
        Some((_, expected)) => (None, format!("expected {}", in_words(expected))),
        None => (None, "expected another value".to_owned()),
    }
}

/// The reader's names of types, for people.
fn in_words(expected: &str) -> &str {
    match expected {
        "u64" | "u32" | "u8" => "a whole number",
        "a map" => "an object",
        expected if expected.starts_with("struct ") => "an object",
        expected => expected,
    }
}

/// Of methods without params.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Of `session.open`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionOpen {
    #[serde(default)]
    pub token: Option<String>,
    #[serde(default, deserialize_with = "object_if")]
    pub visitor: Option<Visitor>,
    #[serde(default)]
    pub status: Option<Status>,
    #[serde(default, deserialize_with = "object_if")]
    pub client: Option<Client>,
}

/// An anonymous buyer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Visitor {
    /// The shop it visits.
    pub shop: String,
}

/// What the peer runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Of `session.refresh`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRefresh {
    pub token: String,
}

/// Of `conversation.start`: exactly one of seller, shop and entry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationStart<'a> {
    #[serde(default)]
    pub seller: Option<String>,
    #[serde(default)]
    pub shop: Option<String>,
    #[serde(default)]
    pub entry: Option<String>,
    #[serde(default)]
    pub context: BTreeMap<String, String>,
    #[serde(borrow, default, deserialize_with = "object_if")]
    pub message: Option<FirstMessage<'a>>,
}

/// A message that comes with a start.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstMessage<'a> {
    #[serde(borrow)]
    pub client_id: Text<'a>,
    #[serde(borrow, deserialize_with = "object")]
    #[schemars(with = "Body")]
    pub body: WireBody<'a>,
}

/// Of `conversation.rate`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationRate {
    pub conversation: Id,
    #[schemars(range(min = 1, max = 5))]
    pub score: u8,
    #[serde(default)]
    pub comment: Option<String>,
}

/// Of `message.send`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageSend<'a> {
    pub conversation: Id,
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 64))]
    pub client_id: Text<'a>,
    #[serde(borrow, deserialize_with = "object")]
    #[schemars(with = "Body")]
    pub body: WireBody<'a>,
    #[serde(default)]
    pub visibility: Option<Visibility>,
}

/// Of `message.history`: `after` or `before` or neither.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageHistory {
    pub conversation: Id,
    #[serde(default)]
    pub after: Option<u64>,
    #[serde(default)]
    pub before: Option<u64>,
    #[serde(default)]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
}

/// Of `message.read`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageRead {
    pub conversation: Id,
    pub seq: u64,
}

/// Of `message.typing` and `conversation.watch`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnOff {
    pub conversation: Id,
    pub on: bool,
}

/// Of methods that are called upon a conversation and need nothing else.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneConversation {
    pub conversation: Id,
}

/// Of `conversation.list`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationList {
    #[serde(default)]
    pub state: Option<State>,
    #[serde(default)]
    pub seller: Option<String>,
    #[serde(default)]
    pub buyer: Option<String>,
    #[serde(default)]
    pub cursor: Option<String>,
    #[serde(default)]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
}

/// Of `conversation.close`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationClose {
    pub conversation: Id,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub if_rev: Option<u64>,
}

/// Of `presence.set`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresenceSet {
    pub status: Status,
    #[serde(default)]
    pub sub_account: Option<String>,
    #[serde(default)]
    pub seller: Option<String>,
    #[serde(default)]
    pub reroute: bool,
}

/// Of `conversation.decline`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationDecline {
    pub conversation: Id,
    #[serde(default)]
    pub reason: Option<String>,
}

/// Of `conversation.transfer`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationTransfer {
    pub conversation: Id,
    #[serde(deserialize_with = "object")]
    pub to: TransferTo,
    #[serde(default)]
    pub note: Option<String>,
    #[serde(default)]
    pub force: bool,
    #[serde(default)]
    pub if_rev: Option<u64>,
}

/// To whom: exactly one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferTo {
    #[serde(default)]
    pub group: Option<String>,
    #[serde(default)]
    pub sub_account: Option<String>,
}

/// Of `conversation.claim`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationClaim {
    pub conversation: Id,
    #[serde(default)]
    pub force: bool,
    #[serde(default)]
    pub if_rev: Option<u64>,
}

/// Of `conversation.assign`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationAssign {
    pub conversation: Id,
    pub sub_account: String,
    #[serde(default)]
    pub force: bool,
    #[serde(default)]
    pub if_rev: Option<u64>,
}

/// Of `desk.view`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeskView {
    pub seller: String,
    #[serde(default)]
    pub subscribe: Option<bool>,
}

/// Of `routing.explain`: a conversation, or a hypothetical buyer of a seller.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingExplain {
    #[serde(default)]
    pub conversation: Option<Id>,
    #[serde(default)]
    pub seller: Option<String>,
    #[serde(default, deserialize_with = "object_if")]
    pub buyer: Option<SupposedBuyer>,
    #[serde(default)]
    pub context: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub text: Option<String>,
}

/// A buyer as it might be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SupposedBuyer {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub attrs: BTreeMap<String, Values>,
}

/// A string or a list of strings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a string or a list of strings")]
pub enum Values {
    One(String),
    Many(Vec<String>),
}

/// Of `config.reload`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigReload {
    #[serde(default)]
    pub dry_run: bool,
}

/// Of `account.bind` and `account.unbind`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountBinding {
    pub seller: String,
    pub sub_account: String,
}

/// Of `server.drain`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerDrain {
    #[serde(default)]
    pub deadline_s: Option<u32>,
}
