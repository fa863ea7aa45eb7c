//! What time alone brings about in a session: nobody says who it is, a token ends, nobody answers.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Session;
use super::wire::Wire;
use crate::model::Timestamp;
use crate::protocol;

/// How long before its end a token is said to expire.
const EXPIRING: Duration = Duration::from_secs(60);
/// How long a session looks away at most: the clock of the wall may be set.
const LOOK: Duration = Duration::from_secs(60);
/// How long a session that ends waits for what is still to be answered.
const ENDING: Duration = Duration::from_secs(10);
/// So many heartbeats may go unanswered.
const UNANSWERED_MAX: u32 = 2;

/// The timers of a session.
pub(super) struct Timers {
    due: Instant,
    /// By when the peer has to say who it is, while it has not.
    open_by: Option<Instant>,
    heartbeat: Duration,
    last_ping: Instant,
    unanswered: u32,
    token: Option<Token>,
    ending: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Token {
    expires_at: Timestamp,
    told: bool,
}

impl Timers {
    /// Those of a new session. 0 means never.
    pub(super) fn new(open_timeout: Duration, heartbeat: Duration) -> Self {
        let now = Instant::now();
        let open_by = (!open_timeout.is_zero()).then(|| now + open_timeout);
        let due = open_by.unwrap_or(now + LOOK);
        Self { due, open_by, heartbeat, last_ping: now, unanswered: 0, token: None, ending: None }
    }

    /// When they have to be looked at.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The peer has said who it is, until then.
    pub(super) fn opened(&mut self, expires_at: Timestamp, now: Timestamp) {
        self.open_by = None;
        self.token = Some(Token { expires_at, told: false });
        self.arm(now);
    }

    /// The peer is there.
    pub(super) fn heard(&mut self) {
        self.unanswered = 0;
    }

    /// The session ends.
    pub(super) fn ends(&mut self) {
        let by = Instant::now() + ENDING;
        self.ending = Some(by);
        self.due = by;
    }

    fn arm(&mut self, now: Timestamp) {
        let at = Instant::now();
        let token = self.token.map(|token| {
            let left = token.expires_at.since(now);
            at + if token.told { left } else { left.saturating_sub(EXPIRING) }
        });
        let ping = (!self.heartbeat.is_zero() && self.token.is_some()).then(|| self.last_ping + self.heartbeat);
        let next = [self.open_by, token, ping].into_iter().flatten().min();
        self.due = next.unwrap_or(at + LOOK).min(at + LOOK).max(at + Duration::from_millis(1));
    }
}

impl Session {
    /// Lets what is due act. A peer that is not read from cannot answer a heartbeat.
    pub(super) fn look<S: AsyncRead + AsyncWrite + Unpin>(&mut self, reads: bool, wire: &mut Wire<S>) {
        let (at, now) = (Instant::now(), self.site.dispatch.clock.now());
        if self.timers.ending.is_some_and(|by| by <= at) {
            self.slots.forget();
            return;
        }
        if self.timers.open_by.is_some_and(|by| by <= at) {
            return self.end(4401, "session.open is missing");
        }
        if let Some(token) = &mut self.timers.token {
            if now >= token.expires_at {
                return self.end(4401, "the token has expired");
            }
            if !token.told && now + EXPIRING >= token.expires_at {
                token.told = true;
                let left = token.expires_at.since(now);
                wire.push(&protocol::expiring(token.expires_at, left));
            }
            let heartbeat = self.timers.heartbeat;
            if !heartbeat.is_zero() && at >= self.timers.last_ping + heartbeat {
                if self.timers.unanswered >= UNANSWERED_MAX {
                    return self.fail(4408, "heartbeats unanswered");
                }
                self.timers.unanswered += u32::from(reads);
                self.timers.last_ping = at;
                wire.push_ping();
            }
        }
        self.timers.arm(now);
    }
}
