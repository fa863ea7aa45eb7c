//! Who is told what of a change.

use std::sync::Arc;

use super::{Actor, Cause, Change, Domain, Entry, Run};
use crate::model::{AccountId, ConversationId, Sender, State, Timestamp, Visibility};
use crate::routing::deadline::Due;
use crate::routing::event::Event;
use crate::routing::view::{Notice, OfferEnd, Outgoing, Recipient, View};

/// What has to be known of a conversation from before a change.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    state: Option<State>,
    agent: Option<AccountId>,
    left: bool,
}

impl Domain {
    /// What is known of the conversation of an event before it is applied.
    pub(super) fn before(&self, event: &Event) -> Before {
        let id = match event {
            Event::Offered { conversation, .. }
            | Event::OfferEnded { conversation, .. }
            | Event::Assigned { conversation, .. }
            | Event::Queued { conversation, .. }
            | Event::Left { conversation, .. }
            | Event::Closed { conversation, .. } => conversation,
            _ => return Before::default(),
        };
        self.conversations.get(id).map_or_else(Before::default, |entry| Before {
            state: Some(entry.conversation.state),
            agent: entry.conversation.agent.clone(),
            left: entry.conversation.left.is_some(),
        })
    }

    /// Gathers who is told what of a change that has been applied.
    pub(super) fn tell(&mut self, change: &Change, before: Before, now: Timestamp, run: &mut Run) {
        match &change.event {
            Event::Started { .. }
            | Event::Regrouped { .. }
            | Event::Rotated { .. }
            | Event::Missed { .. }
            | Event::Read { .. } => {}
            Event::Reopened { conversation, .. } => {
                let by = crate::routing::By::Buyer;
                // Its side of the seller's is who held it last, whoever will have it now.
                let desk = self.desk_at.get(&conversation.seller).copied();
                let last = conversation.held.last();
                let last = last.filter(|last| desk.is_some_and(|desk| self.is_in_force(last, desk, now)));
                let last = last.cloned().map(Recipient::Staff);
                self.tell_view(conversation.id, last, now, run, |view| Notice::Reopened { view, by });
                self.tell_last_holder(conversation.id, now, run);
            }
            Event::Messaged { message } => self.tell_message(message, now, run),
            Event::Offered { conversation, agent, .. } => {
                let Some(entry) = self.conversations.get(conversation) else { return };
                let notice = Notice::Offered { view: self.view(entry, now) };
                self.to(entry, vec![Recipient::Staff(agent.clone())], notice, run);
                self.tell_queue_moved(entry.desk, now);
            }
            Event::OfferEnded { conversation, why, .. } => self.tell_offer_end(*conversation, before.agent, *why, run),
            Event::Assigned { conversation, .. } => self.tell_assigned(*conversation, change, before, now, run),
            Event::Queued { conversation, .. } => self.tell_queued(*conversation, change.cause, before, run),
            Event::Left { conversation, reason, .. } => {
                let Some(entry) = self.conversations.get(conversation) else { return };
                let (desk, reason) = (entry.desk, *reason);
                let notice = Notice::LeftMessage { conversation: *conversation, reason, text: change.note.clone() };
                self.to(entry, vec![buyer(entry)], notice, run);
                self.tell_queue_moved(desk, now);
            }
            Event::Closed { conversation, by, reason, .. } => {
                if before.state == Some(State::Offered) {
                    self.tell_offer_end(*conversation, before.agent, OfferEnd::Withdrawn, run);
                }
                let reason = reason.clone();
                let owner = self.owner_at_end(*conversation, now, run);
                self.tell_view(*conversation, owner, now, run, |view| Notice::Closed { view, by: *by, reason });
                let desk = self.conversations.get(conversation).map(|entry| entry.desk);
                self.forget(*conversation, run);
                if let Some(desk) = desk {
                    self.tell_queue_moved(desk, now);
                }
            }
            Event::StatusSet { agent, status, cause, .. } => {
                let desks = self.desks_of(agent);
                for desk in desks {
                    let notice =
                        Notice::Presence { agent: agent.clone(), status: *status, cause: *cause, seller: None };
                    self.tell_presence(desk, agent, notice, now, run);
                }
            }
            Event::Paused { agent, seller, status, .. } => {
                let Some(desk) = self.desk_at.get(seller).copied() else { return };
                // It may have ended because the agent does not act for the seller any more.
                let own = self.agent_of(agent).filter(|agent| self.agents[*agent].post(desk).is_some());
                let Some(own) = own.map(|agent| self.agents[agent].status) else { return };
                let status = status.unwrap_or(own);
                let cause = crate::routing::PresenceCause::Paused;
                let notice = Notice::Presence { agent: agent.clone(), status, cause, seller: Some(seller.clone()) };
                self.tell_presence(desk, agent, notice, now, run);
            }
            Event::Decided { conversation, .. } => self.tell_waiting(*conversation, now, run),
            Event::RecentWaitEnded { .. }
            | Event::RoundEnded { .. }
            | Event::BoundChanged { .. }
            | Event::Readmitted { .. }
            | Event::Rated { .. }
            | Event::BuyerSeen { .. } => {}
        }
    }

    fn tell_message(&mut self, message: &crate::routing::Message, now: Timestamp, run: &mut Run) {
        let Some(entry) = self.conversations.get(&message.conversation) else { return };
        let answers = entry.conversation.first_reply_at == Some(message.at);
        let desk = entry.desk;
        let mut to = self.staff_in(entry, now);
        if message.visibility == Visibility::All {
            to.push(buyer(entry));
        } else if let Sender::Agent(author) = &message.sender {
            to.push(Recipient::Staff(author.clone()));
        }
        let outgoing = Outgoing {
            to,
            except: run.session.filter(|_| message.sender != Sender::System),
            seller: entry.conversation.seller.clone(),
            notice: Notice::Message(message.clone()),
            droppable: false,
        };
        run.outgoing.push(outgoing);
        // The first answer is one of the desk's figures.
        if answers {
            self.tell_desk_changed(desk, now);
        }
    }

    /// The one who holds a conversation, and those who follow it.
    fn staff_in(&self, entry: &Entry, now: Timestamp) -> Vec<Recipient> {
        let agent = self.owner_in_force(entry, now).cloned();
        let mut to: Vec<Recipient> = agent.map(Recipient::Staff).into_iter().collect();
        to.extend(self.desks[entry.desk].listeners.watchers(entry.conversation.id).cloned().map(Recipient::Staff));
        to
    }

    fn tell_view(
        &self,
        id: ConversationId,
        agent: Option<Recipient>,
        now: Timestamp,
        run: &mut Run,
        notice: impl FnOnce(Arc<View>) -> Notice,
    ) {
        let Some(entry) = self.conversations.get(&id) else { return };
        let mut to = Vec::with_capacity(2);
        to.extend(std::iter::once(buyer(entry)).chain(agent));
        to.extend(self.desks[entry.desk].listeners.watchers(entry.conversation.id).cloned().map(Recipient::Staff));
        self.to(entry, to, notice(self.view(entry, now)), run);
    }

    /// Who held it last hears that it is open again, whoever gets it now, if it may still act for the seller.
    fn tell_last_holder(&self, id: ConversationId, now: Timestamp, run: &mut Run) {
        let Some(entry) = self.conversations.get(&id) else { return };
        let Some(holder) = entry.conversation.held.last().cloned() else { return };
        if self.is_in_force(&holder, entry.desk, now) {
            tell_reopened_to(id, holder, run);
        }
    }

    fn owner_of(&self, id: ConversationId) -> Option<Recipient> {
        self.conversations.get(&id)?.conversation.agent.clone().map(Recipient::Staff)
    }

    /// Who owns what has ended. Who may not act for the seller any more hears that it has lost it, and nothing else.
    fn owner_at_end(&self, id: ConversationId, now: Timestamp, run: &mut Run) -> Option<Recipient> {
        let entry = self.conversations.get(&id)?;
        let owner = entry.conversation.agent.clone()?;
        let agent = self.agent_of(&owner);
        let barred = agent.map_or(Some(Cause::Unauthorized), |agent| self.barred(agent, entry.desk, now));
        match barred.filter(|_| self.directory.sellers.contains_key(&entry.conversation.seller)) {
            None => Some(Recipient::Staff(owner)),
            Some(cause) => {
                let notice = Notice::Unassigned { conversation: id, cause, to: None };
                self.to(entry, vec![Recipient::Staff(owner)], notice, run);
                None
            }
        }
    }

    fn is_in_force(&self, account: &AccountId, desk: usize, now: Timestamp) -> bool {
        let post = self.agent_of(account).and_then(|agent| self.agents[agent].post(desk));
        post.is_some_and(|post| now < post.in_force_until)
    }

    /// Who owns it, unless it is about to lose it because it may not act for the seller any more.
    pub(super) fn owner_in_force<'e>(&self, entry: &'e Entry, now: Timestamp) -> Option<&'e AccountId> {
        let owner = entry.conversation.owner()?;
        self.is_in_force(owner, entry.desk, now).then_some(owner)
    }

    fn tell_offer_end(&self, id: ConversationId, agent: Option<AccountId>, why: OfferEnd, run: &mut Run) {
        let (Some(entry), Some(agent)) = (self.conversations.get(&id), agent) else { return };
        self.to(entry, vec![Recipient::Staff(agent)], Notice::OfferEnded { conversation: id, why }, run);
    }

    fn tell_assigned(&mut self, id: ConversationId, change: &Change, before: Before, now: Timestamp, run: &mut Run) {
        let Some(entry) = self.conversations.get(&id) else { return };
        let (desk, owner) = (entry.desk, entry.conversation.agent.clone());
        match before.state {
            Some(State::Offered) => {
                let accepted = before.agent == owner;
                let why = if accepted { OfferEnd::Accepted } else { OfferEnd::Withdrawn };
                self.tell_offer_end(id, before.agent, why, run);
            }
            Some(State::Active) if before.agent != owner => {
                run.unassigned.extend(before.agent.map(|before| (id, before, change.cause)));
            }
            _ => {}
        }
        if let Some(owner) = owner.filter(|_| before.state != Some(State::Active)) {
            tell_reopened_to(id, owner, run);
        }
        let (cause, note) = (change.cause, change.note.clone());
        let owner = self.owner_of(id);
        self.tell_view(id, owner, now, run, |view| Notice::Assigned { view, cause, note });
        self.tell_queue_moved(desk, now);
    }

    fn tell_queued(&mut self, id: ConversationId, cause: Cause, before: Before, run: &mut Run) {
        if before.state == Some(State::Active) {
            run.unassigned.extend(before.agent.clone().map(|agent| (id, agent, cause)));
        }
        if before.state == Some(State::Active) && !self.work.fresh.contains_key(&id) {
            self.is_fresh(id, super::Fresh::new(cause));
        }
        if before.state == Some(State::Offered) && !before.left {
            self.tell_offer_end(id, before.agent, OfferEnd::Withdrawn, run);
        }
    }

    /// A conversation waits: its buyer and the desk are told where.
    fn tell_waiting(&mut self, id: ConversationId, now: Timestamp, run: &mut Run) {
        let Some(entry) = self.conversations.get(&id).filter(|entry| entry.conversation.state == State::Queued) else {
            return;
        };
        let place = self.place(entry, now);
        let (desk, group) = (entry.desk, self.group_id(entry.desk, entry.group).clone());
        let mut to = vec![buyer(entry)];
        to.extend(self.desks[desk].listeners.subscribers().iter().cloned().map(Recipient::Staff));
        self.to(entry, to, Notice::Queued { conversation: id, group, place }, run);
        if let Some(entry) = self.conversations.get_mut(&id) {
            entry.told = Some((place.position, now));
        }
        self.tell_queue_moved(desk, now);
    }

    /// A conversation as its owner was told of it by this command, if nothing has changed since.
    pub(super) fn last_told(&self, id: ConversationId, run: &Run) -> Option<Arc<View>> {
        let conversation = &self.conversations.get(&id)?.conversation;
        run.outgoing.iter().rev().find_map(|outgoing| match &outgoing.notice {
            Notice::Assigned { view, .. } if view.id == id && view.rev == conversation.rev => Some(Arc::clone(view)),
            _ => None,
        })
    }

    /// Owners who lost a conversation are told who has it now, if anybody, and if the seller's people still concern
    /// them: a suspended one may go on reading what it held, one without an authorization may not.
    pub(super) fn tell_unassigned(&self, run: &mut Run) {
        for (id, agent, cause) in std::mem::take(&mut run.unassigned) {
            let Some(entry) = self.conversations.get(&id) else { continue };
            let concerned = self.agent_of(&agent).is_some_and(|agent| self.agents[agent].post(entry.desk).is_some());
            let to = entry.conversation.owner().filter(|_| concerned).cloned();
            let (seller, recipient) = (entry.conversation.seller.clone(), Recipient::Staff(agent));
            // Before it hears of what it was given instead: nobody sees itself over its limit.
            let given = |outgoing: &Outgoing| {
                let other = match &outgoing.notice {
                    Notice::Assigned { view, .. } | Notice::Offered { view } => view.id != id,
                    _ => false,
                };
                other && outgoing.to.contains(&recipient)
            };
            let place = run.outgoing.iter().position(given).unwrap_or(run.outgoing.len());
            let notice = Notice::Unassigned { conversation: id, cause, to };
            let to = vec![recipient];
            run.outgoing.insert(place, Outgoing { to, except: None, seller, notice, droppable: false });
        }
    }

    fn tell_presence(&mut self, desk: usize, agent: &AccountId, notice: Notice, now: Timestamp, run: &mut Run) {
        let desk_state = &self.desks[desk];
        let mut to: Vec<_> = desk_state.listeners.subscribers().iter().cloned().map(Recipient::Staff).collect();
        to.push(Recipient::Staff(agent.clone()));
        // Told once a seller: who serves several would hear of itself as often.
        if let Some(earlier) = run.outgoing.iter().position(|outgoing| outgoing.notice == notice) {
            to.retain(|recipient| !run.outgoing[earlier].to.contains(recipient));
        }
        let seller = desk_state.seller.id.clone();
        run.outgoing.push(Outgoing { to, except: None, seller, notice, droppable: false });
        self.tell_desk_changed(desk, now);
    }

    pub(super) fn tell_read(&self, actor: &Actor<'_>, id: ConversationId, seq: u64, now: Timestamp, run: &mut Run) {
        self.to_other_side(actor, id, now, run, |by| Notice::Read { conversation: id, by, seq });
    }

    pub(super) fn tell_typing(&self, actor: &Actor<'_>, id: ConversationId, on: bool, now: Timestamp, run: &mut Run) {
        self.to_other_side(actor, id, now, run, |by| Notice::Typing { conversation: id, by, on });
        if let Some(outgoing) = run.outgoing.last_mut() {
            outgoing.droppable = true;
        }
    }

    fn to_other_side(
        &self,
        actor: &Actor<'_>,
        id: ConversationId,
        now: Timestamp,
        run: &mut Run,
        notice: impl FnOnce(super::super::Side) -> Notice,
    ) {
        let (Some(entry), Some(side)) = (self.conversations.get(&id), Self::as_side(actor)) else { return };
        let to = match &side {
            super::super::Side::Buyer(_) => self.staff_in(entry, now),
            super::super::Side::Agent(_) => vec![buyer(entry)],
        };
        self.to(entry, to, notice(side), run);
    }

    pub(super) fn tell_buyer_presence(
        &self,
        id: ConversationId,
        online: bool,
        since: Timestamp,
        now: Timestamp,
        run: &mut Run,
    ) {
        let Some(entry) = self.conversations.get(&id) else { return };
        let Some(owner) = self.owner_in_force(entry, now).cloned() else { return };
        let notice = Notice::BuyerPresence { conversation: id, online, since };
        self.to(entry, vec![Recipient::Staff(owner)], notice, run);
        if let Some(outgoing) = run.outgoing.last_mut() {
            outgoing.droppable = true;
        }
    }

    /// Places in a desk's queues have changed, or its figures: those who wait and those who look are told, in time.
    pub(super) fn tell_queue_moved(&mut self, desk: usize, now: Timestamp) {
        let told = self.settings.positions_per_second > 0;
        if told && self.desks[desk].groups.iter().any(|group| group.moved && !group.queue.is_empty()) {
            self.arm(Due::Sweep(desk), now + super::tick::ONCE);
        }
        self.tell_desk_changed(desk, now);
    }

    /// A desk's figures have changed: those who look at it are told, in time.
    fn tell_desk_changed(&mut self, desk: usize, now: Timestamp) {
        if let Some(at) = self.desks[desk].listeners.due(now) {
            self.arm(Due::Subscribers(desk), at);
        }
    }

    pub(super) fn to(&self, entry: &Entry, to: Vec<Recipient>, notice: Notice, run: &mut Run) {
        if to.is_empty() {
            return;
        }
        let seller = entry.conversation.seller.clone();
        run.outgoing.push(Outgoing { to, except: None, seller, notice, droppable: false });
    }

    fn desks_of(&self, account: &AccountId) -> Vec<usize> {
        let agent = self.agent_of(account);
        agent.into_iter().flat_map(|agent| self.agents[agent].posts.iter().map(|post| post.desk)).collect()
    }
}

/// Adds somebody to those who hear that a conversation was reopened by this command, if it was.
fn tell_reopened_to(id: ConversationId, account: AccountId, run: &mut Run) {
    let reopened =
        |outgoing: &&mut Outgoing| matches!(&outgoing.notice, Notice::Reopened { view, .. } if view.id == id);
    if let Some(outgoing) = run.outgoing.iter_mut().find(reopened) {
        outgoing.to.push(Recipient::Staff(account));
    }
}

/// The buyer of a conversation.
pub(super) fn buyer(entry: &Entry) -> Recipient {
    Recipient::Buyer(entry.conversation.profile.key.clone())
}
