//! How a domain comes to be: from a snapshot, and from what was there before — in the store, or in other domains.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{Domain, Entry, Kind, Pool, Settings, Work};
use crate::directory::{Directory, Domain as Plan, Group, Seller, Strategy};
use crate::model::{AccountId, ConversationId, SellerId, SessionId, State, Status, Timestamp};
use crate::routing::agent::{Agent, Post, Seat, WrapUp};
use crate::routing::conversation::Conversation;
use crate::routing::deadline::{Deadlines, Due};
use crate::routing::desk::{Day, Desk, GroupState, MemberState};
use crate::routing::event::{AgentRow, GroupRow, Row};
use crate::routing::index::Index;

/// What a domain is made of besides the snapshot.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Open conversations.
    pub conversations: Vec<Conversation>,
    /// Agents, as the store has them.
    pub agents: Vec<AgentRow>,
    /// Groups' rotations.
    pub groups: Vec<GroupRow>,
    /// What no restart keeps: sessions, watchers, figures. Only there when a running table is rebuilt.
    pub(super) live: Live,
}

/// What lives only as long as the process.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    pub(super) entries: HashMap<ConversationId, Entry>,
    pub(super) sessions: HashMap<AccountId, (Vec<SessionId>, Option<Timestamp>)>,
    pub(super) wrap_ups: Vec<(AccountId, SellerId, Timestamp)>,
    pub(super) desks: HashMap<SellerId, (Vec<AccountId>, Day)>,
}

impl Domain {
    /// A domain of these sellers and agents.
    pub fn build(directory: &Arc<Directory>, plan: &Plan, settings: Settings, parts: Parts, now: Timestamp) -> Self {
        let mut domain = Self {
            directory: Arc::clone(directory),
            settings,
            desks: Vec::new(),
            desk_at: HashMap::new(),
            agents: Vec::new(),
            agent_at: HashMap::new(),
            pools: Vec::new(),
            conversations: HashMap::new(),
            deadlines: Deadlines::default(),
            work: Work::default(),
            last_time: Timestamp::ZERO,
            hasher: std::hash::RandomState::new(),
        };
        domain.add_agents(plan);
        domain.restore_agents(&parts.agents);
        domain.add_desks(plan);
        domain.restore_pauses(&parts.agents);
        domain.restore_groups(&parts.groups);
        domain.add_pools();
        domain.restore_live(&parts.live, now);
        for agent in 0..domain.agents.len() {
            domain.refresh_reach(agent, now);
        }
        let mut entries = parts.live.entries;
        for conversation in parts.conversations {
            let kept = entries.remove(&conversation.id);
            domain.restore_conversation(conversation, kept, now);
        }
        for agent in 0..domain.agents.len() {
            domain.refresh_load(agent);
            domain.arm_agent(agent, now);
        }
        for (at, desk) in domain.desks.iter().enumerate() {
            if let Some(until) = desk.seller.next_suspension(now) {
                domain.deadlines.arm(Due::Desk(at), until);
            }
        }
        domain.work.all = true;
        domain
    }

    /// Everything that a store has to keep, as it is now: conversations by id, agents, rotations.
    pub fn rows(&self) -> Vec<Row> {
        let mut conversations: Vec<_> = self.conversations.values().map(|entry| entry.conversation.clone()).collect();
        conversations.sort_by_key(|conversation| conversation.id);
        let conversations = conversations.into_iter().map(|conversation| Row::Conversation(Box::new(conversation)));
        let agents = self.agents.iter().map(|agent| Row::Agent(agent.row(|desk| self.desks[desk].seller.id.clone())));
        let groups = self.desks.iter().enumerate().flat_map(|(at, desk)| {
            (0..desk.groups.len()).filter(move |group| rotates(desk.config(*group))).map(move |group| (at, group))
        });
        let groups = groups.map(|(at, group)| Row::Group(self.group_row(at, group)));
        conversations.chain(agents).chain(groups).collect()
    }

    /// What another domain can be built from: everything but what the snapshot says.
    pub fn into_parts(self) -> Parts {
        let mut parts = Parts::default();
        for (at, desk) in self.desks.iter().enumerate() {
            for group in 0..desk.groups.len() {
                parts.groups.push(self.group_row(at, group));
            }
            parts.live.desks.insert(desk.seller.id.clone(), (desk.subscribers.clone(), desk.day.clone()));
        }
        for agent in &self.agents {
            parts.agents.push(agent.row(|desk| self.desks[desk].seller.id.clone()));
            parts.live.sessions.insert(agent.account.clone(), (agent.sessions.clone(), agent.grace_until));
            for wrap_up in &agent.wrap_ups {
                let seller = self.desks[wrap_up.desk].seller.id.clone();
                parts.live.wrap_ups.push((agent.account.clone(), seller, wrap_up.until));
            }
        }
        for (id, entry) in self.conversations {
            parts.conversations.push(entry.conversation.clone());
            parts.live.entries.insert(id, entry);
        }
        parts.conversations.sort_by_key(|conversation| conversation.id);
        parts
    }

    fn add_agents(&mut self, plan: &Plan) {
        for account in &plan.agents {
            let name = self.directory.name_of(account).cloned().unwrap_or_else(|| account.as_str().into());
            self.agent_at.insert(account.clone(), self.agents.len());
            self.agents.push(Agent::new(account.clone(), name, self.directory.capacity_of(account)));
        }
    }

    fn restore_agents(&mut self, rows: &[AgentRow]) {
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

    fn restore_pauses(&mut self, rows: &[AgentRow]) {
        for row in rows {
            let Some(agent) = self.agent_at.get(&row.account) else { continue };
            for (seller, status) in &row.paused {
                let desk = self.desk_at.get(seller);
                if let Some(post) = desk.and_then(|desk| self.agents[*agent].post_mut(*desk)) {
                    post.paused = Some(*status);
                }
            }
        }
    }

    fn add_desks(&mut self, plan: &Plan) {
        for id in &plan.sellers {
            let Some(seller) = self.directory.sellers.get(id).cloned() else { continue };
            self.desk_at.insert(id.clone(), self.desks.len());
            self.add_desk(seller);
        }
    }

    fn add_desk(&mut self, seller: Arc<Seller>) {
        let at = self.desks.len();
        let mut accounts: Vec<_> = seller.agents.values().collect();
        accounts.sort_by(|a, b| a.account.cmp(&b.account));
        let mut agents = Vec::new();
        for authorization in accounts {
            let Some(agent) = self.agent_of(&authorization.account) else { continue };
            agents.push(agent);
            self.agents[agent].posts.push(Post {
                desk: at,
                load: 0,
                capacity: authorization.capacity,
                scopes: authorization.scopes,
                in_force_until: authorization.in_force_until,
                main: seller.account == authorization.account,
                paused: None,
            });
        }
        let group_at: HashMap<_, _> =
            seller.groups.iter().enumerate().map(|(at, group)| (group.id.clone(), at)).collect();
        let groups: Vec<_> = (0..seller.groups.len()).map(|group| self.group_state(&seller, at, group)).collect();
        let mut desk = Desk {
            main: self.agent_of(&seller.account),
            default_group: group_at.get(&seller.default_group).copied().unwrap_or(0),
            groups,
            group_at,
            open_of: HashMap::new(),
            subscribers: Vec::new(),
            day: Day::default(),
            agents,
            seller,
        };
        desk.join_overflow();
        self.desks.push(desk);
    }

    fn group_state(&mut self, seller: &Seller, desk: usize, at: usize) -> GroupState {
        let group = &seller.groups[at];
        let mut members = Vec::with_capacity(group.members.len());
        for member in &group.members {
            let Some(agent) = self.agent_of(&member.account) else { continue };
            let state = &mut self.agents[agent];
            state.seats.push(Seat { desk, group: at, member: members.len() });
            if !group.spacing.is_zero() && !state.spacings.contains(&group.spacing) {
                state.spacings.push(group.spacing);
            }
            members.push(MemberState {
                agent,
                tier: member.tier,
                weight: i64::from(member.weight),
                capacity: member.capacity,
                load: 0,
                current: 0,
                reach: super::super::agent::Reach::Absent,
            });
        }
        GroupState::new(at, 0, members, group.overflow.len())
    }

    fn restore_groups(&mut self, rows: &[GroupRow]) {
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
        }
    }

    /// Groups with the same members, tiers and way of comparing share a pool: an agent of a thousand such groups
    /// changes one key when its load changes.
    fn add_pools(&mut self) {
        let mut known: BTreeMap<(Kind, Vec<(usize, u32)>), usize> = BTreeMap::new();
        for desk in 0..self.desks.len() {
            for group in 0..self.desks[desk].groups.len() {
                let kind = Kind::of(self.desks[desk].config(group).strategy);
                let members: Vec<_> =
                    self.desks[desk].groups[group].members.iter().map(|member| (member.agent, member.tier)).collect();
                let key = (kind, members);
                let pool = known.get(&key).copied().unwrap_or_else(|| {
                    let pool = self.add_pool(kind, key.1.clone());
                    known.insert(key, pool);
                    pool
                });
                self.desks[desk].groups[group].pool = pool;
            }
        }
    }

    fn add_pool(&mut self, kind: Kind, members: Vec<(usize, u32)>) -> usize {
        let mut due: Vec<u32> = (0..u32::try_from(members.len()).unwrap_or(u32::MAX)).collect();
        due.sort_by_key(|member| {
            let agent = &self.agents[members[*member as usize].0];
            match kind {
                Kind::Loaded | Kind::Active => (agent.last_given, Timestamp::ZERO, *member),
                Kind::Idle => (agent.last_given.max(agent.last_ended), agent.last_given, *member),
                Kind::Member => (Timestamp::ZERO, Timestamp::ZERO, *member),
            }
        });
        let pool = self.pools.len();
        for (member, (agent, _)) in members.iter().enumerate() {
            self.agents[*agent].pools.push((pool, u32::try_from(member).unwrap_or(u32::MAX)));
        }
        self.pools.push(Pool { kind, index: Index::new(&due), members });
        pool
    }

    fn restore_live(&mut self, live: &Live, now: Timestamp) {
        let running = !live.sessions.is_empty();
        let grace = now + self.settings.presence_grace;
        for agent in &mut self.agents {
            match live.sessions.get(&agent.account) {
                Some((sessions, grace_until)) => {
                    agent.sessions.clone_from(sessions);
                    agent.grace_until = *grace_until;
                }
                None if !running && agent.status != Status::Offline => agent.grace_until = Some(grace),
                None => {}
            }
        }
        for (account, seller, until) in &live.wrap_ups {
            let Some(agent) = self.agent_of(account) else { continue };
            let Some(desk) = self.desk_at.get(seller).copied() else { continue };
            self.agents[agent].wrap_ups.push(WrapUp { until: *until, desk, via: None });
            self.take_slot(agent, desk, None);
        }
        for desk in &mut self.desks {
            if let Some((subscribers, day)) = live.desks.get(&desk.seller.id) {
                desk.subscribers.clone_from(subscribers);
                desk.day = day.clone();
            }
        }
    }

    /// Puts an open conversation in. One of a seller that is gone is put nowhere: the table closes it.
    fn restore_conversation(&mut self, mut conversation: Conversation, kept: Option<Entry>, now: Timestamp) {
        let Some(desk) = self.desk_at.get(&conversation.seller).copied() else { return };
        let group = self.group_of(desk, &conversation.group).unwrap_or(self.desks[desk].default_group);
        let removed = *self.group_id(desk, group) != conversation.group;
        conversation.group = self.group_id(desk, group).clone();
        let fresh = kept.is_none();
        if fresh && conversation.buyer_gone_since.is_none() {
            conversation.buyer_gone_since = Some(now);
        }
        let mut entry = kept.unwrap_or_else(|| Entry::new(conversation.clone(), desk, group, true));
        entry.conversation = conversation;
        entry.desk = desk;
        entry.group = group;
        entry.due = 0;
        let id = entry.conversation.id;
        let (state, agent) = (entry.conversation.state, entry.conversation.agent.clone());
        self.desks[desk].open_of.insert(entry.conversation.profile.key.clone(), id);
        self.conversations.insert(id, entry);
        self.mark_due(id, now);
        self.link(id);
        let agent = agent.and_then(|account| self.agent_of(&account));
        match (state, agent) {
            (State::Offered, _) if fresh => self.work.withdraw.push(id),
            (State::Active, None) => self.work.evict.push((id, super::Cause::Unauthorized)),
            (State::Offered, None) => self.work.withdraw.push(id),
            (State::Active, Some(agent)) => self.evict_if_barred(id, agent, now),
            _ if removed => self.look_again(id),
            _ => {}
        }
    }

    /// An owner whose authorization is gone or suspended, or who has been offline since before the start, loses it.
    fn evict_if_barred(&mut self, id: ConversationId, agent: usize, now: Timestamp) {
        let desk = self.conversations[&id].desk;
        match self.agents[agent].post(desk) {
            None => self.work.evict.push((id, super::Cause::Unauthorized)),
            Some(post) if now >= post.in_force_until => self.work.evict.push((id, super::Cause::Suspended)),
            Some(_) => {}
        }
    }
}

impl Entry {
    pub(super) fn new(conversation: Conversation, desk: usize, group: usize, partial: bool) -> Self {
        Self {
            conversation,
            desk,
            group,
            due: 0,
            told: None,
            watchers: Vec::new(),
            kinds: Vec::new(),
            hashes: HashSet::new(),
            partial,
            overdue: None,
            gone_told: false,
        }
    }
}

impl Desk {
    fn join_overflow(&mut self) {
        for group in 0..self.groups.len() {
            let steps: Vec<usize> = self.seller.groups[group]
                .overflow
                .iter()
                .map(|step| self.group_at.get(&step.to).copied().unwrap_or(group))
                .collect();
            for (step, to) in steps.iter().enumerate() {
                self.groups[*to].feeds.push((group, step));
            }
            self.groups[group].overflow = steps;
        }
    }
}

/// Whether a group rotates: whether there is something of it to keep over restarts.
pub(super) fn rotates(group: &Group) -> bool {
    matches!(group.strategy, Strategy::RoundRobin | Strategy::Weighted)
}
