//! To whom a conversation may be handed on, and who of them is free: no more than trying it would tell.

use std::sync::Arc;

use crate::model::{AccountId, GroupId, Status};

/// To whom a conversation may be handed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// The seller's groups, in file order.
    pub groups: Vec<TargetGroup>,
    /// Everybody of the seller that may be given conversations but its owner, by id.
    pub agents: Vec<TargetAgent>,
}

/// A group that may be given a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Which.
    pub group: GroupId,
    /// What it is called.
    pub name: Arc<str>,
    /// How many of its members could take the conversation now; 0: it would wait.
    pub free: u32,
}

/// An agent that may be given a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetAgent {
    /// Who.
    pub account: AccountId,
    /// What it is called.
    pub name: Arc<str>,
    /// What it is for this seller; offline without a session.
    pub status: Status,
    /// Whether it would be given the conversation now.
    pub free: bool,
}
