//! How a domain comes to be: from a snapshot, and from what was there before — in the store, or in other domains.

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::sync::Arc;

use super::carry::Parts;
use super::tick::ONCE;
use super::{Domain, Entry, Kind, Pool, Settings, Work};
use crate::directory::{Directory, Domain as Plan, Group, Seller, Strategy};
use crate::model::{Map, Timestamp};
use crate::routing::agent::{Agent, Post, Seat};
use crate::routing::buyers::Buyers;
use crate::routing::conversation::Conversation;
use crate::routing::day::Day;
use crate::routing::deadline::{Deadlines, Due};
use crate::routing::desk::{Desk, DeskArmed, GroupState, MemberState};
use crate::routing::event::Row;
use crate::routing::fronts::Fronts;
use crate::routing::index::Index;
use crate::routing::listeners::Listeners;
use crate::routing::wanted::Wanted;

impl Domain {
    /// A domain of these sellers and agents.
    pub(in crate::routing) fn build(
        directory: &Arc<Directory>,
        plan: &Plan,
        settings: Settings,
        hasher: &RandomState,
        parts: Parts,
        now: Timestamp,
    ) -> Self {
        let mut domain = Self {
            directory: Arc::clone(directory),
            settings,
            desks: Vec::new(),
            desk_at: Map::default(),
            agents: Vec::new(),
            agent_at: Map::default(),
            pools: Vec::new(),
            conversations: Map::default(),
            buyers: Buyers::default(),
            deadlines: Deadlines::default(),
            work: Work::default(),
            last_time: Timestamp::ZERO,
            lapses_at: Timestamp::ZERO,
            held: None,
            hasher: hasher.clone(),
        };
        domain.add_agents(plan);
        domain.restore_agents(&parts.agents);
        domain.add_desks(plan);
        domain.restore_pauses(&parts.agents);
        domain.restore_groups(&parts.groups);
        domain.restore_days(parts.days);
        domain.add_pools();
        domain.restore_live(&parts.live, now);
        for agent in 0..domain.agents.len() {
            domain.refresh_reach(agent, now);
        }
        let (running, mut entries) = (parts.live.running, parts.live.entries);
        for conversation in parts.conversations {
            let kept = entries.remove(&conversation.id);
            domain.restore_conversation(conversation, kept, running, now);
        }
        for agent in 0..domain.agents.len() {
            domain.refresh_load(agent);
            domain.arm_agent(agent, now);
        }
        for at in 0..domain.desks.len() {
            if let Some(until) = domain.desks[at].seller.next_suspension(now) {
                domain.arm(Due::Desk(at), until);
            }
            if running {
                domain.arm(Due::Sweep(at), now + ONCE);
                let due = domain.desks[at].listeners.due(now);
                due.into_iter().for_each(|due| domain.arm(Due::Subscribers(at), due));
            }
        }
        domain.work.all = true;
        domain.work.reloading = running;
        domain
    }

    /// Everything that a store has to keep, as it is now: conversations by id, agents, rotations, figures.
    pub fn rows(&self) -> Vec<Row> {
        let mut conversations: Vec<_> = self.conversations.values().map(|entry| entry.conversation.clone()).collect();
        conversations.sort_by_key(|conversation| conversation.id);
        let conversations = conversations.into_iter().map(|conversation| Row::Conversation(Box::new(conversation)));
        let agents = self.agents.iter().map(|agent| Row::Agent(agent.row(|desk| self.desks[desk].seller.id.clone())));
        let groups = self.desks.iter().enumerate().flat_map(|(at, desk)| {
            (0..desk.groups.len()).filter(move |group| rotates(desk.config(*group))).map(move |group| (at, group))
        });
        let groups = groups.map(|(at, group)| Row::Group(self.group_row(at, group)));
        let days = self.desks.iter().filter_map(|desk| desk.day_row()).map(|day| Row::Day(Box::new(day)));
        conversations.chain(agents).chain(groups).chain(days).collect()
    }

    fn add_agents(&mut self, plan: &Plan) {
        for account in &plan.agents {
            let name = self.directory.name_of(account).cloned().unwrap_or_else(|| account.as_str().into());
            self.agent_at.insert(account.clone(), self.agents.len());
            self.agents.push(Agent::new(account.clone(), name, self.directory.capacity_of(account)));
        }
    }

    fn add_desks(&mut self, plan: &Plan) {
        for id in &plan.sellers {
            let removed = || Arc::new(Seller::removed(id.clone()));
            let seller = self.directory.sellers.get(id).cloned().unwrap_or_else(removed);
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
            let main = seller.account == authorization.account;
            self.agents[agent].mains.extend(main.then_some(at));
            self.agents[agent].posts.push(Post {
                desk: at,
                load: 0,
                capacity: authorization.capacity,
                scopes: authorization.scopes,
                in_force_until: authorization.in_force_until,
                main,
                paused: None,
            });
        }
        let group_at: Map<_, _> = seller.groups.iter().enumerate().map(|(at, group)| (group.id.clone(), at)).collect();
        let groups: Vec<_> = (0..seller.groups.len()).map(|group| self.group_state(&seller, at, group)).collect();
        let mut desk = Desk {
            main: self.agent_of(&seller.account),
            default_group: group_at.get(&seller.default_group).copied().unwrap_or(0),
            groups,
            group_at,
            listeners: Listeners::default(),
            day: Day::default(),
            day_lasts: Timestamp::ZERO..Timestamp::ZERO,
            armed: DeskArmed::default(),
            agents,
            wanted: Wanted::of(&seller.bindings),
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
                post: state.post_at(desk),
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
        let (queues, lefts) = (Fronts::default(), Fronts::default());
        self.pools.push(Pool { kind, index: Index::new(&due), members, queues, lefts });
        pool
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
            kinds: Vec::new(),
            hashes: Vec::new(),
            partial,
            overdue: None,
            gone_told: false,
            armed: None,
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
