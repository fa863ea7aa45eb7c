//! The indexes beside the facts: queues, loads, reach, pool keys, deadlines. Each fact changes between an `unlink` and
//! a `link`, so that no index is ever updated in two places.

use super::build::rotates;
use super::{Domain, Entry, Kind};
use crate::directory::Strategy;
use crate::model::{ConversationId, State, Status, Timestamp};
use crate::routing::conversation::Conversation;
use crate::routing::desk::{self, Key};
use crate::routing::event::GroupRow;
use crate::routing::fronts::{Since, Way};
use crate::routing::index::{UNAVAILABLE, active_key, loaded_key, tier_key};

impl Domain {
    /// Takes a conversation out of every index of its state.
    pub(super) fn unlink(&mut self, id: ConversationId) {
        let Some(entry) = self.conversations.get(&id) else { return };
        let (at, group, conversation) = (entry.desk, entry.group, &entry.conversation);
        let (kept_for, excluding) = (self.kept_for(entry), !conversation.rare.excluded.is_empty());
        let since = (conversation.queued_at, id);
        let key = desk::key(self.desks[at].config(group), conversation);
        let state = &mut self.desks[at].groups[group];
        match conversation.state {
            State::Queued => {
                state.queue.remove(&key);
                state.open.remove(&key);
                for due in &mut state.due {
                    due.remove(&key);
                }
                state.moved = true;
                state.counted -= u32::from(conversation.counted);
                self.follow_fronts(at, group);
            }
            State::LeftMessage => {
                state.left.remove(&since);
                self.follow_left(at, group);
            }
            State::Offered | State::Active => {
                let offered = conversation.state == State::Offered;
                state.offered -= u32::from(offered);
                state.counted -= u32::from(conversation.counted && offered);
                let agent = conversation.agent.as_ref().and_then(|account| self.agent_of(account));
                if let Some(agent) = agent {
                    let through = self.held_through(agent, at, conversation);
                    self.agents[agent].holds.remove(&id);
                    self.free_slot(agent, at, through);
                }
            }
            State::Closed => {}
        }
        if let Some(agent) = kept_for {
            let agent = &mut self.agents[agent];
            agent.reserved.remove(&id);
            agent.reserved_left.remove(&id);
            agent.young_left.remove(&since);
        }
        if excluding {
            self.desks[at].groups[group].excluding.remove(&id);
            for agent in self.excluded_from(id) {
                self.agents[agent].excluded.remove(&id);
            }
        }
    }

    /// Puts a conversation into every index of its state.
    pub(super) fn link(&mut self, id: ConversationId) {
        let Some(entry) = self.conversations.get(&id) else { return };
        let (at, group, due, conversation) = (entry.desk, entry.group, entry.due, &entry.conversation);
        let waits = matches!(conversation.state, State::Queued | State::LeftMessage);
        let (kept_for, excluding) = (self.kept_for(entry), !conversation.rare.excluded.is_empty());
        let (is_left, since) = (conversation.state == State::LeftMessage, (conversation.queued_at, id));
        let is_young = is_left && self.is_young(at, group, since);
        let key = desk::key(self.desks[at].config(group), conversation);
        match conversation.state {
            State::Queued => {
                let (alone, counted) = (waits_alone(conversation), u32::from(conversation.counted));
                let state = &mut self.desks[at].groups[group];
                state.queue.insert(key);
                state.counted += counted;
                state.moved = true;
                if !alone {
                    state.open.insert(key);
                    for (step, queue) in state.due.iter_mut().enumerate() {
                        if due & (1 << step) != 0 {
                            queue.insert(key);
                        }
                    }
                }
                self.follow_fronts(at, group);
            }
            State::LeftMessage => {
                self.desks[at].groups[group].left.insert(since);
                self.follow_left(at, group);
            }
            State::Offered | State::Active => {
                let offered = conversation.state == State::Offered;
                let counted = conversation.counted && offered;
                let agent = conversation.agent.as_ref().and_then(|account| self.agent_of(account));
                if let Some(agent) = agent {
                    let through = self.held_through(agent, at, conversation);
                    self.agents[agent].holds.insert(id);
                    self.take_slot(agent, at, through);
                }
                let state = &mut self.desks[at].groups[group];
                state.counted += u32::from(counted);
                state.offered += u32::from(offered);
            }
            State::Closed => {}
        }
        if let Some(agent) = kept_for {
            let agent = &mut self.agents[agent];
            if is_left {
                agent.reserved_left.insert(id)
            } else {
                agent.reserved.insert(id)
            };
            agent.young_left.extend(is_young.then_some(since));
        }
        if excluding {
            if waits {
                self.desks[at].groups[group].excluding.insert(id);
            }
            for agent in self.excluded_from(id) {
                self.agents[agent].excluded.insert(id);
            }
        }
        self.arm_conversation(id);
    }

    /// The fronts of those who may take what waits in a group follow its first.
    fn follow_fronts(&mut self, at: usize, group: usize) {
        for way in 0..self.desks[at].groups[group].stands.len() {
            let state = &self.desks[at].groups[group];
            let (stood, head) = (state.stands[way], state.open_to(way).first().copied());
            if stood.map(|(key, _)| key) == head {
                continue;
            }
            let since = |key: Key| Some((key, (self.conversations.get(&key.2)?.conversation.queued_at, key.2)));
            let stands = head.and_then(since);
            let pool = self.pool_of(at, group, way);
            let since = |stand: Option<(Key, Since)>| stand.map(|(_, since)| since);
            self.pools[pool].queues.follow(Way { desk: at, group, way }, since(stood), since(stands));
            self.desks[at].groups[group].stands[way] = stands;
        }
    }

    /// The pool to which a way leads.
    pub(super) fn pool_of(&self, at: usize, group: usize, way: usize) -> usize {
        let desk = &self.desks[at];
        let to = way.checked_sub(1).map_or(group, |step| desk.groups[group].overflow[step]);
        desk.groups[to].pool
    }

    /// The agent for whom alone a conversation would wait, if there is one.
    fn reserved_for(&self, entry: &Entry) -> Option<usize> {
        let conversation = &entry.conversation;
        if conversation.rare.recent_until.is_some() {
            return self.agent_of(&conversation.recent.as_ref()?.0);
        }
        let bound = conversation.rare.bound.as_ref().filter(|bound| bound.waits)?;
        self.agent_of(&bound.agent)
    }

    /// The agent for whom a conversation waits alone, or to whom it would go though that one is away.
    pub(super) fn kept_for(&self, entry: &Entry) -> Option<usize> {
        if !matches!(entry.conversation.state, State::Queued | State::LeftMessage) {
            return None;
        }
        self.reserved_for(entry).or_else(|| {
            let group = self.desks[entry.desk].config(entry.group);
            let (recent, _) = entry.conversation.recent.as_ref().filter(|_| group.recent_agent_even_if_away)?;
            self.agent_of(recent)
        })
    }

    /// The membership through which an agent holds a conversation, or is asked for it.
    fn held_through(&self, agent: usize, at: usize, conversation: &Conversation) -> super::availability::Through {
        let group = self.group_of(at, conversation.via.as_ref()?)?;
        Some((group, self.member_of(agent, at, group)?))
    }

    /// Those to whom a conversation is not given again for now.
    pub(super) fn excluded_from(&self, id: ConversationId) -> Vec<usize> {
        let excluded = self.conversations.get(&id).map(|entry| &entry.conversation.rare.excluded);
        excluded.into_iter().flatten().filter_map(|(account, _)| self.agent_of(account)).collect()
    }

    /// A slot of an agent is taken, for a desk, through a membership.
    pub(super) fn take_slot(&mut self, agent: usize, at: usize, through: super::availability::Through) {
        self.agents[agent].load += 1;
        let seat = through.map(|(group, member)| &mut self.desks[at].groups[group].members[member]);
        if let Some(post) = seat.as_ref().map_or_else(|| self.agents[agent].post_at(at), |seat| seat.post) {
            self.agents[agent].posts[post].load += 1;
        }
        if let Some(seat) = seat {
            seat.load += 1;
        }
        self.refresh_load(agent);
    }

    /// A slot of an agent is free again.
    pub(super) fn free_slot(&mut self, agent: usize, at: usize, through: super::availability::Through) {
        self.agents[agent].load -= 1;
        let seat = through.map(|(group, member)| &mut self.desks[at].groups[group].members[member]);
        if let Some(post) = seat.as_ref().map_or_else(|| self.agents[agent].post_at(at), |seat| seat.post) {
            self.agents[agent].posts[post].load -= 1;
        }
        if let Some(seat) = seat {
            seat.load -= 1;
        }
        self.refresh_load(agent);
        self.work.agents.insert(agent);
    }

    /// An agent's keys follow its load and status.
    pub(super) fn refresh_load(&mut self, agent: usize) {
        for seat in 0..self.agents[agent].pools.len() {
            let (pool, member) = self.agents[agent].pools[seat];
            let key = self.pool_key(agent, pool, member);
            self.pools[pool].index.set(member, key);
        }
    }

    /// An agent was given a conversation: it is due last, wherever that counts.
    pub(super) fn given(&mut self, agent: usize) {
        for seat in 0..self.agents[agent].pools.len() {
            let (pool, member) = self.agents[agent].pools[seat];
            if self.pools[pool].kind != Kind::Member {
                let key = self.pool_key(agent, pool, member);
                self.pools[pool].index.move_last(member, key);
            }
        }
    }

    /// An agent ended a conversation: it is idle from now on.
    pub(super) fn ended(&mut self, agent: usize) {
        for seat in 0..self.agents[agent].pools.len() {
            let (pool, member) = self.agents[agent].pools[seat];
            if self.pools[pool].kind == Kind::Idle {
                let key = self.pool_key(agent, pool, member);
                self.pools[pool].index.move_last(member, key);
            }
        }
    }

    fn pool_key(&self, agent: usize, pool: usize, member: u32) -> u64 {
        let state = &self.agents[agent];
        if !state.has_slot() {
            return UNAVAILABLE;
        }
        let tier = self.pools[pool].members[member as usize].1;
        match self.pools[pool].kind {
            Kind::Loaded => loaded_key(tier, state.load, state.capacity),
            Kind::Active => active_key(tier, state.load),
            Kind::Idle | Kind::Member => tier_key(tier),
        }
    }

    /// Where an agent can be reached is looked at anew, for every group it is in. A group that has lost its last
    /// member online is looked at; so is what can be given to the agent now.
    pub(super) fn refresh_reach(&mut self, agent: usize, now: Timestamp) {
        for seat in 0..self.agents[agent].seats.len() {
            let seat = self.agents[agent].seats[seat];
            let reach = self.agents[agent].reach(seat.desk, now);
            let group = &mut self.desks[seat.desk].groups[seat.group];
            if group.members[seat.member].reach == reach {
                continue;
            }
            let there = |group: &desk::GroupState| (group.online > 0, group.away > 0, group.grace > 0);
            let before = there(group);
            group.reached(seat.member, self.agents[agent].capacity, reach);
            if group.online == 0 && there(group) != before {
                self.work.emptied.insert((seat.desk, seat.group));
            }
            // What overflows where nobody is online is another then.
            self.follow_fronts(seat.desk, seat.group);
            self.count_rounds(seat.desk, seat.group);
        }
        self.refresh_load(agent);
        self.work.agents.insert(agent);
    }

    /// Whether the round of those who decline is over may be another now in a group and where it helps.
    fn count_rounds(&mut self, desk: usize, group: usize) {
        let desk = &self.desks[desk];
        let sources = std::iter::once(group).chain(desk.groups[group].feeds.iter().map(|(from, _)| *from));
        for source in sources {
            self.work.rounds.extend(&desk.groups[source].excluding);
        }
    }

    /// Marks the overflow steps of a waiting conversation that are due by now.
    pub(super) fn mark_due(&mut self, id: ConversationId, now: Timestamp) {
        let Some(due) = self.conversations.get(&id).map(|entry| self.due_by(entry, now)) else { return };
        if let Some(entry) = self.conversations.get_mut(&id) {
            entry.due = due;
        }
    }

    /// The overflow steps that are due by now, as bits; none of what does not wait.
    pub(super) fn due_by(&self, entry: &Entry, now: Timestamp) -> u64 {
        if !entry.conversation.state.is_waiting() {
            return 0;
        }
        let steps = self.desks[entry.desk].config(entry.group).overflow.iter().enumerate().take(64);
        let due = steps.filter(|(_, step)| now >= entry.conversation.waiting_since + step.after);
        due.fold(0, |due, (step, _)| due | 1 << step)
    }

    /// The row of a group's rotation.
    pub(super) fn group_row(&self, at: usize, group: usize) -> GroupRow {
        let (desk, state) = (&self.desks[at], &self.desks[at].groups[group]);
        let mut row = GroupRow {
            seller: Some(desk.seller.id.clone()),
            group: Some(desk.config(group).id.clone()),
            ..GroupRow::default()
        };
        if rotates(desk.config(group)) {
            let account = |agent: usize| self.agents[agent].account.clone();
            let last = state.last_chosen.and_then(|member| state.members.get(member as usize));
            row.last_chosen = last.map(|member| account(member.agent));
            if desk.config(group).strategy == Strategy::Weighted {
                row.weights = state.members.iter().map(|member| (account(member.agent), member.current)).collect();
            }
        }
        row
    }

    /// Whether somebody who acts for sellers says that it is there.
    pub(super) fn is_online(&self, agent: usize) -> bool {
        self.agents[agent].status == Status::Online && self.agents[agent].is_connected()
    }
}

/// Whether it waits for one agent alone, whether or not a reload has left that one here.
fn waits_alone(conversation: &Conversation) -> bool {
    conversation.rare.recent_until.is_some() || conversation.rare.bound.as_ref().is_some_and(|bound| bound.waits)
}
