//! What a domain shows of itself: plain data, taken under its guard, that nobody has to come back to the table for.

use std::sync::Arc;
use std::time::Duration;

use super::command::Context;
use super::decision::{Cause, Decision};
use crate::model::{
    AccountId, Body, BuyerKey, ClientId, ConversationId, EntryId, GroupId, SellerId, Sender, SessionId, State, Status,
    Timestamp, Visibility,
};

/// A buyer as its token describes it; a conversation keeps the one it started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who it is.
    pub key: BuyerKey,
    /// What it is called.
    pub name: Option<Arc<str>>,
    /// What the token says of it: name and values, sorted by name. Staff only.
    pub attributes: Vec<(Arc<str>, Vec<Arc<str>>)>,
}

/// Why a conversation is a left message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the protocol's own names")]
pub enum LeftReason {
    NobodyOnline,
    QueueFull,
    Timeout,
    Abandoned,
    Binding,
}

impl LeftReason {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NobodyOnline => "nobody_online",
            Self::QueueFull => "queue_full",
            Self::Timeout => "timeout",
            Self::Abandoned => "abandoned",
            Self::Binding => "binding",
        }
    }
}

/// Who or what closed or reopened a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the protocol's own names")]
pub enum By {
    Buyer,
    Agent,
    Idle,
    Operator,
    SellerRemoved,
}

impl By {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Agent => "agent",
            Self::Idle => "idle",
            Self::Operator => "operator",
            Self::SellerRemoved => "seller_removed",
        }
    }
}

/// Somebody's place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// One, and one for everybody before it in its group's queue.
    pub position: u32,
    /// How long it will wait, in whole seconds, if that is known.
    pub estimated_wait: Option<u32>,
}

/// What a buyer said of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rating {
    /// 1 to 5.
    pub score: u8,
    /// In its words.
    pub comment: Option<Arc<str>>,
}

/// What one side of a conversation may see of its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The last number it may see.
    pub last_seq: u64,
    /// How many of the other side's messages it has not read.
    pub unread: u64,
}

/// A conversation as it is now; `protocol` shows each side what is for it.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the members of `Conversation`, by their names there")]
pub struct View {
    pub id: ConversationId,
    pub rev: u64,
    pub seller: SellerId,
    pub buyer: Arc<Profile>,
    pub state: State,
    pub agent: Option<(AccountId, Arc<str>)>,
    pub group: Option<GroupId>,
    pub priority: u32,
    pub queue: Option<Place>,
    pub offer: Option<Timestamp>,
    /// When it was looked at: an offer runs out so long after that.
    pub at: Timestamp,
    /// Why it is a left message, or the word with which it was closed.
    pub reason: Option<Arc<str>>,
    pub context: Context,
    pub entry: EntryId,
    pub started_at: Timestamp,
    pub assigned_at: Option<Timestamp>,
    /// What brought it to its owner.
    pub cause: Option<Cause>,
    /// When somebody first answered.
    pub first_reply_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    pub for_buyer: Seen,
    pub for_staff: Seen,
    pub rating: Option<Rating>,
}

/// A message as it stands in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Where.
    pub conversation: ConversationId,
    /// Its number.
    pub seq: u64,
    /// The number before that the buyer may see; staff may see every number.
    pub prev_for_buyer: u64,
    /// Who wrote it.
    pub sender: Sender,
    /// What its sender is called.
    pub name: Option<Arc<str>>,
    /// What it says.
    pub body: Body,
    /// Who may read it.
    pub visibility: Visibility,
    /// What its sender calls it; a system text has none.
    pub client_id: Option<ClientId>,
    /// When.
    pub at: Timestamp,
}

/// To whom something is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// All sessions of the buyer.
    Buyer(BuyerKey),
    /// All sessions of the account.
    Staff(AccountId),
}

/// Something that happened, and to whom it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// To whom. A recipient is told once, however often it stands here.
    pub to: Vec<Recipient>,
    /// All but this session: the one that sent the message.
    pub except: Option<SessionId>,
    /// Whose it is: a session whose key does not speak for this seller is not told.
    pub seller: SellerId,
    /// What.
    pub notice: Notice,
    /// Whether it may be dropped where a mailbox is filling up; never what cannot be asked again.
    pub droppable: bool,
}

/// Something that happened, as it is told.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the events of the protocol, by their names there")]
pub enum Notice {
    Queued { conversation: ConversationId, group: GroupId, place: Place },
    Offered { view: Arc<View> },
    OfferEnded { conversation: ConversationId, why: OfferEnd },
    Assigned { view: Arc<View>, cause: Cause, note: Option<Arc<str>> },
    Unassigned { conversation: ConversationId, cause: Cause, to: Option<AccountId> },
    LeftMessage { conversation: ConversationId, reason: LeftReason, text: Option<Arc<str>> },
    Overdue { conversation: ConversationId, waiting: Duration, level: Overdue },
    Closed { view: Arc<View>, by: By, reason: Option<Arc<str>> },
    Reopened { view: Arc<View>, by: By },
    Message(Message),
    Read { conversation: ConversationId, by: Side, seq: u64 },
    Typing { conversation: ConversationId, by: Side, on: bool },
    BuyerPresence { conversation: ConversationId, online: bool, since: Timestamp },
    Presence { agent: AccountId, status: Status, cause: PresenceCause, seller: Option<SellerId> },
    DeskChanged { desk: Arc<Desk> },
}

impl Notice {
    /// Whether it says in which state a conversation is now.
    pub fn is_state_of(&self, id: ConversationId) -> bool {
        match self {
            Self::Assigned { view, .. } => view.id == id,
            Self::Queued { conversation, .. } | Self::LeftMessage { conversation, .. } => *conversation == id,
            _ => false,
        }
    }
}

/// A side of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// The buyer.
    Buyer(BuyerKey),
    /// The agent.
    Agent(AccountId),
}

/// How an offer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the protocol's own names")]
pub enum OfferEnd {
    Accepted,
    Declined,
    Timeout,
    Withdrawn,
}

impl OfferEnd {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Timeout => "timeout",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// How late an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overdue {
    /// `overdue_warning` has passed.
    Warning,
    /// `reply_within` has passed.
    Overdue,
}

impl Overdue {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Overdue => "overdue",
        }
    }
}

/// Why a status is what it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the protocol's own names")]
pub enum PresenceCause {
    Set,
    SetByOther,
    Paused,
    Session,
    MissedOffers,
    Lost,
}

impl PresenceCause {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::SetByOther => "set_by_other",
            Self::Paused => "paused",
            Self::Session => "session",
            Self::MissedOffers => "missed_offers",
            Self::Lost => "lost",
        }
    }
}

/// A seller's desk: what a lead looks at.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the members of `desk.view`, by their names there")]
pub struct Desk {
    pub seller: Option<SellerId>,
    pub generation: u64,
    pub groups: Vec<DeskGroup>,
    pub agents: Vec<DeskAgent>,
    pub entries: Vec<DeskEntry>,
    pub today: Today,
}

/// A group on the desk.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the members of `desk.view`, by their names there")]
pub struct DeskGroup {
    pub group: GroupId,
    pub name: Arc<str>,
    pub waiting: u32,
    pub left_messages: u32,
    pub longest_wait: Duration,
}

/// An agent on the desk, as far as it is this seller's.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the members of `desk.view`, by their names there")]
pub struct DeskAgent {
    pub account: AccountId,
    pub name: Arc<str>,
    pub groups: Vec<GroupId>,
    pub status: Status,
    pub held: u32,
    pub capacity: u32,
    pub sessions: u32,
    pub since: Timestamp,
}

/// An entry's figures of today.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the members of `desk.view`, by their names there")]
pub struct DeskEntry {
    pub entry: EntryId,
    pub started: u64,
    pub served: u64,
}

/// A seller's figures of today, by its calendar.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the members of `desk.view`, by their names there")]
pub struct Today {
    pub started: u64,
    pub served: u64,
    pub left: u64,
    pub closed: u64,
    pub median_wait: Option<Duration>,
    pub median_first_reply: Option<Duration>,
    pub replied_in_time_ratio: Option<f64>,
}

/// How an agent stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its status.
    pub status: Status,
    /// The sellers for whom others have paused it, and as what.
    pub paused: Vec<(SellerId, Status)>,
}

/// What came of a command, for whoever gave it.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A conversation was opened, or found open.
    Started {
        /// It.
        view: Arc<View>,
        /// Whether it was open already.
        resumed: bool,
        /// The number that its message got.
        seq: Option<u64>,
    },
    /// A message was taken.
    Sent {
        /// Its number.
        seq: u64,
        /// When it was first taken.
        at: Timestamp,
        /// Whether it was taken before.
        duplicate: bool,
    },
    /// A conversation as it is now.
    Conversation(Arc<View>),
    /// Conversations as they are now.
    Conversations(Vec<Arc<View>>),
    /// A status as it is now.
    Status(Status),
    /// Everything open that concerns the caller, and how it stands after its arrival.
    Arrived {
        /// Taken before the arrival was acted on.
        conversations: Vec<Arc<View>>,
        /// Taken after.
        standing: Option<Standing>,
    },
    /// The history may be read up to here.
    Readable {
        /// The last number there is.
        last_seq: u64,
        /// Whether notes are for the caller too.
        notes: bool,
    },
    /// A desk.
    Desk(Arc<Desk>),
    /// To whom a conversation may be handed on.
    Targets(super::Targets),
    /// A decision that was not carried out.
    Decision(Arc<Decision>),
    /// It is done, and there is nothing to say.
    Done,
}
