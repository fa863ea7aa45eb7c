//! Deadlines: one ordered table. Each thing that can come due has one place in it, at or before its next deadline;
//! what really is due is found out when that time comes, so that a deadline which moves later costs nothing.
//! Each thing keeps itself where its place is.

use std::collections::BTreeSet;

use crate::model::{ConversationId, Timestamp};

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
    /// What was left at a desk becomes too old to be handed out.
    Lefts(usize),
}

/// Where something stands in the table, if it does: kept with it.
pub(super) type Armed = Option<Timestamp>;

/// The table. Nearly everything in it is of conversations, which are kept apart: they take less room so.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    conversations: BTreeSet<(Timestamp, ConversationId)>,
    others: BTreeSet<(Timestamp, Due)>,
}

impl Deadlines {
    /// Makes sure that the thing is looked at no later than this.
    pub(super) fn arm(&mut self, due: Due, armed: &mut Armed, at: Timestamp) {
        if armed.is_some_and(|armed| armed <= at) {
            return;
        }
        self.disarm(due, armed);
        *armed = Some(at);
        match due {
            Due::Conversation(id) => self.conversations.insert((at, id)),
            due => self.others.insert((at, due)),
        };
    }

    /// Forgets the thing.
    pub(super) fn disarm(&mut self, due: Due, armed: &mut Armed) {
        let Some(at) = armed.take() else { return };
        match due {
            Due::Conversation(id) => self.conversations.remove(&(at, id)),
            due => self.others.remove(&(at, due)),
        };
    }

    /// Takes out the next thing that has to be looked at by now; where it is kept is not cleared here.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Due> {
        let next = self.next().filter(|at| *at <= now)?;
        if self.conversations.first().is_some_and(|(at, _)| *at == next) {
            return self.conversations.pop_first().map(|(_, id)| Due::Conversation(id));
        }
        self.others.pop_first().map(|(_, due)| due)
    }

    /// When the next thing has to be looked at.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let (conversation, other) = (self.conversations.first(), self.others.first());
        conversation.map(|(at, _)| *at).into_iter().chain(other.map(|(at, _)| *at)).min()
    }
}
