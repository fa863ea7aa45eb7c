//! The times at which orders are due: straight lines of rate over the stages. It reads no clock.

use std::time::Duration;

use super::scenario::Stage;

/// The times of all orders, one after the other.
pub(super) struct Pace<'a> {
    stages: &'a [Stage],
    stage: usize,
    begins: f64,
    from: f64,
    /// How many orders of this stage have been given out, with the fraction that the stage before left over.
    given: f64,
}

impl<'a> Pace<'a> {
    pub(super) fn new(stages: &'a [Stage]) -> Self {
        let from = stages.first().and_then(|stage| stage.from).unwrap_or(0.0);
        Self { stages, stage: 0, begins: 0.0, from, given: 0.0 }
    }
}

impl Iterator for Pace<'_> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            let stage = self.stages.get(self.stage)?;
            let lasts = stage.lasts.as_secs_f64();
            let slope = (stage.rate - self.from) / lasts;
            let in_all = f64::midpoint(self.from, stage.rate) * lasts;
            if self.given + 1.0 <= in_all {
                self.given += 1.0;
                return Some(Duration::from_secs_f64(self.begins + time_of(self.given, self.from, slope).min(lasts)));
            }
            // What is left of an order is done in the next stage.
            self.given -= in_all;
            self.begins += lasts;
            self.from = stage.rate;
            self.stage += 1;
            if let Some(from) = self.stages.get(self.stage).and_then(|stage| stage.from) {
                self.from = from;
            }
        }
    }
}

/// When so many orders are due at a rate that begins with `from` and changes by `slope` a second.
fn time_of(count: f64, from: f64, slope: f64) -> f64 {
    if slope.abs() < 1e-9 {
        return count / from;
    }
    let root = (from * from + 2.0 * slope * count).max(0.0).sqrt();
    (root - from) / slope
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(seconds: u64, rate: f64, from: Option<f64>) -> Stage {
        Stage { name: String::new(), lasts: Duration::from_secs(seconds), rate, from }
    }

    #[test]
    fn a_steady_stage_has_even_gaps() {
        let stages = [stage(2, 10.0, Some(10.0))];

        let times: Vec<_> = Pace::new(&stages).collect();

        assert_eq!(times.len(), 20);
        assert_eq!(times[0], Duration::from_millis(100));
        assert_eq!(times[19], Duration::from_secs(2));
    }

    #[test]
    fn a_ramp_gives_half_of_its_end_rate_on_average() {
        let stages = [stage(10, 100.0, None), stage(10, 100.0, None), stage(10, 0.0, None)];

        let times: Vec<_> = Pace::new(&stages).collect();

        assert!((1999..=2000).contains(&times.len()), "{}", times.len());
        assert!(times.is_sorted());
        let early = times.iter().filter(|at| **at < Duration::from_secs(5)).count();
        assert!((124..=126).contains(&early), "{early}");
    }

    #[test]
    fn a_stage_without_rate_gives_nothing() {
        assert_eq!(Pace::new(&[stage(5, 0.0, None)]).count(), 0);
    }
}
