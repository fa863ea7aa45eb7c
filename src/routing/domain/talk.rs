//! What buyers and agents do in a conversation: start it, write, read, type, bring it back, rate it.

use std::sync::Arc;

use super::command::Answer;
use super::route::Asked;
use super::{Actor, Cause, Change, Domain, Entry, Fresh, Run};
use crate::model::{AccountId, Caller, ConversationId, Sender, State, Timestamp, Visibility};
use crate::policy::Basis;
use crate::routing::event::{Event, Requeue};
use crate::routing::view::{Message, Outcome, Rating};
use crate::routing::{Conversation, Earlier, NewMessage, Refusal, Reopen, Start};

impl Domain {
    pub(super) fn begin(&mut self, start: &Start, now: Timestamp, run: &mut Run) -> Result<Answer, Refusal> {
        let desk = self.desk_at.get(&start.seller).copied().ok_or(Refusal::NotFound)?;
        if let Some(id) = self.open_at(&start.profile.key, desk) {
            if let Some(message) = &start.message {
                self.is_new(id, &Sender::Buyer(start.profile.key.clone()), &message.client_id)?;
            }
            return self.resume(id, start.message.as_ref(), now, run);
        }
        if self.desks[desk].seller.status == crate::directory::ShopStatus::Closed {
            return Err(Refusal::ShopClosed);
        }
        let limit = self.settings.conversations_per_buyer as usize;
        if limit > 0 && start.open >= limit {
            return Err(Refusal::TooMany);
        }
        let group = self.group_id(desk, self.desks[desk].default_group).clone();
        let mut entry = Entry::new(Conversation::begun(start, group, now), desk, self.desks[desk].default_group, false);
        let text = start.message.as_ref().and_then(|message| message.text.as_deref());
        let asked = Asked { profile: &start.profile, context: &start.context, entry: &start.entry, text };
        let fresh = self.route(&mut entry, &asked, Cause::Start, now);
        self.wait_for_recent(&mut entry, now);
        let id = start.conversation;
        self.is_fresh(id, fresh);
        let event = Event::Started { conversation: Box::new(entry.conversation) };
        self.happen(Change::new(event, Cause::Start), now, run);
        run.first = start.message.as_ref().map(|_| (id, run.outgoing.len()));
        let seq = start.message.as_ref().map(|message| self.write(id, None, message, now, run)).transpose()?;
        Ok(Answer::Started { id, resumed: false, seq })
    }

    /// The buyer's open conversation with the seller is the one it gets.
    fn resume(
        &mut self,
        id: ConversationId,
        message: Option<&NewMessage>,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let seq = message.map(|message| self.write(id, None, message, now, run)).transpose()?;
        self.revive(id, now, run);
        Ok(Answer::Started { id, resumed: true, seq })
    }

    /// A left message whose buyer is back waits again, if somebody of its group is online.
    fn revive(&mut self, id: ConversationId, now: Timestamp, run: &mut Run) {
        let Some(entry) = self.conversations.get(&id) else { return };
        let left = entry.conversation.state == State::LeftMessage;
        if !left || self.desks[entry.desk].groups[entry.group].online == 0 {
            return;
        }
        let requeue = Requeue { anew: true, exclude: Vec::new(), transferred: false, note: None };
        let group = entry.conversation.group.clone();
        self.is_fresh(id, Fresh::new(Cause::Returned));
        let event = Event::Queued { conversation: id, group, requeue, at: now };
        self.happen(Change::new(event, Cause::Returned), now, run);
    }

    #[expect(clippy::too_many_arguments, reason = "a message, who sends it and where it goes")]
    pub(super) fn send(
        &mut self,
        actor: &Actor<'_>,
        basis: Basis,
        id: ConversationId,
        message: NewMessage,
        earlier: Earlier,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let asked = matches!(earlier, Earlier::Asked(_));
        if let Earlier::Asked(Some(resent)) = earlier {
            if !resent.same {
                return Err(Refusal::ClientIdReused);
            }
            let outcome = Outcome::Sent { seq: resent.seq, at: resent.at, duplicate: true };
            return Ok(Answer::Ready(outcome));
        }
        let account = if let Some(Caller::Staff { account, .. }) = actor.caller { Some(account) } else { None };
        let sender = match account {
            Some(account) => Sender::Agent(account.clone()),
            None => Sender::Buyer(self.entry(id)?.conversation.profile.key.clone()),
        };
        if !asked && self.entry(id)?.partial {
            return Err(Refusal::Repeats);
        }
        // Before it is asked who owns it now: what was sent then is answered as it was then.
        self.is_new(id, &sender, &message.client_id)?;
        if basis == Basis::Owner && message.visibility == Visibility::All {
            self.owned_by(actor, id)?;
        }
        let seq = self.write(id, account, &message, now, run)?;
        if account.is_none() {
            self.revive(id, now, run);
        }
        Ok(Answer::Ready(Outcome::Sent { seq, at: now, duplicate: false }))
    }

    /// Writes a message: of an agent, or of the buyer.
    fn write(
        &mut self,
        id: ConversationId,
        account: Option<&AccountId>,
        message: &NewMessage,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<u64, Refusal> {
        let entry = self.entry(id)?;
        let tail = &entry.conversation.tail;
        let (sender, name) = match account {
            Some(account) => (
                Sender::Agent(account.clone()),
                self.agent_of(account).map(|agent| Arc::clone(&self.agents[agent].name)),
            ),
            None => {
                let profile = &entry.conversation.profile;
                (Sender::Buyer(profile.key.clone()), profile.name.clone())
            }
        };
        let message = Message {
            conversation: id,
            seq: tail.last_seq + 1,
            prev_for_buyer: tail.last_for_buyer,
            sender,
            name,
            body: message.body.clone(),
            visibility: message.visibility,
            client_id: Some(Arc::clone(&message.client_id)),
            at: now,
        };
        let seq = message.seq;
        self.happen(Change::new(Event::Messaged { message }, Cause::Start), now, run);
        Ok(seq)
    }

    pub(super) fn reopen(
        &mut self,
        actor: &Actor<'_>,
        reopen: Reopen,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let Reopen { closed, message } = reopen;
        if self.conversations.contains_key(&closed.id) {
            // Another session of the buyer was quicker.
            return self.send(actor, Basis::Buyer, closed.id, message, Earlier::Asked(None), now, run);
        }
        let desk = self.desk_at.get(&closed.seller).copied().ok_or(Refusal::Closed { open: None })?;
        if let Some(open) = self.open_at(&closed.profile.key, desk) {
            return Err(Refusal::Closed { open: Some(open) });
        }
        let group = self.group_of(desk, &closed.group).unwrap_or(self.desks[desk].default_group);
        let within = self.desks[desk].config(group).reopen_within;
        let too_late = closed.rare.closed_at.is_none_or(|closed_at| now > closed_at + within);
        if too_late {
            return Err(Refusal::Closed { open: None });
        }
        let id = closed.id;
        let mut entry = Entry::new(closed, desk, group, true);
        let conversation = &mut entry.conversation;
        conversation.rev += 1;
        conversation.state = State::Queued;
        conversation.recent = conversation.held.last().cloned().zip(conversation.rare.closed_at);
        (conversation.agent, conversation.via, conversation.left) = (None, None, None);
        conversation.rare.change(|rare| (rare.bound, rare.closed_at, rare.reason) = (None, None, None));
        (conversation.queued_at, conversation.waiting_since, conversation.counted) = (now, now, true);
        (conversation.assigned_at, conversation.came_by) = (None, None);
        conversation.tail.last_wrote = now;
        self.settle_in(&mut entry, group, now);
        self.wait_for_recent(&mut entry, now);
        self.is_fresh(id, Fresh::new(Cause::Reopen));
        let event = Event::Reopened { conversation: Box::new(entry.conversation), at: now };
        self.happen(Change::new(event, Cause::Reopen), now, run);
        run.first = Some((id, run.outgoing.len()));
        let seq = self.write(id, None, &message, now, run)?;
        Ok(Answer::Ready(Outcome::Sent { seq, at: now, duplicate: false }))
    }

    /// The row of a closed conversation is written under the guard: it may have been reopened since it was read.
    pub(super) fn rate(&self, mut closed: Conversation, rating: Rating, run: &mut Run) -> Result<Answer, Refusal> {
        if self.conversations.contains_key(&closed.id) {
            return Err(Refusal::NotClosed);
        }
        closed.rare.change(|rare| rare.rating = Some(rating.clone()));
        closed.rev += 1;
        run.events.push(Event::Rated { conversation: closed.id, rating });
        run.closed.push(closed);
        Ok(Answer::Ready(Outcome::Done))
    }

    /// Whether a sender has not called a message so before, as far as the table knows.
    fn is_new(&self, id: ConversationId, sender: &Sender, client_id: &str) -> Result<(), Refusal> {
        let hash = self.hash(sender, client_id);
        if self.entry(id)?.hashes.binary_search(&hash).is_ok() { Err(Refusal::Repeats) } else { Ok(()) }
    }

    pub(super) fn read(
        &mut self,
        actor: &Actor<'_>,
        id: ConversationId,
        seq: u64,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let buyer = self.side(actor, id)?;
        let entry = self.entry(id)?;
        let mut tail = entry.conversation.tail;
        let last = if buyer { tail.last_for_buyer } else { tail.last_seq };
        let seq = seq.min(last);
        let mark = if buyer { &mut tail.read_by_buyer } else { &mut tail.read_by_staff };
        if seq > *mark {
            *mark = seq;
            let unread = self.unread_after(entry, seq, buyer);
            if buyer {
                tail.unread_by_buyer = unread
            } else {
                tail.unread_by_staff = unread
            }
            self.happen(Change::new(Event::Read { conversation: id, tail }, Cause::Start), now, run);
            self.tell_read(actor, id, seq, now, run);
        }
        Ok(Answer::Ready(Outcome::Done))
    }

    pub(super) fn typing(
        &self,
        actor: &Actor<'_>,
        id: ConversationId,
        on: bool,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        self.side(actor, id)?;
        self.tell_typing(actor, id, on, now, run);
        Ok(Answer::Ready(Outcome::Done))
    }

    /// Whether the caller is the buyer's side of the conversation; it is its owner otherwise.
    fn side(&self, actor: &Actor<'_>, id: ConversationId) -> Result<bool, Refusal> {
        if matches!(actor.caller, Some(Caller::Buyer { .. })) {
            return Ok(true);
        }
        self.owned_by(actor, id).map(|()| false)
    }
}
