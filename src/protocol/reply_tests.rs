use serde_json::{Value, json};

use super::super::event::tests::{message, view};
use super::*;
use crate::model::{Sender, Visibility};

const AT: Timestamp = Timestamp::from_micros(1_700_000_000_123_456);

fn id(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn parsed(text: &Utf8Bytes) -> Value {
    serde_json::from_str(text).unwrap()
}

fn result_of(method: Method, outcome: Outcome) -> Value {
    let whole = parsed(&reply(&id("\"q\""), method, Class::Staff, &Ok(outcome)));
    assert_eq!((&whole["jsonrpc"], &whole["id"]), (&json!("2.0"), &json!("q")));
    assert!(whole.get("error").is_none());
    whole["result"].clone()
}

#[test]
fn the_id_is_echoed_byte_for_byte() {
    for text in ["1.50", "-0", "\"\\u0061\"", "123456789012345678901234567890"] {
        let written = reply(&id(text), Method::MessageTyping, Class::Buyer, &Ok(Outcome::Done));
        assert_eq!(written.as_str(), format!(r#"{{"jsonrpc":"2.0","id":{text},"result":{{}}}}"#));
    }
}

#[test]
fn a_command_is_answered_as_its_method_says() {
    let view = Arc::new(view());
    let sent = Outcome::Sent { seq: 3, at: AT, duplicate: true };

    let expected = json!({"seq": 3, "at": "2023-11-14T22:13:20.123Z", "duplicate": true});
    assert_eq!(result_of(Method::MessageSend, sent), expected);
    let shown = result_of(Method::ConversationGet, Outcome::Conversation(Arc::clone(&view)));
    assert_eq!((&shown["unread"], &shown["last_seq"], &shown["rev"]), (&json!(2), &json!(3), &json!(4)));
    assert_eq!(result_of(Method::ConversationDecline, Outcome::Conversation(Arc::clone(&view))), json!({}));
    let started = Outcome::Started { view, resumed: false, seq: Some(1) };
    let started = result_of(Method::ConversationStart, started);
    assert_eq!((&started["resumed"], &started["seq"]), (&json!(false), &json!(1)));
    assert_eq!(result_of(Method::PresenceSet, Outcome::Status(Status::Away)), json!({"status": "away"}));
    let desk = result_of(Method::DeskView, Outcome::Desk(Arc::default()));
    assert_eq!(desk["today"]["median_wait_s"], Value::Null);
}

#[test]
fn a_refusal_is_an_error_and_nothing_else() {
    let whole = parsed(&reply(&id("1"), Method::ConversationClaim, Class::Staff, &Err(Refusal::AtCapacity)));

    assert_eq!((&whole["error"]["code"], &whole["error"]["data"]["reason"]), (&json!(-32_009), &json!("at_capacity")));
    assert!(whole.get("result").is_none());
    assert_eq!(parsed(&error_reply(None, &RpcError::parse("x")))["id"], Value::Null);
}

#[test]
fn pages_are_written_whole() {
    let messages = [message(Sender::System, Visibility::All), message(Sender::System, Visibility::All)];

    let page = parsed(&history(&id("1"), Class::Buyer, &messages, true));
    let empty = parsed(&history(&id("1"), Class::Buyer, &[], false));
    let listed = parsed(&list(&id("1"), Class::Buyer, &[Arc::new(view())], Some(ConversationId(9))));

    assert_eq!(page["result"]["messages"].as_array().unwrap().len(), 2);
    assert_eq!(empty["result"], json!({"messages": [], "more": false}));
    assert_eq!(listed["result"]["next"], ConversationId(9).to_string());
}

#[test]
fn a_page_of_long_messages_is_cut_where_it_can_be_read_on() {
    use crate::protocol::Range;
    let long = |seq| routing::Message {
        seq,
        body: crate::model::Body::from_checked(format!("\"{}\"", "x".repeat(100_000))),
        ..message(Sender::System, Visibility::All)
    };
    let page: Vec<_> = (1..=10).map(long).collect();
    let cut = |range| {
        let mut page = page.clone();
        let more = shorten(&mut page, range);
        (page.iter().map(|message| message.seq).collect::<Vec<_>>(), more)
    };

    assert_eq!(cut(Range::After(0)), (vec![1, 2, 3, 4], true));
    assert_eq!(cut(Range::Before(11)), (vec![7, 8, 9, 10], true));
    assert!(!shorten(&mut vec![long(1)], Range::After(0)));
    assert!(!shorten(&mut Vec::new(), Range::Before(1)));
}

#[test]
fn a_batch_is_answered_by_a_batch_or_by_nothing() {
    assert_eq!(batch(&[]), None);
    assert_eq!(batch(&["1".into(), "2".into()]).unwrap().as_str(), "[1,2]");
}
