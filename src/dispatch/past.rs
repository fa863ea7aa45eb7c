//! What is read of the past: closed conversations, histories, lists, decisions. Judged by the configuration alone, since
//! the table knows only what is open.

use std::sync::Arc;

use super::{Answer, Dispatch, Refused, now, unavailable};
use crate::delivery::Peer;
use crate::directory::Directory;
use crate::journal::{Filter, Range, Write};
use crate::model::{Caller, ConversationId, SellerId, State, Subject, Timestamp};
use crate::policy::{self, Action, Method, Rights};
use crate::protocol::{self, ListCall, RpcError, Undone};
use crate::routing::{Actor, Batch, Command, Conversation, Event, Outcome, Rating, Refusal, Row, View};

impl Dispatch {
    /// A closed conversation that the caller may do this with.
    pub(super) async fn closed(
        &self,
        peer: &Peer,
        id: ConversationId,
        action: Action,
    ) -> Result<Conversation, Refused> {
        let closed = self.journal.closed(id).await.map_err(|_| unavailable())?.ok_or(Refusal::NotFound)?;
        let directory = self.table.directory();
        let (rights, groups) = rights_of(&directory, &peer.caller, &closed.seller, self.clock.now());
        let subject = subject(&closed);
        let rights = Rights { groups: &groups, ..rights };
        policy::permit(&peer.caller, action, &rights, Some(&subject), None)?;
        Ok(closed)
    }

    pub(super) fn open_with(&self, closed: &Conversation) -> Option<ConversationId> {
        self.table.conversations_of_buyer(&closed.profile.key).into_iter().next()
    }

    pub(super) async fn rate(&self, peer: &Peer, id: ConversationId, rating: Rating) -> Result<Answer, Refused> {
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

    pub(super) async fn history(
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

    pub(super) async fn list(&self, peer: &Peer, call: ListCall) -> Result<Answer, Refused> {
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

    pub(super) async fn explain_past(
        &self,
        peer: &Peer,
        id: ConversationId,
        action: Action,
    ) -> Result<Answer, Refused> {
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
