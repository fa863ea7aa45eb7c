//! Another configuration, a start, a commit that fails: the table is built anew, and the checker follows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fenliu::directory::{Directory, DomainId};
use fenliu::model::{AccountId, Status};
use fenliu::routing::{Command, Conversation, Here, Rearranged};

use crate::checker::{Presence, missing};
use crate::run::{GRACE, Run, table};
use crate::store::{Config, Rows};

impl Run {
    /// Another configuration is loaded, if what is drawn is allowed; sometimes the same one.
    pub fn reload(&mut self) -> Result<(), String> {
        self.is_taken()?;
        let generation = self.config.directory.generation + 1;
        let other = if self.random.percent(20) {
            Some((self.config.draft.clone(), (*self.config.directory).clone()))
        } else {
            self.config.draft.change(&mut self.random, self.now)
        };
        let Some((draft, directory)) = other else { return Ok(()) };
        self.tick()?;
        self.load(Config { draft, directory: Arc::new(Directory { generation, ..directory }) })
    }

    /// One change at a time: the one before is written, and whoever has no account any more is sent away.
    fn is_taken(&mut self) -> Result<(), String> {
        if self.undoes {
            self.store.write_config()?;
        }
        for (who, sessions) in &mut self.connected {
            if !self.config.directory.is_staff(who) {
                sessions.clear();
            }
        }
        Ok(())
    }

    fn load(&mut self, config: Config) -> Result<(), String> {
        let changes = fenliu::directory::changes(&self.config.directory, &config.directory);
        let changes: Vec<_> =
            changes.iter().map(|c| format!("{:?} {:?} {} {}", c.kind, c.what, c.id, c.detail)).collect();
        self.log.push(format!("{} is loaded: {}", self.now, changes.join("; ")));
        let (before, rows) = (Arc::clone(&self.config.directory), self.store.hoped.clone());
        let rehearsed = self.table.rehearse_reload(&config.directory, self.now);
        let rearranged = self.table.reload(Arc::clone(&config.directory), self.now, |_| {});
        if rehearsed != rearranged.affected {
            return Err("a rehearsal says another thing than what happens".to_owned());
        }
        self.store.record(config.clone());
        let newcomers = self.follow(config);
        if newcomers != rearranged.newcomers {
            return Err(format!("{newcomers:?} are new, not {:?}", rearranged.newcomers));
        }
        self.kept(&rows, &rearranged.unsettled)?;
        self.tick()?;
        self.consequences(&before, &rows, &rearranged)?;
        for who in newcomers {
            for session in self.connected.get(&who).cloned().unwrap_or_default() {
                let presence = self.checker.presence.entry(who.clone()).or_default();
                presence.sessions.push(session);
                presence.grace_until = None;
                self.ask(&who, Command::Arrive { session, status: None })?;
            }
        }
        Ok(())
    }

    /// Takes note of a configuration. Says who acts for somebody now and did not before.
    fn follow(&mut self, config: Config) -> Vec<AccountId> {
        let directory = Arc::clone(&config.directory);
        let (old, new) = (acting(&self.config.directory), acting(&directory));
        self.note(&self.config.directory.clone(), &directory);
        self.config = config;
        self.checker.directory = Arc::clone(&directory);
        self.sellers = directory.sellers.keys().cloned().collect();
        self.accounts.extend(new.difference(&old).cloned());
        self.accounts.sort();
        self.accounts.dedup();
        let presence = &mut self.checker.presence;
        self.taken_out = presence.extract_if(.., |who, _| !new.contains(who)).collect();
        let newcomers: Vec<AccountId> = new.difference(&old).cloned().collect();
        for who in &newcomers {
            let status = self.store.hoped.agents.get(who).map_or(Status::Offline, |row| row.status);
            let grace_until = (status != Status::Offline).then_some(self.now + GRACE);
            presence.insert(who.clone(), Presence { grace_until, ..Presence::default() });
        }
        for (who, presence) in presence {
            let domain = directory.domains.iter().find(|domain| domain.agents.contains(who)).unwrap();
            presence.wrap_ups.retain(|wrap_up| domain.sellers.contains(&wrap_up.seller));
            for wrap_up in &mut presence.wrap_ups {
                let group = wrap_up.via.as_ref().and_then(|via| directory.sellers[&wrap_up.seller].group(via));
                if !group.is_some_and(|group| group.members.iter().any(|member| member.account == *who)) {
                    wrap_up.via = None;
                }
            }
        }
        self.checker.excuse(&self.store.hoped);
        newcomers
    }

    /// Counts the domains that become one, and those that become several.
    fn note(&mut self, old: &Directory, new: &Directory) {
        let from_several = |one: &Directory, other: &Directory| {
            let shares = |sellers: &[_]| {
                one.domains.iter().filter(|domain| domain.sellers.iter().any(|id| sellers.contains(id))).count() > 1
            };
            other.domains.iter().filter(|domain| shares(&domain.sellers)).count()
        };
        self.merges += from_several(old, new);
        self.splits += from_several(new, old);
    }

    /// A reload by itself changes no conversation: what follows from it is recorded.
    fn kept(&self, before: &Rows, unsettled: &[DomainId]) -> Result<(), String> {
        let mut facts = Rows::default();
        for domain in self.domains().chain(unsettled.iter().copied()) {
            facts.keep(&self.table.rows(domain));
        }
        for (id, was) in &before.open {
            let is = facts.open.get(id).ok_or_else(|| missing(*id))?;
            if !same(is, was) {
                return Err(format!("a reload makes {is:?}\nof {was:?}"));
            }
        }
        if facts.open.len() == before.open.len() { Ok(()) } else { Err("a reload adds a conversation".to_owned()) }
    }

    /// Invariant 8: what follows from a reload is what was foretold, and concerns only whom it concerns.
    fn consequences(&self, before: &Directory, rows: &Rows, rearranged: &Rearranged) -> Result<(), String> {
        let place = |c: &Conversation| (c.state, c.agent.clone(), c.group.clone());
        let after = &self.config.directory.sellers;
        let mut moved = 0;
        for (id, was) in &rows.open {
            let is = self.store.hoped.open.get(id);
            moved += usize::from(is.map(place) != Some(place(was)));
            let unchanged = after.get(&was.seller) == before.sellers.get(&was.seller);
            if unchanged && was.agent.is_some() && is.map(place) != Some(place(was)) {
                return Err(format!("a reload that changes nothing of {} makes {is:?} of {was:?}", was.seller));
            }
        }
        let foretold = rearranged.affected.number;
        if moved == foretold { Ok(()) } else { Err(format!("{foretold} conversations were to move, {moved} did")) }
    }

    /// The process ends with some of it unwritten, and begins again a while later.
    pub fn restart(&mut self) -> Result<(), String> {
        let count = self.random.below(10);
        self.store.write_before(count)?;
        let recovered = self.store.kill()?;
        self.now = self.now + Duration::from_secs(self.random.below(60) as u64);
        self.log.push(format!("{} begins anew", self.now));
        self.connected.clear();
        self.checker.presence.clear();
        self.follow(self.store.config.clone());
        self.table = table(&self.config.directory, recovered, self.now);
        for account in acting(&self.config.directory) {
            let status = self.store.written.agents.get(&account).map_or(Status::Offline, |row| row.status);
            let grace_until = (status != Status::Offline).then_some(self.now + GRACE);
            self.checker.presence.insert(account, Presence { grace_until, ..Presence::default() });
        }
        self.tick()
    }

    /// A commit fails. With it goes a configuration that is not yet written, now and then.
    pub fn lose_commit(&mut self) -> Result<(), String> {
        let count = self.random.below(10);
        self.store.write_before(count)?;
        if !self.undoes || count.is_multiple_of(2) {
            self.store.write_config()?;
        }
        self.build_again()
    }

    /// The table is built anew in place from what is written; sessions stay.
    pub fn build_again(&mut self) -> Result<(), String> {
        let recovered = self.store.fail()?;
        self.log.push(format!("{} a commit fails", self.now));
        if self.store.config.directory.generation != self.config.directory.generation {
            self.undo();
        }
        for account in acting(&self.config.directory) {
            let status = self.store.written.agents.get(&account).map_or(Status::Offline, |row| row.status);
            let presence = self.checker.presence.entry(account).or_default();
            presence.wrap_ups.clear();
            if presence.sessions.is_empty() && presence.grace_until.is_none() && status != Status::Offline {
                presence.grace_until = Some(self.now + GRACE);
            }
        }
        self.checker.excuse(&self.store.hoped);
        let (connected, gone) = (&self.connected, &self.gone);
        let here = Here {
            session: &|session| connected.values().any(|sessions| sessions.contains(&session)),
            buyer: &|key| !gone.contains(key),
        };
        let directory = Arc::clone(&self.config.directory);
        self.table.restore(directory, recovered, self.now, &here, || {});
        self.tick()
    }

    /// The configuration in force is not written: the one before is back, and so is whom it took out, with its sessions.
    fn undo(&mut self) {
        self.undone += 1;
        self.log.push(format!("{} and with it a configuration", self.now));
        let mut taken_out = std::mem::take(&mut self.taken_out);
        for who in self.follow(self.store.config.clone()) {
            let mut presence = taken_out.remove(&who).unwrap_or_default();
            let here = self.connected.entry(who.clone()).or_default();
            presence.sessions.retain(|session| here.contains(session));
            // A session that came meanwhile has found nothing to do, and comes again.
            here.retain(|session| presence.sessions.contains(session));
            self.checker.presence.insert(who, presence);
        }
    }
}

fn acting(directory: &Directory) -> BTreeSet<AccountId> {
    directory.domains.iter().flat_map(|domain| domain.agents.iter().cloned()).collect()
}

/// Whether two are the same; a start takes every buyer for gone until it is seen.
pub fn same(fact: &Conversation, row: &Conversation) -> bool {
    let mut row = row.clone();
    row.buyer_gone_since = row.buyer_gone_since.and(fact.buyer_gone_since).or(fact.buyer_gone_since);
    row == *fact
}
