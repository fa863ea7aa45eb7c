use super::*;
use crate::protocol::Kind;

const LIMITS: Limits = Limits { depth: 64, batch: 50, text: 20 };
const ID: &str = "00000000-0000-7000-8000-000000000001";

fn call(method: &str, params: &str) -> Result<Call, (Kind, String)> {
    let params = RawValue::from_string(params.replace("ID", &format!("\"{ID}\""))).unwrap();
    let method = Method::parse(method).unwrap();
    parse_call(method, Some(&params), &LIMITS).map_err(|e| (e.kind(), e.path().unwrap_or_default().to_owned()))
}

fn message_of(method: &str, params: &str) -> String {
    let params = RawValue::from_string(params.to_owned()).unwrap();
    parse_call(Method::parse(method).unwrap(), Some(&params), &LIMITS).unwrap_err().message().to_owned()
}

#[test]
fn missing_and_empty_params_are_the_same() {
    for params in ["{}", "[]", "[ ]", "{ }"] {
        assert!(matches!(call("session.ping", params), Ok(Call::Ping)), "{params}");
    }
    assert!(matches!(parse_call(Method::SessionPing, None, &LIMITS), Ok(Call::Ping)));
    assert_eq!(call("session.ping", "[1]").unwrap_err().0, Kind::InvalidParams);
}

#[test]
fn the_wrong_member_is_named() {
    let cases = [
        ("session.ping", r#"{"x":1}"#, "x"),
        ("message.send", r#"{"conversation":ID,"client_id":"a"}"#, "body"),
        ("message.send", r#"{"conversation":ID,"client_id":"a","body":{"type":"text","text":1}}"#, "body.text"),
        ("message.send", r#"{"conversation":ID,"client_id":"a","body":{"type":"text"}}"#, "body.text"),
        ("message.send", r#"{"conversation":ID,"client_id":"a","body":{"type":"song"}}"#, "body.type"),
        ("message.send", r#"{"conversation":ID,"client_id":"a","body":{"text":"a"}}"#, "body.type"),
        ("message.send", r#"{"conversation":ID,"client_id":"a","body":["text","a"]}"#, "body"),
        (
            "message.send",
            r#"{"conversation":ID,"client_id":"a","body":{"type":"text","text":"a","tpye":1}}"#,
            "body.tpye",
        ),
        ("message.send", r#"{"conversation":ID,"client_id":"","body":{"type":"text","text":"a"}}"#, "client_id"),
        ("message.send", r#"{"conversation":5,"client_id":"","body":{"type":"text","text":"a"}}"#, "conversation"),
        ("message.history", r#"{"conversation":ID,"after":1,"before":2}"#, "before"),
        ("message.history", r#"{"conversation":ID,"limit":201}"#, "limit"),
        ("message.history", r#"{"conversation":ID,"limit":0}"#, "limit"),
        ("message.history", r#"{"conversation":ID,"after":-1}"#, "after"),
        ("conversation.rate", r#"{"conversation":ID,"score":6}"#, "score"),
        ("conversation.rate", r#"{"conversation":ID,"score":0}"#, "score"),
        ("conversation.rate", r#"{"conversation":ID,"score":300}"#, "score"),
        ("conversation.start", r#"{}"#, "seller"),
        ("conversation.start", r#"{"seller":"a","shop":"b"}"#, "seller"),
        ("conversation.start", r#"{"seller":"a","context":{"k":1}}"#, "context.k"),
        (
            "conversation.start",
            r#"{"seller":"a","message":{"client_id":"a","body":{"type":"text","text":""}}}"#,
            "message.body.text",
        ),
        ("conversation.transfer", r#"{"conversation":ID,"to":{}}"#, "to"),
        ("conversation.transfer", r#"{"conversation":ID,"to":{"group":"a","sub_account":"b"}}"#, "to"),
        ("conversation.transfer", r#"{"conversation":ID,"to":{"grup":"a"}}"#, "to.grup"),
        ("conversation.list", r#"{"cursor":"x"}"#, "cursor"),
        ("conversation.list", r#"{"state":"open"}"#, "state"),
        ("presence.set", r#"{"status":"busy"}"#, "status"),
        ("routing.explain", r#"{}"#, "conversation"),
        ("routing.explain", r#"{"conversation":ID,"text":"x"}"#, "conversation"),
        ("routing.explain", r#"{"seller":"tea","buyer":{"attrs":{"level":1}}}"#, "buyer.attrs.level"),
        ("session.open", r#"{"token":"x","visitor":{"shop":"s"}}"#, "visitor"),
        ("session.open", r#"{"token":1}"#, "token"),
    ];
    for (method, params, path) in cases {
        assert_eq!(call(method, params).unwrap_err(), (Kind::InvalidParams, path.to_owned()), "{method} {params}");
    }
}

#[test]
fn a_message_never_repeats_what_was_sent() {
    let cases = [
        ("message.read", r#"{"conversation":"a","seq":"SECRET, expected SECRET"}"#),
        ("message.read", r#"{"conversation":"a","seq":1,"SECRET":1}"#),
        ("presence.set", r#"{"status":"SECRET"}"#),
        ("conversation.list", r#"{"state":"SECRET`, expected x"}"#),
        ("session.ping", r#"{"SECRET":1}"#),
        ("session.open", r#"{"token":["SECRET"]}"#),
    ];
    for (method, params) in cases {
        let message = message_of(method, params);
        assert!(!message.contains("SECRET") && !message.is_empty(), "{message}");
    }
    assert_eq!(message_of("message.read", r#"{"conversation":"a","seq":"x"}"#), "expected a whole number");
}

#[test]
fn a_text_that_is_too_long_is_too_large() {
    let long = "好".repeat(21);
    let cases = [
        (
            "message.send",
            format!(r#"{{"conversation":ID,"client_id":"a","body":{{"type":"text","text":"{long}"}}}}"#),
            "body.text",
        ),
        ("conversation.close", format!(r#"{{"conversation":ID,"reason":"{long}"}}"#), "reason"),
        ("conversation.rate", format!(r#"{{"conversation":ID,"score":5,"comment":"{long}"}}"#), "comment"),
        ("conversation.transfer", format!(r#"{{"conversation":ID,"to":{{"group":"g"}},"note":"{long}"}}"#), "note"),
    ];
    for (method, params, path) in cases {
        assert_eq!(call(method, &params).unwrap_err(), (Kind::TooLarge, path.to_owned()));
    }
}

#[test]
fn an_id_that_cannot_be_one_names_nothing() {
    for text in
        ["\"nope\"", "\"\"", "\"{00000000-0000-7000-8000-000000000001}\"", "\"00000000000070008000000000000001\""]
    {
        let call = call("conversation.get", &format!(r#"{{"conversation":{text}}}"#)).unwrap();
        assert!(matches!(call, Call::Get { conversation: ConversationId(0) }), "{text}");
    }
    let Call::Get { conversation } = call("conversation.get", r#"{"conversation":ID}"#).unwrap() else { panic!() };
    assert_eq!(conversation.to_string(), ID);
}

#[test]
fn a_start_carries_its_context_sorted_and_its_first_words_in_lower_case() {
    let params = r#"{"shop":"s","context":{"b":"2","a":"1"},"message":{"client_id":"c","body":{"type":"text","text":"Refund"}}}"#;

    let Call::Start(start) = call("conversation.start", params).unwrap() else { panic!() };

    assert_eq!(start.to, WhereTo::Shop("s".into()));
    assert_eq!(&*start.context, &[("a".into(), "1".into()), ("b".into(), "2".into())]);
    assert_eq!(start.message.unwrap().text.as_deref(), Some("refund"));
}

#[test]
fn a_context_has_limits() {
    let many: Vec<_> = (0..17).map(|key| format!(r#""k{key}":"v""#)).collect();
    let long = "x".repeat(257);

    let many = call("conversation.start", &format!(r#"{{"seller":"a","context":{{{}}}}}"#, many.join(",")));
    let long = call("conversation.start", &format!(r#"{{"seller":"a","context":{{"k":"{long}"}}}}"#));

    assert_eq!(many.unwrap_err(), (Kind::InvalidParams, "context".to_owned()));
    assert_eq!(long.unwrap_err(), (Kind::InvalidParams, "context.k".to_owned()));
}

#[test]
fn history_without_a_range_is_the_last_ones() {
    let Call::History { range, limit, .. } = call("message.history", r#"{"conversation":ID}"#).unwrap() else {
        panic!()
    };

    assert_eq!((range, limit), (Range::Before(u64::MAX), 50));
}
