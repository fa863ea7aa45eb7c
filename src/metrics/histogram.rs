//! A histogram of durations that is written to without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Counts of observations, by the smallest bound that they do not exceed.
#[derive(Clone, Debug)]
pub struct Histogram {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Upper bounds in billionths, ascending.
    bounds: Vec<u64>,
    /// One more than there are bounds.
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

const BILLION: f64 = 1e9;

impl Histogram {
    /// `count` bounds, the first one `first`, each twice the one before.
    pub fn doubling(first: Duration, count: u32) -> Self {
        let first = billionths(first);
        let bounds: Vec<_> = (0..count).map(|at| first.saturating_mul(1 << at.min(40))).collect();
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { inner: Arc::new(Inner { bounds, counts, sum: AtomicU64::new(0) }) }
    }

    /// For what takes from half a millisecond to seconds.
    pub fn of_latency() -> Self {
        Self::doubling(Duration::from_micros(500), 15)
    }

    /// For what takes from a microsecond to a second.
    pub fn of_steps() -> Self {
        Self::doubling(Duration::from_micros(1), 21)
    }

    /// For what takes from a second to an hour.
    pub fn of_waits() -> Self {
        Self::doubling(Duration::from_secs(1), 13)
    }

    /// Adds one.
    pub fn observe(&self, duration: Duration) {
        self.count(billionths(duration));
    }

    /// Adds one of a number that is no duration.
    pub fn observe_number(&self, number: u64) {
        self.count(number.saturating_mul(1_000_000_000));
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.inner.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// How long all of them took together.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.inner.sum.load(Ordering::Relaxed))
    }

    /// What this share of them did not exceed, to the next bound; `None` without any, or past the last bound.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let counts: Vec<_> = self.inner.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let rank = (total as f64 * share).ceil() as u64;
        let mut seen = 0;
        let within = counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        (total > 0).then(|| self.inner.bounds.get(within).copied().map(Duration::from_nanos)).flatten()
    }

    fn count(&self, value: u64) {
        let at = self.inner.bounds.partition_point(|bound| *bound < value);
        self.inner.counts[at].fetch_add(1, Ordering::Relaxed);
        self.inner.sum.fetch_add(value, Ordering::Relaxed);
    }
}

fn billionths(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl EncodeMetric for Histogram {
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), std::fmt::Error> {
        let bounds = self.inner.bounds.iter().map(|bound| *bound as f64 / BILLION).chain([f64::MAX]);
        let counts = self.inner.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.inner.sum.load(Ordering::Relaxed) as f64 / BILLION;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_are_counted_by_the_smallest_bound_that_they_do_not_exceed() {
        let histogram = Histogram::doubling(Duration::from_secs(1), 3);
        for seconds in [1, 2, 2, 5] {
            histogram.observe(Duration::from_secs(seconds));
        }

        assert_eq!((histogram.total(), histogram.sum()), (4, Duration::from_secs(10)));
        assert_eq!(histogram.quantile(0.5), Some(Duration::from_secs(2)));
        assert_eq!(histogram.quantile(0.25), Some(Duration::from_secs(1)));
        histogram.observe(Duration::from_secs(60));
        assert_eq!(histogram.quantile(1.0), None);
    }

    #[test]
    fn nothing_observed_has_no_quantile() {
        assert_eq!(Histogram::of_latency().quantile(0.99), None);
    }
}
