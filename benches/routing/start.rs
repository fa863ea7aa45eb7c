//! A whole `conversation.start`: permission, bindings, selection, the trace, the events, the rows and who is told.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use fenliu::model::AccountId;
use fenliu::routing::{Day, DayRow, Recovered, Spread};

use crate::shops::{Core, NOW, Size, directory};
use crate::{Limits, Ordered, each, pairwise, row, took};

const COUNT: usize = 500;
const ROUNDS: usize = 30;

pub fn measure() {
    for (agents, bindings) in [(10, 0), (10, 100), (64, 0), (100, 0), (1_000, 0), (10_000, 0)] {
        let size = Size { sellers: 1, agents, capacity: 1_000, bindings, shared: false };
        let core = Core::of(size);
        let limits = match (agents, bindings) {
            (10, 100) => Limits { aim: 2_000.0, must: 3_000.0 },
            _ => Limits { aim: 3_000.0, must: 3_000.0 },
        };
        let mut map = Ordered::of(10_000);
        let (ours, other) = pairwise(ROUNDS, || starts(&core), || map.exchange());
        let name = format!("start with its trace, {agents} agents, {bindings} bindings");
        row(&name, "ns", ours, Some(limits), &format!("an exchange in an ordered map of 10,000: {:.1}", ours / other));
    }
    let core = after_a_long_day(Size { sellers: 1, agents: 10, capacity: 1_000, bindings: 0, shared: false });
    let mut map = Ordered::of(10_000);
    let (ours, other) = pairwise(ROUNDS, || starts(&core), || map.exchange());
    let beside = format!("an exchange in an ordered map of 10,000: {:.1}", ours / other);
    let limits = Limits { aim: 3_000.0, must: 3_000.0 };
    row("start with its trace, 10 agents, after a long day", "ns", ours, Some(limits), &beside);
}

/// Sellers on whose day everything that can be told apart was counted already.
fn after_a_long_day(size: Size) -> Core {
    let directory = Arc::new(directory(size));
    let spread = || Spread::from_counts((0..1_128).map(|step| (step * 100, 3)).collect());
    let days = directory.sellers.values().map(|seller| DayRow {
        seller: seller.id.clone(),
        day: Day { date: Some(seller.day(NOW).0), waits: spread(), first_replies: spread(), ..Day::default() },
    });
    let core = Core::recovered(&directory, Recovered { days: days.collect(), ..Recovered::default() });
    (0..core.agents.len()).for_each(|agent| core.arrive(agent));
    core
}

/// Nanoseconds of a start that somebody gets at once; all are closed again.
fn starts(core: &Core) -> f64 {
    let sellers = core.sellers.len();
    let ready: Vec<_> = (0..COUNT).map(|number| core.start(number, number * 7919 % sellers)).collect();
    let (acted, took) = took(|| ready.into_iter().map(|ready| core.give(ready)).collect::<Vec<_>>());
    for acted in acted {
        let Ok(fenliu::routing::Outcome::Started { view, .. }) = acted.result else { panic!("a start") };
        core.give(core.close(&view)).result.unwrap();
    }
    each(took, COUNT)
}

/// Ten thousand sellers of ten agents each.
pub fn measure_large() {
    let size = Size { sellers: 10_000, agents: 10, capacity: 100, bindings: 0, shared: false };
    let directory = Arc::new(directory(size));
    let people: Vec<AccountId> = directory.domains.iter().flat_map(|domain| domain.agents.iter().cloned()).collect();
    let (core, built) = took(|| Core::without_agents(&directory));
    let (map, other) = took(|| people.iter().map(|who| (who.clone(), who.clone())).collect::<HashMap<_, _>>());
    black_box(map);
    let beside =
        format!("a hash map of its {} accounts: {:.1}", people.len(), built.as_secs_f64() / other.as_secs_f64());
    row("build: 10,000 sellers, 100,000 agents", "ms", built.as_secs_f64() * 1e3, None, &beside);

    (0..core.agents.len()).for_each(|agent| core.arrive(agent));
    let mut map = Ordered::of(100_000);
    let (ours, other) = pairwise(ROUNDS, || starts(&core), || map.exchange());
    let beside = format!("an exchange in an ordered map of 100,000: {:.1}", ours / other);
    row("start with its trace, over 10,000 sellers", "ns", ours, Some(Limits { aim: 3_000.0, must: 3_000.0 }), &beside);
}
