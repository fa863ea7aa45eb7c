//! Deadlines: one ordered table. Each thing that can come due has one place in it, at or before its next deadline;
//! what really is due is found out when that time comes, so that a deadline which moves later costs nothing.

use std::collections::BTreeSet;

use crate::model::{ConversationId, Map, Timestamp};

/// What comes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Due {
    /// Something of a conversation.
    Conversation(ConversationId),
    /// A grace period, a wrap-up or a spacing of an agent.
    Agent(usize),
    /// A certification that ends, of a desk.
    Desk(usize),
    /// The positions of a desk's queues are told.
    Sweep(usize),
    /// A desk's subscribers are told of it.
    Subscribers(usize),
}

/// The table.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    order: BTreeSet<(Timestamp, Due)>,
    armed: Map<Due, Timestamp>,
}

impl Deadlines {
    /// Makes sure that the thing is looked at no later than this.
    pub(super) fn arm(&mut self, due: Due, at: Timestamp) {
        if let Some(armed) = self.armed.get_mut(&due) {
            if *armed <= at {
                return;
            }
            self.order.remove(&(*armed, due));
            *armed = at;
        } else {
            self.armed.insert(due, at);
        }
        self.order.insert((at, due));
    }

    /// Forgets the thing.
    pub(super) fn disarm(&mut self, due: Due) {
        if let Some(at) = self.armed.remove(&due) {
            self.order.remove(&(at, due));
        }
    }

    /// Takes the next thing that has to be looked at by now; it is cleared before it acts.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Due> {
        let (at, due) = *self.order.first()?;
        if at > now {
            return None;
        }
        self.order.pop_first();
        self.armed.remove(&due);
        Some(due)
    }

    /// When the next thing has to be looked at.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }
}
