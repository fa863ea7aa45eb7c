//! The load harness: drives a daemon over real sockets as buyers and agents do, measures, and checks every promise as
//! it goes. Open loop unless asked otherwise: an operation is timed from when it should have begun, so a daemon that
//! stalls cannot hide the wait of those who come after. It knows nothing of the daemon's inside.

mod cast;
mod check;
mod client;
mod compare;
mod html;
mod limit;
mod orders;
mod pace;
mod part;
mod process;
mod progress;
mod record;
mod report;
mod run;
mod scenario;
mod stamp;
mod threshold;
mod told;
mod trust;
mod wire;
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hdrhistogram::Histogram;
use tokio::sync::watch;

use crate::auth::Keys;
use crate::directory::Directory;
use crate::model::Timestamp;

pub use cast::CastError;
pub use compare::{Comparison, compare};
pub use html::html;
pub use limit::Limit;
pub use progress::Show;
pub use record::Operation;
pub use report::{Checked, Generator, PeopleReport, Process, Report, Second, StageReport, Summary, VERSION, Verdict};
pub use run::RunError;
pub use scenario::{Mix, People, Scenario, ScenarioError, Stage, Storm};
pub use threshold::Threshold;
pub use trust::{Trust, TrustError};
pub use world::{World, world};

/// The generator is too slow to be believed when orders are later than this at the 99th percentile.
const LAG_MS: f64 = 5.0;
/// … or when its threads have so little time left.
const BUSY: f64 = 0.9;

/// What is run, against whom.
pub struct Plan<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The routing configuration of the daemon.
    pub directory: &'a Directory,
    /// What tokens are signed with.
    pub keys: &'a Keys,
    /// The time.
    pub now: Timestamp,
    /// Where to connect.
    pub address: SocketAddr,
    /// What the upgrade asks for.
    pub url: String,
    /// Whom it believes, where the daemon speaks TLS.
    pub trust: Option<Trust>,
    /// The daemon's process, if it is on this machine.
    pub pid: Option<u32>,
    /// Its name, unlike that of any run before: a part of every buyer's and of every message's.
    pub run: String,
    /// Whether progress is shown.
    pub progress: Show,
    /// Threads that the run has.
    pub threads: usize,
    /// What must hold.
    pub thresholds: &'a [Threshold],
}

/// Runs a scenario and reports; `stop` ends it before its time, and what was seen until then is reported.
///
/// # Errors
/// Why it did not begin.
pub async fn execute(plan: &Plan<'_>, stop: watch::Receiver<bool>) -> Result<Report, RunError> {
    let ran = run::run(plan, stop).await?;
    let mut report = report_of(plan, &ran);
    report.thresholds = plan.thresholds.iter().map(|threshold| threshold.judge(&report)).collect();
    Ok(report)
}

#[expect(clippy::cast_precision_loss, reason = "counts of messages and threads")]
fn report_of(plan: &Plan<'_>, ran: &run::Ran) -> Report {
    let scenario = plan.scenario;
    let recorder = &ran.common.recorder;
    let noted = recorder.take();
    let load = |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
    let delivered = load(&recorder.delivered);
    let stages = scenario.stages.iter().zip(&noted.stages).map(|(stage, noted)| {
        let seconds = stage.lasts.as_secs_f64();
        StageReport { name: stage.name.clone(), seconds, operations: summaries(std::iter::once(noted), seconds) }
    });
    let busy = ran.own_cpu_s / (ran.seconds.max(1e-9) * plan.threads as f64);
    let mut generator = Generator {
        lag: noted.lag,
        threads: plan.threads,
        cpu_s: ran.own_cpu_s,
        busy: busy.min(1.0),
        notes: Vec::new(),
    };
    generator.notes = notes(&generator, ran, scenario, &noted.errors);
    let process = ran.cpu[0].zip(ran.cpu[1]).map(|(before, after)| {
        let cpu_s = after - before;
        let in_stages: u64 = ran.timeline.iter().map(|second| second.delivered).sum();
        let [before_kib, opened_kib, after_kib] = ran.memory;
        let delivered_per_cpu_s = in_stages as f64 / cpu_s.max(1e-9);
        Process { cpu_s, delivered_per_cpu_s, before_kib, opened_kib, after_kib }
    });
    let [sellers, agents, buyers, idle] = ran.people;
    let slow_readers_closed = ran.ended.iter().filter(|ended| ended.closed).count();
    Report {
        version: VERSION,
        scenario: scenario.name.clone(),
        started_at: plan.now.to_string(),
        target: plan.url.clone(),
        daemon: ran.daemon.clone(),
        seed: scenario.seed,
        schedule: if scenario.closed_loop == 0 { "open" } else { "closed" }.to_owned(),
        people: PeopleReport {
            sellers,
            agents,
            buyers,
            idle,
            slow_readers: scenario.people.slow_readers,
            slow_readers_closed,
        },
        operations: summaries(noted.stages.iter(), ran.seconds),
        stages: stages.collect(),
        timeline: ran.timeline.clone(),
        errors: noted.errors,
        unserved: noted.unserved.into_iter().map(|(order, count)| (order.to_owned(), count)).collect(),
        violations: noted.violated,
        violated: noted.violations,
        checked: Checked {
            acknowledged: load(&recorder.acknowledged),
            delivered,
            histories: ran.ended.iter().map(|ended| ended.histories).sum(),
            history_messages: ran.ended.iter().map(|ended| ended.messages).sum(),
            fullest_agent: ran.ended.iter().map(|ended| ended.fullest).fold(0.0, f64::max),
        },
        generator,
        process,
        thresholds: Vec::new(),
        interrupted: ran.interrupted,
    }
}

/// The figures of some stages together, by operation.
fn summaries<'a>(
    stages: impl Iterator<Item = &'a BTreeMap<Operation, Histogram<u64>>>,
    seconds: f64,
) -> BTreeMap<String, Summary> {
    let mut together: BTreeMap<Operation, Histogram<u64>> = BTreeMap::new();
    for (operation, histogram) in stages.flatten() {
        // Both have the same bounds.
        let _ = together.entry(*operation).or_insert_with(record::histogram).add(histogram);
    }
    let named = |(operation, histogram): (Operation, Histogram<u64>)| {
        (operation.name().to_owned(), Summary::of(Some(&histogram), seconds))
    };
    together.into_iter().map(named).collect()
}

/// What has to be said about the figures: where the generator, or the daemon's limits, shaped them.
#[expect(clippy::cast_precision_loss, reason = "counts of sessions")]
fn notes(generator: &Generator, ran: &run::Ran, scenario: &Scenario, errors: &BTreeMap<String, u64>) -> Vec<String> {
    let mut notes = Vec::new();
    if generator.lag.p99_ms > LAG_MS {
        notes.push(format!(
            "orders were given out {:.1} ms late at the 99th percentile: part of the times measured is the generator's own",
            generator.lag.p99_ms
        ));
    }
    if generator.busy > BUSY {
        notes.push("the generator had no time left: more load needs more threads or another machine".to_owned());
    }
    if ran.pace_limit > 0 && errors.contains_key("rate_limited") {
        notes.push(format!(
            "the daemon takes {} requests a second of a connection (limits.requests_per_second): some were refused",
            ran.pace_limit
        ));
    }
    let peak = scenario.stages.iter().map(|stage| stage.rate).fold(0.0, f64::max);
    let talk = peak * f64::from(scenario.mix.talk) / f64::from(scenario.mix.total().max(1));
    let each = talk / scenario.people.talking.max(1) as f64;
    if scenario.closed_loop == 0 && ran.pace_limit > 0 && each > f64::from(ran.pace_limit) {
        notes.push(format!(
            "the scenario asks for {each:.0} messages a second of each buyer, and the daemon takes {} \
             (limits.requests_per_second): more buyers or a higher limit",
            ran.pace_limit
        ));
    }
    notes
}
