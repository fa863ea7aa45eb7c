//! `fenliu simulate`: a routing configuration under traffic, in virtual time, before it goes live.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::INVALID;
use super::output::{Format, Globals, print};
use crate::config::Faults;
use crate::config::diagnostics::Outcome;
use crate::config::load::{self, Files};
use crate::directory::{Diagnostic, Directory, Unbound, parse};
use crate::model::{GroupId, SellerId};
use crate::simulation::{self, Progress, Results, Target, Threshold, Traffic, Tried, World};

/// A threshold is crossed.
const CROSSED: u8 = 99;
/// Wrong use.
const MISUSED: u8 = 2;
/// How often the bar is drawn.
const DRAWN: Duration = Duration::from_millis(200);
/// How wide the bar is.
const BAR: usize = 30;

/// What `fenliu simulate` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The routing configuration, a directory or a file
    #[arg(long, value_name = "PATH", default_value = "config/routing")]
    pub routing: PathBuf,
    /// Who comes, how long conversations take, how agents work
    #[arg(long, value_name = "FILE", required_unless_present = "replay")]
    pub traffic: Option<PathBuf>,
    /// Instead: what the daemon with this data directory has recorded, once more under the configuration
    #[arg(long, value_name = "DIR", conflicts_with_all = ["traffic", "compare", "staff", "seed"])]
    pub replay: Option<PathBuf>,
    /// Another routing configuration, for the same buyers: what it changes
    #[arg(long, value_name = "PATH")]
    pub compare: Option<PathBuf>,
    /// Find how many agents reach this: sl=0.8/20s, p_abandon=0.03 or p_block=0.01
    #[arg(long, value_name = "TARGET", value_parser = Target::parse)]
    pub staff: Option<Target>,
    /// The group whose agents they are; needed where there is more than one
    #[arg(long, value_name = "SELLER/GROUP", requires = "staff")]
    pub staff_group: Option<String>,
    /// Which chance, instead of the file's
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Write a page with the curves to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// End with 99 if this does not hold, as in wait_p95<=30s or groups.tea/presale.sl>=0.8; may be given again
    #[arg(long, value_name = "CONDITION", value_parser = Threshold::parse)]
    pub threshold: Vec<Threshold>,
}

/// Simulates, prints the results, and gives the exit code.
///
/// # Errors
/// What kept it from running or printing.
pub fn run(args: &Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let read = match read(args) {
        Ok(read) => read,
        Err(faults) => {
            say_faults(&faults, globals)?;
            return Ok(ExitCode::from(INVALID));
        }
    };
    let read = read.with_worlds(args)?;
    let group = match staff_group(args, &read) {
        Ok(group) => group,
        Err(message) => {
            eprintln!("fenliu: {message}");
            return Ok(ExitCode::from(MISUSED));
        }
    };

    let started = Instant::now();
    let progress = Arc::new(Progress::default());
    let expected: u64 = read.worlds.iter().map(|world| world.traffic.expected_arrivals().saturating_mul(2)).sum();
    let expected = args.staff.is_none().then_some(expected);
    let (results, events) = with_bar(&progress, expected, || simulate(args, &read, group, &progress))?;
    let took = started.elapsed().as_secs_f64();
    eprintln!("{events} events in {took:.1} s: {:.0} a second", events as f64 / took.max(1e-9));

    match globals.format {
        Format::Json => print((serde_json::to_string_pretty(&results)? + "\n").as_bytes())?,
        Format::Text => print(simulation::render(&results)?.as_bytes())?,
    }
    let crossed: Vec<String> = args.threshold.iter().filter_map(|threshold| threshold.crossed(&results)).collect();
    crossed.iter().for_each(|crossed| eprintln!("fenliu: {crossed}"));
    Ok(if crossed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CROSSED) })
}

/// What was read: all of it sound.
struct Read {
    directory: Directory,
    compare: Option<Directory>,
    traffic: Arc<Traffic>,
    /// What is run.
    worlds: Vec<World>,
    /// Conversations of a recording whose sellers this configuration does not know.
    unknown: u64,
}

impl Read {
    fn with_worlds(mut self, args: &Args) -> anyhow::Result<Self> {
        match &args.replay {
            Some(path) => {
                let (world, unknown) = simulation::replayed(&self.directory, &super::recording::read(path)?);
                self.unknown = unknown;
                self.worlds.push(world);
            }
            None => {
                let directories = std::iter::once(&self.directory).chain(&self.compare);
                self.worlds = directories.map(|directory| World::new(directory, Arc::clone(&self.traffic))).collect();
            }
        }
        Ok(self)
    }
}

/// Reads everything; every fault of every file at once.
fn read(args: &Args) -> Result<Read, Faults> {
    let mut faults = Faults::default();
    let directory = routing(&args.routing, &mut faults);
    let compare = args.compare.as_deref().map(|path| routing(path, &mut faults));
    let traffic = match &args.traffic {
        Some(path) => traffic(path, directory.as_ref(), &mut faults),
        None => Some(Traffic::default()),
    };
    if let (Some(traffic), Some(Some(other)), Some(path)) = (&traffic, &compare, &args.compare) {
        for stream in traffic.streams.iter().filter(|stream| !other.sellers.contains_key(&stream.seller)) {
            let message = format!("there is no seller `{}`, whom the stream `{}` goes to", stream.seller, stream.id);
            faults.diagnostics.push(Diagnostic::of_file(&path.display().to_string(), &message));
        }
    }
    let (Some(directory), Some(mut traffic), true) = (directory, traffic, faults.diagnostics.is_empty()) else {
        return Err(faults);
    };
    if let Some(seed) = args.seed {
        traffic.span.seed = seed;
    }
    let (compare, traffic) = (compare.flatten(), Arc::new(traffic));
    Ok(Read { directory, compare, traffic, worlds: Vec::new(), unknown: 0 })
}

fn routing(path: &Path, faults: &mut Faults) -> Option<Directory> {
    let files: Files = load::routing(path).map_err(|found| faults.diagnostics.extend(found)).ok()?;
    // Dates are not looked at, so that the same run gives the same results on another day.
    let (directory, found) = parse(&files, simulation::monday(), None, &Unbound::new());
    faults.diagnostics.extend(found.into_iter().filter(Diagnostic::is_error));
    faults.files.extend(files);
    directory
}

fn traffic(path: &Path, directory: Option<&Directory>, faults: &mut Faults) -> Option<Traffic> {
    let name = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            faults.diagnostics.push(Diagnostic::of_file(&name, &format!("cannot be read: {error}")));
            return None;
        }
    };
    let (traffic, found) = simulation::read(&name, &text, directory);
    faults.diagnostics.extend(found);
    faults.files.push((name, text.into()));
    traffic
}

fn say_faults(faults: &Faults, globals: &Globals) -> anyhow::Result<()> {
    match globals.format {
        Format::Json => {
            let outcome = Outcome::new(faults.diagnostics.clone());
            print((serde_json::to_string_pretty(&outcome)? + "\n").as_bytes())?;
        }
        Format::Text => eprint!("{}", globals.shown(faults)),
    }
    Ok(())
}

/// The group that is staffed: the one named, or the only one.
fn staff_group(args: &Args, read: &Read) -> Result<Option<(SellerId, GroupId)>, String> {
    if args.staff.is_none() {
        return Ok(None);
    }
    let Some(world) = read.worlds.first() else { return Ok(None) };
    let names = || world.groups.iter().map(simulation::GroupPlan::name).collect::<Vec<_>>().join(", ");
    let group = match &args.staff_group {
        Some(name) => world.groups.iter().find(|group| group.name() == *name),
        None if world.groups.len() == 1 => world.groups.first(),
        None => return Err(format!("--staff-group says which: {}", names())),
    };
    let group = group.ok_or_else(|| format!("there is no such group; --staff-group is one of {}", names()))?;
    Ok(Some((group.seller.clone(), group.group.clone())))
}

/// Runs it all; also gives how many events there were in all runs.
fn simulate(
    args: &Args,
    read: &Read,
    group: Option<(SellerId, GroupId)>,
    progress: &Progress,
) -> anyhow::Result<(Results, u64)> {
    let worlds = &read.worlds;
    let pools: Vec<World> = worlds.iter().map(World::pooled).collect();
    let all: Vec<&World> = worlds.iter().chain(&pools).collect();
    let gathered = simulation::run_all(&all, progress)?;
    let events = gathered.iter().map(|gathered| gathered.events).sum();
    let (of_worlds, of_pools) = gathered.split_at(worlds.len());
    let parts = worlds.iter().cloned().zip(of_worlds.iter().cloned()).zip(of_pools.iter().cloned());
    let tried: Vec<Tried> = parts.map(|((world, gathered), pooled)| Tried { world, gathered, pooled }).collect();
    let first = tried.first().context("nothing was run")?;
    let mut results = first.results();
    if args.replay.is_some() {
        results.replay = Some(simulation::replay_difference(first, read.unknown));
    }
    if let Some(other) = tried.get(1) {
        results.compare = Some(Box::new(other.all()));
        results.difference = Some(Box::new(first.difference(other)));
    }
    if let (Some(target), Some((seller, group))) = (&args.staff, &group) {
        let staffing = simulation::staff(&read.directory, &read.traffic, (seller, group), target, progress)?;
        results.staff = Some(staffing);
    }
    if let Some(path) = &args.report {
        let page = simulation::page(&tried, &results)?;
        fs::write(path, page).with_context(|| format!("the report cannot be written to {}", path.display()))?;
    }
    Ok((results, events))
}

/// Does it with a bar on the terminal, if there is one.
fn with_bar<T>(progress: &Progress, expected: Option<u64>, work: impl FnOnce() -> T + Send) -> T
where
    T: Send,
{
    if !io::stderr().is_terminal() {
        return work();
    }
    let started = Instant::now();
    std::thread::scope(|scope| {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            while wait.recv_timeout(DRAWN) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let arrived = progress.arrivals.load(Ordering::Relaxed);
                eprint!("\r\x1b[K{}", bar(arrived, expected, started.elapsed()));
            }
            eprint!("\r\x1b[K");
            io::stderr().flush().ok();
        });
        let result = work();
        drop(done);
        result
    })
}

/// `[######----] 60 % · 12 s left`.
fn bar(arrived: u64, expected: Option<u64>, elapsed: Duration) -> String {
    let Some(expected) = expected.filter(|expected| *expected > 0) else { return format!("{arrived} buyers") };
    let share = (arrived as f64 / expected as f64).min(1.0);
    let full = (share * BAR as f64) as usize;
    let left = if share > 0.01 {
        format!(" · {:.0} s left", (elapsed.as_secs_f64() / share * (1.0 - share)).ceil())
    } else {
        String::new()
    };
    format!("[{}{}] {:.0} %{left}", "#".repeat(full), "-".repeat(BAR - full), share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_tells_how_much_is_done_and_how_long_it_takes() {
        assert_eq!(bar(500, Some(1_000), Duration::from_secs(3)), "[###############---------------] 50 % · 3 s left");
        assert_eq!(bar(5, None, Duration::from_secs(3)), "5 buyers");
    }
}
