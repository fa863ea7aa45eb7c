//! A conversation: what is kept of it while it is open, and what its store row says.

use std::ops::Deref;
use std::sync::Arc;

use super::command::{Context, Start};
use super::decision::Cause;
use super::view::{LeftReason, Profile, Rating};
use crate::model::{AccountId, ConversationId, EntryId, GroupId, SellerId, State, Timestamp};

/// Why somebody is not given a conversation again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exclusion {
    /// It declined.
    Declined,
    /// It let its offer time out.
    TimedOut,
    /// It held it and did not answer.
    Unanswered,
    /// It was lost with it; until it is back and online.
    Lost,
    /// It transferred it away; until another has had it.
    Transferred,
}

/// An agent to whom a binding sends a conversation, and who is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Who.
    pub agent: AccountId,
    /// False while members of the group are asked in its place: it declined, or is offline.
    pub waits: bool,
}

/// What messages leave behind in a conversation: all that has to be known of them without reading them again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The last number given.
    pub last_seq: u64,
    /// The last number that the buyer may see.
    pub last_for_buyer: u64,
    /// When somebody last wrote; notes and system texts do not count.
    pub last_wrote: Timestamp,
    /// When the buyer wrote the oldest message that nobody has answered.
    pub unanswered_since: Option<Timestamp>,
    /// How far the buyer has read.
    pub read_by_buyer: u64,
    /// How far the seller's side has read.
    pub read_by_staff: u64,
    /// Messages of the seller's side that the buyer has not read.
    pub unread_by_buyer: u32,
    /// Messages of the buyer that the seller's side has not read.
    pub unread_by_staff: u32,
}

/// What few conversations have at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RareParts {
    /// Until when the offer stands.
    pub offer_until: Option<Timestamp>,
    /// Who a binding wants for it.
    pub bound: Option<Bound>,
    /// Until when only the recent agent may take it.
    pub recent_until: Option<Timestamp>,
    /// Until when nobody is asked, after everybody has declined.
    pub pause_until: Option<Timestamp>,
    /// Who is not given it again, and why.
    pub excluded: Vec<(AccountId, Exclusion)>,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// The word with which it was closed.
    pub reason: Option<Arc<str>>,
    /// What the buyer said of it.
    pub rating: Option<Rating>,
    /// What was said with a transfer, until somebody has it.
    pub note: Option<Arc<str>>,
}

/// What few conversations have at a time, where there is any of it: of most that are open nothing but this is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rare(Option<Box<RareParts>>);

impl Rare {
    /// Changes it. What is empty takes no room, so that most changes ask for none.
    pub fn change(&mut self, change: impl FnOnce(&mut RareParts)) {
        if let Some(parts) = &mut self.0 {
            change(parts);
            self.0.take_if(|parts| **parts == RareParts::default());
        } else {
            let mut parts = RareParts::default();
            change(&mut parts);
            *self = parts.into();
        }
    }
}

impl From<RareParts> for Rare {
    fn from(parts: RareParts) -> Self {
        Self((parts != RareParts::default()).then(|| Box::new(parts)))
    }
}

impl Deref for Rare {
    type Target = RareParts;

    fn deref(&self) -> &RareParts {
        static NOTHING: RareParts = RareParts {
            offer_until: None,
            bound: None,
            recent_until: None,
            pause_until: None,
            excluded: Vec::new(),
            closed_at: None,
            reason: None,
            rating: None,
            note: None,
        };
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

/// A conversation. Everything here survives a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Raised by every change of state, owner, group or rating, and by every message.
    pub rev: u64,
    /// Whose it is.
    pub seller: SellerId,
    /// Its buyer, as it was at the start.
    pub profile: Arc<Profile>,
    /// What the buyer wished.
    pub context: Context,
    /// Where the buyer came in.
    pub entry: EntryId,
    /// Where it stands.
    pub state: State,
    /// The group whose settings it has and in whose queue it waits.
    pub group: GroupId,
    /// The group through which its agent has it, or is asked; none for an agent who has it through none.
    pub via: Option<GroupId>,
    /// Who owns it (active), or is asked (offered).
    pub agent: Option<AccountId>,
    /// Who last held a conversation of this buyer with this seller, and when: preferred while the group says so.
    pub recent: Option<(AccountId, Timestamp)>,
    /// What it is worth in the queue.
    pub priority: u32,
    /// When it first waited: gives the order.
    pub queued_at: Timestamp,
    /// When this waiting began: `max_wait`, overflow, `abandon_after` and the estimate use it.
    pub waiting_since: Timestamp,
    /// Whether `queue_limit` counts it: it has not come back to the queue.
    pub counted: bool,
    /// Since when the buyer is away with no session.
    pub buyer_gone_since: Option<Timestamp>,
    /// Everybody who was ever asked.
    pub asked: Vec<AccountId>,
    /// Everybody who ever held it, the last one last.
    pub held: Vec<AccountId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When its present owner got it.
    pub assigned_at: Option<Timestamp>,
    /// What brought it to its present owner.
    pub came_by: Option<Cause>,
    /// When somebody first got it.
    pub first_assigned_at: Option<Timestamp>,
    /// When the seller's side first answered.
    pub first_reply_at: Option<Timestamp>,
    /// Why it is a left message.
    pub left: Option<LeftReason>,
    /// What few have.
    pub rare: Rare,
    /// What its messages left behind.
    pub tail: Tail,
}

impl Conversation {
    /// One at its very beginning: it waits in a group, and nothing has happened yet.
    pub fn begun(start: &Start, group: GroupId, now: Timestamp) -> Self {
        Self {
            id: start.conversation,
            rev: 1,
            seller: start.seller.clone(),
            profile: Arc::clone(&start.profile),
            context: Arc::clone(&start.context),
            entry: start.entry.clone(),
            state: State::Queued,
            group,
            via: None,
            agent: None,
            recent: start.past.recent.clone(),
            priority: 0,
            queued_at: now,
            waiting_since: now,
            counted: true,
            buyer_gone_since: None,
            asked: Vec::new(),
            held: Vec::new(),
            started_at: now,
            assigned_at: None,
            came_by: None,
            first_assigned_at: None,
            first_reply_at: None,
            left: None,
            rare: Rare::default(),
            tail: Tail::default(),
        }
    }

    /// Who owns it: its agent, if it is active.
    pub fn owner(&self) -> Option<&AccountId> {
        if self.state == State::Active { self.agent.as_ref() } else { None }
    }

    /// Who is asked: its agent, if it is offered.
    pub fn offered_to(&self) -> Option<&AccountId> {
        if self.state == State::Offered { self.agent.as_ref() } else { None }
    }

    /// Why somebody is not given it again, if so.
    pub fn exclusion(&self, agent: &AccountId) -> Option<Exclusion> {
        self.rare.excluded.iter().find(|(excluded, _)| excluded == agent).map(|(_, why)| *why)
    }
}
