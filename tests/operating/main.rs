//! What an operator sees: listeners and their limits, signals and exit codes, the admin listener.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod admin;
mod ctl;
mod host;
mod life;
mod listeners;
mod log;
