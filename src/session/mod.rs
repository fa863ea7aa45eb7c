//! One peer: its session from the upgrade to the end, as one task over its socket, its mailbox and its timers.

mod frame;
mod frames;
mod measure;
mod open;
mod rate;
mod timers;
mod visitors;
mod wire;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::auth::{Identity, Keys};
use crate::delivery::{self, Frame, Mailbox, Peer};
use crate::dispatch::Dispatch;
use crate::lifecycle::{Lifecycle, Stay};
use crate::model::{Caller, SellerId, SessionId};
use crate::protocol::{self, ServerLimits};
use crate::routing::Profile;

use frame::{Fault, Heard};
use frames::Slots;
use rate::Rate;
use timers::Timers;
pub use visitors::Visitors;
use wire::Wire;

/// How soon after a drain clients should come back, at the earliest.
pub const RECONNECT_AFTER: Duration = Duration::from_millis(1000);

/// So many frames have room in an idle session.
const TAKEN_KEPT: usize = 8;

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
        // What is not limited is 0, as in the settings.
        let told = |limit: usize| if limit == usize::MAX { 0 } else { limit };
        ServerLimits {
            frame: told(self.frame),
            depth: told(self.protocol.depth),
            batch: told(self.protocol.batch),
            in_flight: told(self.in_flight),
            text: told(self.protocol.text),
            requests_per_second: self.requests_per_second,
            burst: if self.burst == u32::MAX { 0 } else { self.burst },
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
    /// How many anonymous buyers may come from where.
    pub visitors: Visitors,
    /// Where the daemon is in its life.
    pub lifecycle: Lifecycle,
}

impl Site {
    /// Who a token speaks for, if it may come in here.
    ///
    /// # Errors
    /// Why it may not, for a person.
    pub fn identify(&self, token: &str) -> Result<Identity, String> {
        let identity = self.keys.verify(token, self.dispatch.clock.now()).map_err(|rejected| rejected.to_string())?;
        match &identity.caller {
            Caller::Operator { .. } if !self.settings.operators => Err("operators do not come in by this way".into()),
            Caller::Staff { account, sellers } => {
                let directory = self.dispatch.table.directory();
                if !directory.is_staff(account) {
                    return Err("there is no such account".into());
                }
                let serves = |seller: &SellerId| {
                    directory.sellers.get(seller).is_some_and(|seller| seller.agents.contains_key(account))
                };
                if sellers.as_ref().is_some_and(|sellers| !sellers.iter().any(serves)) {
                    return Err("its key speaks for no seller whom the account serves".into());
                }
                Ok(identity)
            }
            _ => Ok(identity),
        }
    }
}

/// Why a session ends, as it is said in the close frame.
type End = (u16, &'static str);

/// How a session ends that breaks off through a fault of ours.
const BROKEN: End = (1011, "internal error");

/// Someone who has said who it is.
struct Opened {
    peer: Arc<Peer>,
    profile: Arc<Profile>,
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
    timers: Timers,
    /// Room for what is taken out of the mailbox.
    taken: Vec<Frame>,
    /// Events that wait until the reply to `session.open` has left.
    held: Vec<Utf8Bytes>,
    ending: Option<End>,
}

/// Runs a session until it ends, on a connection of which some bytes may have been read already.
pub async fn run<S>(site: Arc<Site>, io: S, early: &[u8], ip: IpAddr, identity: Option<Identity>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let settings = site.settings;
    let mut wire = Wire::new(io, early, &settings);
    let mut session = Session {
        id: site.dispatch.clock.session_id(),
        mailbox: Arc::new(Mailbox::new(settings.mailbox)),
        rate: Rate::new(settings.requests_per_second, settings.burst),
        timers: Timers::new(settings.open_timeout, settings.heartbeat),
        site,
        ip,
        given: identity,
        opened: None,
        slots: Slots::default(),
        taken: Vec::new(),
        held: Vec::new(),
        ending: None,
    };
    if AssertUnwindSafe(session.talk(&mut wire)).catch_unwind().await.is_err() {
        session.ending = Some(BROKEN);
        Box::pin(wire.close(BROKEN, &session.mailbox)).await;
    }
    let metrics = Arc::clone(&session.site.dispatch.metrics);
    measure::closed(&metrics, &session);
    if let Some(opened) = session.opened.take() {
        if session.site.lifecycle.is_ending() {
            session.site.dispatch.registry.remove(opened.peer.session);
        } else {
            Box::pin(session.site.dispatch.leave(&opened.peer)).await;
        }
    }
}

impl Session {
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(&mut self, wire: &mut Wire<S>) {
        let mailbox = Arc::clone(&self.mailbox);
        let life = self.site.lifecycle.clone();
        // Made once: to enrol with every frame costs as much as to parse it.
        let closing = life.closing();
        tokio::pin!(closing);
        let mut told = false;
        let alarm = tokio::time::sleep_until(self.timers.due());
        tokio::pin!(alarm);
        loop {
            let reads = self.slots.open() < self.site.settings.in_flight && self.ending.is_none();
            if alarm.deadline() != self.timers.due() {
                alarm.as_mut().reset(self.timers.due());
            }
            tokio::select! {
                biased;
                () = mailbox.ready() => {}
                heard = wire.read(), if reads => match heard {
                    None => return,
                    Some(heard) => if !self.hear(heard, wire).await {
                        return Box::pin(wire.farewell()).await;
                    },
                },
                () = &mut closing, if !told => {
                    told = true;
                    if self.opened.is_some() && self.ending.is_none() {
                        wire.push(&protocol::draining(RECONNECT_AFTER));
                    }
                    self.end(1001, "draining");
                }
                () = &mut alarm => self.look(reads, wire),
            }
            self.take_mail(wire);
            if let Some(end) = self.ending.filter(|_| self.slots.open() == 0) {
                return Box::pin(wire.close(end, &mailbox)).await;
            }
            if !wire.write(&mailbox).await {
                return;
            }
        }
    }

    /// Waits for a call to be decided, and writes meanwhile what comes for the peer: a call that has to wait keeps it
    /// from asking more, not from being told.
    async fn meanwhile<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        wire: &mut Wire<S>,
        call: impl Future<Output = ()>,
    ) {
        let mailbox = Arc::clone(&self.mailbox);
        tokio::pin!(call);
        loop {
            tokio::select! {
                biased;
                () = &mut call => return,
                () = mailbox.ready() => {
                    self.take_mail(wire);
                    if !wire.write(&mailbox).await {
                        return call.await;
                    }
                }
            }
        }
    }

    fn take_mail<S: AsyncRead + AsyncWrite + Unpin>(&mut self, wire: &mut Wire<S>) {
        let mut frames = std::mem::take(&mut self.taken);
        self.mailbox.drain(&mut frames);
        for frame in frames.drain(..) {
            match frame {
                Frame::Event(text) if self.slots.is_opening() => self.held.push(text),
                Frame::Event(text) => wire.push(&text),
                Frame::Reply { slot, text } => {
                    if let Some(text) = self.slots.answer(slot, text) {
                        wire.push(&text);
                        if !self.slots.is_opening() {
                            self.held.drain(..).for_each(|text| wire.push(&text));
                        }
                    }
                }
                Frame::Drain { close } => {
                    wire.push(&protocol::draining(RECONNECT_AFTER));
                    if close {
                        self.end(1001, "draining");
                    }
                }
                Frame::Close { code, reason } => {
                    self.ending = Some((code, reason));
                    self.timers.ends();
                    // Nothing comes after it, no answer either.
                    self.slots.forget();
                }
            }
        }
        // An idle session keeps no room for the busiest moment it had.
        if frames.capacity() <= TAKEN_KEPT {
            self.taken = frames;
        }
    }

    /// Takes what the peer says; false if it has gone.
    async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        heard: Result<Heard, Fault>,
        wire: &mut Wire<S>,
    ) -> bool {
        self.timers.heard();
        match heard {
            Ok(Heard::Text(text)) => self.receive(&text, wire).await,
            Ok(Heard::Binary) => self.end(1003, "text frames only"),
            Ok(Heard::Ping(bytes)) => wire.push_pong(&bytes),
            Ok(Heard::Pong) => {}
            Ok(Heard::Close) => return false,
            Err(Fault::Utf8) => self.fail(1007, "not UTF-8"),
            Err(Fault::TooLong) => self.fail(1009, "frame too long"),
            Err(Fault::Protocol) => self.fail(1002, "protocol error"),
        }
        true
    }

    /// Ends it once what has been asked is answered. The first end counts.
    fn end(&mut self, code: u16, reason: &'static str) {
        if self.ending.is_none() {
            self.ending = Some((code, reason));
            self.timers.ends();
        }
    }

    /// Ends it at once.
    fn fail(&mut self, code: u16, reason: &'static str) {
        self.slots.forget();
        self.end(code, reason);
    }

    fn answer(&self, slot: u32, text: Utf8Bytes) {
        self.mailbox.push_reply(slot, text);
    }
}
