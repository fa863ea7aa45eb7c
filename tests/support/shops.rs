//! The pure core at a size one asks for: shops in a table, their agents there, and what buyers and agents say to it.
//! No socket, no journal, no clock.

use std::fmt::Write as _;
use std::sync::Arc;

use fenliu::directory::{Directory, DomainId};
use fenliu::model::{
    AccountId, Body, BuyerKey, Caller, ConversationId, SellerId, SessionId, State, Status, Timestamp, Visibility,
};
use fenliu::routing::{
    Acted, Actor, Command, NewMessage, Notice, Outcome, Past, Profile, Recovered, Settings, Start, Table, View,
};

/// When everything happens.
pub const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// How much of what there is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub sellers: usize,
    /// Of each seller, or of all together where they share them.
    pub agents: usize,
    /// Conversations an agent may have at once.
    pub capacity: usize,
    /// Bindings of each seller; the last one matches.
    pub bindings: usize,
    /// Whether all sellers have the same agents, those of one outsourcer.
    pub shared: bool,
}

/// Shops in a table.
pub struct Core {
    pub table: Table,
    pub sellers: Vec<SellerId>,
    pub agents: Vec<AccountId>,
}

/// A start, ready to be given: whose, in which domain.
pub struct Ready {
    pub domain: DomainId,
    pub caller: Caller,
    pub command: Command,
}

impl Core {
    /// With every agent online.
    pub fn of(size: Size) -> Self {
        let core = Self::without_agents(&Arc::new(directory(size)));
        (0..core.agents.len()).for_each(|agent| core.arrive(agent));
        core
    }

    /// With nobody there yet.
    pub fn without_agents(directory: &Arc<Directory>) -> Self {
        Self::recovered(directory, Recovered::default())
    }

    /// With what a store has, and nobody there yet.
    pub fn recovered(directory: &Arc<Directory>, recovered: Recovered) -> Self {
        let table = Table::new(Arc::clone(directory), Settings::default(), recovered, NOW, || {});
        let sellers = directory.sellers.keys().cloned().collect();
        let people = directory.sub_accounts.keys().filter(|account| account.as_str() != EMPLOYER);
        let mut agents: Vec<_> = people.cloned().collect();
        agents.sort();
        Self { table, sellers, agents }
    }

    pub fn arrive(&self, agent: usize) {
        let session = SessionId(agent as u128);
        self.staff(agent, Command::Arrive { session, status: Some(Status::Online) }).result.unwrap();
    }

    /// A buyer's first words to a seller.
    pub fn start(&self, number: usize, seller: usize) -> Ready {
        let key = BuyerKey { within: None, sub: format!("buyer-{number}").into() };
        let seller = self.sellers[seller].clone();
        let id = number as u128 + 1;
        let text = "is this tea in stock?";
        let start = Start {
            conversation: ConversationId(id),
            entry: self.table.directory().sellers[&seller].shop.clone(),
            profile: Arc::new(Profile { key: key.clone(), name: Some("Lin".into()), attributes: Vec::new() }),
            context: Arc::from([("source".into(), "here".into())]),
            message: Some(NewMessage {
                client_id: "m1".into(),
                body: Body::from_checked(format!(r#"{{"type":"text","text":"{text}"}}"#)),
                text: Some(text.into()),
                visibility: Visibility::All,
            }),
            past: Past::default(),
            open: 0,
            seller,
        };
        let domain = self.table.domain_of_seller(&start.seller).unwrap();
        Ready { domain, caller: Caller::Buyer { key, sellers: None }, command: Command::Start(Box::new(start)) }
    }

    /// Gives a command, and says what came of it.
    pub fn give(&self, ready: Ready) -> Acted {
        let actor = Actor { caller: Some(&ready.caller), session: None };
        self.table.act(ready.domain, &actor, ready.command, NOW, |acted| acted)
    }

    /// Gives a start, and says how the conversation stands.
    pub fn open(&self, ready: Ready) -> Arc<View> {
        match self.give(ready).result {
            Ok(Outcome::Started { view, .. }) => view,
            other => panic!("{other:?}"),
        }
    }

    /// The close of a conversation that somebody has, by whoever has it.
    pub fn close(&self, view: &View) -> Ready {
        assert_eq!(view.state, State::Active);
        self.close_by(view.id, view.agent.as_ref().unwrap().0.clone(), &view.seller)
    }

    /// The close, by whoever got it, of the conversation that this command gave to somebody, if it gave one.
    pub fn next_close(&self, acted: &Acted) -> Option<Ready> {
        acted.outgoing.iter().find_map(|outgoing| match &outgoing.notice {
            Notice::Assigned { view, .. } => Some(self.close(view)),
            _ => None,
        })
    }

    fn close_by(&self, conversation: ConversationId, account: AccountId, seller: &SellerId) -> Ready {
        let command = Command::Close { conversation, reason: None, if_rev: None };
        let domain = self.table.domain_of_seller(seller).unwrap();
        Ready { domain, caller: Caller::Staff { account, sellers: None }, command }
    }

    fn staff(&self, agent: usize, command: Command) -> Acted {
        let account = self.agents[agent].clone();
        let domain = self.table.domain_of_agent(&account).unwrap();
        self.give(Ready { domain, caller: Caller::Staff { account, sellers: None }, command })
    }
}

/// The configuration of these shops.
pub fn directory(size: Size) -> Directory {
    Directory::from_toml(&configuration(size), NOW).unwrap_or_else(|faults| panic!("{faults}"))
}

const EMPLOYER: &str = "outsourcer";

fn configuration(size: Size) -> String {
    let mut text = String::new();
    let person = |text: &mut String, id: &str, more: &str| {
        let capacity = size.capacity;
        writeln!(
            text,
            "[[sub_account]]\nid = \"{id}\"\nname = \"{id}\"\nkind = \"staff\"\ncapacity = {capacity}\n{more}"
        )
        .unwrap();
    };
    if size.shared {
        account(&mut text, EMPLOYER);
        writeln!(text, "[[sub_account]]\nid = \"{EMPLOYER}\"\nname = \"Outsourcer\"\nkind = \"certified\"").unwrap();
        (0..size.agents).for_each(|agent| person(&mut text, &name(None, agent), "employer = \"outsourcer\""));
    }
    for at in 0..size.sellers {
        let people: Vec<_> = (0..size.agents).map(|agent| name((!size.shared).then_some(at), agent)).collect();
        account(&mut text, &format!("m{at}"));
        writeln!(
            text,
            "[[seller]]\nid = \"t{at:05}\"\nname = \"Shop {at}\"\nlicence_name = \"Shop {at}\"\naccount = \"m{at}\"\n\
             shop = \"shop-t{at:05}\"\ndefault_group = \"g\""
        )
        .unwrap();
        let authorised = if size.shared { &[EMPLOYER.to_owned()][..] } else { &people };
        for who in authorised {
            writeln!(text, "  [[seller.authorization]]\n  sub_account = \"{who}\"\n  role = \"agent\"").unwrap();
        }
        writeln!(text, "  [[seller.group]]\n  id = \"g\"\n  members = {people:?}").unwrap();
        for binding in 0..size.bindings {
            let wanted = if binding + 1 == size.bindings { "here" } else { "elsewhere" };
            writeln!(
                text,
                "  [[seller.binding]]\n  id = \"b{binding}\"\n  when = {{ source = \"{wanted}\" }}\n  to = {{ group = \"g\" }}"
            )
            .unwrap();
        }
        if !size.shared {
            people.iter().for_each(|who| person(&mut text, who, ""));
        }
    }
    text
}

fn account(text: &mut String, id: &str) {
    writeln!(
        text,
        "[[account]]\nid = \"{id}\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"\ncertified_until = 2036-12-31"
    )
    .unwrap();
}

fn name(seller: Option<usize>, agent: usize) -> String {
    seller.map_or_else(|| format!("a{agent:05}"), |seller| format!("a{seller:05}-{agent:05}"))
}
