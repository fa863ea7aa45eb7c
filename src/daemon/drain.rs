//! The drain: sessions are told and let go, a few at a time, until nobody is left or the deadline has come.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;

use crate::delivery::Registry;
use crate::lifecycle::{Drain, Lifecycle};

/// How long sessions are given to end, unless the order says otherwise.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often some sessions are told, and how many: a thousand a second, so that their return is spread.
const TURN: Duration = Duration::from_millis(10);
const AT_ONCE: usize = 10;
/// How long closing handshakes are waited for after the deadline.
const LAST: Duration = Duration::from_secs(1);

/// Waits for the order to drain and carries it out. Whether everybody had gone before the deadline.
pub(super) async fn drain(life: &Lifecycle, registry: &Arc<Registry>, sessions: &TaskTracker) -> bool {
    let mut orders = life.orders();
    let _ = orders.wait_for(Option::is_some).await;
    tracing::info!(sessions = registry.count(), "draining");
    tokio::select! {
        biased;
        () = let_go(life, registry, sessions) => true,
        () = deadline(orders) => {
            tracing::warn!(sessions = registry.count(), "the deadline has come before everybody had gone");
            life.close();
            let _ = tokio::time::timeout(LAST, sessions.wait()).await;
            false
        }
    }
}

async fn let_go(life: &Lifecycle, registry: &Registry, sessions: &TaskTracker) {
    sessions.close();
    if !life.is_ending() {
        let telling = async {
            tell(registry, false).await;
            pending::<()>().await;
        };
        tokio::select! {
            () = telling => {}
            () = life.emptied() => {}
            () = life.ending() => {}
        }
    }
    if life.is_ending() {
        tell(registry, true).await;
    }
    life.emptied().await;
    life.close();
    sessions.wait().await;
}

/// Tells everybody that the daemon goes, with the longest there first.
async fn tell(registry: &Registry, close: bool) {
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for peers in registry.peers().chunks(AT_ONCE) {
        turns.tick().await;
        for peer in peers {
            peer.mailbox.drain_peer(close);
        }
    }
}

/// Waits until the time that the last order gives is over.
async fn deadline(mut orders: watch::Receiver<Option<Drain>>) {
    loop {
        let order = *orders.borrow_and_update();
        let over = async {
            match order {
                Some(Drain::Close(deadline)) => tokio::time::sleep(deadline.unwrap_or(DEADLINE)).await,
                _ => pending().await,
            }
        };
        tokio::select! {
            () = over => return,
            changed = orders.changed() => if changed.is_err() { return },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::delivery::{Limits, Mailbox, Peer};
    use crate::model::{Caller, SessionId, Timestamp};

    fn peer(number: u64) -> Arc<Peer> {
        let caller = Caller::Operator { sub: "ops".into() };
        let mailbox = Arc::new(Mailbox::new(Limits { frames: 8, bytes: 1024 }));
        let session = SessionId(number.into());
        Arc::new(Peer { session, caller, mailbox, ip: None, since: Timestamp::ZERO, client: None })
    }

    #[tokio::test]
    async fn at_no_time_are_more_told_than_a_thousand_a_second() {
        const PEERS: usize = 200;
        let (registry, peers): (_, Vec<_>) = (Registry::default(), (0..PEERS as u64).map(peer).collect());
        for peer in &peers {
            registry.add(Arc::clone(peer));
        }
        let begun = Instant::now();

        let counting = async {
            loop {
                let told = peers.iter().filter(|peer| peer.mailbox.queued().frames > 0).count();
                let turns = begun.elapsed().as_millis() / TURN.as_millis() + 1;
                assert!(told as u128 <= turns * AT_ONCE as u128, "{told} in {turns} turns");
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = tell(&registry, true) => {}
            () = counting => {}
        }

        assert!(peers.iter().all(|peer| peer.mailbox.queued().frames == 1));
        assert!(begun.elapsed() >= TURN * (PEERS / AT_ONCE - 1) as u32);
    }
}
