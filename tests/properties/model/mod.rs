//! The reference: routing as its documentation says it, slow and plain. One domain: lists, and scans over them.
//! It shares with the real core the snapshot it reads and the shape of a conversation, and no rule.

pub mod command;
mod facts;
mod presence;
mod select;
mod settle;
mod time;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fenliu::directory::{Authorization, Directory, Domain, Group, Seller};
use fenliu::model::{AccountId, ConversationId, GroupId, SellerId, SessionId, Status, Timestamp};
use fenliu::routing::Conversation;

/// A slot that stays taken for a while.
#[derive(Clone, Debug)]
pub struct WrapUp {
    pub seller: SellerId,
    pub via: Option<GroupId>,
    pub until: Timestamp,
}

/// An agent.
#[derive(Clone, Debug)]
pub struct Agent {
    pub status: Status,
    pub since: Timestamp,
    pub sessions: Vec<SessionId>,
    pub grace_until: Option<Timestamp>,
    pub wrap_ups: Vec<WrapUp>,
    pub given: Timestamp,
    pub ended: Timestamp,
    pub missed: u32,
    pub paused: BTreeMap<SellerId, Status>,
}

/// The rotation of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rotation {
    pub last: Option<AccountId>,
    pub weights: BTreeMap<AccountId, i64>,
}

/// How the conversation of the running command came to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entering {
    Start { leave: bool },
    Reopen,
}

/// What has to be done before anybody is given anything.
#[derive(Clone, Debug, PartialEq)]
pub enum Duty {
    Evict(ConversationId, fenliu::routing::Cause),
    Withdraw(ConversationId),
}

/// A domain.
#[derive(Clone, Debug)]
pub struct Model {
    pub directory: Arc<Directory>,
    pub sellers: Vec<SellerId>,
    pub agents: BTreeMap<AccountId, Agent>,
    pub open: BTreeMap<ConversationId, Conversation>,
    pub rotations: BTreeMap<(SellerId, GroupId), Rotation>,
    pub last_time: Timestamp,
    pub now: Timestamp,
    grace: Duration,
    entering: Option<(ConversationId, Entering)>,
    duties: Vec<Duty>,
    /// After a restart: what fell due before the first time acts at the second.
    held: Option<(Timestamp, Timestamp)>,
}

impl Model {
    /// A domain in which nobody has been yet.
    pub fn new(directory: &Arc<Directory>, plan: &Domain, grace: Duration, now: Timestamp) -> Self {
        let nobody = || Agent {
            status: Status::Offline,
            since: Timestamp::ZERO,
            sessions: Vec::new(),
            grace_until: None,
            wrap_ups: Vec::new(),
            given: Timestamp::ZERO,
            ended: Timestamp::ZERO,
            missed: 0,
            paused: BTreeMap::new(),
        };
        Self {
            directory: Arc::clone(directory),
            sellers: plan.sellers.clone(),
            agents: plan.agents.iter().map(|account| (account.clone(), nobody())).collect(),
            open: BTreeMap::new(),
            rotations: BTreeMap::new(),
            last_time: Timestamp::ZERO,
            now,
            grace,
            entering: None,
            duties: Vec::new(),
            held: None,
        }
    }

    pub fn seller(&self, seller: &SellerId) -> &Seller {
        &self.directory.sellers[seller]
    }

    pub fn group(&self, seller: &SellerId, group: &GroupId) -> &Group {
        self.seller(seller).group(group).unwrap()
    }

    /// The settings of a conversation.
    pub fn settings(&self, conversation: &Conversation) -> &Group {
        self.group(&conversation.seller, &conversation.group)
    }

    pub fn authorization(&self, agent: &AccountId, seller: &SellerId) -> Option<&Authorization> {
        self.seller(seller).agents.get(agent)
    }

    /// Every time of giving or ending is later than the one before it.
    fn next_time(&mut self) -> Timestamp {
        self.last_time = self.now.max(Timestamp::from_micros(self.last_time.micros() + 1));
        self.last_time
    }
}
