//! The one path from a request to a record: look-ups, a slot of the journal, a place on the lane, then the domain.
//! Nothing is decided here, and nothing is written to a socket.

use std::sync::Arc;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::clock::Clock;
use crate::delivery::{Item, Lanes, Peer, Registry, Reply, ReplyTo};
use crate::directory::{Directory, DomainId};
use crate::journal::{Again, Filter, Journal, Position, Range, Write, Writer};
use crate::model::{Caller, ConversationId, SellerId, Sender, State, Status, Subject, Timestamp};
use crate::policy::{self, Action, Method, Rights};
use crate::protocol::{self, Call, Class, ListCall, RpcError, StartCall, Undone, WhereTo};
use crate::routing::{
    Actor, Batch, Command, Conversation, Event, Hypothesis, NewMessage, Outcome, Profile, Rating, Refusal, Reopen, Row,
    Start, Table, View,
};

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

    /// A closed conversation that the caller may do this with.
    async fn closed(&self, peer: &Peer, id: ConversationId, action: Action) -> Result<Conversation, Refused> {
        let closed = self.journal.closed(id).await.map_err(|_| unavailable())?.ok_or(Refusal::NotFound)?;
        let directory = self.table.directory();
        let (rights, groups) = rights_of(&directory, &peer.caller, &closed.seller, self.clock.now());
        let subject = subject(&closed);
        let rights = Rights { groups: &groups, ..rights };
        policy::permit(&peer.caller, action, &rights, Some(&subject), None)?;
        Ok(closed)
    }

    fn open_with(&self, closed: &Conversation) -> Option<ConversationId> {
        self.table.conversations_of_buyer(&closed.profile.key).into_iter().next()
    }

    async fn rate(&self, peer: &Peer, id: ConversationId, rating: Rating) -> Result<Answer, Refused> {
        if let Some(domain) = self.table.domain_of_conversation(id) {
            self.ask(domain, peer, Command::Get { conversation: id }).await?;
            return Err(Refusal::NotClosed.into());
        }
        let mut closed = self.closed(peer, id, Action::Call(Method::ConversationRate)).await?;
        closed.rating = Some(rating.clone());
        closed.rev += 1;
        let event = Event::Rated { conversation: id, rating };
        let row = Row::Conversation(Box::new(closed));
        let batch = Batch { at: self.clock.now(), events: vec![event], rows: vec![row] };
        let position = self.writer.slot().await.map_err(|_| unavailable())?.write(Write::Batch(batch));
        self.writer.durable(position).await.map_err(|_| RpcError::unavailable(Undone::Unknown))?;
        Ok(now(|to| protocol::done(&to.id)))
    }

    async fn history(
        &self,
        peer: &Peer,
        conversation: ConversationId,
        range: protocol::Range,
        limit: u32,
    ) -> Result<Answer, Refused> {
        match self.table.domain_of_conversation(conversation) {
            Some(domain) => {
                self.ask(domain, peer, Command::ReadHistory { conversation }).await?;
            }
            None => {
                self.closed(peer, conversation, Action::Call(Method::MessageHistory)).await?;
            }
        }
        let notes = !matches!(peer.caller, Caller::Buyer { .. });
        let asked = range;
        let (after, before) = match asked {
            protocol::Range::After(after) => (Some(after), None),
            protocol::Range::Before(before) => (None, Some(before)),
        };
        let range = Range { conversation, after, before, limit: limit as usize, notes };
        let mut history = self.journal.history(range).await.map_err(|_| unavailable())?;
        history.more |= protocol::shorten(&mut history.messages, asked);
        Ok(now(move |to| protocol::history(&to.id, to.class, &history.messages, history.more)))
    }

    async fn list(&self, peer: &Peer, call: ListCall) -> Result<Answer, Refused> {
        let directory = self.table.directory();
        let mut filter = Filter { state: call.state, buyer_sub: call.buyer, ..Filter::default() };
        match (&peer.caller, call.seller) {
            (Caller::Buyer { key, .. }, seller) => {
                filter.buyer = Some(key.clone());
                filter.seller = seller;
            }
            (Caller::Staff { account, .. }, None) => filter.holder = Some(account.clone()),
            (caller, Some(seller)) => {
                let (rights, groups) = rights_of(&directory, caller, &seller, self.clock.now());
                let rights = Rights { groups: &groups, ..rights };
                let holds = self.holds_of_buyer(peer, &seller, filter.buyer_sub.as_deref());
                if !holds {
                    policy::permit(caller, Action::ListSeller, &rights, None, Some(&seller))?;
                    if !rights.scopes.has(policy::Scope::ReadSeller) && !matches!(caller, Caller::Operator { .. }) {
                        filter.groups = Some(groups.clone());
                    }
                }
                filter.seller = Some(seller);
            }
            (Caller::Operator { .. }, None) => {}
        }
        self.settled().await?;
        let listed = self.journal.list(filter, call.before, call.limit as usize).await.map_err(|_| unavailable())?;
        let views: Vec<_> = listed.conversations.iter().map(|conversation| self.shown(conversation)).collect();
        Ok(now(move |to| protocol::list(&to.id, to.class, &views, listed.next)))
    }

    /// Whether the caller holds a conversation of this buyer with the seller: then it may see the earlier ones.
    fn holds_of_buyer(&self, peer: &Peer, seller: &SellerId, buyer: Option<&str>) -> bool {
        let (Caller::Staff { account, .. }, Some(buyer)) = (&peer.caller, buyer) else { return false };
        let Some(domain) = self.table.domain_of_agent(account) else { return false };
        let actor = Actor { caller: Some(&peer.caller), session: Some(peer.session) };
        let command = Command::ListOpen { seller: None, buyer: Some(buyer.into()) };
        self.table.act(domain, &actor, command, self.clock.now(), |acted| match acted.result {
            Ok(Outcome::Conversations(views)) => views
                .iter()
                .any(|view| view.seller == *seller && view.agent.as_ref().is_some_and(|(agent, _)| agent == account)),
            _ => false,
        })
    }

    async fn explain_past(&self, peer: &Peer, id: ConversationId, action: Action) -> Result<Answer, Refused> {
        let row = match self.table.domain_of_conversation(id) {
            Some(domain) => {
                let outcome = self.ask(domain, peer, Command::Get { conversation: id }).await?;
                let Outcome::Conversation(view) = outcome else { return Err(Refusal::NotFound.into()) };
                Some(view)
            }
            None => None,
        };
        let seller = match row {
            Some(view) => view.seller.clone(),
            None => self.closed(peer, id, action).await?.seller,
        };
        let directory = self.table.directory();
        let (rights, groups) = rights_of(&directory, &peer.caller, &seller, self.clock.now());
        policy::permit(&peer.caller, action, &Rights { groups: &groups, ..rights }, None, Some(&seller))?;
        let decisions = self.journal.decisions(id).await.map_err(|_| unavailable())?;
        Ok(now(move |to| protocol::decisions(&to.id, &decisions)))
    }

    fn config_status(&self) -> Answer {
        let directory = self.table.directory();
        let sellers = directory.sellers.values();
        let json = serde_json::json!({
            "generation": directory.generation,
            "sellers": directory.sellers.len(),
            "sub_accounts": directory.sub_accounts.len(),
            "groups": sellers.clone().map(|seller| seller.groups.len()).sum::<usize>(),
            "bindings": sellers.map(|seller| seller.bindings.len()).sum::<usize>(),
            "warnings": [],
        });
        now(move |to| protocol::raw(&to.id, &json.to_string()))
    }

    fn stats(&self) -> Answer {
        let json = serde_json::json!({
            "connections": self.registry.count(),
            "conversations": self.table.open(),
        });
        now(move |to| protocol::raw(&to.id, &json.to_string()))
    }

    /// A conversation as its row says it, with its agent's name.
    fn shown(&self, conversation: &Conversation) -> Arc<View> {
        let directory = self.table.directory();
        let shown = matches!(conversation.state, State::Active | State::Closed);
        let agent = conversation.agent.as_ref().filter(|_| shown).map(|account| {
            let name = directory.name_of(account).cloned().unwrap_or_else(|| account.as_str().into());
            (account.clone(), name)
        });
        Arc::new(View::of(conversation, agent))
    }

    /// Opens a session: what `made` makes of everything open that concerns the caller is its first frame.
    ///
    /// # Errors
    /// The journal cannot be written now.
    pub async fn open(
        &self,
        peer: &Arc<Peer>,
        status: Option<Status>,
        to: ReplyTo,
        made: impl FnOnce(&ReplyTo, Vec<Arc<View>>, Option<Status>) -> Utf8Bytes + Send + 'static,
    ) -> Result<(), RpcError> {
        self.registry.add(Arc::clone(peer));
        let domains = match &peer.caller {
            Caller::Staff { account, .. } => self.table.domain_of_agent(account).into_iter().collect(),
            Caller::Buyer { key, .. } => self.table.domains_of_buyer(key),
            Caller::Operator { .. } => Vec::new(),
        };
        let (mut views, mut now) = (Vec::new(), None);
        for domain in domains {
            let (seen, status) = self.arrive(domain, peer, status).await?;
            views.extend(seen);
            now = now.or(status);
        }
        if matches!(peer.caller, Caller::Buyer { .. }) {
            self.lanes.attach_everywhere(peer).await;
        }
        self.settled().await?;
        let text = made(&to, views, now);
        to.mailbox.push_first(to.slot, text);
        Ok(())
    }

    /// Arrives in a domain: its lane tells the session everything from just behind what is shown.
    async fn arrive(
        &self,
        domain: DomainId,
        peer: &Arc<Peer>,
        status: Option<Status>,
    ) -> Result<(Vec<Arc<View>>, Option<Status>), RpcError> {
        let slot = self.writer.slot().await.map_err(|_| unavailable())?;
        let attach = self.lanes.reserve(domain).await;
        let done = self.lanes.reserve(domain).await;
        let command = match &peer.caller {
            Caller::Buyer { .. } => Command::BuyerPresence { online: true },
            _ => Command::Arrive { session: peer.session, status },
        };
        let actor = Actor { caller: Some(&peer.caller), session: Some(peer.session) };
        let (result, more) = self.table.act(domain, &actor, command, self.clock.now(), |acted| {
            let position = acted.batch.map(|batch| slot.append(batch));
            attach.send(Item::Attach { peer: Arc::clone(peer) });
            done.send(Item::Done { position, outgoing: acted.outgoing, reply: None });
            (acted.result, acted.more)
        });
        if more {
            self.go_on(domain).await;
        }
        match result {
            Ok(Outcome::Arrived { conversations, status }) => Ok((conversations, status)),
            _ => Ok((Vec::new(), None)),
        }
    }

    /// A session has ended.
    pub async fn leave(&self, peer: &Arc<Peer>) {
        let left = self.registry.remove(peer.session).unwrap_or(0);
        self.lanes.detach_everywhere(peer.session).await;
        let (domains, command) = match &peer.caller {
            Caller::Staff { account, .. } => {
                let domain = self.table.domain_of_agent(account);
                (domain.into_iter().collect(), Command::Leave { session: peer.session })
            }
            Caller::Buyer { key, .. } if left == 0 => {
                (self.table.domains_of_buyer(key), Command::BuyerPresence { online: false })
            }
            _ => return,
        };
        for domain in domains {
            let _ = self.act(domain, peer, command.clone(), &mut None).await;
        }
    }
}

fn now(text: impl FnOnce(&ReplyTo) -> Utf8Bytes + Send + 'static) -> Answer {
    Answer::Now(Ok(Box::new(text)))
}

fn subject(closed: &Conversation) -> Subject<'_> {
    Subject {
        seller: &closed.seller,
        group: &closed.group,
        owner: closed.owner(),
        buyer: &closed.profile.key,
        state: closed.state,
        asked: &closed.asked,
        held: &closed.held,
    }
}

/// What a caller may do for a seller, by the configuration alone, and the groups there of which it is a member.
fn rights_of(
    directory: &Directory,
    caller: &Caller,
    seller: &SellerId,
    now: Timestamp,
) -> (Rights<'static>, Vec<crate::model::GroupId>) {
    let Caller::Staff { account, .. } = caller else { return Default::default() };
    let Some(seller) = directory.sellers.get(seller) else { return Default::default() };
    let Some(authorization) = seller.agents.get(account) else { return Default::default() };
    let in_force = authorization.in_force(now);
    let member = |group: &&crate::directory::Group| group.members.iter().any(|member| member.account == *account);
    let groups = seller.groups.iter().filter(|_| in_force).filter(member).map(|group| group.id.clone()).collect();
    (Rights { authorised: true, scopes: authorization.scopes_at(now), groups: &[] }, groups)
}

/// The side of the protocol on which a peer is.
pub fn class_of(peer: &Peer) -> Class {
    peer.class()
}
