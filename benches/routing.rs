//! The pure core: what its index, a start, a slot that opens, two threads, and a large table take, each beside something
//! ordinary that was measured in the same moment. One table, with what has to be (`must`) and what is wished (`aim`).
//!
//! `cargo bench --bench routing -- [WORD]`: only the parts whose name holds the word. Times depend on the machine and its
//! mood, ratios less; the best of some rounds is shown. Memory depends on neither.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on ends")]
#![allow(unsafe_code, reason = "an allocator that counts is one")]

#[path = "../tests/support/counting.rs"]
#[allow(dead_code, reason = "a test uses the rest")]
mod counting;
#[path = "routing/index.rs"]
mod index;
#[path = "routing/memory.rs"]
mod memory;
#[path = "routing/queue.rs"]
mod queue;
#[path = "../tests/support/shops.rs"]
mod shops;
#[path = "routing/start.rs"]
mod start;
#[path = "routing/threads.rs"]
mod threads;

use std::time::{Duration, Instant};

const PARTS: &[(&str, fn())] = &[
    ("index", index::measure),
    ("start", start::measure),
    ("build", start::measure_large),
    ("queue", queue::measure),
    ("shared", queue::measure_shared),
    ("threads", threads::measure),
    ("memory", memory::measure),
];

fn main() {
    // Cargo adds `--bench`.
    let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    println!("{:<52} {:>10} {:>10} {:>10}  beside: ratio", "", "measured", "aim", "must");
    for (name, measure) in PARTS {
        if name.contains(&word) {
            measure();
        }
    }
}

/// A figure, and within which it should be.
#[derive(Clone, Copy)]
struct Limits {
    aim: f64,
    must: f64,
}

/// A row of the table: a figure of a unit, its limits, and what it is a multiple of.
fn row(what: &str, unit: &str, figure: f64, limits: Option<Limits>, beside: &str) {
    let shown = |figure: f64| format!("{figure:.*} {unit}", usize::from(figure < 100.0));
    let limit = |of: fn(Limits) -> f64| limits.map_or_else(String::new, |limits| shown(of(limits)));
    let (aim, must) = (limit(|limits| limits.aim), limit(|limits| limits.must));
    let missed = match limits {
        Some(limits) if figure > limits.must => "  MISSED",
        Some(limits) if figure > limits.aim => "  above the aim",
        _ => "",
    };
    println!("{what:<52} {:>10} {aim:>10} {must:>10}  {beside}{missed}", shown(figure));
}

fn took<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed())
}

/// Nanoseconds of each, where so many took that long.
fn each(took: Duration, count: usize) -> f64 {
    took.as_secs_f64() * 1e9 / count as f64
}

/// The quickest of some rounds of each of two, one after the other: both meet the same moods of the machine.
fn pairwise(rounds: usize, mut one: impl FnMut() -> f64, mut other: impl FnMut() -> f64) -> (f64, f64) {
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..rounds {
        best = (best.0.min(one()), best.1.min(other()));
    }
    best
}

/// What is measured beside a step of the core: an entry taken from an ordered map of so many and put back elsewhere.
struct Ordered {
    map: std::collections::BTreeMap<u64, u64>,
    state: u64,
}

impl Ordered {
    fn of(size: u64) -> Self {
        Self { map: (0..size).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15), at)).collect(), state: 1 }
    }

    /// Nanoseconds of one exchange.
    fn exchange(&mut self) -> f64 {
        const COUNT: usize = 2_000;
        let ((), took) = took(|| {
            for _ in 0..COUNT {
                self.state = self.state.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
                let (key, value) = self.map.range(self.state..).next().or(self.map.iter().next()).unwrap();
                let (key, value) = (*key, *value);
                self.map.remove(&key);
                self.map.insert(self.state.rotate_left(17), value);
            }
        });
        each(took, COUNT)
    }
}
