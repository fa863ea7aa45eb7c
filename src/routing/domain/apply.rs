//! What an event does to the facts. It cannot fail, and recovery takes the same way.

mod agents;

use super::{Cause, Domain, Entry, Fresh, Run};
use crate::model::{AccountId, BuyerKey, ConversationId, SellerId, State, Timestamp};
use crate::routing::conversation::{Bound, Conversation, Exclusion};
use crate::routing::day::Count;
use crate::routing::event::{Event, Requeue};
use crate::routing::view::LeftReason;

impl Domain {
    /// Applies one event.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Started { conversation } => self.start(conversation, false),
            Event::Reopened { conversation, .. } => self.start(conversation, true),
            Event::Messaged { message } => self.messaged(message),
            Event::Offered { conversation, agent, via, until, at } => {
                self.change(*conversation, |c| {
                    c.state = State::Offered;
                    c.agent = Some(agent.clone());
                    c.via.clone_from(via);
                    c.rare.change(|rare| (rare.offer_until, rare.recent_until) = (Some(*until), None));
                    remember(&mut c.asked, agent);
                });
                self.mark_given(agent, *at);
            }
            Event::OfferEnded { conversation, exclude, at, .. } => self.offer_ended(*conversation, *exclude, *at),
            Event::Assigned { conversation, agent, via, cause, at } => {
                self.assigned(*conversation, agent, via.as_ref(), *cause, *at);
            }
            Event::Queued { conversation, group, requeue, at } => self.queued(*conversation, group, requeue, *at),
            Event::Regrouped { conversation, group, at } => self.regrouped(*conversation, group, *at),
            Event::Left { conversation, reason, at } => self.left(*conversation, *reason, *at),
            Event::RecentWaitEnded { conversation } => {
                self.change(*conversation, |c| c.rare.change(|rare| rare.recent_until = None));
                self.look_again(*conversation);
            }
            Event::RoundEnded { conversation, pause_until } => self.round_ended(*conversation, *pause_until),
            Event::BoundChanged { conversation, waits } => {
                let wait = |bound: &mut Bound| bound.waits = *waits;
                self.change(*conversation, |c| c.rare.change(|rare| rare.bound.iter_mut().for_each(wait)));
                self.look_again(*conversation);
            }
            Event::Readmitted { conversation, agent } => {
                let stays = |(excluded, _): &(AccountId, Exclusion)| excluded != agent;
                self.change(*conversation, |c| c.rare.change(|rare| rare.excluded.retain(stays)));
                self.look_again(*conversation);
            }
            Event::Closed { conversation, by: _, reason, at } => self.close(*conversation, reason.as_ref(), *at),
            Event::Rated { .. } | Event::Decided { .. } => {}
            Event::BuyerSeen { conversation, gone_since } => {
                if let Some(entry) = self.conversations.get_mut(conversation) {
                    entry.conversation.buyer_gone_since = *gone_since;
                    entry.gone_told &= gone_since.is_some();
                }
                self.arm_conversation(*conversation);
            }
            Event::Read { conversation, tail } => {
                if let Some(entry) = self.conversations.get_mut(conversation) {
                    entry.conversation.tail = *tail;
                }
            }
            Event::StatusSet { agent, status, at, .. } => self.status_set(agent, *status, *at),
            Event::Paused { agent, seller, status, at } => self.paused(agent, seller, *status, *at),
            Event::Missed { agent, missed } => {
                if let Some(agent) = self.agent_of(agent) {
                    self.agents[agent].missed_offers = *missed;
                }
            }
            Event::Rotated { row } => self.rotated(row),
        }
    }

    fn left(&mut self, id: ConversationId, reason: LeftReason, at: Timestamp) {
        self.change(id, |c| {
            c.state = State::LeftMessage;
            c.left = Some(reason);
            c.rare.change(|rare| (rare.recent_until, rare.pause_until) = (None, None));
        });
        if let Some(desk) = self.conversations.get(&id).map(|entry| entry.desk) {
            self.count(desk, Count::Left, at);
        }
        self.look_again(id);
        self.work.rounds.insert(id);
    }

    /// Notes which rows an event makes different.
    pub(super) fn note_rows(&self, event: &Event, run: &mut Run) {
        match event {
            Event::Messaged { message } => run.tails.push(message.conversation),
            Event::Read { conversation, .. } => run.tails.push(*conversation),
            Event::Rotated { row } => {
                let desk = row.seller.as_ref().and_then(|seller| self.desk_at.get(seller)).copied();
                let group = desk.zip(row.group.as_ref()).and_then(|(desk, group)| self.group_of(desk, group));
                run.groups.extend(desk.zip(group));
            }
            Event::StatusSet { agent, .. } | Event::Paused { agent, .. } | Event::Missed { agent, .. } => {
                run.agents.extend(self.agent_of(agent));
            }
            Event::Started { conversation } | Event::Reopened { conversation, .. } => {
                run.conversations.push(conversation.id);
            }
            Event::Offered { conversation, agent, .. } | Event::Assigned { conversation, agent, .. } => {
                run.conversations.push(*conversation);
                run.agents.extend(self.agent_of(agent));
            }
            Event::OfferEnded { conversation, .. }
            | Event::Queued { conversation, .. }
            | Event::Regrouped { conversation, .. }
            | Event::Left { conversation, .. }
            | Event::RecentWaitEnded { conversation }
            | Event::RoundEnded { conversation, .. }
            | Event::BoundChanged { conversation, .. }
            | Event::Readmitted { conversation, .. }
            | Event::BuyerSeen { conversation, .. } => run.conversations.push(*conversation),
            // What is closed has been forgotten by now, and was given to the run.
            Event::Closed { .. } => {
                let owner = run.closed.last().and_then(|closed| closed.agent.as_ref());
                run.agents.extend(owner.and_then(|owner| self.agent_of(owner)));
            }
            Event::Rated { .. } | Event::Decided { .. } => {}
        }
    }

    /// Something of a conversation has changed: what becomes of it is looked at again.
    pub(super) fn look_again(&mut self, id: ConversationId) {
        match self.conversations.get(&id).map(|entry| entry.conversation.state) {
            Some(State::Queued) => self.work.look.insert(id),
            Some(State::LeftMessage) => self.work.left.insert(id),
            _ => false,
        };
    }

    /// Changes a conversation between an unlink and a link.
    pub(super) fn change(&mut self, id: ConversationId, change: impl FnOnce(&mut Conversation)) {
        if !self.conversations.contains_key(&id) {
            return;
        }
        self.unlink(id);
        if let Some(entry) = self.conversations.get_mut(&id) {
            change(&mut entry.conversation);
            entry.conversation.rev += 1;
        }
        self.link(id);
    }

    fn start(&mut self, conversation: &Conversation, reopened: bool) {
        let Some(desk) = self.desk_at.get(&conversation.seller).copied() else { return };
        let group = self.group_of(desk, &conversation.group).unwrap_or(self.desks[desk].default_group);
        let id = conversation.id;
        if !reopened {
            let entry = conversation.entry.clone();
            self.count(desk, Count::Started { entry }, conversation.started_at);
        }
        self.buyers.insert(&conversation.profile, id);
        self.conversations.insert(id, Box::new(Entry::new(conversation.clone(), desk, group, reopened)));
        self.mark_due(id, conversation.waiting_since);
        self.link(id);
        self.work.look.insert(id);
    }

    fn assigned(
        &mut self,
        id: ConversationId,
        agent: &AccountId,
        via: Option<&crate::model::GroupId>,
        cause: Cause,
        at: Timestamp,
    ) {
        let transferred = cause == Cause::Transfer;
        let mut first = false;
        self.change(id, |c| {
            if let Some(owner) = c.owner().cloned().filter(|owner| owner != agent) {
                remember(&mut c.held, &owner);
            }
            c.state = State::Active;
            c.agent = Some(agent.clone());
            c.via = via.cloned();
            c.left = None;
            c.counted = false;
            if transferred {
                c.recent = None;
            }
            c.rare.change(|rare| {
                (rare.offer_until, rare.recent_until, rare.pause_until, rare.note) = (None, None, None, None);
                rare.excluded.clear();
                if transferred {
                    rare.bound = None;
                }
            });
            (c.assigned_at, c.came_by) = (Some(at), Some(cause));
            first = c.first_assigned_at.is_none();
            c.first_assigned_at.get_or_insert(at);
            c.held.retain(|held| held != agent);
            // Nearly every conversation has one holder: no room is kept for more.
            c.held.reserve_exact(1);
            c.held.push(agent.clone());
        });
        if let Some(entry) = self.conversations.get_mut(&id) {
            entry.due = 0;
            entry.overdue = None;
            entry.told = None;
        }
        self.arm_conversation(id);
        self.mark_given(agent, at);
        if first {
            self.count_served(id, at);
        }
    }

    fn offer_ended(&mut self, id: ConversationId, exclude: Option<Exclusion>, at: Timestamp) {
        self.change(id, |c| {
            let agent = c.agent.take();
            c.via = None;
            c.state = if c.left.is_some() { State::LeftMessage } else { State::Queued };
            c.rare.change(|rare| {
                rare.offer_until = None;
                rare.excluded.extend(agent.zip(exclude));
            });
        });
        self.mark_due(id, at);
        self.look_again(id);
        self.work.rounds.insert(id);
    }

    fn queued(&mut self, id: ConversationId, group: &crate::model::GroupId, requeue: &Requeue, at: Timestamp) {
        let Some(entry) = self.conversations.get(&id) else { return };
        let group_at = self.group_of(entry.desk, group).unwrap_or(entry.group);
        self.unlink(id);
        let Some(entry) = self.conversations.get_mut(&id) else { return };
        entry.group = group_at;
        entry.due = 0;
        entry.told = None;
        let c = &mut entry.conversation;
        c.rev += 1;
        if c.state == State::Active {
            (c.assigned_at, c.came_by) = (None, None);
        }
        c.group = group.clone();
        c.state = State::Queued;
        c.agent = None;
        c.via = None;
        c.left = None;
        c.counted = false;
        c.waiting_since = at;
        if requeue.anew {
            c.queued_at = at;
        }
        if requeue.transferred {
            c.recent = None;
        }
        c.rare.change(|rare| {
            (rare.offer_until, rare.recent_until) = (None, None);
            if requeue.transferred {
                rare.bound = None;
            }
            rare.note.clone_from(&requeue.note);
            rare.excluded.extend(requeue.exclude.iter().cloned());
        });
        self.mark_due(id, at);
        self.link(id);
        self.work.look.insert(id);
        self.work.rounds.insert(id);
    }

    fn regrouped(&mut self, id: ConversationId, group: &crate::model::GroupId, at: Timestamp) {
        let Some(entry) = self.conversations.get(&id) else { return };
        let group_at = self.group_of(entry.desk, group).unwrap_or(entry.group);
        self.unlink(id);
        if let Some(entry) = self.conversations.get_mut(&id) {
            entry.group = group_at;
            entry.due = 0;
            entry.conversation.group = group.clone();
            entry.conversation.rev += 1;
        }
        self.mark_due(id, at);
        self.link(id);
        self.look_again(id);
    }

    fn round_ended(&mut self, id: ConversationId, pause_until: Option<Timestamp>) {
        self.change(id, |c| {
            c.rare.change(|rare| {
                rare.pause_until = pause_until;
                if pause_until.is_none() {
                    rare.excluded.retain(|(_, why)| matches!(why, Exclusion::Lost | Exclusion::Transferred));
                    rare.bound.iter_mut().for_each(|bound| bound.waits = true);
                }
            });
        });
        if pause_until.is_none() {
            self.look_again(id);
        }
    }

    fn close(&mut self, id: ConversationId, reason: Option<&std::sync::Arc<str>>, at: Timestamp) {
        self.unlink(id);
        let Some(entry) = self.conversations.get(&id) else { return };
        let (desk, group) = (entry.desk, entry.group);
        let conversation = &entry.conversation;
        let owner = conversation.owner().cloned();
        let via = conversation.via.clone();
        if let Some(assigned) = conversation.assigned_at.filter(|_| owner.is_some()) {
            self.desks[desk].groups[group].durations.add(at.since(assigned));
        }
        self.count(desk, Count::Closed, at);
        if let Some(agent) = owner.as_ref().and_then(|owner| self.agent_of(owner)) {
            self.agents[agent].last_ended = self.next_time(at);
            self.ended(agent);
            let wrap_up = self.desks[desk].config(group).wrap_up;
            if !wrap_up.is_zero() {
                self.wrap_up(agent, desk, via.as_ref(), at + wrap_up, at);
            }
        }
        // Its own may be gone since a reload that has not settled yet.
        let group = self.group_id(desk, group).clone();
        let Some(entry) = self.conversations.get_mut(&id) else { return };
        let c = &mut entry.conversation;
        c.rev += 1;
        c.state = State::Closed;
        c.group = group;
        c.rare.change(|rare| {
            (rare.closed_at, rare.reason) = (Some(at), reason.cloned());
            (rare.offer_until, rare.recent_until, rare.pause_until) = (None, None, None);
            rare.excluded.clear();
        });
        c.agent = owner;
    }

    fn count_served(&mut self, id: ConversationId, at: Timestamp) {
        let Some(entry) = self.conversations.get(&id) else { return };
        let waited = at.since(entry.conversation.started_at);
        let served = Count::Served { entry: entry.conversation.entry.clone(), waited };
        self.count(entry.desk, served, at);
    }

    /// Counts on the day of a desk: it is kept with what the command brings about.
    pub(super) fn count(&mut self, desk: usize, what: Count, at: Timestamp) {
        let counted = self.desks[desk].count(what, at);
        self.work.counted.push(counted);
    }

    /// The open conversation of a buyer with a seller.
    pub(in crate::routing) fn open_of(&self, buyer: &BuyerKey, seller: &SellerId) -> Option<ConversationId> {
        self.open_at(buyer, self.desk_at.get(seller).copied()?)
    }

    /// The open conversation of a buyer at a desk.
    pub(super) fn open_at(&self, buyer: &BuyerKey, desk: usize) -> Option<ConversationId> {
        let is_there = |id: &ConversationId| self.conversations.get(id).is_some_and(|entry| entry.desk == desk);
        self.buyers.of(buyer).iter().copied().find(is_there)
    }
}

impl Domain {
    /// Records that something began to wait by this command.
    pub(super) fn is_fresh(&mut self, id: ConversationId, fresh: Fresh) {
        self.work.fresh.insert(id, fresh);
    }

    /// Forgets a conversation that is closed, and gives it to the run.
    pub(super) fn forget(&mut self, id: ConversationId, run: &mut Run) {
        self.disarm(crate::routing::deadline::Due::Conversation(id));
        if let Some(entry) = self.conversations.remove(&id) {
            self.buyers.remove(&entry.conversation.profile.key, id);
            run.closed.push(entry.conversation);
        }
    }
}

fn remember(list: &mut Vec<AccountId>, who: &AccountId) {
    if !list.contains(who) {
        list.push(who.clone());
    }
}
