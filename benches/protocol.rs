//! Texts to calls and events to texts, each beside what serde's own values would take for the same text: nanoseconds and
//! the ratio. `cargo bench --bench protocol`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on ends")]

#[path = "support/goal.rs"]
mod goal;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fenliu::model::{AccountId, Body, ConversationId, Sender, Timestamp, Visibility};
use fenliu::policy::Method;
use fenliu::protocol::{self, Class, Incoming, Limits};
use fenliu::routing::{Message, Notice};
use goal::{Goal, goal};

const SEND: &str = r#"{"jsonrpc":"2.0","id":7,"method":"message.send","params":{"conversation":"01900000-0000-7000-8000-000000000001","client_id":"m123456","body":{"type":"text","text":"hello, where is my order please? It was said to be here by now, and it is not. Can you look?"}}}"#;
const ROUNDS: u32 = 200_000;

fn main() {
    let limits = Limits::default();
    println!("{:<28} {:>8} {:>10} {:>6}", "", "ns", "serde, ns", "ratio");
    let ours = time(|| {
        let Incoming::One(Ok(request)) = protocol::parse(black_box(SEND), &limits) else { panic!("a request") };
        let method = Method::parse(&request.method).unwrap();
        black_box(request.call(method, &limits).unwrap());
    });
    let theirs = time(|| {
        black_box(serde_json::from_str::<serde_json::Value>(black_box(SEND)).unwrap());
    });
    let to_a_call = row("message.send, to a call", ours, theirs);

    let message = Message {
        conversation: ConversationId(0x0190_0000_0000_7000_8000_0000_0000_0001),
        seq: 12345,
        prev_for_buyer: 12344,
        sender: Sender::Agent(AccountId::from("agent-1")),
        name: Some("Agent 1".into()),
        body: Body::from_checked(Arc::<str>::from(r#"{"type":"text","text":"it left the warehouse this morning"}"#)),
        visibility: Visibility::All,
        client_id: Some("m123456".into()),
        at: Timestamp::from_micros(1_800_000_000_123_456),
    };
    let notice = Notice::Message(message);
    let ours = time(|| {
        black_box(protocol::event(black_box(&notice), Class::Staff));
    });
    let value: serde_json::Value = serde_json::from_str(&protocol::event(&notice, Class::Staff)).unwrap();
    let theirs = time(|| {
        black_box(serde_json::to_string(black_box(&value)).unwrap());
    });
    let to_a_text = row("message.new, to a text", ours, theirs);
    println!();
    goal("message.send to a call, serde's value ÷ ours", to_a_call, Goal::AtLeast(1.5, 2.5));
    goal("message.new to a text, serde's value ÷ ours", to_a_text, Goal::AtLeast(1.5, 2.5));
}

/// Nanoseconds of one round, the best of five.
fn time(mut round: impl FnMut()) -> f64 {
    let best = (0..5).map(|_| {
        let begun = Instant::now();
        (0..ROUNDS).for_each(|_| round());
        begun.elapsed()
    });
    best.min().unwrap_or(Duration::ZERO).as_secs_f64() * 1e9 / f64::from(ROUNDS)
}

fn row(name: &str, ours: f64, theirs: f64) -> f64 {
    println!("{name:<28} {ours:>8.0} {theirs:>10.0} {:>6.2}", theirs / ours);
    theirs / ours
}
