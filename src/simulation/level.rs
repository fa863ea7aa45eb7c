//! What holds at a moment and is averaged over time: who waits, which slots are taken, how even the load is.

use super::part::Part;

/// How many conversations agents hold, kept so that its spread is always at hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many agents hold so many.
    holding: Vec<u32>,
    agents: u64,
    sum: u64,
    squares: u64,
}

impl Spread {
    /// Somebody who holds so many is there.
    pub fn enter(&mut self, held: u32) {
        let at = held as usize;
        if self.holding.len() <= at {
            self.holding.resize(at + 1, 0);
        }
        self.holding[at] += 1;
        self.agents += 1;
        self.sum += u64::from(held);
        self.squares += u64::from(held) * u64::from(held);
    }

    /// Somebody who holds so many is no longer there.
    pub fn leave(&mut self, held: u32) {
        if let Some(holding) = self.holding.get_mut(held as usize) {
            *holding -= 1;
            self.agents -= 1;
            self.sum -= u64::from(held);
            self.squares -= u64::from(held) * u64::from(held);
        }
    }

    /// Jain's index of fairness, while anything is held.
    fn jain(&self) -> Option<f64> {
        (self.sum > 0).then(|| (self.sum as f64) * (self.sum as f64) / (self.agents as f64 * self.squares as f64))
    }

    fn range(&self) -> f64 {
        let least = self.holding.iter().position(|agents| *agents > 0);
        let most = self.holding.iter().rposition(|agents| *agents > 0);
        least.zip(most).map_or(0.0, |(least, most)| (most - least) as f64)
    }

    fn deviation(&self) -> f64 {
        let agents = self.agents as f64;
        let mean = self.sum as f64 / agents;
        (self.squares as f64 / agents - mean * mean).max(0.0).sqrt()
    }
}

/// A level of one stream, group or of all.
#[derive(Clone, Debug, Default)]
pub struct Level {
    /// Since when it has been as it is, in microseconds.
    since: i64,
    /// How many wait.
    pub queue: u32,
    /// How many slots are taken, by conversations and by what comes after them.
    pub busy: u32,
    /// How many slots there are.
    pub slots: u32,
    /// What the agents hold; of a stream nothing.
    pub spread: Option<Spread>,
}

impl Level {
    /// Adds what has held since the last time to parts.
    pub fn flush<'p>(&mut self, now: i64, into: impl IntoIterator<Item = &'p mut Part>) {
        let time = (now - self.since) as f64;
        self.since = now;
        if time > 0.0 {
            into.into_iter().for_each(|part| self.add(time, part));
        }
    }

    fn add(&self, time: f64, into: &mut Part) {
        into.time += time;
        into.queue_area += f64::from(self.queue) * time;
        into.queue_max = into.queue_max.max(self.queue);
        into.busy_area += f64::from(self.busy) * time;
        into.slot_area += f64::from(self.slots) * time;
        let Some(spread) = self.spread.as_ref().filter(|spread| spread.agents > 0) else { return };
        into.staffed_time += time;
        into.range_area += spread.range() * time;
        into.deviation_area += spread.deviation() * time;
        if let Some(jain) = spread.jain() {
            into.jain_area += jain * time;
            into.jain_time += time;
        }
    }

    /// One that also looks at what agents hold.
    pub fn with_spread() -> Self {
        Self { spread: Some(Spread::default()), ..Self::default() }
    }

    /// Begins to be looked at now.
    pub fn begin(&mut self, now: i64) {
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_values_times_the_time_for_which_they_held() {
        let mut level = Level { spread: Some(Spread::default()), slots: 4, ..Level::default() };
        let spread = level.spread.as_mut().unwrap();
        spread.enter(3);
        spread.enter(1);
        (level.queue, level.busy) = (2, 4);
        let mut part = Part::default();

        level.begin(10);
        level.flush(30, [&mut part]);

        assert_eq!((part.time, part.queue_area, part.busy_area, part.slot_area), (20.0, 40.0, 80.0, 80.0));
        assert_eq!((part.range_area, part.deviation_area, part.queue_max), (40.0, 20.0, 2));
        assert!((part.jain_area / part.jain_time - 16.0 / 20.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_open_has_no_index_of_fairness() {
        let mut level = Level { spread: Some(Spread::default()), ..Level::default() };
        level.spread.as_mut().unwrap().enter(0);
        let mut part = Part::default();

        level.flush(5, [&mut part]);

        assert_eq!((part.jain_time, part.staffed_time), (0.0, 5.0));
    }
}
