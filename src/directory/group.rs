//! A group: members, a strategy, a queue, overflow steps, and the times that hold for its conversations.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::model::{AccountId, GroupId};

/// How a group selects among members who may take a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Smallest (held + 1) / capacity over all sellers.
    #[default]
    LeastLoaded,
    /// Fewest conversations held, over all sellers.
    LeastActive,
    /// Longest since it was last given a conversation or ended one.
    LongestIdle,
    /// The next member after the last chosen, in member order.
    RoundRobin,
    /// Smooth weighted round robin over the members' weights.
    Weighted,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Who.
    pub account: AccountId,
    /// Lower tiers are asked first.
    pub tier: u32,
    /// Its share under [`Strategy::Weighted`]; at least 1.
    pub weight: u32,
    /// How many conversations it holds at once through this group, if limited.
    pub capacity: Option<u32>,
}

/// An overflow step: from `after` of a waiting on, members of `to` are eligible too.
#[derive(Clone, Debug, PartialEq)]
pub struct Overflow {
    /// How long this waiting has to last; zero: at once.
    pub after: Duration,
    /// A group of the same seller.
    pub to: GroupId,
}

/// Whether an agent is asked before a conversation is given to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// It has it at once.
    #[default]
    Auto,
    /// It is asked, and has `offer_timeout` to accept.
    Offer,
}

/// What becomes of conversations when nobody is online and some are away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenAllAway {
    /// They wait.
    #[default]
    Queue,
    /// Those away share the flow as if they were online.
    Assign,
    /// They are left messages.
    LeaveMessage,
}

/// What becomes of the conversations of an agent who is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenLost {
    /// They are routed anew.
    #[default]
    Reroute,
    /// They stay.
    Keep,
}

/// What happens when only its capacity keeps the recent agent from a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecentWhenFull {
    /// Others are looked at.
    #[default]
    Skip,
    /// It is given up to twice its limits.
    Exceed,
    /// Only it may take the conversation for so long.
    Wait(Duration),
}

/// What a point of priority is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriorityStep {
    /// So much waiting.
    Worth(Duration),
    /// More than any waiting.
    Strict,
}

/// A group of a seller, with every setting resolved to its value.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the settings are described where they act, in the documentation of routing")]
pub struct Group {
    pub id: GroupId,
    pub name: Arc<str>,
    pub strategy: Strategy,
    /// In file order: this is *member order*.
    pub members: Vec<Member>,
    pub recent_agent: Option<Duration>,
    pub recent_agent_even_if_away: bool,
    pub recent_agent_when_full: RecentWhenFull,
    /// In file order.
    pub overflow: Vec<Overflow>,
    pub assignment: Assignment,
    pub offer_timeout: Duration,
    pub missed_offers: u32,
    /// 0: no limit.
    pub queue_limit: u32,
    pub max_wait: Option<Duration>,
    pub abandon_after: Duration,
    pub overdue_warning: Duration,
    pub reply_within: Duration,
    pub reassign_unanswered: Option<Duration>,
    pub close_idle: Duration,
    pub wrap_up: Duration,
    pub reopen_within: Duration,
    pub when_agent_lost: WhenLost,
    pub when_all_away: WhenAllAway,
    pub pickup_left_messages: bool,
    pub left_message_age: Duration,
    pub priority_step: PriorityStep,
    pub spacing: Duration,
    pub buyer_gone_after: Duration,
    pub welcome_text: Option<Arc<str>>,
    pub offline_text: Option<Arc<str>>,
}

impl Group {
    /// A group with no members and every setting at its default.
    pub fn with_defaults(id: GroupId, name: Arc<str>) -> Self {
        Self {
            id,
            name,
            strategy: Strategy::default(),
            members: Vec::new(),
            recent_agent: None,
            recent_agent_even_if_away: false,
            recent_agent_when_full: RecentWhenFull::default(),
            overflow: Vec::new(),
            assignment: Assignment::default(),
            offer_timeout: Duration::from_secs(20),
            missed_offers: 3,
            queue_limit: 200,
            max_wait: None,
            abandon_after: Duration::from_secs(5 * 60),
            overdue_warning: Duration::from_secs(100),
            reply_within: Duration::from_secs(180),
            reassign_unanswered: None,
            close_idle: Duration::from_secs(30 * 60),
            wrap_up: Duration::ZERO,
            reopen_within: Duration::from_secs(24 * 3600),
            when_agent_lost: WhenLost::default(),
            when_all_away: WhenAllAway::default(),
            pickup_left_messages: true,
            left_message_age: Duration::from_secs(7 * 24 * 3600),
            priority_step: PriorityStep::Worth(Duration::from_secs(60)),
            spacing: Duration::ZERO,
            buyer_gone_after: Duration::from_secs(10),
            welcome_text: None,
            offline_text: None,
        }
    }
}
