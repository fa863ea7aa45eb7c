//! The table in virtual time, all from a seed: sessions that drop and come back, buyers who go, other configurations,
//! restarts, commits that fail, deadlines that are late. A checker of its own says after each step what must not be, and at the end, when the
//! faults have stopped, that everything that can be served is served. Some of the seeds are run over the real store too, and
//! a disk that tears what is written to it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]
#![allow(dead_code, reason = "parts of the reference are shared with the properties")]

mod checker;
mod commands;
mod disk;
mod draft;
#[path = "../properties/model/mod.rs"]
mod model;
mod power;
#[path = "../properties/random.rs"]
mod random;
mod reload;
mod run;
mod store;
mod threads;
#[path = "../properties/world.rs"]
mod world;

use std::fmt::Write as _;

use disk::Seen;
use run::{Run, Size};
use world::World;

/// Seeds that ever failed, each with what was wrong: they are run first, always.
const FAILED: &str = include_str!("seeds.txt");
/// How many commands a seed of a small table has, and one of a big table.
const SMALL: usize = 1_000;
const BIG: usize = 20_000;

/// How many commands are run in all: `SIMULATION_COMMANDS`.
fn commands() -> usize {
    std::env::var("SIMULATION_COMMANDS").map_or(20_000, |count| count.parse().expect("a number"))
}

/// The first seed: `SIMULATION_FROM`.
fn first() -> u64 {
    std::env::var("SIMULATION_FROM").map_or(0, |seed| seed.parse().expect("a number"))
}

/// How many of them are run over the real store in all: `SIMULATION_STORE_COMMANDS`.
fn commands_on_disk() -> usize {
    std::env::var("SIMULATION_STORE_COMMANDS").map_or(12_000, |count| count.parse().expect("a number"))
}

fn world(seed: u64, size: Size) -> World {
    match size {
        Size::Small => World::random(seed),
        Size::Big => World::parse(big(seed)),
    }
}

/// Runs a seed: faults, then none.
fn simulate(seed: u64, size: Size) -> [usize; 3] {
    let run = live(Run::new(&world(seed, size), seed, size), seed);
    [run.merges, run.splits, run.undone]
}

fn live(mut run: Run, seed: u64) -> Run {
    let size = run.size;
    let count = if size == Size::Small { SMALL } else { BIG };
    for at in 0..count {
        if let Err(fault) = run.step() {
            panic!(
                "seed {seed} of a {size:?} table, command {at}: {fault}\n{}\n{}",
                run.log(),
                run.config.draft.text()
            );
        }
    }
    if let Err(fault) = run.come_to_rest() {
        panic!("seed {seed} of a {size:?} table, at rest: {fault}\n{}\n{}", run.log(), run.config.draft.text());
    }
    run
}

fn simulate_all(seeds: std::ops::Range<u64>, size: Size) {
    let runs: Vec<_> = seeds.map(|seed| simulate(seed, size)).collect();
    let [merges, splits, undone] = runs.iter().fold([0; 3], |all, run| std::array::from_fn(|at| all[at] + run[at]));
    println!("{} tables, {merges} merges, {splits} splits, {undone} undone", runs.len());
    // A few small tables may all be of one seller.
    let enough = runs.len() < 40 || (merges > 0 && splits > 0 && undone > 0);
    assert!(enough, "{merges} merges, {splits} splits, {undone} undone");
}

/// Ten sellers, a hundred agents of whom ten serve several sellers, twenty groups.
fn big(seed: u64) -> String {
    let mut random = random::Random::new(seed);
    let mut text = String::new();
    let mut account = |id: &str| {
        let _ = writeln!(
            text,
            "[[account]]\nid = \"{id}\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"\ncertified_until = 2036-12-31"
        );
    };
    (0..10).for_each(|seller| account(&format!("m{seller}")));
    (0..10).for_each(|agent| account(&format!("c{agent}")));
    for agent in 0..100 {
        let (id, kind) = if agent < 10 { (format!("c{agent}"), "certified") } else { (format!("a{agent}"), "staff") };
        let capacity = 1 + random.below(6);
        let _ = writeln!(text, "[[sub_account]]\nid = \"{id}\"\nkind = \"{kind}\"\ncapacity = {capacity}");
    }
    for seller in 0..10 {
        let _ = writeln!(
            text,
            "[[seller]]\nid = \"s{seller}\"\nname = \"S\"\nlicence_name = \"S\"\naccount = \"m{seller}\"\nshop = \"shop{seller}\"\ndefault_group = \"g0\""
        );
        let mut people: Vec<String> = (0..10).filter(|_| random.percent(15)).map(|who| format!("c{who}")).collect();
        people.extend((10..100).filter(|who| who % 10 == seller).map(|who| format!("a{who}")));
        for who in &people {
            let _ = writeln!(
                text,
                "[[seller.authorization]]\nsub_account = \"{who}\"\nrole = \"lead\"\nscopes = [\"conversation.assign\", \"conversation.exceed\"]"
            );
        }
        for group in 0..2 {
            let members: Vec<String> =
                people.iter().filter(|_| random.percent(70)).map(|who| format!("\"{who}\"")).collect();
            let strategy = random.one(&["least_loaded", "least_active", "longest_idle", "round_robin", "weighted"]);
            let assignment = random.one(&["auto", "auto", "offer"]);
            let _ = writeln!(
                text,
                "[[seller.group]]\nid = \"g{group}\"\nmembers = [{}]\nstrategy = \"{strategy}\"\nassignment = \"{assignment}\"\n\
                 overflow = [{{ after = \"20s\", to = \"g{}\" }}]\nmax_wait = \"10m\"\nrecent_agent = \"1h\"",
                members.join(", "),
                1 - group
            );
        }
    }
    text
}

#[test]
fn seeds_that_ever_failed_hold() {
    for line in FAILED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (size, seed) = (words.next().unwrap(), words.next().unwrap().parse().unwrap());
        // Without a plus it was drawn before configurations were undone.
        let (size, undoes) = size.strip_suffix('+').map_or((size, false), |size| (size, true));
        let size = if size == "big" { Size::Big } else { Size::Small };
        let mut run = Run::new(&world(seed, size), seed, size);
        run.undoes = undoes;
        live(run, seed);
    }
}

#[test]
fn small_tables_hold_after_every_command() {
    let from = first();
    simulate_all(from..from + commands().div_ceil(4 * SMALL) as u64, Size::Small);
}

#[test]
fn big_tables_hold() {
    let from = first();
    simulate_all(from..from + (commands() * 3 / 4).div_ceil(BIG) as u64, Size::Big);
}

#[test]
fn a_table_is_recovered_from_the_real_store_whatever_becomes_of_its_disk() {
    let (from, count) = (first(), commands_on_disk());
    let sizes = [(Size::Small, (count / 2).div_ceil(SMALL)), (Size::Big, count / 2 / BIG)];
    let mut seen = Vec::new();
    for (size, seeds) in sizes {
        for seed in from..from + seeds as u64 {
            let mut run = live(Run::on_disk(&world(seed, size), seed, size), seed);
            if let Err(fault) = run.store.kill() {
                panic!("seed {seed} of a {size:?} table, after its end: {fault}");
            }
            seen.push(run.store.disk.unwrap().seen);
        }
    }
    let of = |what: fn(&Seen) -> usize| seen.iter().map(what).sum::<usize>();
    let counts = [
        ("kills", of(|seen| seen.kills)),
        ("refused commits", of(|seen| seen.refused)),
        ("lost commits", of(|seen| seen.lost)),
        ("kept commits", of(|seen| seen.kept)),
        ("cut off while moving", of(|seen| seen.moving)),
        ("refused starts", of(|seen| seen.behind)),
        ("slow syncs", of(|seen| seen.slow)),
    ];
    println!("{counts:?}");
    // A few short runs do not see everything.
    assert!(seen.len() < 6 || counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
}
