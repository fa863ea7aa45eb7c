//! What time alone brings about. A due deadline is cleared before it acts.

use std::time::Duration;

use super::{Cause, Change, Domain, Fresh, Run};
use crate::model::{ConversationId, State, Status, Timestamp};
use crate::routing::conversation::Exclusion;
use crate::routing::deadline::Due;
use crate::routing::event::Event;
use crate::routing::view::{By, LeftReason, Notice, OfferEnd, Outgoing, Overdue, PresenceCause, Recipient};

/// How often somebody is told of a changed position, and a desk of its figures, at most.
pub(super) const ONCE: Duration = Duration::from_secs(1);
/// How many due things one command looks at.
const DUE: usize = 256;

impl Domain {
    /// Everything that is due by now acts.
    pub(super) fn tick(&mut self, now: Timestamp, run: &mut Run) {
        // An offer that a start withdraws has not been missed, however long nobody ran.
        while let Some(change) = self.next_withdrawal(now) {
            self.happen(change, now, run);
        }
        for _ in 0..DUE {
            let Some(due) = self.pop_due(now) else { return };
            match due {
                Due::Conversation(id) => self.conversation_due(id, now, run),
                Due::Agent(agent) => self.agent_due(agent, now, run),
                Due::Desk(desk) => self.desk_due(desk, now),
                Due::Sweep(desk) => self.sweep(desk, now, run),
                Due::Subscribers(desk) => self.tell_subscribers(desk, now, run),
                Due::Lefts(desk) => self.grow_old(desk, now),
            }
        }
    }

    fn conversation_due(&mut self, id: ConversationId, now: Timestamp, run: &mut Run) {
        let Some(entry) = self.conversations.get(&id) else { return };
        match entry.conversation.state {
            State::Queued | State::LeftMessage => self.waiting_due(id, now, run),
            State::Offered => self.offer_due(id, now, run),
            State::Active => self.active_due(id, now, run),
            State::Closed => {}
        }
        self.arm_conversation(id);
    }

    fn waiting_due(&mut self, id: ConversationId, now: Timestamp, run: &mut Run) {
        let entry = &self.conversations[&id];
        let conversation = &entry.conversation;
        let past = |at: Option<Timestamp>| at.is_some_and(|at| self.acts(at) <= now);
        let (recent, pause) = (past(conversation.rare.recent_until), past(conversation.rare.pause_until));
        let ends = self.has_waited(entry, now).filter(|_| conversation.state == State::Queued);
        if let Some((reason, cause)) = ends {
            let change = self.leave(entry, reason, &Fresh::new(cause), now);
            self.happen(change, now, run);
            return;
        }
        let due = entry.due;
        self.unlink(id);
        self.mark_due(id, now);
        self.link(id);
        if self.conversations[&id].due != due {
            self.work.woken.insert(id, Cause::Overflow);
            self.look_again(id);
        }
        if recent {
            self.work.woken.insert(id, Cause::RecentWait);
            self.happen(Change::new(Event::RecentWaitEnded { conversation: id }, Cause::RecentWait), now, run);
        }
        if pause {
            let event = Event::RoundEnded { conversation: id, pause_until: None };
            self.happen(Change::new(event, Cause::OfferTimeout), now, run);
        }
    }

    fn offer_due(&mut self, id: ConversationId, now: Timestamp, run: &mut Run) {
        if self.conversations[&id].conversation.rare.pause_until.is_some_and(|until| self.acts(until) <= now) {
            let event = Event::RoundEnded { conversation: id, pause_until: None };
            self.happen(Change::new(event, Cause::OfferTimeout), now, run);
        }
        let entry = &self.conversations[&id];
        if entry.conversation.rare.offer_until.is_none_or(|until| until > now) {
            let gone = self.has_waited(entry, now).filter(|(reason, _)| *reason == LeftReason::Abandoned);
            if let Some((reason, cause)) = gone.filter(|_| entry.conversation.left.is_none()) {
                let change = self.end_offer(id, OfferEnd::Withdrawn, None, now);
                self.happen(change, now, run);
                let change = self.leave(&self.conversations[&id], reason, &Fresh::new(cause), now);
                self.happen(change, now, run);
            }
            return;
        }
        let missed_offers = self.desks[entry.desk].config(entry.group).missed_offers;
        let agent = entry.conversation.agent.as_ref().and_then(|account| self.agent_of(account));
        let change = self.end_offer(id, OfferEnd::Timeout, Some(Exclusion::TimedOut), now);
        self.is_fresh(id, Fresh::new(Cause::OfferTimeout));
        self.happen(change, now, run);
        let Some(agent) = agent else { return };
        let missed = self.agents[agent].missed_offers + 1;
        let over = missed_offers > 0 && missed >= missed_offers;
        let event = Event::Missed { agent: self.account(agent), missed: if over { 0 } else { missed } };
        self.happen(Change::new(event, Cause::OfferTimeout), now, run);
        if over && self.agents[agent].status == Status::Online {
            let (agent, cause) = (self.account(agent), PresenceCause::MissedOffers);
            let event = Event::StatusSet { agent: agent.clone(), status: Status::Away, cause, at: now };
            self.happen(Change::new(event, Cause::OfferTimeout), now, run);
            if let Some(agent) = self.agent_of(&agent) {
                self.withdraw_offers(agent, None);
            }
        }
    }

    fn active_due(&mut self, id: ConversationId, now: Timestamp, run: &mut Run) {
        let entry = &self.conversations[&id];
        let (config, conversation) = (self.desks[entry.desk].config(entry.group), &entry.conversation);
        let assigned = conversation.assigned_at.unwrap_or(conversation.started_at);
        let past = |at: Timestamp| self.acts(at) <= now;
        if past(conversation.tail.last_wrote.max(assigned) + config.close_idle) {
            let event = Event::Closed { conversation: id, by: By::Idle, reason: Some("idle".into()), at: now };
            self.happen(Change::new(event, Cause::Start), now, run);
            return;
        }
        let gone = conversation.buyer_gone_since.filter(|gone| past(*gone + config.buyer_gone_after));
        let late = conversation.tail.unanswered_since.map(|since| since.max(assigned));
        let level = late.and_then(|late| {
            if past(late + config.reply_within) {
                Some(Overdue::Overdue)
            } else {
                past(late + config.overdue_warning).then_some(Overdue::Warning)
            }
        });
        let unanswered = late.zip(config.reassign_unanswered).is_some_and(|(late, after)| past(late + after));
        let told = entry.overdue;
        if let (Some(since), false) = (gone, entry.gone_told) {
            self.tell_buyer_presence(id, false, since, now, run);
            if let Some(entry) = self.conversations.get_mut(&id) {
                entry.gone_told = true;
            }
        }
        if let (Some(level), Some(late)) = (level, late)
            && told != Some(level)
            && told != Some(Overdue::Overdue)
        {
            self.tell_overdue(id, level, now.since(late), now, run);
        }
        if let Some(change) = self.evict(id, Cause::Unanswered, now).filter(|_| unanswered) {
            self.happen(change, now, run);
        }
    }

    fn tell_overdue(&mut self, id: ConversationId, level: Overdue, waiting: Duration, now: Timestamp, run: &mut Run) {
        let Some(entry) = self.conversations.get_mut(&id) else { return };
        entry.overdue = Some(level);
        let entry = &self.conversations[&id];
        let owner = self.owner_in_force(entry, now).cloned().map(Recipient::Staff);
        let desk = self.desks[entry.desk].listeners.subscribers().iter().cloned().map(Recipient::Staff);
        let to = owner.into_iter().chain(desk).collect();
        self.to(entry, to, Notice::Overdue { conversation: id, waiting, level }, run);
    }

    fn agent_due(&mut self, agent: usize, now: Timestamp, run: &mut Run) {
        if self.agents[agent].grace_until.is_some_and(|until| until <= now) {
            self.agents[agent].grace_until = None;
            self.lose(agent, now, run);
        }
        self.end_wrap_ups(agent, now);
        // A spacing may have ended: what it can be given is looked at.
        self.work.agents.insert(agent);
        self.arm_agent(agent, now);
    }

    /// A certification has ended: what is suspended by it is routed anew.
    fn desk_due(&mut self, desk: usize, now: Timestamp) {
        for agent in self.desks[desk].agents.clone() {
            self.reached(agent, now);
            let suspended = self.agents[agent].post(desk).is_some_and(|post| now >= post.in_force_until);
            if suspended {
                self.withdraw_offers(agent, Some(desk));
                let held = self.agents[agent].holds.iter().copied();
                let held = held.filter(|id| self.conversations.get(id).is_some_and(|entry| entry.desk == desk));
                self.work.evict.extend(held.map(|id| (id, Cause::Suspended)));
            }
        }
        self.judge_listeners(desk, now);
        if let Some(until) = self.desks[desk].seller.next_suspension(now) {
            self.arm(Due::Desk(desk), until);
        }
    }

    /// Tells those who wait where they are by now, front first, each at most once a second.
    fn sweep(&mut self, desk: usize, now: Timestamp, run: &mut Run) {
        let mut left = self.settings.positions_per_second;
        if left == 0 {
            return;
        }
        for group in 0..self.desks[desk].groups.len() {
            if !self.desks[desk].groups[group].moved {
                continue;
            }
            let mut again = false;
            let mut tell = Vec::new();
            for ((_, _, id), position) in self.desks[desk].groups[group].queue.iter().zip(1_u32..) {
                let told = self.conversations.get(id).and_then(|entry| entry.told);
                if told.is_some_and(|(told, _)| told == position) {
                    continue;
                }
                if left == 0 {
                    again = true;
                    break;
                }
                if told.is_some_and(|(_, at)| now < at + ONCE) {
                    again = true;
                    continue;
                }
                left -= 1;
                tell.push((*id, position));
            }
            for (id, position) in tell {
                self.tell_position(id, position, now, run);
            }
            self.desks[desk].groups[group].moved = again;
            if again {
                self.arm(Due::Sweep(desk), now + ONCE);
            }
        }
    }

    fn tell_position(&mut self, id: ConversationId, position: u32, now: Timestamp, run: &mut Run) {
        let Some(entry) = self.conversations.get_mut(&id) else { return };
        entry.told = Some((position, now));
        let entry = &self.conversations[&id];
        let estimated_wait = self.estimate(entry.desk, entry.group, position);
        let place = crate::routing::Place { position, estimated_wait };
        let group = self.group_id(entry.desk, entry.group).clone();
        let notice = Notice::Queued { conversation: id, group, place };
        run.outgoing.push(Outgoing {
            to: vec![super::tell::buyer(entry)],
            except: None,
            seller: entry.conversation.seller.clone(),
            notice,
            droppable: true,
        });
    }

    fn tell_subscribers(&mut self, desk: usize, now: Timestamp, run: &mut Run) {
        let to: Vec<_> = self.desks[desk].listeners.tell(now).iter().cloned().map(Recipient::Staff).collect();
        if to.is_empty() {
            return;
        }
        let seller = self.desks[desk].seller.id.clone();
        let notice = Notice::DeskChanged { desk: self.desk(desk, now) };
        run.outgoing.push(Outgoing { to, except: None, seller, notice, droppable: true });
    }
}
