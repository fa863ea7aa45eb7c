//! Chance: draws that are found by their number, so that whoever asks for the same one gets the same.
//! Two configurations see the same buyers, and every machine the same ones: no state, and no mathematics of the platform.

/// What a draw is for: every purpose has draws of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// How long until the next buyer comes.
    Arrival = 1,
    /// How much work a conversation is.
    Work,
    /// How long a buyer is willing to wait.
    Patience,
    /// Whether the buyer has been here before.
    Returning,
    /// Whom the buyer met then.
    Recent,
}

/// The draws of one purpose: SplitMix64, looked up by index.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    key: u64,
}

/// Bits of a fraction.
const FRACTION: u32 = 53;
/// The step of the sequence: 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Draws {
    /// Those of a stream of buyers, in one replication of a seed.
    pub fn new(seed: u64, replication: u64, stream: u64, purpose: Purpose) -> Self {
        let key = [replication, stream, purpose as u64].into_iter().fold(mix(seed), |key, part| {
            let shifted = key.wrapping_add(part.wrapping_add(1).wrapping_mul(STEP));
            mix(shifted)
        });
        Self { key }
    }

    /// Evenly from more than 0 to 1.
    pub fn unit(&self, index: u64) -> f64 {
        self.part(index, 0)
    }

    /// Exponential with mean 1.
    pub fn exponential(&self, index: u64) -> f64 {
        -libm::log(self.unit(index))
    }

    /// Normal with mean 0 and standard deviation 1, by Box and Muller.
    pub fn normal(&self, index: u64) -> f64 {
        let radius = (-2.0 * libm::log(self.part(index, 0))).sqrt();
        radius * libm::cos(2.0 * std::f64::consts::PI * self.part(index, 1))
    }

    fn part(&self, index: u64, part: u64) -> f64 {
        let at = index.wrapping_mul(2).wrapping_add(part).wrapping_add(1);
        let bits = mix(self.key.wrapping_add(at.wrapping_mul(STEP)));
        let steps = (bits >> (u64::BITS - FRACTION)) + 1;
        steps as f64 / (1_u64 << FRACTION) as f64
    }
}

fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// How long something takes, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// As if it could end at any moment, with this mean.
    Exponential {
        /// The mean.
        mean: f64,
    },
    /// Most are short, some are long.
    Lognormal {
        /// The mean of the time itself.
        mean: f64,
        /// Its standard deviation, as a multiple of the mean.
        cv: f64,
    },
    /// Always the same.
    Fixed {
        /// It.
        mean: f64,
    },
}

impl Law {
    /// The mean, in microseconds.
    pub fn mean(self) -> f64 {
        match self {
            Self::Exponential { mean } | Self::Lognormal { mean, .. } | Self::Fixed { mean } => mean,
        }
    }

    /// The draw of this number, in microseconds.
    pub fn draw(self, draws: &Draws, index: u64) -> f64 {
        match self {
            Self::Exponential { mean } => mean * draws.exponential(index),
            Self::Lognormal { mean, cv } => {
                let variance = libm::log(1.0 + cv * cv);
                mean * libm::exp(variance.sqrt() * draws.normal(index) - variance / 2.0)
            }
            Self::Fixed { mean } => mean,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: u64 = 200_000;

    fn moments(law: Law) -> (f64, f64) {
        let draws = Draws::new(7, 0, 0, Purpose::Work);
        let values: Vec<f64> = (0..COUNT).map(|index| law.draw(&draws, index)).collect();
        let mean = values.iter().sum::<f64>() / COUNT as f64;
        let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / COUNT as f64;
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn mean_and_variation_are_those_of_the_time_itself() {
        for (law, cv) in [
            (Law::Exponential { mean: 5e6 }, 1.0),
            (Law::Lognormal { mean: 5e6, cv: 0.5 }, 0.5),
            (Law::Lognormal { mean: 5e6, cv: 1.5 }, 1.5),
            (Law::Fixed { mean: 5e6 }, 0.0),
        ] {
            let (mean, found) = moments(law);

            assert!((mean / 5e6 - 1.0).abs() < 0.012, "{law:?} has mean {mean}");
            assert!((found - cv).abs() < 0.03, "{law:?} has variation {found}");
        }
    }

    #[test]
    fn draws_are_the_same_on_every_machine() {
        let draws = Draws::new(1, 0, 0, Purpose::Arrival);

        let drawn = [draws.unit(0), draws.exponential(1), draws.normal(2)].map(f64::to_bits);

        assert_eq!(drawn, [4_582_508_476_608_334_336, 4_600_284_426_782_216_359, 13_828_185_627_961_708_070]);
    }

    #[test]
    fn purposes_streams_replications_and_seeds_have_draws_of_their_own() {
        let all = [
            Draws::new(1, 0, 0, Purpose::Arrival),
            Draws::new(1, 0, 0, Purpose::Work),
            Draws::new(1, 0, 1, Purpose::Arrival),
            Draws::new(1, 1, 0, Purpose::Arrival),
            Draws::new(2, 0, 0, Purpose::Arrival),
        ];

        let mut firsts: Vec<u64> = all.iter().map(|draws| draws.unit(0).to_bits()).collect();
        firsts.sort_unstable();
        firsts.dedup();

        assert_eq!(firsts.len(), all.len());
    }
}
