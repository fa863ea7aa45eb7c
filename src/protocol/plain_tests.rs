use proptest::prelude::*;

use super::*;
use crate::protocol::{Call, Incoming, envelope, parse_call};

const LIMITS: Limits = Limits { depth: 8, batch: 3, text: 40 };
const SEND: &str = r#"{"jsonrpc":"2.0","id":7,"method":"message.send","params":{"conversation":"01900000-0000-7000-8000-000000000001","client_id":"m1","body":{"type":"text","text":"hello, 分流"}}}"#;

/// What the parser makes of it, if it takes it.
fn slowly(text: &str) -> Option<(Option<String>, String)> {
    let Incoming::One(Ok(request)) = envelope::parse_any(text, &LIMITS) else { return None };
    let call = parse_call(Method::parse(&request.method)?, request.params, &LIMITS).ok()?;
    Some((request.id.map(|id| id.get().to_owned()), format!("{call:?}")))
}

fn quickly(text: &str) -> Option<(Option<String>, String)> {
    let Plain { id, conversation, message } = read(text, &LIMITS)?;
    Some((id.map(|id| id.get().to_owned()), format!("{:?}", Call::Send { conversation, message })))
}

fn replaced(from: &str, to: &str) -> String {
    assert!(SEND.contains(from));
    SEND.replacen(from, to, 1)
}

#[test]
fn a_plain_request_is_read_as_the_parser_reads_it() {
    let spaced = SEND.replace(':', ": ").replace(",\"", " ,\n\t\"");
    let turned = r#"{"params":{"body":{"text":"a","type":"text"},"client_id":"1","conversation":"01900000-0000-7000-8000-000000000001"},"method":"message.send","jsonrpc":"2.0"}"#;
    let cases = [SEND, &spaced, turned, &replaced("\"id\":7", "\"id\":\"é\""), &replaced("\"id\":7", "\"id\":0")];
    for text in cases {
        assert!(quickly(text).is_some(), "{text}");
        assert_eq!(quickly(text), slowly(text), "{text}");
    }
}

#[test]
fn what_is_not_plain_is_left_to_the_parser() {
    let long = "x".repeat(65);
    let cases = [
        replaced("hello", "he\\u006clo"),
        replaced("hello", "he\u{1}llo"),
        replaced("hello", &long),
        replaced("hello, 分流", ""),
        replaced("\"m1\"", "\"\""),
        replaced("m1", &long),
        replaced("\"type\":\"text\"", "\"type\":\"image\""),
        replaced("\"type\"", "\"type\":\"text\",\"type\""),
        replaced("\"client_id\"", "\"visibility\":\"staff\",\"client_id\""),
        replaced("\"id\":7", "\"id\":07"),
        replaced("\"id\":7", "\"id\":7.0"),
        replaced("\"id\":7", "\"id\":-7"),
        replaced("\"id\":7", "\"id\":null"),
        replaced("\"id\":7", "\"id\":7,\"id\":8"),
        replaced("\"2.0\"", "\"1.0\""),
        replaced("message.send", "message.read"),
        replaced("-0000-7", "-00007"),
        replaced("-8000-", "-800x-"),
        format!("{SEND} {{}}"),
        SEND[..SEND.len() - 1].to_owned(),
        replaced(",\"client", ",,\"client"),
        format!("[{SEND}]"),
        "{}".to_owned(),
        String::new(),
    ];
    for text in cases {
        assert_eq!(quickly(&text), None, "{text}");
    }
    assert!(read(SEND, &Limits { depth: 2, ..LIMITS }).is_none());
}

#[test]
fn a_plain_string_ends_where_a_byte_by_byte_look_finds_its_end() {
    let ends = |bytes: &[u8]| bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    for length in 0..40 {
        for at in 0..length {
            for byte in [b'"', b'\\', 0, 0x1f, 0x20, 0x7f, 0x80, 0xff, b'!', b'#', b']', b'['] {
                for filling in [b'a', 0x20, 0xff, 0x80, b'#', b'!'] {
                    let mut bytes = vec![filling; length];
                    bytes[at] = byte;
                    assert_eq!(plain_bytes(&bytes), ends(&bytes).unwrap_or(length), "{bytes:?}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn a_text_is_read_as_the_parser_reads_it_or_not_at_all(
        edits in prop::collection::vec((0..SEND.len(), 0..4_usize, "[\\x00-\\x7f]|[\"\\\\{}:, 0-9]|é"), 0..4),
    ) {
        let mut text: Vec<char> = SEND.chars().collect();
        for (at, what, with) in edits {
            let at = at % text.len();
            match what {
                0 => { text.remove(at); }
                1 => text[at] = with.chars().next().unwrap_or(' '),
                2 => text.insert(at, with.chars().next().unwrap_or(' ')),
                _ => text.insert(at, text[at]),
            }
        }
        let text: String = text.into_iter().collect();

        let quick = quickly(&text);

        prop_assert!(quick.is_none() || quick == slowly(&text), "{text}");
    }
}
