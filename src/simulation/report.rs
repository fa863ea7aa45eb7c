//! The report: one page with everything in it, and nothing fetched. Curves are drawn as they are, without scripts.

use std::fmt::{self, Write as _};

use super::figures::Figures;
use super::histogram::Histogram;
use super::part::Merge;
use super::results::{Results, Tried};
use super::text;

/// The size of a drawing, and of the room around it for its scales.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
const BELOW: f64 = 34.0;
/// How many points a curve has at most.
const POINTS: usize = 400;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2730; --soft: #66727d; --line: #d9dee3; --one: #1f6feb; --two: #d9730d }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #9aa5af; --line: #37414a; --one: #6ea8fe; --two: #f0a35e } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 760px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin-top: 2rem } p, figcaption { color: var(--soft) }
pre { overflow-x: auto; font-size: 12.5px; line-height: 1.45 } figure { margin: 0 }
svg { width: 100%; height: auto; display: block } text { fill: var(--soft); font: 11px system-ui, sans-serif }
.axis { stroke: var(--line) } .one { stroke: var(--one) } .two { stroke: var(--two) } path { fill: none; stroke-width: 2 }
rect.one { fill: var(--one); stroke: none } rect.two { fill: var(--two); stroke: none }
b.one { color: var(--one) } b.two { color: var(--two) }
";

/// A curve: its points, and how it is drawn.
struct Curve {
    class: &'static str,
    points: Vec<(f64, f64)>,
}

/// The page for one configuration, or for two with the same buyers.
///
/// # Errors
/// None of its own; those of formatting.
pub fn page(tried: &[Tried], results: &Results) -> Result<String, fmt::Error> {
    let mut page = String::new();
    let title = "fenliu simulate";
    writeln!(page, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>")?;
    writeln!(page, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(page, "<style>{STYLE}</style>\n<h1>{title}</h1>")?;
    let run = &results.run;
    writeln!(page, "<p>{} buyers, seed {}, {} replications.", run.arrivals, run.seed, run.replications)?;
    if tried.len() > 1 {
        writeln!(page, "<b class=\"one\">The one configuration</b> and <b class=\"two\">the other</b>.")?;
    }
    writeln!(page, "</p>")?;
    waits(&mut page, tried)?;
    queue(&mut page, tried)?;
    loads(&mut page, results)?;
    writeln!(page, "<h2>Figures</h2>\n<pre>{}</pre>\n</html>", escaped(&text::render(results)?))?;
    Ok(page)
}

fn waits(page: &mut String, tried: &[Tried]) -> fmt::Result {
    let curves: Vec<Curve> = tried.iter().zip(["one", "two"]).map(|(tried, class)| longer(tried, class)).collect();
    writeln!(page, "<h2>How long buyers wait</h2>\n<figure>")?;
    plot(page, &curves, |share| format!("{:.0} %", share * 100.0), |seconds| format!("{seconds:.0} s"))?;
    writeln!(page, "<figcaption>The share of buyers who wait longer than that.</figcaption></figure>")
}

/// The share that waits longer, by time.
fn longer(tried: &Tried, class: &'static str) -> Curve {
    let mut all = Histogram::default();
    tried.gathered.total.iter().for_each(|part| all.merge(&part.waits));
    let count = all.count().max(1) as f64;
    let mut left = count;
    let mut points = Vec::new();
    for (micros, waiting) in all.steps() {
        left -= waiting as f64;
        points.push((micros / 1e6, left / count));
        if left / count < 0.002 {
            break;
        }
    }
    if points.first().is_none_or(|(at, _)| *at > 0.0) {
        points.insert(0, (0.0, 1.0));
    }
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.len() - 1;
    let points = points.into_iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last);
    Curve { class, points: points.map(|(_, point)| point).collect() }
}

fn queue(page: &mut String, tried: &[Tried]) -> fmt::Result {
    let length = |area: f64, time: f64| if time > 0.0 { area / time } else { 0.0 };
    let by_hour = tried.iter().all(|tried| !tried.gathered.hours.is_empty());
    let curves = tried.iter().zip(["one", "two"]).map(|(tried, class)| {
        let lengths: Vec<f64> = if by_hour {
            let hours = tried.gathered.hours.iter().map(|parts| {
                let mut hour = super::part::Part::default();
                parts.iter().for_each(|part| hour.merge(part));
                length(hour.queue_area, hour.time)
            });
            hours.collect()
        } else {
            tried.gathered.total.iter().map(|part| length(part.queue_area, part.time)).collect()
        };
        let points = (0..).zip(lengths).map(|(at, length)| (f64::from(at) + 0.5, length)).collect();
        Curve { class, points }
    });
    let curves: Vec<Curve> = curves.collect();
    let (title, words) = if by_hour {
        ("The queue over the day", "Buyers waiting, on average, by hour of the profile.")
    } else {
        ("The queue over the run", "Buyers waiting, on average, by part of the run.")
    };
    writeln!(page, "<h2>{title}</h2>\n<figure>")?;
    plot(page, &curves, |length| format!("{}", (length * 100.0).round() / 100.0), |at| format!("{at:.0}"))?;
    writeln!(page, "<figcaption>{words}</figcaption></figure>")
}

/// Draws curves in one frame.
fn plot(
    page: &mut String,
    curves: &[Curve],
    upward: impl Fn(f64) -> String,
    along: impl Fn(f64) -> String,
) -> fmt::Result {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let right = round_top(points().map(|(x, _)| *x).fold(1e-9, f64::max));
    let top = round_top(points().map(|(_, y)| *y).fold(1e-9, f64::max));
    let x = |value: f64| LEFT + value / right * (WIDTH - LEFT - 10.0);
    let y = |value: f64| HEIGHT - BELOW - value / top * (HEIGHT - BELOW - 12.0);
    writeln!(page, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">")?;
    for part in 0..=4 {
        let (at, value) = (y(top * f64::from(part) / 4.0), top * f64::from(part) / 4.0);
        writeln!(page, "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>")?;
        let label = upward(value);
        writeln!(page, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, at + 4.0)?;
        let (at, label) = (x(right * f64::from(part) / 4.0), along(right * f64::from(part) / 4.0));
        // The last word would stand half outside.
        let anchor = if part == 4 { "end" } else { "middle" };
        writeln!(page, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>", HEIGHT - 12.0)?;
    }
    for curve in curves {
        write!(page, "<path class=\"{}\" d=\"", curve.class)?;
        for (at, (across, up)) in curve.points.iter().enumerate() {
            write!(page, "{}{:.1} {:.1}", if at == 0 { "M" } else { " L" }, x(*across), y(*up))?;
        }
        writeln!(page, "\"/>")?;
    }
    writeln!(page, "</svg>")
}

/// The end of an axis that has every value and whose quarters are numbers that people say.
fn round_top(value: f64) -> f64 {
    let quarter = value / 4.0;
    let power = 10_f64.powf(quarter.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];
    4.0 * power * steps.into_iter().find(|step| step * power >= quarter * (1.0 - 1e-9)).unwrap_or(10.0)
}

fn loads(page: &mut String, results: &Results) -> fmt::Result {
    const BAR: f64 = 16.0;
    let held = |figures: &Figures| figures.find("mean_held").map_or(0.0, |figure| figure.value);
    let after = results.compare.as_ref().map(|after| &after.agents);
    let agents = &results.all.agents.0;
    let most = agents.iter().map(|(_, figures)| held(figures));
    let most = most.chain(after.iter().flat_map(|agents| agents.0.iter().map(|(_, figures)| held(figures))));
    let most = most.fold(1e-9, f64::max);
    let rows = if after.is_some() { 2.0 } else { 1.0 };
    let height = agents.len() as f64 * (BAR * rows + 8.0) + 8.0;
    writeln!(page, "<h2>Load per agent</h2>\n<figure><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">")?;
    let mut top = 4.0;
    for (name, figures) in agents {
        let busy = figures.find("busy_share").map_or(0.0, |figure| figure.value * 100.0);
        let middle = top + BAR * rows / 2.0 + 4.0;
        writeln!(page, "<text x=\"104\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>", escaped(name))?;
        let others = after.and_then(|agents| agents.find(name)).map(|figures| (held(figures), "two"));
        for (value, class) in std::iter::once((held(figures), "one")).chain(others) {
            let long = value / most * (WIDTH - 240.0);
            let tall = BAR - 2.0;
            writeln!(
                page,
                "<rect class=\"{class}\" x=\"110\" y=\"{top:.1}\" width=\"{long:.1}\" height=\"{tall:.1}\"/>"
            )?;
            let words =
                if class == "one" { format!("{value:.2} held, busy {busy:.0} %") } else { format!("{value:.2}") };
            writeln!(page, "<text x=\"{:.1}\" y=\"{:.1}\">{words}</text>", 116.0 + long, top + BAR - 4.0)?;
            top += BAR;
        }
        top += 8.0;
    }
    writeln!(page, "</svg><figcaption>Conversations held, on average over the run.</figcaption></figure>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{escaped, round_top};

    #[test]
    fn an_axis_ends_at_a_number_that_people_say() {
        let tops = [231.0, 24.0, 2.2, 0.41, 97.0].map(round_top);

        for (top, expected) in tops.into_iter().zip([240.0, 24.0, 2.4, 0.6, 100.0]) {
            assert!((top - expected).abs() < 1e-9, "{top} instead of {expected}");
        }
    }

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escaped("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
