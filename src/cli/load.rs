//! `fenliu load`: drives a daemon over real sockets and says how it did.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::watch;

use super::{Format, Globals, INVALID};
use crate::auth::Keys;
use crate::clock::Clock;
use crate::config::load as files;
use crate::config::settings::{Server, Settings};
use crate::directory::{self, Directory, Unbound};
use crate::load::{self, Plan, Report, RunError, Scenario, Show, Threshold, Trust, World};
use crate::model::Timestamp;

const WRONG_USE: u8 = 2;
const UNREACHABLE: u8 = 69;
const CROSSED: u8 = 99;
const INTERRUPTED: u8 = 130;

/// What `fenliu load` is told.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// The scenario; without one, a short relay of messages
    #[arg(value_name = "SCENARIO")]
    scenario: Option<PathBuf>,
    /// The daemon, instead of the one the settings describe
    #[arg(long, value_name = "ws[s]://HOST:PORT/ws")]
    url: Option<String>,
    /// Over TLS: the certificate that the daemon has to show, or that of who signed it, in PEM
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Orders a second of the last stage that has a rate; the others change in proportion
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// How long all stages last together; each changes in proportion
    #[arg(long, value_name = "TIME", value_parser = super::token::duration)]
    duration: Option<Duration>,
    /// How many buyers
    #[arg(long, value_name = "N")]
    buyers: Option<usize>,
    /// How many agents; 0: all
    #[arg(long, value_name = "N")]
    agents: Option<usize>,
    /// How many sellers; 0: all
    #[arg(long, value_name = "N")]
    sellers: Option<usize>,
    /// How many sessions that only stay
    #[arg(long, value_name = "N")]
    idle: Option<usize>,
    /// Closed loop: every talking buyer keeps so many messages unanswered
    #[arg(long, value_name = "WINDOW", num_args = 0..=1, default_missing_value = "1")]
    closed: Option<usize>,
    /// What chance is drawn from
    #[arg(long)]
    seed: Option<u64>,
    /// What must hold, as `deliver.p99 < 50ms`; may be repeated
    #[arg(long = "threshold", value_name = "CONDITION", value_parser = Threshold::parse)]
    thresholds: Vec<Threshold>,
    /// Write a report for browsers
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The daemon's process on this machine: its processor time and memory are reported
    #[arg(long)]
    pid: Option<u32>,
    /// Threads of the generator
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Compare two reports that `--format json` has printed
    Compare {
        /// The earlier one
        before: PathBuf,
        /// The later one
        after: PathBuf,
        /// Exit with 99 where a figure is worse by more than so many percent
        #[arg(long, value_name = "PERCENT")]
        tolerance: Option<f64>,
    },
    /// Write a routing configuration of any size into a directory
    World {
        /// Where
        directory: PathBuf,
        /// How many sellers
        #[arg(long, default_value_t = 1)]
        sellers: usize,
        /// How many agents, over all sellers
        #[arg(long, default_value_t = 10)]
        agents: usize,
        /// Conversations at once of each agent
        #[arg(long, default_value_t = 10)]
        capacity: u32,
        /// Every agent serves every seller
        #[arg(long)]
        shared: bool,
    },
    /// Print the JSON Schema of the report
    Schema,
}

/// Runs it; the settings are read only where a daemon is driven.
pub(super) fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.what {
        Some(What::Compare { before, after, tolerance }) => compare(&before, &after, tolerance),
        Some(What::World { directory, sellers, agents, capacity, shared }) => {
            write_world(&directory, World { sellers, agents, capacity, shared })
        }
        Some(What::Schema) => {
            println!("{}", serde_json::to_string_pretty(&Report::schema())?);
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let scenario = match scenario(&args) {
                Ok(scenario) => scenario,
                Err(error) => {
                    eprintln!("fenliu: {error:#}");
                    return Ok(ExitCode::from(WRONG_USE));
                }
            };
            match globals.settings() {
                Some(settings) => drive(&args, globals.format, &scenario, &settings),
                None => Ok(ExitCode::from(INVALID)),
            }
        }
    }
}

/// The scenario, with what the command line says otherwise.
fn scenario(args: &Args) -> anyhow::Result<Scenario> {
    let text = match &args.scenario {
        Some(path) => std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
        None => include_str!("../../config/load/relay.toml").to_owned(),
    };
    let mut scenario = Scenario::parse(&text)?;
    let people = &mut scenario.people;
    if let Some(buyers) = args.buyers {
        // Who talked as one of all goes on to do so.
        people.talking = if people.talking == people.buyers { buyers } else { people.talking.min(buyers) };
        people.buyers = buyers;
    }
    people.agents = args.agents.unwrap_or(people.agents);
    people.sellers = args.sellers.unwrap_or(people.sellers);
    people.idle = args.idle.unwrap_or(people.idle);
    scenario.closed_loop = args.closed.unwrap_or(scenario.closed_loop);
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    if let Some(rate) = args.rate {
        let rated = scenario.stages.iter().rev().find(|stage| stage.rate > 0.0).map_or(1.0, |stage| stage.rate);
        for stage in &mut scenario.stages {
            stage.rate *= rate / rated;
            stage.from = stage.from.map(|from| from * rate / rated);
        }
    }
    if let Some(duration) = args.duration {
        let factor = duration.as_secs_f64() / scenario.lasts().as_secs_f64();
        for stage in &mut scenario.stages {
            stage.lasts = stage.lasts.mul_f64(factor);
        }
        for storm in &mut scenario.storms {
            storm.at = storm.at.mul_f64(factor);
        }
    }
    Ok(scenario.checked()?)
}

fn drive(args: &Args, format: Format, scenario: &Scenario, settings: &Settings) -> anyhow::Result<ExitCode> {
    let clock = Clock::new(Timestamp::ZERO);
    let now = clock.now();
    let Some(directory) = read_directory(&settings.routing.path, now) else { return Ok(ExitCode::from(INVALID)) };
    let keys = Keys::load(&settings.auth, &settings.store.path)?;
    let Target { address, url, trust } = target(args, &settings.server)?;
    let plan = Plan {
        scenario,
        directory: &directory,
        keys: &keys,
        now,
        address,
        url,
        trust,
        pid: args.pid,
        run: format!("{:x}", now.micros()),
        progress: if args.quiet { Show::Nothing } else { Show::Progress },
        threads: usize::from(args.threads),
        thresholds: &args.thresholds,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(plan.threads).enable_all().build()?;
    let report = match runtime.block_on(until_interrupted(&plan)) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("fenliu: {error}");
            let code = if matches!(error, RunError::Unreachable { .. }) { UNREACHABLE } else { 1 };
            return Ok(ExitCode::from(code));
        }
    };
    if let Some(path) = &args.html {
        std::fs::write(path, load::html(&report)).with_context(|| path.display().to_string())?;
    }
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&report)?),
        Format::Text => print!("{}", report.text()),
    }
    Ok(code(&report))
}

/// A promise that was broken weighs more than a threshold, and both more than an early end.
fn code(report: &Report) -> ExitCode {
    if !report.is_sound() {
        return ExitCode::FAILURE;
    }
    if report.interrupted {
        return ExitCode::from(INTERRUPTED);
    }
    if report.thresholds.iter().any(|verdict| !verdict.held) {
        return ExitCode::from(CROSSED);
    }
    ExitCode::SUCCESS
}

async fn until_interrupted(plan: &Plan<'_>) -> Result<Report, RunError> {
    let (stop, stopped) = watch::channel(false);
    let interrupt = async {
        let _ = tokio::signal::ctrl_c().await;
        let _ = stop.send(true);
        // What was seen is reported; a second one ends it without.
        let _ = tokio::signal::ctrl_c().await;
        std::process::exit(i32::from(INTERRUPTED));
    };
    tokio::select! {
        report = load::execute(plan, stopped) => report,
        () = interrupt => unreachable_after_exit(),
    }
}

fn unreachable_after_exit() -> Result<Report, RunError> {
    std::process::exit(i32::from(INTERRUPTED))
}

fn read_directory(path: &Path, now: Timestamp) -> Option<Directory> {
    let files = files::routing(path).map_err(|faults| eprint!("{}", directory::summary(&faults))).ok()?;
    let (directory, faults) = directory::parse(&files, now, None, &Unbound::new());
    if directory.is_none() {
        eprintln!("{}", directory::summary(&faults));
    }
    directory
}

/// Where to connect, what the upgrade asks for, and whom to believe.
struct Target {
    address: SocketAddr,
    url: String,
    trust: Option<Trust>,
}

fn target(args: &Args, server: &Server) -> anyhow::Result<Target> {
    let Some(url) = &args.url else {
        if server.tls.is_some() {
            bail!("the daemon speaks TLS: expected --url wss://HOST:PORT/ws and --trust FILE");
        }
        let address = reachable(server.listen);
        return Ok(Target { address, url: format!("ws://{address}/ws"), trust: None });
    };
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let port = match scheme {
        "ws" => 80,
        "wss" => 443,
        _ => bail!("expected ws://HOST:PORT/ws or wss://HOST:PORT/ws"),
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, "ws"));
    let (name, with_port) = match host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
        Some((name, _)) => (name, host.to_owned()),
        None => (host, format!("{host}:{port}")),
    };
    let trust = match (scheme, &args.trust) {
        ("wss", None) => bail!("wss:// believes whom --trust FILE names: expected a certificate"),
        ("wss", Some(file)) => {
            let pem = std::fs::read(file).with_context(|| file.display().to_string())?;
            Some(Trust::new(&pem, name).with_context(|| file.display().to_string())?)
        }
        _ => None,
    };
    let address = with_port.to_socket_addrs().with_context(|| host.to_owned())?.next();
    let address = address.with_context(|| format!("{host} has no address"))?;
    Ok(Target { address, url: format!("{scheme}://{host}/{path}"), trust })
}

/// A daemon that listens everywhere is reached by the loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        std::net::IpAddr::V4(ip) if ip.is_unspecified() => ([127, 0, 0, 1], listen.port()).into(),
        std::net::IpAddr::V6(ip) if ip.is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, listen.port()).into(),
        _ => listen,
    }
}

fn compare(before: &Path, after: &Path, tolerance: Option<f64>) -> anyhow::Result<ExitCode> {
    let read = |path: &Path| -> anyhow::Result<Report> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| format!("{} is no report", path.display()))
    };
    let comparison = load::compare(&read(before)?, &read(after)?, tolerance.unwrap_or(0.0) / 100.0);
    let judged = tolerance.is_some() && !comparison.worse.is_empty();
    let text = comparison.text.lines().filter(|line| tolerance.is_some() || !line.starts_with("WORSE"));
    println!("{}", text.collect::<Vec<_>>().join("\n"));
    Ok(if judged { ExitCode::from(CROSSED) } else { ExitCode::SUCCESS })
}

fn write_world(directory: &Path, world: World) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    for (name, text) in load::world(world) {
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}
