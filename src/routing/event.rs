//! Events: what has happened in a domain. They are the records of the journal, and recovery applies them again.

use std::sync::Arc;

use super::conversation::{Conversation, Exclusion, Tail};
use super::day::{Counted, Day};
use super::decision::{Cause, Decision};
use super::view::{By, LeftReason, Message, OfferEnd, PresenceCause, Rating};
use crate::model::{AccountId, ConversationId, GroupId, SellerId, Status, Timestamp};

/// Something that has happened.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the members say what they are")]
pub enum Event {
    /// A conversation has begun; it waits. Its first message is an event of its own.
    Started { conversation: Box<Conversation> },
    /// Somebody wrote.
    Messaged { message: Message },
    /// An agent is asked.
    Offered { conversation: ConversationId, agent: AccountId, via: Option<GroupId>, until: Timestamp, at: Timestamp },
    /// An offer is over without an owner; it waits again, or is a left message again.
    OfferEnded { conversation: ConversationId, why: OfferEnd, exclude: Option<Exclusion>, at: Timestamp },
    /// An agent has it. After a transfer it has no recent agent and no bound agent any more.
    Assigned { conversation: ConversationId, agent: AccountId, via: Option<GroupId>, cause: Cause, at: Timestamp },
    /// It waits anew: for the first time, or taken from its agent.
    Queued { conversation: ConversationId, group: GroupId, requeue: Requeue, at: Timestamp },
    /// Its group is gone: it is of this one now.
    Regrouped { conversation: ConversationId, group: GroupId, at: Timestamp },
    /// Nobody could take it.
    Left { conversation: ConversationId, reason: LeftReason, at: Timestamp },
    /// Its recent agent is no longer waited for.
    RecentWaitEnded { conversation: ConversationId },
    /// Everybody who could be asked has declined: nobody is, until then; or the round begins anew.
    RoundEnded { conversation: ConversationId, pause_until: Option<Timestamp> },
    /// The bound agent is no longer waited for, or is again.
    BoundChanged { conversation: ConversationId, waits: bool },
    /// An exclusion is over.
    Readmitted { conversation: ConversationId, agent: AccountId },
    /// It is over.
    Closed { conversation: ConversationId, by: By, reason: Option<Arc<str>>, at: Timestamp },
    /// It is open again, as this.
    Reopened { conversation: Box<Conversation>, at: Timestamp },
    /// Its buyer said how it was.
    Rated { conversation: ConversationId, rating: Rating },
    /// Its buyer has gone, or is back.
    BuyerSeen { conversation: ConversationId, gone_since: Option<Timestamp> },
    /// Somebody has read so far.
    Read { conversation: ConversationId, tail: Tail },
    /// An agent's status is another.
    StatusSet { agent: AccountId, status: Status, cause: PresenceCause, at: Timestamp },
    /// An agent is paused for one seller, or no longer.
    Paused { agent: AccountId, seller: SellerId, status: Option<Status>, at: Timestamp },
    /// An offer was missed, or one was answered.
    Missed { agent: AccountId, missed: u32 },
    /// A group's rotation has moved on.
    Rotated { row: GroupRow },
    /// Why it went as it went.
    Decided { conversation: ConversationId, decision: Arc<Decision> },
}

impl Event {
    /// The conversation of which it is a placement, or an end without one: a trace says why.
    pub fn decided(&self) -> Option<ConversationId> {
        match self {
            Self::Offered { conversation, .. }
            | Self::Assigned { conversation, .. }
            | Self::Left { conversation, .. } => Some(*conversation),
            _ => None,
        }
    }
}

/// How a conversation comes to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requeue {
    /// Whether its place in the order is that of now, as for one who returns, rather than the one it had.
    pub anew: bool,
    /// Who is not given it again, and why.
    pub exclude: Vec<(AccountId, Exclusion)>,
    /// Whether it was transferred: it has no recent agent and no bound agent any more.
    pub transferred: bool,
    /// What is said to whoever gets it.
    pub note: Option<Arc<str>>,
}

/// What one command has brought about: written as one, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// When.
    pub at: Timestamp,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The rows that are different now: what recovery reads instead of the events.
    pub rows: Vec<Row>,
}

/// A row of the store: the state of one thing after a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// A conversation, open or just closed.
    Conversation(Box<Conversation>),
    /// Only what messages leave behind has changed; `rev` with it.
    Tail {
        /// Of which conversation.
        conversation: ConversationId,
        /// Its revision.
        rev: u64,
        /// When the seller's side first answered.
        first_reply_at: Option<Timestamp>,
        /// What is left behind.
        tail: Tail,
    },
    /// An agent.
    Agent(AgentRow),
    /// A group's rotation.
    Group(GroupRow),
    /// The figures of a seller's day, whole.
    Day(Box<DayRow>),
    /// Something more was counted on a seller's day: what the store has of that day is to be more by this.
    Counted(Counted),
}

/// What is kept of an agent over restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRow {
    /// Who.
    pub account: AccountId,
    /// What it says of itself.
    pub status: Status,
    /// Since when.
    pub since: Timestamp,
    /// When it was last given a conversation; every giving of a domain has another time.
    pub last_given: Timestamp,
    /// When it last ended one.
    pub last_ended: Timestamp,
    /// Offers missed in a row.
    pub missed_offers: u32,
    /// The sellers for whom it is paused, and as what.
    pub paused: Vec<(SellerId, Status)>,
}

/// What is kept of a group over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRow {
    /// Whose.
    pub seller: Option<SellerId>,
    /// Which.
    pub group: Option<GroupId>,
    /// Who was chosen last.
    pub last_chosen: Option<AccountId>,
    /// The current weights of smooth weighted round robin.
    pub weights: Vec<(AccountId, i64)>,
}

/// What is kept of a seller's day over restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayRow {
    /// Whose.
    pub seller: SellerId,
    /// What was counted on the last day on which anything was.
    pub day: Day,
}

impl DayRow {
    /// That of a seller of whom nothing was counted yet.
    pub fn of(seller: SellerId) -> Self {
        Self { seller, day: Day::default() }
    }
}
