//! The decision trace: why this agent, or why nobody.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::directory::{Matcher, Seller};
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
pub struct Looked<'a> {
    /// Which.
    pub binding: &'a BindingId,
    /// The first of its matchers that did not hold, by its name in the configuration; none if it matched.
    pub failed: Option<Cow<'a, str>>,
}

impl Looked<'_> {
    /// Whether all its matchers held.
    pub fn matched(&self) -> bool {
        self.failed.is_none()
    }
}

/// The bindings that were looked at, in file order. A seller may have very many: they are kept as what each came to, and
/// have their names from the configuration that they stand in.
#[derive(Clone, Default)]
pub struct Bindings(Kept);

#[derive(Clone)]
enum Kept {
    /// Those of a seller, from the first on: each with its matcher that did not hold, or with [`MATCHED`].
    Here(Arc<Seller>, Vec<u16>),
    /// As a store has them.
    Stored(Vec<(BindingId, Option<Arc<str>>)>),
}

/// In place of a matcher: all of them held.
const MATCHED: u16 = u16::MAX;

impl Default for Kept {
    fn default() -> Self {
        Self::Stored(Vec::new())
    }
}

impl Bindings {
    /// Those of a seller, of which none has been looked at yet.
    pub(super) fn of(seller: Arc<Seller>) -> Self {
        let looked = Vec::with_capacity(seller.bindings.len());
        Self(Kept::Here(seller, looked))
    }

    /// So many of the seller have been looked at; of those not said before, the first matcher did not hold.
    pub(super) fn pass_to(&mut self, count: usize) {
        if let Kept::Here(_, looked) = &mut self.0 {
            looked.resize(count.max(looked.len()), 0);
        }
    }

    /// The next one of the seller has been looked at: which of its matchers did not hold, if one did not.
    pub(super) fn push(&mut self, failed: Option<usize>) {
        if let Kept::Here(_, looked) = &mut self.0 {
            looked.push(failed.map_or(MATCHED, |matcher| u16::try_from(matcher).unwrap_or(MATCHED - 1)));
        }
    }

    /// Those of a decision that was stored: each with the matcher that did not hold, if one did not.
    pub fn stored(looked: Vec<(BindingId, Option<Arc<str>>)>) -> Self {
        Self(Kept::Stored(looked))
    }

    /// In file order.
    pub fn iter(&self) -> impl Iterator<Item = Looked<'_>> {
        let (here, stored) = match &self.0 {
            Kept::Here(seller, looked) => (Some(seller.bindings.iter().zip(looked)), None),
            Kept::Stored(looked) => (None, Some(looked)),
        };
        let here = here.into_iter().flatten().map(|(binding, failed)| Looked {
            binding: &binding.id,
            failed: binding.when.get(usize::from(*failed)).map(Matcher::name),
        });
        let stored = stored.into_iter().flatten();
        here.chain(stored.map(|(binding, failed)| Looked { binding, failed: failed.as_deref().map(Cow::Borrowed) }))
    }

    /// Whether none was looked at.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Kept::Here(_, looked) => looked.is_empty(),
            Kept::Stored(looked) => looked.is_empty(),
        }
    }

    /// Whether one of them matched.
    pub fn any_matched(&self) -> bool {
        match &self.0 {
            Kept::Here(_, looked) => looked.contains(&MATCHED),
            Kept::Stored(looked) => looked.iter().any(|(_, failed)| failed.is_none()),
        }
    }
}

impl PartialEq for Bindings {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Bindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
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
    pub bindings: Bindings,
    /// Up to 16 candidates, in order of preference; of a hypothetical decision all.
    pub candidates: Vec<Candidate>,
    /// How many could not be chosen, by reason.
    pub unavailable: BTreeMap<WhyNot, u32>,
    /// Who would have been next.
    pub runner_up: Option<AccountId>,
    /// What was decided.
    pub chosen: Chosen,
}
