//! `fenliu check`: all that a start or a reload would say of the configuration, without a daemon.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::INVALID;
use super::client::{Client, Failure, Target, UNREACHABLE};
use super::output::{Format, Globals, Printing, print};
use crate::clock::Clock;
use crate::config::diagnostics::{Outcome, render};
use crate::config::load::{self, Files};
use crate::config::{Faults, Loaded};
use crate::directory::{Accepted, Diagnostic, Directory, Unbound, parse};
use crate::model::Timestamp;

/// What `fenliu check` is told.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// Routing directories or files, or a settings file; files are read together as one configuration
    pub paths: Vec<PathBuf>,
    /// Check as if it were this day
    #[arg(long, value_name = "DAY")]
    pub on: Option<Date>,
    /// Judge it as the daemon would whose admin listener this is, against what that has accepted: http://HOST:PORT or
    /// unix:PATH
    #[arg(long, value_name = "URL")]
    pub(super) against: Option<Target>,
}

/// Checks, prints what was found, and gives the exit code.
///
/// # Errors
/// What went wrong in printing, or in talking to a daemon that is there.
pub fn run(args: &Args, globals: &Globals) -> io::Result<u8> {
    let now = Clock::new(Timestamp::ZERO).now();
    let now = args.on.map_or(now, |day| noon(day, now));
    let mut checked = Checked::default();
    if let Some(target) = &args.against {
        match recorded(target, globals) {
            Ok(accepted) => checked.recorded = Some((accepted.directory(now).ok(), accepted.unbound)),
            Err(Failure::Unreachable(target, error)) => {
                eprintln!("fenliu: {}", Failure::Unreachable(target, error));
                return Ok(UNREACHABLE);
            }
            Err(failure) => return Err(io::Error::other(failure)),
        }
    }
    let mut loose = Vec::new();
    if args.paths.is_empty() {
        checked.settings(globals.try_settings(), now);
    }
    for path in &args.paths {
        if path.is_dir() {
            checked.routing(load::routing(path), now);
        } else if is_settings(path) {
            checked.settings(Loaded::load(path, true, std::env::vars_os()), now);
        } else {
            loose.push(path.clone());
        }
    }
    if !loose.is_empty() {
        checked.routing(load::together(&loose), now);
    }
    checked.print(globals.printing())
}

/// What a daemon has accepted.
fn recorded(target: &Target, globals: &Globals) -> Result<Accepted, Failure> {
    let settings = globals.try_settings().ok();
    let client = Client::new(target.clone(), settings.as_ref().map(|loaded| &loaded.settings));
    let unreachable = |error: &dyn std::fmt::Display| Failure::Unreachable(target.clone(), error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| unreachable(&error))?;
    let mut routing = runtime.block_on(client.read("/routing?files=1"))?;
    serde_json::from_value(routing["accepted"].take()).map_err(|error| unreachable(&error))
}

/// What all paths together came to.
#[derive(Default)]
struct Checked {
    /// What a daemon has accepted, if it is judged against that: the snapshot, and what was unbound.
    recorded: Option<(Option<Directory>, Unbound)>,
    diagnostics: Vec<Diagnostic>,
    files: Files,
    sellers: usize,
    agents: usize,
}

impl Checked {
    /// What a start with these settings would find. Where they are wrong, the routing configuration may not be meant.
    fn settings(&mut self, loaded: Result<Loaded, Faults>, now: Timestamp) {
        match loaded {
            Ok(loaded) => {
                let found = loaded.named_files(now);
                if !found.diagnostics.is_empty() {
                    self.diagnostics.extend(found.diagnostics);
                    self.files.extend(found.files);
                }
                self.routing(load::routing(&loaded.settings.routing.path), now);
            }
            Err(faults) => {
                self.diagnostics.extend(faults.diagnostics);
                self.files.extend(faults.files);
            }
        }
    }

    fn routing(&mut self, files: Result<Files, Vec<Diagnostic>>, now: Timestamp) {
        match files {
            Err(faults) => self.diagnostics.extend(faults),
            Ok(files) => {
                let none = Unbound::new();
                let recorded = self.recorded.as_ref();
                let (recorded, unbound) =
                    recorded.map_or((None, &none), |(directory, unbound)| (directory.as_ref(), unbound));
                let (directory, found) = parse(&files, now, recorded, unbound);
                self.diagnostics.extend(found);
                self.files.extend(files);
                let Directory { sellers, domains, .. } = directory.unwrap_or_default();
                self.sellers += sellers.len();
                self.agents += domains.iter().map(|domain| domain.agents.len()).sum::<usize>();
            }
        }
    }

    fn print(self, printing: Printing) -> io::Result<u8> {
        let outcome = Outcome::new(self.diagnostics);
        let mut text = String::new();
        match printing.format {
            Format::Json => text = serde_json::to_string_pretty(&outcome)? + "\n",
            Format::Text => {
                render(&mut text, &outcome.diagnostics, &self.files, printing.colour).map_err(io::Error::other)?;
                let (sellers, agents) = (self.sellers, self.agents);
                text.push_str(&match outcome.ok {
                    true => format!("ok: {sellers} sellers, {agents} agents; {outcome}\n"),
                    false => format!("invalid: {outcome}\n"),
                });
            }
        }
        print(text.as_bytes())?;
        Ok(if outcome.ok { 0 } else { INVALID })
    }
}

/// Whether a file is one of settings: it is called so, or has a table of theirs, and has no element of routing.
fn is_settings(path: &Path) -> bool {
    const TABLES: [&str; 6] = ["server", "auth", "store", "routing", "limits", "log"];
    const ELEMENTS: [&str; 4] = ["seller", "account", "sub_account", "role"];
    const BYTES_MAX: u64 = 1024 * 1024;

    if !fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= BYTES_MAX) {
        return false;
    }
    let Ok(text) = fs::read_to_string(path) else { return false };
    let (table, _) = toml::de::DeTable::parse_recoverable(&text);
    let has = |names: &[&str]| names.iter().any(|name| table.get_ref().contains_key(*name));
    (has(&TABLES) || path.ends_with("fenliu.toml")) && !has(&ELEMENTS)
}

fn noon(day: Date, now: Timestamp) -> Timestamp {
    let noon = TimeZone::UTC.to_timestamp(day.at(12, 0, 0, 0));
    noon.map_or(now, |noon| Timestamp::from_micros(noon.as_microsecond()))
}
