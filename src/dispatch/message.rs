//! What is written: conversations that start, and messages. Each once, however often it is sent.

use std::sync::Arc;

use super::{Answer, Dispatch, Refused, now, unavailable};
use crate::delivery::{Peer, ReplyTo};
use crate::journal::Again;
use crate::model::{Caller, ConversationId, SellerId, Sender};
use crate::policy::{self, Action, Method};
use crate::protocol::{self, RpcError, StartCall, WhereTo};
use crate::routing::{Command, Earlier, NewMessage, Outcome, Profile, Refusal, Reopen, Resent, Start};

/// How often the store is asked again because the table has moved on meanwhile.
const TRIES: usize = 4;

impl Dispatch {
    pub(super) async fn start(
        &self,
        peer: &Arc<Peer>,
        profile: &Arc<Profile>,
        call: StartCall,
        to: &mut Option<ReplyTo>,
    ) -> Result<Answer, Refused> {
        let directory = self.table.directory();
        let (seller, entry) = match call.to {
            WhereTo::Seller(id) => {
                let seller = directory.sellers.get(&id).ok_or(Refusal::NotFound)?;
                (seller.id.clone(), seller.shop.clone())
            }
            WhereTo::Shop(shop) => {
                let (shop, seller) = directory.entries.get_key_value(&shop).ok_or(Refusal::NotFound)?;
                let is_shop = directory.sellers.get(seller).is_some_and(|seller| seller.shop == *shop);
                is_shop.then(|| (seller.clone(), shop.clone())).ok_or(Refusal::NotFound)?
            }
            WhereTo::Entry(entry) => {
                let (entry, seller) = directory.entries.get_key_value(&entry).ok_or(Refusal::NotFound)?;
                (seller.clone(), entry.clone())
            }
        };
        if !peer.speaks_for(&seller) {
            return Err(Refusal::NotFound.into());
        }
        let mut message = call.message;
        for _ in 0..TRIES {
            // A first message that was sent before has its number; the conversation is found all the same.
            let open = self.table.open_of(&profile.key, &seller);
            if open.is_none() && self.lifecycle.is_draining() {
                return Err(unavailable().into());
            }
            let resent = match (open, &message) {
                (Some(open), Some(message)) => self.resent(open, sender_of(peer)?, message).await?,
                _ => None,
            };
            if let Some(resent) = &resent {
                if !resent.same {
                    return Err(Refusal::ClientIdReused.into());
                }
                message = None;
            }
            let start = Start {
                conversation: self.clock.conversation_id(self.clock.now()),
                seller: seller.clone(),
                entry: entry.clone(),
                profile: Arc::clone(profile),
                context: Arc::clone(&call.context),
                message: message.clone(),
                past: self.past(profile, &seller).await?,
                open: self.table.conversations_of_buyer(&profile.key).len(),
            };
            let seq = resent.map(|resent| resent.seq);
            let domain = self.table.domain_of_seller(&seller).ok_or(Refusal::NotFound)?;
            let answer = self.act_in(domain, peer, Command::Start(Box::new(start)), to, |result| numbered(result, seq));
            match answer.await? {
                Answer::Stale | Answer::Moved(_) => {}
                answer => return Ok(answer),
            }
        }
        Err(unavailable().into())
    }

    pub(super) async fn past(&self, profile: &Profile, seller: &SellerId) -> Result<crate::routing::Past, RpcError> {
        self.settled().await?;
        self.journal.last_of(&profile.key, seller).await.map(|known| known.past).map_err(|error| self.fault(&error))
    }

    /// What the store knows of a message that its sender may have sent before.
    async fn resent(
        &self,
        conversation: ConversationId,
        sender: Sender,
        message: &NewMessage,
    ) -> Result<Option<Resent>, RpcError> {
        if !self.table.may_repeat(conversation, &sender, &message.client_id) {
            return Ok(None);
        }
        // The first one may be on its way to the store.
        self.settled().await?;
        if self.table.is_partial(conversation) {
            // Asked once, not for every message from now on.
            let said = self.journal.said(conversation).await.map_err(|error| self.fault(&error))?;
            self.table.remember(conversation, &said);
            if !self.table.may_repeat(conversation, &sender, &message.client_id) {
                return Ok(None);
            }
        }
        let client_id = Arc::clone(&message.client_id);
        let again =
            Again { conversation, sender, client_id, body: message.body.clone(), visibility: message.visibility };
        self.journal.resent(again).await.map_err(|error| self.fault(&error))
    }

    pub(super) async fn send(
        &self,
        peer: &Arc<Peer>,
        conversation: ConversationId,
        message: NewMessage,
        to: &mut Option<ReplyTo>,
    ) -> Result<Answer, Refused> {
        // Hardly any message comes twice: the store is asked only where the table cannot tell.
        let mut earlier = Earlier::Unasked;
        for _ in 0..=TRIES {
            let command = Command::Send { conversation, message: message.clone(), earlier: earlier.clone() };
            if let Some(answer) = self.on(peer, command, to).await? {
                return Ok(answer);
            }
            if let Earlier::Asked(resent) = earlier
                && self.table.domain_of_conversation(conversation).is_none()
                && let Some(answer) = Box::pin(self.send_to_closed(peer, conversation, &message, resent, to)).await?
            {
                return Ok(answer);
            }
            earlier = Earlier::Asked(self.resent(conversation, sender_of(peer)?, &message).await?);
        }
        Err(unavailable().into())
    }

    /// Writes to a conversation that was closed when it was looked for; no answer if it no longer is.
    async fn send_to_closed(
        &self,
        peer: &Arc<Peer>,
        conversation: ConversationId,
        message: &NewMessage,
        resent: Option<Resent>,
        to: &mut Option<ReplyTo>,
    ) -> Result<Option<Answer>, Refused> {
        let closed = self.closed(peer, conversation, Action::Call(Method::ConversationGet)).await?;
        if let Some(resent) = resent {
            if !resent.same {
                return Err(Refusal::ClientIdReused.into());
            }
            let outcome = Outcome::Sent { seq: resent.seq, at: resent.at, duplicate: true };
            return Ok(Some(now(move |to| protocol::reply(&to.id, to.method, to.class, &Ok(outcome)))));
        }
        if !matches!(peer.caller, Caller::Buyer { .. }) || self.table.domain_of_seller(&closed.seller).is_none() {
            return Err(Refusal::Closed { open: None }.into());
        }
        let reopen = Reopen { closed, message: message.clone() };
        match self.act(peer, Command::Reopen(Box::new(reopen)), to).await? {
            Answer::Stale => Ok(None),
            answer => Ok(Some(answer)),
        }
    }
}

fn sender_of(peer: &Peer) -> Result<Sender, policy::Denied> {
    match &peer.caller {
        Caller::Buyer { key, .. } => Ok(Sender::Buyer(key.clone())),
        Caller::Staff { account, .. } => Ok(Sender::Agent(account.clone())),
        Caller::Operator { .. } => Err(policy::Denied::Role),
    }
}

/// A start whose message has its number already.
fn numbered(result: Result<Outcome, Refusal>, first: Option<u64>) -> Result<Outcome, Refusal> {
    match result {
        Ok(Outcome::Started { view, resumed, seq }) => Ok(Outcome::Started { view, resumed, seq: first.or(seq) }),
        result => result,
    }
}
