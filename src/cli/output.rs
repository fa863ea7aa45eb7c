//! How the program speaks: data on the standard output, as text or JSON; words on the standard error.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use crate::config::diagnostics::{Colour, render};
use crate::config::load::Files;
use crate::config::settings::Settings;
use crate::config::{Faults, Loaded};
use crate::directory::{Diagnostic, summary};
use crate::logs;
use crate::model::Timestamp;

/// The settings file if none is named.
const SETTINGS_FILE: &str = "config/fenliu.toml";

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What can be said to every command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Globals {
    /// The settings file [default: config/fenliu.toml]
    #[arg(short, long, global = true, env = "FENLIU_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What is logged: levels, by target if wished, as in info,fenliu=debug
    #[arg(long, global = true, env = "FENLIU_LOG", value_name = "FILTER", value_parser = filter)]
    pub log: Option<String>,
    /// How the log is written
    #[arg(long, global = true, env = "FENLIU_LOG_FORMAT", value_enum)]
    pub log_format: Option<logs::Format>,
    /// How data is printed
    #[arg(long, global = true, env = "FENLIU_FORMAT", value_enum, default_value_t)]
    pub format: Format,
    /// When there are colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: When,
}

/// How data is printed where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Printing {
    /// In which form.
    pub format: Format,
    /// Coloured or plain; for people only.
    pub colour: Colour,
}

impl Globals {
    /// The settings file.
    pub fn settings_file(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| SETTINGS_FILE.into())
    }

    /// The settings that hold here, with where each came from.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn try_settings(&self) -> Result<Loaded, Faults> {
        let mut loaded = Loaded::load(&self.settings_file(), self.config.is_some(), std::env::vars_os())?;
        if let Some(filter) = &self.log {
            loaded.settings.log.filter.clone_from(filter);
            loaded.origins.insert("log.filter".into(), "--log".into());
        }
        if let Some(format) = self.log_format {
            loaded.settings.log.format = format;
            loaded.origins.insert("log.format".into(), "--log-format".into());
        }
        Ok(loaded)
    }

    /// The settings that hold here; what is wrong with them has been said.
    pub fn settings(&self) -> Option<Settings> {
        match self.try_settings() {
            Ok(loaded) => Some(loaded.settings),
            Err(faults) => {
                eprint!("{}", self.shown(&faults));
                None
            }
        }
    }

    /// The settings that hold here, once the files that they name have been looked at too; what is wrong has been said.
    pub fn settings_for_use(&self, now: Timestamp) -> Option<Settings> {
        let loaded = match self.try_settings() {
            Ok(loaded) => loaded,
            Err(faults) => {
                eprint!("{}", self.shown(&faults));
                return None;
            }
        };
        let found = loaded.named_files(now);
        eprint!("{}", self.shown(&found));
        let refused = found.diagnostics.iter().any(Diagnostic::is_error);
        (!refused).then_some(loaded.settings)
    }

    /// Faults as people read them, for the standard error.
    pub fn shown(&self, faults: &Faults) -> String {
        self.render(&faults.diagnostics, &faults.files)
    }

    /// Diagnostics as people read them, for the standard error.
    pub fn render(&self, diagnostics: &[Diagnostic], files: &Files) -> String {
        let mut text = String::new();
        match render(&mut text, diagnostics, files, self.colour(&io::stderr())) {
            Ok(()) => text,
            Err(_) => format!("{}\n", summary(diagnostics)),
        }
    }

    /// How data is printed on the standard output.
    pub fn printing(&self) -> Printing {
        Printing { format: self.format, colour: self.colour(&io::stdout()) }
    }

    /// Whether there are colours on the standard error, where the log goes.
    pub fn log_is_coloured(&self) -> bool {
        self.colour(&io::stderr()) == Colour::Coloured
    }

    fn colour(&self, stream: &impl IsTerminal) -> Colour {
        let minds = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let coloured = match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => stream.is_terminal() && !minds(),
        };
        if coloured { Colour::Coloured } else { Colour::Plain }
    }
}

fn filter(text: &str) -> Result<String, String> {
    logs::check(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

/// Prints data.
///
/// # Errors
/// Those of the standard output, a reader that has gone among them.
pub fn print(data: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(data)?;
    stdout.flush()
}
