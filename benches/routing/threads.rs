//! Two threads, on a domain each and on one together, beside one thread.

use std::sync::Barrier;
use std::time::Instant;

use crate::row;
use crate::shops::{Core, Size};

const COUNT: usize = 2_000;
const ROUNDS: usize = 9;

/// How often a second a thread starts and closes, all together.
pub fn measure() {
    let size = Size { sellers: 2, agents: 100, capacity: 100, bindings: 0, shared: false };
    let core = Core::of(size);
    let mut ratios = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let one = rate(&core, &[0]);
        let two_domains = rate(&core, &[0, 1]);
        let one_domain = rate(&core, &[0, 0]);
        let again = rate(&core, &[0]);
        let one = f64::midpoint(one, again);
        ratios[0].push(two_domains / one);
        ratios[1].push(one_domain / one);
    }
    let names = ["threads: two on two domains ÷ one", "threads: two on one domain ÷ one"];
    for ((name, must), ratios) in names.into_iter().zip([1.7, 1.0]).zip(&mut ratios) {
        ratios.sort_by(f64::total_cmp);
        let (middle, best) = (ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
        let missed = if best < must { "  MISSED" } else { "" };
        row(name, "×", middle, None, &format!("at least {must} wanted; the best of {ROUNDS} rounds {best:.2}{missed}"));
    }
}

fn rate(core: &Core, sellers: &[usize]) -> f64 {
    let ready = Barrier::new(sellers.len() + 1);
    let mut begun = Instant::now();
    std::thread::scope(|scope| {
        for (thread, seller) in sellers.iter().enumerate() {
            let ready = &ready;
            scope.spawn(move || {
                let starts: Vec<_> = (0..COUNT).map(|number| core.start(number * 2 + thread, *seller)).collect();
                ready.wait();
                for start in starts {
                    let view = core.open(start);
                    core.give(core.close(&view)).result.unwrap();
                }
            });
        }
        ready.wait();
        begun = Instant::now();
    });
    (COUNT * sellers.len()) as f64 / begun.elapsed().as_secs_f64()
}
