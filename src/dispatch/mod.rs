//! The one path from a request to a record: look-ups, a slot of the journal, a place on the lane, then the domain.
//! Nothing is decided here, and nothing is written to a socket.

mod arrival;
mod configuration;
mod fault;
mod list;
mod measure;
mod message;
mod operator;
mod past;
mod restore;
mod status;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::Utf8Bytes;

pub use arrival::Seen;
pub use configuration::{Configuration, File, ReadFiles, Renewal, Renewals};

use crate::clock::Clock;
use crate::delivery::{Item, Lanes, Peer, Registry, Reply, ReplyTo, Taps};
use crate::directory::DomainId;
use crate::journal::{Journal, Position, Slot, Writer};
use crate::lifecycle::{Drain, Lifecycle};
use crate::metrics::Metrics;
use crate::model::Caller;
use crate::policy::{self, Action, Method};
use crate::protocol::{self, Call, Class, RpcError, Undone};
use crate::routing::{Actor, Batch, Command, Hypothesis, Outcome, Profile, Refusal, Table};

/// What a call is answered with, if not by what came of a command.
enum Answer {
    /// By what the table says, through the lane.
    Acted,
    /// By nothing yet: the table is not as it was when the store was asked, so the store has to be asked again.
    Stale,
    /// By nothing yet: what the command is about is in another domain now, or closed.
    Moved(Box<Command>),
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
    /// The routing configuration.
    pub configuration: Configuration,
    /// What is read anew with it.
    pub renewals: Arc<Renewals>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who listens to what happens.
    pub taps: Arc<Taps>,
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
        let answer = match self.guarded(self.begin(peer, profile, method, call, &mut to)).await {
            Ok(answer) => answer,
            Err(refused) => Answer::Now(Err(refused)),
        };
        let (Answer::Now(result), Some(to)) = (answer, to) else { return };
        let (code, text) = match result {
            Ok(text) => ("ok", text(&to)),
            Err(Refused::Rules(refusal)) => {
                let code = RpcError::from(&refusal).kind().name();
                (code, protocol::reply(&to.id, to.method, to.class, &Err(refusal)))
            }
            Err(Refused::Call(error)) => (error.kind().name(), protocol::error_reply(Some(&to.id), &error)),
        };
        to.answer(&self.metrics, code, text);
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
            Call::Send { conversation, message } => self.send(peer, conversation, message, to).await,
            // A silent session has room for what is asked most; what is asked rarely makes its own.
            call => Box::pin(self.begin_other(peer, profile, action, call, to)).await,
        }
    }

    /// Begins anything but a message.
    async fn begin_other(
        &self,
        peer: &Arc<Peer>,
        profile: &Arc<Profile>,
        action: Action,
        call: Call,
        to: &mut Option<ReplyTo>,
    ) -> Result<Answer, Refused> {
        match call {
            Call::Start(start) => self.start(peer, profile, start, to).await,
            Call::Rate { conversation, rating } => self.rate(peer, conversation, rating, to).await,
            Call::History { conversation, range, limit } => self.history(peer, conversation, range, limit).await,
            Call::Get { conversation } => self.get(peer, conversation, to).await,
            Call::List(list) => self.list(peer, list).await,
            Call::Act(command) => self.command(peer, self.of_whom(peer, command)?, to).await,
            Call::ExplainPast { conversation } => self.explain_past(peer, conversation, action).await,
            Call::ExplainSupposed(supposed) => {
                let past = self.past(&supposed.profile, &supposed.seller).await?;
                let protocol::Supposed { seller, profile, context, text } = supposed;
                let hypothesis = Box::new(Hypothesis { seller, profile, context, text, past });
                self.act(peer, Command::Explain(hypothesis), to).await
            }
            Call::ConfigStatus => Ok(self.config_status()),
            Call::ConfigReload { dry_run } => self.config_reload(peer, dry_run).await,
            Call::Bind { seller, sub_account } => self.change_binding(peer, seller, sub_account.into(), true).await,
            Call::Unbind { seller, sub_account } => self.change_binding(peer, seller, sub_account.into(), false).await,
            Call::Stats => Ok(self.stats()),
            Call::Drain { deadline_s } => {
                self.lifecycle.drain(Drain::Close(deadline_s.map(|seconds| Duration::from_secs(seconds.into()))));
                Ok(now(|to| protocol::done(&to.id)))
            }
            _ => Err(unavailable().into()),
        }
    }

    /// Runs a command where what it is about is, and looks again where a reload has moved that meanwhile.
    async fn act(&self, peer: &Arc<Peer>, command: Command, to: &mut Option<ReplyTo>) -> Result<Answer, Refused> {
        let mut command = command;
        loop {
            let domain = self.domain_of(peer, &command).ok_or(Refusal::NotFound)?;
            match self.act_in(domain, peer, command, to, |result| result).await? {
                Answer::Moved(back) => command = *back,
                answer => return Ok(answer),
            }
        }
    }

    /// The domain of what a command is about; none for a conversation that is not open.
    fn domain_of(&self, peer: &Peer, command: &Command) -> Option<DomainId> {
        let seller = match command {
            Command::Start(start) => Some(&start.seller),
            Command::Reopen(reopen) => Some(&reopen.closed.seller),
            Command::Rate { closed, .. } => Some(&closed.seller),
            Command::Explain(hypothesis) => Some(&hypothesis.seller),
            Command::ViewDesk { seller, .. } | Command::SetStatus { seller: Some(seller), agent: Some(_), .. } => {
                Some(seller)
            }
            _ => None,
        };
        match (seller, command.conversation(), &peer.caller) {
            (Some(seller), ..) => self.table.domain_of_seller(seller),
            (None, Some(conversation), _) => self.table.domain_of_conversation(conversation),
            (None, None, Caller::Staff { account, .. }) => self.table.domain_of_agent(account),
            _ => None,
        }
    }

    /// Runs a command in a domain, and follows it up as long as something is left to do. What came of it may be changed
    /// before it is answered.
    async fn act_in(
        &self,
        domain: DomainId,
        peer: &Arc<Peer>,
        command: Command,
        to: &mut Option<ReplyTo>,
        change: impl FnOnce(Result<Outcome, Refusal>) -> Result<Outcome, Refusal>,
    ) -> Result<Answer, Refused> {
        let begun = Instant::now();
        let slot = match self.writer.slot().await {
            Ok(slot) => slot,
            Err(_) if command.only_reads() => return self.look_in(domain, peer, command, to).await,
            Err(_) => return Err(unavailable().into()),
        };
        let permit = self.lanes.reserve(domain).await;
        let waited = Instant::now();
        let actor = Actor { caller: Some(&peer.caller), session: Some(peer.session) };
        let on_open = command.conversation().is_some();
        let acted = self.table.try_act(domain, &actor, command, self.clock.now(), |acted| {
            let stale = match acted.result {
                Err(Refusal::Repeats) => true,
                // It has closed since its domain was looked up.
                Err(Refusal::NotFound) => on_open,
                _ => false,
            };
            let position = self.keep(slot, acted.batch).or_else(|| self.seen());
            let to = if stale { None } else { to.take() };
            let reply = to.map(|to| Reply::Outcome(to, change(acted.result)));
            permit.send(Item::Done { position, outgoing: acted.outgoing, reply });
            (acted.more, stale)
        });
        self.metrics.slot.observe(waited - begun);
        self.metrics.route.observe(waited.elapsed());
        let (more, stale) = match acted {
            Ok(acted) => acted,
            Err(command) => return Ok(Answer::Moved(Box::new(command))),
        };
        if more {
            Box::pin(self.go_on(domain)).await;
        }
        Ok(if stale { Answer::Stale } else { Answer::Acted })
    }

    /// Hands what a command has brought about to the journal.
    fn keep(&self, slot: Slot<'_>, batch: Option<Batch>) -> Option<Position> {
        batch.map(|batch| {
            measure::count(&self.metrics, &batch);
            slot.append(batch)
        })
    }

    /// Answers what only reads, while nothing can be written.
    async fn look_in(
        &self,
        domain: DomainId,
        peer: &Arc<Peer>,
        command: Command,
        to: &mut Option<ReplyTo>,
    ) -> Result<Answer, Refused> {
        let permit = self.lanes.reserve(domain).await;
        let actor = Actor { caller: Some(&peer.caller), session: Some(peer.session) };
        let looked = self.table.look(domain, &actor, command, self.clock.now(), |result| {
            let reply = to.take().map(|to| Reply::Outcome(to, result));
            permit.send(Item::Done { position: self.seen(), outgoing: Vec::new(), reply });
        });
        Ok(looked.map_or_else(|command| Answer::Moved(Box::new(command)), |()| Answer::Acted))
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
                let position = self.keep(slot, acted.batch);
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

    /// Asks about an open conversation without changing it, and waits until what is said is durable.
    async fn ask(&self, peer: &Peer, command: Command) -> Result<Outcome, Refused> {
        let actor = Actor { caller: Some(&peer.caller), session: Some(peer.session) };
        let mut command = command;
        loop {
            let domain = self.domain_of(peer, &command).ok_or(Refusal::NotFound)?;
            match self.table.look(domain, &actor, command, self.clock.now(), |result| result) {
                Ok(result) => {
                    let outcome = result?;
                    self.settled().await?;
                    return Ok(outcome);
                }
                Err(back) => command = back,
            }
        }
    }

    async fn settled(&self) -> Result<(), RpcError> {
        self.writer.durable(self.writer.last()).await.map_err(|_| unavailable())
    }

    /// Runs a command upon an open conversation; no answer if it is not open, or no longer.
    async fn on(
        &self,
        peer: &Arc<Peer>,
        command: Command,
        to: &mut Option<ReplyTo>,
    ) -> Result<Option<Answer>, Refused> {
        let mut command = command;
        while let Some(domain) = self.domain_of(peer, &command) {
            match self.act_in(domain, peer, command, to, |result| result).await? {
                Answer::Moved(back) => command = *back,
                Answer::Stale => break,
                answer => return Ok(Some(answer)),
            }
        }
        Ok(None)
    }

    async fn command(&self, peer: &Arc<Peer>, command: Command, to: &mut Option<ReplyTo>) -> Result<Answer, Refused> {
        if let Some(id) = command.conversation() {
            let action = command.action().unwrap_or(Action::Call(Method::ConversationGet));
            let answers_offer = matches!(command, Command::Accept { .. } | Command::Decline { .. });
            if let Some(answer) = self.on(peer, command, to).await? {
                return Ok(answer);
            }
            let closed = self.closed(peer, id, action).await?;
            let refusal = if answers_offer {
                Refusal::OfferExpired
            } else {
                Refusal::Closed { open: self.open_with(peer, &closed) }
            };
            return Err(refusal.into());
        }
        self.act(peer, command, to).await
    }
}

fn now(text: impl FnOnce(&ReplyTo) -> Utf8Bytes + Send + 'static) -> Answer {
    Answer::Now(Ok(Box::new(text)))
}

/// The side of the protocol on which a peer is.
pub fn class_of(peer: &Peer) -> Class {
    peer.class()
}
