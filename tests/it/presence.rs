//! Presence: what agents say of themselves, what others say of them, and what their absence brings about.

use std::time::Duration;

use serde_json::json;

use crate::peer::Daemon;
use crate::shops::ROUTING;

#[tokio::test]
async fn a_status_is_told_to_the_agents_sessions_and_the_desk() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut lead = daemon.staff("li", "online").await;
    lead.call("desk.view", json!({"seller": "tea", "subscribe": true})).await;
    let mut also_mei = daemon.staff("mei", "online").await;
    for peer in [&mut mei, &mut also_mei, &mut lead] {
        peer.heard().await;
    }

    assert_eq!(mei.call("presence.set", json!({"status": "away"})).await, json!({"status": "away"}));

    for peer in [&mut mei, &mut also_mei, &mut lead] {
        let changed = peer.event("presence.changed").await;
        assert_eq!(changed, json!({"sub_account": "mei", "status": "away", "cause": "set"}));
    }
}

#[tokio::test]
async fn a_status_of_others_needs_its_scope_and_a_shared_agent_is_paused() {
    let daemon = Daemon::start().await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut lead = daemon.staff("li", "online").await;
    let mut manager = daemon.staff("ma", "online").await;
    let mut shared = daemon.staff("helpco", "online").await;
    let mut tin = daemon.staff("oth", "online").await;
    for peer in [&mut mei, &mut shared] {
        peer.heard().await;
    }
    let away = |agent: &str, seller: &str| json!({"status": "away", "sub_account": agent, "seller": seller});

    assert_eq!(lead.denied("presence.set", away("mei", "tea")).await, "forbidden presence.set.others");
    assert_eq!(manager.denied("presence.set", away("tom", "tin")).await, "not_found");
    let foreign = manager.refused("presence.set", away("tom", "tea")).await;
    assert_eq!(foreign, manager.refused("presence.set", away("nobody", "tea")).await);
    manager.call("presence.set", away("mei", "tea")).await;
    assert_eq!(mei.event("presence.changed").await["cause"], "set_by_other");
    manager.call("presence.set", json!({"status": "online", "sub_account": "mei"})).await;
    assert_eq!(mei.event("presence.changed").await["status"], "online");

    manager.call("presence.set", away("helpco", "tea")).await;
    let paused = shared.event("presence.changed").await;
    assert_eq!(paused, json!({"sub_account": "helpco", "status": "away", "cause": "paused", "seller": "tea"}));
    let at_tin = tin.call("desk.view", json!({"seller": "tin"})).await;
    let agents = at_tin["agents"].as_array().unwrap();
    assert_eq!(agents.iter().find(|agent| agent["sub_account"] == "helpco").unwrap()["status"], "online");
    shared.call("presence.set", json!({"status": "online", "sub_account": "helpco"})).await;
    assert_eq!(shared.event("presence.changed").await["status"], "online");
}

#[tokio::test]
async fn a_session_is_told_at_its_beginning_for_which_sellers_its_agent_is_paused() {
    let daemon = Daemon::start().await;
    let mut manager = daemon.staff("ma", "online").await;
    let mut shared = daemon.staff("helpco", "online").await;
    let pause = |status: &str| json!({"status": status, "sub_account": "helpco", "seller": "tea"});

    assert!(shared.opened.get("paused").is_none(), "{}", shared.opened);
    manager.call("presence.set", pause("away")).await;
    let paused = daemon.staff("helpco", "online").await.opened;
    manager.call("presence.set", pause("offline")).await;
    let gone = daemon.staff("helpco", "online").await.opened;
    shared.call("presence.set", json!({"status": "online"})).await;
    let again = daemon.staff("helpco", "online").await.opened;

    assert_eq!(paused["paused"], json!([{"seller": "tea", "status": "away"}]));
    assert_eq!(
        (&paused["status"], &gone["paused"]),
        (&json!("online"), &json!([{"seller": "tea", "status": "offline"}]))
    );
    assert!(again.get("paused").is_none(), "{again}");
    assert!(daemon.buyer("ann").await.opened.get("paused").is_none());
}

#[tokio::test]
async fn an_agent_back_in_its_grace_has_lost_nothing() {
    let daemon = Daemon::start().await;
    let mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    ann.heard().await;

    drop(mei);
    let mut lead = daemon.staff("li", "online").await;
    while lead.call("desk.view", json!({"seller": "tea"})).await["agents"][5]["sessions"] != 0 {}
    let back = daemon.open(json!({"token": daemon.token(fenliu::auth::Role::Staff, "mei", |_| {})})).await;

    assert_eq!(back.opened["status"], "online");
    assert_eq!(back.opened["conversations"][0]["id"], id);
    assert_eq!(ann.heard().await, [""; 0]);
}

#[tokio::test]
async fn an_agent_lost_is_offline_and_what_it_held_is_routed_anew() {
    let grace = Duration::from_millis(100);
    let daemon = Daemon::with(ROUTING, |settings| settings.routing.presence_grace = grace).await;
    let mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();

    drop(mei);
    let left = ann.event("conversation.left_message").await;
    let back = daemon.open(json!({"token": daemon.token(fenliu::auth::Role::Staff, "mei", |_| {})})).await;

    assert_eq!(left, json!({"conversation": id, "reason": "nobody_online", "text": "we are closed"}));
    assert_eq!(back.opened["status"], "away");
}

#[tokio::test]
async fn time_warns_closes_and_tells_who_is_gone() {
    let timers = r#"overdue_warning = "100ms"
  reply_within = "200ms"
  close_idle = "1500ms"
  buyer_gone_after = "50ms"
  abandon_after = "50ms""#;
    let routing = ROUTING.replace(r#"offline_text = "we are closed""#, timers);
    let daemon = Daemon::with(&routing, |_| {}).await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let start = json!({"seller": "tea", "message": crate::peer::text("m", "hello")});
    let id = ann.call("conversation.start", start).await["conversation"]["id"].clone();

    for (level, waited) in [("warning", 0.1), ("overdue", 0.2)] {
        let overdue = mei.event("conversation.overdue").await;
        assert_eq!((&overdue["conversation"], &overdue["level"]), (&id, &json!(level)));
        assert!(overdue["waiting_s"].as_f64().unwrap() >= waited);
    }
    drop(ann);
    let gone = mei.event("buyer.presence").await;
    assert_eq!((&gone["conversation"], &gone["online"]), (&id, &json!(false)));
    let mut ann = daemon.buyer("ann").await;
    assert_eq!(ann.opened["conversations"][0]["id"], id);
    assert_eq!(mei.event("buyer.presence").await["online"], true);
    for peer in [&mut mei, &mut ann] {
        let closed = peer.event("conversation.closed").await;
        assert_eq!((&closed["by"], &closed["reason"]), (&json!("idle"), &json!("idle")));
    }
}

#[tokio::test]
async fn a_buyer_gone_too_long_is_left_and_waits_again_when_back() {
    let routing = ROUTING.replace(r#"offline_text = "we are closed""#, r#"abandon_after = "50ms""#);
    let daemon = Daemon::with(&routing, |_| {}).await;
    let _mei = daemon.staff("mei", "online").await;
    let mut lead = daemon.staff("ma", "online").await;
    for n in 0..2 {
        daemon.buyer(&format!("held-{n}")).await.call("conversation.start", json!({"seller": "tea"})).await;
    }
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();

    drop(ann);
    while lead.call("conversation.get", json!({"conversation": id})).await["state"] == "queued" {}
    let mut ann = daemon.buyer("ann").await;
    let again = ann.call("conversation.start", json!({"seller": "tea"})).await;

    let before = &ann.opened["conversations"][0];
    assert_eq!((&before["state"], &before["reason"]), (&json!("left_message"), &json!("abandoned")));
    assert_eq!((&again["resumed"], &again["conversation"]["state"]), (&json!(true), &json!("queued")));
    assert!(again["conversation"].get("reason").is_none());
}
