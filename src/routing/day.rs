//! The figures of a seller's day, by its calendar: what a lead sees of today, kept over restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;

use crate::model::{EntryId, SellerId};

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

/// Something that is counted on a seller's day. A command writes these, not the whole day: what a day comes to is the
/// same for whoever counts them in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whose.
    pub seller: SellerId,
    /// On which day, by the seller's calendar.
    pub date: Date,
    /// What.
    pub what: Count,
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// A conversation began, by this entry.
    Started {
        /// Which.
        entry: EntryId,
    },
    /// Somebody had one for the first time.
    Served {
        /// The entry by which it began.
        entry: EntryId,
        /// How long it had waited.
        waited: Duration,
    },
    /// One became a left message.
    Left,
    /// One closed.
    Closed,
    /// One was first answered.
    Replied {
        /// How long that took.
        after: Duration,
        /// Whether it was in time.
        in_time: bool,
    },
}

impl Day {
    /// Counts on a day; it is another day than before if its date is.
    pub fn count(&mut self, date: Date, what: &Count) {
        if self.date != Some(date) {
            *self = Self { date: Some(date), ..Self::default() };
        }
        match what {
            Count::Started { entry } => {
                self.started += 1;
                self.by(entry).0 += 1;
            }
            Count::Served { entry, waited } => {
                self.served += 1;
                self.waits.add(*waited);
                self.by(entry).1 += 1;
            }
            Count::Left => self.left += 1,
            Count::Closed => self.closed += 1,
            Count::Replied { after, in_time } => {
                self.first_replies.add(*after);
                self.replied += 1;
                self.replied_in_time += u64::from(*in_time);
            }
        }
    }

    fn by(&mut self, entry: &EntryId) -> &mut (u64, u64) {
        self.entries.entry(entry.clone()).or_default()
    }
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
