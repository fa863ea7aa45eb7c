//! How fast a peer may ask: the generic cell rate algorithm, with time as an argument.

use std::time::Duration;

use tokio::time::Instant;

/// So many refusals in a row end a session.
const REFUSALS: u32 = 100;

/// The state of one peer.
pub(super) struct Rate {
    interval: Option<Duration>,
    tolerance: Duration,
    /// When the next request would be due at an even pace.
    due: Option<Instant>,
    refused: u32,
}

impl Rate {
    /// So many a second, and so many at once; 0: no limit.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = (per_second > 0).then(|| Duration::from_secs(1) / per_second);
        let tolerance = interval.unwrap_or_default() * burst.saturating_sub(1);
        Self { interval, tolerance, due: None, refused: 0 }
    }

    /// Whether a request may come now.
    ///
    /// # Errors
    /// How long it has to wait.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        let Some(interval) = self.interval else { return Ok(()) };
        let due = self.due.map_or(now, |due| due.max(now));
        let ahead = due.saturating_duration_since(now);
        if ahead > self.tolerance {
            self.refused += 1;
            return Err(ahead - self.tolerance);
        }
        self.due = Some(due + interval);
        self.refused = 0;
        Ok(())
    }

    /// Whether the peer has not understood.
    pub(super) fn is_hopeless(&self) -> bool {
        self.refused >= REFUSALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_pace_holds() {
        let start = Instant::now();
        let mut rate = Rate::new(10, 3);

        assert!((0..3).all(|_| rate.admit(start).is_ok()));
        assert_eq!(rate.admit(start), Err(Duration::from_millis(100)));
        assert!(rate.admit(start + Duration::from_millis(100)).is_ok());
    }

    #[test]
    fn one_who_never_waits_is_hopeless() {
        let start = Instant::now();
        let mut rate = Rate::new(1, 1);

        for _ in 0..=REFUSALS {
            let _ = rate.admit(start);
        }

        assert!(rate.is_hopeless());
    }
}
