//! An operator's call: the same methods, on the same path, as on a WebSocket.

use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::delivery::{Frame, Limits, Mailbox, Peer, ReplyTo};
use crate::model::{BuyerKey, Caller};
use crate::policy::Method;
use crate::protocol::{self, Class, RpcError};
use crate::routing::Profile;
use crate::server::reply::{Reply, json};
use crate::session::Site;

/// Calls a method as an operator: its result, or its error.
pub(super) async fn call(site: &Site, by: &Arc<str>, method: Method, params: &Value) -> Result<Value, Value> {
    let failed = |error: RpcError| serde_json::to_value(error).unwrap_or_default();
    let raw = |value: &Value| to_raw_value(value).map_err(|error| json!({ "message": error.to_string() }));
    let params = raw(params)?;
    let call = protocol::parse_call(method, Some(&params), &site.settings.protocol).map_err(failed)?;
    let mailbox = Arc::new(Mailbox::new(Limits { frames: 0, bytes: 0 }));
    let caller = Caller::Operator { sub: Arc::clone(by) };
    let peer = Arc::new(Peer {
        session: site.dispatch.clock.session_id(),
        caller,
        mailbox: Arc::clone(&mailbox),
        ip: None,
        since: site.dispatch.clock.now(),
        client: None,
    });
    let profile = Profile { key: BuyerKey { within: None, sub: Arc::clone(by) }, name: None, attributes: Vec::new() };
    let id: Box<RawValue> = raw(&json!(0))?;
    let to = ReplyTo { mailbox: Arc::clone(&mailbox), slot: 0, id, method, class: Class::Staff, since: Instant::now() };
    site.dispatch.call(&peer, &Arc::new(profile), method, call, Some(to)).await;
    loop {
        mailbox.ready().await;
        let mut frames = Vec::new();
        mailbox.drain(&mut frames);
        for frame in frames {
            let Frame::Reply { text, .. } = frame else { continue };
            let mut reply: Value = serde_json::from_str(&text).unwrap_or_default();
            return match reply.get_mut("error") {
                Some(error) => Err(error.take()),
                None => Ok(reply.get_mut("result").map(Value::take).unwrap_or_default()),
            };
        }
    }
}

/// The answer of HTTP to what came of a call. Diagnostics of a configuration stand by themselves.
pub(super) fn answer(result: Result<Value, Value>) -> Reply {
    let error = match result {
        Ok(value) => return json(StatusCode::OK, value.to_string()),
        Err(error) => error,
    };
    if let Some(diagnostics) = error["data"].get("diagnostics") {
        return json(StatusCode::UNPROCESSABLE_ENTITY, json!({ "diagnostics": diagnostics }).to_string());
    }
    let status = match error["data"]["kind"].as_str() {
        Some("invalid_params" | "parse_error" | "invalid_request" | "too_large") => StatusCode::BAD_REQUEST,
        Some("not_found" | "method_not_found") => StatusCode::NOT_FOUND,
        Some("forbidden") => StatusCode::FORBIDDEN,
        Some("conflict") => StatusCode::CONFLICT,
        Some("rate_limited") => StatusCode::TOO_MANY_REQUESTS,
        Some("unavailable") => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    json(status, error.to_string())
}

/// A refusal of a request that has no method behind it, in the form of a method's.
pub(super) fn invalid(path: &str, message: &'static str) -> Reply {
    answer(Err(serde_json::to_value(RpcError::invalid_params(path, message)).unwrap_or_default()))
}
