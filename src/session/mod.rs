//! One peer: its session from the upgrade to the end, as one task over its socket, its mailbox and its timers.

mod frames;
mod open;
mod rate;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use crate::auth::{Identity, Keys};
use crate::delivery::{self, Frame, Mailbox, Peer};
use crate::dispatch::Dispatch;
use crate::lifecycle::{Lifecycle, Stay};
use crate::model::{SessionId, Timestamp};
use crate::protocol::{self, ServerLimits};
use crate::routing::Profile;

use frames::Slots;
use rate::Rate;

const READ_BUFFER: usize = 4096;
const WRITE_BUFFER: usize = 16 * 1024;
/// How long before its end a token is said to expire.
const EXPIRING: Duration = Duration::from_secs(60);
/// How often a session looks at its clock.
const LOOK: Duration = Duration::from_secs(1);
/// How soon after a drain clients should come back, at the earliest.
const RECONNECT_AFTER: Duration = Duration::from_millis(1000);
/// How long a closing handshake is waited for.
const CLOSING: Duration = Duration::from_secs(2);

/// What holds for every session.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What its frames may not exceed.
    pub protocol: protocol::Limits,
    /// Bytes of a frame.
    pub frame: usize,
    /// Requests open at once.
    pub in_flight: usize,
    /// Requests a second; 0: no limit.
    pub requests_per_second: u32,
    /// How many may come at once.
    pub burst: u32,
    /// How long a peer may take to say who it is.
    pub open_timeout: Duration,
    /// How often it is asked whether it is there.
    pub heartbeat: Duration,
    /// How far it may fall behind.
    pub mailbox: delivery::Limits,
    /// Whether operators may come in here.
    pub operators: bool,
    /// Whether anonymous buyers may.
    pub visitors: bool,
    /// Whether the start page gives out tokens, to this machine alone.
    pub dev_tokens: bool,
}

impl Settings {
    fn told(&self) -> ServerLimits {
        ServerLimits {
            frame: self.frame,
            depth: self.protocol.depth,
            batch: self.protocol.batch,
            in_flight: self.in_flight,
            text: self.protocol.text,
            requests_per_second: self.requests_per_second,
            burst: self.burst,
        }
    }
}

/// What every session stands on.
pub struct Site {
    /// The path of its requests.
    pub dispatch: Dispatch,
    /// Who may come in.
    pub keys: Arc<Keys>,
    /// Its limits.
    pub settings: Settings,
    /// Where the daemon is in its life.
    pub lifecycle: Lifecycle,
}

/// Why a session ends, as it is said in the close frame.
type End = (u16, &'static str);

/// Someone who has said who it is.
struct Opened {
    peer: Arc<Peer>,
    profile: Arc<Profile>,
    expires_at: Timestamp,
    expiring_told: bool,
    _stay: Stay,
}

struct Session {
    site: Arc<Site>,
    id: SessionId,
    ip: IpAddr,
    mailbox: Arc<Mailbox>,
    given: Option<Identity>,
    opened: Option<Opened>,
    slots: Slots,
    rate: Rate,
    since: Instant,
    unanswered_pings: u32,
    last_ping: Instant,
    ending: Option<End>,
}

/// Runs a session until it ends.
pub async fn run<S>(site: Arc<Site>, io: S, ip: IpAddr, identity: Option<Identity>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let settings = site.settings;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size((settings.mailbox.bytes.max(settings.frame) + WRITE_BUFFER) * 2)
        .max_message_size(Some(settings.frame))
        .max_frame_size(Some(settings.frame));
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let now = Instant::now();
    let mut session = Session {
        id: site.dispatch.clock.session_id(),
        mailbox: Arc::new(Mailbox::new(settings.mailbox)),
        rate: Rate::new(settings.requests_per_second, settings.burst),
        site,
        ip,
        given: identity,
        opened: None,
        slots: Slots::default(),
        since: now,
        unanswered_pings: 0,
        last_ping: now,
        ending: None,
    };
    session.talk(&mut socket).await;
    if let Some(opened) = session.opened.take() {
        if session.site.lifecycle.is_ending() {
            session.site.dispatch.registry.remove(opened.peer.session);
        } else {
            session.site.dispatch.leave(&opened.peer).await;
        }
    }
}

impl Session {
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(&mut self, socket: &mut WebSocketStream<S>) {
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mailbox = Arc::clone(&self.mailbox);
        let life = self.site.lifecycle.clone();
        let mut out: Vec<Message> = Vec::new();
        let mut told = false;
        loop {
            let reads = self.slots.open() < self.site.settings.in_flight && self.ending.is_none();
            tokio::select! {
                biased;
                () = mailbox.ready() => {}
                frame = socket.next(), if reads => match frame {
                    None => return,
                    Some(frame) => if !self.hear(frame, &mut out).await {
                        let _ = tokio::time::timeout(CLOSING, socket.flush()).await;
                        return;
                    },
                },
                () = life.closing(), if !told => {
                    told = true;
                    if self.opened.is_some() && self.ending.is_none() {
                        out.push(Message::Text(protocol::draining(RECONNECT_AFTER)));
                    }
                    self.end(1001, "draining");
                }
                _ = look.tick() => self.look(&mut out),
            }
            self.take_mail(&mut out);
            let ended = self.ending.filter(|_| self.slots.open() == 0);
            if let Some((code, reason)) = ended {
                out.push(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })));
            }
            if !self.write(socket, &mut out).await {
                return;
            }
            if ended.is_some() {
                let _ =
                    tokio::time::timeout(CLOSING, async { while socket.next().await.is_some_and(|f| f.is_ok()) {} })
                        .await;
                return;
            }
        }
    }

    /// Feeds every frame and flushes once. A peer that does not read for two heartbeats is given up.
    async fn write<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: &mut WebSocketStream<S>,
        out: &mut Vec<Message>,
    ) -> bool {
        if out.is_empty() {
            return true;
        }
        let patience = self.site.settings.heartbeat.max(LOOK) * 2;
        let writing = async {
            for message in out.drain(..) {
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        matches!(tokio::time::timeout(patience, writing).await, Ok(Ok(())))
    }

    fn take_mail(&mut self, out: &mut Vec<Message>) {
        let mut frames = Vec::new();
        self.mailbox.drain(&mut frames);
        for frame in frames {
            match frame {
                Frame::Event(text) => out.push(Message::Text(text)),
                Frame::Reply { slot, text } => out.extend(self.slots.answer(slot, text).map(Message::Text)),
                Frame::Drain { close } => {
                    out.push(Message::Text(protocol::draining(RECONNECT_AFTER)));
                    if close {
                        self.end(1001, "draining");
                    }
                }
                Frame::Close { code, reason } => {
                    self.ending = Some((code, reason));
                    if code == 4408 {
                        self.slots.forget();
                    }
                }
            }
        }
    }

    /// Takes what the peer says; false if it has gone.
    async fn hear(&mut self, frame: Result<Message, Error>, out: &mut Vec<Message>) -> bool {
        self.unanswered_pings = 0;
        match frame {
            Ok(Message::Text(text)) => {
                self.receive(&text).await;
                true
            }
            Ok(Message::Binary(_)) => self.end(1003, "text frames only"),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => true,
            Ok(Message::Close(_)) => false,
            Err(Error::Utf8(_)) => self.fail(out, 1007, "not UTF-8"),
            Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => self.fail(out, 1009, "frame too long"),
            Err(Error::Protocol(_)) => self.fail(out, 1002, "protocol error"),
            Err(_) => false,
        }
    }

    fn end(&mut self, code: u16, reason: &'static str) -> bool {
        self.ending.get_or_insert((code, reason));
        true
    }

    fn fail(&mut self, _out: &mut Vec<Message>, code: u16, reason: &'static str) -> bool {
        self.slots.forget();
        self.end(code, reason)
    }

    /// What time alone brings about.
    fn look(&mut self, out: &mut Vec<Message>) {
        let settings = self.site.settings;
        let Some(opened) = &mut self.opened else {
            if !settings.open_timeout.is_zero() && self.since.elapsed() >= settings.open_timeout {
                self.end(4401, "session.open is missing");
            }
            return;
        };
        let now = self.site.dispatch.clock.now();
        if now >= opened.expires_at {
            self.end(4401, "the token has expired");
            return;
        }
        if !opened.expiring_told && now + EXPIRING >= opened.expires_at {
            opened.expiring_told = true;
            out.push(Message::Text(protocol::expiring(opened.expires_at, opened.expires_at.since(now))));
        }
        if !settings.heartbeat.is_zero() && self.last_ping.elapsed() >= settings.heartbeat {
            if self.unanswered_pings >= 2 {
                self.slots.forget();
                self.end(4408, "heartbeats unanswered");
                return;
            }
            self.unanswered_pings += 1;
            self.last_ping = Instant::now();
            out.push(Message::Ping(Bytes::new()));
        }
    }

    fn answer(&self, slot: u32, text: Utf8Bytes) {
        self.mailbox.push_reply(slot, text);
    }
}
