//! Two real threads on one table while other configurations merge its domains and split them again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fenliu::directory::{Directory, DomainId};
use fenliu::model::{AccountId, BuyerKey, Caller, ConversationId, EntryId, SellerId, SessionId, State, Status};
use fenliu::routing::{Acted, Actor, Command, Outcome, Past, Profile, Row, Start, Table};

use crate::checker::Checker;
use crate::random::Random;
use crate::run::{message, table};
use crate::store::Rows;
use crate::world::{START, World};

/// How many sellers there are.
const SELLERS: usize = 6;

/// How long the threads run: `SIMULATION_SECONDS`.
fn span() -> Duration {
    let seconds = std::env::var("SIMULATION_SECONDS").map_or(2, |seconds| seconds.parse().expect("a number"));
    Duration::from_secs(seconds)
}

/// Sellers with staff of their own; the first `shared` of them have somebody in common, and so have every further two.
fn shops(shared: usize) -> World {
    let certified = "kind = \"certified_enterprise\"\nplatform = \"douyin\"\ncertified_until = 2036-12-31\n";
    let mut text = String::new();
    for id in (0..SELLERS).map(|seller| format!("m{seller}")).chain(["all".to_owned(), "two".to_owned()]) {
        text += &format!("[[account]]\nid = \"{id}\"\n{certified}");
    }
    for id in ["all", "two"] {
        text += &format!("[[sub_account]]\nid = \"{id}\"\nkind = \"certified\"\ncapacity = 4\n");
    }
    for seller in 0..SELLERS {
        let mut people = vec![format!("a{seller}"), format!("b{seller}")];
        for who in &people {
            text += &format!("[[sub_account]]\nid = \"{who}\"\nkind = \"staff\"\ncapacity = 3\n");
        }
        people.extend((seller < shared).then(|| "all".to_owned()));
        people.extend((seller + 2 >= SELLERS).then(|| "two".to_owned()));
        text += &format!(
            "[[seller]]\nid = \"s{seller}\"\nname = \"S\"\nlicence_name = \"S\"\naccount = \"m{seller}\"\n\
             shop = \"shop{seller}\"\ndefault_group = \"g\"\n"
        );
        for who in &people {
            text += &format!("[[seller.authorization]]\nsub_account = \"{who}\"\nrole = \"agent\"\n");
        }
        let assignment = if seller % 2 == 0 { "auto" } else { "offer" };
        text += &format!("[[seller.group]]\nid = \"g\"\nmembers = {people:?}\nassignment = \"{assignment}\"\n");
    }
    World::parse(text)
}

#[test]
fn two_threads_leave_a_table_as_one_would_while_domains_merge_and_split() {
    let worlds = [shops(0), shops(3), shops(SELLERS), shops(2)];
    let table = table(&worlds[0].directory, fenliu::routing::Recovered::default(), START);
    let mut sessions: Vec<AccountId> = worlds.iter().flat_map(|world| world.accounts.clone()).collect();
    sessions.sort();
    sessions.dedup();
    for (at, account) in sessions.iter().enumerate() {
        arrive(&table, account, SessionId(at as u128), Some(Status::Online));
    }
    let over = AtomicBool::new(false);

    let (reloads, kept) = std::thread::scope(|threads| {
        let (table, over, sellers) = (&table, &over, &worlds[0].sellers);
        let runs: Vec<_> = (0..2).map(|thread| threads.spawn(move || work(table, sellers, over, thread))).collect();
        let reloads = change(table, &worlds, &sessions);
        over.store(true, Ordering::Relaxed);
        (reloads, runs.into_iter().flat_map(|run| run.join().unwrap()).collect::<Vec<_>>())
    });

    let directory = table.directory();
    let mut rows = Rows::default();
    for plan in &directory.domains {
        rows.keep(&table.rows(table.domain_of_seller(&plan.sellers[0]).unwrap()));
    }
    assert!(reloads > 4 && kept.len() > 100, "{reloads} reloads, {} conversations", kept.len());
    let open: BTreeSet<ConversationId> = kept.iter().filter(|(_, closed)| !closed).map(|(id, _)| *id).collect();
    assert_eq!(rows.open.keys().copied().collect::<BTreeSet<_>>(), open, "what was started and not closed is there");
    assert_eq!(table.open(), open.len());
    let mut checker = Checker::new(&directory);
    for (at, account) in sessions.iter().enumerate() {
        checker.presence.entry(account.clone()).or_default().sessions.push(SessionId(at as u128));
    }
    checker.excuse(&rows);
    for plan in &directory.domains {
        checker.state(plan, &rows, START).unwrap();
    }
}

fn arrive(table: &Table, account: &AccountId, session: SessionId, status: Option<Status>) {
    let Some(domain) = table.domain_of_agent(account) else { return };
    let caller = Caller::Staff { account: account.clone(), sellers: None };
    let actor = Actor { caller: Some(&caller), session: Some(session) };
    let mut arrived = act(table, domain, &actor, Command::Arrive { session, status });
    if status.is_none() {
        let command = Command::SetStatus { agent: None, seller: None, status: Status::Online, reroute: false };
        arrived = act(table, domain, &actor, command);
    }
    arrived.unwrap();
}

/// Loads one configuration after the other until the time is over. Says how often.
fn change(table: &Table, worlds: &[World], sessions: &[AccountId]) -> usize {
    let (begun, mut reloads) = (Instant::now(), 0);
    while begun.elapsed() < span() {
        reloads += 1;
        let directory = Directory { generation: reloads as u64, ..(*worlds[reloads % worlds.len()].directory).clone() };
        let rearranged = table.reload(Arc::new(directory), START, |_| {});
        for domain in rearranged.unsettled {
            act(table, domain, &Actor::default(), Command::Tick).unwrap();
        }
        for newcomer in &rearranged.newcomers {
            let session = sessions.binary_search(newcomer).unwrap();
            arrive(table, newcomer, SessionId(session as u128), None);
        }
    }
    reloads
}

/// Runs a command, and what it leaves to be done.
fn act(
    table: &Table,
    domain: DomainId,
    actor: &Actor<'_>,
    command: Command,
) -> Result<Outcome, fenliu::routing::Refusal> {
    let Acted { result, mut more, .. } = table.act(domain, actor, command, START, |acted| acted);
    while more {
        more = table.act(domain, &Actor::default(), Command::Tick, START, |acted| acted.more);
    }
    result
}

/// Runs a command of a seller wherever that is now: a reload may put it elsewhere at any time.
fn ask(table: &Table, seller: &SellerId, actor: &Actor<'_>, mut command: Command) -> Option<Outcome> {
    loop {
        let domain = table.domain_of_seller(seller).expect("the seller stays");
        match table.try_act(domain, actor, command, START, |acted| (acted.result, acted.more)) {
            Ok((result, more)) => {
                if more {
                    act(table, domain, &Actor::default(), Command::Tick).ok();
                }
                return result.ok();
            }
            Err(again) => command = again,
        }
    }
}

/// Starts, accepts and closes until it is over; says what it started, and whether that is closed.
fn work(table: &Table, sellers: &[SellerId], over: &AtomicBool, thread: u64) -> Vec<(ConversationId, bool)> {
    let mut random = Random::new(thread);
    let mut all = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let id = (u128::from(thread) << 64) + all.len() as u128 + 1;
        let seller = random.one(sellers).clone();
        // A buyer is one thread's: so that every start makes a conversation of its own.
        let key = BuyerKey { within: None, sub: format!("b{id}").into() };
        let caller = Caller::Buyer { key: key.clone(), sellers: None };
        let actor = Actor { caller: Some(&caller), session: None };
        let start = Start {
            conversation: ConversationId(id),
            seller: seller.clone(),
            entry: EntryId::from("shop"),
            profile: Arc::new(Profile { key, name: None, attributes: Vec::new() }),
            context: Arc::from([]),
            message: Some(message(id)),
            past: Past::default(),
            open: 0,
        };
        let Some(Outcome::Started { view, .. }) = ask(table, &seller, &actor, Command::Start(Box::new(start))) else {
            panic!("a start is refused")
        };
        let close = all.len() % 8 != 0 || all.len() > 2_000;
        if close {
            let command = Command::Close { conversation: view.id, reason: None, if_rev: None };
            ask(table, &seller, &actor, command).expect("what was started is there");
        } else if let (State::Offered, Some(asked)) = (view.state, asked(table, &seller, view.id)) {
            let caller = Caller::Staff { account: asked, sellers: None };
            let actor = Actor { caller: Some(&caller), session: None };
            ask(table, &seller, &actor, Command::Accept { conversation: view.id });
        }
        all.push((view.id, close));
    }
    all
}

fn asked(table: &Table, seller: &SellerId, id: ConversationId) -> Option<AccountId> {
    table.rows(table.domain_of_seller(seller)?).into_iter().find_map(|row| match row {
        Row::Conversation(c) if c.id == id => c.agent,
        _ => None,
    })
}
