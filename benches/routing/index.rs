//! The index of a group: somebody is chosen and given a conversation, somebody else ends one.

use std::collections::{BTreeSet, VecDeque};
use std::hint::black_box;

use fenliu::routing::index::{Index, loaded_key};

use crate::{Limits, each, pairwise, row, took};

const CAPACITY: u32 = 8;
const ROUNDS: usize = 15;
const COUNT: usize = 20_000;

pub fn measure() {
    for agents in [10, 100, 1_000, 10_000] {
        let (mut ours, mut set, mut scan) = (Ours::of(agents), Set::of(agents), Scan::of(agents));
        let (of_ours, of_set) = pairwise(ROUNDS, || time(COUNT, || ours.step()), || time(COUNT, || set.step()));
        let count = COUNT * 10 / agents as usize + 10;
        let (again, of_scan) = pairwise(3, || time(COUNT, || ours.step()), || time(count, || scan.step()));
        let of_ours = of_ours.min(again);
        let beside = format!("a sorted set: {:.2}, a scan of the loads: {:.2}", of_ours / of_set, of_ours / of_scan);
        let name = format!("index: assign and release, {agents} agents");
        row(&name, "ns", of_ours, Some(Limits { aim: 120.0, must: 300.0 }), &beside);
    }
}

fn time(count: usize, mut step: impl FnMut()) -> f64 {
    let ((), took) = took(|| (0..count).for_each(|_| step()));
    each(took, count)
}

/// Who has how many, and who got the ones that are not yet ended, the oldest first: half of all slots are taken.
struct Desk {
    held: Vec<u32>,
    given: VecDeque<u32>,
}

impl Desk {
    fn of(agents: u32) -> Self {
        let given: VecDeque<u32> = (0..CAPACITY / 2).flat_map(|_| 0..agents).collect();
        Self { held: vec![CAPACITY / 2; agents as usize], given }
    }

    fn give(&mut self, member: u32) -> u32 {
        self.given.push_back(member);
        self.held[member as usize] += 1;
        self.held[member as usize]
    }

    /// Not the very oldest: that one is the one who is due, and nothing would be moved far.
    fn end(&mut self) -> (u32, u32) {
        let at = self.held[0] as usize * 7919 % self.given.len();
        let member = self.given.swap_remove_back(at).unwrap();
        self.held[member as usize] -= 1;
        (member, self.held[member as usize])
    }
}

struct Ours {
    index: Index,
    desk: Desk,
}

impl Ours {
    fn of(agents: u32) -> Self {
        let mut index = Index::new(&(0..agents).collect::<Vec<_>>());
        (0..agents).for_each(|member| index.set(member, loaded_key(1, CAPACITY / 2, CAPACITY)));
        Self { index, desk: Desk::of(agents) }
    }

    fn step(&mut self) {
        let member = black_box(self.index.ordered().next().unwrap());
        let held = self.desk.give(member);
        self.index.move_last(member, loaded_key(1, held, CAPACITY));
        let (member, held) = self.desk.end();
        self.index.set(member, loaded_key(1, held, CAPACITY));
    }
}

/// A set of (load, when last given, who).
struct Set {
    order: BTreeSet<(u32, u64, u32)>,
    given_at: Vec<u64>,
    now: u64,
    desk: Desk,
}

impl Set {
    fn of(agents: u32) -> Self {
        let order = (0..agents).map(|member| (CAPACITY / 2, 0, member)).collect();
        Self { order, given_at: vec![0; agents as usize], now: 0, desk: Desk::of(agents) }
    }

    fn step(&mut self) {
        self.now += 1;
        let (_, _, member) = black_box(self.order.pop_first().unwrap());
        self.given_at[member as usize] = self.now;
        self.order.insert((self.desk.give(member), self.now, member));
        let (member, held) = self.desk.end();
        let at = self.given_at[member as usize];
        self.order.remove(&(held + 1, at, member));
        self.order.insert((held, at, member));
    }
}

/// Everybody looked at each time.
struct Scan {
    given_at: Vec<u64>,
    now: u64,
    desk: Desk,
}

impl Scan {
    fn of(agents: u32) -> Self {
        Self { given_at: vec![0; agents as usize], now: 0, desk: Desk::of(agents) }
    }

    fn step(&mut self) {
        self.now += 1;
        let least = self.desk.held.iter().zip(&self.given_at).enumerate().min_by_key(|(_, key)| *key);
        let member = black_box(least.map_or(0, |(member, _)| member as u32));
        self.given_at[member as usize] = self.now;
        self.desk.give(member);
        self.desk.end();
    }
}
