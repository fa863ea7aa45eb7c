//! The decision trace: why this agent, or why nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{AccountId, BindingId, GroupId, SellerId, State, Timestamp};

/// What brought a decision about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of the documentation of routing")]
pub enum Cause {
    Start,
    SlotOpened,
    Overflow,
    RecentWait,
    MaxWait,
    Abandoned,
    WhatIf,
    OfferDeclined,
    OfferTimeout,
    Transfer,
    Assign,
    Claim,
    AgentLost,
    Unanswered,
    Suspended,
    Unauthorized,
    Reload,
    Reopen,
    Returned,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 19] = [
        Self::Start,
        Self::SlotOpened,
        Self::Overflow,
        Self::RecentWait,
        Self::MaxWait,
        Self::Abandoned,
        Self::WhatIf,
        Self::OfferDeclined,
        Self::OfferTimeout,
        Self::Transfer,
        Self::Assign,
        Self::Claim,
        Self::AgentLost,
        Self::Unanswered,
        Self::Suspended,
        Self::Unauthorized,
        Self::Reload,
        Self::Reopen,
        Self::Returned,
    ];

    /// Whether a conversation enters by it, or comes in again: some wishes hold only then.
    pub const fn enters(self) -> bool {
        matches!(self, Self::Start | Self::Reopen | Self::WhatIf)
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::SlotOpened => "slot_opened",
            Self::Overflow => "overflow",
            Self::RecentWait => "recent_wait",
            Self::MaxWait => "max_wait",
            Self::Abandoned => "abandoned",
            Self::WhatIf => "what_if",
            Self::OfferDeclined => "offer_declined",
            Self::OfferTimeout => "offer_timeout",
            Self::Transfer => "transfer",
            Self::Assign => "assign",
            Self::Claim => "claim",
            Self::AgentLost => "agent_lost",
            Self::Unanswered => "unanswered",
            Self::Suspended => "suspended",
            Self::Unauthorized => "unauthorized",
            Self::Reload => "reload",
            Self::Reopen => "reopen",
            Self::Returned => "returned",
        }
    }
}

/// Why somebody may not take a conversation now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyNot {
    /// The authorization is suspended, or is none.
    NotInForce,
    /// The authorization does not let it receive conversations.
    MayNotReceive,
    /// Its status is offline.
    Offline,
    /// Its status is away.
    Away,
    /// It is paused for this seller.
    Paused,
    /// It has no live session.
    NoSession,
    /// One of its limits is reached; not which, nor where.
    AtCapacity,
    /// It was given a conversation too short a time ago.
    Spacing,
    /// It declined this conversation.
    Declined,
    /// It let the offer of this conversation time out.
    TimedOut,
    /// It did not answer in this conversation.
    Unanswered,
    /// It was lost with this conversation.
    Lost,
    /// It transferred this conversation away.
    Transferred,
}

impl WhyNot {
    /// Every reason, in the order in which they are named.
    pub const ALL: [Self; 13] = [
        Self::NotInForce,
        Self::MayNotReceive,
        Self::Offline,
        Self::Away,
        Self::Paused,
        Self::NoSession,
        Self::AtCapacity,
        Self::Spacing,
        Self::Declined,
        Self::TimedOut,
        Self::Unanswered,
        Self::Lost,
        Self::Transferred,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotInForce => "not_in_force",
            Self::MayNotReceive => "may_not_receive",
            Self::Offline => "offline",
            Self::Away => "away",
            Self::Paused => "paused",
            Self::NoSession => "no_session",
            Self::AtCapacity => "at_capacity",
            Self::Spacing => "spacing",
            Self::Declined => "declined",
            Self::TimedOut => "timed_out",
            Self::Unanswered => "unanswered",
            Self::Lost => "lost",
            Self::Transferred => "transferred",
        }
    }
}

/// A step that was taken, by its name in the documentation, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// `bindings`, `recent_agent`, `select`, `overflow`, `nobody_online`, `queue`, …
    pub step: &'static str,
    /// What came of it, in a word.
    pub outcome: &'static str,
    /// The group, if the step is about one.
    pub group: Option<GroupId>,
    /// The agent, if the step is about one.
    pub agent: Option<AccountId>,
}

/// A binding that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked {
    /// Which.
    pub binding: BindingId,
    /// Whether all its matchers held.
    pub matched: bool,
    /// The first that did not, by its name in the configuration.
    pub failed: Option<Arc<str>>,
}

/// Somebody who was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Who.
    pub agent: AccountId,
    /// Why not; empty: it may.
    pub why_not: Vec<WhyNot>,
    /// What it holds, as far as it is this seller's.
    pub held: u32,
    /// How much it may hold, for this seller.
    pub capacity: u32,
    /// The key by which the strategy compared it: smaller is better.
    pub score: Option<f64>,
}

/// What was decided for whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Who, if somebody.
    pub agent: Option<AccountId>,
    /// The conversation's own group.
    pub group: Option<GroupId>,
    /// The group through which it is given.
    pub via: Option<GroupId>,
    /// The state the conversation is in now.
    pub state: State,
}

/// One decision, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// Under which configuration.
    pub generation: u64,
    /// What brought it about.
    pub cause: Cause,
    /// Whose.
    pub seller: SellerId,
    /// The steps taken.
    pub steps: Vec<Step>,
    /// Every binding looked at, in file order.
    pub bindings: Vec<Looked>,
    /// Up to 16 candidates, in order of preference; of a hypothetical decision all.
    pub candidates: Vec<Candidate>,
    /// How many could not be chosen, by reason.
    pub unavailable: BTreeMap<WhyNot, u32>,
    /// Who would have been next.
    pub runner_up: Option<AccountId>,
    /// What was decided.
    pub chosen: Chosen,
}
