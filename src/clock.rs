//! The only reader of a clock, and the giver of ids that are ordered by time.
//! It decides nothing: whoever acts is handed the time.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::{ConversationId, SessionId, Timestamp};

/// Bits of an id that count within a millisecond.
const SEQUENCE_BITS: u32 = 12;
/// Where a millisecond's count may begin, so that half of it is left to count.
const SEQUENCE_START: u64 = (1 << (SEQUENCE_BITS - 1)) - 1;

/// A clock that never goes back, not even over a restart.
#[derive(Debug)]
pub struct Clock {
    last: AtomicI64,
    /// The latest id's milliseconds and count in one number. Invariant: it only grows.
    issued: AtomicU64,
    /// A keyed hash, seeded from the system's random source: the stream of random bits of this process.
    random: RandomState,
    drawn: AtomicU64,
}

impl Clock {
    /// A clock that is never earlier than `last`, the time of the last record.
    pub fn new(last: Timestamp) -> Self {
        let drawn = getrandom::u64().unwrap_or_default();
        Self {
            last: AtomicI64::new(last.micros()),
            issued: AtomicU64::new(0),
            random: RandomState::new(),
            drawn: AtomicU64::new(drawn),
        }
    }

    /// What time it is: the wall's, or the last one given if that is later.
    pub fn now(&self) -> Timestamp {
        self.at_least(wall())
    }

    /// A new conversation's id, later in order than all given before.
    pub fn conversation_id(&self, now: Timestamp) -> ConversationId {
        ConversationId(self.id(now))
    }

    /// A new session's id, later in order than all given before.
    pub fn session_id(&self) -> SessionId {
        SessionId(self.id(self.now()))
    }

    fn at_least(&self, wall: i64) -> Timestamp {
        Timestamp::from_micros(self.last.fetch_max(wall, Ordering::AcqRel).max(wall))
    }

    fn id(&self, now: Timestamp) -> u128 {
        let random = self.draw();
        let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
        let fresh = (millis << SEQUENCE_BITS) | (self.draw() & SEQUENCE_START);
        let next = |issued: u64| fresh.max(issued.saturating_add(1));
        let issued = self.issued.fetch_update(Ordering::AcqRel, Ordering::Acquire, |issued| Some(next(issued)));
        let issued = issued.map_or(fresh, next);
        let (millis, count) = (issued >> SEQUENCE_BITS, issued & ((1 << SEQUENCE_BITS) - 1));
        let head = (u128::from(millis) << 80) | (0x7 << 76) | (u128::from(count) << 64);
        head | (0b10 << 62) | u128::from(random >> 2)
    }

    fn draw(&self) -> u64 {
        self.random.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed))
    }
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_123_456);

    #[test]
    fn time_does_not_go_back_when_the_wall_does() {
        let clock = Clock::new(NOW);

        assert_eq!(clock.at_least(NOW.micros() - 1), NOW);
        assert_eq!(clock.at_least(NOW.micros() + 5).micros(), NOW.micros() + 5);
        assert_eq!(clock.at_least(NOW.micros() + 1).micros(), NOW.micros() + 5);
        assert!(clock.now().micros() > NOW.micros());
    }

    #[test]
    fn time_after_a_restart_is_not_before_the_last_record() {
        let ahead = Timestamp::from_micros(i64::MAX / 2);

        assert_eq!(Clock::new(ahead).now(), ahead);
    }

    #[test]
    fn ids_are_version_7_and_carry_the_time() {
        let id = uuid::Uuid::from_u128(Clock::new(Timestamp::ZERO).conversation_id(NOW).0);

        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_700_000_000, 123_000_000));
    }

    #[test]
    fn ids_grow_within_a_millisecond_and_beyond_its_count() {
        let clock = Clock::new(Timestamp::ZERO);

        let ids: Vec<_> = (0..20_000).map(|_| clock.conversation_id(NOW)).collect();

        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(clock.session_id().0 > ids[19_999].0);
    }

    #[test]
    fn ids_of_many_threads_are_all_different() {
        let clock = Clock::new(Timestamp::ZERO);

        let ids: Vec<u128> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..5_000).map(|_| clock.session_id().0).collect::<Vec<_>>())).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });

        let count = ids.len();
        let different: std::collections::BTreeSet<_> = ids.into_iter().collect();
        assert_eq!(different.len(), count);
    }
}
