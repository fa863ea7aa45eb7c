//! Settling: what the changes so far have made possible or impossible is looked at, one thing after another, until
//! nothing waits that somebody may take.

use std::sync::Arc;

use super::availability::Bars;
use super::select::{Pick, Presence};
use super::{Cause, Change, Domain, Entry, Fresh};
use crate::directory::{Assignment, WhenAllAway};
use crate::model::{AccountId, ConversationId, State, Timestamp};
use crate::routing::conversation::Exclusion;
use crate::routing::event::{Event, Requeue};
use crate::routing::fronts::Since;
use crate::routing::view::{By, LeftReason, OfferEnd};

/// From so many on, what has to be looked at is put in order once instead of each time.
const MANY: usize = 16;

impl Domain {
    /// What happens next of itself, if anything.
    pub(super) fn next_changes(&mut self, now: Timestamp) -> Option<Vec<Change>> {
        loop {
            if self.work.is_empty() {
                self.work.woken.clear();
                return None;
            }
            if let Some(changes) = self.next_duty(now) {
                return Some(changes);
            }
            if let Some(changes) = self.next_placing(now) {
                return Some(changes);
            }
        }
    }

    /// What has to be done before anything is placed.
    fn next_duty(&mut self, now: Timestamp) -> Option<Vec<Change>> {
        while let Some(id) = self.work.close.pop() {
            if self.conversations.contains_key(&id) {
                let event = Event::Closed { conversation: id, by: By::SellerRemoved, reason: None, at: now };
                return Some(vec![Change::new(event, Cause::Reload)]);
            }
        }
        while let Some(id) = self.work.moved.pop() {
            if let Some(change) = self.regroup(id, now) {
                return Some(vec![change]);
            }
        }
        if let Some(change) = self.next_forgotten(now) {
            return Some(vec![change]);
        }
        while let Some((id, cause)) = self.work.evict.pop() {
            if let Some(change) = self.evict(id, cause, now) {
                return Some(vec![change]);
            }
        }
        if let Some(change) = self.next_withdrawal(now) {
            return Some(vec![change]);
        }
        while let Some((id, agent)) = self.work.readmit.pop() {
            let lost = self.conversations.get(&id).and_then(|entry| entry.conversation.exclusion(&agent));
            if lost == Some(Exclusion::Lost) {
                return Some(vec![Change::new(Event::Readmitted { conversation: id, agent }, Cause::SlotOpened)]);
            }
        }
        while let Some((desk, group)) = self.work.emptied.pop_first() {
            self.look_at_queues(desk, group);
        }
        while let Some(id) = self.work.rounds.pop_first() {
            if self.round_is_over(id, now) {
                let after =
                    self.conversations.get(&id).map(|entry| self.desks[entry.desk].config(entry.group).offer_timeout);
                let event = Event::RoundEnded { conversation: id, pause_until: after.map(|after| now + after) };
                return Some(vec![Change::new(event, Cause::OfferDeclined)]);
            }
        }
        None
    }

    /// Whether what comes next is the eviction of what somebody held who is lost.
    pub(super) fn takes_from_lost(&self) -> bool {
        let first = self.work.close.is_empty() && self.work.moved.is_empty();
        first && self.work.evict.last().is_some_and(|(_, cause)| *cause == Cause::AgentLost)
    }

    /// What of rotations and pauses does not apply any more is no longer kept either.
    fn next_forgotten(&mut self, at: Timestamp) -> Option<Change> {
        if let Some((desk, group)) = self.work.rotated.pop() {
            return Some(Change::new(Event::Rotated { row: self.group_row(desk, group) }, Cause::Reload));
        }
        let (agent, seller) = self.work.unpaused.pop()?;
        Some(Change::new(Event::Paused { agent, seller, status: None, at }, Cause::Reload))
    }

    /// An offer that has to be withdrawn.
    pub(super) fn next_withdrawal(&mut self, now: Timestamp) -> Option<Change> {
        while let Some(id) = self.work.withdraw.pop() {
            if self.conversations.get(&id).is_some_and(|entry| entry.conversation.state == State::Offered) {
                return Some(self.end_offer(id, OfferEnd::Withdrawn, None, now));
            }
        }
        None
    }

    /// The first in order of everything that may have become possible; left messages when nothing live is.
    fn next_placing(&mut self, now: Timestamp) -> Option<Vec<Change>> {
        if self.work.all {
            self.work.all = false;
            self.work.agents.extend(0..self.agents.len());
            self.work.look.extend(self.waiting());
        }
        if self.work.look.len() > MANY {
            let look = std::mem::take(&mut self.work.look);
            let pass = std::mem::take(&mut self.work.pass);
            self.work.pass = self.in_order(look.into_iter().chain(pass));
        }
        if let Some(id) = self.work.pass.pop_front() {
            return self.look_at(id, now);
        }
        let mut firsts = Vec::with_capacity(self.work.agents.len());
        firsts.extend(self.work.agents.iter().filter_map(|agent| Some((self.first_for(*agent, now)?, *agent))));
        let first = self.first_in_order(self.work.look.iter().copied().chain(firsts.iter().map(|(id, _)| *id)));
        let Some(id) = first else {
            self.work.look.clear();
            return self.next_pick_up(now);
        };
        self.work.look.remove(&id);
        let changes = self.look_at(id, now);
        if changes.is_none() {
            // Somebody for whom it was first and who is not given it would be asked about for ever.
            for (_, agent) in firsts.iter().filter(|(first, _)| *first == id) {
                self.work.agents.remove(agent);
            }
        }
        changes
    }

    /// The oldest left message that somebody may take, where nothing live could have the slot.
    fn next_pick_up(&mut self, now: Timestamp) -> Option<Vec<Change>> {
        let mut left = self.work.left.iter().filter_map(|id| self.conversations.get(id).map(Box::as_ref));
        let left_messages = |entry: &&Entry| entry.conversation.state == State::LeftMessage;
        let absent = left.by_ref().filter(left_messages).find_map(|entry| self.end_waiting_for_absent(entry, now));
        if let Some(change) = absent {
            return Some(vec![change]);
        }
        let agents = std::mem::take(&mut self.work.agents);
        let mut firsts: Vec<(Since, usize)> = Vec::with_capacity(agents.len());
        firsts.extend(agents.iter().filter_map(|agent| Some((self.first_left_for(*agent, now)?, *agent))));
        let oldest_of_agents = firsts.iter().map(|(left, _)| *left).min();
        let mut looked: Vec<Since> = Vec::with_capacity(self.work.left.len());
        for entry in std::mem::take(&mut self.work.left).iter().filter_map(|id| self.conversations.get(id)) {
            if self.is_picked_up(entry, now) && self.select(entry, None, now).is_some() {
                looked.push((entry.conversation.queued_at, entry.conversation.id));
            }
        }
        let (_, id) = oldest_of_agents.into_iter().chain(looked.iter().copied().min()).min()?;
        let entry = &self.conversations[&id];
        let pick = self.select(entry, None, now);
        // What is left to look at is looked at again, but not who was thought to be able to take this and is not.
        let able = firsts.iter().filter(|((_, first), _)| pick.is_some() || *first != id).map(|(_, agent)| *agent);
        let able: Vec<usize> = able.collect();
        let changes = pick.map(|pick| {
            let fresh = Fresh::new(self.usual_cause(id));
            let decision = self.trace(entry, &fresh, Some(&pick), false, now);
            self.give(entry, &pick, fresh.cause, decision, now)
        });
        self.work.left.extend(looked.into_iter().map(|(_, left)| left).filter(|left| *left != id));
        self.work.agents.extend(able);
        Some(changes.unwrap_or_default())
    }

    /// What becomes of one conversation that waits, as things stand now.
    fn look_at(&mut self, id: ConversationId, now: Timestamp) -> Option<Vec<Change>> {
        let fresh = self.work.fresh.remove(&id);
        let entry = self.conversations.get(&id)?;
        if entry.conversation.state != State::Queued {
            return None;
        }
        if let Some(change) = self.end_waiting_for_absent(entry, now) {
            self.work.look.insert(id);
            self.work.fresh.extend(fresh.map(|fresh| (id, fresh)));
            return Some(vec![change]);
        }
        if let Some((reason, cause)) = self.has_waited(entry, now) {
            return Some(vec![self.leave(entry, reason, &Fresh::new(cause), now)]);
        }
        let leaves = fresh.as_ref().is_some_and(|fresh| fresh.leave.is_some());
        let entering = fresh.as_ref().map(|fresh| fresh.cause);
        let pick = if leaves { None } else { self.select(entry, entering, now) };
        if let Some(before) = pick.as_ref().and_then(|pick| self.comes_before(entry, pick.agent, now))
            && self.work.look.insert(before)
        {
            self.work.fresh.extend(fresh.map(|fresh| (id, fresh)));
            if self.work.pass.is_empty() {
                self.work.look.insert(id);
            } else {
                self.work.pass.push_front(id);
                self.work.pass.push_front(before);
            }
            return Some(Vec::new());
        }
        if let Some(pick) = pick {
            let fresh = fresh.unwrap_or_else(|| Fresh::new(self.usual_cause(id)));
            let decision = self.trace(entry, &fresh, Some(&pick), false, now);
            return Some(self.give(entry, &pick, fresh.cause, decision, now));
        }
        if let Some(reason) = self.must_leave(entry, fresh.as_ref(), now) {
            let fresh = fresh.unwrap_or_else(|| Fresh::new(Cause::AgentLost));
            return Some(vec![self.leave(entry, reason, &fresh, now)]);
        }
        let fresh = fresh?;
        let decision = self.trace(entry, &fresh, None, false, now);
        let event = Event::Decided { conversation: id, decision: Arc::new(decision) };
        Some(vec![Change::new(event, fresh.cause)])
    }

    /// The cause of what is placed because something became possible.
    fn usual_cause(&self, id: ConversationId) -> Cause {
        let usual = if self.work.reloading { Cause::Reload } else { Cause::SlotOpened };
        self.work.woken.get(&id).copied().unwrap_or(usual)
    }

    /// A conversation of a group that is gone is the default group's.
    fn regroup(&mut self, id: ConversationId, at: Timestamp) -> Option<Change> {
        let entry = self.conversations.get(&id)?;
        let (group, queued) = (entry.group, entry.conversation.state == State::Queued);
        let group = self.group_id(entry.desk, group).clone();
        if queued {
            self.is_fresh(id, Fresh::new(Cause::Reload));
        }
        Some(Change::new(Event::Regrouped { conversation: id, group, at }, Cause::Reload))
    }

    /// A bound agent who is offline, or may no longer be given anything of the seller, is no longer waited for.
    fn end_waiting_for_absent(&self, entry: &Entry, now: Timestamp) -> Option<Change> {
        let bound = entry.conversation.rare.bound.as_ref().filter(|bound| bound.waits)?;
        let agent = self.agent_of(&bound.agent);
        let absent = agent.is_none_or(|agent| !self.agents[agent].may_be_waited_for(entry.desk, now));
        let declined = entry.conversation.exclusion(&bound.agent).is_some();
        (absent || declined).then(|| {
            let event = Event::BoundChanged { conversation: entry.conversation.id, waits: false };
            Change::new(event, Cause::SlotOpened)
        })
    }

    /// Why a conversation that waits has waited too long, if it has: an offer does not begin that anew.
    pub(super) fn has_waited(&self, entry: &Entry, now: Timestamp) -> Option<(LeftReason, Cause)> {
        let [gone, waited] = self.ends(entry).map(|at| at.is_some_and(|at| at <= now));
        if gone {
            return Some((LeftReason::Abandoned, Cause::Abandoned));
        }
        waited.then_some((LeftReason::Timeout, Cause::MaxWait))
    }

    /// Gives a conversation to somebody, or asks.
    pub(super) fn give(
        &self,
        entry: &Entry,
        pick: &Pick,
        cause: Cause,
        mut decision: crate::routing::Decision,
        now: Timestamp,
    ) -> Vec<Change> {
        let conversation = entry.conversation.id;
        let (agent, config) = (self.account(pick.agent), self.desks[entry.desk].config(entry.group));
        let via = pick.through.map(|(group, _)| self.group_id(entry.desk, group).clone());
        let mut changes = Vec::with_capacity(4);
        if let Some(row) = self.rotation(entry, pick, now) {
            changes.push(Change::new(Event::Rotated { row }, cause));
        }
        let asks = config.assignment == Assignment::Offer && !pick.how.gives();
        let event = if asks {
            decision.chosen.state = State::Offered;
            Event::Offered { conversation, agent, via, until: now + config.offer_timeout, at: now }
        } else {
            decision.chosen.state = State::Active;
            Event::Assigned { conversation, agent, via, cause, at: now }
        };
        let note = entry.conversation.rare.note.clone();
        changes.push(Change { event, cause, note, decision: Some(Arc::new(decision)) });
        if !asks {
            changes.extend(self.welcome(entry, cause, now));
        }
        changes
    }

    /// Nobody could take it.
    pub(super) fn leave(&self, entry: &Entry, reason: LeftReason, fresh: &Fresh, now: Timestamp) -> Change {
        let mut decision = self.trace(entry, fresh, None, false, now);
        decision.chosen.state = State::LeftMessage;
        let offline = || self.desks[entry.desk].config(entry.group).offline_text.clone();
        let note = fresh.leave.clone().or_else(offline);
        let event = Event::Left { conversation: entry.conversation.id, reason, at: now };
        Change { event, cause: fresh.cause, note, decision: Some(Arc::new(decision)) }
    }

    /// Takes a conversation from its owner, to be routed anew.
    pub(super) fn evict(&self, id: ConversationId, cause: Cause, now: Timestamp) -> Option<Change> {
        let entry = self.conversations.get(&id)?;
        let owner = entry.conversation.agent.clone().filter(|_| entry.conversation.state == State::Active)?;
        let exclusion = match cause {
            Cause::AgentLost => Some(Exclusion::Lost),
            Cause::Unanswered => Some(Exclusion::Unanswered),
            _ => None,
        };
        let exclude = exclusion.map(|why| (owner, why)).into_iter().collect();
        Some(Change::new(self.requeue(entry, exclude, false, None, now), cause))
    }

    /// The event by which a conversation waits again, its place kept.
    pub(super) fn requeue(
        &self,
        entry: &Entry,
        exclude: Vec<(AccountId, Exclusion)>,
        transferred: bool,
        to: Option<(usize, Option<Arc<str>>)>,
        now: Timestamp,
    ) -> Event {
        let (group, note) = to.map_or((entry.group, None), |(group, note)| (group, note));
        let requeue = Requeue { anew: false, exclude, transferred, note };
        let group = self.group_id(entry.desk, group).clone();
        Event::Queued { conversation: entry.conversation.id, group, requeue, at: now }
    }

    /// The event by which an offer ends without an owner.
    pub(super) fn end_offer(
        &self,
        id: ConversationId,
        why: OfferEnd,
        exclude: Option<Exclusion>,
        now: Timestamp,
    ) -> Change {
        let cause = match why {
            OfferEnd::Declined => Cause::OfferDeclined,
            OfferEnd::Timeout => Cause::OfferTimeout,
            OfferEnd::Accepted | OfferEnd::Withdrawn => Cause::SlotOpened,
        };
        Change::new(Event::OfferEnded { conversation: id, why, exclude, at: now }, cause)
    }

    /// Everything that waits in a group that has lost somebody, and in those that overflow to it, is looked at.
    fn look_at_queues(&mut self, desk: usize, group: usize) {
        let desk = &self.desks[desk];
        let sources = std::iter::once(group).chain(desk.groups[group].feeds.iter().map(|(from, _)| *from));
        for source in sources {
            let state = &desk.groups[source];
            self.work.look.extend(state.queue.iter().map(|(_, _, id)| *id));
            self.work.rounds.extend(&state.excluding);
            // Whoever may take what was left here may be another now.
            if !state.left.is_empty() {
                let groups = std::iter::once(&source).chain(&state.overflow);
                self.work
                    .agents
                    .extend(groups.flat_map(|group| &desk.groups[*group].members).map(|member| member.agent));
                self.work.agents.extend(desk.main);
            }
        }
    }

    fn waiting(&self) -> Vec<ConversationId> {
        let queues = self.desks.iter().flat_map(|desk| &desk.groups).flat_map(|group| &group.queue);
        queues.map(|(_, _, id)| *id).collect()
    }

    /// Whether everybody who could have been asked has declined, let it time out or not answered.
    fn round_is_over(&self, id: ConversationId, now: Timestamp) -> bool {
        let Some(entry) = self.conversations.get(&id) else { return false };
        let conversation = &entry.conversation;
        let refused = |why| matches!(why, Exclusion::Declined | Exclusion::TimedOut | Exclusion::Unanswered);
        let any = conversation.rare.excluded.iter().any(|(_, why)| refused(*why));
        let waits = matches!(conversation.state, State::Queued | State::LeftMessage);
        if !waits || conversation.rare.pause_until.is_some() || !any {
            return false;
        }
        let assigns = self.desks[entry.desk].config(entry.group).when_all_away == WhenAllAway::Assign;
        let away = assigns && self.presence(entry) == Presence::Away;
        let groups = std::iter::once(entry.group).chain(self.due_groups(entry));
        let mut asked: Vec<usize> = Vec::new();
        for group in groups {
            asked.extend(self.desks[entry.desk].groups[group].members.iter().map(|member| member.agent));
        }
        asked.extend(self.last_resort(entry.desk).filter(|_| self.presence(entry) == Presence::Nobody));
        asked.into_iter().all(|agent| {
            let ignore = if away { Bars::AWAY } else { Bars::default() };
            let full = Bars::CAPACITY;
            let could = self.bars(agent, entry.desk, None, 1, now).without(ignore).without(full).is_empty();
            !could || conversation.exclusion(&self.agents[agent].account).is_some()
        })
    }

    /// The seller's first words to the buyer, at the first assignment.
    pub(super) fn welcome(&self, entry: &Entry, cause: Cause, now: Timestamp) -> Option<Change> {
        let text = self.desks[entry.desk].config(entry.group).welcome_text.as_ref()?;
        if entry.conversation.first_assigned_at.is_some() {
            return None;
        }
        Some(Change::new(Event::Messaged { message: self.system_text(entry, text, now) }, cause))
    }
}
