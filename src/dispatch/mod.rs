//! The one path from a request to a record: look-ups, a slot of the journal, a place on the lane, then the domain.
//! Nothing is decided here, and nothing is written to a socket.

mod arrival;
mod operator;
mod past;

use std::sync::Arc;
use std::time::Duration;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::clock::Clock;
use crate::delivery::{Item, Lanes, Peer, Registry, Reply, ReplyTo};
use crate::directory::DomainId;
use crate::journal::{Again, Journal, Position, Writer};
use crate::lifecycle::{Drain, Lifecycle};
use crate::model::{Caller, ConversationId, SellerId, Sender};
use crate::policy::{self, Action, Method};
use crate::protocol::{self, Call, Class, RpcError, StartCall, Undone, WhereTo};
use crate::routing::{Actor, Command, Hypothesis, NewMessage, Outcome, Profile, Refusal, Reopen, Start, Table};

/// What a call is answered with, if not by what came of a command.
enum Answer {
    /// By what the table says, through the lane.
    Acted,
    /// At once.
    Now(Result<Text, Refused>),
}

type Text = Box<dyn FnOnce(&ReplyTo) -> Utf8Bytes + Send>;

enum Refused {
    Rules(Refusal),
    Call(RpcError),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Rules(refusal)
    }
}

impl From<RpcError> for Refused {
    fn from(error: RpcError) -> Self {
        Self::Call(error)
    }
}

impl From<policy::Denied> for Refused {
    fn from(denied: policy::Denied) -> Self {
        Self::Rules(denied.into())
    }
}

fn unavailable() -> RpcError {
    RpcError::unavailable(Undone::NotDone)
}

/// The path.
pub struct Dispatch {
    /// The hot table.
    pub table: Arc<Table>,
    /// What is read of the past.
    pub journal: Arc<dyn Journal>,
    /// What is written.
    pub writer: Writer,
    /// What is brought out.
    pub lanes: Lanes,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// The time.
    pub clock: Arc<Clock>,
    /// Where the daemon is in its life.
    pub lifecycle: Lifecycle,
}

impl Dispatch {
    /// Carries out a call of an opened session. What is to be answered goes to its mailbox.
    pub async fn call(
        &self,
        peer: &Arc<Peer>,
        profile: &Arc<Profile>,
        method: Method,
        call: Call,
        to: Option<ReplyTo>,
    ) {
        let mut to = to;
        let answer = match self.begin(peer, profile, method, call, &mut to).await {
            Ok(answer) => answer,
            Err(refused) => Answer::Now(Err(refused)),
        };
        let (Answer::Now(result), Some(to)) = (answer, to) else { return };
        let text = match result {
            Ok(text) => text(&to),
            Err(Refused::Rules(refusal)) => protocol::reply(&to.id, to.method, to.class, &Err(refusal)),
            Err(Refused::Call(error)) => protocol::error_reply(Some(&to.id), &error),
        };
        to.mailbox.push_reply(to.slot, text);
    }

    async fn begin(
        &self,
        peer: &Arc<Peer>,
        profile: &Arc<Profile>,
        method: Method,
        call: Call,
        to: &mut Option<ReplyTo>,
    ) -> Result<Answer, Refused> {
        let action = match &call {
            Call::Act(command) => command.action().unwrap_or(Action::Call(method)),
            Call::Send { message, .. } if message.visibility == crate::model::Visibility::Staff => Action::SendNote,
            Call::List(list) if list.seller.is_some() => Action::ListSeller,
            _ => Action::Call(method),
        };
        policy::permit_role(&peer.caller, action)?;
        match call {
            Call::Start(start) => self.start(peer, profile, start, to).await,
            Call::Send { conversation, message } => self.send(peer, conversation, message, to).await,
            Call::Rate { conversation, rating } => self.rate(peer, conversation, rating).await,
            Call::History { conversation, range, limit } => self.history(peer, conversation, range, limit).await,
            Call::Get { conversation } => {
                if self.table.domain_of_conversation(conversation).is_some() {
                    return self.on(peer, Command::Get { conversation }, to).await;
                }
                let closed = self.closed(peer, conversation, action).await?;
                let view = self.shown(&closed);
                Ok(now(move |to| protocol::reply(&to.id, to.method, to.class, &Ok(Outcome::Conversation(view)))))
            }
            Call::List(list) => self.list(peer, list).await,
            Call::Act(command) => self.command(peer, command, to).await,
            Call::ExplainPast { conversation } => self.explain_past(peer, conversation, action).await,
            Call::ExplainSupposed(supposed) => {
                let past = self.past(&supposed.profile, &supposed.seller).await?;
                let protocol::Supposed { seller, profile, context, text } = supposed;
                let domain = self.table.domain_of_seller(&seller).ok_or(Refusal::NotFound)?;
                let hypothesis = Box::new(Hypothesis { seller, profile, context, text, past });
                self.act(domain, peer, Command::Explain(hypothesis), to).await
            }
            Call::ConfigStatus => Ok(self.config_status()),
            Call::Stats => Ok(self.stats()),
            Call::Drain { deadline_s } => {
                self.lifecycle.drain(Drain::Close(deadline_s.map(|seconds| Duration::from_secs(seconds.into()))));
                Ok(now(|to| protocol::done(&to.id)))
            }
            _ => Err(unavailable().into()),
        }
    }

    /// Runs a command in a domain, and follows it up as long as something is left to do.
    async fn act(
        &self,
        domain: DomainId,
        peer: &Arc<Peer>,
        command: Command,
        to: &mut Option<ReplyTo>,
    ) -> Result<Answer, Refused> {
        let slot = self.writer.slot().await.map_err(|_| unavailable())?;
        let permit = self.lanes.reserve(domain).await;
        let to = to.take();
        let actor = Actor { caller: Some(&peer.caller), session: Some(peer.session) };
        let more = self.table.act(domain, &actor, command, self.clock.now(), |acted| {
            let position = acted.batch.map(|batch| slot.append(batch)).or_else(|| self.seen());
            let reply = to.map(|to| Reply::Outcome(to, acted.result));
            permit.send(Item::Done { position, outgoing: acted.outgoing, reply });
            acted.more
        });
        if more {
            self.go_on(domain).await;
        }
        Ok(Answer::Acted)
    }

    /// What an answer that changes nothing depends on: the last that was written.
    fn seen(&self) -> Option<Position> {
        Some(self.writer.last())
    }

    /// Runs what is due in a domain, until nothing is left.
    pub async fn go_on(&self, domain: DomainId) {
        loop {
            let Ok(slot) = self.writer.slot().await else { return };
            let permit = self.lanes.reserve(domain).await;
            let more = self.table.act(domain, &Actor::default(), Command::Tick, self.clock.now(), |acted| {
                let position = acted.batch.map(|batch| slot.append(batch));
                if position.is_some() || !acted.outgoing.is_empty() {
                    permit.send(Item::Done { position, outgoing: acted.outgoing, reply: None });
                }
                acted.more
            });
            if !more {
                return;
            }
        }
    }

    /// Asks a domain without changing it, and waits until what it says is durable.
    async fn ask(&self, domain: DomainId, peer: &Peer, command: Command) -> Result<Outcome, Refused> {
        let actor = Actor { caller: Some(&peer.caller), session: Some(peer.session) };
        let now = self.clock.now();
        let result = self.table.act(domain, &actor, command, now, |acted| acted.result)?;
        self.settled().await?;
        Ok(result)
    }

    async fn settled(&self) -> Result<(), RpcError> {
        self.writer.durable(self.writer.last()).await.map_err(|_| unavailable())
    }

    async fn on(&self, peer: &Arc<Peer>, command: Command, to: &mut Option<ReplyTo>) -> Result<Answer, Refused> {
        let domain = command.conversation().and_then(|id| self.table.domain_of_conversation(id));
        self.act(domain.ok_or(Refusal::NotFound)?, peer, command, to).await
    }

    async fn command(&self, peer: &Arc<Peer>, command: Command, to: &mut Option<ReplyTo>) -> Result<Answer, Refused> {
        if let Some(id) = command.conversation() {
            if self.table.domain_of_conversation(id).is_some() {
                return self.on(peer, command, to).await;
            }
            let action = command.action().unwrap_or(Action::Call(Method::ConversationGet));
            let closed = self.closed(peer, id, action).await?;
            return Err(match command {
                Command::Accept { .. } | Command::Decline { .. } => Refusal::OfferExpired,
                _ => Refusal::Closed { open: self.open_with(&closed) },
            }
            .into());
        }
        let domain = match &command {
            Command::ViewDesk { seller, .. } | Command::SetStatus { seller: Some(seller), agent: Some(_), .. } => {
                self.table.domain_of_seller(seller)
            }
            _ => match &peer.caller {
                Caller::Staff { account, .. } => self.table.domain_of_agent(account),
                _ => None,
            },
        };
        self.act(domain.ok_or(Refusal::NotFound)?, peer, command, to).await
    }

    async fn start(
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
                (id, seller.shop.clone())
            }
            WhereTo::Shop(shop) => {
                let seller = directory.entries.get(&shop).ok_or(Refusal::NotFound)?;
                let is_shop = directory.sellers.get(seller).is_some_and(|seller| seller.shop == shop);
                (is_shop.then(|| seller.clone()).ok_or(Refusal::NotFound)?, shop)
            }
            WhereTo::Entry(entry) => (directory.entries.get(&entry).ok_or(Refusal::NotFound)?.clone(), entry),
        };
        if !peer.speaks_for(&seller) {
            return Err(Refusal::NotFound.into());
        }
        let domain = self.table.domain_of_seller(&seller).ok_or(Refusal::NotFound)?;
        if self.lifecycle.is_draining() {
            return Err(unavailable().into());
        }
        let past = self.past(profile, &seller).await?;
        let start = Start {
            conversation: self.clock.conversation_id(self.clock.now()),
            seller,
            entry,
            profile: Arc::clone(profile),
            context: call.context,
            message: call.message,
            past,
            open: self.table.conversations_of_buyer(&profile.key).len(),
        };
        self.act(domain, peer, Command::Start(Box::new(start)), to).await
    }

    async fn past(&self, profile: &Profile, seller: &SellerId) -> Result<crate::routing::Past, RpcError> {
        self.journal.last_of(&profile.key, seller).await.map(|known| known.past).map_err(|_| unavailable())
    }

    async fn send(
        &self,
        peer: &Arc<Peer>,
        conversation: ConversationId,
        message: NewMessage,
        to: &mut Option<ReplyTo>,
    ) -> Result<Answer, Refused> {
        let sender = match &peer.caller {
            Caller::Buyer { key, .. } => Sender::Buyer(key.clone()),
            Caller::Staff { account, .. } => Sender::Agent(account.clone()),
            Caller::Operator { .. } => return Err(policy::Denied::Role.into()),
        };
        let open = self.table.domain_of_conversation(conversation).is_some();
        let mut resent = None;
        if self.table.may_repeat(conversation, &sender, &message.client_id) {
            let again = Again {
                conversation,
                sender,
                client_id: Arc::clone(&message.client_id),
                body: message.body.clone(),
                visibility: message.visibility,
            };
            resent = self.journal.resent(again).await.map_err(|_| unavailable())?;
        }
        if open {
            return self.on(peer, Command::Send { conversation, message, resent }, to).await;
        }
        let closed = self.closed(peer, conversation, Action::Call(Method::ConversationGet)).await?;
        if let Some(resent) = resent {
            if !resent.same {
                return Err(Refusal::ClientIdReused.into());
            }
            let outcome = Outcome::Sent { seq: resent.seq, at: resent.at, duplicate: true };
            return Ok(now(move |to| protocol::reply(&to.id, to.method, to.class, &Ok(outcome))));
        }
        if !matches!(peer.caller, Caller::Buyer { .. }) {
            return Err(Refusal::Closed { open: self.open_with(&closed) }.into());
        }
        let domain = self.table.domain_of_seller(&closed.seller).ok_or(Refusal::Closed { open: None })?;
        self.act(domain, peer, Command::Reopen(Box::new(Reopen { closed, message })), to).await
    }
}

fn now(text: impl FnOnce(&ReplyTo) -> Utf8Bytes + Send + 'static) -> Answer {
    Answer::Now(Ok(Box::new(text)))
}

/// The side of the protocol on which a peer is.
pub fn class_of(peer: &Peer) -> Class {
    peer.class()
}
