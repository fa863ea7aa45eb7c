//! A run: what happens next is drawn, done, written or lost, and looked at.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use fenliu::directory::{Directory, DomainId};
use fenliu::model::{
    AccountId, Body, BuyerKey, Caller, ConversationId, SellerId, SessionId, State, Status, Timestamp, Visibility,
};
use fenliu::routing::{Acted, Actor, Command, Conversation, NewMessage, Recovered, Refusal, Settings, Table};

use crate::checker::{Checker, Presence};
use crate::disk::Disk;
use crate::draft::Draft;
use crate::random::Random;
use crate::store::{Config, Rows, Store};
use crate::world::{START, World};

pub const GRACE: Duration = Duration::from_secs(30);

/// How big the table is, and so how often all of it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Small,
    Big,
}

impl Size {
    pub fn buyers(self) -> usize {
        if self == Self::Small { 10 } else { 600 }
    }

    fn every(self) -> usize {
        if self == Self::Small { 1 } else { 1_000 }
    }
}

/// The run.
pub struct Run {
    pub config: Config,
    pub sellers: Vec<SellerId>,
    pub accounts: Vec<AccountId>,
    pub size: Size,
    pub random: Random,
    pub table: Table,
    pub store: Store,
    pub checker: Checker,
    /// Who is connected, and by which sessions.
    pub connected: BTreeMap<AccountId, Vec<SessionId>>,
    /// How many domains were made of several, and how many were made several.
    pub merges: usize,
    pub splits: usize,
    /// Whether configurations are undone, and how many were.
    pub undoes: bool,
    pub undone: usize,
    /// Who does not act any more for anybody since the last configuration, as it was then.
    pub taken_out: BTreeMap<AccountId, Presence>,
    pub now: Timestamp,
    steps: usize,
    next_id: u128,
    /// Whether faults happen and deadlines are late.
    faults: bool,
    /// Buyers of whom the last that was seen is that they went.
    pub gone: HashSet<BuyerKey>,
    pub log: Vec<String>,
}

impl Run {
    pub fn new(world: &World, seed: u64, size: Size) -> Self {
        let config = Config { directory: Arc::clone(&world.directory), draft: Draft::new(&world.text) };
        Self {
            sellers: world.sellers.clone(),
            accounts: world.accounts.clone(),
            connected: BTreeMap::new(),
            merges: 0,
            splits: 0,
            undoes: true,
            undone: 0,
            taken_out: BTreeMap::new(),
            size,
            random: Random::new(seed ^ 0x5EED),
            table: table(&config.directory, Recovered::default(), START),
            store: Store::new(config.clone()),
            checker: Checker::new(&config.directory),
            config,
            now: START,
            steps: 0,
            next_id: 0,
            faults: true,
            gone: HashSet::new(),
            log: Vec::new(),
        }
    }

    /// A run whose table is recovered from the real store.
    pub fn on_disk(world: &World, seed: u64, size: Size) -> Self {
        let mut run = Self::new(world, seed, size);
        run.store.disk = Some(Disk::new(seed, &run.config));
        run
    }

    /// The last things that happened.
    pub fn log(&self) -> String {
        let from = self.log.len().saturating_sub(60);
        self.log[from..].iter().fold(String::new(), |mut all, line| {
            let _ = writeln!(all, "{line}");
            all
        })
    }

    /// Something happens.
    pub fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        let draw = self.random.next() % 1_000;
        let (restarts, lost) = if self.store.disk.is_some() { (8, 16) } else { (2, 4) };
        match draw {
            _ if self.faults && draw < restarts => self.restart()?,
            _ if self.faults && draw < lost => self.lose_commit()?,
            4 if self.faults && self.undoes => {
                self.reload()?;
                self.build_again()?;
            }
            4..24 if self.size == Size::Small => self.reload()?,
            4..7 => self.reload()?,
            0..180 => self.pass(false)?,
            180..200 => self.pass(true)?,
            _ => self.command(draw)?,
        }
        if self.random.percent(70) {
            let count = self.random.below(4);
            self.store.go_on(count)?;
        }
        if self.steps.is_multiple_of(self.size.every()) { self.look() } else { Ok(()) }
    }

    /// Faults stop and everybody is there: within a bound everything that can be served is.
    pub fn come_to_rest(&mut self) -> Result<(), String> {
        self.faults = false;
        let accounts = self.accounts.clone();
        for account in &accounts {
            self.arrive(account, Some(Status::Online))?;
            self.ask(
                account,
                Command::SetStatus { agent: None, seller: None, status: Status::Online, reroute: false },
            )?;
        }
        // Everybody answers before an offer runs out: who misses some is set away.
        for _ in 0..2_000 {
            self.advance(Duration::from_secs(4))?;
            let held: Vec<Conversation> =
                self.store.hoped.open.values().filter(|c| c.agent.is_some()).cloned().collect();
            for c in held {
                let (agent, conversation) = (c.agent.clone().unwrap(), c.id);
                let command = match c.state {
                    State::Offered => Command::Accept { conversation },
                    _ => Command::Close { conversation, reason: None, if_rev: None },
                };
                self.ask(&agent, command)?;
            }
            self.store.write(usize::MAX)?;
        }
        self.look()?;
        for c in self.store.hoped.open.values() {
            self.could_not_be_served(c)?;
        }
        Ok(())
    }

    /// What still waits at rest has nobody at all who may ever have it.
    fn could_not_be_served(&self, c: &Conversation) -> Result<(), String> {
        let seller = &self.config.directory.sellers[&c.seller];
        let group = seller.group(&c.group).unwrap();
        let helpers = group.overflow.iter().filter_map(|step| seller.group(&step.to));
        let members = std::iter::once(group).chain(helpers).flat_map(|group| &group.members);
        let able = members.filter(|member| {
            let authorization = seller.agents.get(&member.account);
            let receives =
                authorization.is_some_and(|a| a.scopes.has(fenliu::policy::Scope::Receive) && a.in_force(self.now));
            receives && c.exclusion(&member.account).is_none()
        });
        let old = self.now.since(c.queued_at) > group.left_message_age;
        let kept = c.state == State::LeftMessage && (!group.pickup_left_messages || old);
        let able: Vec<_> = able.map(|member| member.account.as_str()).collect();
        if able.is_empty() || kept { Ok(()) } else { Err(format!("{} was never served by {able:?}: {c:?}", c.id)) }
    }

    /// Looks at everything: invariants 1 to 3, 6, 7.
    fn look(&mut self) -> Result<(), String> {
        let mut facts = Rows::default();
        for domain in self.domains() {
            facts.keep(&self.table.rows(domain));
        }
        self.equal(&facts)?;
        self.store.holds_what_it_acknowledged()?;
        if self.table.next_deadline().is_some_and(|next| next <= self.now) {
            return Ok(());
        }
        for plan in &self.config.directory.domains {
            self.checker.state(plan, &facts, self.now)?;
        }
        Ok(())
    }

    /// Invariant 7: the rows handed to the store are the table's.
    fn equal(&self, facts: &Rows) -> Result<(), String> {
        let hoped = &self.store.hoped;
        for (id, c) in &facts.open {
            let row = hoped.open.get(id).ok_or_else(|| crate::checker::missing(*id))?;
            if !crate::reload::same(c, row) {
                return Err(format!("the table has {c:?}\nthe store {row:?}"));
            }
        }
        let gone = hoped.open.keys().find(|id| !facts.open.contains_key(id));
        let agent = hoped.agents.iter().find(|(id, row)| facts.agents.get(*id).is_some_and(|fact| fact != *row));
        let group = hoped.groups.iter().find(|(id, row)| facts.groups.get(*id).is_some_and(|fact| fact != *row));
        match gone {
            Some(id) => Err(crate::checker::missing(*id)),
            None => match (agent, group) {
                (Some((id, row)), _) => Err(format!("the table has {:?}\nthe store {row:?}", facts.agents[id])),
                (_, Some((id, row))) => Err(format!("the table has {:?}\nthe store {row:?}", facts.groups[id])),
                (None, None) => Ok(()),
            },
        }
    }

    pub fn domains(&self) -> impl Iterator<Item = DomainId> + use<'_> {
        let plans = self.config.directory.domains.iter();
        plans.map(|plan| self.table.domain_of_seller(&plan.sellers[0]).expect("a seller has a domain"))
    }

    /// Time passes, from deadline to deadline, or past some of them.
    fn pass(&mut self, late: bool) -> Result<(), String> {
        let span = Duration::from_millis(*self.random.one(&[1, 100, 1_000, 1_000, 5_000, 20_000, 45_000]));
        if late && self.faults {
            self.now = self.now + span;
            return self.tick();
        }
        self.advance(span)
    }

    fn advance(&mut self, span: Duration) -> Result<(), String> {
        let until = self.now + span;
        while let Some(next) = self.table.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.tick()?;
        }
        self.now = until;
        self.checker.pass(self.now);
        Ok(())
    }

    pub fn tick(&mut self) -> Result<(), String> {
        for _ in 0..10_000 {
            self.checker.pass(self.now);
            for domain in self.table.due(self.now) {
                let _ = self.act(domain, None, None, Command::Tick)?;
            }
            if self.table.next_deadline().is_none_or(|next| next > self.now) {
                return Ok(());
            }
        }
        Err(format!("something is due for ever at {}", self.now))
    }

    pub fn act(
        &mut self,
        domain: DomainId,
        caller: Option<&Caller>,
        session: Option<SessionId>,
        command: Command,
    ) -> Result<Result<(), Refusal>, String> {
        self.log.push(format!("{} {caller:?} {:.160}", self.now, format!("{command:?}")));
        if self.log.len() > 400 {
            self.log.drain(..200);
        }
        let in_order = self.size == Size::Small && !names_somebody(&command);
        if let (Some(Caller::Buyer { key, .. }), Command::BuyerPresence { online }) = (caller, &command) {
            if *online {
                self.gone.remove(key);
            } else {
                self.gone.insert(key.clone());
            }
        }
        let actor = Actor { caller, session };
        let mut acted = self.table.act(domain, &actor, command, self.now, |acted| acted);
        let result = acted.result.clone().map(|_| ());
        let mut more = self.take(&mut acted, in_order)?;
        while more {
            let mut rest = self.table.act(domain, &Actor::default(), Command::Tick, self.now, |acted| acted);
            more = self.take(&mut rest, in_order)?;
        }
        Ok(result)
    }

    fn take(&mut self, acted: &mut Acted, in_order: bool) -> Result<bool, String> {
        self.checker.secrets(acted, &self.store.hoped, self.now)?;
        if let Some(batch) = acted.batch.take() {
            let before = if in_order { self.store.hoped.clone() } else { Rows::default() };
            self.checker.follow(&batch, self.now);
            self.store.send(batch.clone());
            if in_order {
                self.checker.order(&batch, &before, &self.store.hoped)?;
            }
        }
        Ok(acted.more)
    }

    /// Somebody asks something of the domain it is in; what the rules refuse is fine.
    pub fn ask(&mut self, who: &AccountId, command: Command) -> Result<(), String> {
        let Some(domain) = self.table.domain_of_agent(who) else { return Ok(()) };
        let caller = Caller::Staff { account: who.clone(), sellers: None };
        self.act(domain, Some(&caller), None, command).map(drop)
    }

    pub fn arrive(&mut self, who: &AccountId, status: Option<Status>) -> Result<(), String> {
        if !self.config.directory.is_staff(who) {
            return Ok(());
        }
        let session = SessionId(self.id());
        self.connected.entry(who.clone()).or_default().push(session);
        if self.table.domain_of_agent(who).is_none() {
            return Ok(());
        }
        let presence = self.checker.presence.entry(who.clone()).or_default();
        presence.sessions.push(session);
        presence.grace_until = None;
        self.ask(who, Command::Arrive { session, status })
    }

    pub fn leave(&mut self, who: &AccountId) -> Result<(), String> {
        let Some(session) = self.connected.get_mut(who).and_then(Vec::pop) else { return Ok(()) };
        let status = self.store.hoped.agents.get(who).map_or(Status::Offline, |row| row.status);
        let Some(presence) = self.checker.presence.get_mut(who) else { return Ok(()) };
        presence.sessions.retain(|open| *open != session);
        if presence.sessions.is_empty() && status != Status::Offline {
            presence.grace_until = Some(self.now + GRACE);
        }
        self.ask(who, Command::Leave { session })
    }

    pub fn id(&mut self) -> u128 {
        self.next_id += 1;
        self.next_id
    }

    pub fn agent(&mut self) -> AccountId {
        self.random.one(&self.accounts).clone()
    }

    /// Some open conversation, of a state if there is one.
    pub fn some(&mut self, state: Option<State>) -> Option<Conversation> {
        let open = &self.store.hoped.open;
        let from = ConversationId(u128::from(self.random.next()) % (self.next_id + 1));
        let mut around = open.range(from..).chain(open.range(..from)).map(|(_, c)| c).take(64);
        around.find(|c| state.is_none_or(|state| c.state == state)).cloned()
    }
}

/// Whether a command gives to somebody named, whatever the order.
fn names_somebody(command: &Command) -> bool {
    matches!(command, Command::Claim { .. } | Command::Assign { .. } | Command::Transfer { .. } | Command::Reopen(_))
}

pub fn message(id: u128) -> NewMessage {
    let body = Body::from_checked(r#"{"type":"text","text":"hello"}"#);
    NewMessage { client_id: format!("m{id}").into(), body, text: None, visibility: Visibility::All }
}

pub fn table(directory: &Arc<Directory>, recovered: Recovered, now: Timestamp) -> Table {
    let settings = Settings { presence_grace: GRACE, ..Settings::default() };
    Table::new(Arc::clone(directory), settings, recovered, now, || {})
}
