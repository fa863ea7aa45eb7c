//! The socket of a session: frames in, frames out, and how long a peer may take to read them.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{End, Settings};
use crate::delivery::Mailbox;

const READ_BUFFER: usize = 4096;
const WRITE_BUFFER: usize = 16 * 1024;
/// How long a closing handshake is waited for, and the reader of whom the mailbox is too full.
const CLOSING: Duration = Duration::from_secs(2);
/// How long a peer may take to read, where no heartbeat says it.
const PATIENCE_MIN: Duration = Duration::from_secs(1);

/// A socket, and what is about to be written to it.
pub(super) struct Wire<S> {
    socket: WebSocketStream<S>,
    out: Vec<Message>,
    patience: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) async fn new(io: S, settings: &Settings) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(
                settings.mailbox.bytes.max(settings.frame).saturating_add(WRITE_BUFFER).saturating_mul(2),
            )
            .max_message_size(Some(settings.frame))
            .max_frame_size(Some(settings.frame));
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        Self { socket, out: Vec::new(), patience: settings.heartbeat.max(PATIENCE_MIN) * 2 }
    }

    /// The next frame; nothing once the peer has gone.
    pub(super) async fn read(&mut self) -> Option<Result<Message, Error>> {
        self.socket.next().await
    }

    /// Adds a frame to what is written next.
    pub(super) fn push(&mut self, message: Message) {
        self.out.push(message);
    }

    /// Feeds every frame and flushes once; false if the peer has gone, or is given up because it does not read: for
    /// two heartbeats, or while more comes for it than its mailbox holds.
    pub(super) async fn write(&mut self, mailbox: &Mailbox) -> bool {
        if self.out.is_empty() {
            return true;
        }
        let (socket, out) = (&mut self.socket, &mut self.out);
        let writing = async {
            for message in out.drain(..) {
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        tokio::pin!(writing);
        tokio::select! {
            biased;
            written = &mut writing => written.is_ok(),
            () = mailbox.overflowed() => matches!(timeout(CLOSING, writing).await, Ok(Ok(()))),
            () = tokio::time::sleep(self.patience) => false,
        }
    }

    /// Says why it ends, and waits for the peer to say so too.
    pub(super) async fn close(mut self, (code, reason): End, mailbox: &Mailbox) {
        self.push(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })));
        if self.write(mailbox).await {
            let silence = async { while self.read().await.is_some_and(|frame| frame.is_ok()) {} };
            let _ = timeout(CLOSING, silence).await;
        }
    }

    /// Lets out what the library has to answer by itself, such as the peer's own close.
    pub(super) async fn farewell(mut self) {
        let _ = timeout(CLOSING, self.socket.flush()).await;
    }
}
