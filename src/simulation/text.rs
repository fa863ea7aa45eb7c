//! The results for people: what happened to buyers, to groups and agents, and what another configuration changes.

use std::fmt::{self, Write as _};

use super::figures::{Figure, Figures, Named};
use super::results::{All, Results};
use super::staff::Staffing;

/// How wide a figure stands in a row.
const WIDTH: usize = 11;

/// How a figure is shown.
#[derive(Clone, Copy)]
enum Unit {
    Number,
    Share,
    Seconds,
    Plain,
}

/// What is shown of all, in this order: the figure, its words, its unit.
const TOTAL: [(&str, &str, Unit); 22] = [
    ("offered", "buyers", Unit::Number),
    ("served", "served", Unit::Number),
    ("abandoned", "left while they waited", Unit::Number),
    ("blocked", "refused on arrival", Unit::Number),
    ("timed_out", "waited as long as the group lets them", Unit::Number),
    ("unstaffed", "met nobody", Unit::Number),
    ("p_wait", "could not start at once", Unit::Share),
    ("mean_wait", "mean wait", Unit::Seconds),
    ("mean_wait_delayed", "mean wait of those who waited", Unit::Seconds),
    ("wait_p50", "half wait no longer than", Unit::Seconds),
    ("wait_p95", "95 of 100 wait no longer than", Unit::Seconds),
    ("wait_p99", "99 of 100 wait no longer than", Unit::Seconds),
    ("sl", "served within the target", Unit::Share),
    ("p_abandon", "left, of all", Unit::Share),
    ("mean_queue_len", "waiting, on average", Unit::Plain),
    ("max_queue_len", "waiting, at most", Unit::Number),
    ("occupancy", "slots taken", Unit::Share),
    ("mean_chat_duration", "mean conversation", Unit::Seconds),
    ("recent_hit_share", "back with their recent agent", Unit::Share),
    ("overflowed_share", "served by another group", Unit::Share),
    ("jain_load", "evenness of the load (1: all alike)", Unit::Plain),
    ("mean_load_range", "most less least held, on average", Unit::Plain),
];

/// What is shown of each stream, group and hour.
const ROW: [(&str, &str, Unit); 8] = [
    ("offered", "buyers", Unit::Number),
    ("served", "served", Unit::Number),
    ("sl", "in time", Unit::Share),
    ("mean_wait", "mean wait", Unit::Seconds),
    ("wait_p95", "p95", Unit::Seconds),
    ("p_abandon", "left", Unit::Share),
    ("mean_queue_len", "waiting", Unit::Plain),
    ("occupancy", "slots", Unit::Share),
];

const AGENT: [(&str, &str, Unit); 3] =
    [("assigned", "assigned", Unit::Number), ("busy_share", "busy", Unit::Share), ("mean_held", "held", Unit::Plain)];

/// The results as text.
///
/// # Errors
/// None of its own; those of formatting.
pub fn render(results: &Results) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let run = &results.run;
    let times = if run.replications > 1 { format!(", {} replications", run.replications) } else { String::new() };
    writeln!(text, "{} buyers after {} of warm-up{times}, seed {}", run.arrivals, run.warm_up, run.seed)?;
    if let Some(replay) = &results.replay {
        replayed(&mut text, results, replay)?;
    }
    match (&results.compare, &results.difference) {
        (Some(after), Some(difference)) => compared(&mut text, results, after, difference)?,
        _ => total(&mut text, results)?,
    }
    rows(&mut text, "stream", &results.all.streams, &ROW)?;
    rows(&mut text, "group", &results.all.groups, &ROW)?;
    rows(&mut text, "agent", &results.all.agents, &AGENT)?;
    if !results.all.hours.is_empty() {
        let hours = results.all.hours.iter().enumerate();
        let hours = Named(hours.map(|(hour, figures)| (format!("{hour:02}:00"), figures.clone())).collect());
        rows(&mut text, "hour", &hours, &ROW)?;
    }
    if let Some(staff) = &results.staff {
        staffing(&mut text, staff)?;
    }
    Ok(text)
}

fn total(text: &mut String, results: &Results) -> fmt::Result {
    let formula = results.formula.as_ref();
    let name = formula.map_or("", |formula| formula.name);
    writeln!(text, "\n{:38}{:>20}{:>WIDTH$}{name:>WIDTH$}", "", "", "one pool")?;
    for (metric, words, unit) in TOTAL {
        let Some(figure) = results.all.total.find(metric) else { continue };
        let bound = results.all.bound.find(metric).map_or_else(String::new, |bound| shown(bound.value, unit));
        let closed = formula.and_then(|formula| formula.figures.find(metric));
        let closed = closed.map_or_else(String::new, |value| shown(*value, unit));
        let line = format!("{words:38}{:>20}{bound:>WIDTH$}{closed:>WIDTH$}", within(figure, unit));
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

/// What happened, beside what would have.
fn replayed(text: &mut String, results: &Results, replay: &super::replay::Difference) -> fmt::Result {
    writeln!(text, "\n{:38}{:>WIDTH$}   {:<WIDTH$}", "", "happened", "would have")?;
    for (metric, words, unit) in TOTAL {
        let (Some(then), Some(now)) = (replay.happened.find(metric), results.all.total.find(metric)) else { continue };
        let line = format!("{words:38}{:>WIDTH$} → {:<WIDTH$}", shown(*then, unit), shown(now.value, unit));
        writeln!(text, "{}", line.trim_end())?;
    }
    if let Some(same) = replay.same_agent {
        writeln!(text, "{:38}{:>WIDTH$}", "with the same agent", shown(same, Unit::Share))?;
    }
    let (no_longer, now) = (replay.no_longer_served, replay.now_served);
    writeln!(text, "served then and not now: {no_longer}; now and not then: {now}")?;
    if replay.unknown > 0 {
        writeln!(text, "of sellers that this configuration does not know: {}", replay.unknown)?;
    }
    Ok(())
}

/// `p95 of wait 41 s → 18 s (−23 ± 2)`.
fn compared(text: &mut String, results: &Results, after: &All, difference: &All) -> fmt::Result {
    writeln!(text)?;
    for (metric, words, unit) in TOTAL {
        let (before, after) = (results.all.total.find(metric), after.total.find(metric));
        let (Some(before), Some(after), Some(change)) = (before, after, difference.total.find(metric)) else {
            continue;
        };
        let (was, is) = (shown(before.value, unit), shown(after.value, unit));
        let line = format!("{words:38}{was:>WIDTH$} → {is:<WIDTH$}{}", changed(change, unit));
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The difference and how sure it is; what is less than its interval is in brackets all the same.
fn changed(change: &Figure, unit: Unit) -> String {
    let sign = if change.value < 0.0 { "−" } else { "+" };
    let value = bare(change.value.abs(), unit);
    match change.ci95 {
        Some(width) => format!("({sign}{value} ± {})", bare(width, unit)),
        None => format!("({sign}{value})"),
    }
}

fn rows(text: &mut String, what: &str, all: &Named<Figures>, columns: &[(&str, &str, Unit)]) -> fmt::Result {
    let name_width = all.0.iter().map(|(name, _)| name.chars().count()).chain([what.len(), 12]).max().unwrap_or(12);
    write!(text, "\n{what:name_width$}")?;
    for (_, words, _) in columns {
        write!(text, "{words:>WIDTH$}")?;
    }
    writeln!(text)?;
    for (name, figures) in &all.0 {
        write!(text, "{name:name_width$}")?;
        for (metric, _, unit) in columns {
            let value = figures.find(metric).map_or_else(|| "-".to_owned(), |figure| shown(figure.value, *unit));
            write!(text, "{value:>WIDTH$}")?;
        }
        writeln!(text)?;
    }
    Ok(())
}

fn staffing(text: &mut String, staff: &Staffing) -> fmt::Result {
    let plural = if staff.agents == 1 { "" } else { "s" };
    let by = staff.method.replace('_', " ");
    writeln!(text, "\n{}: {} agent{plural} for {} (by {by})", staff.group, staff.agents, staff.target)?;
    let mut all = vec![(format!("with {}", staff.agents), staff.at.clone())];
    all.extend(staff.below.as_ref().map(|below| (format!("with {}", below.agents), below.figures.clone())));
    rows(text, "", &Named(all), &ROW)
}

fn within(figure: &Figure, unit: Unit) -> String {
    match figure.ci95 {
        Some(width) if width > 0.0 => format!("{} ± {}", shown(figure.value, unit), bare(width, unit)),
        _ => shown(figure.value, unit),
    }
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Number | Unit::Plain => bare(value, unit),
        Unit::Share => format!("{} %", bare(value, unit)),
        Unit::Seconds => format!("{} s", bare(value, unit)),
    }
}

fn bare(value: f64, unit: Unit) -> String {
    let precise = |value: f64| {
        let digits = if value.abs() < 1.0 {
            3
        } else if value.abs() < 10.0 {
            2
        } else if value.abs() < 100.0 {
            1
        } else {
            0
        };
        format!("{value:.digits$}")
    };
    match unit {
        Unit::Number => format!("{value:.0}"),
        Unit::Share => format!("{:.2}", value * 100.0),
        Unit::Seconds | Unit::Plain => precise(value),
    }
}
