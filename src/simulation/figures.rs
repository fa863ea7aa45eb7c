//! Figures: a value and how far the truth may be from it, from the parts of a run.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::part::{Kind, Merge, Metric};

/// A figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Its value.
    pub value: f64,
    /// Half the width of the interval in which the true value lies 19 times of 20; none if there are too few parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci95: Option<f64>,
}

/// Things by name, in an order of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Named<T> {
    /// The one of this name.
    pub fn find(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, thing)| thing)
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, thing) in &self.0 {
            map.serialize_entry(name, thing)?;
        }
        map.end()
    }
}

/// All figures of one thing.
pub type Figures = Named<Figure>;

/// What the parts of a run are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Stretches of one run, one after the other.
    Batches,
    /// Runs from the start.
    Replications,
}

impl Cut {
    /// How far the truth may be from what these parts say together.
    fn half_width(self, kind: Kind, values: &[f64]) -> Option<f64> {
        let width = half_width(values)?;
        match (self, kind) {
            (Self::Batches, Kind::Count) => Some(width * values.len() as f64),
            _ => Some(width),
        }
    }
}

/// The figures of these parts; one without meaning is left out.
pub fn figures<P: Merge>(metrics: &[Metric<P>], parts: &[P], cut: Cut) -> Figures {
    let whole = together(parts);
    let figure = |metric: &Metric<P>| {
        let values: Vec<f64> = parts.iter().filter_map(|part| (metric.of)(part)).collect();
        let value = value(metric, &whole, &values, cut)?;
        Some((metric.name.to_owned(), Figure { value, ci95: cut.half_width(metric.kind, &values) }))
    };
    Named(metrics.iter().filter_map(figure).collect())
}

/// How the figures of two runs with the same buyers differ: part by part, so that what both share cancels out.
pub fn differences<P: Merge>(metrics: &[Metric<P>], before: &[P], after: &[P], cut: Cut) -> Figures {
    let (whole_before, whole_after) = (together(before), together(after));
    let figure = |metric: &Metric<P>| {
        let of = |parts: &[P]| -> Vec<f64> { parts.iter().filter_map(|part| (metric.of)(part)).collect() };
        let first = value(metric, &whole_before, &of(before), cut)?;
        let second = value(metric, &whole_after, &of(after), cut)?;
        let pairs = before.iter().zip(after);
        let pairs = pairs.filter_map(|(before, after)| Some((metric.of)(after)? - (metric.of)(before)?));
        let differences: Vec<f64> = pairs.collect();
        let ci95 = cut.half_width(metric.kind, &differences);
        Some((metric.name.to_owned(), Figure { value: second - first, ci95 }))
    };
    Named(metrics.iter().filter_map(figure).collect())
}

fn together<P: Merge>(parts: &[P]) -> P {
    let mut whole = P::default();
    parts.iter().for_each(|part| whole.merge(part));
    whole
}

fn value<P>(metric: &Metric<P>, whole: &P, values: &[f64], cut: Cut) -> Option<f64> {
    match cut {
        Cut::Batches => (metric.of)(whole),
        Cut::Replications if values.is_empty() => None,
        Cut::Replications => Some(values.iter().sum::<f64>() / values.len() as f64),
    }
}

/// Half the width of the 95 % interval of a mean; none of fewer than two values.
fn half_width(values: &[f64]) -> Option<f64> {
    let count = values.len();
    if count < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count as f64;
    let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    let error = (squares / (count - 1) as f64 / count as f64).sqrt();
    Some(student(count - 1) * error)
}

/// The two-sided 95 % point of Student's distribution.
fn student(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];
    const NORMAL: f64 = 1.959_964;
    TABLE.get(freedom.saturating_sub(1)).copied().unwrap_or_else(|| {
        // The first terms of its expansion around the normal distribution.
        let (cube, fifth) = (NORMAL.powi(3), NORMAL.powi(5));
        let n = freedom as f64;
        NORMAL + (cube + NORMAL) / (4.0 * n) + (5.0 * fifth + 16.0 * cube + 3.0 * NORMAL) / (96.0 * n * n)
    })
}

#[cfg(test)]
mod tests {
    use super::super::part::{METRICS, Part};
    use super::*;

    fn part(offered: u64, blocked: u64) -> Part {
        Part { offered, blocked, ..Part::default() }
    }

    #[test]
    fn counts_of_batches_add_up_and_shares_are_of_all() {
        let parts = [part(10, 1), part(30, 9)];

        let found = figures(&METRICS, &parts, Cut::Batches);

        assert!((found.find("offered").unwrap().value - 40.0).abs() < 1e-9);
        assert!((found.find("p_block").unwrap().value - 0.25).abs() < 1e-9);
        assert!(found.find("mean_chat_duration").is_none());
    }

    #[test]
    fn a_replication_weighs_as_much_as_another() {
        let parts = [part(10, 1), part(30, 9)];

        let found = figures(&METRICS, &parts, Cut::Replications);

        assert!((found.find("offered").unwrap().value - 20.0).abs() < 1e-9);
        assert!((found.find("p_block").unwrap().value - 0.2).abs() < 1e-9);
        // Two values, 0.1 and 0.3: their standard error is 0.1.
        assert!((found.find("p_block").unwrap().ci95.unwrap() - 1.2706).abs() < 1e-9);
    }

    #[test]
    fn what_two_runs_share_is_not_in_their_difference() {
        let before = [part(10, 1), part(100, 60), part(10, 5)];
        let after = [part(10, 2), part(100, 70), part(10, 6)];

        let found = differences(&METRICS, &before, &after, Cut::Replications);

        let figure = found.find("p_block").unwrap();
        assert!((figure.value - 0.1).abs() < 1e-9 && figure.ci95.unwrap() < 1e-9, "{figure:?}");
    }

    #[test]
    fn beyond_the_table_the_distribution_goes_on_smoothly() {
        assert!((student(31) - 2.0395).abs() < 1e-3, "{}", student(31));
        assert!((student(1_000) - 1.9623).abs() < 1e-3);
    }
}
