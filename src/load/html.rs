//! The report as one page that needs nothing else: curves over the run, percentiles, what failed.

use std::fmt::Write as _;

use super::report::{Report, Second, Summary};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 60.0;
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
    color:#1c2330;background:#fff}table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.2rem .8rem;\
    text-align:right;border-bottom:1px solid #dde2ea;font-variant-numeric:tabular-nums}td:first-child,\
    th:first-child{text-align:left}svg{width:100%;height:auto}text{font:11px system-ui,sans-serif;fill:#5a6475}\
    .good{color:#0a7d45}.bad{color:#b3261e;font-weight:600}h2{margin-top:2rem}\
    @media(prefers-color-scheme:dark){body{color:#e3e7ee;background:#14181f}td,th{border-color:#313a48}\
    text{fill:#9aa5b5}.good{color:#5cc98a}.bad{color:#ff8a80}}";
const COLOURS: [&str; 3] = ["#2f6fed", "#e07b00", "#0a9d6b"];

/// A line of a curve: its name, and what it shows of a second.
type Line = (&'static str, fn(&Second) -> f64);

/// The page.
pub fn html(report: &Report) -> String {
    let title = escape(&format!("{} · {}", report.scenario, report.started_at));
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>"
    );
    head(&mut out, report);
    let curves: [(&str, &[Line]); 3] = [
        (
            "Messages a second",
            &[
                ("offered", |s| whole(s.offered)),
                ("acknowledged", |s| whole(s.acknowledged)),
                ("told", |s| whole(s.delivered)),
            ],
        ),
        (
            "Time to the other side, ms",
            &[
                ("p50", |s| s.deliver_p50_ms),
                ("p99", |s| s.deliver_p99_ms),
                ("lag of the generator, max", |s| s.lag_max_ms),
            ],
        ),
        (
            "Time to the acknowledgement, ms; errors a second",
            &[("p50", |s| s.ack_p50_ms), ("p99", |s| s.ack_p99_ms), ("errors", |s| whole(s.errors))],
        ),
    ];
    for (name, lines) in curves {
        let _ = write!(out, "<h2>{name}</h2>");
        curve(&mut out, &report.timeline, lines);
    }
    for stage in &report.stages {
        let _ = write!(out, "<h2>{} ({:.0} s)</h2>", escape(&stage.name), stage.seconds);
        table(&mut out, stage.operations.iter());
    }
    out.push_str("<h2>Everything, setting up included</h2>");
    table(&mut out, report.operations.iter());
    foot(&mut out, report);
    out.push_str("</body></html>\n");
    out
}

fn head(out: &mut String, report: &Report) {
    let people = report.people;
    let _ = write!(
        out,
        "<p>{} ({}), {} loop: {} sellers, {} agents, {} buyers, {} idle, {} slow readers ({} given up).</p>",
        escape(&report.target),
        escape(&report.daemon),
        report.schedule,
        people.sellers,
        people.agents,
        people.buyers,
        people.idle,
        people.slow_readers,
        people.slow_readers_closed
    );
    let checked = report.checked;
    let (class, said) = if report.is_sound() {
        ("good", "every promise was kept".to_owned())
    } else {
        ("bad", format!("{} promises were broken", report.violations))
    };
    let _ = write!(
        out,
        "<p class=\"{class}\">{said}: {} messages acknowledged, {} told, {} histories read again.</p>",
        checked.acknowledged, checked.delivered, checked.histories
    );
    for verdict in &report.thresholds {
        let class = if verdict.held { "good" } else { "bad" };
        let measured = verdict.measured.map_or("nothing measured".to_owned(), |value| format!("{value:.3}"));
        let held = if verdict.held { "held" } else { "crossed" };
        let _ = write!(out, "<p class=\"{class}\">{}: {measured}, {held}</p>", escape(&verdict.threshold));
    }
}

fn foot(out: &mut String, report: &Report) {
    if !report.errors.is_empty() {
        out.push_str("<h2>Errors</h2><table><tr><th>kind</th><th>count</th></tr>");
        for (kind, count) in &report.errors {
            let _ = write!(out, "<tr><td>{}</td><td>{count}</td></tr>", escape(kind));
        }
        out.push_str("</table>");
    }
    if !report.violated.is_empty() {
        out.push_str("<h2>Promises broken</h2><ul>");
        for violation in &report.violated {
            let _ = write!(out, "<li class=\"bad\">{}</li>", escape(violation));
        }
        out.push_str("</ul>");
    }
    let generator = &report.generator;
    let _ = write!(
        out,
        "<h2>The generator</h2><p>Orders went out {:.2} ms late at the median, {:.2} ms at the 99th percentile, \
         {:.2} ms at most; its {} threads were busy for {:.0} % of the time.</p>",
        generator.lag.p50_ms,
        generator.lag.p99_ms,
        generator.lag.max_ms,
        generator.threads,
        generator.busy * 100.0
    );
    for note in &generator.notes {
        let _ = write!(out, "<p class=\"bad\">{}</p>", escape(note));
    }
}

fn table<'a>(out: &mut String, operations: impl Iterator<Item = (&'a String, &'a Summary)>) {
    out.push_str(
        "<table><tr><th></th><th>count</th><th>per s</th><th>p50 ms</th><th>p90</th><th>p99</th><th>p99.9</th>\
         <th>p99.99</th><th>max</th></tr>",
    );
    for (name, figures) in operations {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{:.0}</td><td>{:.2}</td><td>{:.2}</td><td>{:.2}</td><td>{:.2}</td>\
             <td>{:.2}</td><td>{:.2}</td></tr>",
            escape(name),
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
    out.push_str("</table>");
}

fn curve(out: &mut String, timeline: &[Second], lines: &[Line]) {
    let end = timeline.last().map_or(1.0, |second| second.at_s).max(1.0);
    let values = timeline.iter().flat_map(|second| lines.iter().map(|(_, of)| of(second)));
    let top = values.fold(0.0, f64::max).max(1e-3);
    let x = |at: f64| LEFT + at / end * (WIDTH - LEFT);
    let y = |value: f64| HEIGHT - value / top * (HEIGHT - 10.0);
    let _ = write!(out, "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\">", HEIGHT + 40.0);
    for part in [0.0, 0.5, 1.0] {
        let (at, value) = (y(top * part), top * part);
        let _ = write!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#8884\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            at + 4.0,
            short(value)
        );
    }
    for ((name, of), (place, colour)) in lines.iter().zip((0_u8..).zip(COLOURS)) {
        let points: Vec<_> =
            timeline.iter().map(|second| format!("{:.1},{:.1}", x(second.at_s), y(of(second)))).collect();
        let _ = write!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <rect x=\"{at:.0}\" y=\"{below}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>\
             <text x=\"{text:.0}\" y=\"{line}\">{name}</text>",
            points.join(" "),
            at = LEFT + f64::from(place) * 180.0,
            below = HEIGHT + 22.0,
            text = LEFT + f64::from(place) * 180.0 + 14.0,
            line = HEIGHT + 31.0
        );
    }
    let _ = write!(
        out,
        "<text x=\"{LEFT}\" y=\"{0}\">0 s</text><text x=\"{WIDTH}\" y=\"{0}\" text-anchor=\"end\">{end:.0} s</text></svg>",
        HEIGHT + 14.0
    );
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[expect(clippy::cast_precision_loss, reason = "a count of messages")]
fn whole(count: u64) -> f64 {
    count as f64
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_cannot_break_out_of_the_page() {
        assert_eq!(escape("<script>\"&\""), "&lt;script&gt;&quot;&amp;&quot;");
    }

    #[test]
    fn a_curve_needs_no_seconds() {
        let mut out = String::new();

        curve(&mut out, &[], &[("x", |second| second.at_s)]);

        assert!(out.starts_with("<svg") && out.ends_with("</svg>") && !out.contains("NaN"), "{out}");
    }
}
