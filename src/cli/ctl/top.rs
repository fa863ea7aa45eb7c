//! `fenliu ctl top`: what goes on, again and again: who waits, who is busy, how fast, and what takes longest.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::show::{aligned, cell};

/// How many sellers and agents are shown at most, and at least where the screen is low.
const ROWS: (usize, usize) = (10, 3);
/// The lines that are not rows of theirs: four of figures, three of titles and empty ones for each table, the phases.
const LINES: usize = 4 + 3 * 2 + 5;

/// The screen for the figures of now and of a moment ago, at most so many lines high where that leaves room for a few.
pub(super) fn screen(now: &Value, before: Option<&Value>, passed: Duration, height: usize) -> String {
    let rows = (height.saturating_sub(LINES) / 2).clamp(ROWS.1, ROWS.0);
    let mut out = figures(now, before, passed);
    let sellers = |row: &Value| {
        let wait = row["longest_wait_s"].as_u64().map_or_else(|| "-".to_owned(), |seconds| format!("{seconds} s"));
        vec![cell(&row["seller"]), cell(&row["waiting"]), wait, cell(&row["left_messages"])]
    };
    table(
        &mut out,
        &["SELLERS BY WAITING", "WAITING", "LONGEST WAIT", "LEFT MESSAGES"],
        &now["busiest_sellers"],
        rows,
        sellers,
    );
    let agents = |row: &Value| {
        let load = match (row["held"].as_f64(), row["capacity"].as_f64()) {
            (Some(held), Some(capacity)) if capacity > 0.0 => format!("{:.0} %", 100.0 * held / capacity),
            _ => "-".to_owned(),
        };
        vec![cell(&row["sub_account"]), cell(&row["status"]), cell(&row["held"]), cell(&row["capacity"]), load]
    };
    table(&mut out, &["AGENTS BY LOAD", "STATUS", "HELD", "CAPACITY", "LOAD"], &now["busiest_agents"], rows, agents);
    let phases = phases(now, before, passed);
    if !phases.is_empty() {
        let heads = ["SLOWEST STEPS", "A SECOND", "MEAN", "P99 SINCE START"].map(str::to_owned).to_vec();
        let _ = write!(out, "\n{}", aligned(heads, phases));
    }
    out
}

fn figures(now: &Value, before: Option<&Value>, passed: Duration) -> String {
    let rate = |name: &str| match (now[name].as_f64(), before.and_then(|before| before[name].as_f64())) {
        (Some(now), Some(before)) if !passed.is_zero() => format!("{:.0}/s", (now - before) / passed.as_secs_f64()),
        _ => "-".into(),
    };
    let figure = |path: &[&str]| cell(path.iter().fold(now, |value, name| &value[name]));
    let time = figure(&["time"]);
    let time = time.get(11..19).unwrap_or(&time);
    let journal = if now["journal"]["failed"] == true { "FAILED" } else { "well" };
    let (generation, pending) = (figure(&["generation"]), figure(&["journal", "pending"]));
    let of = |what: &'static str, part: &'static str| figure(&[what, part]);
    let taken = now["slots"]["taken"].as_u64().unwrap_or(0);
    let slots = taken + now["slots"]["free"].as_u64().unwrap_or(0);
    format!(
        "fenliu         {time} UTC   generation {generation}   journal {journal}, {pending} pending\n\
         sessions       {} buyers, {} staff, {} operators   messages {}   requests {}\n\
         conversations  {} active, {} offered, {} queued, {} left messages\n\
         agents         {} online, {} away   slots {taken} of {slots} taken\n",
        of("sessions", "buyer"),
        of("sessions", "staff"),
        of("sessions", "operator"),
        rate("messages"),
        rate("requests"),
        of("conversations", "active"),
        of("conversations", "offered"),
        of("conversations", "queued"),
        of("conversations", "left_message"),
        of("agents", "online"),
        of("agents", "away"),
    )
}

fn table(out: &mut String, heads: &[&str], rows: &Value, most: usize, row: impl Fn(&Value) -> Vec<String>) {
    let Some(rows) = rows.as_array().filter(|rows| !rows.is_empty()) else { return };
    let heads = heads.iter().map(|head| (*head).to_owned()).collect();
    let _ = write!(out, "\n{}", aligned(heads, rows.iter().take(most).map(row).collect()));
}

/// The phases with the mean of what has passed since, the slowest first.
fn phases(now: &Value, before: Option<&Value>, passed: Duration) -> Vec<Vec<String>> {
    let Some(phases) = now["phases"].as_object() else { return Vec::new() };
    let mut rows: Vec<(f64, Vec<String>)> = phases
        .iter()
        .map(|(name, phase)| {
            let past = before.map_or(&Value::Null, |before| &before["phases"][name]);
            let since = |figure: &str| phase[figure].as_f64().unwrap_or(0.0) - past[figure].as_f64().unwrap_or(0.0);
            let count = since("count");
            let mean = if count > 0.0 { since("sum_s") / count } else { 0.0 };
            let rate = match before {
                Some(_) if !passed.is_zero() => format!("{:.0}", count / passed.as_secs_f64()),
                _ => "-".to_owned(),
            };
            let ms = |seconds: f64| format!("{:.2} ms", seconds * 1e3);
            let mean_text = if count > 0.0 { ms(mean) } else { "-".to_owned() };
            let p99 = phase["p99_s"].as_f64().map_or_else(|| "-".to_owned(), ms);
            (mean, vec![name.clone(), rate, mean_text, p99])
        })
        .collect();
    rows.sort_by(|one, other| other.0.total_cmp(&one.0));
    rows.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn figures_of(messages: u32, count: u32, sum: f64) -> Value {
        let sellers: Vec<_> = (0..20)
            .map(|n| json!({"seller": format!("s{n}"), "waiting": 20 - n, "longest_wait_s": 7, "left_messages": 0}))
            .collect();
        json!({
            "messages": messages, "requests": 2 * messages, "generation": 1, "time": "2026-11-24T13:56:23.827Z",
            "journal": {"failed": false, "pending": 2}, "slots": {"taken": 3, "free": 1},
            "phases": {"commit": {"count": count, "sum_s": sum, "p99_s": 0.004}, "parse": {"count": 1, "sum_s": 0.0, "p99_s": null}},
            "busiest_sellers": sellers,
            "busiest_agents": [{"sub_account": "mei", "status": "online", "held": 3, "capacity": 4}],
        })
    }

    #[test]
    fn rates_and_means_are_of_what_has_passed_since() {
        let (now, before) = (figures_of(300, 30, 0.4), figures_of(100, 10, 0.2));

        let text = screen(&now, Some(&before), Duration::from_secs(2), usize::MAX);

        assert!(text.starts_with("fenliu         13:56:23 UTC   generation 1   journal well, 2 pending\n"), "{text}");
        assert!(text.contains("messages 100/s   requests 200/s\n"), "{text}");
        assert!(text.contains("slots 3 of 4 taken\n"), "{text}");
        assert!(text.contains("\ncommit               10  10.00 ms          4.00 ms\n"), "{text}");
        assert!(text.contains("\nmei             online     3         4  75 %\n"), "{text}");
    }

    #[test]
    fn on_a_low_screen_there_are_fewer_rows() {
        let lines = |height| screen(&figures_of(1, 1, 0.1), None, Duration::ZERO, height).lines().count();

        assert!(lines(24) <= 24 && lines(24) < lines(usize::MAX));
        assert!(lines(1) > 10);
    }
}
