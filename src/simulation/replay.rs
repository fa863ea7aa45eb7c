//! Traffic that has happened: who came when and why, who was there, how long it took. It is tried under another
//! configuration, and what differs from what happened is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::count::Fate;
use super::figures::Named;
use super::histogram::Histogram;
use super::random::Law;
use super::results::Tried;
use super::traffic::{Agents, Extent, Span, Stream, Traffic};
use super::world::World;
use crate::directory::Directory;
use crate::model::{AccountId, ConversationId, EntryId, SellerId, Status, Timestamp};

/// How long somebody who was online at the end of a recording is taken to stay: a day.
const STAYS: i64 = 24 * super::traffic::HOUR;
/// How many conversations that went otherwise are told one by one.
const TOLD: usize = 100;

/// What happened to one buyer.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its conversation.
    pub conversation: ConversationId,
    /// With whom.
    pub seller: SellerId,
    /// Where it came in.
    pub entry: EntryId,
    /// What it wished.
    pub context: Vec<(Arc<str>, Arc<str>)>,
    /// What its token said.
    pub attributes: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// Its first text, in lower case.
    pub text: Option<Arc<str>>,
    /// Whom it had met before, and until when.
    pub recent: Option<(AccountId, Timestamp)>,
    /// When it came.
    pub started_at: Timestamp,
    /// Who first had it.
    pub agent: Option<AccountId>,
    /// When.
    pub assigned_at: Option<Timestamp>,
    /// When it was over.
    pub closed_at: Option<Timestamp>,
    /// Whether it was left as a message.
    pub left: bool,
}

/// What was recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The conversations, in the order in which they began.
    pub conversations: Vec<Recorded>,
    /// What agents said of themselves, and when, in order.
    pub presence: Vec<(AccountId, Timestamp, Status)>,
}

/// A buyer who comes again.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    /// When, in microseconds from the start.
    pub at: i64,
    /// The stream of its seller.
    pub stream: usize,
    /// How long the conversation takes, in microseconds.
    pub work: f64,
    /// How long it waits, if it went before anybody had it.
    pub patience: Option<i64>,
    /// What is known of it.
    pub recorded: Recorded,
}

/// What became of a buyer who came again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who has had it.
    pub agent: Option<usize>,
    /// How long it waited, in microseconds.
    pub waited: i64,
    /// How its waiting ended; none if it never did.
    pub fate: Option<Fate>,
}

/// What differs from what happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Conversations that were tried again.
    pub conversations: u64,
    /// Conversations of sellers whom this configuration does not know.
    pub unknown: u64,
    /// What happened, by the names of the figures.
    pub happened: Named<f64>,
    /// Of those served both times, the share with the same agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_agent: Option<f64>,
    /// Served then, and not now.
    pub no_longer_served: u64,
    /// Served now, and not then.
    pub now_served: u64,
    /// The first that went otherwise.
    pub otherwise: Vec<Otherwise>,
}

/// A conversation that went otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Otherwise {
    /// Which.
    pub conversation: ConversationId,
    /// What happened.
    pub then: End,
    /// What would have.
    pub now: End,
}

/// Who had a conversation, and after how many seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct End {
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// After how long, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<f64>,
}

/// The world in which what was recorded happens again; and how many conversations are of sellers unknown to it.
pub fn replayed(directory: &Directory, recording: &Recording) -> (World, u64) {
    let known = |recorded: &&Recorded| directory.sellers.contains_key(&recorded.seller);
    let all: Vec<&Recorded> = recording.conversations.iter().filter(known).collect();
    let unknown = (recording.conversations.len() - all.len()) as u64;
    let starts = all.iter().map(|recorded| recorded.started_at);
    let start = starts.chain(recording.presence.iter().map(|(_, at, _)| *at)).min().unwrap_or(Timestamp::ZERO);
    let mut sellers: BTreeMap<&SellerId, usize> = BTreeMap::new();
    for recorded in &all {
        sellers.insert(&recorded.seller, 0);
    }
    sellers.values_mut().zip(0..).for_each(|(at, number)| *at = number);
    let streams = sellers.keys().map(|seller| stream(seller)).collect();
    let span = Span { counted: Extent::Arrivals((all.len() as u64).max(1)), ..Span::default() };
    let shifts = shifts(directory, recording, start);
    let traffic = Traffic { span, streams, agents: Agents { shifts, ..Agents::default() } };
    let mean = mean_work(&all);
    let again = all.iter().map(|recorded| Again {
        at: micros(start, recorded.started_at),
        stream: sellers.get(&recorded.seller).copied().unwrap_or(0),
        work: work(recorded).unwrap_or(mean),
        patience: patience(recorded),
        recorded: (*recorded).clone(),
    });
    let again: Vec<Again> = again.collect();
    let mut world = World::new(directory, Arc::new(traffic));
    world.start = start;
    world.again = again.into();
    (world, unknown)
}

fn stream(seller: &SellerId) -> Stream {
    Stream {
        id: seller.as_str().into(),
        seller: seller.clone(),
        entry: EntryId::from(""),
        context: Vec::new(),
        attributes: Vec::new(),
        profile: vec![0.0],
        by_hour: false,
        work: Law::Fixed { mean: 0.0 },
        patience: None,
        returning: 0.0,
    }
}

fn micros(from: Timestamp, to: Timestamp) -> i64 {
    to.micros().saturating_sub(from.micros())
}

fn work(recorded: &Recorded) -> Option<f64> {
    Some(micros(recorded.assigned_at?, recorded.closed_at?).max(0) as f64)
}

/// What a conversation takes that nobody had, or that is not over.
fn mean_work(all: &[&Recorded]) -> f64 {
    let works: Vec<f64> = all.iter().filter_map(|recorded| work(recorded)).collect();
    if works.is_empty() { 0.0 } else { works.iter().sum::<f64>() / works.len() as f64 }
}

fn patience(recorded: &Recorded) -> Option<i64> {
    let gave_up = recorded.assigned_at.is_none() && !recorded.left;
    recorded.closed_at.filter(|_| gave_up).map(|closed| micros(recorded.started_at, closed).max(0))
}

/// When agents were there: as they said; of whom nothing is recorded, while it was being given conversations.
fn shifts(directory: &Directory, recording: &Recording, start: Timestamp) -> BTreeMap<AccountId, Vec<(i64, i64)>> {
    let ends = recording.conversations.iter().flat_map(|recorded| [Some(recorded.started_at), recorded.closed_at]);
    let last = ends.flatten().chain(recording.presence.iter().map(|(_, at, _)| *at)).max().unwrap_or(start);
    let end = micros(start, last).saturating_add(STAYS);
    let mut shifts: BTreeMap<AccountId, Vec<(i64, i64)>> = BTreeMap::new();
    for account in directory.sellers.values().flat_map(|seller| seller.agents.keys()) {
        shifts.insert(account.clone(), Vec::new());
    }
    let mut online: BTreeMap<&AccountId, (bool, i64)> = BTreeMap::new();
    for (account, at, status) in &recording.presence {
        let at = micros(start, *at);
        let before = online.insert(account, (*status == Status::Online, at));
        if let Some((true, since)) = before {
            shifts.entry(account.clone()).or_default().push((since, at.max(since + 1)));
        }
    }
    for (account, (is_online, since)) in &online {
        if *is_online {
            shifts.entry((*account).clone()).or_default().push((*since, end));
        }
    }
    let mut held: BTreeMap<&AccountId, (i64, i64)> = BTreeMap::new();
    for recorded in &recording.conversations {
        let (Some(agent), Some(assigned)) = (&recorded.agent, recorded.assigned_at) else { continue };
        if !online.contains_key(agent) {
            let assigned = micros(start, assigned);
            let span = held.entry(agent).or_insert((assigned, assigned + 1));
            *span = (span.0.min(assigned), span.1.max(assigned + 1));
        }
    }
    for (account, span) in held {
        shifts.entry(account.clone()).or_default().push(span);
    }
    shifts.values_mut().for_each(super::read::join);
    shifts
}

/// What differs from what happened.
pub fn difference(tried: &Tried, unknown: u64) -> Difference {
    let world = &tried.world;
    let mut found = Difference { conversations: world.again.len() as u64, unknown, ..Difference::default() };
    found.happened = happened(world);
    let (mut both, mut same) = (0_u64, 0_u64);
    for (again, outcome) in world.again.iter().zip(&tried.gathered.outcomes) {
        let recorded = &again.recorded;
        let now = outcome.agent.and_then(|agent| world.agents.get(agent)).map(|agent| &agent.account);
        let served = (recorded.assigned_at.is_some(), outcome.fate == Some(Fate::Served));
        match served {
            (true, true) => {
                both += 1;
                same += u64::from(recorded.agent.as_ref() == now);
            }
            (true, false) => found.no_longer_served += 1,
            (false, true) => found.now_served += 1,
            (false, false) => {}
        }
        let differs = served.0 != served.1 || (served.0 && recorded.agent.as_ref() != now);
        if differs && found.otherwise.len() < TOLD {
            let then = recorded.assigned_at.map(|assigned| micros(recorded.started_at, assigned) as f64 / 1e6);
            found.otherwise.push(Otherwise {
                conversation: recorded.conversation,
                then: End { agent: recorded.agent.as_ref().map(ToString::to_string), wait: then },
                now: End {
                    agent: now.map(ToString::to_string),
                    wait: outcome.fate.map(|_| outcome.waited as f64 / 1e6),
                },
            });
        }
    }
    found.same_agent = (both > 0).then(|| same as f64 / both as f64);
    found
}

/// The figures of what happened.
fn happened(world: &World) -> Named<f64> {
    let (mut waits, mut served, mut abandoned, mut in_time, mut wait_sum) =
        (Histogram::default(), 0_u64, 0_u64, 0_u64, 0.0);
    let target = i64::try_from(world.traffic.span.sl_target.as_micros()).unwrap_or(i64::MAX);
    for again in world.again.iter() {
        let recorded = &again.recorded;
        if let Some(assigned) = recorded.assigned_at {
            let wait = micros(recorded.started_at, assigned).max(0);
            served += 1;
            in_time += u64::from(wait <= target);
            waits.add(wait);
            wait_sum += wait as f64 / 1e6;
        } else if let Some(patience) = again.patience {
            abandoned += 1;
            waits.add(patience);
            wait_sum += patience as f64 / 1e6;
        }
    }
    let offered = world.again.len() as f64;
    let mut figures = vec![
        ("offered", offered),
        ("served", served as f64),
        ("abandoned", abandoned as f64),
        ("sl", in_time as f64 / offered.max(1.0)),
        ("p_abandon", abandoned as f64 / offered.max(1.0)),
        ("mean_wait", wait_sum / offered.max(1.0)),
    ];
    let quantiles = [("wait_p50", 0.5), ("wait_p95", 0.95), ("wait_p99", 0.99)];
    figures.extend(quantiles.iter().filter_map(|(name, share)| Some((*name, waits.quantile(*share)? / 1e6))));
    Named(figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
