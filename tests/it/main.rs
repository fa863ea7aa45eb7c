//! The real daemon's parts over real sockets: what clients see. One file for each chapter of the protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod changes;
mod conversations;
mod desk;
mod envelope;
mod faults;
mod handing;
mod load;
mod messages;
mod panics;
mod peer;
mod presence;
mod reload;
mod replay;
mod shops;
mod who_is_who;
