//! The keeper of time: lets what is due act. A domain in which that breaks off is built anew from what is written, by the
//! slot that was held, and is left alone for a while that grows: the others go on meanwhile.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::Notify;

use crate::directory::DomainId;
use crate::session::Site;

/// How long the keeper of time sleeps where nothing is due.
const NAP: Duration = Duration::from_secs(30);
/// How long a domain is left alone after its first fault, and at most.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The domains in which something has broken off.
#[derive(Debug, Default)]
struct Paused {
    domains: BTreeMap<DomainId, Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    /// Faults in a row.
    faults: u32,
    until: Instant,
}

impl Paused {
    fn holds(&self, domain: DomainId, now: Instant) -> bool {
        self.domains.get(&domain).is_some_and(|pause| now < pause.until)
    }

    /// When the first of those that are left alone now is tried again.
    fn next(&self, now: Instant) -> Option<Duration> {
        self.domains.values().filter(|pause| now < pause.until).map(|pause| pause.until - now).min()
    }

    /// Lets what is due in a domain act.
    async fn attempt(&mut self, domain: DomainId, now: Instant, act: impl Future<Output = ()>) {
        if AssertUnwindSafe(act).catch_unwind().await.is_ok() {
            self.domains.remove(&domain);
            return;
        }
        let pause = self.domains.entry(domain).or_insert(Pause { faults: 0, until: now });
        let span = PAUSE.saturating_mul(1 << pause.faults.min(16)).min(PAUSE_MAX);
        pause.faults = pause.faults.saturating_add(1);
        pause.until = now + span;
        let (faults, seconds) = (pause.faults, span.as_secs_f64());
        tracing::error!(
            domain = domain.0,
            faults,
            retry_in_s = seconds,
            "what was due has broken off; the others go on"
        );
    }

    /// Forgets faults of long ago, and with them domains that a reload took apart.
    fn forget(&mut self, now: Instant) {
        self.domains.retain(|_, pause| now < pause.until + PAUSE_MAX);
    }
}

/// Lets what is due act: one task that sleeps until the head of all deadlines. While sessions are being closed nothing
/// is due any more: nobody's conversation moves.
pub async fn keep_time(site: Arc<Site>, wake: Arc<Notify>) {
    let dispatch = &site.dispatch;
    let mut paused = Paused::default();
    loop {
        paused.forget(Instant::now());
        for domain in dispatch.table.due(dispatch.clock.now()) {
            let now = Instant::now();
            if !paused.holds(domain, now) {
                paused.attempt(domain, now, dispatch.go_on(domain)).await;
            }
        }
        // What is due stays so while nothing can be written.
        tokio::select! {
            () = dispatch.writer.well() => {}
            () = site.lifecycle.ending() => return,
        }
        let next = dispatch.table.next_deadline();
        let mut until = next.map_or(NAP, |next| next.since(dispatch.clock.now()).max(Duration::from_millis(1)));
        // What is left alone stays due, and may be the head: the others are looked at as often as its first pause is long.
        if let Some(retry) = paused.next(Instant::now()) {
            until = until.max(PAUSE).min(retry.max(PAUSE));
        }
        tokio::select! {
            () = tokio::time::sleep(until) => {}
            () = wake.notified() => {}
            () = site.lifecycle.ending() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: DomainId = DomainId(1);
    const SOUND: DomainId = DomainId(2);

    #[tokio::test]
    async fn a_domain_that_always_breaks_off_is_tried_less_and_less_often_and_holds_nobody_up() {
        let mut paused = Paused::default();
        let (mut tried, mut went) = (0, 0);
        let begin = Instant::now();

        for tenth in 0..36_000 {
            let now = begin + PAUSE * tenth;
            for domain in [ODD, SOUND].into_iter().filter(|domain| !paused.holds(*domain, now)).collect::<Vec<_>>() {
                tried += u32::from(domain == ODD);
                went += u32::from(domain == SOUND);
                paused.attempt(domain, now, async { assert_eq!(domain, SOUND, "a fault of the test") }).await;
            }
            paused.forget(now);
        }

        assert_eq!(went, 36_000);
        assert!((60..75).contains(&tried), "{tried} times in an hour");
    }

    #[tokio::test]
    async fn a_domain_that_goes_well_again_or_is_not_heard_of_begins_anew() {
        let mut paused = Paused::default();
        let now = Instant::now();
        for _ in 0..5 {
            paused.attempt(ODD, now, async { panic!("a fault of the test") }).await;
        }
        assert!(paused.holds(ODD, now) && !paused.holds(SOUND, now));
        assert_eq!(paused.next(now), Some(PAUSE * 16));

        paused.attempt(ODD, now, async {}).await;
        assert!(!paused.holds(ODD, now));
        paused.attempt(ODD, now, async { panic!("a fault of the test") }).await;
        assert_eq!(paused.next(now), Some(PAUSE));
        paused.forget(now + PAUSE + PAUSE_MAX);

        assert!(paused.domains.is_empty());
    }
}
