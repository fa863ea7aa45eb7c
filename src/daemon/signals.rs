//! Signals, and what they ask of the daemon.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// `SIGXFSZ`: a file may not grow any more. The write that ran into it fails, and that is handled where it is written.
const FILE_TOO_LARGE: i32 = 25;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `HUP`: read the configuration again.
    Reload,
    /// `TERM`, `INT`: drain and stop.
    Stop,
    /// `USR2`: stop when the last session has gone by itself.
    Empty,
}

/// The signals that are listened for.
pub(super) struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
    empty: Signal,
    _ignored: Signal,
}

impl Signals {
    /// Listens: from here on no signal of these ends the process.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            empty: signal(SignalKind::user_defined2())?,
            _ignored: signal(SignalKind::from_raw(FILE_TOO_LARGE))?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hang_up.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.empty.recv() => Asked::Empty,
        }
    }

    /// The next one that ends the daemon at once while it is still starting.
    pub(super) async fn stop(&mut self) {
        while self.next().await == Asked::Reload {}
    }
}
