//! The objects of the protocol, as each side sees them: borrowed views of what `routing` shows.
//! They are written by serde and described by schemars, so that the description cannot differ.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::Class;
use crate::model::{ConversationId, State, Status, Timestamp};
use crate::routing;

/// A time, RFC 3339 UTC with milliseconds.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct At(#[schemars(with = "String")] pub Timestamp);

/// An id that this server gave.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Given(#[schemars(with = "String")] pub ConversationId);

/// Where a conversation is shown: what has not been read stands only in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// In an answer.
    Reply,
    /// In an event.
    Event,
}

/// A buyer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Buyer<'a> {
    pub id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// What its token says of it; for staff only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attrs: Option<BTreeMap<&'a str, Attribute<'a>>>,
}

/// A string or a list of strings, as it stands in the token.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Attribute<'a> {
    /// One value.
    One(&'a str),
    /// Several.
    Many(Vec<&'a str>),
}

impl Serialize for Attribute<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(value) => serializer.serialize_str(value),
            Self::Many(values) => serializer.collect_seq(values),
        }
    }
}

/// An agent.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Agent<'a> {
    pub id: &'a str,
    pub name: &'a str,
}

/// A place in a queue.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Queue {
    pub position: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_wait_s: Option<u32>,
}

/// An open offer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Offer {
    pub expires_at: At,
    pub expires_in_s: f64,
}

/// What its buyer said of a conversation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rating<'a> {
    pub score: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<&'a str>,
}

/// A conversation, as its receiver sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Conversation<'a> {
    pub id: Given,
    pub rev: u64,
    pub seller: &'a str,
    pub buyer: Buyer<'a>,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'a str>,
    pub priority: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    pub context: BTreeMap<&'a str, &'a str>,
    pub entry: &'a str,
    pub started_at: At,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<At>,
    /// What brought it to its owner, as `conversation.assigned` said; for staff, and only in answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'a str>,
    /// When somebody first answered; for staff, and only in answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_reply_at: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<At>,
    /// The last number that the receiver may see.
    pub last_seq: u64,
    /// Messages of the other side that the receiver's side has not read; only in answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<Rating<'a>>,
}

impl<'a> Conversation<'a> {
    /// What a side sees of a conversation.
    pub fn of(view: &'a routing::View, class: Class, shown: Shown) -> Self {
        let seen = match class {
            Class::Buyer => view.for_buyer,
            Class::Staff => view.for_staff,
        };
        let offer = view.offer.filter(|_| class == Class::Staff);
        let answers_staff = class == Class::Staff && shown == Shown::Reply;
        Self {
            id: Given(view.id),
            rev: view.rev,
            seller: view.seller.as_str(),
            buyer: buyer(&view.buyer, class),
            state: view.state,
            agent: view.agent.as_ref().map(|(id, name)| Agent { id: id.as_str(), name }),
            group: view.group.as_ref().map(|group| group.as_str()),
            priority: view.priority,
            queue: view.queue.as_ref().map(queue),
            offer: offer.map(|until| Offer { expires_at: At(until), expires_in_s: seconds(until.since(view.at)) }),
            reason: view.reason.as_deref(),
            context: view.context.iter().map(|(key, value)| (&**key, &**value)).collect(),
            entry: view.entry.as_str(),
            started_at: At(view.started_at),
            assigned_at: view.assigned_at.map(At),
            cause: view.cause.filter(|_| answers_staff).map(routing::Cause::name),
            first_reply_at: view.first_reply_at.filter(|_| answers_staff).map(At),
            closed_at: view.closed_at.map(At),
            last_seq: seen.last_seq,
            unread: (shown == Shown::Reply).then_some(seen.unread),
            rating: view.rating.as_ref().map(|r| Rating { score: r.score, comment: r.comment.as_deref() }),
        }
    }
}

fn buyer(profile: &routing::Profile, class: Class) -> Buyer<'_> {
    let attrs = || profile.attributes.iter().map(|(name, values)| (&**name, attribute(values))).collect();
    Buyer {
        id: &profile.key.sub,
        name: profile.name.as_deref(),
        attrs: (class == Class::Staff && !profile.attributes.is_empty()).then(attrs),
    }
}

fn attribute(values: &[std::sync::Arc<str>]) -> Attribute<'_> {
    match values {
        [one] => Attribute::One(one),
        many => Attribute::Many(many.iter().map(|value| &**value).collect()),
    }
}

/// Seconds, whole milliseconds of them.
pub fn seconds(span: std::time::Duration) -> f64 {
    // A span of whole milliseconds is exact far beyond any that occurs.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of any real span fit")]
    let millis = span.as_millis() as f64;
    millis / 1000.0
}

/// A place in a queue, as it is written.
pub fn queue(place: &routing::Place) -> Queue {
    Queue { position: place.position, estimated_wait_s: place.estimated_wait }
}

/// A seller's desk.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Desk<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller: Option<&'a str>,
    pub generation: u64,
    pub groups: Vec<DeskGroup<'a>>,
    pub agents: Vec<DeskAgent<'a>>,
    pub entries: Vec<DeskEntry<'a>>,
    pub today: Today,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct DeskGroup<'a> {
    pub group: &'a str,
    pub name: &'a str,
    pub waiting: u32,
    pub left_messages: u32,
    pub longest_wait_s: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct DeskAgent<'a> {
    pub sub_account: &'a str,
    pub name: &'a str,
    pub groups: Vec<&'a str>,
    pub status: Status,
    pub held: u32,
    pub capacity: u32,
    pub sessions: u32,
    pub since: At,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct DeskEntry<'a> {
    pub entry: &'a str,
    pub started: u64,
    pub served: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Today {
    pub started: u64,
    pub served: u64,
    pub left: u64,
    pub closed: u64,
    pub median_wait_s: Option<f64>,
    pub median_first_reply_s: Option<f64>,
    pub replied_in_time_ratio: Option<f64>,
}

impl<'a> Desk<'a> {
    /// A desk as it is written.
    pub fn of(desk: &'a routing::Desk) -> Self {
        let group = |group: &'a routing::DeskGroup| DeskGroup {
            group: group.group.as_str(),
            name: &group.name,
            waiting: group.waiting,
            left_messages: group.left_messages,
            longest_wait_s: seconds(group.longest_wait),
        };
        let agent = |agent: &'a routing::DeskAgent| DeskAgent {
            sub_account: agent.account.as_str(),
            name: &agent.name,
            groups: agent.groups.iter().map(|group| group.as_str()).collect(),
            status: agent.status,
            held: agent.held,
            capacity: agent.capacity,
            sessions: agent.sessions,
            since: At(agent.since),
        };
        let entry =
            |e: &'a routing::DeskEntry| DeskEntry { entry: e.entry.as_str(), started: e.started, served: e.served };
        Self {
            seller: desk.seller.as_ref().map(|seller| seller.as_str()),
            generation: desk.generation,
            groups: desk.groups.iter().map(group).collect(),
            agents: desk.agents.iter().map(agent).collect(),
            entries: desk.entries.iter().map(entry).collect(),
            today: Today {
                started: desk.today.started,
                served: desk.today.served,
                left: desk.today.left,
                closed: desk.today.closed,
                median_wait_s: desk.today.median_wait.map(seconds),
                median_first_reply_s: desk.today.median_first_reply.map(seconds),
                replied_in_time_ratio: desk.today.replied_in_time_ratio,
            },
        }
    }
}

/// A decision, whole.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Decision<'a> {
    pub at: At,
    pub generation: u64,
    pub cause: &'a str,
    pub seller: &'a str,
    pub steps: Vec<Step<'a>>,
    pub bindings: Vec<Looked<'a>>,
    pub candidates: Vec<Candidate<'a>>,
    pub unavailable: BTreeMap<&'a str, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_up: Option<&'a str>,
    pub chosen: Chosen<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Step<'a> {
    pub step: &'a str,
    pub outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_account: Option<&'a str>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Looked<'a> {
    pub binding: &'a str,
    pub matched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Candidate<'a> {
    pub sub_account: &'a str,
    pub available: bool,
    pub why_not: Vec<&'a str>,
    pub held: u32,
    pub capacity: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Chosen<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<&'a str>,
    pub state: State,
}

impl<'a> Decision<'a> {
    /// A decision as it is written.
    pub fn of(decision: &'a routing::Decision) -> Self {
        let step = |step: &'a routing::Step| Step {
            step: step.step,
            outcome: step.outcome,
            group: step.group.as_ref().map(|group| group.as_str()),
            sub_account: step.agent.as_ref().map(|agent| agent.as_str()),
        };
        let looked = |looked: routing::Looked<'a>| Looked {
            binding: looked.binding.as_str(),
            matched: looked.matched(),
            failed: looked.failed,
        };
        let candidate = |candidate: &'a routing::Candidate| Candidate {
            sub_account: candidate.agent.as_str(),
            available: candidate.why_not.is_empty(),
            why_not: candidate.why_not.iter().map(|why| why.name()).collect(),
            held: candidate.held,
            capacity: candidate.capacity,
            score: candidate.score,
        };
        let chosen = &decision.chosen;
        Self {
            at: At(decision.at),
            generation: decision.generation,
            cause: decision.cause.name(),
            seller: decision.seller.as_str(),
            steps: decision.steps.iter().map(step).collect(),
            bindings: decision.bindings.iter().map(looked).collect(),
            candidates: decision.candidates.iter().map(candidate).collect(),
            unavailable: decision.unavailable.iter().map(|(why, count)| (why.name(), *count)).collect(),
            runner_up: decision.runner_up.as_ref().map(|agent| agent.as_str()),
            chosen: Chosen {
                sub_account: chosen.agent.as_ref().map(|agent| agent.as_str()),
                group: chosen.group.as_ref().map(|group| group.as_str()),
                via: chosen.via.as_ref().map(|group| group.as_str()),
                state: chosen.state,
            },
        }
    }
}

/// The limits that a client has to know.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the protocol's own names")]
pub struct ServerLimits {
    pub frame: usize,
    pub depth: usize,
    pub batch: usize,
    pub in_flight: usize,
    pub text: usize,
    pub requests_per_second: u32,
    pub burst: u32,
}
