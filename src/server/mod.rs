//! The listeners: the public one, with the upgrade to WebSocket and what stands beside it, and the admin one.
//! What is said on a WebSocket is `session`'s; what is decided, nobody's here.

mod admin;
mod client;
mod first;
mod gate;
mod listener;
mod pages;
mod public;
mod reply;
mod upgrade;

pub use admin::{Admin, Started, admin};
pub use listener::{AdminListener, bind};
pub use public::{Settings, public};
