//! The world of a run: the routing configuration as the core gets it, the agents with their slots, the groups.
//! What only silence would bring about is switched off, and no certification ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::date;

use super::replay::Again;
use super::traffic::Traffic;
use crate::directory::{
    Authorization, Directory, Domain, Group, Member, Seller, ShopStatus, SubAccount, SubAccountKind, Target, Via,
};
use crate::model::{AccountId, EntryId, GroupId, SellerId, Timestamp};
use crate::policy::{Scope, ScopeSet};

/// Longer than any run.
const NEVER: Duration = Duration::from_secs(1_000 * 365 * 24 * 3600);
/// The name of the one seller, and its one group, of the pool.
const POOL: &str = "pool";

/// Somebody who can be given conversations.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentPlan {
    /// Who.
    pub account: AccountId,
    /// How many conversations it can have at once here, all its limits taken together.
    pub slots: u32,
    /// How fast it works.
    pub speed: f64,
    /// When it is there, in microseconds from the start; none: throughout.
    pub shifts: Option<Vec<(i64, i64)>>,
    /// The groups it is a member of, as places in [`World::groups`].
    pub groups: Vec<usize>,
    /// Whether its slots are those of the desks: not those of a main account that only steps in.
    pub regular: bool,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPlan {
    /// Whose.
    pub seller: SellerId,
    /// Which.
    pub group: GroupId,
    /// Who is in it.
    pub members: BTreeSet<AccountId>,
    /// How long the last conversation of somebody looks back.
    pub recent_agent: Option<Duration>,
    /// How long a slot stays taken after a close.
    pub wrap_up: Duration,
}

impl GroupPlan {
    /// `seller/group`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.seller, self.group)
    }
}

/// The world of a run.
#[derive(Clone, Debug)]
pub struct World {
    /// The configuration, for the core.
    pub directory: Arc<Directory>,
    /// The traffic.
    pub traffic: Arc<Traffic>,
    /// The agents of the sellers that buyers come to, by account.
    pub agents: Vec<AgentPlan>,
    /// The groups of those sellers, in the order of the files.
    pub groups: Vec<GroupPlan>,
    /// The moment of the start.
    pub start: Timestamp,
    /// Buyers who come again as they came, instead of drawn ones.
    pub again: Arc<[Again]>,
}

/// The start of every run: a Monday.
pub fn monday() -> Timestamp {
    Timestamp::from_micros(1_704_067_200_000_000)
}

impl World {
    /// The world of this configuration and traffic.
    pub fn new(directory: &Directory, traffic: Arc<Traffic>) -> Self {
        let sellers: BTreeSet<SellerId> = traffic.streams.iter().map(|stream| stream.seller.clone()).collect();
        let mut directory = directory.clone();
        for seller in directory.sellers.values_mut() {
            silence(Arc::make_mut(seller));
        }
        let zone = traffic.streams.first().and_then(|stream| directory.sellers.get(&stream.seller));
        let midnight = zone.and_then(|seller| seller.time_zone.to_timestamp(date(2024, 1, 1).at(0, 0, 0, 0)).ok());
        let start = midnight.map_or_else(monday, |midnight| Timestamp::from_micros(midnight.as_microsecond()));

        let mut groups = Vec::new();
        for seller in sellers.iter().filter_map(|id| directory.sellers.get(id)) {
            groups.extend(seller.groups.iter().map(|group| GroupPlan {
                seller: seller.id.clone(),
                group: group.id.clone(),
                members: group.members.iter().map(|member| member.account.clone()).collect(),
                recent_agent: group.recent_agent,
                wrap_up: group.wrap_up,
            }));
        }
        let agents = plans(&directory, &sellers, &groups, &traffic);
        Self { directory: Arc::new(directory), traffic, agents, groups, start, again: Arc::new([]) }
    }

    /// The same traffic and agents, and one pool: whoever is free takes whoever came first.
    pub fn pooled(&self) -> Self {
        let mut directory = Directory::default();
        let (seller, group) = (SellerId::from(POOL), GroupId::from(POOL));
        let mut pool = Group::with_defaults(group.clone(), POOL.into());
        let limits = self.configs().map(|group| group.queue_limit).collect::<Vec<_>>();
        pool.queue_limit = if limits.contains(&0) { 0 } else { limits.iter().fold(0, |a, b| a.saturating_add(*b)) };
        let mut agents = Vec::new();
        let mut authorizations = std::collections::HashMap::new();
        for agent in self.agents.iter().filter(|agent| agent.regular) {
            let account = agent.account.clone();
            pool.members.push(Member { account: account.clone(), tier: 1, weight: 1, capacity: None });
            let sub_account = SubAccount {
                id: account.clone(),
                name: account.as_str().into(),
                kind: SubAccountKind::Staff,
                capacity: agent.slots,
                employer: None,
            };
            directory.sub_accounts.insert(account.clone(), Arc::new(sub_account));
            authorizations.insert(account.clone(), authorized(account.clone()));
            agents.push(AgentPlan { groups: vec![0], ..agent.clone() });
        }
        silence_group(&mut pool);
        let accounts = agents.iter().map(|agent| agent.account.clone()).collect();
        directory.domains = vec![Domain { sellers: vec![seller.clone()], agents: accounts }];
        directory.sellers.insert(seller.clone(), Arc::new(pool_seller(&seller, pool, authorizations)));
        let mut traffic = (*self.traffic).clone();
        for stream in &mut traffic.streams {
            stream.seller = seller.clone();
            stream.entry = EntryId::from(POOL);
        }
        let members = agents.iter().map(|agent| agent.account.clone()).collect();
        let groups = vec![GroupPlan { seller, group, members, recent_agent: None, wrap_up: Duration::ZERO }];
        let (directory, again) = (Arc::new(directory), Arc::clone(&self.again));
        Self { directory, traffic: Arc::new(traffic), agents, groups, start: self.start, again }
    }

    /// The settings of its groups, in their order.
    pub fn configs(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter_map(|plan| self.directory.sellers.get(&plan.seller)?.group(&plan.group))
    }

    /// The place of a group.
    pub fn group_at(&self, seller: &SellerId, group: &GroupId) -> Option<usize> {
        self.groups.iter().position(|plan| plan.seller == *seller && plan.group == *group)
    }
}

/// Nothing comes of silence, and no certification ends.
fn silence(seller: &mut Seller) {
    for authorization in seller.agents.values_mut() {
        if authorization.in_force_until > Timestamp::ZERO {
            authorization.in_force_until = Timestamp::MAX;
        }
    }
    seller.groups.iter_mut().for_each(silence_group);
}

fn silence_group(group: &mut Group) {
    group.close_idle = NEVER;
    group.reply_within = NEVER;
    group.overdue_warning = NEVER;
    group.reassign_unanswered = None;
    group.abandon_after = NEVER;
    group.welcome_text = None;
    group.offline_text = None;
}

/// Everybody whom conversations of these sellers can reach.
fn plans(
    directory: &Directory,
    sellers: &BTreeSet<SellerId>,
    groups: &[GroupPlan],
    traffic: &Traffic,
) -> Vec<AgentPlan> {
    let mut reached: BTreeMap<&AccountId, bool> = BTreeMap::new();
    let rostered = !traffic.agents.shifts.is_empty();
    for seller in sellers.iter().filter_map(|id| directory.sellers.get(id)) {
        for account in seller.groups.iter().flat_map(|group| &group.members).map(|member| &member.account) {
            reached.insert(account, true);
        }
        for binding in &seller.bindings {
            if let Target::Agent(account) = &binding.to {
                reached.insert(account, true);
            }
        }
        // Where there is a roster, a main account that is not on it does not sit there to step in.
        if !rostered || traffic.agents.shifts.contains_key(&seller.account) {
            reached.entry(&seller.account).or_insert(false);
        }
    }
    let reached = reached.into_iter();
    reached
        .map(|(account, regular)| AgentPlan {
            account: account.clone(),
            slots: slots(directory, sellers, account),
            speed: traffic.agents.speed.get(account).copied().unwrap_or(1.0),
            shifts: traffic.agents.shifts.get(account).cloned(),
            groups: (0..groups.len()).filter(|at| groups[*at].members.contains(account)).collect(),
            regular,
        })
        .collect()
}

/// How many conversations of these sellers somebody can have at once, all limits taken together.
fn slots(directory: &Directory, sellers: &BTreeSet<SellerId>, account: &AccountId) -> u32 {
    let mut all = 0_u32;
    for seller in sellers.iter().filter_map(|id| directory.sellers.get(id)) {
        let Some(authorization) = seller.agents.get(account) else { continue };
        let alone = seller.account == *account
            || seller.bindings.iter().any(|binding| binding.to == Target::Agent(account.clone()));
        let members = seller.groups.iter().flat_map(|group| &group.members);
        let members = members.filter(|member| member.account == *account);
        let through = members.map(|member| member.capacity).chain(alone.then_some(None));
        let through = through.fold(0_u32, |sum, limit| sum.saturating_add(limit.unwrap_or(u32::MAX)));
        all = all.saturating_add(through.min(authorization.capacity.unwrap_or(u32::MAX)));
    }
    all.min(directory.capacity_of(account))
}

fn authorized(account: AccountId) -> Authorization {
    Authorization {
        account,
        via: Via::Direct,
        role: "agent".into(),
        scopes: ScopeSet::of(&[Scope::Receive, Scope::Presence]),
        capacity: None,
        in_force_until: Timestamp::MAX,
    }
}

fn pool_seller(id: &SellerId, pool: Group, agents: std::collections::HashMap<AccountId, Authorization>) -> Seller {
    Seller {
        id: id.clone(),
        name: POOL.into(),
        account: AccountId::from(POOL),
        capacity: 1,
        time_zone: jiff::tz::TimeZone::UTC,
        origins: Vec::new(),
        status: ShopStatus::Open,
        closure_notice_on: None,
        shop: EntryId::from(POOL),
        licence_name: POOL.into(),
        official_account: None,
        channel_accounts: Vec::new(),
        entries: Vec::new(),
        default_group: pool.id.clone(),
        main_account_fallback: false,
        agents,
        groups: vec![pool],
        bindings: Vec::new(),
    }
}
