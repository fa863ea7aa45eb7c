//! The index that selection reads: agents in an order of preference, kept while loads change.
//!
//! A pool holds the members of one or more groups that have the same members and compare them alike. Each member has
//! a place in a row ordered by who is due first (longest since last given a conversation, longest idle, or member
//! order), and a key (tier, then load); the best is the first place with the smallest key. A tree of minima over the
//! row, eight wide so that a node is a cache line, finds it and follows a change in a few steps whatever the size.
//! What is of one group only (limits of an authorization or a membership, spacing, exclusions) is not in here.
//!
//! Domains keep their own; it is public so that it can be measured and tried without one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The key of somebody who can take nothing now.
pub const UNAVAILABLE: u64 = u64::MAX;
const WIDTH: usize = 8;
/// Bits of a key below the tier; a load of one capacity is `1 << LOAD_BITS`.
const LOAD_BITS: u32 = 40;
const TIER_BITS: u32 = 44;

/// The key of `least_loaded`: (held + 1) / capacity within the tier.
/// Equal fractions give equal keys and, for capacities up to half a million, different ones different keys.
pub fn loaded_key(tier: u32, held: u32, capacity: u32) -> u64 {
    tier_key(tier) | ((u64::from(held) + 1) << LOAD_BITS).checked_div(u64::from(capacity)).unwrap_or(0)
}

/// The key of `least_active`: what is held, within the tier.
pub fn active_key(tier: u32, held: u32) -> u64 {
    tier_key(tier) | u64::from(held)
}

/// The key where only the tier counts.
pub fn tier_key(tier: u32) -> u64 {
    u64::from(tier) << TIER_BITS
}

/// Members by preference. A member is known by its place in the list of members.
#[derive(Clone, Debug)]
pub struct Index {
    /// Level 0 is the row of keys; each further level the minima of eight below.
    levels: Vec<Vec<u64>>,
    /// Who stands at a place of the row.
    member_at: Vec<u32>,
    /// Where in the row a member stands.
    place_of: Vec<u32>,
    /// The next free place at the end of the row.
    end: usize,
}

impl Index {
    /// Members in the order in which they are due; nobody available yet.
    pub fn new(due: &[u32]) -> Self {
        let row = (due.len() * 2).max(WIDTH).next_multiple_of(WIDTH);
        let mut levels = vec![vec![UNAVAILABLE; row]];
        let mut width = row;
        while width > WIDTH {
            width = width.div_ceil(WIDTH).next_multiple_of(WIDTH);
            levels.push(vec![UNAVAILABLE; width]);
        }
        let mut index = Self { levels, member_at: vec![u32::MAX; row], place_of: vec![0; due.len()], end: 0 };
        for member in due {
            index.put_last(*member);
        }
        index
    }

    /// Gives a member another key.
    pub fn set(&mut self, member: u32, key: u64) {
        self.write(self.place_of[member as usize] as usize, key);
    }

    /// Puts a member behind all others of the row, and gives it another key.
    pub fn move_last(&mut self, member: u32, key: u64) {
        let place = self.place_of[member as usize] as usize;
        self.member_at[place] = u32::MAX;
        self.write(place, UNAVAILABLE);
        if self.end == self.member_at.len() {
            self.close_up();
        }
        self.put_last(member);
        self.set(member, key);
    }

    /// The available members, best first.
    pub fn ordered(&self) -> Ordered<'_> {
        Ordered { index: self, known: Known::Nobody, heap: BinaryHeap::new() }
    }

    /// The place of the best, if anybody is available: down from the top, where the first of the least is each time.
    fn first(&self) -> Option<usize> {
        let top = self.levels.len() - 1;
        self.first_of(top, 0, self.levels[top].len())
    }

    /// The place of the best under the nodes `from..to` of a level.
    fn first_of(&self, level: usize, mut from: usize, mut to: usize) -> Option<usize> {
        for level in self.levels[..=level].iter().rev() {
            let (node, key) = level[from..to].iter().enumerate().min_by_key(|(_, key)| **key)?;
            if *key == UNAVAILABLE {
                return None;
            }
            (from, to) = ((from + node) * WIDTH, (from + node + 1) * WIDTH);
        }
        Some(from / WIDTH)
    }

    /// The place of the best but this one: under the best of the nodes beside the way down to it.
    fn best_beside(&self, place: usize) -> Option<usize> {
        let mut best: Option<(u64, usize, usize)> = None;
        for (level, keys) in self.levels.iter().enumerate() {
            let (under, node) = (places_under(level), place / places_under(level));
            let from = node / WIDTH * WIDTH;
            for (at, key) in keys[from..(from + WIDTH).min(keys.len())].iter().enumerate() {
                let at = from + at;
                if at != node && *key != UNAVAILABLE && best.is_none_or(|best| (*key, at * under) < (best.0, best.1)) {
                    best = Some((*key, at * under, level));
                }
            }
        }
        let (_, first, level) = best?;
        let node = first / places_under(level);
        self.first_of(level, node, node + 1)
    }

    /// The available members of the lowest tiers, each tier in the order of the row but beginning after this member.
    pub fn ordered_after(&self, member: Option<u32>) -> impl Iterator<Item = u32> + '_ {
        let from = member.map_or(0, |member| self.place_of[member as usize] as usize + 1);
        let mut tier = self.next_key(0);
        let mut place = from;
        let mut wrapped = false;
        std::iter::from_fn(move || {
            loop {
                let key = tier?;
                let limit = if wrapped { from } else { self.member_at.len() };
                if let Some(found) = self.find_equal(key, place, limit) {
                    place = found + 1;
                    return Some(self.member_at[found]);
                }
                if wrapped {
                    tier = self.next_key(key + 1);
                    (place, wrapped) = (from, false);
                } else {
                    (place, wrapped) = (0, true);
                }
            }
        })
    }

    /// The smallest key that is not below this one.
    fn next_key(&self, at_least: u64) -> Option<u64> {
        if at_least == 0 {
            let least = self.levels[self.levels.len() - 1].iter().copied().min()?;
            return (least != UNAVAILABLE).then_some(least);
        }
        self.levels[0].iter().copied().filter(|key| *key >= at_least && *key != UNAVAILABLE).min()
    }

    /// The first place of `from..to` with just this key, which no key of the row is below or those below are passed.
    fn find_equal(&self, key: u64, from: usize, to: usize) -> Option<usize> {
        let mut place = from;
        while place < to {
            if place.is_multiple_of(WIDTH) && self.levels.len() > 1 && self.levels[1][place / WIDTH] > key {
                place += WIDTH;
            } else if self.levels[0][place] == key {
                return Some(place);
            } else {
                place += 1;
            }
        }
        None
    }

    fn put_last(&mut self, member: u32) {
        self.member_at[self.end] = member;
        self.place_of[member as usize] = u32::try_from(self.end).unwrap_or(u32::MAX);
        self.end += 1;
    }

    /// Takes the gaps out of the row; paid for by the moves that made them.
    fn close_up(&mut self) {
        let row: Vec<(u32, u64)> = (0..self.member_at.len())
            .filter(|place| self.member_at[*place] != u32::MAX)
            .map(|place| (self.member_at[place], self.levels[0][place]))
            .collect();
        for level in &mut self.levels {
            level.fill(UNAVAILABLE);
        }
        self.member_at.fill(u32::MAX);
        self.end = 0;
        for (member, key) in row {
            self.put_last(member);
            self.set(member, key);
        }
    }

    fn write(&mut self, mut place: usize, key: u64) {
        self.levels[0][place] = key;
        for level in 1..self.levels.len() {
            let node = place / WIDTH;
            let below = &self.levels[level - 1][node * WIDTH..(node + 1) * WIDTH];
            let least = below.iter().copied().fold(UNAVAILABLE, u64::min);
            if self.levels[level][node] == least {
                return;
            }
            self.levels[level][node] = least;
            place = node;
        }
    }
}

/// Available members, best first: the nodes of the tree in the order of their minima. Most who ask want the first two,
/// who are found without a heap.
pub struct Ordered<'a> {
    index: &'a Index,
    known: Known,
    /// Nodes not yet looked into: their minimum, the first place of the row under them, their level.
    heap: BinaryHeap<Reverse<(u64, u32, u32)>>,
}

/// Who of the available members has been given, as long as that is without the heap; by their places.
enum Known {
    Nobody,
    First(usize),
    /// The first stands here.
    Two(usize),
    Heap,
}

impl Ordered<'_> {
    /// Puts the nodes beside the way down to this place on the heap.
    fn expand_beside(&mut self, place: usize) {
        let top = self.index.levels.len() - 1;
        self.heap.reserve((top + 1) * WIDTH);
        for level in (0..=top).rev() {
            let node = place / places_under(level);
            let from = if level == top { 0 } else { node / WIDTH * WIDTH };
            let to = if level == top { self.index.levels[top].len() } else { from + WIDTH };
            self.expand(level, from, node);
            self.expand(level, node + 1, to);
        }
    }

    /// The best of those whose nodes are on the heap.
    fn pop(&mut self) -> Option<u32> {
        while let Some(Reverse((_, place, level))) = self.heap.pop() {
            let (place, level) = (place as usize, level as usize);
            if level == 0 {
                return Some(self.index.member_at[place]);
            }
            let first = place / places_under(level - 1);
            self.expand(level - 1, first, first + WIDTH);
        }
        None
    }

    /// Puts the nodes `from..to` of a level on the heap.
    fn expand(&mut self, level: usize, from: usize, to: usize) {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        for (node, key) in (from..to).zip(&self.index.levels[level][from..to]) {
            if *key != UNAVAILABLE {
                self.heap.push(Reverse((*key, narrow(node * places_under(level)), narrow(level))));
            }
        }
    }
}

/// How many places of the row are under a node of a level.
fn places_under(level: usize) -> usize {
    1 << (level * WIDTH.trailing_zeros() as usize)
}

impl Iterator for Ordered<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        match self.known {
            Known::Nobody => {
                let first = self.index.first();
                self.known = first.map_or(Known::Heap, Known::First);
                return first.map(|place| self.index.member_at[place]);
            }
            Known::First(first) => {
                self.known = Known::Two(first);
                return self.index.best_beside(first).map(|place| self.index.member_at[place]);
            }
            Known::Two(first) => {
                self.known = Known::Heap;
                self.expand_beside(first);
                // The second was given.
                self.pop();
            }
            Known::Heap => {}
        }
        self.pop()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_fractions_have_equal_keys_and_others_do_not() {
        assert_eq!(loaded_key(1, 0, 2), loaded_key(1, 1, 4));
        assert_eq!(loaded_key(1, 2, 9), loaded_key(1, 0, 3));
        assert!(loaded_key(1, 4998, 10_000) < loaded_key(1, 4999, 9_999));
        assert!(loaded_key(1, 99, 100) < loaded_key(2, 0, 100));
    }

    proptest! {
        #[test]
        fn the_index_agrees_with_a_sorted_list(
            size in 1_u32..40,
            steps in prop::collection::vec((0_u32..40, 0_u64..6, any::<bool>()), 0..200),
        ) {
            let due: Vec<u32> = (0..size).collect();
            let mut index = Index::new(&due);
            let mut row: Vec<(u32, u64)> = due.iter().map(|member| (*member, UNAVAILABLE)).collect();

            for (member, key, last) in steps {
                let member = member % size;
                let key = if key == 5 { UNAVAILABLE } else { key };
                let place = row.iter().position(|(other, _)| *other == member).unwrap();
                if last {
                    index.move_last(member, key);
                    row.remove(place);
                    row.push((member, key));
                } else {
                    index.set(member, key);
                    row[place].1 = key;
                }

                let mut expected: Vec<(u64, usize, u32)> = row.iter().enumerate()
                    .filter(|(_, (_, key))| *key != UNAVAILABLE)
                    .map(|(place, (member, key))| (*key, place, *member)).collect();
                expected.sort_unstable();
                let expected: Vec<u32> = expected.into_iter().map(|(_, _, member)| member).collect();
                prop_assert_eq!(index.ordered().collect::<Vec<_>>(), expected);
            }
        }

        #[test]
        fn a_rotation_begins_after_the_last_and_takes_tier_by_tier(
            tiers in prop::collection::vec(prop::option::of(0_u32..3), 1..30),
            last in prop::option::of(0_usize..30),
        ) {
            let due: Vec<u32> = (0..tiers.len() as u32).collect();
            let mut index = Index::new(&due);
            for (member, tier) in tiers.iter().enumerate() {
                index.set(member as u32, tier.map_or(UNAVAILABLE, tier_key));
            }
            let last = last.map(|last| (last % tiers.len()) as u32);

            let mut expected = Vec::new();
            for tier in 0..3 {
                let first = last.map_or(0, |last| last as usize + 1);
                let order = (first..tiers.len()).chain(0..first);
                expected.extend(order.filter(|member| tiers[*member] == Some(tier)).map(|member| member as u32));
            }
            prop_assert_eq!(index.ordered_after(last).collect::<Vec<_>>(), expected);
        }
    }
}
