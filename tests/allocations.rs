//! How often the daemon asks for memory to relay one message, from the frame it reads to the frames it writes. It does
//! not depend on the machine or its mood, so it is a limit and no measurement.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unsafe_code, reason = "an allocator that counts is one")]

#[path = "support/relay.rs"]
#[allow(dead_code, reason = "the benchmark uses the rest")]
mod relay;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use fenliu::config::settings::StoreKind;
use relay::{Relay, message};

/// The most for one message, of which what is kept of it (its body, its id, its places in the store) is a part.
const ALLOCATIONS_MAX: f64 = 18.0;
const MESSAGES: usize = 2000;

struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if COUNTED.get() {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is the system's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_relayed_message_costs_few_allocations() {
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
