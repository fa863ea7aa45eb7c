//! What those see who oversee: desks, lists, decisions; and the order in which a call is refused.

use serde_json::{Value, json};

use crate::peer::{Daemon, members, message, text};

#[tokio::test]
async fn a_desk_shows_groups_agents_entries_and_figures_and_tells_when_they_change() {
    let daemon = Daemon::start().await;
    let _mei = daemon.staff("mei", "online").await;
    let mut lead = daemon.staff("li", "online").await;
    let empty = lead.call("desk.view", json!({"seller": "tea", "subscribe": true})).await;
    for n in 0..3 {
        let mut buyer = daemon.buyer(&format!("b{n}")).await;
        buyer.call("conversation.start", json!({"entry": "live-1"})).await;
    }

    let desk = loop {
        let desk = lead.event("desk.changed").await;
        if desk["groups"][0]["waiting"] == 1 {
            break desk;
        }
    };

    assert_eq!(members(&empty), members(&desk));
    let group = ["group", "left_messages", "longest_wait_s", "name", "waiting"];
    assert_eq!(members(&desk["groups"][0]), group);
    let agent = ["capacity", "groups", "held", "name", "sessions", "since", "status", "sub_account"];
    assert_eq!(members(&desk["agents"][0]), agent);
    assert_eq!(desk["entries"], json!([{"entry": "live-1", "started": 3, "served": 2}]));
    assert_eq!((&desk["today"]["started"], &desk["today"]["served"]), (&json!(3), &json!(2)));
    assert_eq!(lead.event("conversation.queued").await["position"], 1);
}

#[tokio::test]
async fn whoever_looks_at_a_desk_is_told_that_somebody_was_answered() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut lead = daemon.staff("li", "away").await;
    lead.call("desk.view", json!({"seller": "tea", "subscribe": true})).await;
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    while lead.event("desk.changed").await["today"]["served"] != 1 {}

    mei.call("message.send", message(&id, "a", "good day")).await;
    let desk = lead.event("desk.changed").await;

    assert_eq!(desk["today"]["replied_in_time_ratio"], 1.0);
    assert!(desk["today"]["median_first_reply_s"].is_number(), "{desk}");
}

#[tokio::test]
async fn a_list_shows_the_places_of_those_that_wait_and_is_read_page_by_page() {
    let daemon = Daemon::start().await;
    let _mei = daemon.staff("mei", "online").await;
    let mut manager = daemon.staff("ma", "away").await;
    for n in 0..5 {
        daemon.buyer(&format!("b{n}")).await.call("conversation.start", json!({"seller": "tea"})).await;
    }
    let positions = |list: &Value| {
        let all = list["conversations"].as_array().unwrap().iter();
        all.map(|one| one["queue"]["position"].as_u64()).collect::<Vec<_>>()
    };

    let waiting = manager.call("conversation.list", json!({"seller": "tea", "state": "queued"})).await;
    let first = manager.call("conversation.list", json!({"seller": "tea", "limit": 3})).await;
    let next = json!({"seller": "tea", "limit": 3, "cursor": first["next"]});
    let second = manager.call("conversation.list", next).await;

    assert_eq!(positions(&waiting), [Some(3), Some(2), Some(1)]);
    assert_eq!(positions(&first), [Some(3), Some(2), Some(1)]);
    assert_eq!(positions(&second), [None, None]);
    assert!(second.get("next").is_none());
    assert_eq!(manager.denied("conversation.list", json!({"cursor": "?"})).await, "invalid_params cursor");
    assert_eq!(manager.denied("conversation.list", json!({"seller": "tin"})).await, "not_found");
}

#[tokio::test]
async fn an_agent_lists_its_own_and_the_earlier_ones_of_a_buyer_it_holds() {
    let daemon = Daemon::start().await;
    let mut manager = daemon.staff("ma", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let old = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    manager.call("conversation.claim", json!({"conversation": old})).await;
    ann.call("conversation.close", json!({"conversation": old})).await;
    let mut mei = daemon.staff("mei", "online").await;
    let new = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    let ids = |list: Value| {
        let all = list["conversations"].as_array().unwrap().iter();
        all.map(|one| one["id"].clone()).collect::<Vec<_>>()
    };

    assert_eq!(ids(mei.call("conversation.list", json!({})).await), std::slice::from_ref(&new));
    let of_ann = json!({"seller": "tea", "buyer": "ann"});
    assert_eq!(ids(mei.call("conversation.list", of_ann.clone()).await), [new.clone(), old]);
    ann.call("conversation.close", json!({"conversation": new})).await;
    assert_eq!(mei.denied("conversation.list", of_ann).await, "forbidden conversation.read.seller");
}

#[tokio::test]
async fn decisions_are_explained_past_and_supposed_ones() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut lead = daemon.staff("li", "online").await;
    let mut manager = daemon.staff("ma", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let start = json!({"seller": "tea", "message": text("m", "hello")});
    let id = ann.call("conversation.start", start).await["conversation"]["id"].clone();
    let supposed =
        json!({"seller": "tea", "buyer": {"id": "x", "attrs": {"level": "gold"}}, "context": {"source": "y"}});

    let decision = lead.call("routing.explain", supposed).await["decision"].clone();
    assert_eq!((&decision["cause"], &decision["chosen"]["sub_account"]), (&json!("what_if"), &json!("li")));
    let looked = [
        json!({"binding": "to-asks", "matched": false, "failed": "source"}),
        json!({"binding": "to-leads", "matched": true}),
    ];
    assert_eq!(decision["bindings"], json!(looked));
    let past = manager.call("routing.explain", json!({"conversation": id})).await["decisions"].clone();
    assert_eq!((&past[0]["cause"], &past[0]["chosen"]["state"]), (&json!("start"), &json!("active")));

    assert_eq!(mei.denied("routing.explain", json!({"conversation": id})).await, "forbidden routing.explain");
    assert_eq!(lead.denied("routing.explain", json!({"conversation": id})).await, "not_found");
    assert_eq!(lead.denied("routing.explain", json!({"seller": "tin"})).await, "not_found");
    assert_eq!(ann.denied("routing.explain", json!({"conversation": id})).await, "forbidden");
}

#[tokio::test]
async fn a_call_is_refused_for_its_params_first_then_role_then_sight_then_scope() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;

    assert_eq!(ann.denied("desk.view", json!({"seller": "tea", "x": 1})).await, "invalid_params x");
    assert_eq!(ann.denied("desk.view", json!({"seller": "tea"})).await, "forbidden");
    assert_eq!(mei.denied("desk.view", json!({"seller": "tin"})).await, "not_found");
    assert_eq!(mei.denied("desk.view", json!({"seller": "tea"})).await, "forbidden desk.view");
    assert_eq!(mei.denied("conversation.start", json!({"seller": "tea"})).await, "forbidden");
    for (method, params) in [
        ("presence.set", json!({"status": "online"})),
        ("conversation.claim", json!({"conversation": "x"})),
        ("conversation.watch", json!({"conversation": "x", "on": true})),
        ("config.reload", json!({})),
        ("server.drain", json!({})),
        ("account.bind", json!({"seller": "tea", "sub_account": "mei"})),
    ] {
        assert_eq!(ann.denied(method, params).await, "forbidden", "{method}");
    }
}

#[tokio::test]
async fn what_an_operator_reads_of_a_conversation_is_in_the_audit_log() {
    let daemon = Daemon::with(crate::shops::ROUTING, |settings| settings.auth.operators_on_public = true).await;
    let (mut ops, mut mei) = (daemon.operator().await, daemon.staff("mei", "online").await);
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    let conversation = json!({"conversation": id});

    ops.call("conversation.get", conversation.clone()).await;
    mei.call("conversation.close", conversation.clone()).await;
    ops.call("message.history", conversation.clone()).await;
    ops.refused("message.history", json!({"conversation": "00000000-0000-7000-8000-000000000000"})).await;
    mei.call("message.history", conversation.clone()).await;

    let entries = daemon.site.dispatch.journal.audit(0, 10).await.unwrap();
    let read: Vec<_> = entries.iter().map(|found| (&*found.entry.by, &*found.entry.action)).collect();
    assert_eq!(read, [("ops", "conversation.get"), ("ops", "message.history")]);
    assert_eq!(*entries[1].entry.detail, conversation.to_string());
}
