//! The run itself: buyers come, agents work, and the routing core decides, in virtual time.
//! At one moment first what ends, then what is due in the core, then who comes.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::count::Where;
use super::random::{Draws, Purpose};
use super::tally::{BATCHES, Gathered, Tally};
use super::traffic::{Extent, HOUR};
use super::worker::Worker;
use super::world::World;
use crate::directory::DomainId;
use crate::model::{AccountId, Caller, GroupId, Timestamp};
use crate::routing::{Context, Recovered, Settings, Table};

/// How long a run goes on, once nobody comes any more, without anything that goes forward: 30 days.
const PATIENCE_OF_RUN: i64 = 30 * 24 * HOUR;
/// How often the progress is told, in arrivals.
pub(super) const TOLD: u64 = 1_024;

/// A run that cannot go on: the core did what it never does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It refused what it must not refuse.
    #[error("the core refused {what} at {at} µs: {why}")]
    Refused {
        /// What.
        what: &'static str,
        /// When, from the start.
        at: i64,
        /// Why.
        why: String,
    },
    /// Whoever ran it has asked to stop.
    #[error("interrupted")]
    Stopped,
}

/// How far a run has come, for whoever watches it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Buyers who have come, over all runs.
    pub arrivals: AtomicU64,
    /// Whether the runs should stop.
    pub stop: std::sync::atomic::AtomicBool,
}

/// Runs one replication of a world, from empty to the last buyer.
///
/// # Errors
/// The core refused what it must not refuse, or the run was stopped.
pub fn run(world: &World, replication: u64, progress: &Progress) -> Result<Gathered, Fault> {
    let parts = if world.traffic.span.replications > 1 { 1 } else { BATCHES };
    let mut engine = Engine::new(world, replication, parts);
    engine.prepare()?;
    while engine.step(progress)? {}
    progress.arrivals.fetch_add(engine.arrived % TOLD, Ordering::Relaxed);
    engine.tally.close(engine.now);
    engine.tally.gathered.events = engine.events;
    Ok(engine.tally.gathered)
}

/// A conversation that is not over.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) stream: usize,
    /// The n-th of its stream: what is drawn for it.
    pub(super) nth: u64,
    pub(super) group: usize,
    pub(super) arrived: i64,
    /// When its patience ends, if it does.
    pub(super) patience: Option<i64>,
    pub(super) recent: Option<AccountId>,
    /// Where it is counted, if it is.
    pub(super) counted: Option<Where>,
    pub(super) standing: Standing,
    pub(super) served_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Standing {
    /// Just arrived: not known yet.
    New,
    Waiting,
    /// Nobody could take it; it may be picked up later.
    Left,
    /// An agent works on it; this is what it is known by there.
    Working {
        mark: u64,
    },
}

/// A kind of buyer, at the point where it has come to.
pub(super) struct Source {
    pub(super) draws: [Draws; 5],
    pub(super) domain: DomainId,
    pub(super) context: Context,
    pub(super) count: u64,
}

impl Source {
    pub(super) fn draws(&self, purpose: Purpose) -> &Draws {
        &self.draws[purpose as usize - 1]
    }
}

pub(super) struct Staff {
    pub(super) caller: Caller,
    pub(super) domain: DomainId,
    pub(super) worker: Worker,
    pub(super) next: Option<(i64, u64)>,
    pub(super) on_shift: bool,
    /// Its shift is over; it goes when it has nothing left.
    pub(super) going: bool,
}

pub(super) struct Engine<'w> {
    pub(super) world: &'w World,
    pub(super) table: Table,
    pub(super) tally: Tally,
    pub(super) now: i64,
    pub(super) sources: Vec<Source>,
    pub(super) staff: Vec<Staff>,
    pub(super) agent_at: HashMap<AccountId, usize>,
    pub(super) group_at: Vec<HashMap<GroupId, usize>>,
    pub(super) open: HashMap<u64, Open>,
    /// Conversations that wait or are worked on: until there are none the run goes on.
    pub(super) busy: usize,
    pub(super) arrivals: BTreeSet<(i64, usize)>,
    pub(super) departures: BTreeSet<(i64, u64, usize)>,
    pub(super) leaving: BTreeSet<(i64, u64)>,
    pub(super) shifts: VecDeque<(i64, usize, bool)>,
    pub(super) offers: VecDeque<(u64, usize)>,
    pub(super) arrived: u64,
    pub(super) counted: u64,
    pub(super) events: u64,
    /// When a run by time ends.
    pub(super) ends: Option<i64>,
    /// When something last went forward.
    pub(super) moved: i64,
}

/// What happens next, in the order in which simultaneous things happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Next {
    Departure,
    Leaving,
    Shift,
    Deadline,
    End,
    Arrival,
}

impl<'w> Engine<'w> {
    fn new(world: &'w World, replication: u64, parts: usize) -> Self {
        let recovered = Recovered::default();
        let directory = Arc::clone(&world.directory);
        // Nobody hears how far a queue has moved, and in a long one that is most of what there is to say.
        let settings = Settings { positions_per_second: 0, ..Settings::default() };
        let table = Table::new(directory, settings, recovered, world.start, || {});
        let seed = world.traffic.span.seed;
        let purposes = [Purpose::Arrival, Purpose::Work, Purpose::Patience, Purpose::Returning, Purpose::Recent];
        let sources = world.traffic.streams.iter().zip(0..).map(|(stream, at)| Source {
            draws: purposes.map(|purpose| Draws::new(seed, replication, at, purpose)),
            domain: table.domain_of_seller(&stream.seller).unwrap_or(DomainId(0)),
            context: stream.context.iter().cloned().collect(),
            count: 0,
        });
        let sources = sources.collect();
        let staff = world.agents.iter().map(|agent| Staff {
            caller: Caller::Staff { account: agent.account.clone(), sellers: None },
            domain: table.domain_of_agent(&agent.account).unwrap_or(DomainId(0)),
            worker: Worker::new(agent.speed, Arc::clone(&world.traffic.agents.slowdown)),
            next: None,
            on_shift: false,
            going: false,
        });
        let staff = staff.collect();
        let group_at = world.traffic.streams.iter().map(|stream| {
            let groups = world.groups.iter().enumerate().filter(|(_, group)| group.seller == stream.seller);
            groups.map(|(at, group)| (group.group.clone(), at)).collect()
        });
        Self {
            world,
            table,
            tally: Tally::new(world, parts),
            now: 0,
            sources,
            staff,
            agent_at: world.agents.iter().enumerate().map(|(at, agent)| (agent.account.clone(), at)).collect(),
            group_at: group_at.collect(),
            open: HashMap::new(),
            busy: 0,
            arrivals: BTreeSet::new(),
            departures: BTreeSet::new(),
            leaving: BTreeSet::new(),
            shifts: VecDeque::new(),
            offers: VecDeque::new(),
            arrived: 0,
            counted: 0,
            events: 0,
            ends: end_of(world),
            moved: 0,
        }
    }

    /// Agents who are always there come, and the first buyers are on their way.
    fn prepare(&mut self) -> Result<(), Fault> {
        for agent in 0..self.staff.len() {
            if self.world.agents[agent].shifts.is_none() {
                self.come(agent)?;
            }
        }
        self.plan_shifts(0);
        for stream in 0..self.sources.len() {
            self.plan_arrival(stream, 0);
        }
        self.plan_again();
        Ok(())
    }

    /// The shifts of one round of the profile, or all.
    pub(super) fn plan_shifts(&mut self, from: i64) {
        let mut shifts: Vec<(i64, usize, bool)> = Vec::new();
        for (at, agent) in self.world.agents.iter().enumerate() {
            for (start, end) in agent.shifts.iter().flatten() {
                shifts.push((from.saturating_add(*start), at, true));
                shifts.push((from.saturating_add(*end), at, false));
            }
        }
        // Who goes at the moment at which others come goes first.
        shifts.sort_by_key(|(time, agent, comes)| (*time, *comes, *agent));
        self.shifts.extend(shifts);
    }

    /// Does what is next; false if nothing is left to be done.
    fn step(&mut self, progress: &Progress) -> Result<bool, Fault> {
        let departure = self.departures.first().map(|(at, ..)| (*at, Next::Departure));
        let leaving = self.leaving.first().map(|(at, _)| (*at, Next::Leaving));
        let shift = self.shifts.front().map(|(at, ..)| (*at, Next::Shift));
        let deadline = self.table.next_deadline().map(|at| (self.since_start(at).max(self.now), Next::Deadline));
        let arrival = self.arrivals.first().map(|(at, _)| (*at, Next::Arrival));
        let end = self.ends.map(|at| (at, Next::End));
        let next = [departure, leaving, shift, deadline, end, arrival].into_iter().flatten().min();
        let Some((at, next)) = next else { return Ok(false) };
        if self.arrivals.is_empty() && (self.busy == 0 || at - self.moved > PATIENCE_OF_RUN) {
            return Ok(false);
        }
        self.now = at;
        self.tally.advance(at);
        match next {
            Next::Departure => self.finish()?,
            Next::Leaving => self.give_up()?,
            Next::Shift => self.turn_shift()?,
            Next::Deadline => self.due()?,
            Next::End => self.end_arrivals(),
            Next::Arrival => self.arrive(progress)?,
        }
        Ok(true)
    }

    pub(super) fn time(&self) -> Timestamp {
        Timestamp::from_micros(self.world.start.micros().saturating_add(self.now))
    }

    fn since_start(&self, at: Timestamp) -> i64 {
        at.micros().saturating_sub(self.world.start.micros())
    }

    /// When the next of those who come again comes.
    pub(super) fn plan_again(&mut self) {
        let next = usize::try_from(self.arrived).ok().and_then(|next| self.world.again.get(next));
        self.arrivals.extend(next.map(|again| (again.at.max(self.now), again.stream)));
    }

    /// When the next buyer of a stream comes: unit exponentials through the rate, hour by hour.
    pub(super) fn plan_arrival(&mut self, stream: usize, from: i64) {
        let source = &self.sources[stream];
        let profile = &self.world.traffic.streams[stream].profile;
        let mut need = source.draws(Purpose::Arrival).exponential(source.count);
        let mut at = from;
        if let [rate] = profile[..] {
            if rate > 0.0 {
                self.arrivals.insert((at.saturating_add(whole(need / rate * HOUR as f64)), stream));
            }
            return;
        }
        loop {
            let hour = at / HOUR;
            let rate = profile[usize::try_from(hour).unwrap_or(0) % profile.len()];
            let left = ((hour + 1) * HOUR - at) as f64;
            let within = rate * left / HOUR as f64;
            if need < within {
                at = at.saturating_add(whole(need / rate * HOUR as f64));
                self.arrivals.insert((at, stream));
                return;
            }
            need -= within;
            at = (hour + 1) * HOUR;
        }
    }

    /// Whether a buyer who comes now is one of those who are counted; none if nobody comes any more.
    pub(super) fn is_counted(&self) -> Option<bool> {
        let span = &self.world.traffic.span;
        let warm = match span.warm_up {
            Extent::Arrivals(arrivals) => self.arrived < arrivals,
            Extent::Time(time) => self.now < time,
        };
        match span.counted {
            _ if warm => Some(false),
            Extent::Arrivals(arrivals) => (self.counted < arrivals).then_some(true),
            Extent::Time(_) => Some(true),
        }
    }

    /// Nobody comes any more; who is there is followed to the end.
    pub(super) fn end_arrivals(&mut self) {
        self.arrivals.clear();
        self.ends = None;
        self.tally.close(self.now);
    }
}

/// When a run by time ends, if that is known before anybody has come.
fn end_of(world: &World) -> Option<i64> {
    match (world.traffic.span.counted, world.traffic.span.warm_up) {
        (Extent::Time(time), Extent::Time(warm_up)) => Some(warm_up.saturating_add(time)),
        (Extent::Time(time), Extent::Arrivals(0)) => Some(time),
        _ => None,
    }
}

fn whole(micros: f64) -> i64 {
    micros.round() as i64
}
