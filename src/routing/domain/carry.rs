//! What a domain carries over: from the store at a start, from the domains before it at a reload, from both when the
//! table is built anew in place. Indexes are never carried, they are made.

use std::collections::{HashMap, HashSet};

use super::{Cause, Domain, Entry};
use crate::directory::WhenLost;
use crate::model::{AccountId, ConversationId, GroupId, Map, SellerId, SessionId, State, Status, Timestamp};
use crate::routing::agent::{Reach, WrapUp};
use crate::routing::conversation::Conversation;
use crate::routing::desk::Durations;
use crate::routing::event::{AgentRow, DayRow, GroupRow};
use crate::routing::listeners::Listeners;
use crate::routing::reload::Here;

/// What a domain is made of besides the snapshot.
#[derive(Clone, Debug, Default)]
pub(in crate::routing) struct Parts {
    /// Open conversations.
    pub(in crate::routing) conversations: Vec<Conversation>,
    /// Agents, as the store has them.
    pub(in crate::routing) agents: Vec<AgentRow>,
    /// Groups' rotations.
    pub(in crate::routing) groups: Vec<GroupRow>,
    /// The figures of sellers' days.
    pub(in crate::routing) days: Vec<DayRow>,
    /// What no restart keeps.
    pub(in crate::routing) live: Live,
}

/// The sessions of agents, or until when they are in grace without one.
pub(in crate::routing) type Sessions = HashMap<AccountId, (Vec<SessionId>, Option<Timestamp>)>;

/// What lives only as long as the process.
#[derive(Clone, Debug, Default)]
pub(in crate::routing) struct Live {
    /// Whether the process went on: nobody is in grace because of it, no offer is withdrawn.
    pub(in crate::routing) running: bool,
    /// What fell due before the first time acts at the second.
    pub(super) held: Option<(Timestamp, Timestamp)>,
    pub(super) entries: Map<ConversationId, Entry>,
    pub(in crate::routing) sessions: Sessions,
    pub(super) wrap_ups: Vec<(AccountId, SellerId, Option<GroupId>, Timestamp)>,
    pub(super) desks: HashMap<SellerId, Desk>,
}

/// Who looks at a desk, and how long conversations of its groups took.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    pub(super) listeners: Listeners,
    pub(super) durations: HashMap<GroupId, Durations>,
}

impl Parts {
    /// Adds the parts of another domain.
    pub(in crate::routing) fn extend(&mut self, other: Self) {
        self.conversations.extend(other.conversations);
        self.agents.extend(other.agents);
        self.groups.extend(other.groups);
        self.days.extend(other.days);
        let live = &mut self.live;
        live.running |= other.live.running;
        live.held = live.held.max(other.live.held);
        live.entries.extend(other.live.entries);
        live.sessions.extend(other.live.sessions);
        live.wrap_ups.extend(other.live.wrap_ups);
        live.desks.extend(other.live.desks);
    }

    /// Deals it out: to every share what is of its sellers and agents. What is of none comes last.
    pub(in crate::routing) fn deal(
        self,
        shares: usize,
        seller: impl Fn(&SellerId) -> Option<usize>,
        agent: impl Fn(&AccountId) -> Option<usize>,
    ) -> Vec<Self> {
        let empty = Self {
            live: Live { running: self.live.running, held: self.live.held, ..Live::default() },
            ..Self::default()
        };
        let mut dealt = vec![empty; shares + 1];
        let of_seller = |id: &SellerId| seller(id).unwrap_or(shares);
        let of_agent = |id: &AccountId| agent(id).unwrap_or(shares);
        let mut live = self.live;
        for conversation in self.conversations {
            let share = &mut dealt[of_seller(&conversation.seller)];
            let kept = live.entries.remove(&conversation.id);
            share.live.entries.extend(kept.map(|kept| (conversation.id, kept)));
            share.conversations.push(conversation);
        }
        for row in self.agents {
            dealt[of_agent(&row.account)].agents.push(row);
        }
        for row in self.groups {
            let share = row.seller.as_ref().map_or(shares, of_seller);
            dealt[share].groups.push(row);
        }
        for row in self.days {
            dealt[of_seller(&row.seller)].days.push(row);
        }
        for (account, sessions) in live.sessions {
            dealt[of_agent(&account)].live.sessions.insert(account, sessions);
        }
        for wrap_up in live.wrap_ups {
            dealt[of_seller(&wrap_up.1)].live.wrap_ups.push(wrap_up);
        }
        for (id, desk) in live.desks {
            dealt[of_seller(&id)].live.desks.insert(id, desk);
        }
        dealt
    }

    /// Takes what a store has in place of what was in memory, where the store is the truth, and lets go of who has
    /// left meanwhile.
    pub(in crate::routing) fn correct(&mut self, stored: Self, here: &Here<'_>, now: Timestamp, grace: Timestamp) {
        let live = &mut self.live;
        for entry in live.entries.values_mut() {
            entry.kinds = Vec::new();
            entry.hashes = Vec::new();
            entry.partial = true;
        }
        self.conversations = stored.conversations;
        // What somebody wraps up may be open again.
        live.wrap_ups.clear();
        for conversation in &mut self.conversations {
            let kept = live.entries.get(&conversation.id);
            let gone_since = kept.and_then(|entry| entry.conversation.buyer_gone_since);
            let is_here = (here.buyer)(&conversation.profile.key);
            conversation.buyer_gone_since = if is_here { None } else { gone_since.or(Some(now)) };
        }
        self.agents = stored.agents;
        self.groups = stored.groups;
        self.days = stored.days;
        let reachable = self.agents.iter().filter(|row| row.status != Status::Offline).map(|row| &row.account);
        let reachable: HashSet<_> = reachable.collect();
        let mut left = HashSet::new();
        for (account, (sessions, grace_until)) in &mut live.sessions {
            sessions.retain(|session| (here.session)(*session));
            if !sessions.is_empty() {
                *grace_until = None;
                continue;
            }
            *grace_until = reachable.contains(account).then(|| grace_until.unwrap_or(grace));
            left.insert(account.clone());
        }
        for desk in live.desks.values_mut() {
            desk.listeners.retain(|account, _| !left.contains(account));
        }
    }
}

impl Domain {
    /// What another domain can be built from: everything but what the snapshot says.
    pub(in crate::routing) fn parts(&self) -> Parts {
        let mut parts = Parts { live: Live { running: true, held: self.held, ..Live::default() }, ..Parts::default() };
        for (at, desk) in self.desks.iter().enumerate() {
            parts.groups.extend((0..desk.groups.len()).map(|group| self.group_row(at, group)));
            let durations = desk.groups.iter().zip(&desk.seller.groups);
            parts.days.extend(desk.day_row());
            let live = Desk {
                listeners: desk.listeners.clone(),
                durations: durations.map(|(state, group)| (group.id.clone(), state.durations.clone())).collect(),
            };
            parts.live.desks.insert(desk.seller.id.clone(), live);
        }
        for agent in &self.agents {
            parts.agents.push(agent.row(|desk| self.desks[desk].seller.id.clone()));
            parts.live.sessions.insert(agent.account.clone(), (agent.sessions.clone(), agent.grace_until));
            for wrap_up in &agent.wrap_ups {
                let seller = self.desks[wrap_up.desk].seller.id.clone();
                let via = wrap_up.via.map(|(group, _)| self.group_id(wrap_up.desk, group).clone());
                parts.live.wrap_ups.push((agent.account.clone(), seller, via, wrap_up.until));
            }
        }
        for (id, entry) in &self.conversations {
            parts.conversations.push(entry.conversation.clone());
            parts.live.entries.insert(*id, Entry::clone(entry));
        }
        parts.conversations.sort_unstable_by_key(|conversation| conversation.id);
        parts
    }

    pub(super) fn restore_agents(&mut self, rows: &[AgentRow]) {
        for row in rows {
            let Some(agent) = self.agent_at.get(&row.account) else { continue };
            let agent = &mut self.agents[*agent];
            agent.status = row.status;
            agent.since = row.since;
            agent.last_given = row.last_given;
            agent.last_ended = row.last_ended;
            agent.missed_offers = row.missed_offers;
            self.last_time = self.last_time.max(row.last_given).max(row.last_ended);
        }
    }

    pub(super) fn restore_pauses(&mut self, rows: &[AgentRow]) {
        for row in rows {
            let Some(agent) = self.agent_at.get(&row.account) else { continue };
            for (seller, status) in &row.paused {
                let desk = self.desk_at.get(seller);
                match desk.and_then(|desk| self.agents[*agent].post_mut(*desk)) {
                    Some(post) => post.paused = Some(*status),
                    None => self.work.unpaused.push((row.account.clone(), seller.clone())),
                }
            }
        }
    }

    pub(super) fn restore_groups(&mut self, rows: &[GroupRow]) {
        for row in rows {
            let (Some(seller), Some(group)) = (&row.seller, &row.group) else { continue };
            let Some(desk) = self.desk_at.get(seller).copied() else { continue };
            let Some(group) = self.group_of(desk, group) else { continue };
            let place =
                |account: &AccountId| self.agent_of(account).and_then(|agent| self.member_of(agent, desk, group));
            let last_chosen = row.last_chosen.as_ref().and_then(place).and_then(|member| u32::try_from(member).ok());
            let weights: Vec<_> = row.weights.iter().filter_map(|(who, weight)| Some((place(who)?, *weight))).collect();
            let state = &mut self.desks[desk].groups[group];
            state.last_chosen = last_chosen;
            for (member, weight) in weights {
                state.members[member].current = weight;
            }
            if self.group_row(desk, group) != *row {
                self.work.rotated.push((desk, group));
            }
        }
    }

    pub(super) fn restore_days(&mut self, rows: Vec<DayRow>) {
        for row in rows {
            let Some(desk) = self.desk_at.get(&row.seller) else { continue };
            self.desks[*desk].day = row.day;
        }
    }

    pub(super) fn restore_live(&mut self, live: &Live, now: Timestamp) {
        let grace = now + self.settings.presence_grace;
        self.held = if live.running { live.held } else { Some((now, grace)) };
        for agent in &mut self.agents {
            let known = live.sessions.get(&agent.account);
            if let Some((sessions, grace_until)) = known {
                agent.sessions.clone_from(sessions);
                agent.grace_until = *grace_until;
            }
            // Of whom nothing is known is said to be there: it has the time to come back.
            if known.is_none() && agent.status != Status::Offline {
                agent.grace_until = Some(grace);
            }
        }
        for (account, seller, via, until) in &live.wrap_ups {
            let Some(agent) = self.agent_of(account) else { continue };
            let Some(desk) = self.desk_at.get(seller).copied() else { continue };
            let group = via.as_ref().and_then(|group| self.group_of(desk, group));
            let via = group.and_then(|group| Some((group, self.member_of(agent, desk, group)?)));
            self.agents[agent].wrap_ups.push(WrapUp { until: *until, desk, via });
            self.take_slot(agent, desk, via);
        }
        for desk in &mut self.desks {
            let Some(before) = live.desks.get(&desk.seller.id) else { continue };
            desk.listeners.clone_from(&before.listeners);
            for (group, durations) in &before.durations {
                if let Some(group) = desk.group_at.get(group) {
                    desk.groups[*group].durations.clone_from(durations);
                }
            }
        }
        for desk in 0..self.desks.len() {
            self.judge_listeners(desk, now);
        }
    }

    /// Puts an open conversation in. One of a seller that is gone is closed, one of a group that is gone moves to the
    /// default group, one whose agent may not have it any more is taken from it: as the next thing that happens.
    pub(super) fn restore_conversation(
        &mut self,
        mut conversation: Conversation,
        kept: Option<Entry>,
        running: bool,
        now: Timestamp,
    ) {
        let Some(desk) = self.desk_at.get(&conversation.seller).copied() else { return };
        let group = self.group_of(desk, &conversation.group);
        if !running && conversation.buyer_gone_since.is_none() {
            conversation.buyer_gone_since = Some(now);
        }
        let group_at = group.unwrap_or(self.desks[desk].default_group);
        let mut entry = kept.unwrap_or_else(|| Entry::new(conversation.clone(), desk, group_at, true));
        let (id, state, agent) = (conversation.id, conversation.state, conversation.agent.clone());
        entry.conversation = conversation;
        entry.desk = desk;
        entry.group = group_at;
        entry.due = 0;
        entry.armed = None;
        self.buyers.insert(&entry.conversation.profile, id);
        self.conversations.insert(id, Box::new(entry));
        self.mark_due(id, now);
        self.link(id);
        self.readmit_who_is_back(id, desk, now);
        self.work.rounds.insert(id);
        // Whether who is waited for may still be is looked at also where nothing live waits.
        if state == State::LeftMessage && self.conversations[&id].conversation.rare.bound.is_some() {
            self.work.left.insert(id);
        }
        if !self.directory.sellers.contains_key(&self.desks[desk].seller.id) {
            self.work.close.push(id);
            return;
        }
        if group.is_none() {
            self.work.moved.push(id);
        }
        let agent = agent.and_then(|account| self.agent_of(&account));
        let barred = agent.map_or(Some(Cause::Unauthorized), |agent| self.barred(agent, desk, now));
        match (state, barred) {
            (State::Offered, _) if !running => self.work.withdraw.push(id),
            (State::Offered, Some(_)) => self.work.withdraw.push(id),
            (State::Offered, None) if agent.is_some_and(|agent| !self.agents[agent].is_connected()) => {
                self.work.withdraw.push(id);
            }
            (State::Active, Some(cause)) => self.work.evict.push((id, cause)),
            (State::Active, None) if agent.is_some_and(|agent| self.lets_go(agent, desk, group_at)) => {
                self.work.evict.push((id, Cause::AgentLost));
            }
            _ => {}
        }
    }

    /// Whether somebody offline is not left what it holds of a group: however it has come to keep that.
    fn lets_go(&self, agent: usize, desk: usize, group: usize) -> bool {
        let reroutes = self.desks[desk].config(group).when_agent_lost == WhenLost::Reroute;
        self.agents[agent].status == Status::Offline && reroutes
    }

    /// Excluded for who is back and online already, it is so no longer.
    fn readmit_who_is_back(&mut self, id: ConversationId, desk: usize, now: Timestamp) {
        let excluded = self.excluded_from(id).into_iter();
        let back: Vec<_> = excluded.filter(|agent| self.agents[*agent].reach(desk, now) == Reach::Online).collect();
        let back = back.into_iter().map(|agent| (id, self.account(agent)));
        let back: Vec<_> = back.collect();
        self.work.readmit.extend(back);
    }

    /// Why an agent may have nothing of a desk any more, if so.
    pub(super) fn barred(&self, agent: usize, desk: usize, now: Timestamp) -> Option<Cause> {
        match self.agents[agent].post(desk) {
            None => Some(Cause::Unauthorized),
            Some(post) if now >= post.in_force_until => Some(Cause::Suspended),
            Some(_) => None,
        }
    }
}
