//! A routing configuration under traffic, beside what is known in closed form, and beside its own rules.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use fenliu::directory::{Directory, Unbound, parse, summary};
use fenliu::simulation::{self, Figure, Progress, Results, Target, Traffic, Tried, World, monday};

/// A shop with one group, and what its agents and its rules are.
struct Shop {
    agents: u32,
    capacity: u32,
    group: &'static str,
    bindings: &'static str,
}

const SHOP: Shop = Shop { agents: 4, capacity: 1, group: "", bindings: "" };

impl Shop {
    fn text(&self) -> String {
        let mut text = String::from(
            "[[account]]\nid = \"lin\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"\n\
             certified_until = 2036-12-31\n",
        );
        let names: Vec<String> = (0..self.agents).map(|agent| format!("a{agent}")).collect();
        for name in &names {
            let capacity = self.capacity;
            writeln!(text, "[[sub_account]]\nid = \"{name}\"\nkind = \"staff\"\ncapacity = {capacity}").unwrap();
        }
        text.push_str(
            "[[seller]]\nid = \"tea\"\nname = \"Tea\"\naccount = \"lin\"\nshop = \"shop-1\"\n\
             licence_name = \"Tea\"\ndefault_group = \"desk\"\n",
        );
        for name in &names {
            writeln!(text, "[[seller.authorization]]\nsub_account = \"{name}\"\nrole = \"agent\"").unwrap();
        }
        let members: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let members = members.join(", ");
        writeln!(text, "[[seller.group]]\nid = \"desk\"\nmembers = [{members}]\n{}", self.group).unwrap();
        text.push_str(self.bindings);
        text
    }

    fn directory(&self) -> Directory {
        Directory::from_toml(&self.text(), monday()).unwrap()
    }
}

fn traffic(text: &str, directory: &Directory) -> Arc<Traffic> {
    let (traffic, faults) = simulation::read("traffic.toml", text, Some(directory));
    Arc::new(traffic.unwrap_or_else(|| panic!("{}", summary(&faults))))
}

fn tried(directory: &Directory, text: &str) -> Tried {
    let world = World::new(directory, traffic(text, directory));
    let pool = world.pooled();
    let mut gathered = simulation::run_all(&[&world, &pool], &Progress::default()).unwrap().into_iter();
    let (gathered, pooled) = (gathered.next().unwrap(), gathered.next().unwrap());
    Tried { world, gathered, pooled }
}

fn figure(results: &Results, name: &str) -> Figure {
    *results.all.total.find(name).unwrap_or_else(|| panic!("no {name}"))
}

fn value(results: &Results, name: &str) -> f64 {
    figure(results, name).value
}

/// Every figure of the closed form is within one and a half intervals of the simulated one, most within one.
fn assert_fits(results: &Results, name: &str) {
    let formula = results.formula.as_ref().unwrap();
    assert_eq!(formula.name, name);
    for (metric, expected) in &formula.figures.0 {
        let found = figure(results, metric);
        let width = 1.5 * found.ci95.unwrap() + 1e-9;
        assert!((found.value - expected).abs() <= width, "{metric}: {found:?}, closed form {expected}");
    }
}

#[test]
fn equal_agents_and_patient_buyers_are_erlang_c() {
    let text = "[run]\narrivals = 12000\nwarm_up = 500\n[[stream]]\nid = \"all\"\nseller = \"tea\"\nrate = 120\n\
                work = { kind = \"exponential\", mean = \"80s\" }";

    let results = tried(&SHOP.directory(), text).results();

    assert_fits(&results, "erlang_c");
    assert!((value(&results, "served") - 12_000.0).abs() < 0.5);
}

#[test]
fn buyers_who_lose_patience_are_erlang_a() {
    let text = "[run]\narrivals = 12000\nwarm_up = 500\n[[stream]]\nid = \"all\"\nseller = \"tea\"\nrate = 200\n\
                work = { kind = \"exponential\", mean = \"80s\" }\n\
                patience = { kind = \"exponential\", mean = \"60s\" }";

    let results = tried(&SHOP.directory(), text).results();

    assert_fits(&results, "erlang_a");
    assert!(value(&results, "p_abandon") > 0.1);
}

#[test]
fn a_desk_where_nobody_waits_is_erlang_b_whatever_the_times_look_like() {
    let shop = Shop {
        group: "pickup_left_messages = false",
        bindings: "[[seller.binding]]\nid = \"free\"\nwhen = {}\nto = { group = \"desk\" }\notherwise = \"next\"\n\
                   [[seller.binding]]\nid = \"full\"\nwhen = {}\nto = { leave_message = \"later\" }",
        ..SHOP
    };
    let text = "[run]\narrivals = 12000\nwarm_up = 500\n[[stream]]\nid = \"all\"\nshop = \"shop-1\"\nrate = 150\n\
                work = { kind = \"lognormal\", mean = \"80s\", cv = 1.5 }";

    let results = tried(&shop.directory(), text).results();

    assert_fits(&results, "erlang_b");
    assert!(value(&results, "blocked") > 500.0);
}

#[test]
fn one_who_shares_its_time_takes_longer_the_busier_it_is() {
    let shop = Shop { agents: 1, capacity: 60, ..SHOP };
    let text = "[run]\narrivals = 12000\nwarm_up = 500\n[[stream]]\nid = \"all\"\nentry = \"shop-1\"\nrate = 60\n\
                work = { kind = \"lognormal\", mean = \"30s\", cv = 1.2 }\n[agents]\nslowdown = [1.0]";

    let results = tried(&shop.directory(), text).results();

    // A server that is shared equally: the mean is that of the work, divided by the share of time it is free.
    let found = figure(&results, "mean_chat_duration");
    assert!((found.value - 60.0).abs() < 1.5 * found.ci95.unwrap(), "{found:?}");
    assert!(results.formula.is_none());
}

#[test]
fn all_work_that_comes_is_done() {
    let text = "[run]\narrivals = 4000\n[[stream]]\nid = \"all\"\nseller = \"tea\"\nrate = 150\n\
                work = { kind = \"fixed\", mean = \"60s\" }";

    let results = tried(&SHOP.directory(), text).results();

    assert!((value(&results, "mean_chat_duration") - 60.0).abs() < 1e-9);
    // Little's law, without chance: slots taken are arrivals times work.
    let hours = 4_000.0 / 150.0;
    let rate = 4_000.0 / (hours * 3600.0);
    assert!((value(&results, "occupancy") - rate * 60.0 / 4.0).abs() < 0.02);
}

/// Where each event costs a step for everybody who waits, this takes minutes.
#[test]
fn ten_thousand_who_wait_are_served_in_the_end_each_in_its_turn() {
    let shop = Shop { agents: 1, group: "queue_limit = 0", ..SHOP };
    let text = "[run]\narrivals = 20000\n[[stream]]\nid = \"all\"\nseller = \"tea\"\nrate = 600\n\
                work = { kind = \"fixed\", mean = \"120s\" }";

    let results = tried(&shop.directory(), text).results();

    assert!((value(&results, "served") - 20_000.0).abs() < 0.5);
    assert!(value(&results, "max_queue_len") > 10_000.0);
}

#[test]
fn everybody_who_came_has_one_end() {
    let shop = Shop { group: "queue_limit = 2\nmax_wait = \"40s\"", ..SHOP };
    let text = "[run]\nduration = \"60h\"\nwarm_up = \"1h\"\n[[stream]]\nid = \"all\"\nseller = \"tea\"\n\
                profile = [100, 300]\nwork = { kind = \"exponential\", mean = \"80s\" }\n\
                patience = { kind = \"exponential\", mean = \"60s\" }\n\
                [agents]\nshifts = [{ sub_account = \"a0\", from = \"0h\", to = \"30h\" },\n\
                { sub_account = \"a1\", from = \"0h\", to = \"30h\" }, { sub_account = \"a2\", from = \"0h\", to = \"30h\" },\n\
                { sub_account = \"a3\", from = \"0h\", to = \"30h\" }]";

    let results = tried(&shop.directory(), text).results();

    let ends = ["blocked", "timed_out", "unstaffed", "abandoned", "served"].map(|name| value(&results, name));
    assert!((ends.iter().sum::<f64>() - value(&results, "offered")).abs() < 0.5, "{ends:?}");
    assert!(ends.iter().all(|end| *end > 0.0), "{ends:?}");
    // Half of the time nobody is there.
    assert!((ends[2] / value(&results, "offered") - 0.5).abs() < 0.05, "{ends:?}");
    let hours: f64 = results.all.hours.iter().map(|hour| hour.find("offered").unwrap().value).sum();
    assert!((hours - value(&results, "offered")).abs() < 0.5);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let text = "[run]\narrivals = 2000\n[[stream]]\nid = \"all\"\nseller = \"tea\"\nrate = 200\nreturning = 0.5\n\
                work = { kind = \"lognormal\", mean = \"70s\", cv = 1 }\n\
                patience = { kind = \"exponential\", mean = \"60s\" }";
    let shop = Shop { group: "recent_agent = \"72h\"\nassignment = \"offer\"", ..SHOP };
    let bytes = |text: &str| serde_json::to_string(&tried(&shop.directory(), text).results()).unwrap();

    let first = bytes(text);

    assert_eq!(first, bytes(text));
    assert_ne!(first, bytes(&text.replace("[run]", "[run]\nseed = 2")));
    assert!(first.contains("recent_hit_share") && !first.contains("null"));
}

#[test]
fn two_configurations_see_the_same_buyers() {
    let text = "[run]\narrivals = 4000\n[[stream]]\nid = \"all\"\nseller = \"tea\"\nrate = 160\n\
                work = { kind = \"exponential\", mean = \"80s\" }\n\
                patience = { kind = \"exponential\", mean = \"60s\" }";
    let four = tried(&SHOP.directory(), text);
    let five = tried(&Shop { agents: 5, ..SHOP }.directory(), text);

    let difference = four.difference(&five);

    let change = difference.total.find("p_abandon").unwrap();
    assert!(change.value < 0.0 && change.value.abs() > 3.0 * change.ci95.unwrap(), "{change:?}");
    // What both share cancels out: the difference is surer than either.
    let alone = figure(&four.results(), "p_abandon").ci95.unwrap();
    assert!(change.ci95.unwrap() < alone, "{change:?} beside {alone}");
    assert!(difference.total.find("offered").unwrap().value.abs() < 1e-9);
}

#[test]
fn one_pool_waits_no_longer_than_two_groups_of_halves() {
    let text = "[run]\narrivals = 4000\n[[stream]]\nid = \"all\"\nseller = \"tea\"\nrate = 150\n\
                work = { kind = \"exponential\", mean = \"80s\" }";

    let results = tried(&SHOP.directory(), text).results();

    // One group is one pool: the same buyers wait as long.
    let bound = results.all.bound.find("mean_wait").unwrap().value;
    assert!((bound - value(&results, "mean_wait")).abs() < 1e-9);
}

#[test]
fn the_closed_form_gives_the_number_of_agents_and_the_runs_confirm_it() {
    let text = "[run]\narrivals = 3000\nwarm_up = 200\n[[stream]]\nid = \"all\"\nseller = \"tea\"\nrate = 120\n\
                work = { kind = \"exponential\", mean = \"80s\" }";
    let directory = SHOP.directory();
    let target = Target::parse("sl=0.9/20s").unwrap();
    let (seller, group) = ("tea".into(), "desk".into());
    let staffed = |text: &str| {
        let traffic = traffic(text, &directory);
        simulation::staff(&directory, &traffic, (&seller, &group), &target, &Progress::default()).unwrap()
    };

    let found = staffed(text);
    // A shift that covers all is no closed form any more; the number is the same.
    let searched =
        staffed(&format!("{text}\n[agents]\nshifts = [{{ sub_account = \"a0\", from = \"0h\", to = \"9000h\" }}]"));

    assert_eq!((found.method, searched.method), ("erlang_c", "simulation"));
    assert_eq!((found.agents, searched.agents), (5, 5));
    let below = found.below.unwrap();
    assert!(found.at.find("sl").unwrap().value >= 0.9 && below.figures.find("sl").unwrap().value < 0.9);
    assert_eq!(below.agents, 4);
}

#[test]
fn the_shipped_traffic_is_for_the_shipped_configuration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let files = fenliu::config::load::routing(&root.join("routing")).unwrap();
    let (directory, _) = parse(&files, monday(), None, &Unbound::new());
    let text = std::fs::read_to_string(root.join("traffic/weekday.toml")).unwrap();
    let text = text.replace("replications = 20", "replications = 2");

    let results = tried(&directory.unwrap(), &text).results();

    assert_eq!(results.all.hours.len(), 24);
    assert!(results.all.streams.0.iter().all(|(_, figures)| figures.find("served").unwrap().value > 0.0));
    assert!(value(&results, "recent_hit_share") > 0.1);
}

#[test]
fn every_fault_of_a_traffic_file_is_told_at_once_with_its_place() {
    let directory = SHOP.directory();
    let text = "[run]\narrivals = 0\nduration = \"1h\"\nseeds = 3\n\n[[stream]]\nid = \"a\"\nseller = \"tee\"\n\
                rate = -1\nwork = { kind = \"exponental\", mean = \"80s\" }\nreturning = 1.5\n\n[[stream]]\nid = \"a\"\n\
                profile = [0, 0]\nwork = { kind = \"lognormal\", mean = \"soon\" }\n\n\
                [agents]\nshifts = [{ sub_account = \"a9\", from = \"4h\", to = \"2h\" }]\nspeed = { a1 = 0 }\n";

    let (traffic, faults) = simulation::read("t.toml", text, Some(&directory));

    assert!(traffic.is_none());
    let found = summary(&faults);
    for expected in [
        "t.toml:2:12: error: this number is out of range",
        "t.toml:4:1: error: [run] has no key `seeds`",
        "t.toml:8:10: error: there is no seller `tee`",
        "t.toml:9:8: error: this number is out of range",
        "t.toml:10:17: error: `exponental` is none of the choices",
        "t.toml:11:13: error: this number is out of range",
        "t.toml:13:1: error: a stream says with whom",
        "t.toml:14:6: error: the stream `a` stands at t.toml:7 already",
        "t.toml:13:1: error: nobody ever comes",
        "t.toml:16:37: error: this is no duration",
        "t.toml:16:8: error: work has no `cv`",
        "t.toml:19:27: error: there is no agent `a9`",
        "t.toml:19:51: error: a shift ends after it begins",
        "t.toml:20:16: error: this number is out of range",
    ] {
        assert!(found.contains(expected), "{expected} is not in\n{found}");
    }
    let nearest = |text: &str| faults.iter().find(|fault| fault.text == text).unwrap().nearest.clone();
    assert_eq!(nearest("seeds").as_deref(), Some("seed"));
    assert_eq!(nearest("\"tee\"").as_deref(), Some("tea"));
    assert_eq!(nearest("\"exponental\"").as_deref(), Some("exponential"));
}
