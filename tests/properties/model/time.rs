//! What time alone brings about, and when.

use fenliu::model::{AccountId, ConversationId, State, Status, Timestamp};
use fenliu::routing::{Cause, Conversation, Exclusion, LeftReason};

use super::{Duty, Model};

impl Model {
    /// Everything due by now acts: conversations by id, then agents, then certifications.
    pub fn tick(&mut self) {
        let ids: Vec<ConversationId> = self.open.keys().copied().collect();
        for id in ids {
            self.conversation_due(id);
        }
        let agents: Vec<AccountId> = self.agents.keys().cloned().collect();
        for agent in agents {
            let now = self.now;
            if self.agents[&agent].grace_until.is_some_and(|until| until <= now) {
                self.lose(&agent);
            }
            self.agents.get_mut(&agent).unwrap().wrap_ups.retain(|wrap_up| wrap_up.until > now);
        }
        self.suspend();
        self.settle();
    }

    fn conversation_due(&mut self, id: ConversationId) {
        let Some(c) = self.open.get(&id) else { return };
        if let Some(reason) = self.has_waited(id) {
            return self.leave(id, reason);
        }
        let past = |at: Option<Timestamp>| at.is_some_and(|at| self.acts(at) <= self.now);
        let (recent, pause) = (past(c.rare.recent_until), past(c.rare.pause_until));
        let (missed, lost) = (past(c.rare.offer_until), past(self.buyer_lost_at(c)));
        let state = c.state;
        let c = self.open.get_mut(&id).unwrap();
        if recent {
            c.rare.change(|rare| rare.recent_until = None);
        }
        if pause {
            c.rare.change(|rare| {
                rare.pause_until = None;
                rare.excluded.retain(|(_, why)| matches!(why, Exclusion::Lost | Exclusion::Transferred));
                rare.bound.iter_mut().for_each(|bound| bound.waits = true);
            });
        }
        match state {
            State::Offered if missed => self.miss(id),
            State::Offered if lost => {
                self.end_offer(id, None);
                self.leave(id, LeftReason::Abandoned);
            }
            State::Active => self.active_due(id),
            _ => {}
        }
    }

    /// When the buyer of one that waits has been gone too long.
    fn buyer_lost_at(&self, c: &Conversation) -> Option<Timestamp> {
        let gone = c.buyer_gone_since.filter(|_| c.left.is_none())?;
        Some(gone.max(c.waiting_since) + self.settings(c).abandon_after)
    }

    fn miss(&mut self, id: ConversationId) {
        let c = &self.open[&id];
        let (agent, limit) = (c.agent.clone().unwrap(), self.settings(c).missed_offers);
        self.end_offer(id, Some(Exclusion::TimedOut));
        let state = self.agents.get_mut(&agent).unwrap();
        state.missed += 1;
        if limit > 0 && state.missed >= limit {
            state.missed = 0;
            if state.status == Status::Online {
                self.set(&agent, Status::Away);
                self.withdraw(&agent, None);
            }
        }
    }

    fn active_due(&mut self, id: ConversationId) {
        let c = &self.open[&id];
        let group = self.settings(c);
        let assigned = c.assigned_at.unwrap();
        let past = |at: Timestamp| self.acts(at) <= self.now;
        let late = c.tail.unanswered_since.map(|since| since.max(assigned));
        if past(c.tail.last_wrote.max(assigned) + group.close_idle) {
            self.close(id);
        } else if late.zip(group.reassign_unanswered).is_some_and(|(late, after)| past(late + after)) {
            self.evict(id, Cause::Unanswered);
        }
    }

    /// What is suspended by now is routed anew.
    fn suspend(&mut self) {
        let held = self.open.values().filter(|c| matches!(c.state, State::Active | State::Offered));
        let suspended = held.filter(|c| !self.in_force(c.agent.as_ref().unwrap(), &c.seller));
        let duties: Vec<Duty> = suspended
            .map(|c| match c.state {
                State::Active => Duty::Evict(c.id, Cause::Suspended),
                _ => Duty::Withdraw(c.id),
            })
            .collect();
        self.duties.extend(duties);
    }

    /// When something comes due next, if nothing happens.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let mut at: Vec<Timestamp> = Vec::new();
        for c in self.open.values() {
            let group = self.settings(c);
            let steps = || group.overflow.iter().map(|step| c.waiting_since + step.after);
            match c.state {
                State::Queued => {
                    at.extend(steps());
                    let gone = c.buyer_gone_since.map(|gone| gone.max(c.waiting_since) + group.abandon_after);
                    at.extend([group.max_wait.map(|wait| c.waiting_since + wait), gone].into_iter().flatten());
                    at.extend([c.rare.recent_until, c.rare.pause_until].into_iter().flatten());
                }
                State::LeftMessage => at.extend(steps().chain(c.rare.pause_until)),
                State::Offered => {
                    at.extend([c.rare.offer_until, c.rare.pause_until, self.buyer_lost_at(c)].into_iter().flatten())
                }
                State::Active => {
                    let assigned = c.assigned_at.unwrap();
                    let late = c.tail.unanswered_since.map(|since| since.max(assigned));
                    at.push(c.tail.last_wrote.max(assigned) + group.close_idle);
                    at.extend(late.zip(group.reassign_unanswered).map(|(late, after)| late + after));
                }
                State::Closed => {}
            }
        }
        let mut at: Vec<Timestamp> = at.into_iter().map(|at| self.acts(at)).collect();
        for (account, agent) in &self.agents {
            at.extend(agent.grace_until.into_iter().chain(agent.wrap_ups.iter().map(|wrap_up| wrap_up.until)));
            let sellers = self.sellers.iter().map(|seller| self.seller(seller));
            for seller in sellers {
                at.extend(seller.agents.get(account).map(|a| a.in_force_until).filter(|until| *until < Timestamp::MAX));
                at.extend(seller.groups.iter().map(|group| agent.given + group.spacing));
            }
        }
        at.into_iter().filter(|at| *at > self.now).min()
    }
}
