//! Taps: operators who listen to the events of a seller as they happen. One who does not keep up is let go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Bytes;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

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
    readers: TaskTracker,
}

#[derive(Debug)]
struct Tap {
    seller: SellerId,
    lines: mpsc::Sender<Bytes>,
}

/// What one who listens hears, line by line, until it is let go.
#[derive(Debug)]
pub struct Lines {
    lines: mpsc::Receiver<Bytes>,
    _reader: TaskTrackerToken,
}

impl Lines {
    /// The next line; nothing once it is let go.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.lines.poll_recv(context)
    }
}

impl Taps {
    /// Lets everybody go, with a last line, and waits until they have it.
    pub async fn end(&self, last: &str) {
        let last = Bytes::from(format!("{last}\n"));
        for tap in std::mem::take(&mut *self.taps.lock()) {
            // One who is too far behind for it is let go without.
            let _ = tap.lines.try_send(last.clone());
        }
        self.open.store(0, Ordering::Release);
        self.readers.close();
        self.readers.wait().await;
    }

    /// Listens to a seller: each line is an event, as staff would get it. `None` if there are too many taps, or no more.
    pub fn open(&self, seller: SellerId) -> Option<Lines> {
        let (lines, receiver) = mpsc::channel(LINES);
        let mut taps = self.taps.lock();
        taps.retain(|tap| !tap.lines.is_closed());
        if taps.len() >= TAPS || self.readers.is_closed() {
            return None;
        }
        taps.push(Tap { seller, lines });
        self.open.store(taps.len(), Ordering::Release);
        Some(Lines { lines: receiver, _reader: self.readers.token() })
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

        let line = tea.lines.try_recv().unwrap();
        assert!(line.starts_with(b"{\"jsonrpc\"") && line.ends_with(b"}\n"), "{line:?}");
        assert!(tea.lines.try_recv().is_err());
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
        let lines = std::iter::from_fn(|| slow.lines.try_recv().ok()).count();
        assert_eq!(lines, LINES);
        assert!(slow.lines.is_closed() || slow.lines.try_recv().is_err());
    }

    #[tokio::test]
    async fn at_the_end_everybody_hears_so_and_nobody_comes_in_any_more() {
        let taps = Taps::default();
        let tea = taps.open("tea".into()).unwrap();

        let reading = async move {
            let mut tea = tea;
            (tea.lines.recv().await, tea.lines.recv().await)
        };
        let ((last, after), ()) = tokio::join!(reading, taps.end("that was all"));

        assert_eq!((last.as_deref(), after), (Some(&b"that was all\n"[..]), None));
        assert!(taps.open("tea".into()).is_none());
    }
}
