//! How often the daemon asks for memory to relay one message, from the frame it reads to the frames it writes, and what
//! a silent session and an open conversation hold. It does not depend on the machine or its mood, so these are limits
//! and no measurements.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unsafe_code, reason = "an allocator that counts is one")]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/relay.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod relay;
#[path = "support/shops.rs"]
#[allow(dead_code, reason = "the benchmark uses the rest")]
mod shops;

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use counting::{COUNT, COUNTED, HELD};
use fenliu::config::settings::StoreKind;
use relay::{Relay, message};
use shops::{Core, Size};

/// The most for one message, of which what is kept of it (its body, its id, its places in the store) is a part.
const ALLOCATIONS_MAX: f64 = 16.0;
/// The most that a session holds which has been opened and is silent.
const SESSION_BYTES_MAX: i64 = 13 * 512;
/// The most that an open conversation with one message holds in the core, its places in all indexes included, where maps
/// have just grown and are half empty: 1 KiB.
const CONVERSATION_BYTES_MAX: i64 = 1024;
const MESSAGES: usize = 2000;
/// Conversations that are opened before and while it is looked.
const CONVERSATIONS: usize = 4096;
/// Sessions that are opened before and while it is looked.
const SESSIONS: u32 = 256;

/// One test at a time counts.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_relayed_message_costs_few_allocations() {
    let _alone = ALONE.lock();
    let data = tempfile::tempdir().unwrap();
    let daemon = Relay::start(StoreKind::Memory, data.path(), 1, 1, || COUNTED.set(true));
    let mut agent = daemon.agent(0);
    let mut buyer = daemon.buyer(0);
    let conversation = buyer.start();
    let mut talk = |from: usize, count: usize| {
        for number in from..from + count {
            buyer.say(&message(&conversation, number));
            buyer.hear_reply();
            agent.hear_all(1, "message.new");
        }
    };

    // What grows with the first messages is not theirs.
    talk(1, MESSAGES);
    let before = COUNT.load(Ordering::Relaxed);
    talk(MESSAGES + 1, MESSAGES);
    let counted = COUNT.load(Ordering::Relaxed) - before;

    let each = f64::from(u32::try_from(counted).unwrap()) / f64::from(u32::try_from(MESSAGES).unwrap());
    println!("{each:.2} allocations a message");
    assert!(each <= ALLOCATIONS_MAX, "{each:.2} allocations a message, at most {ALLOCATIONS_MAX}");
}

#[test]
fn an_idle_session_holds_few_bytes() {
    let _alone = ALONE.lock();
    let data = tempfile::tempdir().unwrap();
    let daemon = Relay::start(StoreKind::Memory, data.path(), 1, 1, || COUNTED.set(true));
    let open = |from: u32| -> Vec<_> { (from..from + SESSIONS).map(|number| daemon.buyer(number as usize)).collect() };

    let _first = open(0);
    let before = HELD.load(Ordering::Relaxed);
    let _more = open(SESSIONS);
    let each = (HELD.load(Ordering::Relaxed) - before) / i64::from(SESSIONS);

    println!("{each} bytes a session");
    assert!(each <= SESSION_BYTES_MAX, "{each} bytes a session, at most {SESSION_BYTES_MAX}");
}

#[test]
fn an_open_conversation_holds_few_bytes_in_the_core() {
    let _alone = ALONE.lock();
    for (what, capacity) in [("that somebody has", CONVERSATIONS), ("that waits", 1)] {
        let core = Core::of(Size { sellers: 10, agents: 20, capacity, bindings: 0, shared: true });
        let open = |from: usize| {
            (from..from + CONVERSATIONS).for_each(|number| drop(core.give(core.start(number, number % 10))));
        };

        // Maps grow by doubling: it begins and ends where they have just grown.
        open(0);
        COUNTED.set(true);
        let before = HELD.load(Ordering::Relaxed);
        open(CONVERSATIONS);
        let each = (HELD.load(Ordering::Relaxed) - before) / i64::try_from(CONVERSATIONS).unwrap();
        COUNTED.set(false);

        println!("{each} bytes a conversation {what}");
        assert!(each <= CONVERSATION_BYTES_MAX, "{each} bytes a conversation {what}");
    }
}
