//! How the table comes to another configuration: what differs is taken apart and built anew, the rest stays as it is.
//! The consequences are not drawn here: every domain that was built anew has them before it, as at a start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::affected::Affected;
use super::domain::{Domain, Parts, Sessions};
use super::event::GroupRow;
use super::table::{Cell, Layout, Place, Recovered, Table};
use crate::directory::{Directory, Domain as Plan, DomainId, changed_sellers};
use crate::model::{AccountId, BuyerKey, Map, SellerId, SessionId, Timestamp};

/// Who is connected while the table is built anew.
#[derive(Clone, Copy)]
pub struct Here<'a> {
    /// Whether a session is open.
    pub session: &'a dyn Fn(SessionId) -> bool,
    /// Whether a buyer has one.
    pub buyer: &'a dyn Fn(&BuyerKey) -> bool,
}

/// What a reload has put elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Rearranged {
    /// Accounts that are in another domain now, or in none, sorted.
    pub accounts: Vec<AccountId>,
    /// Accounts that were in no domain before, sorted.
    pub newcomers: Vec<AccountId>,
    /// Domains that were built anew: their consequences are drawn by [`super::Command::Tick`].
    pub unsettled: Vec<DomainId>,
    /// Who is affected, and how.
    pub affected: Affected,
}

/// Which domains of a layout stay, and which are built.
struct Arrangement {
    stay: Vec<DomainId>,
    /// The plans to be built, each under an id of its own.
    build: Vec<(Plan, DomainId)>,
    /// The domains that are taken apart.
    gone: Vec<DomainId>,
    /// Ids given so far.
    ids: usize,
}

impl Table {
    /// Takes another configuration. `begin` is called when nothing can come between any more, with what moves: what it
    /// records is before every consequence; it must not block.
    pub fn reload(&self, directory: Arc<Directory>, now: Timestamp, begin: impl FnOnce(&Rearranged)) -> Rearranged {
        // What stays is found out while commands go on; only what changes keeps them out.
        let (arrangement, version) = {
            let layout = self.layout.read();
            (layout.arrange(&directory), layout.version)
        };
        let mut layout = self.layout.write();
        let arrangement = if layout.version == version { arrangement } else { layout.arrange(&directory) };
        let parts = layout.parts_of(&arrangement.gone);
        let mut rearranged = layout.rearranged(&arrangement);
        rearranged.affected = self.rehearse(&layout, &directory, &arrangement, parts.clone(), now);
        begin(&rearranged);
        rearranged.unsettled = self.rebuild_from(&mut layout, directory, arrangement, parts, now);
        rearranged
    }

    /// Who would be affected by another configuration, and how. Nothing changes.
    pub fn rehearse_reload(&self, directory: &Arc<Directory>, now: Timestamp) -> Affected {
        let layout = self.layout.read();
        let arrangement = layout.arrange(directory);
        let parts = layout.parts_of(&arrangement.gone);
        self.rehearse(&layout, directory, &arrangement, parts, now)
    }

    /// Goes back to what the store has, where something that was decided could not be written. Sessions that are still
    /// here stay. `resume` is called when the table can be trusted again, before anybody can use it.
    pub fn restore(
        &self,
        directory: Arc<Directory>,
        recovered: Recovered,
        now: Timestamp,
        here: &Here<'_>,
        resume: impl FnOnce(),
    ) {
        let mut layout = self.layout.write();
        let gone = layout.ids().collect();
        let mut arrangement = layout.arrange_all(&directory);
        arrangement.gone = gone;
        let mut parts = layout.parts_of(&arrangement.gone);
        parts.live.sessions.extend(std::mem::take(&mut layout.absent_sessions));
        parts.correct(stored(recovered), here, now, now + self.settings.presence_grace);
        layout.absent.clear();
        layout.absent_groups.clear();
        layout.absent_days.clear();
        self.forget_all();
        self.rebuild_from(&mut layout, directory, arrangement, parts, now);
        resume();
    }

    /// What the table is at a start.
    pub(super) fn fill(&self, directory: Arc<Directory>, recovered: Recovered, now: Timestamp) {
        let mut layout = self.layout.write();
        let arrangement = layout.arrange_all(&directory);
        self.rebuild_from(&mut layout, directory, arrangement, stored(recovered), now);
    }

    fn rebuild_from(
        &self,
        layout: &mut Layout,
        directory: Arc<Directory>,
        arrangement: Arrangement,
        mut parts: Parts,
        now: Timestamp,
    ) -> Vec<DomainId> {
        for id in &arrangement.gone {
            self.take_away(layout, *id);
        }
        for place in arrangement.stay.iter().filter_map(|id| layout.place(*id)) {
            place.cell.lock().domain.adopt(&directory);
        }
        parts.agents.append(&mut layout.absent);
        parts.groups.append(&mut layout.absent_groups);
        parts.days.append(&mut layout.absent_days);
        // The rotation of a group that is taken out is there again with the group, as it is in the store.
        let configured = |row: &GroupRow| {
            let seller = row.seller.as_ref().and_then(|seller| directory.sellers.get(seller));
            seller.zip(row.group.as_ref()).is_some_and(|(seller, group)| seller.group(group).is_some())
        };
        (parts.groups, layout.absent_groups) = parts.groups.into_iter().partition(configured);
        let (shares, rest) = arrangement.shares(parts);
        let built: Vec<DomainId> = shares.iter().map(|(_, id, _)| *id).collect();
        let ids = built.iter().map(|id| id.0 as usize + 1).max().unwrap_or(0).max(layout.domains.len());
        layout.domains.resize_with(ids, || None);
        for (plan, id, parts) in shares {
            self.put(layout, &directory, plan, id, parts, now);
        }
        layout.absent = rest.agents;
        layout.absent_sessions = rest.live.sessions;
        layout.absent_days = rest.days;
        layout.directory = directory;
        layout.version += 1;
        built
    }

    fn take_away(&self, layout: &mut Layout, id: DomainId) {
        let Some(place) = layout.domains.get_mut(id.0 as usize).and_then(Option::take) else { return };
        self.disarm(id, &mut place.cell.lock());
        for seller in &place.plan.sellers {
            layout.sellers.remove(seller);
        }
        for account in &place.plan.agents {
            layout.accounts.remove(account);
        }
    }

    fn put(
        &self,
        layout: &mut Layout,
        directory: &Arc<Directory>,
        plan: Plan,
        id: DomainId,
        parts: Parts,
        now: Timestamp,
    ) {
        for conversation in &parts.conversations {
            self.settle_in(conversation, id);
        }
        // A seller that is gone has a domain until its conversations are closed, but no buyer finds it.
        let configured = plan.sellers.iter().filter(|seller| directory.sellers.contains_key(*seller));
        layout.sellers.extend(configured.map(|seller| (seller.clone(), id)));
        layout.accounts.extend(plan.agents.iter().map(|account| (account.clone(), id)));
        let domain = Domain::build(directory, &plan, self.settings, &self.hasher, parts, now);
        let mut cell = Cell { domain, armed: None };
        self.arm(id, &mut cell);
        layout.domains[id.0 as usize] = Some(Arc::new(Place { plan, cell: Mutex::new(cell) }));
    }

    fn rehearse(
        &self,
        layout: &Layout,
        new: &Arc<Directory>,
        arrangement: &Arrangement,
        mut parts: Parts,
        now: Timestamp,
    ) -> Affected {
        let mut affected = Affected::new(&layout.directory, new, &parts.conversations);
        parts.agents.extend(layout.absent.iter().cloned());
        parts.groups.extend(layout.absent_groups.iter().cloned());
        let (shares, _) = arrangement.clone_plans().shares(parts);
        for (plan, _, parts) in shares {
            let domain = Domain::build(new, &plan, self.settings, &self.hasher, parts, now);
            affected.follow(domain, now);
        }
        affected.finish()
    }
}

impl Layout {
    pub(super) fn empty() -> Self {
        Self {
            version: 0,
            directory: Arc::default(),
            domains: Vec::new(),
            sellers: Map::default(),
            accounts: Map::default(),
            absent: Vec::new(),
            absent_sessions: Sessions::default(),
            absent_groups: Vec::new(),
            absent_days: Vec::new(),
        }
    }

    /// A domain where it stands.
    pub(super) fn place(&self, id: DomainId) -> Option<&Arc<Place>> {
        self.domains.get(id.0 as usize)?.as_ref()
    }

    fn ids(&self) -> impl Iterator<Item = DomainId> + '_ {
        let domains = self.domains.iter().enumerate();
        domains.filter(|(_, place)| place.is_some()).map(|(at, _)| DomainId(u32::try_from(at).unwrap_or(u32::MAX)))
    }

    /// What stays and what is built for another configuration. A domain of the same sellers and agents keeps its id.
    fn arrange(&self, directory: &Directory) -> Arrangement {
        let changed = changed_sellers(&self.directory, directory);
        let mut arrangement = Arrangement { stay: vec![], build: vec![], gone: vec![], ids: self.domains.len() };
        let mut kept = BTreeSet::new();
        for plan in &directory.domains {
            let id = plan.sellers.first().and_then(|seller| self.sellers.get(seller)).copied();
            let same = id.filter(|id| self.place(*id).is_some_and(|place| place.plan == *plan));
            match same {
                Some(id) if !plan.sellers.iter().any(|seller| changed.contains(seller)) => {
                    arrangement.stay.push(id);
                    kept.insert(id);
                }
                same => arrangement.build(plan.clone(), same),
            }
        }
        arrangement.gone = self.ids().filter(|id| !kept.contains(id)).collect();
        arrangement
    }

    /// Everything is built.
    fn arrange_all(&self, directory: &Directory) -> Arrangement {
        let mut arrangement = Arrangement { stay: vec![], build: vec![], gone: vec![], ids: self.domains.len() };
        for plan in &directory.domains {
            let id = plan.sellers.first().and_then(|seller| self.sellers.get(seller)).copied();
            let same = id.filter(|id| self.place(*id).is_some_and(|place| place.plan == *plan));
            arrangement.build(plan.clone(), same);
        }
        arrangement
    }

    fn parts_of(&self, domains: &[DomainId]) -> Parts {
        let mut parts = Parts::default();
        parts.live.running = true;
        for place in domains.iter().filter_map(|id| self.place(*id)) {
            parts.extend(place.cell.lock().domain.parts());
        }
        parts
    }

    fn rearranged(&self, arrangement: &Arrangement) -> Rearranged {
        let now: BTreeMap<&AccountId, DomainId> =
            arrangement.build.iter().flat_map(|(plan, id)| plan.agents.iter().map(|agent| (agent, *id))).collect();
        let before = arrangement.gone.iter().filter_map(|id| Some((*id, self.place(*id)?)));
        let before = before.flat_map(|(id, place)| place.plan.agents.iter().map(move |agent| (agent, id)));
        let mut accounts: Vec<AccountId> =
            before.filter(|(agent, id)| now.get(agent) != Some(id)).map(|(agent, _)| agent.clone()).collect();
        accounts.sort_unstable();
        let newcomers = now.keys().filter(|agent| !self.accounts.contains_key(**agent));
        let newcomers = newcomers.map(|agent| (*agent).clone()).collect();
        Rearranged { accounts, newcomers, ..Rearranged::default() }
    }
}

impl Arrangement {
    fn build(&mut self, plan: Plan, id: Option<DomainId>) {
        let id = id.unwrap_or_else(|| self.next());
        self.build.push((plan, id));
    }

    fn next(&mut self) -> DomainId {
        let id = DomainId(u32::try_from(self.ids).unwrap_or(u32::MAX));
        self.ids += 1;
        id
    }

    fn clone_plans(&self) -> Self {
        Self { stay: Vec::new(), build: self.build.clone(), gone: Vec::new(), ids: self.ids }
    }

    /// Each plan with its parts, and a domain for each seller that is gone and still has conversations; then the rest.
    fn shares(mut self, parts: Parts) -> (Vec<(Plan, DomainId, Parts)>, Parts) {
        let mut known: BTreeSet<&SellerId> = self.build.iter().flat_map(|(plan, _)| &plan.sellers).collect();
        let mut orphans = Vec::new();
        for conversation in &parts.conversations {
            if known.insert(&conversation.seller) {
                orphans.push(conversation.seller.clone());
            }
        }
        for seller in orphans {
            let id = self.next();
            self.build.push((Plan { sellers: vec![seller], agents: Vec::new() }, id));
        }
        let (mut sellers, mut accounts) = (Map::default(), Map::default());
        for (share, (plan, _)) in self.build.iter().enumerate() {
            sellers.extend(plan.sellers.iter().map(|seller| (seller, share)));
            accounts.extend(plan.agents.iter().map(|account| (account, share)));
        }
        let mut dealt =
            parts.deal(self.build.len(), |seller| sellers.get(seller).copied(), |agent| accounts.get(agent).copied());
        let rest = dealt.pop().unwrap_or_default();
        drop((sellers, accounts));
        let shares = self.build.into_iter().zip(dealt).map(|((plan, id), parts)| (plan, id, parts)).collect();
        (shares, rest)
    }
}

fn stored(recovered: Recovered) -> Parts {
    let Recovered { conversations, agents, groups, days } = recovered;
    Parts { conversations, agents, groups, days, ..Parts::default() }
}
