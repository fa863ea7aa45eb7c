//! What the daemon logs, at the loudest: whoever came and went, and never what they said or what they hold.

use std::sync::Arc;

use fenliu::auth::Role;
use serde_json::{Value, json};

use crate::host::{Peer, Process};

#[tokio::test]
async fn at_the_loudest_the_log_has_who_came_and_went_and_no_token_secret_or_body() {
    let daemon = Process::with(&[("FENLIU_LOG", "trace"), ("FENLIU_LOG_FORMAT", "json")]);
    let (mei_token, ann_token) = (daemon.token(Role::Staff, "mei"), daemon.token(Role::Buyer, "ann"));

    let mut mei = Peer::connect(daemon.address).await;
    mei.call("session.open", json!({"token": mei_token, "status": "online"})).await;
    let mut ann = Peer::connect(daemon.address).await;
    ann.refused("session.open", json!({"token": format!("{ann_token}x")})).await;
    ann.call("session.open", json!({"token": ann_token})).await;
    talk(&mut mei, &mut ann).await;
    ann.call("session.close", json!({})).await;
    ann.close_code().await;
    let secret = std::fs::read_to_string(daemon.folder().join("data/secret")).unwrap();
    let log = Arc::clone(&daemon.log);
    daemon.signal("TERM");
    mei.close_code().await;
    assert_eq!(daemon.ended().await.code(), Some(0));
    while !log.lock().unwrap().contains("\"stopped\"") {
        std::thread::yield_now();
    }

    let log = log.lock().unwrap().clone();
    for unsaid in ["was-said", secret.trim()].into_iter().chain(mei_token.split('.')).chain(ann_token.split('.')) {
        assert!(!log.contains(unsaid), "{unsaid} is in the log");
    }
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
    let (opened, ended) = (of("a session is open"), of("a connection has ended"));
    assert_eq!((&opened[0]["role"], &opened[0]["id"]), (&json!("staff"), &json!("mei")));
    assert_eq!((&opened[0]["level"], &ended[0]["level"]), (&json!("DEBUG"), &json!("DEBUG")));
    let codes: Vec<_> = ended.iter().map(|line| line["code"].as_u64().unwrap()).collect();
    assert_eq!(codes, [1000, 1001]);
    assert_eq!(ended[0]["session"], opened[1]["session"]);
    assert_eq!(of("a token is refused").len(), 1);
    assert!(of("a request").iter().any(|line| line["method"] == "message.send"));
    assert_eq!((of("started").len(), &of("started")[0]["level"]), (1, &json!("INFO")));
}

/// Everything that people can say, each with words that must not be found again.
async fn talk(mei: &mut Peer, ann: &mut Peer) {
    let said = |words: &str| json!({"client_id": words, "body": {"type": "text", "text": format!("{words}-was-said")}});
    let start = json!({"seller": "tea", "message": said("first"), "context": {"order": "order-was-said"}});
    let id = ann.call("conversation.start", start).await["conversation"]["id"].clone();
    let in_it = |mut message: Value| {
        message["conversation"] = id.clone();
        message
    };
    ann.call("message.send", in_it(said("second"))).await;
    let mut note = in_it(said("note"));
    note["visibility"] = json!("staff");
    mei.call("message.send", note).await;
    mei.refused("message.send", in_it(json!({"wrong-was-said": "wrong-was-said"}))).await;
    ann.call("conversation.close", in_it(json!({"reason": "reason-was-said"}))).await;
    ann.call("conversation.rate", in_it(json!({"score": 5, "comment": "comment-was-said"}))).await;
}
