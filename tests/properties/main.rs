//! Any sequence of commands, on small tables, beside a plain reference of the documentation of routing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod check;
mod model;
mod random;
mod real;
mod run;
mod steps;
mod world;

use random::Random;
use run::Run;
use steps::Step;
use world::World;

/// How many seeds one test looks at, and how many steps each has. `PROOF_SEEDS=FROM-TO` looks at others.
const SEEDS: u64 = 60;
const STEPS: usize = 120;

/// Runs steps in the world of a seed: what differs, and at which step.
fn run(seed: u64, steps: &[Step]) -> Result<(), (usize, String, String)> {
    let world = World::random(seed);
    let mut run = Run::new(&world);
    for (at, step) in steps.iter().enumerate() {
        let done = run.step(*step);
        let done = if at % 16 == 15 { done.and_then(|()| check::replayed(&run)) } else { done };
        if let Err(fault) = done {
            return Err((at, fault, run.log));
        }
    }
    Ok(())
}

/// Leaves out what is not needed for a fault to show itself.
fn shortened(seed: u64, mut steps: Vec<Step>) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            if let Err((last, ..)) = std::panic::catch_unwind(|| run(seed, &fewer)).unwrap_or(Err((
                fewer.len(),
                String::new(),
                String::new(),
            ))) {
                fewer.truncate(last + 1);
                steps = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    steps
}

fn look_at(seed: u64) {
    let steps = steps::random(&mut Random::new(seed ^ 0xF00D), STEPS);
    let result = std::panic::catch_unwind(|| run(seed, &steps));
    if matches!(result, Ok(Ok(()))) {
        return;
    }
    let steps = shortened(seed, steps);
    let (at, fault, log) = run(seed, &steps).expect_err("a shortened run shows the fault too");
    panic!("seed {seed}, step {at}: {fault}\n{log}\n{}", World::random(seed).text);
}

#[test]
fn the_core_does_what_the_plain_reference_does() {
    let range = std::env::var("PROOF_SEEDS").unwrap_or_else(|_| format!("0-{SEEDS}"));
    let (from, to) = range.split_once('-').expect("FROM-TO");
    for seed in from.parse().unwrap()..to.parse().unwrap() {
        look_at(seed);
    }
}
