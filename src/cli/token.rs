//! `fenliu token`: tokens for trying things out, and what is wrong with one.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use crate::auth::{Claims, Keys, Role};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::model::Timestamp;

/// What `fenliu token` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As what
    #[arg(long, value_parser = ["buyer", "staff", "operator"], required_unless_present = "check")]
    role: Option<String>,
    /// Who
    #[arg(long, required_unless_present = "check")]
    sub: Option<String>,
    /// How it is called
    #[arg(long)]
    name: Option<String>,
    /// What bindings may trust, as name=value; may be repeated
    #[arg(long = "attr", value_name = "NAME=VALUE", value_parser = attribute)]
    attributes: Vec<(String, String)>,
    /// For how long
    #[arg(long, default_value = "1h", value_parser = duration)]
    ttl: Duration,
    /// Read a token from the standard input (`-`) and say what is wrong with it
    #[arg(long, value_name = "-", conflicts_with_all = ["role", "sub"])]
    check: Option<String>,
}

/// Prints a token, or judges one.
pub(super) fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let keys = Keys::load(&settings.auth, &settings.store.path)?;
    let now = Clock::new(Timestamp::ZERO).now();
    if args.check.is_some() {
        let mut token = String::new();
        std::io::stdin().read_to_string(&mut token)?;
        return Ok(match keys.verify(token.trim(), now) {
            Ok(identity) => {
                println!("valid until {}", identity.expires_at);
                ExitCode::SUCCESS
            }
            Err(rejected) => {
                eprintln!("{rejected}");
                ExitCode::FAILURE
            }
        });
    }
    let role = match args.role.as_deref() {
        Some("staff") => Role::Staff,
        Some("operator") => Role::Operator,
        _ => Role::Buyer,
    };
    let mut claims = Claims::new(role, args.sub.clone().unwrap_or_default(), now + args.ttl);
    claims.name.clone_from(&args.name);
    for (name, value) in &args.attributes {
        claims.attributes.entry(name.clone()).or_default().push(value.clone());
    }
    println!("{}", keys.mint(&claims)?);
    Ok(ExitCode::SUCCESS)
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    #[derive(serde::Deserialize)]
    struct Span(#[serde(with = "humantime_serde")] Duration);

    let text = serde_json::Value::String(text.to_owned());
    serde_json::from_value::<Span>(text).map(|span| span.0).map_err(|error| error.to_string())
}
