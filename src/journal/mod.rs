//! The journal: what must survive, written in order and read back. Nothing leaves before it is durable here.
//! No rule is here and nothing of files: what is recorded is decided in `routing`; how, is the business of each store.

#[cfg(test)]
pub(crate) mod conformance;
mod crash;
mod memory;
mod sqlite;
mod writer;

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::directory::Accepted;
use crate::model::{
    AccountId, Body, BuyerKey, ConversationId, GroupId, SellerId, Sender, State, Timestamp, Visibility,
};
use crate::routing::{self, Batch, Conversation, Decision, Message, Past, Resent, Said};

pub use memory::Memory;
pub use sqlite::{Durability, Forgotten, Recorded, Sqlite, recorded};
pub use writer::{Fate, Position, Rebuild, Settings, Slot, Unavailable, Void, Writer};

/// One thing to be written: all of it, or nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// What a command has brought about.
    Batch(Batch),
    /// A routing configuration has been accepted.
    Accepted(Arc<Accepted>),
    /// An operator, or one with an operator's reach, did something that is remembered.
    Audit(Audit),
    /// All of these, in this order: a change of the configuration and the entry that says who made it.
    All(Vec<Write>),
}

/// An entry of the audit log, before it has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// When.
    pub at: Timestamp,
    /// Who: the token's `sub`, or `config` for what the files did.
    pub by: Arc<str>,
    /// What, by the name of the method.
    pub action: Arc<str>,
    /// On what, as JSON.
    pub detail: Arc<str>,
}

/// What a start is built from: what is open, never history.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Open conversations, agents and groups.
    pub table: routing::Recovered,
    /// The time of the last record.
    pub last_time: Timestamp,
    /// The accepted routing configuration: a start is judged against it. `None` before the first one.
    pub accepted: Option<Accepted>,
}

/// Which messages of a conversation are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Of which conversation.
    pub conversation: ConversationId,
    /// Those after this number, the first ones first.
    pub after: Option<u64>,
    /// Those before this number, the last ones; not together with `after`.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
    /// Whether notes are among them.
    pub notes: bool,
}

/// Messages in ascending order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are more in the direction that was read.
    pub more: bool,
}

/// Which conversations are listed. What is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this seller.
    pub seller: Option<SellerId>,
    /// Of this buyer.
    pub buyer: Option<BuyerKey>,
    /// Of the buyer with this `sub`, whoever vouches for it.
    pub buyer_sub: Option<Arc<str>>,
    /// Held by this account, now or once.
    pub holder: Option<AccountId>,
    /// In this state.
    pub state: Option<State>,
    /// With one of these groups.
    pub groups: Option<Vec<GroupId>>,
}

impl Filter {
    /// Whether a conversation is listed.
    pub fn matches(&self, conversation: &Conversation) -> bool {
        let key = &conversation.profile.key;
        self.seller.as_ref().is_none_or(|seller| *seller == conversation.seller)
            && self.buyer.as_ref().is_none_or(|buyer| buyer == key)
            && self.buyer_sub.as_ref().is_none_or(|sub| *sub == key.sub)
            && self.holder.as_ref().is_none_or(|holder| conversation.held.contains(holder))
            && self.state.is_none_or(|state| state == conversation.state)
            && self.groups.as_ref().is_none_or(|groups| groups.contains(&conversation.group))
    }
}

/// Conversations, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// The conversations.
    pub conversations: Vec<Conversation>,
    /// The cursor that reads on.
    pub next: Option<ConversationId>,
}

/// What is known of a buyer with a seller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Who last held a conversation, and until when.
    pub past: Past,
    /// Their last conversation that is closed.
    pub last_closed: Option<ConversationId>,
}

/// A message that may have been sent before.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    /// In which conversation.
    pub conversation: ConversationId,
    /// By whom.
    pub sender: Sender,
    /// What its sender calls it.
    pub client_id: Arc<str>,
    /// What it says this time.
    pub body: Body,
    /// Who may read it this time.
    pub visibility: Visibility,
}

impl Again {
    fn answer(&self, first: &Message) -> Resent {
        let same = first.body == self.body && first.visibility == self.visibility;
        Resent { seq: first.seq, at: first.at, same }
    }
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Its number: the next ones are read after it.
    pub number: u64,
    /// The entry.
    pub entry: Audit,
}

/// Why a store could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be written or read now; it may be later.
    #[error("the store cannot be used: {0}")]
    Failed(String),
    /// What is in it is not what was written.
    #[error("the store is damaged: {0}; restore a backup, or move the directory away to begin empty")]
    Damaged(String),
    /// Its last record is older than the last one acknowledged.
    #[error(
        "store_behind: the store ends at commit {found}, and commit {acknowledged} was acknowledged; restore a newer \
         copy, or remove `durable` beside it to go on without what came after"
    )]
    Behind {
        /// The last position in it.
        found: u64,
        /// The last one that was durable.
        acknowledged: u64,
    },
    /// Another daemon has it.
    #[error("another daemon uses the data directory{}", process.map(|id| format!(": process {id}")).unwrap_or_default())]
    InUse {
        /// Its process, if that can be known.
        process: Option<u32>,
    },
    /// It was made by a later version.
    #[error("the store has schema {found}, this version knows up to {known}")]
    Newer {
        /// The version found.
        found: i64,
        /// The last one known.
        known: i64,
    },
}

/// The answer of a read that may wait for a disk or a network.
pub type Reading<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What is read from a store. It shows what is durable, and may show what is about to be.
pub trait Journal: Send + Sync + 'static {
    /// Messages of a conversation.
    fn history(&self, range: Range) -> Reading<'_, History>;
    /// A conversation, if it is closed.
    fn closed(&self, conversation: ConversationId) -> Reading<'_, Option<Conversation>>;
    /// What is known of a buyer with a seller.
    fn last_of(&self, buyer: &BuyerKey, seller: &SellerId) -> Reading<'_, Known>;
    /// Conversations, newest first, older than the cursor.
    fn list(&self, filter: Filter, cursor: Option<ConversationId>, limit: usize) -> Reading<'_, Listed>;
    /// The first message of this sender with this client's id, if there is one.
    fn resent(&self, again: Again) -> Reading<'_, Option<Resent>>;
    /// Every message of a conversation, in order, without what it says.
    fn said(&self, conversation: ConversationId) -> Reading<'_, Vec<Said>>;
    /// Every decision about a conversation, in order.
    fn decisions(&self, conversation: ConversationId) -> Reading<'_, Vec<Arc<Decision>>>;
    /// The audit log after an entry.
    fn audit(&self, after: u64, limit: usize) -> Reading<'_, Vec<Audited>>;
    /// What a start is built from.
    fn open(&self) -> Reading<'_, Recovered>;
}

/// Why a commit failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncommitted {
    /// What went wrong.
    pub error: StoreError,
    /// Whether it may be in the store all the same: it was written, and whether it is on the disk is not known.
    pub in_doubt: bool,
}

impl From<StoreError> for Uncommitted {
    fn from(error: StoreError) -> Self {
        Self { error, in_doubt: false }
    }
}

/// A store after a commit that failed.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// What is in it.
    pub recovered: Recovered,
    /// Whether the commit that failed is in it all the same. For a table that is rebuilt: and nobody was told of it.
    pub kept: bool,
}

/// The writing end of a store that takes time. It is called by the one writer alone, in order, and may block.
pub trait Sink: Send + 'static {
    /// Writes all of it and makes it durable, or nothing of it. `last` is the position of the last write.
    ///
    /// # Errors
    /// Whatever kept it from being durable; nothing of it counts as written.
    fn commit(&mut self, writes: &[Write], last: Position) -> Result<(), Uncommitted>;

    /// Opens the store anew after a commit that failed, and reads what is in it.
    ///
    /// # Errors
    /// That it still cannot be used.
    fn restore(&mut self) -> Result<Restored, StoreError>;

    /// Makes durable, once more, all that is in the store. If it succeeds, nothing else ever will be in it.
    ///
    /// # Errors
    /// That it still cannot be written.
    fn probe(&mut self) -> Result<(), StoreError>;
}
