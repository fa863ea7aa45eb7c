//! Two real threads on one table: domains they share, and domains of their own.

use std::time::{Duration, Instant};

use fenliu::model::{AccountId, BuyerKey, Caller, ConversationId, EntryId, SessionId, State, Status};
use fenliu::routing::{Actor, Command, Outcome, Past, Profile, Start};

use crate::checker::Checker;
use crate::random::Random;
use crate::run::{message, table};
use crate::store::Rows;
use crate::world::{START, World};

/// How long the threads run: `SIMULATION_SECONDS`.
fn span() -> Duration {
    let seconds = std::env::var("SIMULATION_SECONDS").map_or(2, |seconds| seconds.parse().expect("a number"));
    Duration::from_secs(seconds)
}

#[test]
fn two_threads_leave_a_table_as_one_would() {
    for seed in [2, 3] {
        let world = World::parse(crate::big(seed));
        let table = table(&world, &Rows::default(), START);
        let mut checker = Checker::new(&world);
        for (at, account) in world.accounts.iter().enumerate() {
            let session = SessionId(at as u128);
            let domain = table.domain_of_agent(account).unwrap();
            let caller = Caller::Staff { account: account.clone(), sellers: None };
            let actor = Actor { caller: Some(&caller), session: Some(session) };
            let command = Command::Arrive { session, status: Some(Status::Online) };
            table.act(domain, &actor, command, START, |acted| acted.result.unwrap());
            checker.presence.entry(account.clone()).or_default().sessions.push(session);
        }

        let written = std::thread::scope(|threads| {
            let (table, world) = (&table, &world);
            let runs: Vec<_> = (0..2).map(|thread| threads.spawn(move || work(table, world, thread))).collect();
            runs.into_iter().map(|run| run.join().unwrap()).sum::<usize>()
        });

        let mut rows = Rows::default();
        for domain_rows in crate::run::all_rows(&table, &world).values() {
            rows.keep(domain_rows);
        }
        assert!(written > 1_000, "{written} commands");
        assert_eq!(table.open(), rows.open.len());
        for domain in 0..world.directory.domains.len() as u32 {
            checker.state(fenliu::directory::DomainId(domain), &rows, START).unwrap();
        }
    }
}

/// Starts, writes and closes until the time is over; says how often.
fn work(table: &fenliu::routing::Table, world: &World, thread: u64) -> usize {
    let mut random = Random::new(thread);
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < span() / 2 {
        count += 1;
        let seller = random.one(&world.sellers).clone();
        let key = BuyerKey { within: None, sub: format!("b{}", random.below(400)).into() };
        let domain = table.domain_of_seller(&seller).unwrap();
        let caller = Caller::Buyer { key: key.clone(), sellers: None };
        let actor = Actor { caller: Some(&caller), session: None };
        let id = (u128::from(thread) << 64) + count as u128 + 1;
        let start = Start {
            conversation: ConversationId(id),
            seller,
            entry: EntryId::from("shop"),
            profile: std::sync::Arc::new(Profile { key, name: None, attributes: Vec::new() }),
            context: std::sync::Arc::from([]),
            message: Some(message(id)),
            past: Past::default(),
            open: 0,
        };
        let started = table.act(domain, &actor, Command::Start(Box::new(start)), START, |acted| acted.result);
        let Ok(Outcome::Started { view, .. }) = started else { panic!("{started:?}") };
        if random.percent(60) {
            let command = Command::Close { conversation: view.id, reason: None, if_rev: None };
            table.act(domain, &actor, command, START, |acted| drop(acted.result));
        } else if let (State::Offered, Some(asked)) = (view.state, asked(table, domain, view.id)) {
            let caller = Caller::Staff { account: asked, sellers: None };
            let actor = Actor { caller: Some(&caller), session: None };
            table.act(domain, &actor, Command::Accept { conversation: view.id }, START, |acted| drop(acted.result));
        }
    }
    count
}

fn asked(table: &fenliu::routing::Table, domain: fenliu::directory::DomainId, id: ConversationId) -> Option<AccountId> {
    table.rows(domain).into_iter().find_map(|row| match row {
        fenliu::routing::Row::Conversation(c) if c.id == id => c.agent,
        _ => None,
    })
}
