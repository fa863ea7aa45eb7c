//! How many reads and writes of sockets the daemon takes to relay messages. It does not depend on the machine or its
//! mood, so these are limits and no measurements.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "support/relay.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod relay;

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use fenliu::config::settings::StoreKind;
use relay::{CALLS, Relay, message};

const MESSAGES: usize = 200;
/// A message alone is read, answered and delivered; now and then a thread looks in between.
const ALONE_MAX: f64 = 3.1;
const BURST: usize = 50;
/// A burst is read in a few pieces, answered in one and delivered in one; a thread may look in between.
const BURST_MAX: f64 = 0.25;

/// One test at a time counts.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_message_alone_is_one_read_and_two_writes() {
    for store in [StoreKind::Memory, StoreKind::Sqlite] {
        let each = calls(store, MESSAGES, 1);

        assert!(each <= ALONE_MAX, "{each:.2} system calls a message with {store:?}, at most {ALONE_MAX}");
    }
}

#[test]
fn a_burst_shares_its_reads_and_writes() {
    for store in [StoreKind::Memory, StoreKind::Sqlite] {
        let each = calls(store, MESSAGES, BURST);

        assert!(each <= BURST_MAX, "{each:.2} system calls a message with {store:?}, at most {BURST_MAX}");
    }
}

/// System calls on sockets for one of so many messages, sent so many at once.
fn calls(store: StoreKind, messages: usize, at_once: usize) -> f64 {
    let _alone = ALONE.lock();
    let data = tempfile::tempdir().unwrap();
    let daemon = Relay::start(store, data.path(), 1, 1, || {});
    let mut agent = daemon.agent(0);
    let mut buyer = daemon.buyer(0);
    let conversation = buyer.start();
    buyer.say(&message(&conversation, 0));
    buyer.hear_reply();
    agent.hear_all(1, "message.new");

    let before = CALLS.load(Ordering::Relaxed);
    for number in (1..=messages).step_by(at_once) {
        (number..number + at_once).for_each(|number| buyer.add(&message(&conversation, number)));
        buyer.send();
        buyer.hear_all(at_once, r#""result""#);
        agent.hear_all(at_once, "message.new");
    }
    let counted = CALLS.load(Ordering::Relaxed) - before;

    let each = f64::from(u32::try_from(counted).unwrap()) / f64::from(u32::try_from(messages).unwrap());
    println!("{each:.2} system calls a message, {at_once} at once, {store:?}");
    each
}
