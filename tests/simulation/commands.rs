//! What agents, buyers and supervisors ask, at random.

use std::sync::Arc;

use fenliu::model::{BuyerKey, Caller, ConversationId, EntryId, SellerId, State, Status};
use fenliu::routing::{Command, Destination, Earlier, Past, Profile, Reopen, Start};

use crate::run::{Run, message};

impl Run {
    /// What is asked, as drawn.
    pub fn command(&mut self, draw: u64) -> Result<(), String> {
        match draw {
            200..400 => self.start(),
            400..520 => self.of_owner(),
            520..700 => self.of_asked(),
            700..760 => self.of_buyer(),
            760..820 => self.handed_on(),
            820..870 => {
                let who = self.agent();
                let status = *self.random.one(&[Some(Status::Online), None, Some(Status::Away)]);
                self.arrive(&who, status)
            }
            870..910 => {
                let who = self.agent();
                self.leave(&who)
            }
            910..960 => {
                let who = self.agent();
                let status = *self.random.one(&[Status::Online, Status::Online, Status::Away, Status::Offline]);
                let reroute = self.random.percent(30);
                self.ask(&who, Command::SetStatus { agent: None, seller: None, status, reroute })
            }
            960..975 => self.set_other(),
            _ => self.reopen(),
        }
    }

    fn set_other(&mut self) -> Result<(), String> {
        let (by, who) = (self.agent(), self.agent());
        let seller = self.random.one(&self.sellers).clone();
        if self.table.domain_of_agent(&by) != self.table.domain_of_seller(&seller) {
            return Ok(());
        }
        let status = *self.random.one(&[Status::Online, Status::Away, Status::Offline]);
        let reroute = self.random.percent(50);
        self.ask(&by, Command::SetStatus { agent: Some(who), seller: Some(seller), status, reroute })
    }

    fn start(&mut self) -> Result<(), String> {
        let (id, buyer) = (self.id(), self.random.below(self.size.buyers()));
        let seller = self.random.one(&self.sellers).clone();
        let key = BuyerKey { within: None, sub: format!("buyer{buyer}").into() };
        let start = Start {
            conversation: ConversationId(id),
            seller: seller.clone(),
            entry: EntryId::from("shop"),
            profile: Arc::new(Profile { key: key.clone(), name: None, attributes: Vec::new() }),
            context: Arc::from([("source".into(), format!("x{}", self.random.below(5)).into())]),
            message: self.random.percent(50).then(|| message(id)),
            past: self.past(&seller, &key),
            open: 0,
        };
        let domain = self.table.domain_of_seller(&seller).unwrap();
        let caller = Caller::Buyer { key, sellers: None };
        self.act(domain, Some(&caller), None, Command::Start(Box::new(start))).map(drop)
    }

    fn past(&self, seller: &SellerId, key: &BuyerKey) -> Past {
        let closed = self.store.closed.iter().rev().find(|c| c.seller == *seller && c.profile.key == *key);
        Past { recent: closed.and_then(|c| c.held.last().cloned().zip(c.rare.closed_at)) }
    }

    fn of_owner(&mut self) -> Result<(), String> {
        let Some(c) = self.some(Some(State::Active)) else { return Ok(()) };
        let (owner, conversation) = (c.agent.clone().unwrap(), c.id);
        let command = if self.random.percent(60) {
            Command::Close { conversation, reason: None, if_rev: None }
        } else {
            Command::Send { conversation, message: message(self.id()), earlier: Earlier::Asked(None) }
        };
        self.ask(&owner, command)
    }

    fn of_asked(&mut self) -> Result<(), String> {
        let Some(c) = self.some(Some(State::Offered)) else { return Ok(()) };
        let (asked, conversation) = (c.agent.clone().unwrap(), c.id);
        let yes = self.random.percent(65);
        let no = Command::Decline { conversation, reason: None };
        self.ask(&asked, if yes { Command::Accept { conversation } } else { no })
    }

    fn of_buyer(&mut self) -> Result<(), String> {
        let Some(c) = self.some(None) else { return Ok(()) };
        let conversation = c.id;
        let command = match self.random.below(6) {
            0 => Command::Close { conversation, reason: None, if_rev: None },
            1 => Command::BuyerPresence { online: false },
            2 => Command::BuyerPresence { online: true },
            _ => Command::Send { conversation, message: message(self.id()), earlier: Earlier::Asked(None) },
        };
        let domain = self.table.domain_of_seller(&c.seller).unwrap();
        let caller = Caller::Buyer { key: c.profile.key.clone(), sellers: None };
        self.act(domain, Some(&caller), None, command).map(drop)
    }

    fn handed_on(&mut self) -> Result<(), String> {
        let Some(c) = self.some(None) else { return Ok(()) };
        let (conversation, force) = (c.id, self.random.percent(20));
        let (by, to) = (self.agent(), self.agent());
        let domain = self.table.domain_of_seller(&c.seller);
        if self.table.domain_of_agent(&by) != domain || self.table.domain_of_agent(&to) != domain {
            return Ok(());
        }
        self.checker.forced |= force;
        let groups = &self.config.directory.sellers[&c.seller].groups;
        let group = self.random.one(groups).id.clone();
        let command = match self.random.below(4) {
            0 => Command::Claim { conversation, force, if_rev: None },
            1 => Command::Assign { conversation, agent: to, force, if_rev: None },
            2 => transfer(conversation, Destination::Agent(to), force),
            _ => transfer(conversation, Destination::Group(group), false),
        };
        let by = c.agent.filter(|_| self.random.percent(60)).unwrap_or(by);
        self.ask(&by, command)
    }

    fn reopen(&mut self) -> Result<(), String> {
        let count = self.store.closed.len();
        if count == 0 {
            return Ok(());
        }
        let closed = self.store.closed[self.random.below(count)].clone();
        if self.store.hoped.open.contains_key(&closed.id) {
            return Ok(());
        }
        let caller = Caller::Buyer { key: closed.profile.key.clone(), sellers: None };
        let Some(domain) = self.table.domain_of_seller(&closed.seller) else { return Ok(()) };
        let id = closed.id;
        let command = Command::Reopen(Box::new(Reopen { closed, message: message(self.id()) }));
        let reopened = self.act(domain, Some(&caller), None, command)?.is_ok();
        if reopened {
            self.store.closed.retain(|closed| closed.id != id);
        }
        Ok(())
    }
}

fn transfer(conversation: ConversationId, to: Destination, force: bool) -> Command {
    Command::Transfer { conversation, to, note: None, force, if_rev: None }
}
