//! The report of a run, as data: what `--format json` prints and `compare` reads. Its schema is made from these types.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::millis;

/// The version of the report's form: members are only added to it.
pub const VERSION: u32 = 1;

/// What a run has shown.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this form.
    pub version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// When the first stage began, RFC 3339.
    pub started_at: String,
    /// Where the load went.
    pub target: String,
    /// What the daemon calls itself.
    pub daemon: String,
    /// What chance was drawn from.
    pub seed: u64,
    /// `open`: everything was due at a time of its own, and is timed from then. `closed`: each message is due when the
    /// one before has been answered.
    pub schedule: String,
    /// Who took part.
    pub people: PeopleReport,
    /// The whole run, by operation. `connect`: from the connection to the opened session; `reconnect`: the same in a
    /// storm, with everything missed read; `start`: a conversation, to the reply; `assign`: to the event at the agent
    /// who has it at once; `wait`: the same for those that waited first; `ack`: a message, to its reply; `deliver`: to the
    /// event at the other side; `close`, `transfer`, `history`: to the reply.
    pub operations: BTreeMap<String, Summary>,
    /// The same by stage, by when each was due.
    pub stages: Vec<StageReport>,
    /// One line a second.
    pub timeline: Vec<Second>,
    /// What failed, by kind: those of the protocol, and `connection`, `closed` (by the daemon, with its code), `overrun`
    /// (an order that found the queue of its session full).
    pub errors: BTreeMap<String, u64>,
    /// Orders that nobody could carry out: no buyer talked, no agent held a conversation.
    pub unserved: BTreeMap<String, u64>,
    /// How many promises were broken.
    pub violations: u64,
    /// The first of them in words.
    pub violated: Vec<String>,
    /// What was checked.
    pub checked: Checked,
    /// How the generator itself did.
    pub generator: Generator,
    /// The daemon's process, where `--pid` named it.
    pub process: Option<Process>,
    /// The thresholds, and whether they held.
    pub thresholds: Vec<Verdict>,
    /// Whether it was ended before its time.
    pub interrupted: bool,
}

/// Who took part.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the members say it")]
pub struct PeopleReport {
    pub sellers: usize,
    pub agents: usize,
    pub buyers: usize,
    pub idle: usize,
    pub slow_readers: usize,
    /// Slow readers whose connection the daemon gave up.
    pub slow_readers_closed: usize,
}

/// A histogram in a few figures; times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the members say it")]
pub struct Summary {
    pub count: u64,
    pub per_second: f64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub p9999_ms: f64,
    pub max_ms: f64,
}

impl Summary {
    /// The figures of a histogram over so many seconds.
    pub(super) fn of(histogram: Option<&Histogram<u64>>, seconds: f64) -> Self {
        let Some(histogram) = histogram.filter(|histogram| !histogram.is_empty()) else { return Self::default() };
        let at = |quantile| millis(histogram.value_at_quantile(quantile));
        #[expect(clippy::cast_precision_loss, reason = "a count of operations")]
        let count = histogram.len() as f64;
        Self {
            count: histogram.len(),
            per_second: if seconds > 0.0 { count / seconds } else { 0.0 },
            mean_ms: histogram.mean() / 1e3,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            p9999_ms: at(0.9999),
            max_ms: millis(histogram.max()),
        }
    }
}

/// A stage.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StageReport {
    /// Its name.
    pub name: String,
    /// How long it lasted.
    pub seconds: f64,
    /// What was due in it, by operation.
    pub operations: BTreeMap<String, Summary>,
}

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the members say it")]
pub struct Second {
    pub at_s: f64,
    pub offered: u64,
    pub acknowledged: u64,
    pub delivered: u64,
    pub errors: u64,
    pub ack_p50_ms: f64,
    pub ack_p99_ms: f64,
    pub deliver_p50_ms: f64,
    pub deliver_p99_ms: f64,
    pub lag_max_ms: f64,
}

/// What was checked.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Messages that were told by an event.
    pub delivered: u64,
    /// Conversations whose whole history was read at the end and compared with what had been acknowledged.
    pub histories: u64,
    /// The messages in these histories.
    pub history_messages: u64,
    /// The most conversations that an agent held, in parts of what it may hold.
    pub fullest_agent: f64,
}

/// How the generator itself did: where it was too slow, the figures are its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    /// How much later than due orders were given out.
    pub lag: Summary,
    /// Threads that it ran on.
    pub threads: usize,
    /// Processor seconds that it used.
    pub cpu_s: f64,
    /// Parts of its threads' time in which it was busy, at most 1.
    pub busy: f64,
    /// What has to be said about the figures.
    pub notes: Vec<String>,
}

/// The daemon's process.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Processor seconds that it used during the stages.
    pub cpu_s: f64,
    /// Messages delivered per second of them.
    pub delivered_per_cpu_s: f64,
    /// Its memory before anybody connected, in KiB.
    pub before_kib: u64,
    /// And when all sessions were open.
    pub opened_kib: u64,
    /// And at the end.
    pub after_kib: u64,
}

/// What became of a threshold.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// As it was given.
    pub threshold: String,
    /// What was measured; nothing, if there was nothing to measure.
    pub measured: Option<f64>,
    /// Whether it held.
    pub held: bool,
}

impl Report {
    /// The schema of its JSON form.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Report).to_value()
    }

    /// Whether every promise was kept.
    pub fn is_sound(&self) -> bool {
        self.violations == 0
    }

    /// For a person at a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let people = self.people;
        let _ = writeln!(out, "{} against {} ({}), {} loop", self.scenario, self.target, self.daemon, self.schedule);
        let _ = writeln!(
            out,
            "{} sellers, {} agents, {} buyers, {} idle, {} slow readers ({} given up)\n",
            people.sellers, people.agents, people.buyers, people.idle, people.slow_readers, people.slow_readers_closed
        );
        for stage in &self.stages {
            let _ = writeln!(out, "{} ({:.0} s)", stage.name, stage.seconds);
            table(&mut out, &stage.operations);
        }
        if self.stages.len() > 1 {
            out.push_str("everything, setting up included\n");
            table(&mut out, &self.operations);
        }
        self.write_counts(&mut out);
        out
    }

    fn write_counts(&self, out: &mut String) {
        let list = |counts: &BTreeMap<String, u64>| {
            let counted: Vec<_> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            if counted.is_empty() { "none".to_owned() } else { counted.join(", ") }
        };
        let _ = writeln!(out, "errors: {}", list(&self.errors));
        if !self.unserved.is_empty() {
            let _ = writeln!(out, "orders that nobody could carry out: {}", list(&self.unserved));
        }
        let checked = self.checked;
        let _ = writeln!(
            out,
            "checked: {} acknowledged, {} told, {} histories with {} messages; fullest agent {:.0} %: {}",
            checked.acknowledged,
            checked.delivered,
            checked.histories,
            checked.history_messages,
            checked.fullest_agent * 100.0,
            if self.is_sound() { "all kept".to_owned() } else { format!("{} BROKEN", self.violations) }
        );
        for violation in &self.violated {
            let _ = writeln!(out, "  {violation}");
        }
        let generator = &self.generator;
        let _ = writeln!(
            out,
            "generator: lag p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms; busy {:.0} % of {} threads",
            generator.lag.p50_ms,
            generator.lag.p99_ms,
            generator.lag.max_ms,
            generator.busy * 100.0,
            generator.threads
        );
        for note in &generator.notes {
            let _ = writeln!(out, "  note: {note}");
        }
        if let Some(process) = self.process {
            let _ = writeln!(
                out,
                "daemon: {:.2} s of processor time, {:.0} messages per second of it; memory {} KiB before, {} KiB with everybody connected, {} KiB at the end",
                process.cpu_s, process.delivered_per_cpu_s, process.before_kib, process.opened_kib, process.after_kib
            );
        }
        for verdict in &self.thresholds {
            let measured = verdict.measured.map_or("nothing measured".to_owned(), |value| format!("{value:.3}"));
            let _ = writeln!(
                out,
                "threshold {}: {measured}, {}",
                verdict.threshold,
                if verdict.held { "held" } else { "CROSSED" }
            );
        }
    }
}

fn table(out: &mut String, operations: &BTreeMap<String, Summary>) {
    let _ = writeln!(
        out,
        "  {:<10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}  ms",
        "", "count", "per s", "p50", "p90", "p99", "p99.9", "p99.99", "max"
    );
    for (name, figures) in operations {
        let _ = writeln!(
            out,
            "  {name:<10} {:>9} {:>9.0} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
            figures.count,
            figures.per_second,
            figures.p50_ms,
            figures.p90_ms,
            figures.p99_ms,
            figures.p999_ms,
            figures.p9999_ms,
            figures.max_ms
        );
    }
    out.push('\n');
}
