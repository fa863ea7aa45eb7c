//! Messages: their numbers, who sees them, and that each counts once.

use fenliu::config::settings::StoreKind;
use serde_json::{Value, json};

use crate::peer::{Daemon, Peer, members, message, text};
use crate::shops::ROUTING;

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

/// Mei and Ann, and their conversation with a first message.
async fn talking(daemon: &Daemon) -> (Peer, Peer, Value) {
    let mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer_with("ann", "Ann", &[]).await;
    let start = json!({"seller": "tea", "message": text("c1", "hello")});
    let id = ann.call("conversation.start", start).await["conversation"]["id"].clone();
    (mei, ann, id)
}

#[tokio::test]
async fn the_same_message_sent_twice_at_once_is_one_message() {
    let daemon = Daemon::with(ROUTING, |settings| settings.store.kind = StoreKind::Sqlite).await;
    let (mut mei, mut ann, id) = talking(&daemon).await;
    let mut other = daemon.buyer("ann").await;

    for n in 0..20 {
        let again = message(&id, &format!("m{n}"), "once");
        ann.post("message.send", again.clone()).await;
        other.post("message.send", again.clone()).await;
        ann.post("message.send", again).await;
        let replies = [ann.reply().await, ann.reply().await, other.reply().await];
        let (seqs, fresh): (Vec<_>, Vec<_>) =
            replies.iter().map(|reply| (&reply["result"]["seq"], &reply["result"]["duplicate"])).unzip();

        assert!(seqs.iter().all(|seq| **seq == json!(n + 2)), "{seqs:?}");
        assert_eq!(fresh.iter().filter(|duplicate| **duplicate == false).count(), 1, "{fresh:?}");
        assert_eq!(mei.event("message.new").await["seq"], n + 2);
    }
    assert!(!mei.heard().await.contains(&"message.new".to_owned()));
}

#[tokio::test]
async fn a_message_goes_to_every_session_but_the_one_that_sent_it() {
    let daemon = Daemon::start().await;
    let (mut mei, mut ann, id) = talking(&daemon).await;
    let mut also_mei = daemon.staff("mei", "online").await;
    mei.heard().await;

    let sent = mei.call("message.send", message(&id, "m1", "hi")).await;
    let to_ann = ann.event("message.new").await;
    let to_mei = also_mei.event("message.new").await;

    assert_eq!(members(&sent), ["at", "duplicate", "seq"]);
    assert_eq!(members(&to_ann), ["at", "body", "conversation", "from", "prev", "seq"]);
    assert_eq!(members(&to_mei), ["at", "body", "client_id", "conversation", "from", "prev", "seq"]);
    assert_eq!(to_ann["from"], json!({"kind": "agent", "id": "mei", "name": "Mei"}));
    assert_eq!(mei.heard().await, [""; 0]);
}

#[tokio::test]
async fn a_note_takes_a_number_and_the_buyer_sees_no_gap() {
    let daemon = Daemon::start().await;
    let (mut mei, mut ann, id) = talking(&daemon).await;
    let mut note = message(&id, "n", "between us");
    note["visibility"] = json!("staff");

    let refused = ann.denied("message.send", note.clone()).await;
    let noted = mei.call("message.send", note.clone()).await;
    mei.call("message.send", message(&id, "m", "for you")).await;
    let heard = ann.event("message.new").await;
    note["visibility"] = json!("all");
    let reused = mei.denied("message.send", note).await;

    assert_eq!(refused, "forbidden");
    assert_eq!(noted["seq"], 2);
    assert_eq!((&heard["seq"], &heard["prev"]), (&json!(3), &json!(1)));
    assert_eq!(reused, "conflict client_id_reused");
    let seen = |history: &Value| {
        let messages = history["messages"].as_array().unwrap().iter();
        messages.map(|m| (m["seq"].as_u64().unwrap(), m["prev"].as_u64().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(seen(&ann.call("message.history", json!({"conversation": id})).await), [(1, 0), (3, 1)]);
    assert_eq!(seen(&mei.call("message.history", json!({"conversation": id})).await), [(1, 0), (2, 1), (3, 2)]);
    assert_eq!(ann.call("conversation.get", json!({"conversation": id})).await["unread"], 1);
}

#[tokio::test]
async fn a_history_is_read_forwards_and_backwards() {
    let daemon = Daemon::start().await;
    let (mut mei, mut ann, id) = talking(&daemon).await;
    for n in 2..=5 {
        let mut message = message(&id, &format!("m{n}"), "words");
        if n == 4 {
            message["visibility"] = json!("staff");
        }
        mei.call("message.send", message).await;
    }

    for (range, expected, more) in [
        (json!({"after": 0, "limit": 2}), vec![1, 2], true),
        (json!({"after": 2}), vec![3, 5], false),
        (json!({"after": 3, "limit": 1}), vec![5], false),
        (json!({"after": 5}), vec![], false),
        (json!({"before": 5, "limit": 2}), vec![2, 3], true),
        (json!({"before": 5}), vec![1, 2, 3], false),
        (json!({"before": 1}), vec![], false),
        (json!({"limit": 1}), vec![5], true),
    ] {
        let mut params = range.clone();
        params["conversation"] = id.clone();
        let page = ann.call("message.history", params).await;
        let seqs: Vec<_> = page["messages"].as_array().unwrap().iter().map(|m| m["seq"].as_u64().unwrap()).collect();
        assert_eq!((seqs, &page["more"]), (expected, &json!(more)), "{range}");
    }
    let both = ann.denied("message.history", json!({"conversation": id, "after": 1, "before": 3})).await;
    assert_eq!(both, "invalid_params before");
    let limit = ann.denied("message.history", json!({"conversation": id, "limit": 201})).await;
    assert_eq!(limit, "invalid_params limit");
}

#[tokio::test]
async fn a_read_mark_only_goes_up_and_is_no_revision() {
    let daemon = Daemon::start().await;
    let (mut mei, mut ann, id) = talking(&daemon).await;
    for n in 2..=3 {
        mei.call("message.send", message(&id, &format!("m{n}"), "words")).await;
    }
    let before = ann.call("conversation.get", json!({"conversation": id})).await;
    mei.heard().await;

    assert_eq!(ann.call("message.read", json!({"conversation": id, "seq": 2})).await, json!({}));
    ann.call("message.read", json!({"conversation": id, "seq": 1})).await;
    let after = ann.call("conversation.get", json!({"conversation": id})).await;
    ann.call("message.read", json!({"conversation": id, "seq": 99})).await;

    assert_eq!(mei.event("message.read").await, json!({"conversation": id, "by": "buyer", "seq": 2}));
    assert_eq!(mei.event("message.read").await["seq"], 3);
    assert_eq!((&before["unread"], &after["unread"]), (&json!(2), &json!(1)));
    assert_eq!(before["rev"], after["rev"]);
    mei.call("message.typing", json!({"conversation": id, "on": true})).await;
    assert_eq!(ann.event("message.typing").await, json!({"conversation": id, "by": "agent", "on": true}));
    assert_eq!(mei.heard().await, [""; 0]);
}

#[tokio::test]
async fn a_text_is_measured_in_characters_and_a_body_member_by_member() {
    let daemon = Daemon::with(ROUTING, |settings| settings.limits.text = 5).await;
    let (_mei, mut ann, id) = talking(&daemon).await;
    let send = |body: Value| json!({"conversation": id, "client_id": "x", "body": body});

    for (body, expected) in [
        (json!({"type": "text", "text": "一二三四五六"}), "too_large body.text"),
        (json!({"type": "text", "text": ""}), "invalid_params body.text"),
        (json!({"type": "text", "text": "a", "extra": 1}), "invalid_params body.extra"),
        (json!({"type": "video"}), "invalid_params body.type"),
        (json!({"type": "image", "url": "http://a.example/b"}), "invalid_params body.url"),
        (json!({"type": "order"}), "invalid_params body.id"),
        (json!("text"), "invalid_params body"),
    ] {
        assert_eq!(ann.denied("message.send", send(body.clone())).await, expected, "{body}");
    }
    assert_eq!(ann.call("message.send", send(json!({"type": "text", "text": "𝟙𝟚𝟛𝟜𝟝"}))).await["seq"], 2);
}
