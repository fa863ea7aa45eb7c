//! JSON-RPC 2.0 to the letter: ids, params, batches, and frames that are none of it.

use fenliu::config::settings::Settings;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::peer::{Daemon, Peer};
use crate::shops::ROUTING;

#[tokio::test]
async fn hostile_input_is_answered_as_specified_and_disturbs_nothing() {
    let daemon = Daemon::start().await;
    let mut ann = daemon.buyer("ann").await;

    for (frame, code) in [
        ("{", -32700),
        (r#"{"jsonrpc":"2.0","id":null,"method":"session.ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"nope"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"session.ping","params":{"x":1}}"#, -32602),
        ("[]", -32600),
    ] {
        assert_eq!(ann.raw(frame).await["error"]["code"], code, "{frame}");
    }
    assert_eq!(ann.raw(&"[".repeat(20_000)).await["error"]["code"], -32700);
    assert!(ann.call("session.ping", json!({})).await["time"].is_string());
}

#[tokio::test]
async fn an_id_comes_back_byte_for_byte() {
    let daemon = Daemon::start().await;
    let mut ann = daemon.buyer("ann").await;

    for id in ["1", "1.0", "1e3", "-0", r#""a\u0062""#, "123456789012345678901234567890", r#""""#] {
        ann.send(Message::text(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"session.ping"}}"#))).await;
        let reply = ann.text().await;
        assert!(reply.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#)), "{reply}");
    }
}

#[tokio::test]
async fn missing_params_and_empty_ones_are_the_same() {
    let daemon = Daemon::start().await;
    let mut ann = daemon.buyer("ann").await;

    for params in ["", r#","params":{}"#, r#","params":[]"#, r#","params":[ ]"#] {
        let reply = ann.raw(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"session.ping"{params}}}"#)).await;
        assert!(reply["result"]["time"].is_string(), "{params}: {reply}");
    }
    let positional = ann.raw(r#"{"jsonrpc":"2.0","id":1,"method":"session.ping","params":[1]}"#).await;
    assert_eq!(positional["error"]["data"]["kind"], "invalid_params");
    let null = ann.raw(r#"{"jsonrpc":"2.0","id":1,"method":"session.ping","params":null}"#).await;
    assert_eq!(null["error"]["data"]["kind"], "invalid_request");
}

#[tokio::test]
async fn a_batch_is_answered_by_a_batch_in_order_and_a_notification_by_nothing() {
    let daemon = Daemon::start().await;
    let mut ann = daemon.buyer("ann").await;
    let ping = |id: &str| json!({"jsonrpc": "2.0", "id": id, "method": "session.ping"});
    let notification = json!({"jsonrpc": "2.0", "method": "nope", "params": {"x": 1}});

    let mixed = ann.raw(&json!([ping("a"), notification, 5, ping("b"), [ping("c")]]).to_string()).await;
    ann.send(Message::text(json!([notification, notification]).to_string())).await;
    ann.send(Message::text(notification.to_string())).await;
    let next = ann.raw(&ping("z").to_string()).await;
    let too_long = ann.raw(&json!(vec![ping("x"); 51]).to_string()).await;

    let ids: Vec<_> = mixed.as_array().unwrap().iter().map(|reply| reply["id"].clone()).collect();
    assert_eq!(ids, [json!("a"), json!(null), json!("b"), json!(null)]);
    assert_eq!(mixed[3]["error"]["data"]["kind"], "invalid_request");
    assert_eq!(next["id"], "z");
    assert_eq!((&too_long["id"], &too_long["error"]["code"]), (&json!(null), &json!(-32600)));
}

#[tokio::test]
async fn the_reply_to_session_open_is_the_first_frame_even_in_a_batch() {
    let daemon = Daemon::start().await;
    let mut peer = Peer::connect(&daemon).await;
    let token = daemon.token(fenliu::auth::Role::Staff, "mei", |_| {});
    let open = json!({"jsonrpc": "2.0", "id": 1, "method": "session.open",
        "params": {"token": token, "status": "online"}});
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "conversation.list"});

    peer.send(Message::text(json!([open, list]).to_string())).await;
    let first = peer.text().await;

    assert!(first.starts_with(r#"[{"jsonrpc":"2.0","id":1,"result":{"session":"#), "{first}");
    assert_eq!(peer.heard().await, ["presence.changed"]);
}

#[tokio::test]
async fn depth_is_limited_and_what_is_no_json_has_no_id() {
    let daemon = Daemon::start().await;
    let mut ann = daemon.buyer("ann").await;
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"nope","params":{{"a":{open}{close}}}}}"#)
    };

    assert_eq!(ann.raw(&nested(62)).await["error"]["code"], -32601);
    for frame in [nested(63), String::new(), r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#.into()] {
        let reply = ann.raw(&frame).await;
        assert_eq!((&reply["error"]["code"], &reply["id"]), (&json!(-32700), &json!(null)), "{frame}");
    }
}

#[tokio::test]
async fn frames_that_are_no_text_end_the_session_with_their_code() {
    let daemon = Daemon::start().await;

    let mut ann = daemon.buyer("ann").await;
    ann.send(Message::binary(vec![1])).await;
    assert_eq!(ann.close_code().await, 1003);

    let mut ann = daemon.buyer("ann").await;
    ann.send(Message::text("x".repeat(70_000))).await;
    assert_eq!(ann.close_code().await, 1009);

    let mut ann = daemon.buyer("ann").await;
    let data = tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode::Data(
        tokio_tungstenite::tungstenite::protocol::frame::coding::Data::Text,
    );
    let frame = tokio_tungstenite::tungstenite::protocol::frame::Frame::message(vec![0xff, 0xfe], data, true);
    ann.send(Message::Frame(frame)).await;
    assert_eq!(ann.close_code().await, 1007);
}

fn hurried(settings: &mut Settings) {
    settings.limits.requests_per_second = 1;
    settings.limits.burst = 10;
}

#[tokio::test]
async fn one_who_hurries_is_told_when_to_come_back_and_one_who_never_waits_is_closed() {
    let daemon = Daemon::with(ROUTING, hurried).await;
    let mut ann = daemon.buyer("ann").await;
    let ping = json!({"jsonrpc": "2.0", "id": 7, "method": "session.ping"});

    let replies = ann.raw(&json!(vec![ping.clone(); 50]).to_string()).await;
    let limited: Vec<_> = replies.as_array().unwrap().iter().filter(|reply| reply.get("error").is_some()).collect();
    assert!(limited.len() >= 30, "{}", limited.len());
    assert_eq!(limited[0]["error"]["code"], -32029);
    assert!(limited[0]["error"]["data"]["retry_after_ms"].as_u64().unwrap() > 0);

    // What is no JSON counts as well, and all of it is answered before the end.
    for _ in 0..110 {
        ann.send(Message::text("{")).await;
    }
    assert_eq!(ann.close_code().await, 4429);
}
