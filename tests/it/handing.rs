//! Conversations that pass from hand to hand: claims, assignments, transfers, offers, and who follows them.

use std::sync::Arc;

use fenliu::daemon::Store;
use fenliu::journal::{Durability, Settings, Sqlite};
use serde_json::{Value, json};

use crate::peer::{Daemon, Peer, members, message, text};

/// A conversation of a new buyer with Tea.
async fn started(daemon: &Daemon, buyer: &str, context: Value) -> (Peer, Value) {
    let mut buyer = daemon.buyer(buyer).await;
    let conversation = buyer.call("conversation.start", json!({"seller": "tea", "context": context})).await;
    (buyer, conversation["conversation"].clone())
}

/// Mei with as many as she may hold, and one that waits.
async fn full(daemon: &Daemon) -> (Peer, Peer, Value) {
    let mei = daemon.staff("mei", "online").await;
    for n in 0..2 {
        started(daemon, &format!("held-{n}"), json!({})).await;
    }
    let (buyer, waiting) = started(daemon, "waits", json!({})).await;
    assert_eq!(waiting["state"], "queued");
    (mei, buyer, waiting["id"].clone())
}

#[tokio::test]
async fn a_claim_is_for_who_sees_the_conversation_and_comes_first() {
    let daemon = Daemon::start().await;
    let (mut mei, mut buyer, id) = full(&daemon).await;
    let mut manager = daemon.staff("ma", "online").await;
    let mut lead = daemon.staff("li", "online").await;

    assert_eq!(mei.denied("conversation.claim", json!({"conversation": id})).await, "not_found");
    assert_eq!(lead.denied("conversation.claim", json!({"conversation": id})).await, "not_found");
    let claimed = manager.call("conversation.claim", json!({"conversation": id})).await;
    let again = manager.refused("conversation.claim", json!({"conversation": id})).await;

    assert_eq!((&claimed["state"], &claimed["agent"]["id"]), (&json!("active"), &json!("ma")));
    assert_eq!(again["data"], json!({"kind": "conflict", "reason": "not_waiting", "owner": "ma"}));
    assert_eq!(buyer.event("conversation.assigned").await["cause"], "claim");
}

#[tokio::test]
async fn an_assignment_says_why_it_cannot_be_and_force_goes_up_to_twice() {
    let daemon = Daemon::start().await;
    let (_mei, mut buyer, id) = full(&daemon).await;
    let mut manager = daemon.staff("ma", "online").await;
    let to = |agent: &str, force: bool| json!({"conversation": id, "sub_account": agent, "force": force});

    assert_eq!(manager.denied("conversation.assign", to("bo", false)).await, "conflict agent_unavailable");
    assert_eq!(manager.denied("conversation.assign", to("mei", false)).await, "conflict at_capacity");
    let foreign = manager.refused("conversation.assign", to("tom", false)).await;
    let nobody = manager.refused("conversation.assign", to("nobody", false)).await;
    assert_eq!((&foreign["code"], &foreign), (&json!(-32004), &nobody));

    assert_eq!(manager.call("conversation.assign", to("mei", true)).await["agent"]["id"], "mei");
    assert_eq!(buyer.event("conversation.assigned").await["cause"], "assign");
    for n in 0..2 {
        let (_, next) = started(&daemon, &format!("more-{n}"), json!({})).await;
        let to = json!({"conversation": next["id"], "sub_account": "mei", "force": true});
        if n == 0 {
            manager.call("conversation.assign", to).await;
        } else {
            assert_eq!(manager.denied("conversation.assign", to).await, "conflict at_capacity");
        }
    }
}

#[tokio::test]
async fn whoever_may_hand_on_is_told_who_is_free_as_the_transfer_would_find() {
    let daemon = Daemon::start().await;
    let (mut mei, _buyer, waiting) = full(&daemon).await;
    let held = mei.call("conversation.list", json!({})).await["conversations"][0]["id"].clone();
    let ask = json!({"conversation": held});
    let of = |told: &Value, list: &str, key: &str, id: &str| {
        told[list].as_array().unwrap().iter().find(|one| one[key] == id).cloned().unwrap()
    };

    let before = mei.call("conversation.targets", ask.clone()).await;
    let mut lead = daemon.staff("li", "online").await;
    let after = mei.call("conversation.targets", ask.clone()).await;

    assert_eq!(members(&after), ["groups", "sub_accounts"]);
    assert_eq!(of(&before, "sub_accounts", "sub_account", "li")["status"], "offline");
    assert_eq!(of(&before, "sub_accounts", "sub_account", "li")["free"], false);
    let free = of(&after, "sub_accounts", "sub_account", "li");
    assert_eq!((&free["status"], &free["free"]), (&json!("online"), &json!(true)));
    let listed = after["sub_accounts"].as_array().unwrap();
    assert!(listed.iter().all(|one| one["sub_account"] != "mei" && one["sub_account"] != "tom"), "{listed:?}");
    for group in after["groups"].as_array().unwrap() {
        assert_eq!(members(group), ["free", "group", "name"]);
    }
    assert_eq!(lead.denied("conversation.targets", ask.clone()).await, "not_found");
    assert_eq!(mei.denied("conversation.targets", json!({"conversation": waiting})).await, "not_found");
    let to = json!({"conversation": held, "to": {"sub_account": "li"}});
    assert_eq!(mei.call("conversation.transfer", to).await["agent"]["id"], "li");
    assert_eq!(mei.denied("conversation.targets", ask).await, "conflict not_owner");
}

#[tokio::test]
async fn a_transfer_takes_a_note_along_that_the_buyer_does_not_see() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut lead = daemon.staff("li", "online").await;
    let (mut buyer, conversation) = started(&daemon, "ann", json!({})).await;
    let id = &conversation["id"];
    let transfer = |to: Value| json!({"conversation": id, "to": to, "note": "careful"});
    buyer.event("conversation.assigned").await;

    for (to, path) in [(json!({}), "to"), (json!({"group": "a", "sub_account": "b"}), "to"), (json!({"x": 1}), "to.x")]
    {
        assert_eq!(mei.denied("conversation.transfer", transfer(to)).await, format!("invalid_params {path}"));
    }
    assert_eq!(mei.denied("conversation.transfer", transfer(json!({"group": "none"}))).await, "not_found to.group");
    let mut forced = transfer(json!({"sub_account": "li"}));
    forced["force"] = json!(true);
    assert_eq!(mei.denied("conversation.transfer", forced).await, "forbidden conversation.exceed");
    mei.call("conversation.transfer", transfer(json!({"sub_account": "li"}))).await;

    let to_lead = lead.event("conversation.assigned").await;
    let to_buyer = buyer.event("conversation.assigned").await;
    assert_eq!((&to_lead["cause"], &to_lead["note"]), (&json!("transfer"), &json!("careful")));
    assert_eq!(members(&to_buyer), ["cause", "conversation"]);
    let unassigned = mei.event("conversation.unassigned").await;
    assert_eq!(unassigned, json!({"conversation": id, "cause": "transfer", "to": "li"}));
    for (method, params) in [
        ("message.send", message(id, "m", "late")),
        ("message.read", json!({"conversation": id, "seq": 1})),
        ("conversation.close", json!({"conversation": id})),
        ("conversation.transfer", transfer(json!({"group": "presale"}))),
    ] {
        assert_eq!(mei.denied(method, params).await, "conflict not_owner", "{method}");
    }
    assert_eq!(mei.call("message.history", json!({"conversation": id})).await["messages"], json!([]));
}

#[tokio::test]
async fn how_a_conversation_came_to_its_owner_is_told_again_to_staff_alone_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (sqlite, sink) = Sqlite::open(&folder.path().join("before"), Durability::Normal).unwrap();
    let sqlite = Arc::new(sqlite);
    let daemon = Daemon::on(Store::with(Arc::clone(&sqlite) as _, sink, Settings::default()).await.unwrap());
    let mut mei = daemon.staff("mei", "online").await;
    let mut lead = daemon.staff("li", "online").await;
    let (mut buyer, conversation) = started(&daemon, "ann", json!({})).await;
    let one = json!({"conversation": conversation["id"]});

    let first = mei.call("conversation.get", one.clone()).await;
    let to = json!({"conversation": conversation["id"], "to": {"sub_account": "li"}});
    let handed = mei.call("conversation.transfer", to).await;
    let assigned = lead.event("conversation.assigned").await;
    let opened = daemon.staff("li", "online").await.opened;
    let to_buyer = buyer.call("conversation.get", one.clone()).await;
    let listed = buyer.call("conversation.list", json!({})).await["conversations"][0].clone();
    let copy = folder.path().join("after");
    std::fs::create_dir(&copy).unwrap();
    sqlite.backup(copy.join("fenliu.db")).await.unwrap();
    let (again, sink) = Sqlite::open(&copy, Durability::Normal).unwrap();
    let restarted = Daemon::on(Store::with(Arc::new(again), sink, Settings::default()).await.unwrap());
    let reopened = restarted.staff("li", "online").await.opened;

    assert_eq!((&first["cause"], &handed["cause"]), (&json!("start"), &json!("transfer")));
    assert!(assigned["conversation"].get("cause").is_none(), "{assigned}");
    for opened in [opened, reopened] {
        assert_eq!(opened["conversations"][0]["cause"], "transfer");
    }
    for seen in [conversation, to_buyer, listed] {
        assert!(seen.get("cause").is_none(), "{seen}");
    }
}

#[tokio::test]
async fn what_waits_again_has_been_brought_to_nobody() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut manager = daemon.staff("ma", "away").await;
    let (_buyer, conversation) = started(&daemon, "ann", json!({})).await;

    mei.call("presence.set", json!({"status": "offline", "reroute": true})).await;
    let waits = manager.call("conversation.get", json!({"conversation": conversation["id"]})).await;

    assert!(waits.get("agent").is_none() && waits.get("cause").is_none(), "{waits}");
}

#[tokio::test]
async fn a_revision_that_is_not_the_present_one_is_refused() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let (_ann, conversation) = started(&daemon, "ann", json!({})).await;
    let id = &conversation["id"];
    let rev = mei.call("conversation.get", json!({"conversation": id})).await["rev"].as_u64().unwrap();

    let stale = mei.denied("conversation.close", json!({"conversation": id, "if_rev": rev - 1})).await;
    let closed = mei.call("conversation.close", json!({"conversation": id, "if_rev": rev})).await;

    assert_eq!(stale, "conflict changed");
    assert!(closed["rev"].as_u64().unwrap() > rev);
}

#[tokio::test]
async fn a_watcher_is_told_what_happens_without_being_the_owner() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut manager = daemon.staff("ma", "away").await;
    let (mut ann, conversation) = started(&daemon, "ann", json!({})).await;
    let id = &conversation["id"];
    let on = |on: bool| json!({"conversation": id, "on": on});
    manager.heard().await;

    assert_eq!(mei.denied("conversation.watch", on(true)).await, "forbidden conversation.monitor");
    assert_eq!(manager.call("conversation.watch", on(true)).await, json!({}));
    ann.call("message.send", message(id, "m1", "hello")).await;
    mei.call("message.typing", on(true)).await;
    assert_eq!(manager.event("message.new").await["body"]["text"], "hello");
    manager.call("conversation.watch", on(false)).await;
    ann.call("message.send", message(id, "m2", "still there?")).await;

    mei.event("message.new").await;
    mei.event("message.new").await;
    assert!(!manager.heard().await.contains(&"message.new".to_owned()));
}

#[tokio::test]
async fn an_offer_is_answered_by_who_was_asked_and_by_nobody_else() {
    let daemon = Daemon::start().await;
    let mut tra = daemon.staff("tra", "online").await;
    let mut mei = daemon.staff("mei", "online").await;
    let (mut ann, conversation) = started(&daemon, "ann", json!({"source": "asks"})).await;
    let id = &conversation["id"];
    let one = json!({"conversation": id});
    let offered = tra.event("conversation.offered").await;

    assert_eq!((&conversation["state"], conversation.get("offer")), (&json!("offered"), None));
    assert_eq!(members(&offered["conversation"]["offer"]), ["expires_at", "expires_in_s"]);
    assert_eq!(tra.denied("message.history", one.clone()).await, "forbidden conversation.read.group");
    assert_eq!(mei.denied("conversation.accept", one.clone()).await, "not_found");
    let accepted = tra.call("conversation.accept", one.clone()).await;
    assert_eq!(tra.event("conversation.offer_ended").await, json!({"conversation": id, "why": "accepted"}));

    assert_eq!(accepted["agent"]["id"], "tra");
    assert_eq!(tra.denied("conversation.accept", one.clone()).await, "conflict offer_expired");
    let welcome = ann.event("message.new").await;
    assert_eq!((&welcome["from"], &welcome["body"]["text"]), (&json!({"kind": "system"}), &json!("welcome")));
}

#[tokio::test]
async fn an_offer_declined_comes_back_after_the_round_and_one_too_late_has_expired() {
    let daemon = Daemon::start().await;
    let mut tra = daemon.staff("tra", "online").await;
    let (_ann, conversation) = started(&daemon, "ann", json!({"source": "asks"})).await;
    let id = &conversation["id"];
    tra.event("conversation.offered").await;

    assert_eq!(tra.call("conversation.decline", json!({"conversation": id, "reason": "busy"})).await, json!({}));
    assert_eq!(tra.event("conversation.offer_ended").await["why"], "declined");
    assert_eq!(tra.denied("conversation.accept", json!({"conversation": id})).await, "conflict offer_expired");
    tra.event("conversation.offered").await;
    assert_eq!(tra.event("conversation.offer_ended").await["why"], "timeout");
    tra.event("conversation.offered").await;
    tra.call("presence.set", json!({"status": "away"})).await;
    assert_eq!(tra.event("conversation.offer_ended").await["why"], "withdrawn");
}

#[tokio::test]
async fn a_left_message_by_a_binding_has_its_text_in_the_event_alone() {
    let daemon = Daemon::start().await;
    let mut ann = daemon.buyer("ann").await;
    let start = json!({"seller": "tea", "context": {"source": "leave"}, "message": text("m", "hello")});

    let left = ann.call("conversation.start", start).await["conversation"].clone();

    assert_eq!((&left["state"], &left["reason"]), (&json!("left_message"), &json!("binding")));
    let event = ann.event("conversation.left_message").await;
    assert_eq!(event, json!({"conversation": left["id"], "reason": "binding", "text": "write us"}));
    assert_eq!(left["last_seq"], 1);
}

#[tokio::test]
async fn a_watcher_hears_that_a_conversation_is_open_again() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut manager = daemon.staff("ma", "away").await;
    let (mut ann, conversation) = started(&daemon, "ann", json!({})).await;
    let id = &conversation["id"];
    manager.call("conversation.watch", json!({"conversation": id, "on": true})).await;
    mei.call("conversation.close", json!({"conversation": id})).await;
    manager.heard().await;

    ann.call("message.send", message(id, "m", "one more thing")).await;

    ann.event("conversation.reopened").await;
    assert_eq!(manager.heard().await, ["conversation.reopened", "conversation.assigned", "message.new"]);
}
