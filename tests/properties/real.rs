//! The real table, with a store beside it that does what a journal does: keeps the rows, and the records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fenliu::directory::{Directory, DomainId};
use fenliu::model::{AccountId, Caller, ConversationId, GroupId, SellerId, State, Timestamp};
use fenliu::routing::{
    Acted, Actor, AgentRow, Batch, Command, Conversation, DayRow, Event, GroupRow, Outcome, Recovered, Row, Settings,
    Table, View,
};

/// How long an agent keeps its conversations without a session.
pub const GRACE: Duration = Duration::from_secs(30);

/// What a store keeps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Store {
    pub open: BTreeMap<ConversationId, Conversation>,
    pub closed: BTreeMap<ConversationId, Conversation>,
    pub agents: BTreeMap<AccountId, AgentRow>,
    pub groups: BTreeMap<(SellerId, GroupId), GroupRow>,
    pub days: BTreeMap<SellerId, DayRow>,
}

impl Store {
    fn keep(&mut self, rows: &[Row]) {
        for row in rows {
            match row {
                Row::Conversation(conversation) if conversation.state == State::Closed => {
                    self.open.remove(&conversation.id);
                    self.closed.insert(conversation.id, (**conversation).clone());
                }
                Row::Conversation(conversation) => {
                    self.closed.remove(&conversation.id);
                    self.open.insert(conversation.id, (**conversation).clone());
                }
                Row::Tail { conversation, rev, first_reply_at, tail } => {
                    let kept = self.open.get_mut(conversation).expect("a tail belongs to an open conversation");
                    (kept.rev, kept.first_reply_at, kept.tail) = (*rev, *first_reply_at, *tail);
                }
                Row::Agent(agent) => {
                    self.agents.insert(agent.account.clone(), agent.clone());
                }
                Row::Group(group) => {
                    self.groups.insert((group.seller.clone().unwrap(), group.group.clone().unwrap()), group.clone());
                }
                Row::Day(day) => {
                    self.days.insert(day.seller.clone(), (**day).clone());
                }
                Row::Counted(counted) => {
                    let row = self.days.entry(counted.seller.clone());
                    row.or_insert_with(|| DayRow::of(counted.seller.clone())).day.count(counted.date, &counted.what);
                }
            }
        }
    }

    /// What a table is made of.
    pub fn recovered(&self) -> Recovered {
        Recovered {
            conversations: self.open.values().cloned().collect(),
            agents: self.agents.values().cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            days: self.days.values().cloned().collect(),
        }
    }
}

/// A table and its store.
pub struct Real {
    pub table: Table,
    pub store: Store,
    /// The records since the last start, and the rows there were then.
    pub batches: Vec<(DomainId, Batch)>,
    pub begun: (Store, Timestamp),
    directory: Arc<Directory>,
}

impl Real {
    pub fn new(directory: &Arc<Directory>, store: Store, now: Timestamp) -> Self {
        let settings = Settings { presence_grace: GRACE, ..Settings::default() };
        let table = Table::new(Arc::clone(directory), settings, store.recovered(), now, || {});
        Self { table, begun: (store.clone(), now), store, batches: Vec::new(), directory: Arc::clone(directory) }
    }

    /// Runs a command, and what is left of it.
    pub fn act(&mut self, domain: DomainId, actor: &Actor<'_>, command: Command, now: Timestamp) -> Acted {
        let mut acted = self.table.act(domain, actor, command, now, |acted| acted);
        self.keep(domain, acted.batch.as_ref());
        while acted.more {
            let rest = self.table.act(domain, &Actor::default(), Command::Tick, now, |acted| acted);
            self.keep(domain, rest.batch.as_ref());
            acted.more = rest.more;
            acted.outgoing.extend(rest.outgoing);
        }
        acted
    }

    fn keep(&mut self, domain: DomainId, batch: Option<&Batch>) {
        let Some(batch) = batch else { return };
        self.store.keep(&batch.rows);
        self.batches.push((domain, batch.clone()));
    }

    /// Everything open of a domain, as it shows it.
    pub fn views(&self, domain: DomainId, now: Timestamp) -> Vec<Arc<View>> {
        let operator = Caller::Operator { sub: "op".into() };
        let actor = Actor { caller: Some(&operator), session: None };
        let command = Command::ListOpen { seller: None, buyer: None };
        let acted = self.table.act(domain, &actor, command, now, |acted| acted);
        let Ok(Outcome::Conversations(views)) = acted.result else {
            panic!("an operator sees all: {:?}", acted.result)
        };
        views
    }

    /// What the table itself says its rows are.
    pub fn facts(&self) -> Store {
        let mut facts = Store::default();
        for domain in 0..self.directory.domains.len() {
            facts.keep(&self.table.rows(DomainId(domain as u32)));
        }
        facts
    }

    /// What the records alone make of the rows there were at the start.
    pub fn replayed(&self) -> Store {
        let again = Self::new(&self.directory, self.begun.0.clone(), self.begun.1);
        for (domain, batch) in &self.batches {
            again.table.replay(*domain, batch);
        }
        again.facts()
    }

    /// The last holder of a buyer's last conversation with a seller, and when it ended.
    pub fn recent(&self, seller: &SellerId, buyer: &str) -> Option<(AccountId, Timestamp)> {
        let held = self.store.closed.values().filter(|c| c.seller == *seller && &*c.profile.key.sub == buyer);
        let last = held.filter(|c| !c.held.is_empty()).max_by_key(|c| (c.rare.closed_at, c.id))?;
        last.held.last().cloned().zip(last.rare.closed_at)
    }
}

/// Whether an event says that something was decided.
pub fn is_decision(event: &Event) -> bool {
    matches!(event, Event::Decided { .. })
}
