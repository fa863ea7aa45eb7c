//! The real daemon's parts over real sockets: what clients see.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod peer;

use peer::{Daemon, Peer, text};
use serde_json::json;

#[tokio::test]
async fn a_conversation_is_routed_and_the_two_talk() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;

    let started = ann.call("conversation.start", json!({"seller": "tea", "message": text("m1", "hello")})).await;
    let id = started["conversation"]["id"].clone();

    assert_eq!(started["conversation"]["state"], "active");
    assert_eq!(started["conversation"]["agent"]["id"], "mei");
    assert_eq!(mei.event("conversation.assigned").await["conversation"]["id"], id);

    let mut reply = text("r1", "welcome");
    reply["conversation"] = id.clone();
    let sent = mei.call("message.send", reply).await;
    let heard = ann.event("message.new").await;

    assert_eq!((sent["seq"].clone(), sent["duplicate"].clone()), (json!(2), json!(false)));
    assert_eq!(heard["body"]["text"], "welcome");
    assert_eq!(heard["from"]["id"], "mei");
    assert_eq!(heard["prev"], 1);
}

#[tokio::test]
async fn a_message_sent_again_has_the_first_number_and_nothing_else_happens() {
    let daemon = Daemon::start().await;
    let _mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    let mut message = text("same", "one");
    message["conversation"] = id;

    let first = ann.call("message.send", message.clone()).await;
    let again = ann.call("message.send", message.clone()).await;
    message["body"]["text"] = json!("two");
    let other = ann.refused("message.send", message).await;

    assert_eq!(first["seq"], again["seq"]);
    assert_eq!(again["duplicate"], true);
    assert_eq!(other["data"]["reason"], "client_id_reused");
}

#[tokio::test]
async fn nobody_online_leaves_a_message_that_is_picked_up_later() {
    let daemon = Daemon::start().await;
    let mut ann = daemon.buyer("ann").await;

    let started = ann.call("conversation.start", json!({"seller": "tea", "message": text("m", "hello")})).await;
    let left = ann.event("conversation.left_message").await;

    assert_eq!(started["conversation"]["state"], "left_message");
    assert_eq!(left["reason"], "nobody_online");

    let mut mei = daemon.staff("mei", "online").await;
    let assigned = mei.event("conversation.assigned").await;

    assert_eq!(assigned["conversation"]["id"], started["conversation"]["id"]);
    assert_eq!(ann.event("conversation.assigned").await["conversation"]["agent"]["id"], "mei");
}

#[tokio::test]
async fn the_freed_slot_goes_to_who_has_waited_longest() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut held = Vec::new();
    for n in 0..2 {
        let mut buyer = daemon.buyer(&format!("held{n}")).await;
        held.push(buyer.call("conversation.start", json!({"seller": "tea"})).await["conversation"].clone());
    }
    let mut first = daemon.buyer("first").await;
    let waits = first.call("conversation.start", json!({"seller": "tea"})).await["conversation"].clone();
    let mut second = daemon.buyer("second").await;
    let second_waits = second.call("conversation.start", json!({"seller": "tea"})).await["conversation"].clone();

    assert_eq!((waits["state"].clone(), waits["queue"]["position"].clone()), (json!("queued"), json!(1)));
    assert_eq!(second_waits["queue"]["position"], 2);

    mei.call("conversation.close", json!({"conversation": held[0]["id"]})).await;

    assert_eq!(first.event("conversation.assigned").await["conversation"]["id"], waits["id"]);
}

#[tokio::test]
async fn an_existing_conversation_and_a_random_id_are_the_same_to_a_stranger() {
    let daemon = Daemon::start().await;
    let _mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    let mut eve = daemon.buyer("eve").await;

    let existing = eve.refused("message.history", json!({"conversation": id})).await;
    let random = eve.refused("message.history", json!({"conversation": "01900000-0000-7000-8000-000000000000"})).await;

    assert_eq!(existing, random);
    assert_eq!(existing["code"], -32004);
}

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
async fn anything_before_session_open_is_unauthenticated() {
    let daemon = Daemon::start().await;
    let mut peer = Peer::connect(&daemon).await;

    assert_eq!(peer.refused("session.ping", json!({})).await["data"]["kind"], "unauthenticated");
    assert!(peer.call("rpc.discover", json!({})).await["openrpc"].is_string());
}

#[tokio::test]
async fn an_offline_agent_with_conversations_is_told_so_and_reroute_hands_them_on() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    let mut bo = daemon.staff("bo", "online").await;

    let refused = mei.refused("presence.set", json!({"status": "offline"})).await;
    let done = mei.call("presence.set", json!({"status": "offline", "reroute": true})).await;
    let assigned = bo.event("conversation.assigned").await;

    assert_eq!(refused["data"]["conversations"], json!([id]));
    assert_eq!(done["status"], "offline");
    assert_eq!((assigned["conversation"]["id"].clone(), assigned["cause"].clone()), (id, json!("agent_lost")));
}

#[tokio::test]
async fn a_buyer_at_its_limit_is_given_its_open_conversation_back() {
    let daemon = Daemon::start().await;
    let mut ann = daemon.buyer("ann").await;

    let first = ann.call("conversation.start", json!({"seller": "tea"})).await;
    let again = ann.call("conversation.start", json!({"shop": "shop-1"})).await;

    assert_eq!(again["resumed"], true);
    assert_eq!(again["conversation"]["id"], first["conversation"]["id"]);
}
