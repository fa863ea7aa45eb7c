//! The shipped routing configuration, and `fenliu check` as a program sees it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use fenliu::cli::check::{Args, CheckedSettings, Format, INVALID, Printing, VALID, run};
use fenliu::config::diagnostics::{Colour, Outcome};
use fenliu::config::load;
use fenliu::directory::{Directory, Unbound, parse, summary};
use fenliu::model::Timestamp;

const PLAIN_JSON: Printing = Printing { format: Format::Json, colour: Colour::Plain };

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

fn check(paths: &[&Path]) -> (u8, Outcome) {
    let args = Args { paths: paths.iter().map(|path| path.to_path_buf()).collect(), on: None };
    let mut to = Vec::new();
    let code = run(&args, noon(2027), |_| CheckedSettings::default(), PLAIN_JSON, &mut to).unwrap();
    (code, serde_json::from_slice(&to).unwrap())
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

#[test]
fn a_valid_configuration_is_ok_and_exits_with_0() {
    let (code, outcome) = check(&[&shipped()]);

    assert_eq!((code, outcome.ok, outcome.errors, outcome.warnings), (VALID, true, 0, 0));
}

#[test]
fn loose_files_are_one_configuration() {
    let mut paths: Vec<_> = std::fs::read_dir(shipped()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();

    assert_eq!(check(&paths).0, VALID);
    assert_eq!(check(&paths[1..]).0, INVALID);
}

#[test]
fn an_invalid_configuration_exits_with_78_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.toml");
    std::fs::write(&file, "[[role]]\nid = \"greeter\"\nscopes = [\"conversation.recieve\"]\n").unwrap();

    let (code, outcome) = check(&[directory.path()]);

    assert_eq!((code, outcome.ok, outcome.errors), (INVALID, false, 1));
    let found = &outcome.diagnostics[0];
    assert_eq!((found.line, found.column, found.length), (3, 11, 22));
    assert_eq!(found.nearest.as_deref(), Some("conversation.receive"));
    assert_eq!(found.text, "\"conversation.recieve\"");
}

#[test]
fn a_settings_file_leads_to_the_routing_configuration_it_names() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fenliu.toml");
    std::fs::write(&file, "[routing]\npath = \"elsewhere\"\n").unwrap();
    let args = Args { paths: vec![file], on: None };

    let settings = |_: &Path| CheckedSettings { routing: Some(shipped()), ..CheckedSettings::default() };
    let mut to = Vec::new();
    let printing = Printing { format: Format::Text, colour: Colour::Plain };
    let code = run(&args, noon(2027), settings, printing, &mut to).unwrap();

    assert_eq!(code, VALID);
    assert_eq!(String::from_utf8(to).unwrap(), "ok: 3 sellers, 12 agents; 0 errors, 0 warnings\n");
}

#[test]
fn what_is_not_there_is_invalid() {
    assert_eq!(check(&[Path::new("nowhere/at/all")]).0, INVALID);
}
