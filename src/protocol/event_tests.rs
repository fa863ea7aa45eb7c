use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::model::{Body, BuyerKey, ConversationId, State};
use crate::routing::{By, Cause, LeftReason, OfferEnd, Overdue, Place, PresenceCause, Profile, Seen, View};

const ID: ConversationId = ConversationId(1);
const AT: Timestamp = Timestamp::from_micros(1_700_000_000_123_456);

pub(in crate::protocol) fn view() -> View {
    View {
        id: ID,
        rev: 4,
        seller: "tea".into(),
        buyer: Arc::new(Profile {
            key: key(),
            name: Some("Bao".into()),
            attributes: vec![("level".into(), vec!["gold".into()]), ("tags".into(), vec!["a".into(), "b".into()])],
        }),
        state: State::Offered,
        agent: Some(("mei".into(), "Mei".into())),
        group: Some("presale".into()),
        priority: 3,
        queue: None,
        offer: Some(AT + Duration::from_secs(20)),
        at: AT,
        reason: None,
        context: Arc::from([("product".into(), "p-1".into())]),
        entry: "shop-881".into(),
        started_at: AT,
        assigned_at: None,
        cause: None,
        first_reply_at: None,
        closed_at: None,
        for_buyer: Seen { last_seq: 2, unread: 1 },
        for_staff: Seen { last_seq: 3, unread: 2 },
        rating: None,
    }
}

fn key() -> BuyerKey {
    BuyerKey { within: None, sub: "b-1".into() }
}

pub(in crate::protocol) fn message(sender: Sender, visibility: Visibility) -> routing::Message {
    routing::Message {
        conversation: ID,
        seq: 7,
        prev_for_buyer: 4,
        sender,
        name: Some("名 \"q\"".into()),
        body: Body::from_checked(r#"{"type":"text","text":"hi"}"#),
        visibility,
        client_id: Some("c-1".into()),
        at: AT,
    }
}

pub(in crate::protocol) fn every_notice() -> Vec<Notice> {
    let view = Arc::new(view());
    vec![
        Notice::Queued { conversation: ID, group: "g".into(), place: Place { position: 2, estimated_wait: Some(9) } },
        Notice::Offered { view: Arc::clone(&view) },
        Notice::OfferEnded { conversation: ID, why: OfferEnd::Timeout },
        Notice::Assigned { view: Arc::clone(&view), cause: Cause::SlotOpened, note: Some("n".into()) },
        Notice::Unassigned { conversation: ID, cause: Cause::Transfer, to: Some("bo".into()) },
        Notice::LeftMessage { conversation: ID, reason: LeftReason::QueueFull, text: None },
        Notice::Overdue { conversation: ID, waiting: Duration::from_millis(100_500), level: Overdue::Warning },
        Notice::Closed { view: Arc::clone(&view), by: By::Idle, reason: Some("idle".into()) },
        Notice::Reopened { view, by: By::Buyer },
        Notice::Message(message(Sender::System, Visibility::All)),
        Notice::Read { conversation: ID, by: Side::Buyer(key()), seq: 3 },
        Notice::Typing { conversation: ID, by: Side::Agent("mei".into()), on: true },
        Notice::BuyerPresence { conversation: ID, online: false, since: AT },
        Notice::Presence {
            agent: "mei".into(),
            status: Status::Away,
            cause: PresenceCause::Paused,
            seller: Some("tea".into()),
        },
        Notice::DeskChanged { desk: Arc::default() },
    ]
}

fn params_of(notice: &Notice, class: Class) -> Value {
    let whole: Value = serde_json::from_str(&event(notice, class)).unwrap();
    assert_eq!(whole["jsonrpc"], "2.0");
    assert_eq!(whole["method"], name(notice));
    assert!(whole.get("id").is_none());
    whole["params"].clone()
}

#[test]
fn every_event_is_a_notification_with_an_object() {
    for notice in every_notice() {
        for class in [Class::Buyer, Class::Staff] {
            assert!(params_of(&notice, class).is_object(), "{notice:?}");
        }
    }
}

#[test]
fn events_have_the_members_of_the_protocol() {
    let id = ID.to_string();
    let notices = every_notice();
    let params = |at: usize| params_of(&notices[at], Class::Staff);

    assert_eq!(params(0), json!({"conversation": id, "group": "g", "position": 2, "estimated_wait_s": 9}));
    assert_eq!(params(2), json!({"conversation": id, "why": "timeout"}));
    assert_eq!(params(4), json!({"conversation": id, "cause": "transfer", "to": "bo"}));
    assert_eq!(params(5), json!({"conversation": id, "reason": "queue_full"}));
    assert_eq!(params(6), json!({"conversation": id, "waiting_s": 100.5, "level": "warning"}));
    assert_eq!(params(7)["reason"], "idle");
    assert_eq!(params(8)["by"], "buyer");
    assert_eq!(params(10), json!({"conversation": id, "by": "buyer", "seq": 3}));
    assert_eq!(params(11), json!({"conversation": id, "by": "agent", "on": true}));
    assert_eq!(params(13), json!({"sub_account": "mei", "status": "away", "cause": "paused", "seller": "tea"}));
}

#[test]
fn attributes_notes_and_offers_are_for_staff() {
    let assigned = &every_notice()[3];

    let (staff, buyer) = (params_of(assigned, Class::Staff), params_of(assigned, Class::Buyer));

    assert_eq!(staff["note"], "n");
    assert!(buyer.get("note").is_none());
    assert_eq!(staff["conversation"]["buyer"]["attrs"], json!({"level": "gold", "tags": ["a", "b"]}));
    assert!(buyer["conversation"]["buyer"].get("attrs").is_none());
    assert_eq!(staff["conversation"]["offer"], json!({"expires_at": "2023-11-14T22:13:40.123Z", "expires_in_s": 20.0}));
    assert!(buyer["conversation"].get("offer").is_none());
    assert_eq!((&staff["conversation"]["last_seq"], &buyer["conversation"]["last_seq"]), (&json!(3), &json!(2)));
    assert!(staff["conversation"].get("unread").is_none());
}

#[test]
fn a_message_is_written_for_each_side() {
    let told = |sender, visibility, class| params_of(&Notice::Message(message(sender, visibility)), class);
    let agent = || Sender::Agent("mei".into());

    let buyer = told(agent(), Visibility::All, Class::Buyer);
    let staff = told(agent(), Visibility::Staff, Class::Staff);
    let own = told(Sender::Buyer(key()), Visibility::All, Class::Buyer);

    let expected = json!({
        "conversation": ID.to_string(), "seq": 7, "prev": 4, "from": {"kind": "agent", "id": "mei", "name": "名 \"q\""},
        "body": {"type": "text", "text": "hi"}, "at": "2023-11-14T22:13:20.123Z",
    });
    assert_eq!(buyer, expected);
    assert_eq!(
        (&staff["prev"], &staff["visibility"], &staff["client_id"]),
        (&json!(6), &json!("staff"), &json!("c-1"))
    );
    assert_eq!((&own["client_id"], &own["from"]["id"]), (&json!("c-1"), &json!("b-1")));
    assert_eq!(
        told(Sender::System, Visibility::All, Class::Buyer)["from"],
        json!({"kind": "system", "name": "名 \"q\""})
    );
}

#[test]
fn a_sessions_own_events_are_notifications() {
    for text in
        [expiring(AT, Duration::from_secs(60)), draining(Duration::from_secs(1)), config_changed(2, &["tea".into()])]
    {
        let whole: Value = serde_json::from_str(&text).unwrap();
        assert!(whole["params"].is_object() && whole["method"].is_string());
    }
}
