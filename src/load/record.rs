//! What is measured while it runs: one histogram for each kind of operation and each stage, counts, and a line a second.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use super::report::{Second, Summary};

/// So many violations are kept word by word.
const VIOLATIONS_KEPT: usize = 100;

/// What is timed, from when it should have begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are described in the documentation of the report")]
pub enum Operation {
    Connect,
    Reconnect,
    Start,
    Assign,
    Wait,
    Ack,
    Deliver,
    Close,
    Transfer,
    History,
}

impl Operation {
    /// All of them, as reports order them.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Reconnect,
        Self::Start,
        Self::Assign,
        Self::Wait,
        Self::Ack,
        Self::Deliver,
        Self::Close,
        Self::Transfer,
        Self::History,
    ];

    /// Its name in reports and thresholds.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reconnect => "reconnect",
            Self::Start => "start",
            Self::Assign => "assign",
            Self::Wait => "wait",
            Self::Ack => "ack",
            Self::Deliver => "deliver",
            Self::Close => "close",
            Self::Transfer => "transfer",
            Self::History => "history",
        }
    }
}

/// Where everybody notes what happened.
pub(super) struct Recorder {
    created: Instant,
    /// When the first stage began, from the creation.
    begun: OnceLock<Duration>,
    /// The end of every stage, from the beginning.
    ends: Vec<Duration>,
    /// Requests that have not been answered.
    pub(super) outstanding: AtomicI64,
    /// Orders given out.
    pub(super) offered: AtomicU64,
    /// Messages sent, answered and told.
    pub(super) sent: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    pub(super) delivered: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By stage and operation; the last stage is what comes before the first and after the last one.
    stages: Vec<BTreeMap<Operation, Histogram<u64>>>,
    lag: Option<Histogram<u64>>,
    errors: BTreeMap<String, u64>,
    unserved: BTreeMap<&'static str, u64>,
    violations: Vec<String>,
    violated: u64,
    second: Interval,
}

#[derive(Default)]
struct Interval {
    deliver: Option<Histogram<u64>>,
    ack: Option<Histogram<u64>>,
    lag: Duration,
    errors: u64,
    before: (u64, u64, u64),
}

/// Everything that was noted.
pub(super) struct Noted {
    pub(super) stages: Vec<BTreeMap<Operation, Histogram<u64>>>,
    pub(super) lag: Summary,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) unserved: BTreeMap<&'static str, u64>,
    pub(super) violations: Vec<String>,
    pub(super) violated: u64,
}

impl Recorder {
    pub(super) fn new(ends: Vec<Duration>) -> Self {
        let stages = vec![BTreeMap::new(); ends.len() + 1];
        Self {
            created: Instant::now(),
            begun: OnceLock::new(),
            ends,
            outstanding: AtomicI64::new(0),
            offered: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            inner: Mutex::new(Inner { stages, ..Inner::default() }),
        }
    }

    /// The first stage begins now.
    pub(super) fn begin(&self) -> Duration {
        *self.begun.get_or_init(|| self.created.elapsed())
    }

    /// The time, from the creation: by it everything is due.
    pub(super) fn now(&self) -> Duration {
        self.created.elapsed()
    }

    /// How long the stages have been running.
    pub(super) fn running_for(&self) -> Duration {
        self.begun.get().map_or(Duration::ZERO, |begun| self.now().saturating_sub(*begun))
    }

    /// In which stage something is due; what comes before the first is in one behind the last.
    fn stage_at(&self, due: Duration) -> usize {
        match self.begun.get() {
            Some(begun) if due >= *begun => self.ends.partition_point(|end| *end < due - *begun),
            _ => self.ends.len(),
        }
    }

    /// An operation that was due then is over.
    pub(super) fn note(&self, operation: Operation, due: Duration) {
        let stage = self.stage_at(due);
        let took = self.now().saturating_sub(due);
        self.put(operation, stage, took);
    }

    /// An operation took so long, whenever it was due.
    pub(super) fn note_took(&self, operation: Operation, took: Duration) {
        self.put(operation, self.stage_at(self.now()), took);
    }

    fn put(&self, operation: Operation, stage: usize, took: Duration) {
        let micros = micros(took);
        let mut inner = self.inner.lock();
        let Inner { stages, second, .. } = &mut *inner;
        if let Some(stage) = stages.get_mut(stage) {
            record(stage.entry(operation).or_insert_with(histogram), micros);
        }
        match operation {
            Operation::Deliver => record(second.deliver.get_or_insert_with(histogram), micros),
            Operation::Ack => record(second.ack.get_or_insert_with(histogram), micros),
            _ => {}
        }
    }

    /// An order was given out so much too late.
    pub(super) fn lag(&self, late: Duration) {
        let mut inner = self.inner.lock();
        record(inner.lag.get_or_insert_with(histogram), micros(late));
        inner.second.lag = inner.second.lag.max(late);
    }

    /// Something failed.
    pub(super) fn error(&self, kind: &str) {
        let mut inner = self.inner.lock();
        *inner.errors.entry(kind.to_owned()).or_default() += 1;
        inner.second.errors += 1;
    }

    /// Nobody was there who could carry out an order.
    pub(super) fn unserved(&self, order: &'static str) {
        *self.inner.lock().unserved.entry(order).or_default() += 1;
    }

    /// A promise was broken.
    pub(super) fn violation(&self, what: String) {
        let mut inner = self.inner.lock();
        inner.violated += 1;
        if inner.violations.len() < VIOLATIONS_KEPT {
            inner.violations.push(what);
        }
    }

    /// How many promises have been broken.
    pub(super) fn violated(&self) -> u64 {
        self.inner.lock().violated
    }

    /// What happened since the last call.
    pub(super) fn second(&self) -> Second {
        let counts = (
            self.offered.load(Ordering::Relaxed),
            self.acknowledged.load(Ordering::Relaxed),
            self.delivered.load(Ordering::Relaxed),
        );
        let mut inner = self.inner.lock();
        let second = std::mem::replace(&mut inner.second, Interval { before: counts, ..Interval::default() });
        let at = |histogram: &Option<Histogram<u64>>, quantile: f64| {
            histogram.as_ref().map_or(0.0, |histogram| millis(histogram.value_at_quantile(quantile)))
        };
        Second {
            at_s: self.running_for().as_secs_f64(),
            offered: counts.0 - second.before.0,
            acknowledged: counts.1 - second.before.1,
            delivered: counts.2 - second.before.2,
            errors: second.errors,
            ack_p50_ms: at(&second.ack, 0.5),
            ack_p99_ms: at(&second.ack, 0.99),
            deliver_p50_ms: at(&second.deliver, 0.5),
            deliver_p99_ms: at(&second.deliver, 0.99),
            lag_max_ms: second.lag.as_secs_f64() * 1e3,
        }
    }

    /// Everything, at the end.
    pub(super) fn take(&self) -> Noted {
        let inner = std::mem::take(&mut *self.inner.lock());
        Noted {
            stages: inner.stages,
            lag: Summary::of(inner.lag.as_ref(), 0.0),
            errors: inner.errors,
            unserved: inner.unserved,
            violations: inner.violations,
            violated: inner.violated,
        }
    }
}

/// Microseconds to an hour, with three digits.
pub(super) fn histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "these bounds are valid, as a test shows")]
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("valid bounds")
}

/// Microseconds as milliseconds.
pub(super) fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1e3
}

fn record(histogram: &mut Histogram<u64>, micros: u64) {
    histogram.saturating_record(micros.max(1));
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_in_the_stage_in_which_it_was_due() {
        let recorder = Recorder::new(vec![Duration::from_secs(1), Duration::from_secs(2)]);
        recorder.note(Operation::Ack, Duration::ZERO);
        let begun = recorder.begin();

        recorder.note(Operation::Ack, begun + Duration::from_millis(1500));
        recorder.note(Operation::Ack, begun + Duration::from_millis(9000));
        let noted = recorder.take();

        let counts: Vec<_> =
            noted.stages.iter().map(|stage| stage.get(&Operation::Ack).map_or(0, |h| h.len())).collect();
        assert_eq!(counts, [0, 1, 2]);
    }

    #[test]
    fn a_second_tells_what_happened_since_the_one_before() {
        let recorder = Recorder::new(vec![Duration::from_secs(1)]);
        recorder.delivered.fetch_add(3, Ordering::Relaxed);
        recorder.note_took(Operation::Deliver, Duration::from_millis(2));

        let (first, second) = (recorder.second(), recorder.second());

        assert_eq!((first.delivered, second.delivered), (3, 0));
        assert!((first.deliver_p50_ms - 2.0).abs() < 0.01 && second.deliver_p50_ms == 0.0);
    }
}
