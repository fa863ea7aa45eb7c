//! The socket of a session: messages in, messages out, and how long a peer may take to read them. A peer that is silent
//! costs no buffer: bytes come in through one that all sessions of a thread share, and go out through another.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::frame::{self, Fault, Heard, Reader};
use super::{End, Settings};
use crate::delivery::Mailbox;

/// What is read at once.
const READ_BUFFER: usize = 16 * 1024;
/// A buffer for what goes out is kept for the next session up to this size.
const SPARE_MAX: usize = 256 * 1024;
/// How long a closing handshake is waited for, and the reader of whom the mailbox is too full.
const CLOSING: Duration = Duration::from_secs(2);
/// How long a peer may take to read, where no heartbeat says it.
const PATIENCE_MIN: Duration = Duration::from_secs(1);

thread_local! {
    static INPUT: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER].into());
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A socket, and what is about to be written to it.
pub(super) struct Wire<S> {
    io: S,
    reader: Reader,
    /// Nothing that comes is heard any more.
    deaf: bool,
    out: Vec<u8>,
    written: usize,
    patience: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A socket, of which some bytes have been read already.
    pub(super) fn new(io: S, early: &[u8], settings: &Settings) -> Self {
        let mut reader = Reader::new(settings.frame);
        reader.keep(early);
        let patience = settings.heartbeat.max(PATIENCE_MIN) * 2;
        Self { io, reader, deaf: false, out: Vec::new(), written: 0, patience }
    }

    /// The next message; nothing once the peer has gone. It may be given up while it waits. After a fault nothing is
    /// heard any more, until the peer goes.
    pub(super) async fn read(&mut self) -> Option<Result<Heard, Fault>> {
        poll_fn(|context| self.poll_read(context)).await
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Heard, Fault>>> {
        let mut heard = if self.deaf { Ok(None) } else { self.reader.next() };
        loop {
            match heard {
                Ok(None) => {}
                Ok(Some(heard)) => return Poll::Ready(Some(Ok(heard))),
                Err(fault) => {
                    self.deaf = true;
                    return Poll::Ready(Some(Err(fault)));
                }
            }
            let (io, reader, deaf) = (Pin::new(&mut self.io), &mut self.reader, self.deaf);
            let fed = INPUT.with_borrow_mut(|input| {
                let mut input = ReadBuf::new(input);
                match ready!(io.poll_read(context, &mut input)) {
                    Ok(()) if !input.filled().is_empty() => {
                        Poll::Ready(Some(if deaf { Ok(None) } else { reader.feed(input.filled_mut()) }))
                    }
                    _ => Poll::Ready(None),
                }
            });
            match ready!(fed) {
                Some(fed) => heard = fed,
                None => return Poll::Ready(None),
            }
        }
    }

    /// Adds a text to what is written next.
    pub(super) fn push(&mut self, text: &Utf8Bytes) {
        frame::write_text(self.begin(), text);
    }

    /// Adds a question whether the peer is there.
    pub(super) fn push_ping(&mut self) {
        frame::write_ping(self.begin());
    }

    /// Adds the answer to such a question.
    pub(super) fn push_pong(&mut self, bytes: &[u8]) {
        frame::write_pong(self.begin(), bytes);
    }

    fn begin(&mut self) -> &mut Vec<u8> {
        if self.out.capacity() == 0 {
            self.out = SPARE.take();
        }
        &mut self.out
    }

    /// Writes everything at once; false if the peer has gone, or is given up because it does not read: for two
    /// heartbeats, or while more comes for it than its mailbox holds.
    pub(super) async fn write(&mut self, mailbox: &Mailbox) -> bool {
        if self.out.is_empty() {
            return true;
        }
        let patience = self.patience;
        let writing = poll_fn(|context| self.poll_write(context));
        tokio::pin!(writing);
        tokio::select! {
            biased;
            written = &mut writing => written.is_ok(),
            () = mailbox.overflowed() => matches!(timeout(CLOSING, writing).await, Ok(Ok(()))),
            // Only made where it is waited for.
            () = async { tokio::time::sleep(patience).await } => false,
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            match ready!(Pin::new(&mut self.io).poll_write(context, &self.out[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        self.written = 0;
        let mut out = std::mem::take(&mut self.out);
        if out.capacity() > 0 && out.capacity() <= SPARE_MAX {
            out.clear();
            SPARE.set(out);
        }
        Pin::new(&mut self.io).poll_flush(context)
    }

    /// Says why it ends, and waits for the peer to say so too.
    pub(super) async fn close(&mut self, (code, reason): End, mailbox: &Mailbox) {
        frame::write_close(self.begin(), Some((code, reason)));
        if self.write(mailbox).await {
            let silence = async { while !matches!(self.read().await, None | Some(Ok(Heard::Close))) {} };
            let _ = timeout(CLOSING, silence).await;
        }
    }

    /// Answers the peer's own close.
    pub(super) async fn farewell(&mut self) {
        frame::write_close(self.begin(), None);
        let _ = timeout(CLOSING, poll_fn(|context| self.poll_write(context))).await;
    }
}
