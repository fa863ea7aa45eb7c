//! A run from the first connection to the last check.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::cast::{Cast, CastError, Casting, Player};
use super::client::{Client, Common, Ledger};
use super::limit::{Limit, Limits};
use super::orders::{Orders, Seat, Seats};
use super::part::{Ended, FREE, Order, Part, Role, TALKING};
use super::progress::Progress;
use super::record::Recorder;
use super::report::Second;
use super::scenario::Scenario;
use super::wire::{Slow, Target, WireError};
use super::{Plan, process};

/// Connections made at once while everybody comes.
const COMING: usize = 64;
/// Orders that may wait for one who is busy.
const ORDERS_MAX: usize = 1024;
/// How long what is under way at the end is waited for.
const SETTLE: Duration = Duration::from_secs(10);
/// How long everything has to be quiet to be settled.
const QUIET: Duration = Duration::from_millis(300);
const LOOK: Duration = Duration::from_millis(20);
/// How long the checks at the end may take.
const CHECKS: Duration = Duration::from_secs(120);

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nobody can take part.
    #[error(transparent)]
    Cast(#[from] CastError),
    /// Nobody answers there.
    #[error("{url} cannot be reached: {why}")]
    Unreachable {
        /// Where.
        url: String,
        /// What the system says.
        why: String,
    },
    /// Not everybody could come in.
    #[error("{name} could not open a session: {why}")]
    NotOpened {
        /// Who.
        name: String,
        /// Why.
        why: String,
    },
    /// A limit keeps out those who were still to come.
    #[error("{opened} of {wanted} sessions are open, and there are no more: {limit}")]
    Limited {
        /// How many are open.
        opened: usize,
        /// How many should be.
        wanted: usize,
        /// Which limit.
        limit: Limit,
    },
    /// A thread could not be had.
    #[error("no thread can be started: {0}")]
    NoThread(#[from] std::io::Error),
}

/// What a run leaves behind.
pub(super) struct Ran {
    pub(super) common: Arc<Common>,
    pub(super) timeline: Vec<Second>,
    pub(super) ended: Vec<Ended>,
    pub(super) people: [usize; 4],
    pub(super) daemon: String,
    pub(super) pace_limit: u32,
    pub(super) interrupted: bool,
    pub(super) cpu: [Option<f64>; 2],
    pub(super) own_cpu_s: f64,
    pub(super) seconds: f64,
    pub(super) memory: [u64; 3],
}

/// Runs a scenario; `stop` ends it early.
pub(super) async fn run(plan: &Plan<'_>, mut stop: watch::Receiver<bool>) -> Result<Ran, RunError> {
    let scenario = plan.scenario;
    let memory = |pid: Option<u32>| pid.and_then(process::resident_kib).unwrap_or(0);
    let before_kib = memory(plan.pid);
    let casting = Casting { directory: plan.directory, keys: plan.keys, now: plan.now, run: &plan.run };
    let cast = casting.cast(scenario.people)?;
    let common = common(plan, scenario);
    let people = [cast.sellers, cast.agents.len(), cast.buyers.len(), cast.idle.len()];
    let mut seats = Seats::default();
    if scenario.mix.connect > 0 {
        seats.visitors = (0..256).map(|number| casting.visitor(number)).collect::<Result<_, _>>()?;
    }
    let mut parts = JoinSet::new();
    let mut progress = Progress::new(plan.progress, scenario, Arc::clone(&common));
    let limits = Limits::look(plan.pid);
    let first = come(&common, cast, &limits, &mut seats, &mut parts, &mut progress).await?;
    let seats = Arc::new(seats);
    begin_talking(&common, &seats, scenario, &mut progress, &stop).await;

    let opened_kib = memory(plan.pid);
    let begun = common.recorder.begin();
    common.running.store(true, Ordering::Relaxed);
    let (own, theirs) = (process::cpu_seconds(std::process::id()), plan.pid.and_then(process::cpu_seconds));
    let orders = Orders::new(Arc::clone(&common), Arc::clone(&seats), scenario, tokio::runtime::Handle::current());
    let thread = {
        let (scenario, common) = (scenario.clone(), Arc::clone(&common));
        std::thread::Builder::new().name("orders".into()).spawn(move || {
            orders.give_out(&scenario, begun);
            common.running.store(false, Ordering::Relaxed);
        })?
    };
    if scenario.closed_loop > 0 {
        keep_talking(&seats, scenario, begun);
    }
    let (timeline, interrupted) = watch_it(&common, &seats, &mut progress, &mut stop).await;
    let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    let seconds = common.recorder.running_for().as_secs_f64();
    let own_cpu_s = process::cpu_seconds(std::process::id()).zip(own).map_or(0.0, |(now, before)| now - before);
    let cpu = [theirs, plan.pid.and_then(process::cpu_seconds)];

    progress.say("letting it settle");
    settle(&common).await;
    progress.say("checking every conversation");
    let ended = finish(&seats, parts, &common).await;
    progress.end();
    let memory = [before_kib, opened_kib, memory(plan.pid)];
    let (daemon, pace_limit) = first;
    Ok(Ran { common, timeline, ended, people, daemon, pace_limit, interrupted, cpu, own_cpu_s, seconds, memory })
}

fn common(plan: &Plan<'_>, scenario: &Scenario) -> Arc<Common> {
    let mut end = Duration::ZERO;
    let ends = scenario.stages.iter().map(|stage| {
        end += stage.lasts;
        end
    });
    Arc::new(Common {
        target: Target { address: plan.address, url: plan.url.clone(), trust: plan.trust.clone() },
        recorder: Recorder::new(ends.collect()),
        ledger: Ledger::default(),
        run: plan.run.clone(),
        text: scenario.text,
        closed_loop: scenario.closed_loop,
        running: AtomicBool::new(false),
        numbers: AtomicU64::new(1),
        opened: AtomicUsize::new(0),
    })
}

/// Everybody connects: the agents first, so that somebody is there for the buyers.
async fn come(
    common: &Arc<Common>,
    cast: Cast,
    limits: &Limits,
    seats: &mut Seats,
    parts: &mut JoinSet<Ended>,
    progress: &mut Progress,
) -> Result<(String, u32), RunError> {
    let all = cast.agents.len() + cast.buyers.len() + cast.idle.len();
    let (mut number, mut first) = (0, None);
    for (players, into) in
        [(cast.agents, &mut seats.agents), (cast.buyers, &mut seats.buyers), (cast.idle, &mut seats.idle)]
    {
        let (ends, mut out) = (AtomicBool::new(false), None);
        let still = (number..).zip(players).take_while(|_| !ends.load(Ordering::Relaxed));
        let coming = still.map(|(number, player)| enter(common, player, number));
        let mut coming = futures::stream::iter(coming).buffered(COMING);
        while let Some(entered) = coming.next().await {
            let (part, seat, daemon) = match entered {
                Ok(entered) => entered,
                Err(error) => {
                    // Who is on the way comes in, or does not either.
                    ends.store(true, Ordering::Relaxed);
                    out.get_or_insert(error);
                    continue;
                }
            };
            first.get_or_insert(daemon);
            into.push(seat);
            parts.spawn(part.play());
            number += 1;
            progress.coming(number, all);
        }
        if let Some(out) = out {
            return Err(out.because(limits, common, all));
        }
    }
    Ok(first.unwrap_or_default())
}

async fn enter(common: &Arc<Common>, player: Player, number: usize) -> Result<(Part, Seat, (String, u32)), NotIn> {
    let (orders, taken) = mpsc::channel(ORDERS_MAX);
    let status = matches!(player.role, Role::Agent { .. }).then_some("online");
    let slow = if matches!(player.role, Role::Buyer { slow: true, .. }) { Slow::Yes } else { Slow::No };
    let name = player.name.clone();
    let client = Client::new(Arc::clone(common), player.name, number, player.token, status, slow);
    let mut part = Part::new(client, player.role, taken);
    let opened = part.enter().await.map_err(|error| NotIn { name, number, error })?;
    common.opened.fetch_add(1, Ordering::Relaxed);
    let seat = Seat { orders, standing: Arc::clone(&part.standing) };
    let daemon = format!("{} {}", opened.server.name, opened.server.version);
    Ok((part, seat, (daemon, opened.limits.requests_per_second)))
}

/// Somebody who could not come in.
struct NotIn {
    name: String,
    number: usize,
    error: WireError,
}

impl NotIn {
    fn because(self, limits: &Limits, common: &Common, wanted: usize) -> RunError {
        let Self { name, number, error } = self;
        if let Some(limit) = limits.behind(&error) {
            return RunError::Limited { opened: common.opened.load(Ordering::Relaxed), wanted, limit };
        }
        match error {
            WireError::Unreachable(_) | WireError::NotUpgraded(_) if number == 0 => {
                RunError::Unreachable { url: common.target.url.clone(), why: error.to_string() }
            }
            error => RunError::NotOpened { name, why: error.to_string() },
        }
    }
}

/// The buyers that begin with a conversation start it, a few at a time.
async fn begin_talking(
    common: &Arc<Common>,
    seats: &Seats,
    scenario: &Scenario,
    progress: &mut Progress,
    stop: &watch::Receiver<bool>,
) {
    let coming = i64::try_from(COMING).unwrap_or(i64::MAX);
    for (number, seat) in seats.buyers.iter().take(scenario.people.talking).enumerate() {
        while common.recorder.outstanding.load(Ordering::Relaxed) >= coming && !*stop.borrow() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = seat.orders.send(Order::Start(common.recorder.now())).await;
        if number % COMING == 0 {
            progress.starting(number, scenario.people.talking);
            // The task takes its order before the next look at what is outstanding.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    settle(common).await;
}

/// In a closed loop every buyer that talks begins with as many messages as may be unanswered.
fn keep_talking(seats: &Seats, scenario: &Scenario, begun: Duration) {
    for seat in seats.buyers.iter().filter(|seat| seat.standing.now() == TALKING) {
        for _ in 0..scenario.closed_loop {
            let _ = seat.orders.try_send(Order::Send(begun));
        }
    }
}

/// A line a second, until the orders have been given out or it is told to stop.
async fn watch_it(
    common: &Common,
    seats: &Seats,
    progress: &mut Progress,
    stop: &mut watch::Receiver<bool>,
) -> (Vec<Second>, bool) {
    let mut timeline = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.tick().await;
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let second = common.recorder.second();
                progress.second(&second, standing(seats));
                timeline.push(second);
            }
            _ = looks.tick() => {
                if !common.running.load(Ordering::Relaxed) {
                    timeline.push(common.recorder.second());
                    return (timeline, false);
                }
            }
            _ = stop.changed() => {
                common.running.store(false, Ordering::Relaxed);
                timeline.push(common.recorder.second());
                return (timeline, true);
            }
        }
    }
}

/// How many buyers talk, wait, and are free.
fn standing(seats: &Seats) -> [usize; 3] {
    let count = |wanted: u32| seats.buyers.iter().filter(|seat| seat.standing.now() == wanted).count();
    let (talking, free) = (count(TALKING), count(FREE));
    [talking, seats.buyers.len() - talking - free, free]
}

/// Waits until nothing is under way.
async fn settle(common: &Common) {
    let begun = std::time::Instant::now();
    let mut before = u64::MAX;
    let mut quiet_since = begun;
    while begun.elapsed() < SETTLE {
        let delivered = common.recorder.delivered.load(Ordering::Relaxed);
        if common.recorder.outstanding.load(Ordering::Relaxed) > 0 || delivered != before {
            (before, quiet_since) = (delivered, std::time::Instant::now());
        } else if quiet_since.elapsed() >= QUIET {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn finish(seats: &Seats, mut parts: JoinSet<Ended>, common: &Common) -> Vec<Ended> {
    // Buyers read histories: not all at once.
    let everybody = async {
        for seat in seats.agents.iter().chain(&seats.idle).chain(&seats.buyers) {
            let _ = seat.orders.send(Order::Finish).await;
        }
        let mut ended = Vec::new();
        while let Some(part) = parts.join_next().await {
            ended.extend(part.ok());
        }
        ended
    };
    match tokio::time::timeout(CHECKS, everybody).await {
        Ok(ended) => ended,
        Err(_) => {
            common.recorder.error("checks not finished");
            Vec::new()
        }
    }
}
