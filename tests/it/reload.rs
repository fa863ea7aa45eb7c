//! The configuration changes while conversations are open.

use serde_json::{Value, json};

use super::peer::{Daemon, text};

const ROUTING: &str = r#"
[[account]]
id = "lin"
platform = "douyin"
kind = "certified_enterprise"
status = "normal"
certified_until = 2099-12-31

[[sub_account]]
id = "mei"
name = "Mei"
kind = "staff"
capacity = 2

[[sub_account]]
id = "bo"
name = "Bo"
kind = "staff"
capacity = 2

[[seller]]
id = "tea"
name = "Tea"
account = "lin"
status = "open"
shop = "shop-1"
licence_name = "Tea"
default_group = "presale"

  [[seller.authorization]]
  sub_account = "mei"
  role = "agent"

  [[seller.authorization]]
  sub_account = "bo"
  role = "agent"

  [[seller.group]]
  id = "presale"
  members = ["mei", { sub_account = "bo", tier = 2 }]
"#;

const SECOND_GROUP: &str = r#"
  [[seller.group]]
  id = "aftersale"
  members = ["bo"]
"#;

async fn running() -> Daemon {
    Daemon::with(ROUTING, |settings| settings.auth.operators_on_public = true).await
}

fn with_second_group() -> String {
    let bound = "\n  [[seller.binding]]\n  id = \"refunds\"\n  when = { product = \"refund\" }\n  to = { group = \"aftersale\" }\n";
    format!("{ROUTING}{SECOND_GROUP}{bound}")
}

fn without(account: &str) -> String {
    let authorization = format!("  [[seller.authorization]]\n  sub_account = \"{account}\"\n  role = \"agent\"\n");
    let text = ROUTING.replace(&authorization, "");
    let text = text.replace(
        "members = [\"mei\", { sub_account = \"bo\", tier = 2 }]",
        match account {
            "mei" => "members = [\"bo\"]",
            _ => "members = [\"mei\"]",
        },
    );
    assert_ne!(text, ROUTING);
    text
}

async fn started(daemon: &Daemon, buyer: &str) -> (super::peer::Peer, Value) {
    let mut peer = daemon.buyer(buyer).await;
    let started = peer.call("conversation.start", json!({"seller": "tea", "message": text("m", "hello")})).await;
    (peer, started["conversation"].clone())
}

#[tokio::test]
async fn a_reload_without_a_change_changes_nothing() {
    let daemon = running().await;
    let mut ops = daemon.operator().await;

    let reloaded = ops.call("config.reload", json!({})).await;
    let status = ops.call("config.status", json!({})).await;

    assert_eq!(reloaded["applied"], true);
    assert_eq!(reloaded["changes"], json!([]));
    assert_eq!(reloaded["affected"]["conversations"], json!([]));
    assert_eq!((&status["generation"], &reloaded["generation"]), (&json!(1), &json!(1)));
    assert_eq!(status["groups"], 1);
}

#[tokio::test]
async fn what_waits_goes_to_a_member_whom_a_reload_adds() {
    let daemon = running().await;
    let mut ops = daemon.operator().await;
    daemon.configure(&without("bo"));
    ops.call("config.reload", json!({})).await;
    let _mei = daemon.staff("mei", "online").await;
    let mut bo = daemon.staff("bo", "away").await;
    for buyer in ["ann", "ben"] {
        assert_eq!(started(&daemon, buyer).await.1["state"], "active");
    }
    let (mut cat, waiting) = started(&daemon, "cat").await;
    assert_eq!(waiting["state"], "queued");

    daemon.configure(ROUTING);
    let reloaded = ops.call("config.reload", json!({})).await;
    bo.call("presence.set", json!({"status": "online"})).await;

    assert_eq!(reloaded["generation"], 3);
    let assigned = bo.event("conversation.assigned").await;
    assert_eq!(assigned["conversation"]["id"], waiting["id"]);
    assert_eq!(cat.event("conversation.assigned").await["conversation"]["agent"]["id"], "bo");
}

#[tokio::test]
async fn an_agent_without_authorization_loses_its_conversations_to_the_others() {
    let daemon = running().await;
    let (mut ops, mut mei) = (daemon.operator().await, daemon.staff("mei", "online").await);
    let (mut ann, conversation) = started(&daemon, "ann").await;
    let mut bo = daemon.staff("bo", "online").await;

    daemon.configure(&without("mei"));
    let rehearsed = ops.call("config.reload", json!({"dry_run": true})).await;
    let reloaded = ops.call("config.reload", json!({})).await;

    assert_eq!((&rehearsed["applied"], &reloaded["applied"]), (&json!(false), &json!(true)));
    assert_eq!((&rehearsed["changes"], &rehearsed["affected"]), (&reloaded["changes"], &reloaded["affected"]));
    let moved = json!({"conversation": conversation["id"], "seller": "tea", "from": "mei", "to": "bo"});
    assert_eq!(reloaded["affected"]["conversations"], json!([moved]));
    let unassigned = mei.event("conversation.unassigned").await;
    let without_heir = json!({"conversation": conversation["id"], "cause": "unauthorized"});
    assert_eq!(unassigned, without_heir, "who has it now is nothing to one without rights there");
    assert_eq!(bo.event("conversation.assigned").await["cause"], "unauthorized");
    ann.event("conversation.assigned").await;
    assert_eq!(ann.event("conversation.assigned").await["conversation"]["agent"]["id"], "bo");
    assert_eq!(mei.event("config.changed").await["sellers"], json!(["tea"]));
    let refused = mei.refused("conversation.get", json!({"conversation": conversation["id"]})).await;
    assert_eq!(refused["code"], -32004);
}

#[tokio::test]
async fn a_conversation_of_a_removed_group_is_the_default_groups() {
    let daemon = running().await;
    let mut ops = daemon.operator().await;
    daemon.configure(&with_second_group());
    ops.call("config.reload", json!({})).await;
    let mut mei = daemon.staff("mei", "online").await;
    let _bo = daemon.staff("bo", "online").await;
    let mut held = Vec::new();
    for buyer in ["ann", "ben", "cat"] {
        let mut peer = daemon.buyer(buyer).await;
        let start = json!({"seller": "tea", "context": {"product": "refund"}});
        held.push((peer.call("conversation.start", start).await["conversation"].clone(), peer));
    }
    assert_eq!(held[2].0["state"], "queued");
    assert_eq!(held[2].0["group"], "aftersale");

    daemon.configure(ROUTING);
    let reloaded = ops.call("config.reload", json!({})).await;

    assert_eq!(reloaded["affected"]["conversation_count"], 3);
    assert_eq!(mei.event("conversation.assigned").await["conversation"]["id"], held[2].0["id"]);
    let mut shown = Vec::new();
    for (conversation, peer) in &mut held {
        let view = peer.call("conversation.get", json!({"conversation": conversation["id"]})).await;
        shown.push((view["group"].clone(), view["agent"]["id"].clone()));
    }
    let presale = json!("presale");
    let expected = [("bo"), ("bo"), ("mei")].map(|agent| (presale.clone(), json!(agent)));
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_broken_configuration_changes_nothing_and_says_where() {
    let daemon = running().await;
    let (mut ops, _mei) = (daemon.operator().await, daemon.staff("mei", "online").await);
    let (mut ann, conversation) = started(&daemon, "ann").await;

    daemon.configure(&ROUTING.replace("default_group = \"presale\"", "default_group = \"presle\""));
    let refused = ops.refused("config.reload", json!({})).await;

    assert_eq!((&refused["code"], &refused["data"]["kind"]), (&json!(-32602), &json!("invalid_params")));
    assert_eq!(refused["data"]["diagnostics"][0]["nearest"], "presale");
    assert_eq!(ops.call("config.status", json!({})).await["generation"], 1);
    let view = ann.call("conversation.get", json!({"conversation": conversation["id"]})).await;
    assert_eq!(view["agent"]["id"], "mei");
}

#[tokio::test]
async fn a_removed_account_is_sent_away() {
    let daemon = running().await;
    let (mut ops, mut bo) = (daemon.operator().await, daemon.staff("bo", "online").await);
    let account = "[[sub_account]]\nid = \"bo\"\nname = \"Bo\"\nkind = \"staff\"\ncapacity = 2\n";

    daemon.configure(&without("bo").replace(account, ""));
    ops.call("config.reload", json!({})).await;

    assert_eq!(bo.close_code().await, 4403);
}

#[tokio::test]
async fn an_operator_unbinds_and_binds_whatever_the_files_say() {
    let daemon = running().await;
    let (mut ops, mut mei) = (daemon.operator().await, daemon.staff("mei", "online").await);
    let (_ann, conversation) = started(&daemon, "ann").await;
    let link = json!({"seller": "tea", "sub_account": "mei"});

    ops.call("account.unbind", link.clone()).await;

    assert_eq!(mei.event("conversation.unassigned").await["conversation"], conversation["id"]);
    let warnings = ops.call("config.reload", json!({})).await["warnings"].clone();
    assert!(warnings.to_string().contains("unbound by an operator"), "{warnings}");
    ops.call("account.bind", link).await;
    mei.call("presence.set", json!({"status": "online"})).await;
    assert_eq!(mei.event("conversation.assigned").await["conversation"]["id"], conversation["id"]);
}

/// A second seller; with `shared`, an outsourcer serves both.
fn two_sellers(shared: bool) -> String {
    let second = r#"
[[account]]
id = "wu"
platform = "douyin"
kind = "certified_enterprise"
certified_until = 2099-12-31

[[account]]
id = "desk"
platform = "douyin"
kind = "certified_enterprise"
certified_until = 2099-12-31

[[sub_account]]
id = "desk"
kind = "certified"

[[seller]]
id = "books"
official_account = "wu"
account = "wu"
shop = "shop-2"
licence_name = "Books"
name = "Books"
default_group = "all"

  [[seller.authorization]]
  sub_account = "desk"
  role = "agent"

  [[seller.group]]
  id = "all"
  members = ["desk"]
"#;
    let tea = if shared {
        ROUTING.replace(
            "  [[seller.group]]",
            "  [[seller.authorization]]\n  sub_account = \"desk\"\n  role = \"agent\"\n\n  [[seller.group]]",
        )
    } else {
        ROUTING.to_owned()
    };
    format!("{tea}{second}")
}

#[tokio::test]
async fn domains_that_merge_and_split_lose_no_session_and_no_message() {
    let daemon = running().await;
    let (mut ops, mut mei) = (daemon.operator().await, daemon.staff("mei", "online").await);
    let (mut ann, conversation) = started(&daemon, "ann").await;
    let send = |n: usize| {
        let mut message = text(&format!("m{n}"), "hello");
        message["conversation"] = conversation["id"].clone();
        message
    };

    for n in 0..20 {
        daemon.configure(&two_sellers(n % 2 == 0));
        ops.call("config.reload", json!({})).await;
        let sent = ann.call("message.send", send(n)).await;
        let again = ann.call("message.send", send(n)).await;
        let heard = mei.event("message.new").await;
        assert_eq!((&heard["seq"], &heard["prev"]), (&sent["seq"], &json!(n + 1)));
        assert_eq!((&again["seq"], &again["duplicate"]), (&sent["seq"], &json!(true)));
    }

    let history = mei.call("message.history", json!({"conversation": conversation["id"]})).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 21);
}

#[tokio::test]
async fn a_shop_is_removed_only_when_it_may_be_and_its_conversations_close() {
    let daemon = running().await;
    let mut ops = daemon.operator().await;
    daemon.configure(&two_sellers(true));
    ops.call("config.reload", json!({})).await;
    let mut desk = daemon.staff("desk", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let started = ann.call("conversation.start", json!({"seller": "books"})).await;
    let closed = "closure_notice_on = 2020-01-01\nstatus = \"closed\"\nid = \"books\"";

    let alone =
        ROUTING.to_owned() + &two_sellers(true)[two_sellers(true).find("\n[[account]]\nid = \"desk\"").unwrap()..];
    let alone = alone[..alone.find("[[seller]]\nid = \"books\"").unwrap()].to_owned();
    daemon.configure(&alone);
    let refused = ops.refused("config.reload", json!({})).await;
    daemon.configure(&two_sellers(true).replace("id = \"books\"", closed));
    ops.call("config.reload", json!({})).await;
    daemon.configure(&alone);
    ops.call("config.reload", json!({})).await;

    assert_eq!(refused["data"]["diagnostics"][0]["rule"], 6);
    for peer in [&mut ann, &mut desk] {
        let event = peer.event("conversation.closed").await;
        assert_eq!(
            (&event["by"], &event["conversation"]["id"]),
            (&json!("seller_removed"), &started["conversation"]["id"])
        );
    }
    let refused = ann.refused("conversation.start", json!({"seller": "books"})).await;
    assert_eq!(refused["code"], -32004);
    let view = ann.call("conversation.get", json!({"conversation": started["conversation"]["id"]})).await;
    assert_eq!(view["state"], "closed");
}

#[tokio::test]
async fn a_hundred_reloads_by_turns_valid_and_broken_drop_no_session_and_lose_no_message() {
    const TALKERS: usize = 4;
    let daemon = running().await;
    let mut ops = daemon.operator().await;
    let mut agents = vec![daemon.staff("mei", "online").await, daemon.staff("bo", "online").await];
    let mut talking = Vec::new();
    for n in 0..TALKERS {
        let (mut buyer, conversation) = started(&daemon, &format!("b{n}")).await;
        talking.push(tokio::spawn(async move {
            let mut seqs = Vec::new();
            for n in 0..100 {
                let mut message = text(&format!("n{n}"), "still there?");
                message["conversation"] = conversation["id"].clone();
                seqs.push(buyer.call("message.send", message).await["seq"].as_u64().unwrap());
            }
            (conversation["id"].clone(), seqs, buyer)
        }));
    }

    for n in 0..100 {
        match n % 4 {
            0 => daemon.configure(&two_sellers(true)),
            2 => daemon.configure(&two_sellers(false)),
            _ => daemon.configure("[[seller]]\nid = 7\n"),
        }
        if n % 2 == 0 {
            assert_eq!(ops.call("config.reload", json!({})).await["applied"], true);
        } else {
            assert!(ops.refused("config.reload", json!({})).await["data"]["diagnostics"][0]["line"].is_u64());
        }
    }

    for talk in talking {
        let (id, seqs, mut buyer) = talk.await.unwrap();
        assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
        let history = buyer.call("message.history", json!({"conversation": id, "after": 0, "limit": 200})).await;
        assert_eq!(history["messages"].as_array().unwrap().len(), 101);
    }
    for agent in &mut agents {
        assert_eq!(agent.call("presence.set", json!({"status": "online"})).await["status"], "online");
    }
}
