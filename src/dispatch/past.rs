//! What is read of the past: closed conversations, histories, lists, decisions. Judged by the configuration alone, since
//! the table knows only what is open.

use std::sync::Arc;

use super::{Answer, Dispatch, Refused, now, unavailable};
use crate::delivery::{Peer, ReplyTo};
use crate::directory::Directory;
use crate::journal::{Audit, Range, Write};
use crate::model::{Caller, ConversationId, SellerId, State, Subject, Timestamp};
use crate::policy::{self, Action, Method, Rights};
use crate::protocol::{self, RpcError};
use crate::routing::{Command, Conversation, Outcome, Rating, Refusal, View};

impl Dispatch {
    /// A closed conversation that the caller may do this with.
    pub(super) async fn closed(
        &self,
        peer: &Peer,
        id: ConversationId,
        action: Action,
    ) -> Result<Conversation, Refused> {
        // It may have closed just now.
        self.settled().await?;
        let Some(closed) = self.journal.closed(id).await.map_err(|error| self.fault(&error))? else {
            // What closed it may not have been written: then it is open again, and nothing was done.
            let is_open = self.read(peer, Command::Get { conversation: id }).await?;
            return Err(if is_open { unavailable().into() } else { Refusal::NotFound.into() });
        };
        let directory = self.table.directory();
        let (rights, groups) = rights_of(&directory, &peer.caller, &closed.seller, self.clock.now());
        let subject = subject(&closed);
        let rights = Rights { groups: &groups, ..rights };
        policy::permit(&peer.caller, action, &rights, Some(&subject), None)?;
        Ok(closed)
    }

    /// A conversation, open or closed. That an operator looks at it is remembered.
    pub(super) async fn get(
        &self,
        peer: &Arc<Peer>,
        conversation: ConversationId,
        to: &mut Option<ReplyTo>,
    ) -> Result<Answer, Refused> {
        let (get, action) = (|| Command::Get { conversation }, Action::Call(Method::ConversationGet));
        if matches!(peer.caller, Caller::Operator { .. }) {
            if !self.read(peer, get()).await? {
                self.closed(peer, conversation, action).await?;
            }
            self.remember_reading(peer, Method::ConversationGet, conversation).await?;
        }
        if let Some(answer) = self.on(peer, get(), to).await? {
            return Ok(answer);
        }
        let view = self.shown(&self.closed(peer, conversation, action).await?);
        Ok(now(move |to| protocol::reply(&to.id, to.method, to.class, &Ok(Outcome::Conversation(view)))))
    }

    /// What operators read of a conversation is in the audit log before they have it.
    async fn remember_reading(
        &self,
        peer: &Peer,
        method: Method,
        conversation: ConversationId,
    ) -> Result<(), RpcError> {
        let Caller::Operator { sub } = &peer.caller else { return Ok(()) };
        let detail = serde_json::json!({ "conversation": conversation }).to_string();
        let (at, by) = (self.clock.now(), Arc::clone(sub));
        let audit = Audit { at, by, action: method.name().into(), detail: detail.into() };
        let position = self.writer.slot().await.map_err(|_| unavailable())?.write(Write::Audit(audit));
        self.writer.durable(position).await.map_err(|_| unavailable())
    }

    /// What the buyer of a closed conversation has open with the same seller; nobody else is told.
    pub(super) fn open_with(&self, peer: &Peer, closed: &Conversation) -> Option<ConversationId> {
        let Caller::Buyer { key, .. } = &peer.caller else { return None };
        self.table.open_of(key, &closed.seller)
    }

    pub(super) async fn rate(
        &self,
        peer: &Arc<Peer>,
        id: ConversationId,
        rating: Rating,
        to: &mut Option<ReplyTo>,
    ) -> Result<Answer, Refused> {
        if self.table.domain_of_conversation(id).is_some() {
            self.read(peer, Command::Get { conversation: id }).await?;
            return Err(Refusal::NotClosed.into());
        }
        let closed = self.closed(peer, id, Action::Call(Method::ConversationRate)).await?;
        self.act(peer, Command::Rate { closed: Box::new(closed), rating }, to).await
    }

    pub(super) async fn history(
        &self,
        peer: &Peer,
        conversation: ConversationId,
        range: protocol::Range,
        limit: u32,
    ) -> Result<Answer, Refused> {
        if !self.read(peer, Command::ReadHistory { conversation }).await? {
            self.closed(peer, conversation, Action::Call(Method::MessageHistory)).await?;
        }
        self.remember_reading(peer, Method::MessageHistory, conversation).await?;
        let notes = !matches!(peer.caller, Caller::Buyer { .. });
        let asked = range;
        let (after, before) = match asked {
            protocol::Range::After(after) => (Some(after), None),
            protocol::Range::Before(before) => (None, Some(before)),
        };
        let range = Range { conversation, after, before, limit: limit as usize, notes };
        let mut history = self.journal.history(range).await.map_err(|error| self.fault(&error))?;
        history.more |= protocol::shorten(&mut history.messages, asked);
        Ok(now(move |to| protocol::history(&to.id, to.class, &history.messages, history.more)))
    }

    /// Whether an open conversation may be read so by the caller; false if it is not open.
    async fn read(&self, peer: &Peer, command: Command) -> Result<bool, Refused> {
        match self.ask(peer, command).await {
            Ok(_) => Ok(true),
            Err(Refused::Rules(Refusal::NotFound)) => Ok(false),
            Err(refused) => Err(refused),
        }
    }

    pub(super) async fn explain_past(
        &self,
        peer: &Peer,
        conversation: ConversationId,
        action: Action,
    ) -> Result<Answer, Refused> {
        if !self.read(peer, Command::ExplainPast { conversation }).await? {
            self.closed(peer, conversation, action).await?;
        }
        let decisions = self.journal.decisions(conversation).await.map_err(|error| self.fault(&error))?;
        Ok(now(move |to| protocol::decisions(&to.id, &decisions)))
    }

    /// A conversation as its row says it, with its agent's name.
    pub(super) fn shown(&self, conversation: &Conversation) -> Arc<View> {
        let directory = self.table.directory();
        let shown = matches!(conversation.state, State::Active | State::Closed);
        let agent = conversation.agent.as_ref().filter(|_| shown).map(|account| {
            let name = directory.name_of(account).cloned().unwrap_or_else(|| account.as_str().into());
            (account.clone(), name)
        });
        Arc::new(View::of(conversation, agent))
    }
}

pub(super) fn subject(closed: &Conversation) -> Subject<'_> {
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
pub(super) fn rights_of(
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
