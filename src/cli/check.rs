//! `fenliu check`: all that a start or a reload would say of the configuration, without a daemon.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::config::diagnostics::{Colour, Outcome, render};
use crate::config::load::{self, Files};
use crate::directory::{Diagnostic, Directory, Unbound, parse};
use crate::model::Timestamp;

/// The configuration is valid; there may be warnings.
pub const VALID: u8 = 0;
/// The configuration is invalid.
pub const INVALID: u8 = 78;

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What `fenliu check` is told.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// Routing directories or files, or a settings file; files are read together as one configuration
    pub paths: Vec<PathBuf>,
    /// Check as if it were this day
    #[arg(long, value_name = "DAY")]
    pub on: Option<Date>,
}

/// What was found in a settings file.
#[derive(Debug, Default)]
pub struct CheckedSettings {
    /// What is wrong or doubtful in it.
    pub diagnostics: Vec<Diagnostic>,
    /// Its text, to show the diagnostics in.
    pub files: Files,
    /// Where it says that the routing configuration is.
    pub routing: Option<PathBuf>,
}

/// How it is printed.
#[derive(Clone, Copy, Debug)]
pub struct Printing {
    /// In which form.
    pub format: Format,
    /// Coloured or plain; for people only.
    pub colour: Colour,
}

impl Printing {
    /// Coloured if it goes to a terminal and nobody minds.
    pub fn to_stdout(format: Format) -> Self {
        let minds = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = if io::stdout().is_terminal() && !minds { Colour::Coloured } else { Colour::Plain };
        Self { format, colour }
    }
}

/// Checks, prints what was found, and gives the exit code. `settings` reads and checks a settings file.
///
/// # Errors
/// What went wrong in printing.
pub fn run(
    args: &Args,
    now: Timestamp,
    settings: impl Fn(&Path) -> CheckedSettings,
    printing: Printing,
    to: &mut impl Write,
) -> io::Result<u8> {
    let now = args.on.map_or(now, |day| noon(day, now));
    let mut checked = Checked::default();
    let mut loose = Vec::new();
    for path in &args.paths {
        if path.is_dir() {
            checked.routing(load::routing(path), now);
        } else if is_settings(path) {
            let found = settings(path);
            checked.diagnostics.extend(found.diagnostics);
            checked.files.extend(found.files);
            if let Some(path) = found.routing {
                checked.routing(load::routing(&path), now);
            }
        } else {
            loose.push(path.clone());
        }
    }
    if !loose.is_empty() {
        checked.routing(load::together(&loose), now);
    }
    checked.print(printing, to)
}

/// What all paths together came to.
#[derive(Default)]
struct Checked {
    diagnostics: Vec<Diagnostic>,
    files: Files,
    sellers: usize,
    agents: usize,
}

impl Checked {
    fn routing(&mut self, files: Result<Files, Vec<Diagnostic>>, now: Timestamp) {
        match files {
            Err(faults) => self.diagnostics.extend(faults),
            Ok(files) => {
                let (directory, found) = parse(&files, now, None, &Unbound::new());
                self.diagnostics.extend(found);
                self.files.extend(files);
                let Directory { sellers, domains, .. } = directory.unwrap_or_default();
                self.sellers += sellers.len();
                self.agents += domains.iter().map(|domain| domain.agents.len()).sum::<usize>();
            }
        }
    }

    fn print(self, printing: Printing, to: &mut impl Write) -> io::Result<u8> {
        let outcome = Outcome::new(self.diagnostics);
        match printing.format {
            Format::Json => {
                serde_json::to_writer_pretty(&mut *to, &outcome)?;
                writeln!(to)?;
            }
            Format::Text => {
                let mut text = String::new();
                render(&mut text, &outcome.diagnostics, &self.files, printing.colour).map_err(io::Error::other)?;
                to.write_all(text.as_bytes())?;
                let (sellers, agents) = (self.sellers, self.agents);
                match outcome.ok {
                    true => writeln!(to, "ok: {sellers} sellers, {agents} agents; {outcome}")?,
                    false => writeln!(to, "invalid: {outcome}")?,
                }
            }
        }
        to.flush()?;
        Ok(if outcome.ok { VALID } else { INVALID })
    }
}

/// Whether a file is one of settings: it has a table of theirs and no element of routing. Others are routing files.
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
    has(&TABLES) && !has(&ELEMENTS)
}

fn noon(day: Date, now: Timestamp) -> Timestamp {
    let noon = TimeZone::UTC.to_timestamp(day.at(12, 0, 0, 0));
    noon.map_or(now, |noon| Timestamp::from_micros(noon.as_microsecond()))
}
