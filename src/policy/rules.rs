//! The table: for every method, which roles may call it, what it is called upon, and who may do it there.
//! Read it as the column *who may* of the protocol.

use super::scope::Scope;

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// A method of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method { $($(#[$doc])* $name),+ }

        impl Method {
            /// Every method, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The method of this name, if there is one.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

methods! {
    /// Says who the peer is; always first.
    SessionOpen = "session.open",
    /// A new token for the same session.
    SessionRefresh = "session.refresh",
    /// Is somebody there.
    SessionPing = "session.ping",
    /// Ends the session.
    SessionClose = "session.close",
    /// A buyer wants to talk.
    ConversationStart = "conversation.start",
    /// A buyer says how it was.
    ConversationRate = "conversation.rate",
    /// Writes a message or a note.
    MessageSend = "message.send",
    /// Reads messages.
    MessageHistory = "message.history",
    /// Says how far one has read.
    MessageRead = "message.read",
    /// Says that one is writing.
    MessageTyping = "message.typing",
    /// Reads one conversation.
    ConversationGet = "conversation.get",
    /// Reads a list of conversations.
    ConversationList = "conversation.list",
    /// Ends a conversation.
    ConversationClose = "conversation.close",
    /// Sets a status.
    PresenceSet = "presence.set",
    /// Takes what was offered.
    ConversationAccept = "conversation.accept",
    /// Refuses what was offered.
    ConversationDecline = "conversation.decline",
    /// Hands a conversation on.
    ConversationTransfer = "conversation.transfer",
    /// Asks to whom a conversation may be handed on.
    ConversationTargets = "conversation.targets",
    /// Takes a waiting conversation.
    ConversationClaim = "conversation.claim",
    /// Gives a conversation to somebody.
    ConversationAssign = "conversation.assign",
    /// Follows a conversation.
    ConversationWatch = "conversation.watch",
    /// Reads a seller's desk.
    DeskView = "desk.view",
    /// Reads decisions, or asks for a hypothetical one.
    RoutingExplain = "routing.explain",
    /// Reads the state of the configuration.
    ConfigStatus = "config.status",
    /// Loads the routing configuration anew.
    ConfigReload = "config.reload",
    /// Takes an authorization away.
    AccountUnbind = "account.unbind",
    /// Takes an unbinding back.
    AccountBind = "account.bind",
    /// Reads the daemon's figures.
    ServerStats = "server.stats",
    /// Stops the daemon softly.
    ServerDrain = "server.drain",
    /// Reads the description of all this.
    RpcDiscover = "rpc.discover",
}

/// What is judged: a method, or a way of calling one that needs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The method as such.
    Call(Method),
    /// `message.send` with `visibility: "staff"`.
    SendNote,
    /// `conversation.list` with `seller`.
    ListSeller,
    /// `presence.set` for somebody else.
    PresenceOthers,
    /// `force` on a claim, an assignment or a transfer.
    Force,
}

/// The roles of tokens that may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// A buyer may.
    pub buyer: bool,
    /// Staff may.
    pub staff: bool,
    /// An operator may.
    pub operator: bool,
}

const ANYBODY: Roles = Roles { buyer: true, staff: true, operator: true };
const BUYER: Roles = Roles { buyer: true, staff: false, operator: false };
const STAFF: Roles = Roles { buyer: false, staff: true, operator: false };
const TALKERS: Roles = Roles { buyer: true, staff: true, operator: false };
const OVERSEERS: Roles = Roles { buyer: false, staff: true, operator: true };
const OPERATOR: Roles = Roles { buyer: false, staff: false, operator: true };

/// What a method is called upon; it must be seen by the caller, or it does not exist for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// Nothing that belongs to anybody.
    Nothing,
    /// A conversation.
    Conversation,
    /// A seller.
    Seller,
}

/// One way of being permitted; any of a rule's ways is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Whoever sees the object.
    Whoever,
    /// The conversation's buyer.
    Buyer,
    /// Its owner, who needs no scope; for anybody else who sees it, that it is not the owner is a conflict.
    Owner,
    /// Who holds it now; for anybody else it is no way at all.
    Holder,
    /// Its owner, with this scope.
    OwnerWith(Scope),
    /// The agent that is asked.
    Asked,
    /// One who held it, with this scope.
    HeldWith(Scope),
    /// A member of its group, with this scope.
    MemberWith(Scope),
    /// Who sees it and has this scope for its seller.
    With(Scope),
    /// Who may read it and has this scope.
    ReaderWith(Scope),
    /// Who has this scope for any seller.
    AnywhereWith(Scope),
    /// An operator.
    Operator,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Which tokens may call it at all.
    pub roles: Roles,
    /// What it is called upon.
    pub object: Object,
    /// The ways of being permitted, in the order in which they are tried.
    pub may: &'static [May],
}

const fn row(roles: Roles, object: Object, may: &'static [May]) -> Rule {
    Rule { roles, object, may }
}

const READERS: &[May] = &[
    May::Buyer,
    May::Holder,
    May::HeldWith(Scope::ReadOwn),
    May::MemberWith(Scope::ReadGroup),
    May::With(Scope::ReadSeller),
    May::Operator,
];

/// The row of an action. Every action has one: there is no arm for the rest.
pub const fn rule(action: Action) -> Rule {
    use Method as M;
    use Object::{Conversation, Nothing, Seller};

    match action {
        Action::Call(M::SessionOpen | M::SessionRefresh | M::SessionPing | M::SessionClose | M::RpcDiscover) => {
            row(ANYBODY, Nothing, &[May::Whoever])
        }
        Action::Call(M::ConversationStart) => row(BUYER, Nothing, &[May::Whoever]),
        Action::Call(M::ConversationRate) => row(BUYER, Conversation, &[May::Buyer]),
        Action::Call(M::MessageSend) => row(TALKERS, Conversation, &[May::Buyer, May::OwnerWith(Scope::Send)]),
        Action::SendNote => row(STAFF, Conversation, &[May::ReaderWith(Scope::Send)]),
        Action::Call(M::MessageHistory | M::ConversationGet) => row(ANYBODY, Conversation, READERS),
        Action::Call(M::MessageRead | M::MessageTyping) => row(TALKERS, Conversation, &[May::Buyer, May::Owner]),
        Action::Call(M::ConversationList) => row(ANYBODY, Nothing, &[May::Whoever]),
        Action::ListSeller => {
            row(ANYBODY, Seller, &[May::With(Scope::ReadSeller), May::With(Scope::ReadGroup), May::Operator])
        }
        Action::Call(M::ConversationClose) => {
            row(TALKERS, Conversation, &[May::Buyer, May::OwnerWith(Scope::Close), May::With(Scope::Assign)])
        }
        Action::Call(M::PresenceSet) => row(STAFF, Nothing, &[May::AnywhereWith(Scope::Presence)]),
        Action::PresenceOthers => row(STAFF, Seller, &[May::With(Scope::PresenceOthers)]),
        Action::Call(M::ConversationAccept | M::ConversationDecline) => row(STAFF, Conversation, &[May::Asked]),
        Action::Call(M::ConversationTransfer | M::ConversationTargets) => {
            row(STAFF, Conversation, &[May::OwnerWith(Scope::Transfer), May::With(Scope::Assign)])
        }
        Action::Call(M::ConversationClaim) => row(STAFF, Conversation, &[May::With(Scope::Claim)]),
        Action::Call(M::ConversationAssign) => row(STAFF, Conversation, &[May::With(Scope::Assign)]),
        Action::Call(M::ConversationWatch) => row(STAFF, Conversation, &[May::With(Scope::Monitor)]),
        Action::Force => row(STAFF, Conversation, &[May::With(Scope::Exceed)]),
        Action::Call(M::DeskView) => row(OVERSEERS, Seller, &[May::With(Scope::Desk), May::Operator]),
        Action::Call(M::RoutingExplain) => row(OVERSEERS, Seller, &[May::With(Scope::Explain), May::Operator]),
        Action::Call(
            M::ConfigStatus | M::ConfigReload | M::AccountUnbind | M::AccountBind | M::ServerStats | M::ServerDrain,
        ) => row(OPERATOR, Nothing, &[May::Operator]),
    }
}
