//! Conversations from their start to their end, as the two sides see them.

use serde_json::json;

use crate::peer::{Daemon, members, message, text};
use crate::shops::ROUTING;

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
    let daemon = Daemon::with(ROUTING, |settings| settings.limits.conversations_per_buyer = 1).await;
    let mut ann = daemon.buyer("ann").await;

    let first = ann.call("conversation.start", json!({"seller": "tea"})).await;
    let again = ann.call("conversation.start", json!({"shop": "shop-1"})).await;

    assert_eq!(again["resumed"], true);
    assert_eq!(again["conversation"]["id"], first["conversation"]["id"]);
}

#[tokio::test]
async fn a_start_sent_again_has_the_number_of_its_message_and_nothing_else_happens() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let mut start = json!({"seller": "tea", "message": text("m1", "hello")});

    let first = ann.call("conversation.start", start.clone()).await;
    let again = ann.call("conversation.start", start.clone()).await;
    start["message"]["body"]["text"] = json!("another");
    let other = ann.denied("conversation.start", start).await;

    assert_eq!((&first["resumed"], &first["seq"]), (&json!(false), &json!(1)));
    assert_eq!((&again["resumed"], &again["seq"]), (&json!(true), &json!(1)));
    assert_eq!(again["conversation"]["last_seq"], 1);
    assert_eq!(other, "conflict client_id_reused");
    assert!(!mei.heard().await.contains(&"message.new".to_owned()));
}

#[tokio::test]
async fn a_conversation_has_the_members_of_its_state_and_no_null() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer_with("ann", "Ann", &[("level", &["silver"]), ("tags", &["a", "b"])]).await;
    let always = ["buyer", "context", "entry", "group", "id", "last_seq", "priority", "rev", "seller", "started_at"];
    let with = |more: &[&'static str]| {
        let mut all = [&always[..], &["state", "unread"], more].concat();
        all.sort_unstable();
        all
    };

    let active = ann.call("conversation.start", json!({"seller": "tea", "context": {"product": "p-1"}})).await;
    let active = active["conversation"].clone();
    let closed = ann.call("conversation.close", json!({"conversation": active["id"], "reason": "done"})).await;
    ann.call("conversation.rate", json!({"conversation": active["id"], "score": 4})).await;
    let rated = ann.call("conversation.get", json!({"conversation": active["id"]})).await;

    assert_eq!(members(&active), with(&["agent", "assigned_at"]));
    assert_eq!(active["buyer"], json!({"id": "ann", "name": "Ann"}));
    assert_eq!((&active["entry"], &active["context"]), (&json!("shop-1"), &json!({"product": "p-1"})));
    assert_eq!(members(&closed), with(&["agent", "assigned_at", "closed_at", "reason"]));
    assert_eq!(members(&rated), with(&["agent", "assigned_at", "closed_at", "rating", "reason"]));
    assert_eq!(rated["rating"], json!({"score": 4}));
    assert!(rated["rev"].as_u64() > closed["rev"].as_u64());
    let assigned = mei.event("conversation.assigned").await;
    assert_eq!(assigned["conversation"]["buyer"]["attrs"], json!({"level": "silver", "tags": ["a", "b"]}));
    assert!(assigned["conversation"].get("unread").is_none());
}

#[tokio::test]
async fn staff_read_when_a_conversation_was_first_answered_and_its_buyer_does_not() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let start = json!({"seller": "tea", "message": text("m1", "hello")});
    let id = ann.call("conversation.start", start).await["conversation"]["id"].clone();
    let one = json!({"conversation": id});

    let before = mei.call("conversation.get", one.clone()).await;
    let first = mei.call("message.send", message(&id, "a1", "good day")).await;
    mei.call("message.send", message(&id, "a2", "what may it be?")).await;
    let listed = mei.call("conversation.list", json!({})).await["conversations"][0].clone();
    let to_buyer = ann.call("conversation.get", one).await;

    assert!(before.get("first_reply_at").is_none());
    assert_eq!(listed["first_reply_at"], first["at"]);
    assert!(to_buyer.get("first_reply_at").is_none());
}

#[tokio::test]
async fn a_message_to_a_closed_conversation_reopens_it_for_who_held_it() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    mei.call("conversation.close", json!({"conversation": id})).await;
    mei.heard().await;
    ann.heard().await;

    let sent = ann.call("message.send", message(&id, "back", "me again")).await;

    assert_eq!((&sent["seq"], &sent["duplicate"]), (&json!(1), &json!(false)));
    for peer in [&mut mei, &mut ann] {
        assert_eq!(peer.heard().await, ["conversation.reopened", "conversation.assigned"]);
    }
}

#[tokio::test]
async fn a_closed_conversation_is_not_reopened_while_another_is_open() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let old = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    ann.call("conversation.close", json!({"conversation": old})).await;
    // Open with another seller: not what keeps this one closed.
    ann.call("conversation.start", json!({"seller": "tin"})).await;
    let new = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();

    let refused = ann.refused("message.send", message(&old, "m", "hello")).await;
    let to_staff = mei.refused("message.send", message(&old, "m", "hello")).await;

    assert_eq!(refused["data"], json!({"kind": "conflict", "reason": "closed", "open": new}));
    assert_eq!(to_staff["data"], json!({"kind": "conflict", "reason": "closed"}));
}

#[tokio::test]
async fn what_follows_a_close_at_once_finds_it_closed() {
    let daemon =
        Daemon::with(ROUTING, |settings| settings.store.kind = fenliu::config::settings::StoreKind::Sqlite).await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();

    mei.post("conversation.close", json!({"conversation": id})).await;
    mei.post("message.send", message(&id, "m", "late")).await;
    mei.post("conversation.get", json!({"conversation": id})).await;
    let mut replies = [mei.reply().await, mei.reply().await, mei.reply().await];
    replies.sort_by_key(|reply| reply["id"].as_u64());

    assert_eq!(replies[0]["result"]["state"], "closed");
    assert_eq!(replies[1]["error"]["data"]["reason"], "closed");
    assert_eq!(replies[2]["result"]["state"], "closed");
}

#[tokio::test]
async fn an_agent_hears_what_it_lost_before_what_it_is_given_instead() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let (mut buyers, mut ids) = (Vec::new(), Vec::new());
    for n in 0..3 {
        let mut buyer = daemon.buyer(&format!("b{n}")).await;
        ids.push(buyer.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone());
        buyers.push(buyer);
    }
    mei.heard().await;

    mei.call("conversation.transfer", json!({"conversation": ids[0], "to": {"group": "presale"}})).await;

    assert_eq!(mei.heard().await, ["conversation.unassigned", "conversation.assigned"]);
}
