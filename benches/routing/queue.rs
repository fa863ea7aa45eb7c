//! A slot that opens while very many wait: the close, and the placing of the first in order over all sellers.

use crate::shops::{Core, Ready, Size};
use crate::{Limits, Ordered, each, pairwise, row, took};

const COUNT: usize = 250;
const ROUNDS: usize = 12;
const CAPACITY: usize = 4;
const LIMITS: Limits = Limits { aim: 5_000.0, must: 5_000.0 };

pub fn measure() {
    for waiting in [0, 100, 10_000, 100_000] {
        let size = Size { sellers: 100, agents: 100, capacity: CAPACITY, bindings: 0, shared: true };
        let name = format!("a slot opens, {waiting} wait, 100 sellers, 100 agents");
        slots(&name, size, waiting, (waiting > 0).then_some(LIMITS));
    }
    let size = Size { sellers: 1, agents: 100, capacity: CAPACITY, bindings: 0, shared: false };
    slots("a slot opens, 10000 wait, 1 seller, 100 agents", size, 10_000, Some(LIMITS));
}

/// A thousand sellers of one outsourcer: what an agent of all of them costs.
pub fn measure_shared() {
    let limits = Limits { aim: 3_000.0, must: 3_000.0 };
    for sellers in [1, 10, 100, 1_000] {
        let size = Size { sellers, agents: 100, capacity: CAPACITY, bindings: 0, shared: true };
        let core = Core::of(size);
        let mut map = Ordered::of(10_000);
        let (ours, other) = pairwise(ROUNDS, || starts(&core), || map.exchange());
        let beside = format!("an exchange in an ordered map of 10,000: {:.1}", ours / other);
        row(&format!("shared: start, {sellers} sellers, 100 agents"), "ns", ours, Some(limits), &beside);
        slots(&format!("shared: a slot opens, 1000 wait, {sellers} sellers"), size, 1_000, Some(LIMITS));
    }
}

fn starts(core: &Core) -> f64 {
    let count = core.agents.len() * CAPACITY / 2;
    let ready: Vec<_> = (0..count).map(|number| core.start(number, number * 7919 % core.sellers.len())).collect();
    let (acted, took) = took(|| ready.into_iter().map(|ready| core.give(ready)).collect::<Vec<_>>());
    for acted in acted {
        let Ok(fenliu::routing::Outcome::Started { view, .. }) = acted.result else { panic!("a start") };
        core.give(core.close(&view)).result.unwrap();
    }
    each(took, count)
}

fn slots(name: &str, size: Size, waiting: usize, limits: Option<Limits>) {
    let core = Core::of(size);
    let mut number = 0;
    let mut start = || {
        number += 1;
        core.start(number, number * 7919 % core.sellers.len())
    };
    let slots = size.agents * CAPACITY;
    let mut held: Vec<Ready> = (0..slots).map(|_| core.close(&core.open(start()))).collect();
    for _ in 0..waiting {
        core.open(start());
    }
    let mut map = Ordered::of(10_000);
    let (ours, other) = pairwise(
        ROUNDS,
        || {
            let count = COUNT.min(held.len());
            let closes: Vec<_> = held.drain(..count).collect();
            let (acted, took) = took(|| closes.into_iter().map(|close| core.give(close)).collect::<Vec<_>>());
            // Who waits next to whom is as before: those who were placed are closed in their turn, as many come anew.
            held.extend(acted.iter().filter_map(|acted| core.next_close(acted)));
            for _ in 0..count {
                let view = core.open(start());
                if waiting == 0 {
                    held.push(core.close(&view));
                }
            }
            each(took, count)
        },
        || map.exchange(),
    );
    row(name, "ns", ours, limits, &format!("an exchange in an ordered map of 10,000: {:.1}", ours / other));
}
