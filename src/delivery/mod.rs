//! Delivery: what has happened, brought to those it is told to, once it is durable.
//! Nothing is decided here, and nothing here waits for a peer: one that reads too slowly loses its own connection.

mod audience;
mod lane;
mod mailbox;
mod registry;
mod tap;

pub use lane::{Item, Lanes, Permit, Reply, ReplyTo, Settings};
pub use mailbox::{Frame, Limits, Mailbox, Queued};
pub use registry::{Client, Connection, Peer, Registry};
pub use tap::{Lines, Taps};
