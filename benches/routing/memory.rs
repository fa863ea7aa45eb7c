//! What an open conversation holds in the core.

use std::sync::atomic::Ordering;

use crate::counting::{COUNTED, HELD};
use crate::shops::{Core, Size};
use crate::{Limits, row};

const COUNT: usize = 10_000;

pub fn measure() {
    for (what, capacity) in [("that somebody has", COUNT), ("that waits", 1)] {
        let core = Core::of(Size { sellers: 10, agents: 100, capacity, bindings: 0, shared: true });
        (0..COUNT).for_each(|number| drop(core.give(core.start(number, number % 10))));
        COUNTED.set(true);
        let before = HELD.load(Ordering::Relaxed);
        (COUNT..2 * COUNT).for_each(|number| drop(core.give(core.start(number, number % 10))));
        let bytes = (HELD.load(Ordering::Relaxed) - before) as f64 / COUNT as f64;
        COUNTED.set(false);
        let bare = size_of::<fenliu::routing::Conversation>() as f64;
        let beside = format!("the bare record of {bare} bytes: {:.2}", bytes / bare);
        row(&format!("memory: a conversation {what}"), "B", bytes, Some(Limits { aim: 1024.0, must: 1024.0 }), &beside);
    }
}
