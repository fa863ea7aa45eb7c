//! A large configuration read, and read again with one seller changed while the table runs: what each step of a reload
//! takes, beside the bare parse of the same text. `cargo bench --bench reload`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on ends")]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fenliu::directory::{self, Directory, Unbound};
use fenliu::model::Timestamp;
use fenliu::routing::{Recovered, Settings, Table};

const SELLERS: usize = 10_000;
const AGENTS: usize = 10;
const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn main() {
    let text = configuration();
    println!("{SELLERS} sellers, {} agents, {} MiB", SELLERS * AGENTS, text.len() >> 20);
    let (_, bare) = took(|| black_box(text.parse::<toml::Table>().unwrap()));
    row("bare parse", bare, bare);
    let (first, read) = took(|| parse(&text, None));
    row("read and check", read, bare);
    let first = Arc::new(first);
    let (table, built) = took(|| Table::new(Arc::clone(&first), Settings::default(), Recovered::default(), NOW, || {}));
    row("build the table", built, bare);

    let changed = text.replacen("Shop 5000", "Shop 5000 and more", 1);
    let (second, read) = took(|| parse(&changed, Some(&first)));
    row("read and check again", read, bare);
    let second = Arc::new(second);
    let (changes, found) = took(|| directory::changes(&first, &second));
    assert_eq!(changes.len(), 1);
    row("find what differs", found, bare);
    let (_, rehearsed) = took(|| black_box(table.rehearse_reload(&second, NOW)));
    row("rehearse it", rehearsed, bare);
    let mut recorded = Instant::now();
    let (rearranged, applied) = took(|| table.reload(Arc::clone(&second), NOW, |_| recorded = Instant::now()));
    let behind = recorded.elapsed();
    assert_eq!(rearranged.unsettled.len(), 1);
    row("take it", applied, bare);
    row("  of it behind the record", behind, bare);
}

fn parse(text: &str, recorded: Option<&Directory>) -> Directory {
    let files = [("routing.toml".to_owned(), Arc::from(text))];
    let (directory, found) = directory::parse(&files, NOW, recorded, &Unbound::new());
    directory.unwrap_or_else(|| panic!("{}", directory::summary(&found)))
}

fn took<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed())
}

fn row(what: &str, took: Duration, bare: Duration) {
    let (took, bare) = (took.as_secs_f64(), bare.as_secs_f64());
    println!("{what:<28} {:>10.2} ms {:>8.3} of the bare parse", took * 1e3, took / bare);
}

fn configuration() -> String {
    let mut text = String::new();
    for at in 0..SELLERS {
        writeln!(
            text,
            "[[account]]\nid = \"a{at}\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"\ncertified_until = 2036-12-31\n\
             [[seller]]\nid = \"t{at}\"\nname = \"Shop {at}\"\naccount = \"a{at}\"\nshop = \"shop-{at}\"\ndefault_group = \"g0\""
        )
        .unwrap();
        let named: Vec<_> = (0..AGENTS).map(|agent| format!("s{at}-{agent}")).collect();
        for agent in &named {
            writeln!(text, "  [[seller.authorization]]\n  sub_account = \"{agent}\"\n  role = \"agent\"").unwrap();
        }
        for (group, members) in named.chunks(AGENTS / 2).enumerate() {
            writeln!(text, "  [[seller.group]]\n  id = \"g{group}\"\n  members = {members:?}").unwrap();
        }
        for agent in &named {
            writeln!(text, "[[sub_account]]\nid = \"{agent}\"\nname = \"{agent}\"\nkind = \"staff\"").unwrap();
        }
    }
    text
}
