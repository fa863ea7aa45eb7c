//! The hot table: which domain a seller, an account, a conversation or a buyer belongs to, and the domains themselves,
//! each under one mutex. Nothing here waits; a map's guard is dropped before a domain is locked, and two domains are
//! never locked at once. A change of configuration takes the write side, commands take the read side.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};

use super::domain::{Acted, Actor, Domain, Parts, Settings};
use super::event::{AgentRow, Batch, Event, GroupRow, Row};
use super::{Command, Conversation, Refusal, View};
use crate::directory::{Directory, DomainId};
use crate::model::{AccountId, BuyerKey, ConversationId, SellerId, Sender, Timestamp};

/// What the table is built from at a start.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Open conversations.
    pub conversations: Vec<Conversation>,
    /// Agents.
    pub agents: Vec<AgentRow>,
    /// Groups' rotations.
    pub groups: Vec<GroupRow>,
}

/// The table.
pub struct Table {
    layout: RwLock<Layout>,
    conversations: DashMap<ConversationId, DomainId>,
    buyers: DashMap<BuyerKey, Vec<ConversationId>>,
    timers: Mutex<BTreeSet<(Timestamp, DomainId)>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

struct Layout {
    directory: Arc<Directory>,
    cells: Vec<Arc<Mutex<Cell>>>,
    sellers: HashMap<SellerId, DomainId>,
    accounts: HashMap<AccountId, DomainId>,
}

struct Cell {
    domain: Domain,
    armed: Option<Timestamp>,
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
        let mut sellers = HashMap::new();
        let mut accounts = HashMap::new();
        for (at, plan) in directory.domains.iter().enumerate() {
            let id = DomainId(u32::try_from(at).unwrap_or(u32::MAX));
            sellers.extend(plan.sellers.iter().map(|seller| (seller.clone(), id)));
            accounts.extend(plan.agents.iter().map(|account| (account.clone(), id)));
        }
        let (conversations, buyers) = (DashMap::new(), DashMap::<BuyerKey, Vec<ConversationId>>::new());
        let mut parts: Vec<Parts> = directory.domains.iter().map(|_| Parts::default()).collect();
        for conversation in recovered.conversations {
            let Some(id) = sellers.get(&conversation.seller).copied() else { continue };
            conversations.insert(conversation.id, id);
            buyers.entry(conversation.profile.key.clone()).or_default().push(conversation.id);
            parts[id.0 as usize].conversations.push(conversation);
        }
        for agent in recovered.agents {
            if let Some(id) = accounts.get(&agent.account) {
                parts[id.0 as usize].agents.push(agent);
            }
        }
        for group in recovered.groups {
            if let Some(id) = group.seller.as_ref().and_then(|seller| sellers.get(seller)) {
                parts[id.0 as usize].groups.push(group);
            }
        }
        let mut timers = BTreeSet::new();
        let mut cells = Vec::with_capacity(parts.len());
        for (at, (plan, parts)) in directory.domains.iter().zip(parts).enumerate() {
            let domain = Domain::build(&directory, plan, settings, parts, now);
            let armed = domain.next_deadline();
            let id = DomainId(u32::try_from(at).unwrap_or(u32::MAX));
            timers.extend(armed.map(|at| (at, id)));
            cells.push(Arc::new(Mutex::new(Cell { domain, armed })));
        }
        Self {
            layout: RwLock::new(Layout { directory, cells, sellers, accounts }),
            conversations,
            buyers,
            timers: Mutex::new(timers),
            wake: Box::new(wake),
        }
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
        self.conversations.get(&conversation).map(|domain| *domain)
    }

    /// The open conversations of a buyer, over all sellers.
    pub fn conversations_of_buyer(&self, buyer: &BuyerKey) -> Vec<ConversationId> {
        self.buyers.get(buyer).map(|open| open.clone()).unwrap_or_default()
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
        let cell = self.cell(self.domain_of_seller(seller)?)?;
        let cell = cell.lock();
        cell.domain.open_of(buyer, seller)
    }

    /// An open conversation as it is now.
    pub fn view(&self, conversation: ConversationId, now: Timestamp) -> Option<Arc<View>> {
        let cell = self.cell(self.domain_of_conversation(conversation)?)?;
        let cell = cell.lock();
        cell.domain.shown(conversation, now)
    }

    /// What an agent owns now.
    pub fn held_by(&self, account: &AccountId, now: Timestamp) -> Vec<Arc<View>> {
        let cell = self.domain_of_agent(account).and_then(|domain| self.cell(domain));
        cell.map(|cell| cell.lock().domain.held_by(account, now)).unwrap_or_default()
    }

    /// Whether a sender may have used this id in the conversation before: only the store knows for certain.
    pub fn may_repeat(&self, conversation: ConversationId, sender: &Sender, client_id: &str) -> bool {
        let Some(domain) = self.domain_of_conversation(conversation) else { return true };
        let Some(cell) = self.cell(domain) else { return true };
        let cell = cell.lock();
        cell.domain.may_repeat(conversation, sender, client_id)
    }

    /// Runs a command in a domain. `done` gets what came of it while the domain is still locked, so that what it
    /// sends on is in the order in which it happened; it must not block.
    pub fn act<R>(
        &self,
        domain: DomainId,
        actor: &Actor<'_>,
        command: Command,
        now: Timestamp,
        done: impl FnOnce(Acted) -> R,
    ) -> R {
        let layout = self.layout.read();
        let Some(cell) = layout.cells.get(domain.0 as usize) else {
            return done(Acted { result: Err(Refusal::NotFound), batch: None, outgoing: Vec::new(), more: false });
        };
        let mut cell = cell.lock();
        let acted = cell.domain.act(actor, command, now);
        if let Some(batch) = &acted.batch {
            self.follow(domain, batch);
        }
        self.arm(domain, &mut cell);
        done(acted)
    }

    /// Everything that a store has to keep of a domain, as it is now.
    pub fn rows(&self, domain: DomainId) -> Vec<Row> {
        self.cell(domain).map(|cell| cell.lock().domain.rows()).unwrap_or_default()
    }

    /// Applies what was recorded of a domain, as recovery from the records alone would: nothing is decided or told.
    pub fn replay(&self, domain: DomainId, batch: &Batch) {
        let Some(cell) = self.cell(domain) else { return };
        cell.lock().domain.replay(batch);
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

    /// How many conversations are open.
    pub fn open(&self) -> usize {
        self.conversations.len()
    }

    fn cell(&self, domain: DomainId) -> Option<Arc<Mutex<Cell>>> {
        self.layout.read().cells.get(domain.0 as usize).cloned()
    }

    /// The maps follow what has happened.
    fn follow(&self, domain: DomainId, batch: &Batch) {
        for event in &batch.events {
            match event {
                Event::Started { conversation } | Event::Reopened { conversation, .. } => {
                    self.conversations.insert(conversation.id, domain);
                    self.buyers.entry(conversation.profile.key.clone()).or_default().push(conversation.id);
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
        self.buyers.remove_if_mut(key, |_, open| {
            open.retain(|open| *open != id);
            open.is_empty()
        });
    }

    fn arm(&self, domain: DomainId, cell: &mut Cell) {
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
