//! The JSON-RPC 2.0 envelope: frames, batches and their requests, borrowed from the frame.
//! What the params mean is not looked at.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::method::{Call, parse_call};
use super::plain::{self, Plain};
use super::{Limits, RpcError, scan::scan};
use crate::model::ConversationId;
use crate::policy::Method;
use crate::routing::NewMessage;

/// What a frame turned out to be.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// One request, or what was meant to be one.
    One(Result<Request<'a>, Faulty<'a>>),
    /// A batch: never empty.
    Batch(Vec<Result<Request<'a>, Faulty<'a>>>),
}

/// A well-formed request.
#[derive(Debug)]
pub struct Request<'a> {
    /// Echoed byte for byte; a request without one is not answered.
    pub id: Option<&'a RawValue>,
    /// The method's name, known or not.
    pub method: Cow<'a, str>,
    /// An object or an array, if there are any and they have not been read.
    pub params: Option<&'a RawValue>,
    /// What it asks to be sent, if it was plain enough to be read at once.
    plain: Option<(ConversationId, NewMessage)>,
}

impl Request<'_> {
    /// What it asks for, by the name of its method.
    ///
    /// # Errors
    /// `invalid_params` or `too_large`, naming the member.
    pub fn call(self, method: Method, limits: &Limits) -> Result<Call, RpcError> {
        match self.plain {
            Some((conversation, message)) => Ok(Call::Send { conversation, message }),
            None => parse_call(method, self.params, limits),
        }
    }
}

/// What is not a request, and what is answered.
#[derive(Debug)]
pub struct Faulty<'a> {
    /// The id, if one could be made out.
    pub id: Option<&'a RawValue>,
    /// The answer.
    pub error: RpcError,
}

/// Parses a frame.
pub fn parse<'a>(text: &'a str, limits: &Limits) -> Incoming<'a> {
    match plain::read(text, limits) {
        Some(Plain { id, conversation, message }) => Incoming::One(Ok(Request {
            id,
            method: Method::MessageSend.name().into(),
            params: None,
            plain: Some((conversation, message)),
        })),
        None => parse_any(text, limits),
    }
}

/// Parses a frame, however it is written.
pub(super) fn parse_any<'a>(text: &'a str, limits: &Limits) -> Incoming<'a> {
    if let Err(fault) = scan(text, limits.depth) {
        return Incoming::One(Err(Faulty { id: None, error: RpcError::parse(fault.to_string()) }));
    }
    if !text.trim_ascii_start().starts_with('[') {
        return Incoming::One(request(text));
    }
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Err(_) => Incoming::One(Err(Faulty { id: None, error: not_json() })),
        Ok(members) if members.is_empty() || members.len() > limits.batch => {
            let error = RpcError::invalid_request(format!("a batch has 1 to {} requests", limits.batch));
            Incoming::One(Err(Faulty { id: None, error }))
        }
        Ok(members) => Incoming::Batch(members.into_iter().map(|member| request(member.get())).collect()),
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
}

/// `null` is something too: only what is missing is nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn request(text: &str) -> Result<Request<'_>, Faulty<'_>> {
    // The derived parser would take an array for an object.
    let is_object = text.trim_ascii_start().starts_with('{');
    let envelope = serde_json::from_str::<Envelope<'_>>(text).ok().filter(|_| is_object);
    let Some(envelope) = envelope else { return Err(misshapen(text, is_object)) };
    let id = envelope.id.filter(|id| is_id(id));
    let refuse = |why: &'static str| Err(Faulty { id, error: RpcError::invalid_request(why) });
    if envelope.id.is_some() && id.is_none() {
        return refuse("`id` is a number or a string, or missing");
    }
    if envelope.jsonrpc != "2.0" {
        return refuse("`jsonrpc` is \"2.0\"");
    }
    let Some(method) = envelope.method else { return refuse("`method` is a string") };
    if envelope.params.is_some_and(|params| !params.get().starts_with(['{', '['])) {
        return refuse("`params` is an object, or missing");
    }
    Ok(Request { id, method, params: envelope.params, plain: None })
}

/// Not an envelope: either no JSON at all, or JSON of another shape, whose id may still be made out.
fn misshapen(text: &str, is_object: bool) -> Faulty<'_> {
    #[derive(Deserialize)]
    struct OnlyId<'a> {
        #[serde(borrow, default, deserialize_with = "present")]
        id: Option<&'a RawValue>,
    }

    if serde_json::from_str::<&RawValue>(text).is_err() {
        return Faulty { id: None, error: not_json() };
    }
    let only = serde_json::from_str::<OnlyId<'_>>(text).ok().filter(|_| is_object);
    let id = only.and_then(|only| only.id).filter(|id| is_id(id));
    Faulty { id, error: RpcError::invalid_request("a request has `jsonrpc`, `method`, and maybe `params` and `id`") }
}

fn is_id(id: &RawValue) -> bool {
    id.get().starts_with(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
}

fn not_json() -> RpcError {
    RpcError::parse("a frame is one JSON text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Kind;

    const LIMITS: Limits = Limits { depth: 8, batch: 3, text: 10 };

    fn one(text: &str) -> Result<Request<'_>, Faulty<'_>> {
        match parse(text, &LIMITS) {
            Incoming::One(one) => one,
            Incoming::Batch(_) => panic!("a batch"),
        }
    }

    fn fault(text: &str) -> (Kind, Option<&str>) {
        let faulty = one(text).unwrap_err();
        (faulty.error.kind(), faulty.id.map(RawValue::get))
    }

    #[test]
    fn an_id_is_kept_byte_for_byte() {
        for id in ["1", "-0", "1.50", "1e3", "\"a\\u0062\"", "123456789012345678901234567890", "\"\""] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"x"}}"#);
            assert_eq!(one(&text).unwrap().id.unwrap().get(), id);
        }
    }

    #[test]
    fn missing_params_and_missing_ids_are_fine() {
        let request = one(r#" {"method":"a\u002eb","jsonrpc":"2.0","else":{}} "#).unwrap();

        assert!(request.id.is_none() && request.params.is_none());
        assert_eq!(request.method, "a.b");
    }

    #[test]
    fn what_is_not_a_request_is_refused_with_its_id_where_it_has_one() {
        use Kind::InvalidRequest;
        let cases = [
            (r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, None),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"x"}"#, None),
            (r#"{"jsonrpc":"2.0","id":true,"method":"x"}"#, None),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":null}"#, Some("1")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":"y"}"#, Some("1")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":3}"#, Some("1")),
            (r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#, Some("1")),
            (r#"{"id":1,"method":"x"}"#, Some("1")),
            (r#"{"jsonrpc":2.0,"id":"q","method":"x"}"#, Some("\"q\"")),
            (r#"{"jsonrpc":"2.0","id":1}"#, Some("1")),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, Some("1")),
            (r#"{"jsonrpc":"2.0","id":1,"method":null}"#, Some("1")),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Some("1")),
            ("1", None),
            ("\"x\"", None),
            ("null", None),
            ("{}", None),
            (r#"{"id":1,"id":2}"#, None),
        ];
        for (text, id) in cases {
            assert_eq!(fault(text), (InvalidRequest, id), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_a_parse_error() {
        let cases = [
            "",
            " ",
            "{",
            "{]",
            r#"{"jsonrpc":"2.0","method":1,"id":}"#,
            r#"{"jsonrpc":"2.0","method":"x"} {}"#,
            r#"{"jsonrpc":"2.0","method":"x","params":{"a":"\ud800"}}"#,
            "[1,",
            "nul",
            "[[[[[[[[[]]]]]]]]]",
        ];
        for text in cases {
            assert_eq!(fault(text), (Kind::Parse, None), "{text}");
        }
    }

    #[test]
    fn a_batch_has_its_members_judged_one_by_one() {
        let text = r#"[{"jsonrpc":"2.0","id":1,"method":"x"},2,{"jsonrpc":"2.0","method":"y"}]"#;

        let Incoming::Batch(members) = parse(text, &LIMITS) else { panic!("no batch") };

        assert!(members[0].is_ok() && members[1].is_err() && members[2].is_ok());
    }

    #[test]
    fn an_array_is_no_request() {
        let Incoming::Batch(members) = parse(r#"[["2.0",1,"x"]]"#, &LIMITS) else { panic!("no batch") };

        assert_eq!(members[0].as_ref().unwrap_err().error.kind(), Kind::InvalidRequest);
    }

    #[test]
    fn an_empty_or_too_long_batch_is_one_refusal() {
        assert_eq!(fault("[]"), (Kind::InvalidRequest, None));
        assert_eq!(fault("[1,2,3,4]"), (Kind::InvalidRequest, None));
    }
}
