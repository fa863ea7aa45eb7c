//! Two reports side by side: what became better or worse, as ratios.

use std::fmt::Write as _;

use super::report::{Report, Summary};

/// What a comparison has shown.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// For a person.
    pub text: String,
    /// What is worse by more than was allowed.
    pub worse: Vec<String>,
}

/// Compares a report with an earlier one; `tolerance` is the part by which a figure may be worse.
pub fn compare(before: &Report, after: &Report, tolerance: f64) -> Comparison {
    let (mut text, mut worse) = (String::new(), Vec::new());
    let _ = writeln!(text, "{} ({}) → {} ({})\n", before.scenario, before.started_at, after.scenario, after.started_at);
    let _ = writeln!(
        text,
        "{:<10} {:>21} {:>6} {:>21} {:>6} {:>21} {:>6}",
        "", "p50 ms", "ratio", "p99 ms", "ratio", "per second", "ratio"
    );
    for (name, after) in &after.operations {
        let Some(before) = before.operations.get(name) else { continue };
        let _ = writeln!(
            text,
            "{name:<10} {} {} {}",
            pair(before.p50_ms, after.p50_ms),
            pair(before.p99_ms, after.p99_ms),
            pair(before.per_second, after.per_second)
        );
        judge(name, before, after, tolerance, &mut worse);
    }
    if let (Some(before), Some(after)) = (before.process, after.process) {
        let _ = writeln!(
            text,
            "\nmessages per second of the daemon's processor time {}",
            pair(before.delivered_per_cpu_s, after.delivered_per_cpu_s)
        );
        if after.delivered_per_cpu_s < before.delivered_per_cpu_s * (1.0 - tolerance) {
            worse.push("messages per second of the daemon's processor time".to_owned());
        }
    }
    let errors = |report: &Report| report.errors.values().sum::<u64>();
    let _ = writeln!(text, "\nerrors {} → {}", errors(before), errors(after));
    let _ = writeln!(text, "promises broken {} → {}", before.violations, after.violations);
    if after.violations > before.violations {
        worse.push("promises broken".to_owned());
    }
    for what in &worse {
        let _ = writeln!(text, "WORSE: {what}");
    }
    Comparison { text, worse }
}

fn judge(name: &str, before: &Summary, after: &Summary, tolerance: f64, worse: &mut Vec<String>) {
    for (figure, before, after) in [("p50", before.p50_ms, after.p50_ms), ("p99", before.p99_ms, after.p99_ms)] {
        if after > before * (1.0 + tolerance) {
            worse.push(format!("{name}.{figure} {before:.2} → {after:.2} ms"));
        }
    }
}

fn pair(before: f64, after: f64) -> String {
    let ratio = if before > 0.0 { format!("{:.2}", after / before) } else { "–".to_owned() };
    format!("{before:>9.2} → {after:>9.2} {ratio:>6}")
}
