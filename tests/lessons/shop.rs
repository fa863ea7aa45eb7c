//! A table in which one says in a line what happens: for tests that tell a story.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fenliu::directory::{Directory, DomainId};
use fenliu::model::{
    AccountId, Body, BuyerKey, Caller, ConversationId, EntryId, SellerId, SessionId, State, Status, Timestamp,
    Visibility,
};
use fenliu::routing::{
    Acted, Actor, Command, Conversation, DayRow, Decision, Destination, Earlier, Event, Here, Hypothesis, NewMessage,
    Notice, Outcome, Outgoing, Past, Profile, Recipient, Recovered, Refusal, Reopen, Row, Settings, Start, Table, View,
};

/// 2026-11-24 12:00 in Shanghai.
pub const NOON: Timestamp = Timestamp::from_micros(1_795_492_800_000_000);

/// One seller `tea` with the main account `lin`, and whoever is named; everybody may do everything.
pub fn shop(people: &[(&str, u32)], groups: &str) -> Shop {
    Shop::new(&format!("{}{}", accounts(people), seller("tea", "lin", people, groups)))
}

/// Staff, and the main account `lin`.
pub fn accounts(people: &[(&str, u32)]) -> String {
    let mut text = certified("lin", "2036-12-31");
    for (who, capacity) in people {
        text += &format!("[[sub_account]]\nid = \"{who}\"\nkind = \"staff\"\ncapacity = {capacity}\n");
    }
    text
}

/// A certified account.
pub fn certified(id: &str, until: &str) -> String {
    format!(
        "[[account]]\nid = \"{id}\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"\ncertified_until = {until}\n"
    )
}

/// A seller that authorises these people to do everything; its first group is its default.
pub fn seller(id: &str, account: &str, people: &[(&str, u32)], groups: &str) -> String {
    let mut text = format!(
        "[[seller]]\nid = \"{id}\"\nname = \"{id}\"\nlicence_name = \"{id}\"\naccount = \"{account}\"\nshop = \"shop-{id}\"\n\
         default_group = \"all\"\n"
    );
    for (who, _) in people {
        text += &format!(
            "[[seller.authorization]]\nsub_account = \"{who}\"\nrole = \"agent\"\nscopes = [\"conversation.claim\", \
             \"conversation.assign\", \"conversation.exceed\", \"conversation.monitor\", \"presence.set.others\", \
             \"desk.view\", \"routing.explain\", \"conversation.read.seller\"]\n"
        );
    }
    text + groups
}

/// A table, its store, and a clock that moves by hand.
pub struct Shop {
    pub table: Arc<Table>,
    pub directory: Arc<Directory>,
    pub now: Timestamp,
    pub rows: BTreeMap<ConversationId, Conversation>,
    pub kept: Recovered,
    pub told: Vec<Outgoing>,
    pub decisions: Vec<(ConversationId, Arc<Decision>)>,
    sessions: BTreeMap<String, Vec<SessionId>>,
    next_id: u128,
}

impl Shop {
    pub fn new(text: &str) -> Self {
        let directory = Directory::from_toml(text, NOON).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        let directory = Arc::new(directory);
        let table = Table::new(Arc::clone(&directory), Settings::default(), Recovered::default(), NOON, || {});
        Self {
            table: Arc::new(table),
            directory,
            now: NOON,
            rows: BTreeMap::new(),
            kept: Recovered::default(),
            told: Vec::new(),
            decisions: Vec::new(),
            sessions: BTreeMap::new(),
            next_id: 0,
        }
    }

    /// The daemon stops and starts again, so long after.
    pub fn restart(&mut self, after: u64) {
        self.now = self.now + Duration::from_secs(after);
        self.sessions.clear();
        let table = Table::new(Arc::clone(&self.directory), Settings::default(), self.recovered(), self.now, || {});
        self.table = Arc::new(table);
        self.tick();
    }

    /// What the store has.
    fn recovered(&self) -> Recovered {
        let open = self.rows.values().filter(|conversation| conversation.state != State::Closed);
        Recovered { conversations: open.cloned().collect(), ..self.kept.clone() }
    }

    /// Another configuration is taken.
    pub fn reload(&mut self, text: &str) {
        let directory = Directory::from_toml(text, self.now).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        self.directory = Arc::new(directory);
        self.table.reload(Arc::clone(&self.directory), self.now, |_| {});
        self.wait(0);
    }

    /// Another configuration is taken, and cannot be written: nothing of it was told, and the one before is back.
    pub fn reload_in_vain(&mut self, text: &str) {
        let directory = Directory::from_toml(text, self.now).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
        self.table.reload(Arc::new(directory), self.now, |_| {});
        for domain in self.table.due(self.now) {
            self.table.act(domain, &Actor::default(), Command::Tick, self.now, drop);
        }
        let sessions = self.sessions.values().flatten().copied().collect::<Vec<_>>();
        let here = Here { session: &|session| sessions.contains(&session), buyer: &|_| true };
        self.table.restore(Arc::clone(&self.directory), self.recovered(), self.now, &here, || {});
        self.tick();
    }

    /// Time passes; everything that comes due acts when it does.
    pub fn wait(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(next) = self.table.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.tick();
        }
        self.now = until;
    }

    /// Time is looked at, whether anything is due or not.
    pub fn look(&mut self) {
        for domain in self.directory.domains.clone() {
            let domain = self.table.domain_of_seller(&domain.sellers[0]).unwrap();
            self.run(domain, None, None, Command::Tick).unwrap();
        }
    }

    fn tick(&mut self) {
        for domain in self.table.due(self.now) {
            self.run(domain, None, None, Command::Tick).unwrap();
        }
    }

    /// Runs a command and keeps what came of it.
    fn run(
        &mut self,
        domain: DomainId,
        caller: Option<&Caller>,
        session: Option<SessionId>,
        command: Command,
    ) -> Result<Outcome, Refusal> {
        let actor = Actor { caller, session };
        let mut acted = self.table.act(domain, &actor, command, self.now, |acted| acted);
        let (result, mut more) = (acted.result.clone(), acted.more);
        self.keep(&mut acted);
        while more {
            let mut rest = self.table.act(domain, &Actor::default(), Command::Tick, self.now, |acted| acted);
            more = rest.more;
            self.keep(&mut rest);
        }
        result
    }

    fn keep(&mut self, acted: &mut Acted) {
        self.told.append(&mut acted.outgoing);
        let Some(batch) = acted.batch.take() else { return };
        for event in &batch.events {
            if let Event::Decided { conversation, decision } = event {
                self.decisions.push((*conversation, Arc::clone(decision)));
            }
        }
        for row in batch.rows {
            match row {
                Row::Conversation(conversation) => {
                    self.rows.insert(conversation.id, *conversation);
                }
                Row::Tail { conversation, rev, first_reply_at, tail } => {
                    let row = self.rows.get_mut(&conversation).unwrap();
                    (row.rev, row.first_reply_at, row.tail) = (rev, first_reply_at, tail);
                }
                Row::Agent(row) => {
                    self.kept.agents.retain(|kept| kept.account != row.account);
                    self.kept.agents.push(row);
                }
                Row::Group(row) => {
                    self.kept.groups.retain(|kept| (&kept.seller, &kept.group) != (&row.seller, &row.group));
                    self.kept.groups.push(row);
                }
                Row::Day(row) => {
                    self.kept.days.retain(|kept| kept.seller != row.seller);
                    self.kept.days.push(*row);
                }
                Row::Counted(counted) => {
                    if !self.kept.days.iter().any(|kept| kept.seller == counted.seller) {
                        self.kept.days.push(DayRow::of(counted.seller.clone()));
                    }
                    let row = self.kept.days.iter_mut().find(|kept| kept.seller == counted.seller).unwrap();
                    row.day.count(counted.date, &counted.what);
                }
            }
        }
    }

    fn id(&mut self) -> u128 {
        self.next_id += 1;
        self.next_id
    }

    fn of_seller(&self, seller: &str) -> DomainId {
        self.table.domain_of_seller(&seller.into()).unwrap()
    }

    /// A buyer starts with `tea`.
    pub fn start(&mut self, buyer: &str) -> ConversationId {
        self.start_at("tea", buyer, &[], None)
    }

    /// A buyer starts with a seller, with a context and a first text.
    pub fn start_at(
        &mut self,
        seller: &str,
        buyer: &str,
        context: &[(&str, &str)],
        text: Option<&str>,
    ) -> ConversationId {
        let start = self.starting(seller, buyer, context, text);
        let domain = self.of_seller(seller);
        let caller = buyer_caller(buyer);
        match self.run(domain, Some(&caller), None, Command::Start(Box::new(start))).unwrap() {
            Outcome::Started { view, .. } => view.id,
            other => panic!("{other:?}"),
        }
    }

    pub fn starting(&mut self, seller: &str, buyer: &str, context: &[(&str, &str)], text: Option<&str>) -> Start {
        let id = self.id();
        Start {
            conversation: ConversationId(id),
            seller: seller.into(),
            entry: EntryId::from(format!("shop-{seller}")),
            profile: profile(buyer),
            context: context.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            message: text.map(|text| NewMessage { text: Some(text.to_lowercase().into()), ..message(id) }),
            past: self.past(seller, buyer),
            open: 0,
        }
    }

    fn past(&self, seller: &str, buyer: &str) -> Past {
        let mut closed: Vec<_> =
            self.rows.values().filter(|c| c.state == State::Closed && !c.held.is_empty()).collect();
        closed.retain(|c| c.seller.as_str() == seller && &*c.profile.key.sub == buyer);
        let last = closed.into_iter().max_by_key(|c| c.rare.closed_at);
        Past { recent: last.and_then(|c| c.held.last().cloned().zip(c.rare.closed_at)) }
    }

    /// What a hypothetical buyer of a seller would be told.
    pub fn explain(&mut self, seller: &str, buyer: &str) -> Arc<Decision> {
        let hypothesis = Hypothesis {
            seller: seller.into(),
            profile: profile(buyer),
            context: Arc::from([]),
            text: None,
            past: self.past(seller, buyer),
        };
        let domain = self.of_seller(seller);
        match self.run(domain, Some(&operator()), None, Command::Explain(Box::new(hypothesis))).unwrap() {
            Outcome::Decision(decision) => decision,
            other => panic!("{other:?}"),
        }
    }

    /// Somebody's session opens and asks for `online`.
    pub fn online(&mut self, who: &str) {
        self.arrive(who, Some(Status::Online));
    }

    /// Somebody's session opens.
    pub fn arrive(&mut self, who: &str, status: Option<Status>) {
        let session = SessionId(self.id());
        self.sessions.entry(who.to_owned()).or_default().push(session);
        self.by_agent(who, Command::Arrive { session, status }).unwrap();
    }

    /// One of somebody's sessions drops.
    pub fn drop_session(&mut self, who: &str) {
        let session = self.sessions.get_mut(who).and_then(Vec::pop).unwrap();
        self.by_agent(who, Command::Leave { session }).unwrap();
    }

    /// Somebody's sessions are gone, and the table has not heard of it.
    pub fn hang_up(&mut self, who: &str) {
        self.sessions.remove(who);
    }

    /// Somebody sets its status.
    pub fn set(&mut self, who: &str, status: Status, reroute: bool) -> Result<Outcome, Refusal> {
        self.by_agent(who, Command::SetStatus { agent: None, seller: None, status, reroute })
    }

    /// Somebody sets another's status for a seller.
    pub fn set_other(&mut self, by: &str, who: &str, seller: &str, status: Status, reroute: bool) {
        let (agent, seller) = (Some(who.into()), Some(seller.into()));
        self.by_agent(by, Command::SetStatus { agent, seller, status, reroute }).unwrap();
    }

    /// Somebody asks something.
    pub fn by_agent(&mut self, who: &str, command: Command) -> Result<Outcome, Refusal> {
        let account = AccountId::from(who);
        let domain = self.table.domain_of_agent(&account).unwrap();
        self.run(domain, Some(&Caller::Staff { account, sellers: None }), None, command)
    }

    /// A buyer asks something about a conversation.
    pub fn by_buyer(&mut self, id: ConversationId, command: Command) -> Result<Outcome, Refusal> {
        let row = &self.rows[&id];
        let caller = Caller::Buyer { key: row.profile.key.clone(), sellers: None };
        let domain = self.table.domain_of_seller(&row.seller).unwrap();
        self.run(domain, Some(&caller), None, command)
    }

    /// The buyer's last session drops, or its first opens.
    pub fn buyer_presence(&mut self, id: ConversationId, online: bool) {
        self.by_buyer(id, Command::BuyerPresence { online }).unwrap();
    }

    /// The buyer writes.
    pub fn buyer_writes(&mut self, id: ConversationId) -> Result<Outcome, Refusal> {
        let message = message(self.id());
        let row = self.rows[&id].clone();
        if row.state == State::Closed {
            return self.by_buyer(id, Command::Reopen(Box::new(Reopen { closed: row, message })));
        }
        self.by_buyer(id, Command::Send { conversation: id, message, earlier: Earlier::Asked(None) })
    }

    pub fn accept(&mut self, who: &str, conversation: ConversationId) -> Result<Outcome, Refusal> {
        self.by_agent(who, Command::Accept { conversation })
    }

    pub fn decline(&mut self, who: &str, conversation: ConversationId) -> Result<Outcome, Refusal> {
        self.by_agent(who, Command::Decline { conversation, reason: None })
    }

    pub fn close(&mut self, who: &str, conversation: ConversationId) -> Result<Outcome, Refusal> {
        self.by_agent(who, Command::Close { conversation, reason: None, if_rev: None })
    }

    pub fn claim(&mut self, who: &str, conversation: ConversationId) -> Result<Outcome, Refusal> {
        self.by_agent(who, Command::Claim { conversation, force: false, if_rev: None })
    }

    pub fn assign(
        &mut self,
        by: &str,
        to: &str,
        conversation: ConversationId,
        force: bool,
    ) -> Result<Outcome, Refusal> {
        self.by_agent(by, Command::Assign { conversation, agent: to.into(), force, if_rev: None })
    }

    pub fn transfer(&mut self, by: &str, conversation: ConversationId, group: &str) -> Result<Outcome, Refusal> {
        let to = Destination::Group(group.into());
        self.by_agent(by, Command::Transfer { conversation, to, note: None, force: false, if_rev: None })
    }

    pub fn hand_to(&mut self, by: &str, conversation: ConversationId, to: &str) -> Result<Outcome, Refusal> {
        let to = Destination::Agent(to.into());
        self.by_agent(by, Command::Transfer { conversation, to, note: None, force: false, if_rev: None })
    }

    /// The state of a conversation.
    pub fn state(&self, id: ConversationId) -> State {
        self.rows[&id].state
    }

    /// Who has it or is asked.
    pub fn agent(&self, id: ConversationId) -> Option<&str> {
        self.rows[&id].agent.as_ref().map(AccountId::as_str)
    }

    /// How many conversations somebody has or is asked for.
    pub fn held(&self, who: &str) -> usize {
        let held = self.rows.values().filter(|c| matches!(c.state, State::Active | State::Offered));
        held.filter(|c| c.agent.as_ref().is_some_and(|agent| agent.as_str() == who)).count()
    }

    /// The conversation as it is shown.
    pub fn view(&mut self, id: ConversationId) -> Arc<View> {
        let domain = self.table.domain_of_seller(&self.rows[&id].seller).unwrap();
        match self.run(domain, Some(&operator()), None, Command::Get { conversation: id }).unwrap() {
            Outcome::Conversation(view) => view,
            other => panic!("{other:?}"),
        }
    }

    /// What somebody of the staff was told so far; and no more of it.
    pub fn told_to(&mut self, who: &str) -> Vec<Notice> {
        let who = Recipient::Staff(who.into());
        let told = self.told.iter().filter(|outgoing| outgoing.to.contains(&who));
        told.map(|outgoing| outgoing.notice.clone()).collect()
    }

    /// What a buyer was told so far.
    pub fn told_to_buyer(&mut self, who: &str) -> Vec<Notice> {
        let who = Recipient::Buyer(key(who));
        let told = self.told.iter().filter(|outgoing| outgoing.to.contains(&who));
        told.map(|outgoing| outgoing.notice.clone()).collect()
    }

    /// The last trace of a conversation.
    pub fn trace(&self, id: ConversationId) -> Arc<Decision> {
        let mut of = self.decisions.iter().rev().filter(|(conversation, _)| *conversation == id);
        Arc::clone(&of.next().unwrap().1)
    }

    /// The seller by this name.
    pub fn seller(&self, id: &str) -> SellerId {
        self.directory.sellers.keys().find(|seller| seller.as_str() == id).unwrap().clone()
    }
}

pub fn operator() -> Caller {
    Caller::Operator { sub: "op".into() }
}

pub fn key(buyer: &str) -> BuyerKey {
    BuyerKey { within: None, sub: buyer.into() }
}

pub fn profile(buyer: &str) -> Arc<Profile> {
    Arc::new(Profile { key: key(buyer), name: None, attributes: Vec::new() })
}

pub fn buyer_caller(buyer: &str) -> Caller {
    Caller::Buyer { key: key(buyer), sellers: None }
}

pub fn message(id: u128) -> NewMessage {
    NewMessage {
        client_id: format!("m{id}").into(),
        body: Body::from_checked(r#"{"type":"text","text":"hello"}"#),
        text: None,
        visibility: Visibility::All,
    }
}
