//! `fenliu ctl top`: what goes on, again and again: who waits, who is busy, how fast, and what takes longest.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::show;

/// The screen for the figures of now and of a moment ago.
pub(super) fn screen(now: &Value, before: Option<&Value>, passed: Duration) -> String {
    let mut out = String::new();
    let rate = |name: &str| match (now[name].as_f64(), before.and_then(|before| before[name].as_f64())) {
        (Some(now), Some(before)) if !passed.is_zero() => format!("{:.0}", (now - before) / passed.as_secs_f64()),
        _ => "-".into(),
    };
    let figure = |path: &[&str]| path.iter().fold(now, |value, name| &value[name]).to_string();
    let _ = writeln!(
        out,
        "fenliu {}   generation {}   journal {} pending{}",
        now["time"].as_str().unwrap_or(""),
        figure(&["generation"]),
        figure(&["journal", "pending"]),
        if now["journal"]["failed"] == true { ", FAILED" } else { "" },
    );
    let _ = writeln!(
        out,
        "sessions      {} ({} buyers, {} staff)   messages {}/s   requests {}/s",
        figure(&["sessions", "total"]),
        figure(&["sessions", "buyer"]),
        figure(&["sessions", "staff"]),
        rate("messages"),
        rate("requests"),
    );
    let _ = writeln!(
        out,
        "conversations {} active, {} offered, {} queued, {} left messages",
        figure(&["conversations", "active"]),
        figure(&["conversations", "offered"]),
        figure(&["conversations", "queued"]),
        figure(&["conversations", "left_message"]),
    );
    let _ = writeln!(
        out,
        "agents        {} online, {} away   slots {} taken, {} free",
        figure(&["agents", "online"]),
        figure(&["agents", "away"]),
        figure(&["slots", "taken"]),
        figure(&["slots", "free"]),
    );
    for (title, name) in [("sellers by waiting", "busiest_sellers"), ("agents by load", "busiest_agents")] {
        let rows = now[name].as_array().map_or(&[][..], Vec::as_slice);
        if !rows.is_empty() {
            let _ = write!(out, "\n{title}\n{}", show::table(&rows[..rows.len().min(10)]));
        }
    }
    let phases = phases(now, before);
    if !phases.is_empty() {
        let _ = write!(out, "\nphases, the slowest first\n{}", show::table(&phases));
    }
    out
}

/// The phases with the mean of what has passed since, the slowest first.
fn phases(now: &Value, before: Option<&Value>) -> Vec<Value> {
    let Some(phases) = now["phases"].as_object() else { return Vec::new() };
    let mut rows: Vec<(f64, Value)> = phases
        .iter()
        .map(|(name, phase)| {
            let past = before.map_or(&Value::Null, |before| &before["phases"][name]);
            let since = |figure: &str| phase[figure].as_f64().unwrap_or(0.0) - past[figure].as_f64().unwrap_or(0.0);
            let count = since("count");
            let mean = if count > 0.0 { since("sum_s") / count } else { 0.0 };
            let row =
                serde_json::json!({ "count": count, "mean_ms": mean * 1e3, "p99_s": phase["p99_s"], "phase": name });
            (mean, row)
        })
        .collect();
    rows.sort_by(|one, other| other.0.total_cmp(&one.0));
    rows.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates_and_means_are_of_what_has_passed_since() {
        let of = |messages: u32, count: u32, sum: f64| {
            json!({
                "messages": messages, "requests": 2 * messages, "generation": 1, "time": "now",
                "phases": {"commit": {"count": count, "sum_s": sum, "p99_s": 0.004}, "parse": {"count": 1, "sum_s": 0.0, "p99_s": null}},
                "busiest_sellers": [{"seller": "tea", "waiting": 3}],
            })
        };

        let text = screen(&of(300, 30, 0.4), Some(&of(100, 10, 0.2)), Duration::from_secs(2));

        assert!(text.contains("messages 100/s   requests 200/s"), "{text}");
        assert!(text.contains("20     10       0.004  commit"), "{text}");
        assert!(text.contains("tea"), "{text}");
    }
}
