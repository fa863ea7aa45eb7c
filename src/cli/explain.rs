//! `fenliu explain`: what would become of a hypothetical buyer, by the configuration's files alone or as a running
//! daemon sees it.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::client::{Client, Failure, Target, UNREACHABLE};
use super::output::{Format, Globals, print};
use super::{INVALID, WRONG_USE, trace};
use crate::clock::Clock;
use crate::config::load;
use crate::directory::{Directory, Seller, Unbound, parse};
use crate::model::{AccountId, Caller, SellerId, SessionId, Status, Timestamp};
use crate::policy::Method;
use crate::protocol::{self, Call, Limits, Supposed};
use crate::routing::{self, Actor, Command, Hypothesis, Outcome, Past, Recovered, Table};

/// How alike a name must be to be proposed: Jaro-Winkler.
const ALIKE: f64 = 0.8;

/// What `fenliu explain` is told.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// With which seller the buyer would talk
    #[arg(long)]
    seller: String,
    /// Who it would be: the `sub` of its token
    #[arg(long, value_name = "ID")]
    buyer: Option<String>,
    /// What its token would say of it; may be repeated, a name too
    #[arg(long = "attr", value_name = "NAME=VALUE", value_parser = super::pair)]
    attributes: Vec<(String, String)>,
    /// What it would say of its wish; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::pair)]
    context: Vec<(String, String)>,
    /// What it would write first
    #[arg(long)]
    text: Option<String>,
    /// Who is online, separated by commas; without: everybody
    #[arg(long, value_name = "IDS", value_delimiter = ',', conflicts_with = "against")]
    online: Option<Vec<String>>,
    /// When: a time such as 2026-11-24T20:00:00+08:00, or one in the seller's time zone; without: now
    #[arg(long, value_name = "TIME", conflicts_with = "against")]
    at: Option<String>,
    /// Ask the daemon whose admin listener this is: http://HOST:PORT or unix:PATH
    #[arg(long, value_name = "URL")]
    against: Option<Target>,
}

/// Explains, and says with which code the program ends.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let asked = match &args.against {
        Some(target) => ask(args, target, globals)?,
        None => suppose(args, globals)?,
    };
    let (decision, directory) = match asked {
        Ok(decided) => decided,
        Err(code) => return Ok(ExitCode::from(code)),
    };
    let printing = globals.printing();
    let text = match printing.format {
        Format::Json => serde_json::to_string_pretty(&decision)? + "\n",
        Format::Text => {
            let directory = directory.as_deref();
            let seller = directory.and_then(|directory| directory.sellers.get(args.seller.as_str()));
            trace::shown(&decision, directory, seller.map(|seller| &**seller), printing)
        }
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// A decision, and the configuration that it was made by if that is known; or the exit code.
type Asked = Result<(Value, Option<Arc<Directory>>), u8>;

fn ask(args: &Args, target: &Target, globals: &Globals) -> anyhow::Result<Asked> {
    let settings = globals.try_settings().ok();
    let client = Client::new(target.clone(), settings.as_ref().map(|loaded| &loaded.settings));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(client.act("/explain", Some(&params(args)))) {
        Ok(answer) => Ok(Ok((answer.get("decision").unwrap_or(&answer).clone(), None))),
        Err(failure @ Failure::Unreachable(..)) => {
            eprintln!("fenliu: {failure}");
            Ok(Err(UNREACHABLE))
        }
        Err(failure) => Err(failure.into()),
    }
}

fn suppose(args: &Args, globals: &Globals) -> anyhow::Result<Asked> {
    let Some(settings) = globals.settings() else { return Ok(Err(INVALID)) };
    let clock_now = Clock::new(Timestamp::ZERO).now();
    let Some(directory) = read(globals, &settings.routing.path, clock_now) else { return Ok(Err(INVALID)) };
    let directory = Arc::new(directory);
    let Some(seller) = directory.sellers.get(args.seller.as_str()) else {
        let known = directory.sellers.keys().map(SellerId::as_str);
        return Ok(Err(unknown("--seller", "seller", &args.seller, known)));
    };
    let online = match online(args, seller) {
        Ok(online) => online,
        Err(code) => return Ok(Err(code)),
    };
    let now = match &args.at {
        None => clock_now,
        Some(text) => time(text, seller).with_context(|| format!("--at: `{text}` is no time"))?,
    };
    let supposed = match supposed(args) {
        Ok(supposed) => supposed,
        Err(error) => {
            eprintln!("fenliu: {error}");
            return Ok(Err(WRONG_USE));
        }
    };
    let decision = decide(&directory, &online, supposed, now).context("there is no decision")?;
    Ok(Ok((serde_json::to_value(protocol::Decision::of(&decision))?, Some(directory))))
}

/// The configuration; what is wrong with it has been said.
fn read(globals: &Globals, path: &std::path::Path, now: Timestamp) -> Option<Directory> {
    let files = load::routing(path);
    let (directory, found, files) = match files {
        Ok(files) => {
            let (directory, found) = parse(&files, now, None, &Unbound::new());
            (directory, found, files)
        }
        Err(faults) => (None, faults, Vec::new()),
    };
    if directory.is_none() {
        eprint!("{}", globals.render(&found, &files));
    }
    directory
}

/// Who is online, or the exit code if one of them is nobody.
fn online(args: &Args, seller: &Seller) -> Result<Vec<AccountId>, u8> {
    let known = || seller.agents.keys().map(AccountId::as_str);
    let Some(names) = &args.online else {
        let mut everybody: Vec<_> = seller.agents.keys().cloned().collect();
        everybody.sort();
        return Ok(everybody);
    };
    let names = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    let found = names.map(|name| match seller.agents.get_key_value(name) {
        Some((account, _)) => Ok(account.clone()),
        None => Err(unknown("--online", "agent of this seller", name, known())),
    });
    found.collect()
}

/// Says that a name is unknown and which it may be.
fn unknown<'n>(flag: &str, what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> u8 {
    let alike = known.map(|known| (strsim::jaro_winkler(known, name), known));
    let nearest = alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b));
    let meant = nearest.map(|(_, nearest)| format!("; did you mean `{nearest}`?")).unwrap_or_default();
    eprintln!("fenliu: {flag}: there is no {what} `{name}`{meant}");
    WRONG_USE
}

fn time(text: &str, seller: &Seller) -> anyhow::Result<Timestamp> {
    let there = match text.parse::<jiff::Timestamp>() {
        Ok(there) => there,
        Err(_) => {
            let civil: jiff::civil::DateTime = text.replace(' ', "T").parse()?;
            seller.time_zone.to_timestamp(civil)?
        }
    };
    Ok(Timestamp::from_micros(there.as_microsecond()))
}

/// The params of `routing.explain`.
fn params(args: &Args) -> Value {
    let mut attributes: Map<String, Value> = Map::new();
    for (name, value) in &args.attributes {
        let values = attributes.entry(name.clone()).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(value.as_str().into());
        }
    }
    let context: Map<String, Value> = args.context.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let mut buyer = json!({ "attrs": attributes });
    let mut params = json!({ "seller": args.seller, "context": context });
    if let Some(id) = &args.buyer {
        buyer["id"] = json!(id);
    }
    if let Some(text) = &args.text {
        params["text"] = json!(text);
    }
    params["buyer"] = buyer;
    params
}

/// The hypothetical buyer, read as a client's call would be.
fn supposed(args: &Args) -> anyhow::Result<Supposed> {
    let params = serde_json::value::to_raw_value(&params(args))?;
    match protocol::parse_call(Method::RoutingExplain, Some(&params), &Limits::default()) {
        Ok(Call::ExplainSupposed(supposed)) => Ok(supposed),
        Ok(_) => anyhow::bail!("this is no hypothetical buyer"),
        Err(error) => anyhow::bail!("{}", error.message()),
    }
}

fn decide(
    directory: &Arc<Directory>,
    online: &[AccountId],
    supposed: Supposed,
    now: Timestamp,
) -> anyhow::Result<Arc<routing::Decision>> {
    let table = Table::new(Arc::clone(directory), routing::Settings::default(), Recovered::default(), now, || {});
    let Supposed { seller, profile, context, text } = supposed;
    let domain = table.domain_of_seller(&seller).context("the seller has no desk")?;
    for (number, account) in (1..).zip(online) {
        let session = SessionId(number);
        let caller = Caller::Staff { account: account.clone(), sellers: None };
        let actor = Actor { caller: Some(&caller), session: Some(session) };
        let arrive = Command::Arrive { session, status: Some(Status::Online) };
        table.act(domain, &actor, arrive, now, |acted| acted.result)?;
    }
    let hypothesis = Box::new(Hypothesis { seller, profile, context, text, past: Past::default() });
    let caller = Caller::Operator { sub: "".into() };
    let actor = Actor { caller: Some(&caller), session: None };
    match table.act(domain, &actor, Command::Explain(hypothesis), now, |acted| acted.result)? {
        Outcome::Decision(decision) => Ok(decision),
        _ => anyhow::bail!("the domain has not decided"),
    }
}
