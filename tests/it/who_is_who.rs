//! Who comes in, as whom and for how long.

use std::time::Duration;

use fenliu::auth::Role;
use serde_json::json;

use crate::peer::{Daemon, Peer, members};
use crate::shops::ROUTING;

#[tokio::test]
async fn anything_before_session_open_is_unauthenticated() {
    let daemon = Daemon::start().await;
    let mut peer = Peer::connect(&daemon).await;

    assert_eq!(peer.refused("session.ping", json!({})).await["data"]["kind"], "unauthenticated");
    assert!(peer.call("rpc.discover", json!({})).await["openrpc"].is_string());
}

#[tokio::test]
async fn the_subprotocol_is_selected_if_offered_and_not_needed() {
    let daemon = Daemon::start().await;
    let selected = |response: &tokio_tungstenite::tungstenite::handshake::client::Response| {
        response.headers().get("sec-websocket-protocol").cloned()
    };

    let (_, none) = Peer::upgrade(&daemon, &[]).await.unwrap();
    let (_, ours) = Peer::upgrade(&daemon, &[("sec-websocket-protocol", "other, fenliu.v1")]).await.unwrap();
    let other = Peer::upgrade(&daemon, &[("sec-websocket-protocol", "other")]).await.err();

    assert_eq!(selected(&none), None);
    assert_eq!(selected(&ours).unwrap(), "fenliu.v1");
    assert_eq!(other, Some(400));
}

#[tokio::test]
async fn a_token_in_the_upgrade_request_needs_none_in_session_open() {
    let daemon = Daemon::start().await;
    let token = format!("Bearer {}", daemon.token(Role::Staff, "mei", |_| {}));

    let wrong = Peer::upgrade(&daemon, &[("authorization", "Bearer wrong")]).await.err();
    let (mut peer, _) = Peer::upgrade(&daemon, &[("authorization", &token)]).await.unwrap();
    let before = peer.denied("session.ping", json!({})).await;
    let opened = peer.call("session.open", json!({"status": "online"})).await;

    assert_eq!(wrong, Some(401));
    assert_eq!(before, "unauthenticated");
    assert_eq!(opened["identity"]["id"], "mei");
    assert_eq!(opened["status"], "online");
}

#[tokio::test]
async fn a_session_opens_once_and_says_everything_that_a_client_needs() {
    let daemon = Daemon::start().await;
    let mut ann = daemon.buyer("ann").await;
    let helper = daemon.staff("helpco", "away").await;
    let main = daemon.staff("lin", "away").await;

    let all = ["conversations", "heartbeat_s", "identity", "limits", "server", "session"];
    assert_eq!(members(&ann.opened), all);
    assert_eq!(ann.opened["identity"], json!({"role": "buyer", "id": "ann", "name": "ann"}));
    assert_eq!(ann.denied("session.open", json!({})).await, "conflict already_open");
    let sellers = helper.opened["identity"]["sellers"].as_array().unwrap();
    let of = |member: &str| sellers.iter().map(|seller| seller[member].clone()).collect::<Vec<_>>();
    assert_eq!(of("seller"), ["tea", "tin"]);
    assert_eq!(of("groups"), [json!(["asks"]), json!(["g"])]);
    assert_eq!(of("in_force"), [true, true]);
    assert_eq!(members(&sellers[0]), ["groups", "in_force", "name", "role", "scopes", "seller", "transfer_to"]);
    let groups = sellers[0]["transfer_to"]["groups"].as_array().unwrap();
    assert!(groups.contains(&json!({"group": "asks", "name": "asks"})), "{groups:?}");
    assert_eq!(main.opened["identity"]["sellers"][0]["role"], "seller");
    assert_eq!(main.opened["status"], "away");
}

#[tokio::test]
async fn the_reply_to_an_agent_is_as_long_among_many_colleagues_as_among_few() {
    let reply = async |colleagues: usize| {
        let daemon = Daemon::with(&shop_with(colleagues), |_| {}).await;
        let opened = daemon.staff("mei", "online").await.opened;
        assert_eq!(opened["identity"]["sellers"][0]["transfer_to"], json!({"groups": [{"group": "g", "name": "g"}]}));
        opened["identity"].to_string()
    };

    let (few, many) = (reply(1).await, reply(500).await);

    assert_eq!(few, many);
}

#[tokio::test]
async fn a_refused_open_leaves_the_connection_open() {
    let daemon = Daemon::start().await;
    let mut peer = Peer::connect(&daemon).await;
    let operator = daemon.token(Role::Operator, "ops", |_| {});
    let nobody = daemon.token(Role::Staff, "nobody", |_| {});

    for params in [json!({}), json!({"token": "x"}), json!({"token": operator}), json!({"token": nobody})] {
        assert_eq!(peer.denied("session.open", params.clone()).await, "unauthenticated", "{params}");
    }
    assert_eq!(peer.denied("session.open", json!({"visitor": {"shop": "shop-1"}})).await, "unauthenticated");
    assert_eq!(peer.denied("session.open", json!({"tokn": "x"})).await, "invalid_params tokn");
    assert_eq!(peer.denied("session.open", json!({"client": {"name": "n", "x": 1}})).await, "invalid_params client.x");
    let token = daemon.token(Role::Buyer, "ann", |_| {});
    assert_eq!(peer.call("session.open", json!({"token": token})).await["identity"]["id"], "ann");
}

#[tokio::test]
async fn who_does_not_say_who_it_is_is_closed_and_so_is_who_stays_too_long() {
    let daemon = Daemon::with(ROUTING, |settings| settings.limits.open_timeout = Duration::from_millis(100)).await;
    let mut nobody = Peer::connect(&daemon).await;

    assert_eq!(nobody.close_code().await, 4401);

    let token = daemon.short_token(Role::Buyer, "ann", Duration::from_secs(2));
    let mut ann = daemon.open(json!({"token": token})).await;
    let expiring = ann.event("session.expiring").await;
    assert_eq!(members(&expiring), ["expires_at", "expires_in_s"]);
    assert_eq!(ann.close_code().await, 4401);
}

#[tokio::test]
async fn a_new_token_of_the_same_person_keeps_the_session() {
    let daemon = Daemon::start().await;
    let token = daemon.short_token(Role::Buyer, "ann", Duration::from_secs(2));
    let mut ann = daemon.open(json!({"token": token})).await;
    let others = [daemon.token(Role::Buyer, "bea", |_| {}), daemon.token(Role::Staff, "mei", |_| {})];

    ann.event("session.expiring").await;
    for other in others {
        assert_eq!(ann.denied("session.refresh", json!({"token": other})).await, "unauthenticated");
    }
    let refreshed = ann.call("session.refresh", json!({"token": daemon.token(Role::Buyer, "ann", |_| {})})).await;
    assert_eq!(members(&refreshed), ["expires_at"]);
    let token = daemon.short_token(Role::Buyer, "ann", Duration::from_secs(2));
    ann.call("session.refresh", json!({"token": token})).await;
    ann.event("session.expiring").await;
    assert_eq!(ann.close_code().await, 4401);
}

#[tokio::test]
async fn a_visitor_is_given_a_token_and_only_so_many_come_from_one_address() {
    let daemon = Daemon::with(ROUTING, |settings| settings.auth.visitors = true).await;
    let mut visitor = daemon.open(json!({"visitor": {"shop": "shop-1"}})).await;
    let token = visitor.opened["token"].clone();

    let here = visitor.call("conversation.start", json!({"shop": "shop-1"})).await;
    let elsewhere = visitor.denied("conversation.start", json!({"shop": "shop-2"})).await;
    let again = daemon.open(json!({"token": token})).await;

    assert_eq!(elsewhere, "not_found");
    assert_eq!(again.opened["identity"]["id"], visitor.opened["identity"]["id"]);
    assert_eq!(again.opened["conversations"][0]["id"], here["conversation"]["id"]);
    let mut peer = Peer::connect(&daemon).await;
    assert_eq!(peer.denied("session.open", json!({"visitor": {"shop": "shop-9"}})).await, "not_found");
    let limited = loop {
        let mut peer = Peer::connect(&daemon).await;
        peer.post("session.open", json!({"visitor": {"shop": "shop-1"}})).await;
        let reply = peer.reply().await;
        if reply.get("error").is_some() {
            break reply["error"].clone();
        }
    };
    assert_eq!(limited["code"], -32029);
    assert!(limited["data"]["retry_after_ms"].as_u64().is_some());
}

#[tokio::test]
async fn a_session_that_is_closed_as_asked_ends_with_1000() {
    let daemon = Daemon::start().await;
    let mut ann = daemon.buyer("ann").await;

    assert_eq!(ann.call("session.close", json!({})).await, json!({}));
    assert_eq!(ann.close_code().await, 1000);
}

#[tokio::test]
async fn an_operator_comes_in_where_that_is_allowed_and_reads_everything() {
    let daemon = Daemon::with(ROUTING, |settings| settings.auth.operators_on_public = true).await;
    let mut operator = daemon.operator().await;
    let mut ann = daemon.buyer("ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();

    assert_eq!(operator.opened["identity"]["role"], "operator");
    assert_eq!(operator.call("conversation.get", json!({"conversation": id})).await["id"], id);
    assert_eq!(operator.call("conversation.list", json!({})).await["conversations"][0]["id"], id);
    assert_eq!(operator.denied("presence.set", json!({"status": "online"})).await, "forbidden");
    assert_eq!(ann.denied("config.status", json!({})).await, "forbidden");
}

#[tokio::test]
async fn a_token_that_session_open_would_refuse_is_refused_at_the_upgrade() {
    let daemon = Daemon::start().await;

    for token in [daemon.token(Role::Operator, "ops", |_| {}), daemon.token(Role::Staff, "nobody", |_| {})] {
        let refused = Peer::upgrade(&daemon, &[("authorization", &format!("Bearer {token}"))]).await.err();
        assert_eq!(refused, Some(401));
    }
}

#[tokio::test]
async fn a_key_speaks_for_its_roles_and_sellers_only() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), SECRET).unwrap();
    let key = json!({"kid": "tea-1", "alg": "HS256", "secret_file": secret.path(), "roles": ["buyer", "staff"],
        "sellers": ["tea"]});
    let daemon = Daemon::with(ROUTING, |settings| {
        settings.auth.keys = vec![serde_json::from_value(key).unwrap()];
        settings.auth.dev_tokens = true;
    })
    .await;
    let token = |role: &str, sub: &str| {
        let exp = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 3600;
        let claims = json!({"aud": "fenliu", "role": role, "sub": sub, "exp": exp});
        json!({"token": signed("tea-1", &claims)})
    };

    let mut ann = daemon.open(token("buyer", "ann")).await;
    let mut shared = daemon.open(token("staff", "helpco")).await;
    let mut nobody = Peer::connect(&daemon).await;
    let mut same_name = daemon.buyer("ann").await;

    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
    assert_eq!(ann.denied("conversation.start", json!({"seller": "tin"})).await, "not_found");
    assert_eq!(same_name.denied("conversation.get", json!({"conversation": id})).await, "not_found");
    assert_eq!(same_name.call("conversation.list", json!({})).await["conversations"], json!([]));
    let sellers = shared.opened["identity"]["sellers"].as_array().unwrap();
    assert_eq!(sellers.iter().map(|seller| &seller["seller"]).collect::<Vec<_>>(), ["tea"]);
    assert_eq!(shared.denied("conversation.list", json!({"seller": "tin"})).await, "not_found");
    for (role, sub) in [("staff", "tom"), ("operator", "ops")] {
        assert_eq!(nobody.denied("session.open", token(role, sub)).await, "unauthenticated", "{role} {sub}");
    }
}

const SECRET: &str = "a secret of the tea house, 32 bytes at least";

/// A token signed with the secret of a shop.
fn signed(kid: &str, claims: &serde_json::Value) -> String {
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some(kid.to_owned());
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

/// A shop where so many serve, one of them mei.
fn shop_with(people: usize) -> String {
    let named = |number: usize| if number == 0 { "mei".to_owned() } else { format!("clerk{number}") };
    let members: Vec<_> = (0..people).map(named).collect();
    let each = members.iter().map(|id| {
        format!(
            "[[sub_account]]\nid = \"{id}\"\nname = \"{id}\"\nkind = \"staff\"\ncapacity = 2\n\
             [[seller.authorization]]\nsub_account = \"{id}\"\nrole = \"agent\"\n"
        )
    });
    let shop = r#"
[[account]]
id = "lin"
platform = "douyin"
kind = "certified_enterprise"
status = "normal"
certified_until = 2099-12-31
[[seller]]
id = "tea"
name = "Tea"
account = "lin"
status = "open"
shop = "s"
licence_name = "Tea"
default_group = "g"
"#;
    let each: String = each.collect();
    format!("{shop}{each}[[seller.group]]\nid = \"g\"\nname = \"g\"\nmembers = {members:?}\n")
}
