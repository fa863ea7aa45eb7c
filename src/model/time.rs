//! Times and statuses. No clock is read here.

use std::fmt;
use std::num::NonZero;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

/// A point in time, in microseconds since 1970 UTC.
///
/// It serialises as RFC 3339 with milliseconds; [`Timestamp::micros`] is what is stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    // The microseconds, moved up so that their order is kept and the least of all is left out: a conversation has many
    // times that may be missing, and none of them takes more room for that.
    NonZero<u64>,
);

/// What separates microseconds from what is kept of them.
const MOVED: u64 = 1 << 63;

impl Timestamp {
    /// The first moment of 1970; earlier than anything that happens here.
    pub const ZERO: Self = Self::from_micros(0);
    /// Later than anything that happens here.
    pub const MAX: Self = Self::from_micros(i64::MAX);

    /// From microseconds since 1970 UTC.
    pub const fn from_micros(micros: i64) -> Self {
        match NonZero::new(micros.cast_unsigned() ^ MOVED) {
            Some(kept) => Self(kept),
            None => Self(NonZero::<u64>::MIN),
        }
    }

    /// Microseconds since 1970 UTC.
    pub const fn micros(self) -> i64 {
        (self.0.get() ^ MOVED).cast_signed()
    }

    /// How long it is since `earlier`; zero if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.micros().saturating_sub(earlier.micros())).unwrap_or(0))
    }

    /// The same point for the calendar.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.micros()).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.micros()).finish()
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self::from_micros(self.micros().saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self::from_micros(self.micros().saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What an agent says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Takes new conversations.
    Online,
    /// Keeps its conversations and gets no new ones.
    Away,
    /// Not there.
    Offline,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_rfc_3339_with_milliseconds() {
        assert_eq!(Timestamp::from_micros(1_700_000_000_123_999).to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(Timestamp::from_micros(1_700_000_000_000_000).to_string(), "2023-11-14T22:13:20.000Z");
    }

    #[test]
    fn times_are_what_they_were_made_of_and_in_their_order() {
        let micros = [i64::MIN + 1, -1, 0, 1, 1_800_000_000_000_000, i64::MAX];

        for (at, one) in micros.iter().enumerate() {
            assert_eq!(Timestamp::from_micros(*one).micros(), *one);
            for other in &micros[at + 1..] {
                assert!(Timestamp::from_micros(*one) < Timestamp::from_micros(*other));
            }
        }
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MIN + 1));
        assert_eq!(Timestamp::default(), Timestamp::ZERO);
        assert_eq!(size_of::<Option<Timestamp>>(), size_of::<Timestamp>());
    }
}
