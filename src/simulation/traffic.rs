//! The traffic that is tried: how long, which kinds of buyers, and how its agents work. It is read in `read`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::random::Law;
use crate::model::{AccountId, EntryId, SellerId};

/// One hour in microseconds.
pub const HOUR: i64 = 3_600_000_000;

/// How far something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// So many buyers.
    Arrivals(u64),
    /// So long, in microseconds.
    Time(i64),
}

/// How long is simulated, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Who and what is counted, behind the warm-up.
    pub counted: Extent,
    /// What is not counted yet.
    pub warm_up: Extent,
    /// How often from the start.
    pub replications: u32,
    /// Which chance.
    pub seed: u64,
    /// Within which a buyer should be served.
    pub sl_target: Duration,
}

impl Default for Span {
    fn default() -> Self {
        Self {
            counted: Extent::Arrivals(100_000),
            warm_up: Extent::Arrivals(0),
            replications: 1,
            seed: 1,
            sl_target: Duration::from_secs(20),
        }
    }
}

/// One kind of buyer.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Its name.
    pub id: Arc<str>,
    /// With whom.
    pub seller: SellerId,
    /// Where it comes in.
    pub entry: EntryId,
    /// What it wishes, sorted.
    pub context: Vec<(Arc<str>, Arc<str>)>,
    /// What its token would say, sorted.
    pub attributes: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// Arrivals an hour, by hour; begins again when over. One value: always so.
    pub profile: Vec<f64>,
    /// Whether it was given by hour.
    pub by_hour: bool,
    /// How long a conversation takes at speed 1.
    pub work: Law,
    /// How long it is willing to wait; none: for ever.
    pub patience: Option<Law>,
    /// The share that has been here before.
    pub returning: f64,
}

/// How agents work. What is not said of somebody: always there, at speed 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agents {
    /// When somebody is there, in microseconds from the start: sorted and apart.
    pub shifts: BTreeMap<AccountId, Vec<(i64, i64)>>,
    /// How fast somebody works.
    pub speed: BTreeMap<AccountId, f64>,
    /// Total working speed with 1, 2, 3… conversations at once; empty: each as fast as alone.
    pub slowdown: Arc<[f64]>,
}

/// What is tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// How long.
    pub span: Span,
    /// The buyers.
    pub streams: Vec<Stream>,
    /// The agents.
    pub agents: Agents,
}

impl Traffic {
    /// After how many hours the day begins again; none if every rate is constant.
    pub fn hours(&self) -> Option<usize> {
        self.streams.iter().filter(|stream| stream.by_hour).map(|stream| stream.profile.len()).max()
    }

    /// After how long the shifts begin again, in microseconds: with the profile, where none goes on beyond its end.
    pub fn shifts_repeat_after(&self) -> Option<i64> {
        let period = i64::try_from(self.hours()?).ok()?.checked_mul(HOUR)?;
        let last = self.agents.shifts.values().flatten().map(|(_, to)| *to).max()?;
        (last <= period).then_some(period)
    }

    /// About how many buyers will come, over all replications.
    pub fn expected_arrivals(&self) -> u64 {
        let mean = |profile: &[f64]| profile.iter().sum::<f64>() / profile.len().max(1) as f64;
        let per_hour: f64 = self.streams.iter().map(|stream| mean(&stream.profile)).sum();
        let arrivals = |extent: Extent| match extent {
            Extent::Arrivals(arrivals) => arrivals,
            Extent::Time(time) => (time as f64 / HOUR as f64 * per_hour) as u64,
        };
        let once = arrivals(self.span.counted).saturating_add(arrivals(self.span.warm_up));
        once.saturating_mul(u64::from(self.span.replications))
    }
}
