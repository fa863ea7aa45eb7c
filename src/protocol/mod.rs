//! The protocol: JSON-RPC 2.0 over text frames, to the letter. Texts become typed calls; what happened becomes text.
//! No socket is here and nothing is decided: whether a call may be made and what comes of it is asked elsewhere.

mod body;
mod config;
#[expect(dead_code, reason = "what stands in the document, never made")]
mod described;
mod envelope;
mod error;
mod event;
mod identity;
mod method;
mod object;
mod openrpc;
mod params;
mod plain;
mod reply;
mod scan;
mod targets;
mod text;

pub use config::{InForce, Reloaded, config_status, diagnostics_json, refused, status_json};
pub use envelope::{Faulty, Incoming, Request, parse};
pub use error::{Kind, RpcError, Undone};
pub use event::{config_changed, draining, event, expiring};
pub use identity::{Identity, Membership, TargetGroup, Targets};
pub use method::{Call, ListCall, Open, Range, StartCall, Supposed, WhereTo, parse_call};
pub use object::{Decision, ServerLimits};
pub use openrpc::document;
pub use params::{Client, Visitor};
pub use reply::{
    Opened, batch, decisions, done, error_reply, history, list, opened, pong, raw, refreshed, reply, shorten,
    unavailable_reply,
};

/// A side of the protocol: what is told is serialised once for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Buyers.
    Buyer,
    /// Staff and operators.
    Staff,
}

impl Class {
    /// The class of a caller.
    pub fn of(caller: &crate::model::Caller) -> Self {
        match caller {
            crate::model::Caller::Buyer { .. } => Self::Buyer,
            crate::model::Caller::Staff { .. } | crate::model::Caller::Operator { .. } => Self::Staff,
        }
    }
}

/// What a text may not exceed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How deep arrays and objects may be nested in a frame.
    pub depth: usize,
    /// How many requests a batch may have.
    pub batch: usize,
    /// How many characters a text may have.
    pub text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, batch: 50, text: 8000 }
    }
}
