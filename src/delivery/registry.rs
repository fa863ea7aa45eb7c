//! The registry: who is connected, over all lanes. What is told to whom is each lane's own affair.
//! Nothing visible depends on the order of its maps, and nothing in it waits.

use std::net::IpAddr;
use std::sync::Arc;

use dashmap::DashMap;
use serde::Serialize;

use super::Mailbox;
use crate::model::{Caller, KeyHasher, SellerId, SessionId, Timestamp};
use crate::protocol::Class;
use crate::routing::Recipient;

/// An opened session, as delivery knows it.
#[derive(Debug)]
pub struct Peer {
    /// Its session.
    pub session: SessionId,
    /// Who it is.
    pub caller: Caller,
    /// What it has still to write.
    pub mailbox: Arc<Mailbox>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// Since when.
    pub since: Timestamp,
    /// What its client calls itself.
    pub client: Option<Client>,
}

impl Peer {
    /// As whom it is told things; operators are told nothing.
    pub fn recipient(&self) -> Option<Recipient> {
        match &self.caller {
            Caller::Buyer { key, .. } => Some(Recipient::Buyer(key.clone())),
            Caller::Staff { account, .. } => Some(Recipient::Staff(account.clone())),
            Caller::Operator { .. } => None,
        }
    }

    /// Its side of the protocol.
    pub fn class(&self) -> Class {
        Class::of(&self.caller)
    }

    /// Whether its key speaks for a seller.
    pub fn speaks_for(&self, seller: &SellerId) -> bool {
        match &self.caller {
            Caller::Buyer { sellers, .. } | Caller::Staff { sellers, .. } => {
                sellers.as_ref().is_none_or(|sellers| sellers.contains(seller))
            }
            Caller::Operator { .. } => true,
        }
    }
}

/// What a client says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Client {
    /// Its name.
    pub name: Box<str>,
    /// Its version.
    pub version: Box<str>,
}

/// A line of `/connections`.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The session.
    pub peer: Arc<Peer>,
    /// What waits in its mailbox.
    pub queued: super::Queued,
}

/// Everybody connected.
#[derive(Debug, Default)]
pub struct Registry {
    sessions: DashMap<SessionId, Arc<Peer>, KeyHasher>,
    recipients: DashMap<Recipient, Vec<Arc<Peer>>, KeyHasher>,
}

impl Registry {
    /// Adds a session. How many of the same account or buyer there are now: 1 for the first.
    pub fn add(&self, peer: Arc<Peer>) -> usize {
        self.sessions.insert(peer.session, Arc::clone(&peer));
        let Some(recipient) = peer.recipient() else { return 1 };
        let mut peers = self.recipients.entry(recipient).or_default();
        peers.retain(|known| known.session != peer.session);
        peers.push(peer);
        peers.len()
    }

    /// Removes a session. How many of the same account or buyer are left; `None` if it was not there.
    pub fn remove(&self, session: SessionId) -> Option<usize> {
        let (_, peer) = self.sessions.remove(&session)?;
        let Some(recipient) = peer.recipient() else { return Some(0) };
        let mut left = 0;
        self.recipients.remove_if_mut(&recipient, |_, peers| {
            peers.retain(|known| known.session != session);
            left = peers.len();
            peers.is_empty()
        });
        Some(left)
    }

    /// A session.
    pub fn peer(&self, session: SessionId) -> Option<Arc<Peer>> {
        self.sessions.get(&session).map(|peer| Arc::clone(&peer))
    }

    /// The sessions of an account or a buyer, in the order in which they were opened.
    pub fn sessions_of(&self, recipient: &Recipient) -> Vec<Arc<Peer>> {
        self.recipients.get(recipient).map(|peers| peers.clone()).unwrap_or_default()
    }

    /// How many sessions an account or a buyer has.
    pub fn count_of(&self, recipient: &Recipient) -> usize {
        self.recipients.get(recipient).map_or(0, |peers| peers.len())
    }

    /// How many sessions there are.
    pub fn count(&self) -> usize {
        self.sessions.len()
    }

    /// How many frames wait for their readers.
    pub fn queued_frames(&self) -> usize {
        self.sessions.iter().map(|peer| peer.mailbox.queued().frames).sum()
    }

    /// Closes every session of an account or a buyer.
    pub fn close_all(&self, recipient: &Recipient, code: u16, reason: &'static str) {
        for peer in self.sessions_of(recipient) {
            peer.mailbox.close(code, reason);
        }
    }

    /// Everybody, in the order of their session's ids, from an offset on.
    pub fn connections(&self, offset: usize, limit: usize) -> Vec<Connection> {
        let sorted = self.peers().into_iter();
        sorted.skip(offset).take(limit).map(|peer| Connection { queued: peer.mailbox.queued(), peer }).collect()
    }

    /// Every session, in the order of their ids.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        let mut peers: Vec<_> = self.sessions.iter().map(|entry| Arc::clone(entry.value())).collect();
        peers.sort_unstable_by_key(|peer| peer.session);
        peers
    }
}
