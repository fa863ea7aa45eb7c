//! `fenliu token`: tokens for trying things out, and what is wrong with one.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::output::{Format, Globals, print};
use crate::auth::{Claims, Identity, Keys, Role};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::model::{Caller, Timestamp};

/// The longest token that is read, in bytes.
const TOKEN_MAX: u64 = 64 * 1024;

/// What `fenliu token` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As what
    #[arg(long, value_enum, required_unless_present = "check")]
    role: Option<Role>,
    /// Who
    #[arg(long, required_unless_present = "check", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    sub: Option<String>,
    /// How it is called
    #[arg(long)]
    name: Option<String>,
    /// What bindings may trust; may be repeated, a name too
    #[arg(long = "attr", value_name = "NAME=VALUE", value_parser = super::pair)]
    attributes: Vec<(String, String)>,
    /// For how long
    #[arg(long, default_value = "1h", value_parser = duration)]
    ttl: Duration,
    /// Read a token from the standard input (`-`) and say what is wrong with it
    #[arg(long, value_name = "-", value_parser = ["-"], conflicts_with_all = ["role", "sub", "name", "attributes"])]
    check: Option<String>,
}

/// Prints a token, or judges one.
pub(super) fn run(args: &Args, settings: &Settings, globals: &Globals) -> anyhow::Result<ExitCode> {
    let keys = Keys::load(&settings.auth, &settings.store.path)?;
    let now = Clock::new(Timestamp::ZERO).now();
    if args.check.is_some() {
        return judge(&keys, now, globals.format);
    }
    let expires_at = now + args.ttl;
    let mut claims = Claims::new(args.role.unwrap_or(Role::Buyer), args.sub.clone().unwrap_or_default(), expires_at);
    claims.name.clone_from(&args.name);
    for (name, value) in &args.attributes {
        claims.attributes.entry(name.clone()).or_default().push(value.clone());
    }
    let token = keys.mint(&claims)?;
    let text = match globals.format {
        Format::Text => format!("{token}\n"),
        Format::Json => format!("{:#}\n", json!({ "token": token, "expires_at": expires_at })),
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn judge(keys: &Keys, now: Timestamp, format: Format) -> anyhow::Result<ExitCode> {
    let mut token = Vec::new();
    std::io::stdin().take(TOKEN_MAX).read_to_end(&mut token)?;
    // A token is ASCII; what is not is none.
    let verdict = keys.verify(String::from_utf8_lossy(&token).trim(), now);
    let code = if verdict.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    match (verdict, format) {
        (Ok(identity), Format::Text) => print(described(&identity).as_bytes())?,
        (Ok(identity), Format::Json) => {
            let Identity { caller, name, attributes, expires_at } = identity;
            let (role, sub) = who(&caller);
            let attributes: serde_json::Map<_, _> =
                attributes.iter().map(|(name, values)| (name.to_string(), json!(values))).collect();
            let data = json!({ "valid": true, "role": role, "sub": sub, "name": name, "attrs": attributes,
                               "expires_at": expires_at });
            print(format!("{data:#}\n").as_bytes())?;
        }
        (Err(rejected), Format::Text) => eprintln!("fenliu: the token is refused: {rejected}"),
        (Err(rejected), Format::Json) => {
            let data = json!({ "valid": false, "why": rejected.to_string() });
            print(format!("{data:#}\n").as_bytes())?;
        }
    }
    Ok(code)
}

fn described(identity: &Identity) -> String {
    let (role, sub) = who(&identity.caller);
    let name = identity.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let attributes = identity.attributes.iter().map(|(name, values)| format!(", {name}={}", values.join(",")));
    format!("valid until {}: {role} {sub}{name}{}\n", identity.expires_at, attributes.collect::<String>())
}

fn who(caller: &Caller) -> (&'static str, &str) {
    match caller {
        Caller::Buyer { key, .. } => ("buyer", &key.sub),
        Caller::Staff { account, .. } => ("staff", account.as_str()),
        Caller::Operator { sub } => ("operator", sub),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let expected = |_| "expected a duration such as 30m, 1h or 30d".to_owned();
    humantime_serde::re::humantime::parse_duration(text).map_err(expected)
}
