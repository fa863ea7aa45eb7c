//! Thresholds: `deliver.p99 < 50ms`, `hold:ack.p99.9 <= 0.1s`, `errors.rate < 1%`, `violations == 0`.

use std::collections::BTreeMap;

use super::report::{Report, Summary, Verdict};

/// A condition on a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    text: String,
    stage: Option<String>,
    name: String,
    statistic: String,
    comparison: Comparison,
    limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
}

const EXPECTED: &str = "expected for example `deliver.p99 < 50ms`, `hold:ack.p99.9 < 0.1s`, `deliver.per_second >= 900`, \
                        `errors.rate < 1%`, `lag.p99 < 5ms` or `violations == 0`";
const STATISTICS: [&str; 10] = ["count", "per_second", "mean", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"];

impl Threshold {
    /// Reads one.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (left, comparison, right) = split(text).ok_or(EXPECTED)?;
        let (stage, subject) = match left.split_once(':') {
            Some((stage, subject)) => (Some(stage.trim().to_owned()), subject.trim()),
            None => (None, left),
        };
        let (name, statistic) = subject.split_once('.').unwrap_or((subject, "count"));
        let (name, statistic) = (name.trim(), statistic.trim());
        let known = match name {
            "errors" => matches!(statistic, "count" | "rate"),
            "violations" => statistic == "count",
            "lag" => STATISTICS.contains(&statistic),
            name => super::Operation::ALL.iter().any(|known| known.name() == name) && STATISTICS.contains(&statistic),
        };
        if !known {
            return Err(format!("`{subject}` is not measured; {EXPECTED}"));
        }
        let limit = number(right).ok_or_else(|| format!("`{right}` is no limit; {EXPECTED}"))?;
        let (name, statistic) = (name.to_owned(), statistic.to_owned());
        Ok(Self { text: text.trim().to_owned(), stage, name, statistic, comparison, limit })
    }

    /// Whether it holds for a report.
    pub fn judge(&self, report: &Report) -> Verdict {
        let measured = self.measured(report);
        let held = measured.is_some_and(|measured| match self.comparison {
            Comparison::Less => measured < self.limit,
            Comparison::AtMost => measured <= self.limit,
            Comparison::More => measured > self.limit,
            Comparison::AtLeast => measured >= self.limit,
            Comparison::Equal => (measured - self.limit).abs() < f64::EPSILON,
        });
        Verdict { threshold: self.text.clone(), measured, held }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of operations")]
    fn measured(&self, report: &Report) -> Option<f64> {
        let errors: u64 = report.errors.values().sum();
        match (self.name.as_str(), self.statistic.as_str()) {
            ("violations", _) => Some(report.violations as f64),
            ("errors", "rate") => {
                let done: u64 = report.operations.values().map(|figures| figures.count).sum();
                Some(errors as f64 / (done + errors).max(1) as f64)
            }
            ("errors", _) => Some(errors as f64),
            ("lag", statistic) => figure(&report.generator.lag, statistic),
            (name, statistic) => {
                let operations: &BTreeMap<String, Summary> = match &self.stage {
                    Some(stage) => &report.stages.iter().find(|known| known.name == *stage)?.operations,
                    None => &report.operations,
                };
                figure(operations.get(name)?, statistic)
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of operations")]
fn figure(figures: &Summary, statistic: &str) -> Option<f64> {
    Some(match statistic {
        "count" => figures.count as f64,
        "per_second" => figures.per_second,
        "mean" => figures.mean_ms,
        "p50" => figures.p50_ms,
        "p90" => figures.p90_ms,
        "p95" => figures.p95_ms,
        "p99" => figures.p99_ms,
        "p99.9" => figures.p999_ms,
        "p99.99" => figures.p9999_ms,
        "max" => figures.max_ms,
        _ => return None,
    })
}

fn split(text: &str) -> Option<(&str, Comparison, &str)> {
    let signs = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("==", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::More),
    ];
    let (sign, comparison) = signs.into_iter().find(|(sign, _)| text.contains(sign))?;
    let (left, right) = text.split_once(sign)?;
    Some((left.trim(), comparison, right.trim()))
}

/// A plain number, milliseconds for a time, a part of 1 for percents.
fn number(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("µs", 1e-3), ("ms", 1.0), ("s", 1e3), ("%", 1e-2), ("", 1.0)];
    let (unit, worth) = units.into_iter().find(|(unit, _)| text.ends_with(unit))?;
    let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * worth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let figures = Summary { count: 90, p99_ms: 40.0, p999_ms: 90.0, per_second: 9.0, ..Summary::default() };
        let text = serde_json::json!({
            "version": 1, "scenario": "x", "started_at": "", "target": "", "daemon": "", "seed": 1, "schedule": "open",
            "people": { "sellers": 0, "agents": 0, "buyers": 0, "idle": 0, "slow_readers": 0, "slow_readers_closed": 0 },
            "operations": { "deliver": figures },
            "stages": [{ "name": "hold", "seconds": 1.0, "operations": { "deliver": Summary::default() } }],
            "timeline": [], "errors": { "conflict": 10 }, "unserved": {}, "violations": 1, "violated": [],
            "checked": { "acknowledged": 0, "delivered": 0, "histories": 0, "history_messages": 0, "fullest_agent": 0.0 },
            "generator": { "lag": Summary::default(), "threads": 1, "cpu_s": 0.0, "busy": 0.0, "notes": [] },
            "process": null, "thresholds": [], "interrupted": false,
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn a_threshold_holds_or_is_crossed() {
        let report = report();
        for (text, held) in [
            ("deliver.p99 < 50ms", true),
            ("deliver.p99<40ms", false),
            ("deliver.p99 <= 0.04s", true),
            ("deliver.p99.9 < 80 ms", false),
            ("hold:deliver.p99 == 0", true),
            ("deliver.per_second >= 9", true),
            ("errors.rate <= 10%", true),
            ("errors < 10", false),
            ("violations == 0", false),
            ("lag.p99 < 1us", true),
        ] {
            assert_eq!(Threshold::parse(text).unwrap().judge(&report).held, held, "{text}");
        }
    }

    #[test]
    fn what_was_not_measured_holds_no_threshold() {
        let verdict = Threshold::parse("ack.p99 < 1s").unwrap().judge(&report());

        assert!(!verdict.held && verdict.measured.is_none());
    }

    #[test]
    fn a_threshold_that_cannot_be_read_says_what_was_expected() {
        for text in ["", "deliver.p99", "deliver.p98 < 1s", "delivery.p99 < 1s", "deliver.p99 < soon"] {
            assert!(Threshold::parse(text).unwrap_err().contains("deliver.p99 < 50ms"), "{text}");
        }
    }
}
