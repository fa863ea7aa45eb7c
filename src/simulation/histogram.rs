//! A histogram of waits: steps that grow with the value, so that every percentile is right to 0.2 %.

/// Steps within one doubling.
const STEPS: usize = 256;
/// Bits of a step within a doubling.
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Times in microseconds, counted. Only doublings that occur take memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    count: u64,
    /// By doubling: below `STEPS` exactly, then 256 steps each.
    octaves: Vec<Option<Box<[u64; STEPS]>>>,
}

impl Histogram {
    /// Counts a time; what is negative counts as zero.
    pub fn add(&mut self, micros: i64) {
        let value = u64::try_from(micros).unwrap_or(0);
        let (octave, step) = place(value);
        if self.octaves.len() <= octave {
            self.octaves.resize(octave + 1, None);
        }
        self.octaves[octave].get_or_insert_with(|| Box::new([0; STEPS]))[step] += 1;
        self.count += 1;
    }

    /// Takes in what another has counted.
    pub fn merge(&mut self, other: &Self) {
        if self.octaves.len() < other.octaves.len() {
            self.octaves.resize(other.octaves.len(), None);
        }
        for (mine, theirs) in self.octaves.iter_mut().zip(&other.octaves) {
            let Some(theirs) = theirs else { continue };
            let mine = mine.get_or_insert_with(|| Box::new([0; STEPS]));
            mine.iter_mut().zip(theirs.iter()).for_each(|(mine, theirs)| *mine += theirs);
        }
        self.count += other.count;
    }

    /// How many have been counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The time that this share does not exceed, in microseconds; none without any.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (value, count) in self.steps() {
            seen += count;
            if seen >= rank {
                return Some(value);
            }
        }
        None
    }

    /// Every step that something fell into: its middle in microseconds, and how many, ascending.
    pub fn steps(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let octaves = self.octaves.iter().enumerate();
        let counted = octaves.filter_map(|(octave, steps)| steps.as_ref().map(|steps| (octave, steps)));
        counted.flat_map(|(octave, steps)| {
            let counted = steps.iter().enumerate().filter(|(_, count)| **count > 0);
            counted.map(move |(step, count)| (middle(octave, step), *count))
        })
    }
}

fn place(value: u64) -> (usize, usize) {
    let Some(doublings) = (u64::BITS - value.leading_zeros()).checked_sub(STEP_BITS + 1) else {
        return (0, value as usize);
    };
    let octave = doublings + 1;
    let step = (value >> doublings) as usize & (STEPS - 1);
    (octave as usize, step)
}

fn middle(octave: usize, step: usize) -> f64 {
    match octave.checked_sub(1) {
        None => step as f64,
        Some(doublings) => {
            let width = (1_u64 << doublings) as f64;
            (STEPS + step) as f64 * width + (width - 1.0) / 2.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_time_is_given_back_to_two_tenths_of_a_percent() {
        for value in [0, 1, 255, 256, 257, 511, 512, 1_000, 999_999, 1_000_000, 86_400_000_000, i64::MAX / 2] {
            let mut histogram = Histogram::default();
            histogram.add(value);

            let found = histogram.quantile(0.5).unwrap();

            assert!((found - value as f64).abs() <= 0.002 * value as f64, "{value} became {found}");
        }
    }

    #[test]
    fn quantiles_of_two_merged_are_those_of_all() {
        let (mut low, mut high, mut all) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 1..=1_000_i64 {
            if value <= 500 {
                low.add(value * 1_000)
            } else {
                high.add(value * 1_000)
            }
            all.add(value * 1_000);
        }

        low.merge(&high);

        assert_eq!(low, all);
        for (share, expected) in [(0.5, 500_000.0), (0.95, 950_000.0), (0.99, 990_000.0), (1.0, 1_000_000.0)] {
            let found = low.quantile(share).unwrap();
            assert!((found / expected - 1.0_f64).abs() < 0.002, "{share}: {found}");
        }
    }

    #[test]
    fn nothing_counted_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
