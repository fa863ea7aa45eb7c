//! What the daemon counts and measures, as Prometheus reads it. No label has more values than the code names: never a
//! seller, an agent, a conversation.

mod histogram;
mod process;
mod text;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use histogram::Histogram;
use process::Process;

/// The method that is called most.
const MOST: &str = "message.send";

/// The listener that may have a certificate.
const PUBLIC: Listener = Listener { listener: "public" };

type Seconds = Gauge<f64, AtomicU64>;
type Number = Gauge<i64, AtomicI64>;

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($label:ident),+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        #[expect(missing_docs, reason = "the labels by their names")]
        pub struct $name { $(pub $label: &'static str),+ }
    )+};
}

labels! {
    /// The role of a token.
    Role { role }
    /// The code with which a connection was closed.
    Closed { code }
    /// A reason.
    Reason { reason }
    /// A method, and `ok` or the kind of the error.
    Request { method, code }
    /// A method.
    Of { method }
    /// A step on the way of a message.
    Phase { phase }
    /// A state.
    In { state }
    /// A status.
    Status { status }
    /// Why somebody got a conversation.
    Cause { cause }
    /// A limit.
    Limit { limit }
    /// A listener.
    Listener { listener }
}

/// Everything that is counted. Clones count together.
#[expect(missing_docs, reason = "the figures by their names; `help` says what each is")]
pub struct Metrics {
    pub connections: Family<Role, Number>,
    pub connections_opened: Family<Role, Counter>,
    pub connections_closed: Family<Closed, Counter>,
    pub upgrades_refused: Family<Reason, Counter>,
    pub rpc_requests: Family<Request, Counter>,
    pub rpc_duration: Family<Of, Histogram, fn() -> Histogram>,
    pub messages: Counter,
    pub assignments: Family<Cause, Counter>,
    pub assignment_wait: Histogram,
    pub queue_overflows: Family<Reason, Counter>,
    pub mailbox_overflows: Counter,
    pub mailbox_dropped: Counter,
    pub limit_hits: Family<Limit, Counter>,
    pub taps_dropped: Counter,
    pub journal_batch_records: Histogram,
    pub parse: Histogram,
    pub slot: Histogram,
    pub route: Histogram,
    pub commit: Histogram,
    pub deliver: Histogram,
    phases: Family<Phase, Histogram, fn() -> Histogram>,
    requests: Counter,
    most: OnceLock<(Counter, Histogram)>,
    last_reload_successful: Number,
    last_reload_success: Seconds,
    certificate_expires: Family<Listener, Seconds>,
    scrape: Mutex<Scrape>,
}

/// What is only looked at when somebody asks.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the figures by their names")]
pub struct Now {
    pub generation: i64,
    pub ready: bool,
    pub queued: i64,
    pub offered: i64,
    pub active: i64,
    pub left_messages: i64,
    pub online: i64,
    pub away: i64,
    pub offline: i64,
    pub slots_taken: i64,
    pub slots_free: i64,
    pub journal_pending: i64,
    pub journal_failed: bool,
    pub mailbox_frames: i64,
}

/// The gauges that are set at each look, and the registry that writes everything down.
#[derive(Default)]
struct Scrape {
    registry: Registry,
    generation: Number,
    ready: Number,
    conversations: Family<In, Number>,
    agents: Family<Status, Number>,
    slots: Family<In, Number>,
    journal_pending: Number,
    journal_failed: Number,
    mailbox_frames: Number,
    cpu_seconds: Seconds,
    resident_bytes: Number,
    virtual_bytes: Number,
    threads: Number,
    open_files: Number,
    files_max: Number,
    start_seconds: Seconds,
}

impl Default for Metrics {
    fn default() -> Self {
        let latency: fn() -> Histogram = Histogram::of_latency;
        let steps: fn() -> Histogram = Histogram::of_steps;
        let phases = Family::new_with_constructor(steps);
        let phase = |phase| phases.get_or_create(&Phase { phase }).clone();
        let metrics = Self {
            connections: Family::default(),
            connections_opened: Family::default(),
            connections_closed: Family::default(),
            upgrades_refused: Family::default(),
            rpc_requests: Family::default(),
            rpc_duration: Family::new_with_constructor(latency),
            messages: Counter::default(),
            assignments: Family::default(),
            assignment_wait: Histogram::of_waits(),
            queue_overflows: Family::default(),
            mailbox_overflows: Counter::default(),
            mailbox_dropped: Counter::default(),
            limit_hits: Family::default(),
            taps_dropped: Counter::default(),
            journal_batch_records: Histogram::doubling(Duration::from_secs(1), 14),
            parse: phase("parse"),
            slot: phase("slot"),
            route: phase("route"),
            commit: phase("commit"),
            deliver: phase("deliver"),
            phases,
            requests: Counter::default(),
            most: OnceLock::new(),
            last_reload_successful: Number::default(),
            last_reload_success: Seconds::default(),
            certificate_expires: Family::default(),
            scrape: Mutex::new(Scrape::default()),
        };
        metrics.begin_at_zero();
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// A request has been answered: with `ok` or the kind of an error.
    pub fn answered(&self, method: &'static str, code: &'static str, took: Duration) {
        self.requests.inc();
        // Most answers are that a message was taken: what counts them need not be looked up.
        if (method, code) == (MOST, "ok") {
            let (count, duration) = self.most.get_or_init(|| {
                let request = self.rpc_requests.get_or_create(&Request { method, code });
                (request.clone(), self.rpc_duration.get_or_create(&Of { method }).clone())
            });
            count.inc();
            return duration.observe(took);
        }
        self.rpc_requests.get_or_create(&Request { method, code }).inc();
        self.rpc_duration.get_or_create(&Of { method }).observe(took);
    }

    /// These methods have not failed yet: without a figure from before, the first failure is not seen as one more.
    pub fn await_faults(&self, methods: impl IntoIterator<Item = &'static str>) {
        for method in methods {
            drop(self.rpc_requests.get_or_create(&Request { method, code: "internal" }));
        }
    }

    /// Requests answered, over all methods.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// A configuration has been taken or refused, at this time in microseconds since 1970.
    #[expect(clippy::cast_precision_loss, reason = "seconds to look at")]
    pub fn reloaded(&self, successful: bool, at_micros: i64) {
        self.last_reload_successful.set(successful.into());
        if successful {
            self.last_reload_success.set(at_micros as f64 / 1e6);
        }
    }

    /// Until when the certificate of the public listener is valid, in microseconds since 1970; nothing is measured where
    /// there is none, or where it does not say.
    #[expect(clippy::cast_precision_loss, reason = "seconds to look at")]
    pub fn certificate_expires(&self, at_micros: Option<i64>) {
        match at_micros {
            Some(at) => drop(self.certificate_expires.get_or_create(&PUBLIC).set(at as f64 / 1e6)),
            None => drop(self.certificate_expires.remove(&PUBLIC)),
        }
    }

    /// The phases by name, for a look without Prometheus.
    pub fn phases(&self) -> [(&'static str, &Histogram); 5] {
        [
            ("parse", &self.parse),
            ("slot", &self.slot),
            ("route", &self.route),
            ("commit", &self.commit),
            ("deliver", &self.deliver),
        ]
    }

    /// How many sessions of a role are open.
    pub fn open_sessions(&self, role: &'static str) -> i64 {
        self.connections.get_or_create(&Role { role }).get()
    }

    /// A limit has been reached.
    pub fn limited(&self, limit: &'static str) {
        self.limit_hits.get_or_create(&Limit { limit }).inc();
    }

    /// Everything as text: `OpenMetrics`, or the older format.
    pub fn text(&self, now: &Now, open_metrics: bool) -> String {
        let scrape = self.scrape.lock();
        scrape.set(now, &Process::now());
        let mut text = String::new();
        // A String takes everything that is written to it.
        let _ = encode(&mut text, &scrape.registry);
        if open_metrics { text } else { text::classic(&text) }
    }

    /// A rate is seen from the first time on only if the figure was there before.
    fn begin_at_zero(&self) {
        let limits = ["connections", "connections_per_ip", "requests_per_second", "visitors"];
        for limit in limits {
            drop(self.limit_hits.get_or_create(&Limit { limit }));
        }
        for reason in ["origin", "subprotocol", "token", "handshake", "connections", "connections_per_ip", "tls"] {
            drop(self.upgrades_refused.get_or_create(&Reason { reason }));
        }
        for reason in ["nobody_online", "queue_full", "timeout", "abandoned", "binding"] {
            drop(self.queue_overflows.get_or_create(&Reason { reason }));
        }
        for code in ["peer", "1000", "1001", "1011", "4401", "4408", "4429"] {
            drop(self.connections_closed.get_or_create(&Closed { code }));
        }
        for cause in ["start", "slot_opened", "transfer", "agent_lost"] {
            drop(self.assignments.get_or_create(&Cause { cause }));
        }
    }

    fn register(&self) {
        let mut scrape = self.scrape.lock();
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix("fenliu");
        let commit = option_env!("FENLIU_COMMIT").unwrap_or("unknown");
        ours.register("build", "This build", Info::new([("version", env!("CARGO_PKG_VERSION")), ("commit", commit)]));
        ours.register("connections", "Open sessions, by role", self.connections.clone());
        ours.register("connections_opened", "Sessions opened, by role", self.connections_opened.clone());
        ours.register("connections_closed", "Connections closed, by close code", self.connections_closed.clone());
        ours.register("upgrades_refused", "Upgrades refused, by reason", self.upgrades_refused.clone());
        ours.register("rpc_requests", "Requests answered, by method and outcome", self.rpc_requests.clone());
        let help = "From a request's arrival to its answer, by method";
        ours.register("rpc_duration_seconds", help, self.rpc_duration.clone());
        ours.register("messages", "Messages accepted", self.messages.clone());
        ours.register("assignments", "Conversations given to somebody, by cause", self.assignments.clone());
        ours.register("assignment_wait_seconds", "Time waited before it", self.assignment_wait.clone());
        ours.register("queue_overflows", "Conversations left as a message, by reason", self.queue_overflows.clone());
        ours.register("mailbox_overflows", "Peers closed for reading too slowly", self.mailbox_overflows.clone());
        ours.register("mailbox_dropped_frames", "Events dropped that may be", self.mailbox_dropped.clone());
        ours.register("limit_hits", "Refusals by a limit", self.limit_hits.clone());
        ours.register("taps_dropped", "Readers of a tap that were too slow", self.taps_dropped.clone());
        let help = "Records in one commit";
        ours.register("journal_batch_records", help, self.journal_batch_records.clone());
        ours.register("journal_commit_duration_seconds", "Time of a commit", self.commit.clone());
        let help = "From a decision to the mailboxes of those who are told";
        ours.register("delivery_duration_seconds", help, self.deliver.clone());
        ours.register("phase_duration_seconds", "The steps on the way of a request", self.phases.clone());
        let help = "Whether the last reload was accepted";
        ours.register("config_last_reload_successful", help, self.last_reload_successful.clone());
        let help = "When the last one was accepted";
        ours.register("config_last_reload_success_timestamp_seconds", help, self.last_reload_success.clone());
        let help = "When the certificate of a listener expires, since 1970";
        let expires = self.certificate_expires.clone();
        ours.register("tls_certificate_expires_timestamp_seconds", help, expires);
        scrape.register(&mut registry);
        scrape.registry = registry;
    }
}

impl Scrape {
    fn register(&self, registry: &mut Registry) {
        let ours = registry.sub_registry_with_prefix("fenliu");
        ours.register("config_generation", "The generation in force", self.generation.clone());
        ours.register("ready", "Whether the daemon is ready", self.ready.clone());
        ours.register("conversations", "Open conversations, by state", self.conversations.clone());
        ours.register("agents", "Agents, by status; with a session unless offline", self.agents.clone());
        ours.register("agent_slots", "Slots of agents online", self.slots.clone());
        ours.register("journal_pending", "Writes that are not yet durable", self.journal_pending.clone());
        ours.register("journal_failed", "Whether the journal cannot be written", self.journal_failed.clone());
        ours.register("mailbox_frames", "Frames that wait for their reader", self.mailbox_frames.clone());
        let process = registry.sub_registry_with_prefix("process");
        process.register("cpu_seconds", "Time on a processor", TotalSeconds(self.cpu_seconds.clone()));
        process.register("resident_memory_bytes", "Memory in use", self.resident_bytes.clone());
        process.register("virtual_memory_bytes", "Address space in use", self.virtual_bytes.clone());
        process.register("threads", "Threads", self.threads.clone());
        process.register("open_fds", "Open files", self.open_files.clone());
        process.register("max_fds", "How many may be open", self.files_max.clone());
        process.register("start_time_seconds", "When it started, since 1970", self.start_seconds.clone());
    }

    fn set(&self, now: &Now, process: &Process) {
        self.generation.set(now.generation);
        self.ready.set(now.ready.into());
        for (state, count) in [
            ("queued", now.queued),
            ("offered", now.offered),
            ("active", now.active),
            ("left_message", now.left_messages),
        ] {
            self.conversations.get_or_create(&In { state }).set(count);
        }
        for (status, count) in [("online", now.online), ("away", now.away), ("offline", now.offline)] {
            self.agents.get_or_create(&Status { status }).set(count);
        }
        for (state, count) in [("taken", now.slots_taken), ("free", now.slots_free)] {
            self.slots.get_or_create(&In { state }).set(count);
        }
        self.journal_pending.set(now.journal_pending);
        self.journal_failed.set(now.journal_failed.into());
        self.mailbox_frames.set(now.mailbox_frames);
        self.cpu_seconds.set(process.cpu_seconds);
        self.resident_bytes.set(process.resident_bytes);
        self.virtual_bytes.set(process.virtual_bytes);
        self.threads.set(process.threads);
        self.open_files.set(process.open_files);
        self.files_max.set(process.files_max);
        self.start_seconds.set(process.start_seconds);
    }
}

/// A counter that somebody else counts.
#[derive(Clone, Debug)]
struct TotalSeconds(Seconds);

impl prometheus_client::encoding::EncodeMetric for TotalSeconds {
    fn encode(&self, mut encoder: prometheus_client::encoding::MetricEncoder) -> Result<(), std::fmt::Error> {
        encoder.encode_counter::<prometheus_client::encoding::NoLabelSet, _, f64>(&self.0.get(), None)
    }

    fn metric_type(&self) -> prometheus_client::metrics::MetricType {
        prometheus_client::metrics::MetricType::Counter
    }
}
