//! Settling: what has to be done, then *while a waiting conversation has somebody who may take it, the first such in
//! order is placed*, then what cannot wait any longer, then left messages.

use fenliu::directory::{Assignment, WhenAllAway, WhenLost};
use fenliu::model::{AccountId, ConversationId, SellerId, State, Status, Timestamp};
use fenliu::routing::{Cause, Conversation, Exclusion, LeftReason};

use super::facts::Reach;
use super::select::{Bar, Pick};
use super::{Duty, Entering, Model};

impl Model {
    /// Until nothing waits that somebody may take.
    pub fn settle(&mut self) {
        while self.do_duty() || self.place_live() || self.leave_one() || self.place_left() {}
        self.entering = None;
    }

    fn entering(&self, id: ConversationId) -> Option<Entering> {
        self.entering.filter(|(entering, _)| *entering == id).map(|(_, how)| how)
    }

    fn do_duty(&mut self) -> bool {
        if let Some(duty) = self.duties.pop() {
            match duty {
                Duty::Evict(id, cause) => self.evict(id, cause),
                Duty::Withdraw(id) => {
                    if self.open.get(&id).is_some_and(|c| c.state == State::Offered) {
                        self.end_offer(id, None);
                    }
                }
            }
            return true;
        }
        let ids: Vec<ConversationId> = self.open.keys().copied().collect();
        ids.into_iter().any(|id| self.readmit(id) || self.release(id) || self.time_out(id) || self.end_round(id))
    }

    pub fn evict(&mut self, id: ConversationId, cause: Cause) {
        let Some(c) = self.open.get(&id).filter(|c| c.state == State::Active) else { return };
        let why = match cause {
            Cause::AgentLost => Some(Exclusion::Lost),
            Cause::Unanswered => Some(Exclusion::Unanswered),
            _ => None,
        };
        let exclude = c.agent.clone().zip(why).into_iter().collect();
        let group = c.group.clone();
        self.queue_again(id, group, false, exclude);
    }

    /// Waits again; its order is kept unless it is `anew`.
    pub fn queue_again(
        &mut self,
        id: ConversationId,
        group: fenliu::model::GroupId,
        anew: bool,
        exclude: Vec<(AccountId, Exclusion)>,
    ) {
        let now = self.now;
        let c = self.open.get_mut(&id).unwrap();
        c.group = group;
        c.state = State::Queued;
        (c.agent, c.via, c.assigned_at) = (None, None, None);
        (c.left, c.counted) = (None, false);
        c.waiting_since = now;
        if anew {
            c.queued_at = now;
        }
        c.rare.change(|rare| {
            (rare.offer_until, rare.recent_until) = (None, None);
            rare.excluded.extend(exclude);
        });
    }

    /// The lost are back: for this seller, online.
    fn readmit(&mut self, id: ConversationId) -> bool {
        let c = &self.open[&id];
        let back = |(who, why): &(AccountId, Exclusion)| {
            *why == Exclusion::Lost && self.reach(who, &c.seller) == Reach::Online
        };
        let back: Vec<_> = c.rare.excluded.iter().filter(|excluded| back(excluded)).cloned().collect();
        let c = self.open.get_mut(&id).unwrap();
        c.rare.change(|rare| rare.excluded.retain(|excluded| !back.contains(excluded)));
        !back.is_empty()
    }

    /// A bound agent who is offline, declined, or may not receive is no longer waited for.
    fn release(&mut self, id: ConversationId) -> bool {
        let c = &self.open[&id];
        if !matches!(c.state, State::Queued | State::LeftMessage) {
            return false;
        }
        let Some(bound) = c.rare.bound.as_ref().filter(|bound| bound.waits) else { return false };
        let release = !self.may_be_waited_for(&bound.agent, &c.seller) || c.exclusion(&bound.agent).is_some();
        if release {
            let c = self.open.get_mut(&id).unwrap();
            c.rare.change(|rare| rare.bound.as_mut().unwrap().waits = false);
        }
        release
    }

    /// `max_wait`, and the buyer's patience, do not begin again after an offer.
    fn time_out(&mut self, id: ConversationId) -> bool {
        let Some(reason) = self.has_waited(id) else { return false };
        self.leave(id, reason);
        true
    }

    pub fn has_waited(&self, id: ConversationId) -> Option<LeftReason> {
        let c = self.open.get(&id).filter(|c| c.state == State::Queued)?;
        let group = self.settings(c);
        let past = |at: Timestamp| self.acts(at) <= self.now;
        if c.buyer_gone_since.is_some_and(|gone| past(gone.max(c.waiting_since) + group.abandon_after)) {
            return Some(LeftReason::Abandoned);
        }
        group.max_wait.is_some_and(|wait| past(c.waiting_since + wait)).then_some(LeftReason::Timeout)
    }

    /// All who could have been asked have declined: nobody is asked for a while.
    fn end_round(&mut self, id: ConversationId) -> bool {
        let c = &self.open[&id];
        let refused =
            |why: &Exclusion| matches!(why, Exclusion::Declined | Exclusion::TimedOut | Exclusion::Unanswered);
        let any = c.rare.excluded.iter().any(|(_, why)| refused(why));
        if !matches!(c.state, State::Queued | State::LeftMessage) || c.rare.pause_until.is_some() || !any {
            return false;
        }
        let presence = self.presence(c);
        let assigns = presence == Reach::Away && self.settings(c).when_all_away == WhenAllAway::Assign;
        let mut could: Vec<AccountId> = Vec::new();
        for group in std::iter::once(c.group.clone()).chain(self.due_groups(c)) {
            could.extend(self.group(&c.seller, &group).members.iter().map(|member| member.account.clone()));
        }
        could.extend(self.last_resort(&c.seller).filter(|_| presence == Reach::Absent));
        let open = |agent: &AccountId| {
            let bars = self.bars(agent, c, None, 1);
            bars.iter().all(|bar| *bar == Bar::Capacity || (assigns && *bar == Bar::Away))
        };
        if could.iter().any(open) {
            return false;
        }
        let until = self.now + self.settings(c).offer_timeout;
        self.open.get_mut(&id).unwrap().rare.change(|rare| rare.pause_until = Some(until));
        true
    }

    /// The first in order that somebody may take: of each queue the first such, of each seller the first of these, of
    /// all sellers the one that has waited longest.
    fn place_live(&mut self) -> bool {
        let mut heads: Vec<(Timestamp, ConversationId)> = Vec::new();
        for seller in self.sellers.clone() {
            let head = self.first_of(&seller);
            heads.extend(head.map(|id| (self.open[&id].queued_at, id)));
        }
        let Some((_, id)) = heads.into_iter().min() else { return false };
        let pick = self.select(&self.open[&id], self.entering(id)).unwrap();
        self.give(id, &pick);
        true
    }

    fn first_of(&self, seller: &SellerId) -> Option<ConversationId> {
        let able = |id: &ConversationId| {
            let entering = self.entering(*id);
            entering != Some(Entering::Start { leave: true }) && self.select(&self.open[id], entering).is_some()
        };
        let groups = self.seller(seller).groups.iter();
        let heads = groups.filter_map(|group| self.queue(seller, &group.id).into_iter().find(able));
        heads.min_by_key(|id| self.head_key(&self.open[id]))
    }

    /// What cannot be placed and cannot wait.
    fn leave_one(&mut self) -> bool {
        let queued: Vec<ConversationId> =
            self.open.values().filter(|c| c.state == State::Queued).map(|c| c.id).collect();
        let Some((id, reason)) = queued.into_iter().find_map(|id| Some((id, self.must_leave(id)?))) else {
            return false;
        };
        self.leave(id, reason);
        true
    }

    fn must_leave(&self, id: ConversationId) -> Option<LeftReason> {
        let (c, entering) = (&self.open[&id], self.entering(id));
        if entering == Some(Entering::Start { leave: true }) {
            return Some(LeftReason::Binding);
        }
        let waits = c
            .rare
            .bound
            .as_ref()
            .is_some_and(|bound| bound.waits && self.reach(&bound.agent, &c.seller) != Reach::Absent);
        let group = self.settings(c);
        let nobody = match self.presence(c) {
            Reach::Away => group.when_all_away == WhenAllAway::LeaveMessage,
            Reach::Absent => self.last_resort(&c.seller).is_none(),
            Reach::Online | Reach::Grace => false,
        };
        if nobody && !waits {
            return Some(LeftReason::NobodyOnline);
        }
        let waiting = self.open.values().filter(|other| {
            matches!(other.state, State::Queued | State::Offered)
                && (&other.seller, &other.group, other.counted) == (&c.seller, &c.group, true)
        });
        let full = group.queue_limit > 0 && waiting.count() > group.queue_limit as usize;
        (entering.is_some() && c.counted && full).then_some(LeftReason::QueueFull)
    }

    pub fn leave(&mut self, id: ConversationId, reason: LeftReason) {
        let c = self.open.get_mut(&id).unwrap();
        c.state = State::LeftMessage;
        c.left = Some(reason);
        c.rare.change(|rare| (rare.recent_until, rare.pause_until) = (None, None));
    }

    /// The oldest left message that somebody may take, now that nothing live could.
    fn place_left(&mut self) -> bool {
        let mut left: Vec<&Conversation> = self.open.values().filter(|c| c.state == State::LeftMessage).collect();
        left.retain(|c| {
            let group = self.settings(c);
            group.pickup_left_messages && self.now.since(c.queued_at) <= group.left_message_age
        });
        left.sort_by_key(|c| (c.queued_at, c.id));
        let Some((id, pick)) = left.into_iter().find_map(|c| Some((c.id, self.select(c, None)?))) else { return false };
        self.give(id, &pick);
        true
    }

    fn give(&mut self, id: ConversationId, pick: &Pick) {
        let c = self.open[&id].clone();
        self.rotate(&c, pick);
        let (asks, timeout) = (self.settings(&c).assignment == Assignment::Offer, self.settings(&c).offer_timeout);
        if asks && !pick.gives {
            let until = self.now + timeout;
            let c = self.open.get_mut(&id).unwrap();
            c.state = State::Offered;
            c.rare.change(|rare| (rare.recent_until, rare.offer_until) = (None, Some(until)));
            (c.agent, c.via) = (Some(pick.agent.clone()), pick.via.clone());
            if !c.asked.contains(&pick.agent) {
                c.asked.push(pick.agent.clone());
            }
            self.mark_given(&pick.agent);
        } else {
            self.assign(id, &pick.agent, pick.via.clone());
        }
    }

    pub fn mark_given(&mut self, agent: &AccountId) {
        let time = self.next_time();
        self.agents.get_mut(agent).unwrap().given = time;
    }

    pub fn assign(&mut self, id: ConversationId, agent: &AccountId, via: Option<fenliu::model::GroupId>) {
        let now = self.now;
        let c = self.open.get_mut(&id).unwrap();
        c.state = State::Active;
        (c.agent, c.via) = (Some(agent.clone()), via);
        (c.left, c.counted) = (None, false);
        c.rare.change(|rare| {
            (rare.offer_until, rare.recent_until, rare.pause_until, rare.note) = (None, None, None, None);
            rare.excluded.clear();
        });
        c.assigned_at = Some(now);
        c.first_assigned_at.get_or_insert(now);
        c.held.retain(|held| held != agent);
        c.held.push(agent.clone());
        self.mark_given(agent);
    }

    /// An offer is over without an owner.
    pub fn end_offer(&mut self, id: ConversationId, exclude: Option<Exclusion>) {
        let c = self.open.get_mut(&id).unwrap();
        let agent = c.agent.take();
        c.via = None;
        c.state = if c.left.is_some() { State::LeftMessage } else { State::Queued };
        c.rare.change(|rare| {
            rare.offer_until = None;
            rare.excluded.extend(agent.zip(exclude));
        });
    }

    /// What somebody lost holds is taken from it where the group says so.
    pub fn lose(&mut self, agent: &AccountId) {
        self.agents.get_mut(agent).unwrap().grace_until = None;
        self.set(agent, Status::Offline);
        let held = self.open.values().filter(|c| c.state == State::Active && c.agent.as_ref() == Some(agent));
        let held = held.filter(|c| self.settings(c).when_agent_lost == WhenLost::Reroute);
        let held: Vec<_> = held.map(|c| Duty::Evict(c.id, Cause::AgentLost)).collect();
        self.duties.extend(held);
    }
}
