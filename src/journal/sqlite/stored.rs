//! Rows as they are stored: what has no column of its own is JSON here, with times in microseconds.
//! Nothing is read or written here.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::journal::StoreError;
use crate::model::{AccountId, BindingId, EntryId, GroupId, SellerId, State, Timestamp};
use crate::routing::{
    Bindings, Bound, Candidate, Cause, Chosen, Conversation, Day, Decision, Exclusion, LeftReason, RareParts, Rating,
    Spread, Step, WhyNot,
};

const EXCLUSIONS: [(Exclusion, &str); 5] = [
    (Exclusion::Declined, "declined"),
    (Exclusion::TimedOut, "timed_out"),
    (Exclusion::Unanswered, "unanswered"),
    (Exclusion::Lost, "lost"),
    (Exclusion::Transferred, "transferred"),
];
const LEFT: [LeftReason; 5] =
    [LeftReason::NobodyOnline, LeftReason::QueueFull, LeftReason::Timeout, LeftReason::Abandoned, LeftReason::Binding];
const STATES: [(State, &str); 5] = [
    (State::Queued, "queued"),
    (State::Offered, "offered"),
    (State::Active, "active"),
    (State::LeftMessage, "left_message"),
    (State::Closed, "closed"),
];

pub(super) fn state_name(state: State) -> &'static str {
    STATES.iter().find(|(known, _)| *known == state).map_or("closed", |(_, name)| name)
}

pub(super) fn state(name: &str) -> Result<State, StoreError> {
    STATES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state).ok_or_else(|| unknown("state", name))
}

fn cause(name: &str) -> Result<Cause, StoreError> {
    Cause::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| unknown("cause", name))
}

fn unknown(what: &str, name: &str) -> StoreError {
    StoreError::Damaged(format!("`{name}` is no {what}"))
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Failed(error.to_string()))
}

pub(super) fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(error.to_string()))
}

type Time = Option<i64>;

fn micros(at: Option<Timestamp>) -> Time {
    at.map(Timestamp::micros)
}

fn time(at: Time) -> Option<Timestamp> {
    at.map(Timestamp::from_micros)
}

/// What has no column in `conversation`.
#[derive(Serialize, Deserialize)]
pub(super) struct Detail {
    name: Option<Arc<str>>,
    attributes: Vec<(Arc<str>, Vec<Arc<str>>)>,
    context: Vec<(Arc<str>, Arc<str>)>,
    via: Option<GroupId>,
    offer_until: Time,
    bound: Option<(AccountId, bool)>,
    recent: Option<(AccountId, i64)>,
    recent_until: Time,
    priority: u32,
    queued_at: i64,
    waiting_since: i64,
    counted: bool,
    pause_until: Time,
    buyer_gone_since: Time,
    excluded: Vec<(AccountId, String)>,
    asked: Vec<AccountId>,
    held: Vec<AccountId>,
    assigned_at: Time,
    /// A store of before it was kept has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    came_by: Option<String>,
    first_assigned_at: Time,
    left: Option<String>,
    reason: Option<Arc<str>>,
    rating: Option<(u8, Option<Arc<str>>)>,
    note: Option<Arc<str>>,
}

impl Detail {
    pub(super) fn of(from: &Conversation) -> Self {
        let exclusion = |why| EXCLUSIONS.iter().find(|(known, _)| *known == why).map_or("lost", |(_, name)| name);
        Self {
            name: from.profile.name.clone(),
            attributes: from.profile.attributes.clone(),
            context: from.context.to_vec(),
            via: from.via.clone(),
            offer_until: micros(from.rare.offer_until),
            bound: from.rare.bound.as_ref().map(|bound| (bound.agent.clone(), bound.waits)),
            recent: from.recent.as_ref().map(|(agent, at)| (agent.clone(), at.micros())),
            recent_until: micros(from.rare.recent_until),
            priority: from.priority,
            queued_at: from.queued_at.micros(),
            waiting_since: from.waiting_since.micros(),
            counted: from.counted,
            pause_until: micros(from.rare.pause_until),
            buyer_gone_since: micros(from.buyer_gone_since),
            excluded: from
                .rare
                .excluded
                .iter()
                .map(|(agent, why)| (agent.clone(), exclusion(*why).to_owned()))
                .collect(),
            asked: from.asked.clone(),
            held: from.held.clone(),
            assigned_at: micros(from.assigned_at),
            came_by: from.came_by.map(|cause| cause.name().to_owned()),
            first_assigned_at: micros(from.first_assigned_at),
            left: from.left.map(|left| left.name().to_owned()),
            reason: from.rare.reason.clone(),
            rating: from.rare.rating.as_ref().map(|rating| (rating.score, rating.comment.clone())),
            note: from.rare.note.clone(),
        }
    }

    /// Everybody who held the conversation.
    pub(super) fn held(&self) -> &[AccountId] {
        &self.held
    }

    /// Puts everything that has no column into a conversation that has the rest; the name and the attributes are given
    /// back, since they belong to its profile.
    pub(super) fn fill(self, closed_at: Option<Timestamp>, into: &mut Conversation) -> Result<Described, StoreError> {
        let exclusion = |name: &str| {
            let known = EXCLUSIONS.iter().find(|(_, known)| *known == name);
            known.map(|(why, _)| *why).ok_or_else(|| unknown("exclusion", name))
        };
        into.context = self.context.into();
        into.via = self.via;
        into.recent = self.recent.map(|(agent, at)| (agent, Timestamp::from_micros(at)));
        into.priority = self.priority;
        into.queued_at = Timestamp::from_micros(self.queued_at);
        into.waiting_since = Timestamp::from_micros(self.waiting_since);
        into.counted = self.counted;
        into.buyer_gone_since = time(self.buyer_gone_since);
        let excluded = self.excluded.into_iter().map(|(agent, why)| Ok((agent, exclusion(&why)?)));
        let rare = RareParts {
            offer_until: time(self.offer_until),
            bound: self.bound.map(|(agent, waits)| Bound { agent, waits }),
            recent_until: time(self.recent_until),
            pause_until: time(self.pause_until),
            excluded: excluded.collect::<Result<_, StoreError>>()?,
            closed_at,
            reason: self.reason,
            rating: self.rating.map(|(score, comment)| Rating { score, comment }),
            note: self.note,
        };
        into.rare = rare.into();
        into.asked = self.asked;
        into.held = self.held;
        into.assigned_at = time(self.assigned_at);
        into.came_by = self.came_by.as_deref().map(cause).transpose()?;
        into.first_assigned_at = time(self.first_assigned_at);
        into.left = match self.left {
            None => None,
            Some(name) => match LEFT.iter().find(|known| known.name() == name) {
                Some(left) => Some(*left),
                None => return Err(unknown("reason of a left message", &name)),
            },
        };
        Ok((self.name, self.attributes))
    }
}

/// What a buyer is called, and what its token said of it.
pub(super) type Described = (Option<Arc<str>>, Vec<(Arc<str>, Vec<Arc<str>>)>);

/// A decision, compact.
#[derive(Serialize, Deserialize)]
pub(super) struct Trace {
    at: i64,
    generation: u64,
    cause: String,
    seller: SellerId,
    steps: Vec<(String, String, Option<GroupId>, Option<AccountId>)>,
    bindings: Vec<(BindingId, bool, Option<Arc<str>>)>,
    candidates: Vec<(AccountId, Vec<String>, u32, u32, Option<f64>)>,
    unavailable: Vec<(String, u32)>,
    runner_up: Option<AccountId>,
    chosen: (Option<AccountId>, Option<GroupId>, Option<GroupId>, State),
}

impl Trace {
    pub(super) fn of(from: &Decision) -> Self {
        let why_not = |why: &WhyNot| why.name().to_owned();
        let steps = from
            .steps
            .iter()
            .map(|step| (step.step.to_owned(), step.outcome.to_owned(), step.group.clone(), step.agent.clone()));
        let candidates = from.candidates.iter().map(|found| {
            let reasons = found.why_not.iter().map(why_not).collect();
            (found.agent.clone(), reasons, found.held, found.capacity, found.score)
        });
        let bindings = from.bindings.iter().map(|looked| {
            let matched = looked.matched();
            (looked.binding.clone(), matched, looked.failed.map(Arc::from))
        });
        let Chosen { agent, group, via, state } = from.chosen.clone();
        Self {
            at: from.at.micros(),
            generation: from.generation,
            cause: from.cause.name().to_owned(),
            seller: from.seller.clone(),
            steps: steps.collect(),
            bindings: bindings.collect(),
            candidates: candidates.collect(),
            unavailable: from.unavailable.iter().map(|(why, count)| (why_not(why), *count)).collect(),
            runner_up: from.runner_up.clone(),
            chosen: (agent, group, via, state),
        }
    }

    pub(super) fn into_decision(self) -> Result<Decision, StoreError> {
        let why_not = |name: &String| {
            let known = WhyNot::ALL.iter().find(|known| known.name() == name);
            known.copied().ok_or_else(|| unknown("reason why not", name))
        };
        let steps = self.steps.into_iter().map(|(step, outcome, group, agent)| Step {
            step: interned(&step),
            outcome: interned(&outcome),
            group,
            agent,
        });
        let candidates = self.candidates.into_iter().map(|(agent, reasons, held, capacity, score)| {
            let why_not = reasons.iter().map(why_not).collect::<Result<_, StoreError>>()?;
            Ok(Candidate { agent, why_not, held, capacity, score })
        });
        let unavailable = self.unavailable.iter().map(|(why, count)| Ok((why_not(why)?, *count)));
        let (agent, group, via, state) = self.chosen;
        Ok(Decision {
            at: Timestamp::from_micros(self.at),
            generation: self.generation,
            cause: cause(&self.cause)?,
            seller: self.seller,
            steps: steps.collect(),
            bindings: Bindings::stored(self.bindings.into_iter().map(|(id, _, failed)| (id, failed)).collect()),
            candidates: candidates.collect::<Result<_, StoreError>>()?,
            unavailable: unavailable.collect::<Result<_, StoreError>>()?,
            runner_up: self.runner_up,
            chosen: Chosen { agent, group, via, state },
        })
    }
}

/// What has no column in `day`.
#[derive(Serialize, Deserialize)]
pub(super) struct Figures {
    started: u64,
    served: u64,
    left: u64,
    closed: u64,
    replied: u64,
    replied_in_time: u64,
    waits: Vec<(u32, u32)>,
    first_replies: Vec<(u32, u32)>,
    entries: Vec<(EntryId, u64, u64)>,
}

impl Figures {
    pub(super) fn of(day: &Day) -> Self {
        Self {
            started: day.started,
            served: day.served,
            left: day.left,
            closed: day.closed,
            replied: day.replied,
            replied_in_time: day.replied_in_time,
            waits: day.waits.counts().to_vec(),
            first_replies: day.first_replies.counts().to_vec(),
            entries: day.entries.iter().map(|(entry, (started, served))| (entry.clone(), *started, *served)).collect(),
        }
    }

    pub(super) fn into_day(self, date: &str) -> Result<Day, StoreError> {
        Ok(Day {
            date: Some(date.parse().map_err(|_| unknown("date", date))?),
            started: self.started,
            served: self.served,
            left: self.left,
            closed: self.closed,
            replied: self.replied,
            replied_in_time: self.replied_in_time,
            waits: Spread::from_counts(self.waits),
            first_replies: Spread::from_counts(self.first_replies),
            entries: self.entries.into_iter().map(|(entry, started, served)| (entry, (started, served))).collect(),
        })
    }
}

/// How many names of steps are ever kept: the program has a few dozen.
const NAMES_MAX: usize = 1024;

/// The same text for as long as the process lives. Only names that the program once wrote come here.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut names = NAMES.lock();
    let names = names.get_or_insert_default();
    match names.get(name) {
        Some(known) => known,
        None if names.len() >= NAMES_MAX => "other",
        None => {
            let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
            names.insert(kept);
            kept
        }
    }
}
