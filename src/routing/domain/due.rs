//! When something comes due by itself, and that it is looked at then. What it brings about is in `tick`.

use super::{Domain, Entry};
use crate::model::{ConversationId, State, Timestamp};
use crate::routing::deadline::{Armed, Deadlines, Due};

impl Domain {
    /// Makes sure that a thing is looked at no later than this.
    pub(super) fn arm(&mut self, due: Due, at: Timestamp) {
        if let Some((deadlines, armed)) = self.armed(due) {
            deadlines.arm(due, armed, at);
        }
    }

    /// Nothing of a thing comes due any more.
    pub(super) fn disarm(&mut self, due: Due) {
        if let Some((deadlines, armed)) = self.armed(due) {
            deadlines.disarm(due, armed);
        }
    }

    /// Takes the next thing that has to be looked at by now; it is cleared before it acts.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Due> {
        let due = self.deadlines.pop(now)?;
        if let Some((_, armed)) = self.armed(due) {
            *armed = None;
        }
        Some(due)
    }

    fn armed(&mut self, due: Due) -> Option<(&mut Deadlines, &mut Armed)> {
        let armed = match due {
            Due::Conversation(id) => &mut self.conversations.get_mut(&id)?.armed,
            Due::Agent(agent) => &mut self.agents[agent].armed,
            Due::Desk(desk) => &mut self.desks[desk].armed.suspension,
            Due::Sweep(desk) => &mut self.desks[desk].armed.sweep,
            Due::Subscribers(desk) => &mut self.desks[desk].armed.subscribers,
            Due::Lefts(desk) => &mut self.desks[desk].armed.lefts,
        };
        Some((&mut self.deadlines, armed))
    }

    pub(super) fn arm_conversation(&mut self, id: ConversationId) {
        if let Some(at) = self.next_due(id) {
            self.arm(Due::Conversation(id), at);
        }
    }

    pub(super) fn arm_agent(&mut self, agent: usize, now: Timestamp) {
        let state = &self.agents[agent];
        let spacings = state.spacings.iter().map(|spacing| state.last_given + *spacing);
        if let Some(at) = spacings.filter(|at| *at > now).chain(state.next_due()).min() {
            self.arm(Due::Agent(agent), at);
        }
    }

    /// The next moment at which something of a conversation comes due by itself.
    fn next_due(&self, id: ConversationId) -> Option<Timestamp> {
        let entry = self.conversations.get(&id)?;
        let conversation = &entry.conversation;
        let group = self.desks[entry.desk].config(entry.group);
        match conversation.state {
            State::Queued | State::LeftMessage => {
                let steps = group.overflow.iter().enumerate().take(64).filter(|(step, _)| entry.due & (1 << step) == 0);
                let overflow = steps.map(|(_, step)| conversation.waiting_since + step.after);
                let waits = [conversation.rare.recent_until, conversation.rare.pause_until];
                let ends = if conversation.state == State::Queued { self.ends(entry) } else { [None, None] };
                let waits = waits.into_iter().flatten().map(|at| self.acts(at));
                overflow.chain(ends.into_iter().flatten()).chain(waits).min()
            }
            State::Offered => {
                let gone = self.ends(entry)[0].filter(|_| conversation.left.is_none());
                let pause = conversation.rare.pause_until.map(|at| self.acts(at));
                [conversation.rare.offer_until, pause, gone].into_iter().flatten().min()
            }
            State::Active => {
                let assigned = conversation.assigned_at.unwrap_or(conversation.started_at);
                let late = conversation.tail.unanswered_since.map(|since| since.max(assigned));
                let warning = late.filter(|_| entry.overdue.is_none()).map(|late| late + group.overdue_warning);
                let overdue = late
                    .filter(|_| entry.overdue != Some(super::super::Overdue::Overdue))
                    .map(|late| late + group.reply_within);
                let unanswered = late.and_then(|late| group.reassign_unanswered.map(|after| late + after));
                let idle = conversation.tail.last_wrote.max(assigned) + group.close_idle;
                let gone = conversation.buyer_gone_since.filter(|_| !entry.gone_told);
                let gone = gone.map(|gone| gone + group.buyer_gone_after);
                let due = [Some(idle), warning, overdue, unanswered, gone];
                due.into_iter().flatten().map(|at| self.acts(at)).min()
            }
            State::Closed => None,
        }
    }

    /// When its buyer has been gone too long, and when it has waited too long.
    pub(super) fn ends(&self, entry: &Entry) -> [Option<Timestamp>; 2] {
        let (group, since) = (self.desks[entry.desk].config(entry.group), entry.conversation.waiting_since);
        let gone = entry.conversation.buyer_gone_since.map(|gone| gone.max(since) + group.abandon_after);
        [gone, group.max_wait.map(|wait| since + wait)].map(|at| at.map(|at| self.acts(at)))
    }

    /// When a deadline acts: one that fell due while nobody ran, when the grace of the start is over.
    pub(super) fn acts(&self, at: Timestamp) -> Timestamp {
        match self.held {
            Some((start, until)) if at <= start => until,
            _ => at,
        }
    }
}
