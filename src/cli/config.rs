//! `fenliu config`: the settings as data: their defaults, their schema, the names of their variables, their values.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::INVALID;
use super::output::{Format, Globals, print};
use crate::config::{self, Known};

/// What to print.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum What {
    /// The documented default file
    Default,
    /// The JSON Schema of the settings file, for editors
    Schema,
    /// The names of the environment variables, each with its default
    Env,
    /// The values that hold here, with where each came from; secrets are hidden
    Show,
}

pub(super) fn run(what: What, globals: &Globals) -> anyhow::Result<ExitCode> {
    let text = match what {
        What::Default => include_str!("../../config/fenliu.toml").to_owned(),
        What::Schema => format!("{:#}\n", config::schema()),
        What::Env => env(globals.format)?,
        What::Show => match globals.try_settings() {
            Ok(loaded) => show(&loaded, globals.format)?,
            Err(faults) => {
                eprint!("{}", globals.shown(&faults));
                return Ok(ExitCode::from(INVALID));
            }
        },
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn env(format: Format) -> anyhow::Result<String> {
    let known = config::known();
    let flags = [
        ("FENLIU_CONFIG", "--config: the settings file"),
        ("FENLIU_LOG", "--log: what is logged"),
        ("FENLIU_LOG_FORMAT", "--log-format: how the log is written"),
        ("FENLIU_FORMAT", "--format: how data is printed"),
    ];
    if format == Format::Json {
        let settings = known.iter().map(|Known { path, variable, about, expected, default }| {
            json!({ "variable": variable, "path": path, "about": about, "expected": expected, "default": default })
        });
        let flags = flags.iter().map(|(variable, about)| json!({ "variable": variable, "about": about }));
        return Ok(format!("{:#}\n", Value::Array(settings.chain(flags).collect())));
    }

    let mut text = String::new();
    for Known { variable, about, default, .. } in &known {
        writeln!(text, "# {about}\n{variable}={}", default.as_ref().map_or_else(String::new, in_environment))?;
    }
    text.push_str("\n# These feed flags:\n");
    for (variable, about) in flags {
        writeln!(text, "# {variable}: {about}")?;
    }
    Ok(text)
}

fn show(loaded: &config::Loaded, format: Format) -> anyhow::Result<String> {
    let values = serde_json::to_value(&loaded.settings)?;
    let known = config::known();
    let rows = known.iter().filter_map(|known| {
        let value = known.path.split('.').try_fold(&values, |value, key| value.get(key))?;
        let origin = loaded.origins.get(&known.path).map_or("default", String::as_str);
        Some((known.path.as_str(), value, origin))
    });
    let rows: Vec<_> = rows.filter(|(_, value, _)| !value.is_null()).collect();
    if format == Format::Json {
        let rows = rows.iter().map(|(path, value, origin)| json!({ "path": path, "value": value, "from": origin }));
        return Ok(format!("{:#}\n", Value::Array(rows.collect())));
    }
    let texts: Vec<_> = rows.iter().map(|(path, value, origin)| (format!("{path} = {value}"), origin)).collect();
    let width = texts.iter().map(|(text, _)| text.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    let mut shown = String::new();
    for (text, origin) in texts {
        writeln!(shown, "{text:width$}  # {origin}")?;
    }
    Ok(shown)
}

/// A value as it is written in a variable.
fn in_environment(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(in_environment).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
