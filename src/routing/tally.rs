//! What an operator sees of the table as a whole: sums, and who stands out.

use std::time::Duration;

use crate::model::{AccountId, SellerId, Status};

/// What an operator sees of all domains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Conversations that wait.
    pub queued: usize,
    /// Those for which somebody is asked.
    pub offered: usize,
    /// Those that somebody has.
    pub active: usize,
    /// Those that are left messages.
    pub left_messages: usize,
    /// Agents that are online and in session.
    pub online: usize,
    /// Those that are away and in session.
    pub away: usize,
    /// All others.
    pub offline: usize,
    /// Slots of agents online that are taken.
    pub slots_taken: usize,
    /// Those that are not.
    pub slots_free: usize,
    /// The sellers with the most waiting, those first.
    pub sellers: Vec<BusySeller>,
    /// The agents that hold the most, those first.
    pub agents: Vec<BusyAgent>,
}

/// A seller for whom somebody waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusySeller {
    /// Who.
    pub seller: SellerId,
    /// Conversations that wait.
    pub waiting: usize,
    /// Left messages.
    pub left_messages: usize,
    /// How long the first in a queue has waited.
    pub longest_wait: Duration,
}

/// An agent that has something in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusyAgent {
    /// Who.
    pub account: AccountId,
    /// What it is; offline without a session.
    pub status: Status,
    /// Slots taken.
    pub held: u32,
    /// Slots there are.
    pub capacity: u32,
}
