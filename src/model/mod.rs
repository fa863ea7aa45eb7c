//! The nouns that every layer shares: ids, times, who calls, and what is called upon.
//! No rule is here: what may be done is `policy`, what happens is `routing`.

mod caller;
mod id;
mod map;
mod message;
mod time;

pub use caller::{BuyerKey, Caller, State, Subject};
pub use id::{AccountId, BindingId, ConversationId, EntryId, GroupId, RoleId, SellerId, SessionId};
pub use map::{KeyHasher, Map, Set};
pub use message::{Body, ClientId, Sender, Visibility};
pub use time::{Status, Timestamp};
