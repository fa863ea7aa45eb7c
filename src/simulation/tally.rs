//! What is gathered while a run goes on. It grows with streams, groups and agents, not with arrivals.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::level::Level;
use super::part::{AgentPart, Part};
use super::replay::Outcome;
use super::traffic::{Extent, HOUR};
use super::world::World;

/// Into how many parts a run is cut where it is done once: their spread gives the interval.
pub const BATCHES: usize = 20;

/// The parts of one thing.
pub type Parts<P> = Vec<P>;

/// What has been gathered, by part of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gathered {
    /// Of all.
    pub total: Parts<Part>,
    /// By stream.
    pub streams: Vec<Parts<Part>>,
    /// By group.
    pub groups: Vec<Parts<Part>>,
    /// By hour of the profile.
    pub hours: Vec<Parts<Part>>,
    /// By agent.
    pub agents: Vec<Parts<AgentPart>>,
    /// Buyers who came before anybody was counted.
    pub warm_up: u64,
    /// Arrivals, completions and abandonments, the warm-up's too.
    pub events: u64,
    /// What became of each buyer who came again; of drawn ones nothing.
    pub outcomes: Vec<Outcome>,
}

impl Gathered {
    /// Puts the parts of another replication behind these.
    pub fn append(&mut self, other: Self) {
        self.total.extend(other.total);
        let rows =
            [(&mut self.streams, other.streams), (&mut self.groups, other.groups), (&mut self.hours, other.hours)];
        for (mine, theirs) in rows {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| mine.extend(theirs));
        }
        self.agents.iter_mut().zip(other.agents).for_each(|(mine, theirs)| mine.extend(theirs));
        self.warm_up += other.warm_up;
        self.events += other.events;
    }
}

/// An agent, for the averages over time.
#[derive(Clone, Debug)]
struct AgentLevel {
    since: i64,
    held: u32,
    wrapping: u32,
    slots: u32,
    groups: Vec<usize>,
    regular: bool,
    present: bool,
}

impl AgentLevel {
    fn busy(&self) -> u32 {
        self.held + self.wrapping
    }

    /// Its slots, as far as they count: of somebody who is going only those still taken.
    fn counted_slots(&self) -> u32 {
        if self.present { self.slots.max(self.busy()) } else { self.busy() }
    }

    fn is_there(&self) -> bool {
        self.present || self.held > 0
    }
}

/// The gatherer.
#[derive(Debug)]
pub struct Tally {
    /// What there is so far.
    pub gathered: Gathered,
    pub(super) target: i64,
    counted: Extent,
    parts: usize,
    part: usize,
    total: Level,
    streams: Vec<Level>,
    groups: Vec<Level>,
    agents: Vec<AgentLevel>,
    /// Slots that are taken until then, by agents.
    wraps: BinaryHeap<Reverse<(i64, usize)>>,
    /// When the first counted buyer came, if any has.
    opened: Option<i64>,
    closed: bool,
    hours: usize,
    hour_ends: i64,
    part_ends: i64,
}

impl Tally {
    /// A gatherer for a run of this world, in so many parts.
    pub fn new(world: &World, parts: usize) -> Self {
        let traffic = &world.traffic;
        let rows = |count: usize| vec![vec![Part::default(); parts]; count];
        let hours = traffic.hours().unwrap_or(0);
        let gathered = Gathered {
            total: vec![Part::default(); parts],
            streams: rows(traffic.streams.len()),
            groups: rows(world.groups.len()),
            hours: rows(hours),
            agents: vec![vec![AgentPart::default(); parts]; world.agents.len()],
            warm_up: 0,
            events: 0,
            outcomes: Vec::new(),
        };
        let agents = world.agents.iter().map(|agent| AgentLevel {
            since: 0,
            held: 0,
            wrapping: 0,
            slots: agent.slots,
            groups: agent.groups.clone(),
            regular: agent.regular,
            present: false,
        });
        Self {
            gathered,
            target: i64::try_from(traffic.span.sl_target.as_micros()).unwrap_or(i64::MAX),
            counted: traffic.span.counted,
            parts,
            part: 0,
            total: Level::with_spread(),
            streams: vec![Level::default(); traffic.streams.len()],
            groups: (0..world.groups.len()).map(|_| Level::with_spread()).collect(),
            agents: agents.collect(),
            wraps: BinaryHeap::new(),
            opened: None,
            closed: false,
            hours,
            hour_ends: i64::MAX,
            part_ends: i64::MAX,
        }
    }

    /// The hour of the profile.
    pub fn hour(&self, now: i64) -> usize {
        if self.hours == 0 { 0 } else { usize::try_from(now / HOUR).unwrap_or(0) % self.hours }
    }

    /// A counted buyer comes: the n-th. Gives the part it belongs to.
    pub fn arrive(&mut self, nth: u64, now: i64) -> usize {
        if self.opened.is_none() {
            self.open(now);
        }
        if let Extent::Arrivals(arrivals) = self.counted {
            let part = u128::from(nth) * self.parts as u128 / u128::from(arrivals.max(1));
            self.turn_to(usize::try_from(part).unwrap_or(0).min(self.parts - 1), now);
        }
        self.part
    }

    fn open(&mut self, now: i64) {
        self.opened = Some(now);
        self.total.begin(now);
        self.streams.iter_mut().chain(&mut self.groups).for_each(|level| level.begin(now));
        self.agents.iter_mut().for_each(|agent| agent.since = now);
        if self.hours > 0 {
            self.hour_ends = (now / HOUR + 1) * HOUR;
        }
        if let Extent::Time(_) = self.counted {
            self.part_ends = self.end_of_part(0, now);
        }
    }

    /// Where a run by time ends its parts: even shares of the time counted.
    fn end_of_part(&self, part: usize, opened: i64) -> i64 {
        let Extent::Time(time) = self.counted else { return i64::MAX };
        if part + 1 >= self.parts {
            return i64::MAX;
        }
        let share = i128::from(time) * (part as i128 + 1) / self.parts as i128;
        opened.saturating_add(i64::try_from(share).unwrap_or(i64::MAX))
    }

    fn turn_to(&mut self, part: usize, now: i64) {
        if part != self.part && self.is_open() {
            self.flush_all(now);
            self.part = part;
        }
    }

    fn is_open(&self) -> bool {
        self.opened.is_some() && !self.closed
    }

    /// Time goes on: hours, parts and slots that were still taken end by themselves.
    pub fn advance(&mut self, now: i64) {
        loop {
            let wrap = self.wraps.peek().map_or(i64::MAX, |Reverse((at, _))| *at);
            let next = wrap.min(self.hour_ends).min(self.part_ends);
            if next > now {
                return;
            }
            if next == wrap {
                if let Some(Reverse((at, agent))) = self.wraps.pop() {
                    self.change_agent(agent, at, |agent| agent.wrapping -= 1);
                }
            } else if next == self.hour_ends {
                self.flush_total(next);
                self.hour_ends += HOUR;
            } else {
                self.turn_to(self.part + 1, next);
                self.part_ends = self.end_of_part(self.part, self.opened.unwrap_or(0));
            }
        }
    }

    /// Nothing more is averaged from here on.
    pub fn close(&mut self, now: i64) {
        if self.is_open() {
            self.advance(now);
            self.flush_all(now);
            self.closed = true;
            (self.hour_ends, self.part_ends) = (i64::MAX, i64::MAX);
        }
    }

    fn flush_all(&mut self, now: i64) {
        self.flush_total(now);
        for at in 0..self.streams.len() {
            self.streams[at].flush(now, [&mut self.gathered.streams[at][self.part]]);
        }
        for at in 0..self.groups.len() {
            self.groups[at].flush(now, [&mut self.gathered.groups[at][self.part]]);
        }
        for at in 0..self.agents.len() {
            self.flush_agent(at, now);
        }
    }

    fn flush_total(&mut self, now: i64) {
        if !self.is_open() {
            return;
        }
        // The time up to now belongs to the hour that may just be ending.
        let hour = self.hour((now - 1).max(0));
        let hour = self.gathered.hours.get_mut(hour).and_then(|hour| hour.get_mut(self.part));
        self.total.flush(now, hour.into_iter().chain([&mut self.gathered.total[self.part]]));
    }

    fn flush_agent(&mut self, at: usize, now: i64) {
        let agent = &mut self.agents[at];
        let time = (now - agent.since) as f64;
        agent.since = now;
        let part = &mut self.gathered.agents[at][self.part];
        part.time += time;
        part.held_area += f64::from(agent.held) * time;
        if agent.held > 0 {
            part.busy_time += time;
        }
    }

    /// Somebody of a stream and a group waits, or no longer.
    pub fn wait(&mut self, stream: usize, group: usize, now: i64, waits: bool) {
        if self.is_open() {
            self.flush_total(now);
            self.streams[stream].flush(now, [&mut self.gathered.streams[stream][self.part]]);
            self.groups[group].flush(now, [&mut self.gathered.groups[group][self.part]]);
        }
        for level in [&mut self.total, &mut self.streams[stream], &mut self.groups[group]] {
            level.queue = if waits { level.queue + 1 } else { level.queue - 1 };
        }
    }

    /// An agent comes, or takes no more.
    pub fn present(&mut self, agent: usize, now: i64, present: bool) {
        self.change_agent(agent, now, |agent| agent.present = present);
    }

    /// An agent is given a conversation of a stream.
    pub fn take(&mut self, agent: usize, stream: usize, now: i64) {
        self.change_stream(stream, now, 1);
        self.change_agent(agent, now, |agent| agent.held += 1);
    }

    /// An agent has no longer a conversation of a stream; its slot stays taken until then.
    pub fn release(&mut self, agent: usize, stream: usize, now: i64, until: i64) {
        self.change_stream(stream, now, -1);
        let wraps = until > now;
        self.change_agent(agent, now, |agent| {
            agent.held -= 1;
            agent.wrapping += u32::from(wraps);
        });
        if wraps {
            self.wraps.push(Reverse((until, agent)));
        }
    }

    fn change_stream(&mut self, stream: usize, now: i64, by: i32) {
        if self.is_open() {
            self.streams[stream].flush(now, [&mut self.gathered.streams[stream][self.part]]);
        }
        self.streams[stream].busy = self.streams[stream].busy.saturating_add_signed(by);
    }

    fn change_agent(&mut self, at: usize, now: i64, change: impl FnOnce(&mut AgentLevel)) {
        let groups = std::mem::take(&mut self.agents[at].groups);
        if self.is_open() {
            self.flush_agent(at, now);
            self.flush_total(now);
            for group in &groups {
                self.groups[*group].flush(now, [&mut self.gathered.groups[*group][self.part]]);
            }
        }
        let before = self.agents[at].clone();
        change(&mut self.agents[at]);
        let after = &self.agents[at];
        if after.regular {
            follow(&mut self.total, &before, after);
            for group in &groups {
                follow(&mut self.groups[*group], &before, after);
            }
            let (slots, is_open) = (self.total.slots, self.is_open());
            if before.counted_slots() != after.counted_slots() {
                for (at, stream) in self.streams.iter_mut().enumerate() {
                    if is_open {
                        stream.flush(now, [&mut self.gathered.streams[at][self.part]]);
                    }
                    stream.slots = slots;
                }
            }
        }
        self.agents[at].groups = groups;
    }
}

/// A level follows what has become of an agent.
fn follow(level: &mut Level, before: &AgentLevel, after: &AgentLevel) {
    level.busy = level.busy + after.busy() - before.busy();
    level.slots = level.slots + after.counted_slots() - before.counted_slots();
    if let Some(spread) = &mut level.spread {
        if before.is_there() {
            spread.leave(before.held);
        }
        if after.is_there() {
            spread.enter(after.held);
        }
    }
}
