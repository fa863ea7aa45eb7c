//! Commands: what is asked of a domain, by peers and by the daemon itself. Verbs; what came of them are events.

use std::sync::Arc;

use super::decision::Cause;
use super::view::Profile;
use crate::model::{AccountId, Body, ClientId, ConversationId, EntryId, GroupId, SellerId, Sender, SessionId};
use crate::model::{Status, Timestamp, Visibility};
use crate::policy::{Action, Method};

/// What the buyer says of its wish: at most 16 keys, sorted.
pub type Context = Arc<[(Arc<str>, Arc<str>)]>;

/// A message on its way in.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMessage {
    /// What the sender calls it.
    pub client_id: ClientId,
    /// What it says.
    pub body: Body,
    /// The text in lower case, for `keyword` matchers; only needed with a start.
    pub text: Option<Arc<str>>,
    /// Who may read it.
    pub visibility: Visibility,
}

/// What is known of a buyer and a seller outside the table: looked up before the command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// Who last held a conversation of this buyer with this seller, and until when.
    pub recent: Option<(AccountId, Timestamp)>,
}

/// A conversation about to start.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The id it gets if it is a new one.
    pub conversation: ConversationId,
    /// With whom.
    pub seller: SellerId,
    /// Where the buyer came in.
    pub entry: EntryId,
    /// Who it is, as its token says.
    pub profile: Arc<Profile>,
    /// What it wishes.
    pub context: Context,
    /// Its first message.
    pub message: Option<NewMessage>,
    /// What is known of the two.
    pub past: Past,
    /// How many conversations the buyer has open, over all sellers.
    pub open: usize,
}

/// To whom a conversation is handed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To whoever of the group may take it.
    Group(GroupId),
    /// To this agent.
    Agent(AccountId),
}

/// What is asked of a domain.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A buyer opens a conversation, or finds its open one.
    Start(Box<Start>),
    /// Somebody writes.
    Send { conversation: ConversationId, message: NewMessage, earlier: Earlier },
    /// Somebody has read so far.
    Read { conversation: ConversationId, seq: u64 },
    /// Somebody is writing, or no longer.
    Typing { conversation: ConversationId, on: bool },
    /// The conversation is over.
    Close { conversation: ConversationId, reason: Option<Arc<str>>, if_rev: Option<u64> },
    /// The agent asked says yes.
    Accept { conversation: ConversationId },
    /// The agent asked says no.
    Decline { conversation: ConversationId, reason: Option<Arc<str>> },
    /// It is handed on.
    Transfer { conversation: ConversationId, to: Destination, note: Option<Arc<str>>, force: bool, if_rev: Option<u64> },
    /// The caller asks to whom it may hand it on.
    Targets { conversation: ConversationId },
    /// The caller takes it.
    Claim { conversation: ConversationId, force: bool, if_rev: Option<u64> },
    /// Somebody is given it.
    Assign { conversation: ConversationId, agent: AccountId, force: bool, if_rev: Option<u64> },
    /// The caller follows it, or no longer.
    Watch { conversation: ConversationId, on: bool },
    /// The caller reads a conversation that is open.
    Get { conversation: ConversationId },
    /// The caller wants to read the messages of an open conversation: the outcome says whether it may, and up to where.
    ReadHistory { conversation: ConversationId },
    /// A status is set: the caller's own, or with `agent` another's for `seller`.
    SetStatus { agent: Option<AccountId>, seller: Option<SellerId>, status: Status, reroute: bool },
    /// A session of a staff account has opened: first everything it may know, then its arrival.
    Arrive { session: SessionId, status: Option<Status> },
    /// A session of a staff account has ended.
    Leave { session: SessionId },
    /// A buyer's first session has opened, or its last has ended.
    BuyerPresence { online: bool },
    /// The caller looks at a seller's desk, and may go on being told.
    ViewDesk { seller: SellerId, subscribe: Option<bool> },
    /// What would happen to a hypothetical buyer.
    Explain(Box<Hypothesis>),
    /// The caller wants to read the decisions about an open conversation.
    ExplainPast { conversation: ConversationId },
    /// The conversations of this seller that wait or are held and that the caller may see.
    ListOpen { seller: Option<SellerId>, buyer: Option<Arc<str>> },
    /// A closed conversation is brought back by what its buyer writes.
    Reopen(Box<Reopen>),
    /// The buyer of a closed conversation, as the store has it, says how it was.
    Rate { closed: Box<super::Conversation>, rating: super::Rating },
    /// Time has passed.
    Tick,
}

/// What is known of an earlier message under the same id of its sender.
#[derive(Clone, Debug, PartialEq)]
pub enum Earlier {
    /// Nothing: the store has not been asked. It has to be only where the table cannot tell.
    Unasked,
    /// What the store says.
    Asked(Option<Resent>),
}

/// What the store knows of a client's id that may have been used already.
#[derive(Clone, Debug, PartialEq)]
pub struct Resent {
    /// The number the first one got.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Whether body and visibility are the same.
    pub same: bool,
}

/// Of a message that is stored, what it takes to know it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// By whom.
    pub sender: Sender,
    /// Who may read it.
    pub visibility: Visibility,
    /// What its sender calls it; the system calls it nothing.
    pub client_id: Option<ClientId>,
}

/// A hypothetical buyer.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// With whom.
    pub seller: SellerId,
    /// Who it would be.
    pub profile: Arc<Profile>,
    /// What it would wish.
    pub context: Context,
    /// What it would write, in lower case.
    pub text: Option<Arc<str>>,
    /// What is known of the two.
    pub past: Past,
}

/// A closed conversation, as the store has it, and what its buyer writes to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reopen {
    /// The conversation as it was when it closed.
    pub closed: super::Conversation,
    /// What the buyer writes.
    pub message: NewMessage,
}

impl Command {
    /// What the policy is asked about; nothing for what the daemon does of itself.
    pub fn action(&self) -> Option<Action> {
        let method = match self {
            Self::Start(_) => Method::ConversationStart,
            Self::Send { message, .. } if message.visibility == Visibility::Staff => return Some(Action::SendNote),
            Self::Send { .. } | Self::Reopen(_) => Method::MessageSend,
            Self::Read { .. } => Method::MessageRead,
            Self::Typing { .. } => Method::MessageTyping,
            Self::Close { .. } => Method::ConversationClose,
            Self::Accept { .. } => Method::ConversationAccept,
            Self::Decline { .. } => Method::ConversationDecline,
            Self::Transfer { .. } => Method::ConversationTransfer,
            Self::Targets { .. } => Method::ConversationTargets,
            Self::Claim { .. } => Method::ConversationClaim,
            Self::Assign { .. } => Method::ConversationAssign,
            Self::Watch { .. } => Method::ConversationWatch,
            Self::Get { .. } => Method::ConversationGet,
            Self::ReadHistory { .. } => Method::MessageHistory,
            Self::SetStatus { agent: Some(_), .. } => return Some(Action::PresenceOthers),
            Self::SetStatus { agent: None, .. } => Method::PresenceSet,
            Self::ViewDesk { .. } => Method::DeskView,
            Self::Explain(_) | Self::ExplainPast { .. } => Method::RoutingExplain,
            Self::Rate { .. } => Method::ConversationRate,
            Self::ListOpen { seller: Some(_), .. } => return Some(Action::ListSeller),
            Self::ListOpen { seller: None, .. } => Method::ConversationList,
            Self::Arrive { .. } | Self::Leave { .. } | Self::BuyerPresence { .. } | Self::Tick => return None,
        };
        Some(Action::Call(method))
    }

    /// Whether it changes nothing that is recorded, so that it can be answered while nothing can be written.
    pub fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::Get { .. }
                | Self::Targets { .. }
                | Self::ReadHistory { .. }
                | Self::ExplainPast { .. }
                | Self::Explain(_)
                | Self::ViewDesk { .. }
        )
    }

    /// Whether the conversation it is about is a closed one, which the table does not know.
    pub fn is_about_closed(&self) -> bool {
        matches!(self, Self::Reopen(_) | Self::Rate { .. })
    }

    /// The conversation it is about, if it is about one that exists already.
    pub fn conversation(&self) -> Option<ConversationId> {
        match self {
            Self::Send { conversation, .. }
            | Self::Read { conversation, .. }
            | Self::Typing { conversation, .. }
            | Self::Close { conversation, .. }
            | Self::Accept { conversation }
            | Self::Decline { conversation, .. }
            | Self::Transfer { conversation, .. }
            | Self::Targets { conversation }
            | Self::Claim { conversation, .. }
            | Self::Assign { conversation, .. }
            | Self::Watch { conversation, .. }
            | Self::Get { conversation }
            | Self::ReadHistory { conversation }
            | Self::ExplainPast { conversation } => Some(*conversation),
            Self::Reopen(reopen) => Some(reopen.closed.id),
            Self::Rate { closed, .. } => Some(closed.id),
            _ => None,
        }
    }
}

/// Why the rules say no, in the state as it is.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The conversation is closed; the buyer has this other one open.
    #[error("the conversation is closed")]
    Closed { open: Option<ConversationId> },
    /// The caller does not own it.
    #[error("the caller does not hold the conversation")]
    NotOwner,
    /// It does not wait; this agent has it.
    #[error("the conversation does not wait")]
    NotWaiting { owner: Option<AccountId> },
    /// The agent is not online with a session, or may not receive here.
    #[error("the agent cannot be given conversations now")]
    AgentUnavailable,
    /// One of the agent's limits is reached.
    #[error("the agent holds as many conversations as it may")]
    AtCapacity,
    /// The agent holds these, and was not asked to hand them on.
    #[error("the agent still holds conversations")]
    HoldsConversations { conversations: Vec<ConversationId> },
    /// The caller was asked and no longer is.
    #[error("the offer is over")]
    OfferExpired,
    /// The shop takes no new conversation.
    #[error("the shop is closed")]
    ShopClosed,
    /// The client's id stands for another message.
    #[error("the client id was used for another message")]
    ClientIdReused,
    /// The client's id was used before: the store has to be asked what for. Nobody outside is told this.
    #[error("the client id was used before")]
    Repeats,
    /// It has changed since the revision that the caller saw.
    #[error("the conversation has changed")]
    Changed,
    /// It is not closed yet.
    #[error("the conversation is not closed")]
    NotClosed,
    /// No such conversation, seller, group or agent; also: none that the caller may know of.
    #[error("no such object")]
    NotFound,
    /// This member of the call names nothing that exists.
    #[error("{path} names nothing that exists here")]
    Unknown { path: &'static str },
    /// The buyer has as many conversations open as it may.
    #[error("the buyer has too many conversations open")]
    TooMany,
    /// The policy says no.
    #[error(transparent)]
    Denied(#[from] crate::policy::Denied),
}

impl Command {
    /// The cause that stands in decisions and events of what it brings about.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Transfer { .. } => Cause::Transfer,
            Self::Claim { .. } => Cause::Claim,
            Self::Assign { .. } => Cause::Assign,
            Self::Decline { .. } => Cause::OfferDeclined,
            Self::Explain(_) => Cause::WhatIf,
            Self::Reopen(_) => Cause::Reopen,
            Self::Start(_) => Cause::Start,
            _ => Cause::SlotOpened,
        }
    }
}
