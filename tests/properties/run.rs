//! A run: the same steps on the reference and on the real table, compared after each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use fenliu::directory::DomainId;
use fenliu::model::{
    AccountId, Body, BuyerKey, Caller, ConversationId, EntryId, SellerId, SessionId, State, Status, Timestamp,
    Visibility,
};
use fenliu::routing::{
    Acted, Actor, Command, Conversation, Destination, Earlier, NewMessage, Past, Profile, Refusal, Reopen, Start,
};

use crate::check;
use crate::model::Model;
use crate::model::command::Said;
use crate::real::{GRACE, Real};
use crate::steps::Step;
use crate::world::{BUYERS, START, World};

/// Both, side by side.
pub struct Run<'a> {
    pub world: &'a World,
    pub models: Vec<Model>,
    pub real: Real,
    pub now: Timestamp,
    pub log: String,
    sessions: BTreeMap<AccountId, Vec<SessionId>>,
    next_id: u128,
}

impl<'a> Run<'a> {
    pub fn new(world: &'a World) -> Self {
        let plans = world.directory.domains.iter();
        let models = plans.map(|plan| Model::new(&world.directory, plan, GRACE, START)).collect();
        let real = Real::new(&world.directory, crate::real::Store::default(), START);
        Self { world, models, real, now: START, log: String::new(), sessions: BTreeMap::new(), next_id: 1 }
    }

    /// One step; what differs, if something does.
    pub fn step(&mut self, step: Step) -> Result<(), String> {
        let _ = writeln!(self.log, "{} {step:?}", self.now);
        match step {
            Step::Wait { tenths } => return self.wait(Duration::from_millis(tenths * 100)),
            Step::Restart { seconds } => return self.restart(Duration::from_secs(seconds)),
            _ => {}
        }
        self.now = self.now + Duration::from_micros(self.next_id as u64 % 3);
        self.ask(step)?;
        self.tick()
    }

    fn ask(&mut self, step: Step) -> Result<(), String> {
        let all: Vec<ConversationId> = self.real.store.open.keys().copied().collect();
        let id = |at: usize| if all.is_empty() { None } else { Some(all[at % all.len()]) };
        match step {
            Step::Start { buyer, seller, source, message } => self.start(buyer, seller, source, message),
            Step::BuyerSends { at } => self.with(id(at), |run, c| {
                let (caller, command) = (buyer_of(&c), send(&c, run.fresh_id()));
                run.both(c, caller, command, |model, c| model.send(c.id, None))
            }),
            Step::OwnerSends { at } => self.with(self.some(at, State::Active), |run, c| {
                let owner = c.owner().cloned().unwrap();
                let command = send(&c, run.fresh_id());
                run.both(c, staff(&owner), command, |model, c| model.send(c.id, Some(&owner)))
            }),
            Step::BuyerCloses { at } => self.with(id(at), |run, c| {
                let (caller, command) = (buyer_of(&c), close(&c));
                run.both(c, caller, command, |model, c| model.close_by(c.id))
            }),
            Step::OwnerCloses { at } => self.with(self.some(at, State::Active), |run, c| {
                let (caller, command) = (staff(c.owner().unwrap()), close(&c));
                run.both(c, caller, command, |model, c| model.close_by(c.id))
            }),
            Step::Accept { at } => self.with(self.some(at, State::Offered), |run, c| {
                let asked = c.agent.clone().unwrap();
                run.both(c.clone(), staff(&asked), Command::Accept { conversation: c.id }, |model, c| {
                    model.accept(c.id, &asked)
                })
            }),
            Step::Decline { at } => self.with(self.some(at, State::Offered), |run, c| {
                let asked = c.agent.clone().unwrap();
                let command = Command::Decline { conversation: c.id, reason: None };
                run.both(c, staff(&asked), command, |model, c| model.decline(c.id, &asked))
            }),
            Step::TransferToGroup { at, by, group } => self.with(self.some(at, State::Active), |run, c| {
                let by = if by.is_multiple_of(3) { run.agent(by) } else { c.agent.clone().unwrap() };
                let groups = &run.world.directory.sellers[&c.seller].groups;
                let to = groups[group % groups.len()].id.clone();
                let command = transfer(&c, Destination::Group(to.clone()), false);
                run.both(c, staff(&by), command, |model, c| model.transfer_to_group(c.id, &by, &to))
            }),
            Step::TransferToAgent { at, agent, force } => self.with(self.some(at, State::Active), |run, c| {
                let (owner, to) = (c.agent.clone().unwrap(), run.agent(agent));
                let command = transfer(&c, Destination::Agent(to.clone()), force);
                run.both(c, staff(&owner), command, |model, c| model.hand(c.id, &to, force, true))
            }),
            Step::Claim { at, by, force } => self.with(id(at), |run, c| {
                let by = run.agent(by);
                let command = Command::Claim { conversation: c.id, force, if_rev: None };
                run.both(c, staff(&by), command, |model, c| model.claim(c.id, &by, force))
            }),
            Step::Assign { at, by, agent, force } => self.with(id(at), |run, c| {
                let (by, agent) = (run.agent(by), run.agent(agent));
                let command = Command::Assign { conversation: c.id, agent: agent.clone(), force, if_rev: None };
                run.both(c, staff(&by), command, |model, c| model.hand(c.id, &agent, force, false))
            }),
            Step::Reopen { at } => self.reopen(at),
            _ => self.presence(step),
        }
    }

    fn presence(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Status { agent, status, reroute } => {
                let (agent, status) = (self.agent(agent), status_of(status));
                let command = Command::SetStatus { agent: None, seller: None, status, reroute };
                self.as_agent(&agent.clone(), None, command, |model| model.set_own(&agent, status, reroute))
            }
            Step::SetOther { by, agent, seller, status, reroute } => {
                let (by, other, status) = (self.agent(by), self.agent(agent), status_of(status));
                let seller = self.seller(seller);
                let agent = Some(other.clone());
                let command = Command::SetStatus { agent, seller: Some(seller.clone()), status, reroute };
                let domain = self.real.table.domain_of_seller(&seller).unwrap();
                if self.real.table.domain_of_agent(&by) != Some(domain)
                    || self.real.table.domain_of_agent(&other) != Some(domain)
                {
                    return Ok(());
                }
                self.as_agent(&by, None, command, |model| model.set_other(&other, &seller, status, reroute))
            }
            Step::Arrive { agent, status } => {
                let (agent, session) = (self.agent(agent), SessionId(self.fresh_id()));
                let status = [Some(Status::Online), None, Some(Status::Away), Some(Status::Online)][status % 4];
                self.sessions.entry(agent.clone()).or_default().push(session);
                let command = Command::Arrive { session, status };
                self.as_agent(&agent.clone(), Some(session), command, |model| model.arrive(&agent, session, status))
            }
            Step::Leave { agent } => {
                let agent = self.agent(agent);
                let Some(session) = self.sessions.get_mut(&agent).and_then(Vec::pop) else { return Ok(()) };
                let command = Command::Leave { session };
                self.as_agent(&agent.clone(), Some(session), command, |model| model.drop_session(&agent, session))
            }
            Step::BuyerPresence { buyer, online } => {
                let key = key_of(buyer);
                let caller = Caller::Buyer { key: key.clone(), sellers: None };
                for domain in self.real.table.domains_of_buyer(&key) {
                    let command = Command::BuyerPresence { online };
                    self.on(domain, &caller, None, command, |model| model.buyer_presence(&key, online))?;
                }
                Ok(())
            }
            _ => unreachable!("{step:?} is not about presence"),
        }
    }

    fn start(&mut self, buyer: usize, seller: usize, source: usize, message: bool) -> Result<(), String> {
        let (key, seller) = (key_of(buyer), self.seller(seller));
        let source: Arc<str> = format!("x{}", source % 5).into();
        let id = self.fresh_id();
        let start = Start {
            conversation: ConversationId(id),
            seller: seller.clone(),
            entry: EntryId::from("shop"),
            profile: Arc::new(Profile { key: key.clone(), name: None, attributes: Vec::new() }),
            context: Arc::from([("source".into(), source)]),
            message: message.then(|| new_message(id)),
            past: Past { recent: self.real.recent(&seller, &key.sub) },
            open: 0,
        };
        let domain = self.real.table.domain_of_seller(&seller).unwrap();
        let caller = Caller::Buyer { key, sellers: None };
        let expected = check::hypothesis(self, domain, &start)?;
        self.on(domain, &caller, None, Command::Start(Box::new(start.clone())), |model| model.start(&start))?;
        expected.map_or(Ok(()), |expected| check::as_said(self, &start, &expected))
    }

    fn reopen(&mut self, at: usize) -> Result<(), String> {
        let closed: Vec<&Conversation> = self.real.store.closed.values().collect();
        if closed.is_empty() {
            return Ok(());
        }
        let closed = closed[at % closed.len()].clone();
        let message = new_message(self.fresh_id());
        let caller = buyer_of(&closed);
        let domain = self.real.table.domain_of_seller(&closed.seller).unwrap();
        let command = Command::Reopen(Box::new(Reopen { closed: closed.clone(), message }));
        self.on(domain, &caller, None, command, |model| model.reopen(&closed))
    }

    fn with(
        &mut self,
        id: Option<ConversationId>,
        then: impl FnOnce(&mut Self, Conversation) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(conversation) = id.and_then(|id| self.real.store.open.get(&id)).cloned() else { return Ok(()) };
        then(self, conversation)
    }

    fn both(
        &mut self,
        conversation: Conversation,
        caller: Caller,
        command: Command,
        model: impl FnOnce(&mut Model, &Conversation) -> Said,
    ) -> Result<(), String> {
        let domain = self.real.table.domain_of_seller(&conversation.seller).unwrap();
        if let Caller::Staff { account, .. } = &caller
            && self.real.table.domain_of_agent(account) != Some(domain)
        {
            return Ok(());
        }
        if let Command::Assign { agent, .. } | Command::Transfer { to: Destination::Agent(agent), .. } = &command
            && self.real.table.domain_of_agent(agent) != Some(domain)
        {
            return Ok(());
        }
        self.on(domain, &caller, None, command, |reference| model(reference, &conversation))
    }

    fn as_agent(
        &mut self,
        agent: &AccountId,
        session: Option<SessionId>,
        command: Command,
        model: impl FnOnce(&mut Model) -> Said,
    ) -> Result<(), String> {
        let Some(domain) = self.real.table.domain_of_agent(agent) else { return Ok(()) };
        self.on(domain, &staff(agent), session, command, model)
    }

    fn on(
        &mut self,
        domain: DomainId,
        caller: &Caller,
        session: Option<SessionId>,
        command: Command,
        model: impl FnOnce(&mut Model) -> Said,
    ) -> Result<(), String> {
        let actor = Actor { caller: Some(caller), session };
        let _ = writeln!(self.log, "    {caller:?} {:.300}", format!("{command:?}"));
        let acted = self.real.act(domain, &actor, command, self.now);
        let said = said(&acted);
        if said == Err("Denied") {
            return Ok(());
        }
        let reference = &mut self.models[domain.0 as usize];
        reference.now = self.now;
        let expected = model(reference);
        if said != expected {
            return Err(format!("the answer is {:?}, and {expected:?} by the reference", acted.result));
        }
        check::all(self, domain, &acted)
    }

    /// Time passes, from one deadline to the next.
    fn wait(&mut self, span: Duration) -> Result<(), String> {
        let until = self.now + span;
        for _ in 0..10_000 {
            let models = self.models.iter().filter_map(|model| model.next_deadline());
            let next = models.chain(self.real.table.next_deadline()).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return self.tick();
            };
            self.now = self.now.max(next);
            self.tick()?;
        }
        Err("deadlines go on for ever".to_owned())
    }

    /// Everything due by now acts, on both sides; then nothing is due.
    fn tick(&mut self) -> Result<(), String> {
        for _ in 0..8 {
            for domain in 0..self.models.len() {
                let id = DomainId(domain as u32);
                let acted = self.real.act(id, &Actor::default(), Command::Tick, self.now);
                let reference = &mut self.models[domain];
                reference.now = self.now;
                reference.tick();
                check::all(self, id, &acted)?;
            }
            if self.real.table.next_deadline().is_none_or(|next| next > self.now) {
                return Ok(());
            }
        }
        Err(format!("at {} something stays due: {:?}", self.now, self.real.table.next_deadline()))
    }

    /// The process ends; so long after another begins.
    fn restart(&mut self, after: Duration) -> Result<(), String> {
        self.now = self.now + after;
        self.sessions.clear();
        self.real = Real::new(&self.world.directory, self.real.store.clone(), self.now);
        let store = &self.real.store.open;
        for model in &mut self.models {
            model.now = self.now;
            model.restart(|id| store[&id].buyer_gone_since);
        }
        self.tick()
    }

    fn some(&self, at: usize, state: State) -> Option<ConversationId> {
        let ids: Vec<_> = self.real.store.open.values().filter(|c| c.state == state).map(|c| c.id).collect();
        if ids.is_empty() { None } else { Some(ids[at % ids.len()]) }
    }

    fn agent(&self, at: usize) -> AccountId {
        self.world.accounts[at % self.world.accounts.len()].clone()
    }

    fn seller(&self, at: usize) -> SellerId {
        self.world.sellers[at % self.world.sellers.len()].clone()
    }

    fn fresh_id(&mut self) -> u128 {
        self.next_id += 1;
        self.next_id
    }
}

fn said(acted: &Acted) -> Said {
    match &acted.result {
        Ok(_) => Ok(()),
        Err(refusal) => Err(match refusal {
            Refusal::Closed { .. } => "Closed",
            Refusal::NotOwner => "NotOwner",
            Refusal::NotWaiting { .. } => "NotWaiting",
            Refusal::AgentUnavailable => "AgentUnavailable",
            Refusal::AtCapacity => "AtCapacity",
            Refusal::HoldsConversations { .. } => "HoldsConversations",
            Refusal::OfferExpired => "OfferExpired",
            Refusal::Unknown { .. } => "Unknown",
            Refusal::Denied(_) => "Denied",
            _ => "something else",
        }),
    }
}

fn key_of(buyer: usize) -> BuyerKey {
    BuyerKey { within: None, sub: format!("buyer{}", buyer % BUYERS).into() }
}

fn buyer_of(conversation: &Conversation) -> Caller {
    Caller::Buyer { key: conversation.profile.key.clone(), sellers: None }
}

fn staff(account: &AccountId) -> Caller {
    Caller::Staff { account: account.clone(), sellers: None }
}

fn status_of(number: usize) -> Status {
    [Status::Online, Status::Away, Status::Online, Status::Offline][number % 4]
}

fn new_message(id: u128) -> NewMessage {
    let body = Body::from_checked(r#"{"type":"text","text":"hello"}"#);
    NewMessage { client_id: format!("m{id}").into(), body, text: None, visibility: Visibility::All }
}

fn send(conversation: &Conversation, id: u128) -> Command {
    Command::Send { conversation: conversation.id, message: new_message(id), earlier: Earlier::Asked(None) }
}

fn close(conversation: &Conversation) -> Command {
    Command::Close { conversation: conversation.id, reason: None, if_rev: None }
}

fn transfer(conversation: &Conversation, to: Destination, force: bool) -> Command {
    Command::Transfer { conversation: conversation.id, to, note: None, force, if_rev: None }
}
