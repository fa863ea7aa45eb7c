//! The hot table: which domain a seller, an account, a conversation or a buyer belongs to, and the domains themselves,
//! each under one mutex. Nothing here waits; a map's guard is dropped before a domain is locked, and two domains are
//! never locked at once. A change of configuration takes the write side, commands take the read side.

use std::collections::BTreeSet;
use std::hash::RandomState;
use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};

use super::buyers::{Buyer, Open};
use super::domain::{Acted, Actor, Domain, Sessions, Settings};
use super::event::{AgentRow, Batch, DayRow, Event, GroupRow, Row};
use super::{Command, Conversation, Outcome, Refusal, Said, Tally, View};
use crate::directory::{Directory, Domain as Plan, DomainId};
use crate::model::{AccountId, BuyerKey, ConversationId, KeyHasher, Map, SellerId, Sender, Timestamp};

/// What the table is built from at a start.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Open conversations.
    pub conversations: Vec<Conversation>,
    /// Agents.
    pub agents: Vec<AgentRow>,
    /// Groups' rotations.
    pub groups: Vec<GroupRow>,
    /// The figures of sellers' days.
    pub days: Vec<DayRow>,
}

/// The table.
pub struct Table {
    pub(super) layout: RwLock<Layout>,
    conversations: DashMap<ConversationId, DomainId, KeyHasher>,
    buyers: DashMap<Buyer, Open, KeyHasher>,
    timers: Mutex<BTreeSet<(Timestamp, DomainId)>>,
    wake: Box<dyn Fn() + Send + Sync>,
    pub(super) settings: Settings,
    /// The key of all hashes of client ids.
    pub(super) hasher: RandomState,
}

/// Which domain everything belongs to, under one configuration.
pub(super) struct Layout {
    /// How often it has been changed.
    pub(super) version: u64,
    pub(super) directory: Arc<Directory>,
    /// By id; what is no longer there was built anew under another id.
    pub(super) domains: Vec<Option<Arc<Place>>>,
    pub(super) sellers: Map<SellerId, DomainId>,
    pub(super) accounts: Map<AccountId, DomainId>,
    /// What the store has of accounts that act for nobody now.
    pub(super) absent: Vec<AgentRow>,
    /// The sessions of those whom the last change has taken out: it may still be undone.
    pub(super) absent_sessions: Sessions,
    /// What the store has of the rotations of groups that are not configured now.
    pub(super) absent_groups: Vec<GroupRow>,
    /// The figures of sellers that are not configured now.
    pub(super) absent_days: Vec<DayRow>,
}

/// A domain where it stands in the table.
pub(super) struct Place {
    pub(super) plan: Plan,
    pub(super) cell: Mutex<Cell>,
}

pub(super) struct Cell {
    pub(super) domain: Domain,
    pub(super) armed: Option<Timestamp>,
}

impl Table {
    /// A table of this configuration and what the store has. `wake` is called whenever the next deadline is earlier
    /// than it was; it must not block.
    pub fn new(
        directory: Arc<Directory>,
        settings: Settings,
        recovered: Recovered,
        now: Timestamp,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let table = Self {
            layout: RwLock::new(Layout::empty()),
            conversations: DashMap::default(),
            buyers: DashMap::default(),
            timers: Mutex::new(BTreeSet::new()),
            wake: Box::new(wake),
            settings,
            hasher: RandomState::new(),
        };
        table.fill(directory, recovered, now);
        table
    }

    /// The configuration in force.
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.layout.read().directory)
    }

    /// The domain of a seller.
    pub fn domain_of_seller(&self, seller: &SellerId) -> Option<DomainId> {
        self.layout.read().sellers.get(seller).copied()
    }

    /// The domain of an agent.
    pub fn domain_of_agent(&self, account: &AccountId) -> Option<DomainId> {
        self.layout.read().accounts.get(account).copied()
    }

    /// The domain of an open conversation.
    pub fn domain_of_conversation(&self, conversation: ConversationId) -> Option<DomainId> {
        // A reload moves conversations; nobody is to look in between.
        let _layout = self.layout.read();
        self.domain_of(conversation)
    }

    fn domain_of(&self, conversation: ConversationId) -> Option<DomainId> {
        self.conversations.get(&conversation).map(|domain| *domain)
    }

    /// The open conversations of a buyer, over all sellers.
    pub fn conversations_of_buyer(&self, buyer: &BuyerKey) -> Vec<ConversationId> {
        self.buyers.get(buyer).map(|open| open.all().to_vec()).unwrap_or_default()
    }

    /// The domains in which a buyer has open conversations, each once, in order.
    pub fn domains_of_buyer(&self, buyer: &BuyerKey) -> Vec<DomainId> {
        let open = self.conversations_of_buyer(buyer);
        let mut domains: Vec<_> = open.into_iter().filter_map(|id| self.domain_of_conversation(id)).collect();
        domains.sort_unstable();
        domains.dedup();
        domains
    }

    /// The open conversation of a buyer with a seller.
    pub fn open_of(&self, buyer: &BuyerKey, seller: &SellerId) -> Option<ConversationId> {
        let place = self.place(self.domain_of_seller(seller)?)?;
        let cell = place.cell.lock();
        cell.domain.open_of(buyer, seller)
    }

    /// An open conversation as it is now.
    pub fn view(&self, conversation: ConversationId, now: Timestamp) -> Option<Arc<View>> {
        let place = self.place(self.domain_of_conversation(conversation)?)?;
        let cell = place.cell.lock();
        cell.domain.shown(conversation, now)
    }

    /// What an agent owns now.
    pub fn held_by(&self, account: &AccountId, now: Timestamp) -> Vec<Arc<View>> {
        let place = self.domain_of_agent(account).and_then(|domain| self.place(domain));
        place.map(|place| place.cell.lock().domain.held_by(account, now)).unwrap_or_default()
    }

    /// Whether a sender may have used this id in the conversation before: only the store knows for certain.
    pub fn may_repeat(&self, conversation: ConversationId, sender: &Sender, client_id: &str) -> bool {
        self.with_domain_of(conversation, |domain| domain.may_repeat(conversation, sender, client_id)).unwrap_or(true)
    }

    /// Whether the store has messages of an open conversation that are not known here: whether one of them is repeated
    /// cannot be told.
    pub fn is_partial(&self, conversation: ConversationId) -> bool {
        self.with_domain_of(conversation, |domain| domain.is_partial(conversation)).unwrap_or(false)
    }

    /// Takes what the store has of a conversation's messages, all of them, so that it need not be asked for each new
    /// one. If another one has come meanwhile, nothing changes.
    pub fn remember(&self, conversation: ConversationId, said: &[Said]) {
        self.with_domain_of(conversation, |domain| domain.remember(conversation, said));
    }

    fn with_domain_of<R>(&self, conversation: ConversationId, look: impl FnOnce(&mut Domain) -> R) -> Option<R> {
        let layout = self.layout.read();
        let place = layout.place(self.domain_of(conversation)?)?;
        let mut cell = place.cell.lock();
        Some(look(&mut cell.domain))
    }

    /// Runs a command in a domain. `done` gets what came of it while the domain is still locked, so that what it
    /// sends on is in the order in which it happened; it must not block. Where the domain is no longer there, nothing
    /// is found.
    pub fn act<R>(
        &self,
        domain: DomainId,
        actor: &Actor<'_>,
        command: Command,
        now: Timestamp,
        done: impl FnOnce(Acted) -> R,
    ) -> R {
        let layout = self.layout.read();
        match layout.place(domain) {
            Some(place) => self.act_on(domain, &mut place.cell.lock(), actor, command, now, done),
            None => done(Acted { result: Err(Refusal::NotFound), batch: None, outgoing: Vec::new(), more: false }),
        }
    }

    /// Like [`Table::act`], but gives the command back where what it is about has been closed, or put into another domain
    /// by a reload: whoever gave it looks again.
    ///
    /// # Errors
    /// The command, if the domain is no longer there, or the conversation not in it.
    pub fn try_act<R>(
        &self,
        domain: DomainId,
        actor: &Actor<'_>,
        command: Command,
        now: Timestamp,
        done: impl FnOnce(Acted) -> R,
    ) -> Result<R, Command> {
        let layout = self.layout.read();
        let Some(place) = layout.place(domain) else { return Err(command) };
        let mut cell = place.cell.lock();
        let about = if command.is_about_closed() { None } else { command.conversation() };
        if about.is_some_and(|conversation| !cell.domain.has(conversation)) {
            return Err(command);
        }
        Ok(self.act_on(domain, &mut cell, actor, command, now, done))
    }

    /// Like [`Table::try_act`] for a command that only reads: nothing else happens in the domain.
    ///
    /// # Errors
    /// As there.
    pub fn look<R>(
        &self,
        domain: DomainId,
        actor: &Actor<'_>,
        command: Command,
        now: Timestamp,
        done: impl FnOnce(Result<Outcome, Refusal>) -> R,
    ) -> Result<R, Command> {
        let layout = self.layout.read();
        let Some(place) = layout.place(domain) else { return Err(command) };
        let mut cell = place.cell.lock();
        if command.conversation().is_some_and(|conversation| !cell.domain.has(conversation)) {
            return Err(command);
        }
        Ok(done(cell.domain.look(actor, command, now)))
    }

    fn act_on<R>(
        &self,
        domain: DomainId,
        cell: &mut Cell,
        actor: &Actor<'_>,
        command: Command,
        now: Timestamp,
        done: impl FnOnce(Acted) -> R,
    ) -> R {
        let acted = cell.domain.act(actor, command, now);
        if let Some(batch) = &acted.batch {
            self.follow(domain, batch);
        }
        self.arm(domain, cell);
        done(acted)
    }

    /// Everything that a store has to keep of a domain, as it is now.
    pub fn rows(&self, domain: DomainId) -> Vec<Row> {
        self.place(domain).map(|place| place.cell.lock().domain.rows()).unwrap_or_default()
    }

    /// Applies what was recorded of a domain, as recovery from the records alone would: nothing is decided or told.
    pub fn replay(&self, domain: DomainId, batch: &Batch) {
        let Some(place) = self.place(domain) else { return };
        place.cell.lock().domain.replay(batch);
        self.follow(domain, batch);
    }

    /// When the next domain has something to do by itself.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.lock().first().map(|(at, _)| *at)
    }

    /// The domains that have something to do by now.
    pub fn due(&self, now: Timestamp) -> Vec<DomainId> {
        self.timers.lock().iter().take_while(|(at, _)| *at <= now).map(|(_, domain)| *domain).collect()
    }

    /// What an operator sees of all domains, each looked at by itself.
    pub fn tally(&self, now: Timestamp) -> Tally {
        let places: Vec<_> = self.layout.read().domains.iter().flatten().cloned().collect();
        let mut tally = Tally::default();
        for place in places {
            place.cell.lock().domain.tally(&mut tally, now);
        }
        tally
    }

    /// How many conversations are open.
    pub fn open(&self) -> usize {
        self.conversations.len()
    }

    fn place(&self, domain: DomainId) -> Option<Arc<Place>> {
        self.layout.read().place(domain).cloned()
    }

    /// The maps follow what has happened.
    fn follow(&self, domain: DomainId, batch: &Batch) {
        for event in &batch.events {
            match event {
                Event::Started { conversation } | Event::Reopened { conversation, .. } => {
                    self.conversations.insert(conversation.id, domain);
                    self.remember_buyer(conversation);
                }
                Event::Closed { conversation, .. } => {
                    self.conversations.remove(conversation);
                    self.forget_buyer(*conversation, batch);
                }
                _ => {}
            }
        }
    }

    fn forget_buyer(&self, id: ConversationId, batch: &Batch) {
        let closed = batch.rows.iter().find_map(|row| match row {
            super::Row::Conversation(conversation) if conversation.id == id => Some(&conversation.profile.key),
            _ => None,
        });
        let Some(key) = closed else { return };
        self.buyers.remove_if_mut(key, |_, open| open.remove(id));
    }

    /// An open conversation is in this domain now.
    pub(super) fn settle_in(&self, conversation: &Conversation, domain: DomainId) {
        if self.conversations.insert(conversation.id, domain).is_none() {
            self.remember_buyer(conversation);
        }
    }

    fn remember_buyer(&self, conversation: &Conversation) {
        let open = self.buyers.entry(Buyer::of(&conversation.profile));
        open.and_modify(|open| open.add(conversation.id)).or_insert(Open::One(conversation.id));
    }

    /// Forgets every open conversation.
    pub(super) fn forget_all(&self) {
        self.conversations.clear();
        self.buyers.clear();
    }

    /// A domain has nothing to do any more.
    pub(super) fn disarm(&self, domain: DomainId, cell: &mut Cell) {
        if let Some(armed) = cell.armed.take() {
            self.timers.lock().remove(&(armed, domain));
        }
    }

    pub(super) fn arm(&self, domain: DomainId, cell: &mut Cell) {
        let next = cell.domain.next_deadline();
        if next == cell.armed {
            return;
        }
        let mut timers = self.timers.lock();
        let first = timers.first().map(|(at, _)| *at);
        if let Some(armed) = cell.armed {
            timers.remove(&(armed, domain));
        }
        timers.extend(next.map(|at| (at, domain)));
        cell.armed = next;
        let earlier = next.is_some_and(|next| first.is_none_or(|first| next < first));
        drop(timers);
        if earlier {
            (self.wake)();
        }
    }
}
