//! Who calls, and what is called upon, as the policy needs to know them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AccountId, GroupId, SellerId};

/// A buyer: the `sub` of its token, within the seller that the token's key belongs to if it belongs to one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuyerKey {
    /// The seller whose own key vouches for this buyer; none for a buyer of the whole platform.
    pub within: Option<SellerId>,
    /// The token's `sub`.
    pub sub: Arc<str>,
}

impl fmt::Debug for BuyerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.within {
            Some(seller) => write!(f, "{}@{seller}", self.sub),
            None => f.write_str(&self.sub),
        }
    }
}

/// Who a session belongs to, as its token says and no more: what staff may do is looked up when they do it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A buyer; `sellers` limits it to those that its key speaks for, if the key is limited.
    Buyer {
        /// Who it is.
        key: BuyerKey,
        /// The only sellers it may meet; `None`: any.
        sellers: Option<Arc<[SellerId]>>,
    },
    /// A sub-account or a seller's main account.
    Staff {
        /// Which account.
        account: AccountId,
        /// The only sellers for whom its key may speak; `None`: all that authorise it.
        sellers: Option<Arc<[SellerId]>>,
    },
    /// Whoever runs the daemon.
    Operator {
        /// The token's `sub`, for the audit log.
        sub: Arc<str>,
    },
}

/// The state of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for somebody.
    Queued,
    /// An agent has been asked; its slot is held.
    Offered,
    /// An agent owns it.
    Active,
    /// Nobody could take it; kept until somebody can.
    LeftMessage,
    /// Over.
    Closed,
}

impl State {
    /// Whether it waits for somebody to own it: queued, offered or a left message.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Queued | Self::Offered | Self::LeftMessage)
    }
}

/// A conversation as permission sees it: who is who in it, now.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Whose conversation it is.
    pub seller: &'a SellerId,
    /// The group whose settings it has.
    pub group: &'a GroupId,
    /// Who owns it, if it is active.
    pub owner: Option<&'a AccountId>,
    /// Its buyer.
    pub buyer: &'a BuyerKey,
    /// Its state.
    pub state: State,
    /// Who is asked now, or was and has not answered.
    pub asked: &'a [AccountId],
    /// Who held it before.
    pub held: &'a [AccountId],
}
