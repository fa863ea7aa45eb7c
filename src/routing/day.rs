//! The figures of a seller's day, by its calendar: what a lead sees of today, kept over restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;

use crate::model::EntryId;

/// The steps by which durations are told apart, in tenths of a second: up to the first number by the second. They are
/// such that people would round alike, and few: the whole day is one row of the store.
const STEPS: [(u32, u32); 5] =
    [(10 * 10, 1), (5 * 60 * 10, 10), (60 * 60 * 10, 100), (6 * 3600 * 10, 600), (LONGEST, 6_000)];
/// A day: whatever took longer is counted as this.
const LONGEST: u32 = 24 * 3600 * 10;

/// The figures of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Which day, by the seller's calendar; none if nothing was ever counted.
    pub date: Option<Date>,
    /// Conversations that began.
    pub started: u64,
    /// Those that somebody had for the first time.
    pub served: u64,
    /// Those that became left messages.
    pub left: u64,
    /// Those that closed.
    pub closed: u64,
    /// Those that were first answered.
    pub replied: u64,
    /// Those of them that were answered in time.
    pub replied_in_time: u64,
    /// How long they waited until somebody had them.
    pub waits: Spread,
    /// How long it took until they were answered.
    pub first_replies: Spread,
    /// By entry: how many began, and how many somebody had.
    pub entries: BTreeMap<EntryId, (u64, u64)>,
}

/// How many took how long, by steps that are fine enough for a median.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Tenths of a second and how many took so long, in order.
    counts: Vec<(u32, u32)>,
}

impl Spread {
    /// What was kept of one, in any order.
    pub fn from_counts(counts: Vec<(u32, u32)>) -> Self {
        let mut spread = Self::default();
        for (tenths, count) in counts {
            spread.count(tenths, count);
        }
        spread
    }

    /// What there is to keep: tenths of a second and how many took so long, in order.
    pub fn counts(&self) -> &[(u32, u32)] {
        &self.counts
    }

    /// One more took so long.
    pub(super) fn add(&mut self, duration: Duration) {
        let tenths = u32::try_from(duration.as_millis() / 100).unwrap_or(LONGEST).min(LONGEST);
        let step = STEPS.iter().find(|(below, _)| tenths < *below).map_or(1, |(_, step)| *step);
        self.count(tenths / step * step, 1);
    }

    fn count(&mut self, tenths: u32, count: u32) {
        match self.counts.binary_search_by_key(&tenths, |(tenths, _)| *tenths) {
            Ok(at) => self.counts[at].1 = self.counts[at].1.saturating_add(count),
            Err(at) => self.counts.insert(at, (tenths, count)),
        }
    }

    /// What half of them did not exceed; none of none.
    pub(super) fn median(&self) -> Option<Duration> {
        let half = self.counts.iter().map(|(_, count)| u64::from(*count)).sum::<u64>().checked_sub(1)? / 2;
        let mut seen = 0;
        let found = self.counts.iter().find(|(_, count)| {
            seen += u64::from(*count);
            seen > half
        });
        found.map(|(tenths, _)| Duration::from_millis(u64::from(*tenths) * 100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(millis: impl IntoIterator<Item = u64>) -> Spread {
        let mut spread = Spread::default();
        millis.into_iter().for_each(|millis| spread.add(Duration::from_millis(millis)));
        spread
    }

    #[test]
    fn the_median_is_that_of_the_middle_one() {
        let median = |millis: &[u64]| spread(millis.iter().copied()).median().map(|median| median.as_millis());

        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1_250]), Some(1_200));
        assert_eq!(median(&[9_900, 300, 700]), Some(700));
        assert_eq!(median(&[90_000_000_000, 86_400_000]), Some(86_400_000));
    }

    #[test]
    fn a_duration_loses_less_than_a_sixth_and_a_day_of_them_stays_small() {
        let mut all = Spread::default();
        for tenths in 0..=u64::from(LONGEST) {
            let duration = Duration::from_millis(tenths * 100);
            let kept = spread([tenths * 100]).median().unwrap();
            assert!(kept <= duration && duration.mul_f64(5.0 / 6.0) <= kept, "{duration:?} is {kept:?}");
            all.add(duration);
        }

        assert!(all.counts().len() < 1_200, "{} steps", all.counts().len());
    }
}
