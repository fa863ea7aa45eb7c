//! A mailbox: the frames that one session has still to write, bounded in frames and in bytes.
//! It knows no socket; its one reader is woken once, however many frames are pushed.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// What a slow reader may fall behind. 0 means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In frames.
    pub frames: usize,
    /// In bytes of text.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frames: 1024, bytes: 1 << 20 }
    }
}

/// Something to be written to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An event.
    Event(Utf8Bytes),
    /// The reply to one of its requests.
    Reply {
        /// Which of its open requests.
        slot: u32,
        /// The reply.
        text: Utf8Bytes,
    },
    /// The daemon goes.
    Drain {
        /// Whether the session ends, once what it has asked is answered; else it may stay as long as it likes.
        close: bool,
    },
    /// The end. Nothing comes after it.
    Close {
        /// The code of the close frame.
        code: u16,
        /// Its reason.
        reason: &'static str,
    },
}

/// How full a mailbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queued {
    /// Frames that have not been taken out.
    pub frames: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Frames that were dropped since they may be.
    pub dropped: u64,
}

/// The frames for one session.
#[derive(Debug)]
pub struct Mailbox {
    limits: Limits,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    frames: VecDeque<Entry>,
    bytes: usize,
    dropped: u64,
    closed: bool,
    overflowed: bool,
    reader: Option<Waker>,
}

#[derive(Debug)]
struct Entry {
    frame: Frame,
    droppable: bool,
}

const TOO_SLOW: Frame = Frame::Close { code: Mailbox::TOO_SLOW.0, reason: Mailbox::TOO_SLOW.1 };

impl Mailbox {
    /// The code, and the reason, with which one who reads too slowly is closed.
    pub const TOO_SLOW: (u16, &'static str) = (4408, "too slow a reader");

    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self { limits, inner: Mutex::default() }
    }

    /// Adds an event. A droppable one is left out where the mailbox is more than half full.
    pub fn push_event(&self, text: Utf8Bytes, droppable: bool) {
        self.push(Frame::Event(text), droppable);
    }

    /// Adds the reply to one of the peer's requests.
    pub fn push_reply(&self, slot: u32, text: Utf8Bytes) {
        self.push(Frame::Reply { slot, text }, false);
    }

    /// Puts a reply before everything else: the first frame of a session.
    pub fn push_first(&self, slot: u32, text: Utf8Bytes) {
        let mut inner = self.inner.lock();
        if inner.closed {
            return;
        }
        inner.bytes += text.len();
        inner.frames.push_front(Entry { frame: Frame::Reply { slot, text }, droppable: false });
        wake(inner);
    }

    /// Says that the daemon goes. What is still to be answered is answered.
    pub fn drain_peer(&self, close: bool) {
        let mut inner = self.inner.lock();
        if inner.closed {
            return;
        }
        inner.frames.push_back(Entry { frame: Frame::Drain { close }, droppable: false });
        wake(inner);
    }

    /// Ends it after what is in it. The first end counts.
    pub fn close(&self, code: u16, reason: &'static str) {
        let mut inner = self.inner.lock();
        if inner.closed {
            return;
        }
        inner.closed = true;
        inner.frames.push_back(Entry { frame: Frame::Close { code, reason }, droppable: false });
        wake(inner);
    }

    /// Waits until there is something to take out. There is one reader.
    pub async fn ready(&self) {
        self.until(|inner| !inner.frames.is_empty()).await;
    }

    /// Waits until more has come than it holds: what it held is lost, and its reader has to go.
    pub async fn overflowed(&self) {
        self.until(|inner| inner.overflowed).await;
    }

    /// Takes out all there is.
    pub fn drain(&self, into: &mut Vec<Frame>) {
        let mut inner = self.inner.lock();
        inner.bytes = 0;
        into.extend(inner.frames.drain(..).map(|entry| entry.frame));
        // An idle session keeps no room for the busiest moment it had.
        if inner.frames.capacity() > 64 {
            inner.frames = VecDeque::new();
        }
    }

    /// How full it is.
    pub fn queued(&self) -> Queued {
        let inner = self.inner.lock();
        Queued { frames: inner.frames.len(), bytes: inner.bytes, dropped: inner.dropped }
    }

    async fn until(&self, holds: impl Fn(&Inner) -> bool) {
        poll_fn(|context| {
            let mut inner = self.inner.lock();
            if holds(&inner) {
                return Poll::Ready(());
            }
            match &mut inner.reader {
                Some(reader) => reader.clone_from(context.waker()),
                reader => *reader = Some(context.waker().clone()),
            }
            Poll::Pending
        })
        .await;
    }

    fn push(&self, frame: Frame, droppable: bool) {
        let length = frame.length();
        let mut inner = self.inner.lock();
        if inner.closed {
            return;
        }
        if droppable && self.is_over(&inner, length, 2) {
            inner.dropped += 1;
            return;
        }
        if self.is_over(&inner, length, 1) {
            inner.drop_droppable();
        }
        if self.is_over(&inner, length, 1) {
            (inner.closed, inner.overflowed) = (true, true);
            inner.frames.clear();
            inner.bytes = 0;
            inner.frames.push_back(Entry { frame: TOO_SLOW, droppable: false });
        } else {
            inner.bytes += length;
            inner.frames.push_back(Entry { frame, droppable });
        }
        wake(inner);
    }

    /// Whether one more of this length is over the given part of the limits.
    fn is_over(&self, inner: &Inner, length: usize, part: usize) -> bool {
        let Limits { frames, bytes } = self.limits;
        (frames > 0 && (inner.frames.len() + 1) * part > frames) || (bytes > 0 && (inner.bytes + length) * part > bytes)
    }
}

impl Inner {
    fn drop_droppable(&mut self) {
        let before = self.frames.len();
        let mut freed = 0;
        self.frames.retain(|entry| {
            if entry.droppable {
                freed += entry.frame.length();
            }
            !entry.droppable
        });
        self.bytes -= freed;
        self.dropped += u64::try_from(before - self.frames.len()).unwrap_or(0);
    }
}

impl Frame {
    fn length(&self) -> usize {
        match self {
            Self::Event(text) | Self::Reply { text, .. } => text.len(),
            Self::Drain { .. } | Self::Close { .. } => 0,
        }
    }
}

fn wake(mut inner: parking_lot::MutexGuard<'_, Inner>) {
    let reader = inner.reader.take();
    drop(inner);
    if let Some(reader) = reader {
        reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn drained(mailbox: &Mailbox) -> Vec<Frame> {
        let mut frames = Vec::new();
        mailbox.drain(&mut frames);
        frames
    }

    #[test]
    fn frames_come_out_in_order_and_the_close_last() {
        let mailbox = Mailbox::new(Limits::default());

        mailbox.push_event("a".into(), false);
        mailbox.push_reply(7, "b".into());
        mailbox.close(4429, "too many");
        mailbox.push_event("c".into(), false);
        mailbox.close(1000, "again");

        let expected = [
            Frame::Event("a".into()),
            Frame::Reply { slot: 7, text: "b".into() },
            Frame::Close { code: 4429, reason: "too many" },
        ];
        assert_eq!(drained(&mailbox), expected);
    }

    #[test]
    fn a_reader_too_slow_in_frames_or_bytes_gets_nothing_but_the_close() {
        for limits in [Limits { frames: 2, bytes: 0 }, Limits { frames: 0, bytes: 5 }] {
            let mailbox = Mailbox::new(limits);

            for _ in 0..3 {
                mailbox.push_event("two".into(), false);
            }

            assert_eq!(drained(&mailbox), [TOO_SLOW]);
            assert_eq!(mailbox.queued().bytes, 0);
        }
    }

    #[test]
    fn what_may_be_dropped_is_dropped_first() {
        let mailbox = Mailbox::new(Limits { frames: 4, bytes: 0 });

        for text in ["d1", "d2", "d3"] {
            mailbox.push_event(text.into(), true);
        }
        for text in ["a", "b", "c"] {
            mailbox.push_event(text.into(), false);
        }

        assert_eq!(drained(&mailbox), ["a", "b", "c"].map(|text| Frame::Event(text.into())));
        assert_eq!(mailbox.queued().dropped, 3);
    }

    #[test]
    fn the_reader_is_woken_by_the_first_frame() {
        let mailbox = Mailbox::new(Limits::default());
        assert!(mailbox.ready().now_or_never().is_none());

        mailbox.push_event("a".into(), false);

        assert!(mailbox.ready().now_or_never().is_some());
    }
}
