//! The audience of one lane: which sessions are told what. It belongs to its lane alone, so that a session begins and
//! ends to be told things at a definite place in the order. It waits for nothing and knows nothing of durability.

use std::sync::Arc;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Peer;
use crate::model::{Map, SessionId};
use crate::protocol::{self, Class};
use crate::routing::{Outgoing, Recipient};

#[derive(Default)]
pub(super) struct Audience {
    recipients: Map<Recipient, Vec<Arc<Peer>>>,
    sessions: Map<SessionId, Recipient>,
}

impl Audience {
    pub(super) fn attach(&mut self, peer: Arc<Peer>) {
        let Some(recipient) = peer.recipient() else { return };
        if self.sessions.insert(peer.session, recipient.clone()).is_none() {
            self.recipients.entry(recipient).or_default().push(peer);
        }
    }

    pub(super) fn detach(&mut self, session: SessionId) {
        let Some(recipient) = self.sessions.remove(&session) else { return };
        if let Some(peers) = self.recipients.get_mut(&recipient) {
            peers.retain(|peer| peer.session != session);
            if peers.is_empty() {
                self.recipients.remove(&recipient);
            }
        }
    }

    /// Tells everybody it concerns, each session once; serialised at most once for each class.
    pub(super) fn fan_out(&self, outgoing: &Outgoing) {
        let (mut buyers, mut staff) = (None, None);
        for (at, recipient) in outgoing.to.iter().enumerate() {
            if outgoing.to[..at].contains(recipient) {
                continue;
            }
            for peer in self.recipients.get(recipient).into_iter().flatten() {
                if outgoing.except == Some(peer.session) || !peer.speaks_for(&outgoing.seller) {
                    continue;
                }
                let class = peer.class();
                let text: &mut Option<Utf8Bytes> = if class == Class::Buyer { &mut buyers } else { &mut staff };
                let text = text.get_or_insert_with(|| protocol::event(&outgoing.notice, class));
                peer.mailbox.push_event(text.clone(), outgoing.droppable);
            }
        }
    }
}
