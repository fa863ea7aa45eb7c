//! Taps: operators who listen to the events of a seller as they happen. One who does not keep up is let go.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Bytes;

use crate::metrics::Metrics;
use crate::model::SellerId;
use crate::protocol::{self, Class};
use crate::routing::Outgoing;

/// How many lines a reader may fall behind.
const LINES: usize = 1024;
/// How many taps there may be.
const TAPS: usize = 16;

/// Everybody who listens.
#[derive(Debug, Default)]
pub struct Taps {
    open: AtomicUsize,
    taps: Mutex<Vec<Tap>>,
}

#[derive(Debug)]
struct Tap {
    seller: SellerId,
    lines: mpsc::Sender<Bytes>,
}

impl Taps {
    /// Listens to a seller: each line is an event, as staff would get it. `None` if there are too many taps.
    pub fn open(&self, seller: SellerId) -> Option<mpsc::Receiver<Bytes>> {
        let (lines, receiver) = mpsc::channel(LINES);
        let mut taps = self.taps.lock();
        taps.retain(|tap| !tap.lines.is_closed());
        if taps.len() >= TAPS {
            return None;
        }
        taps.push(Tap { seller, lines });
        self.open.store(taps.len(), Ordering::Release);
        Some(receiver)
    }

    /// Tells those who listen what has happened. Where nobody listens it costs nothing.
    pub(super) fn hear(&self, outgoing: &[Outgoing], metrics: &Metrics) {
        if self.open.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut taps = self.taps.lock();
        for (at, outgoing_) in outgoing.iter().enumerate() {
            // What is told to several, each by itself, is one event.
            if outgoing[..at].iter().any(|before| before.notice == outgoing_.notice) {
                continue;
            }
            let mut line = None;
            taps.retain(|tap| {
                if tap.seller != outgoing_.seller {
                    return true;
                }
                let line: &Bytes = line.get_or_insert_with(|| {
                    let text = protocol::event(&outgoing_.notice, Class::Staff);
                    format!("{text}\n").into()
                });
                let told = tap.lines.try_send(line.clone());
                if matches!(told, Err(mpsc::error::TrySendError::Full(_))) {
                    metrics.taps_dropped.inc();
                }
                told.is_ok()
            });
        }
        self.open.store(taps.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConversationId, Timestamp};
    use crate::routing::Notice;

    fn outgoing(seller: &str) -> Outgoing {
        let notice = Notice::BuyerPresence { conversation: ConversationId(1), online: true, since: Timestamp::ZERO };
        Outgoing { to: Vec::new(), except: None, seller: seller.into(), notice, droppable: false }
    }

    #[test]
    fn a_tap_hears_its_seller_alone_and_every_event_once() {
        let (taps, metrics) = (Taps::default(), Metrics::default());
        let mut tea = taps.open("tea".into()).unwrap();

        taps.hear(&[outgoing("tea"), outgoing("books"), outgoing("tea")], &metrics);

        let line = tea.try_recv().unwrap();
        assert!(line.starts_with(b"{\"jsonrpc\"") && line.ends_with(b"}\n"), "{line:?}");
        assert!(tea.try_recv().is_err());
    }

    #[test]
    fn one_who_does_not_keep_up_is_let_go_and_so_is_one_who_has_gone() {
        let (taps, metrics) = (Taps::default(), Metrics::default());
        let mut slow = taps.open("tea".into()).unwrap();
        drop(taps.open("tea".into()).unwrap());

        for _ in 0..=LINES {
            taps.hear(&[outgoing("tea")], &metrics);
        }

        assert_eq!(taps.open.load(Ordering::Relaxed), 0);
        assert_eq!(metrics.taps_dropped.get(), 1);
        let lines = std::iter::from_fn(|| slow.try_recv().ok()).count();
        assert_eq!(lines, LINES);
        assert!(slow.is_closed() || slow.try_recv().is_err());
    }
}
