//! The shipped routing configuration: it is what the documentation says it is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use fenliu::config::load;
use fenliu::directory::{Directory, Unbound, parse, summary};
use fenliu::model::Timestamp;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/routing")
}

fn noon(year: i16) -> Timestamp {
    let day = jiff::civil::date(year, 3, 1).at(4, 0, 0, 0);
    Timestamp::from_micros(jiff::tz::TimeZone::UTC.to_timestamp(day).unwrap().as_microsecond())
}

fn shipped_directory() -> Directory {
    let files = load::routing(&shipped()).unwrap();
    let (directory, found) = parse(&files, noon(2027), None, &Unbound::new());
    directory.unwrap_or_else(|| panic!("{}", summary(&found)))
}

#[test]
fn the_shipped_configuration_has_neither_errors_nor_warnings_for_years() {
    let files = load::routing(&shipped()).unwrap();

    for year in [2026, 2030, 2036] {
        let (directory, found) = parse(&files, noon(year), None, &Unbound::new());
        assert!(found.is_empty(), "{}", summary(&found));
        assert_eq!(directory.unwrap().sellers.len(), 3);
    }
}

#[test]
fn the_outsourcer_joins_its_two_shops_and_the_book_shop_stands_alone() {
    let directory = shipped_directory();

    let domains: Vec<Vec<&str>> =
        directory.domains.iter().map(|domain| domain.sellers.iter().map(|seller| seller.as_str()).collect()).collect();

    assert_eq!(domains, [vec!["haoyue", "tea"], vec!["papermill"]]);
}

#[test]
fn what_the_documentation_refers_to_is_there() {
    let directory = shipped_directory();
    let tea = &directory.sellers["tea"];

    assert_eq!(directory.entries["shop-881"].as_str(), "tea");
    assert_eq!(tea.account.as_str(), "lin");
    assert!(["mei", "bo", "lin"].iter().all(|agent| tea.agents.contains_key(*agent)));
    assert_eq!(tea.default_group.as_str(), "presale");
    assert!(tea.groups.iter().any(|group| group.id.as_str() == "aftersale"));
}
