//! How a session comes and goes: what it is told begins and ends at a definite place in the order.

use std::sync::Arc;
use std::time::Duration;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{Answer, Dispatch, Refused, unavailable};
use crate::delivery::{Item, Peer, ReplyTo};
use crate::directory::DomainId;
use crate::model::{Caller, Status};
use crate::protocol::RpcError;
use crate::routing::{Actor, Command, Outcome, Standing, View};

/// How long a journal that cannot be written is left alone before the end of a session is told again.
const AGAIN: Duration = Duration::from_millis(500);

/// What a session sees on its arrival: everything open that concerns the caller, and then how it stands.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the line above says what they are")]
pub struct Seen {
    pub conversations: Vec<Arc<View>>,
    pub standing: Option<Standing>,
}

impl Dispatch {
    /// Opens a session: what `made` makes of everything open that concerns the caller is its first frame.
    ///
    /// # Errors
    /// The journal cannot be written now.
    pub async fn open(
        &self,
        peer: &Arc<Peer>,
        status: Option<Status>,
        to: Option<ReplyTo>,
        made: impl FnOnce(&ReplyTo, Seen) -> Utf8Bytes + Send + 'static,
    ) -> Result<(), RpcError> {
        self.registry.add(Arc::clone(peer));
        match self.guarded(self.enter(peer, status)).await {
            Ok(seen) => {
                if let Some(to) = to {
                    let text = made(&to, seen);
                    self.metrics.answered(to.method.name(), "ok", to.since.elapsed());
                    to.mailbox.push_first(to.slot, text);
                }
                Ok(())
            }
            Err(error) => {
                self.leave(peer).await;
                Err(error)
            }
        }
    }

    /// Arrives everywhere.
    async fn enter(&self, peer: &Arc<Peer>, status: Option<Status>) -> Result<Seen, RpcError> {
        // A reload may put elsewhere what the session was about to see: then it looks again. To arrive twice changes
        // nothing.
        let mut seen = loop {
            if let Some(seen) = self.arrive_everywhere(peer, status).await? {
                break seen;
            }
        };
        seen.conversations.retain(|view| peer.speaks_for(&view.seller));
        if let Some(standing) = &mut seen.standing {
            standing.paused.retain(|(seller, _)| peer.speaks_for(seller));
        }
        self.settled().await?;
        Ok(seen)
    }

    /// Arrives in every domain that it concerns; nothing if one of them is no longer there.
    async fn arrive_everywhere(&self, peer: &Arc<Peer>, status: Option<Status>) -> Result<Option<Seen>, RpcError> {
        let domains: Vec<DomainId> = match &peer.caller {
            Caller::Staff { account, .. } => self.table.domain_of_agent(account).into_iter().collect(),
            Caller::Buyer { key, .. } => self.table.domains_of_buyer(key),
            Caller::Operator { .. } => Vec::new(),
        };
        let mut everything = Seen::default();
        for domain in &domains {
            let Some(seen) = self.arrive(*domain, peer, status).await? else { return Ok(None) };
            everything.conversations.extend(seen.conversations);
            everything.standing = everything.standing.or(seen.standing);
        }
        if let Caller::Buyer { key, .. } = &peer.caller {
            self.lanes.attach_everywhere(peer).await;
            // What another of its sessions has begun elsewhere meanwhile may have been told before this one was there.
            for domain in self.table.domains_of_buyer(key).into_iter().filter(|domain| !domains.contains(domain)) {
                let Some(seen) = self.arrive(domain, peer, status).await? else { return Ok(None) };
                everything.conversations.extend(seen.conversations);
            }
        }
        Ok(Some(everything))
    }

    /// Arrives in a domain: its lane tells the session everything from just behind what is shown. Nothing if the domain
    /// is no longer there.
    pub(super) async fn arrive(
        &self,
        domain: DomainId,
        peer: &Arc<Peer>,
        status: Option<Status>,
    ) -> Result<Option<Seen>, RpcError> {
        let slot = self.writer.slot().await.map_err(|_| unavailable())?;
        let attach = self.lanes.reserve(domain).await;
        let done = self.lanes.reserve(domain).await;
        let command = match &peer.caller {
            Caller::Buyer { .. } => Command::BuyerPresence { online: true },
            _ => Command::Arrive { session: peer.session, status },
        };
        let actor = Actor { caller: Some(&peer.caller), session: Some(peer.session) };
        let acted = self.table.try_act(domain, &actor, command, self.clock.now(), |acted| {
            let position = self.keep(slot, acted.batch);
            attach.send(Item::Attach { peer: Arc::clone(peer) });
            done.send(Item::Done { position, outgoing: acted.outgoing, reply: None });
            (acted.result, acted.more)
        });
        let Ok((result, more)) = acted else { return Ok(None) };
        if more {
            self.go_on(domain).await;
        }
        Ok(Some(match result {
            Ok(Outcome::Arrived { conversations, standing }) => Seen { conversations, standing },
            _ => Seen::default(),
        }))
    }

    /// A session has ended.
    pub async fn leave(&self, peer: &Arc<Peer>) {
        let left = self.registry.remove(peer.session).unwrap_or(0);
        self.lanes.detach_everywhere(peer.session).await;
        match &peer.caller {
            Caller::Staff { .. } => self.agent_leaves(peer).await,
            Caller::Buyer { .. } if left == 0 => {
                self.buyer_is(peer, false).await;
                // Another session may have come between: its own arrival may have been before this.
                if peer.recipient().is_some_and(|buyer| self.registry.count_of(&buyer) > 0) {
                    self.buyer_is(peer, true).await;
                }
            }
            _ => {}
        }
    }

    /// A domain that is not told would take the agent for reachable for ever.
    async fn agent_leaves(&self, peer: &Arc<Peer>) {
        let leave = || Command::Leave { session: peer.session };
        while let Err(Refused::Call(_)) = self.act(peer, leave(), &mut None).await {
            // While nothing can be written, the table will be built anew, and looks who is there.
            if self.writer.stray() {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn buyer_is(&self, peer: &Arc<Peer>, online: bool) {
        let Caller::Buyer { key, .. } = &peer.caller else { return };
        let mut domains = self.table.domains_of_buyer(key);
        while let Some(domain) = domains.pop() {
            let command = Command::BuyerPresence { online };
            match self.act_in(domain, peer, command, &mut None, |result| result).await {
                Ok(Answer::Moved(_)) => domains = self.table.domains_of_buyer(key),
                Ok(_) => {}
                Err(_) if self.writer.stray() => return,
                Err(_) => {
                    tokio::time::sleep(AGAIN).await;
                    domains = self.table.domains_of_buyer(key);
                }
            }
        }
    }
}
