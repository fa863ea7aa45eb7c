//! What is asked of the domain: permission, then the rules of the state, then the first events; the rest settles.

use std::sync::Arc;

use super::route::{Asked, beginning};
use super::{Actor, Cause, Change, Domain, Entry, Fresh, Run};
use crate::model::{
    AccountId, Caller, ConversationId, SellerId, Sender, State, Status, Subject, Timestamp, Visibility,
};
use crate::policy::{self, Action, Basis, Method, Permit, Rights};
use crate::routing::event::{Event, Requeue};
use crate::routing::view::{By, Message, Outcome};
use crate::routing::{Command, Conversation, NewMessage, Rating, Refusal, Reopen, Resent, Side, Start};

/// What a command comes to, before everything has settled: what is shown is taken afterwards.
pub(super) enum Answer {
    Started {
        id: ConversationId,
        resumed: bool,
        seq: Option<u64>,
    },
    Show(ConversationId),
    Ready(Outcome),
    /// The status of an agent, after everything.
    Status {
        agent: usize,
        desk: Option<usize>,
    },
    /// What a session sees on its arrival, and whose status it has.
    Arrived {
        conversations: Vec<Arc<super::super::View>>,
        agent: Option<usize>,
    },
}

impl Domain {
    /// Judges and begins a command.
    pub(super) fn carry_out(
        &mut self,
        actor: &Actor<'_>,
        command: Command,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let basis = self.judge(actor, &command, now)?;
        let cause = command.cause();
        match command {
            Command::Start(start) => self.begin(&start, now, run),
            Command::Send { conversation, message, resent } => {
                self.send(actor, basis, conversation, message, resent, now, run)
            }
            Command::Reopen(reopen) => self.reopen(actor, *reopen, now, run),
            Command::Rate { closed, rating } => self.rate(*closed, rating, run),
            Command::Read { conversation, seq } => self.read(actor, conversation, seq, now, run),
            Command::Typing { conversation, on } => self.typing(actor, conversation, on, run),
            Command::Close { conversation, reason, if_rev } => {
                self.ask_close(actor, basis, conversation, reason, if_rev, now, run)
            }
            Command::Accept { conversation } => self.accept(actor, conversation, now, run),
            Command::Decline { conversation, .. } => self.decline(actor, conversation, now, run),
            Command::Transfer { conversation, to, note, force, if_rev } => {
                self.transfer(actor, basis, conversation, &to, note, force, if_rev, now, run)
            }
            Command::Claim { conversation, force, if_rev } => {
                let account = staff(actor)?.clone();
                self.hand_over(conversation, &account, cause, force, if_rev, now, run)
            }
            Command::Assign { conversation, agent, force, if_rev } => {
                self.hand_over(conversation, &agent, cause, force, if_rev, now, run)
            }
            Command::Watch { conversation, on } => self.watch(actor, conversation, on),
            Command::Get { conversation } => Ok(Answer::Show(conversation)),
            Command::ReadHistory { conversation } => {
                let notes = !matches!(actor.caller, Some(Caller::Buyer { .. }));
                let last_seq = self.entry(conversation)?.conversation.tail.last_seq;
                Ok(Answer::Ready(Outcome::Readable { last_seq, notes }))
            }
            Command::SetStatus { agent, seller, status, reroute } => {
                self.set_status(actor, agent, seller, status, reroute, now, run)
            }
            Command::Arrive { session, status } => self.arrive(actor, session, status, now, run),
            Command::Leave { session } => self.depart(actor, session, now),
            Command::BuyerPresence { online } => self.buyer_presence(actor, online, now, run),
            Command::ViewDesk { seller, subscribe } => self.view_desk(actor, &seller, subscribe, now),
            Command::Explain(hypothesis) => self.explain(&hypothesis, now),
            Command::ExplainPast { .. } => Ok(Answer::Ready(Outcome::Done)),
            Command::ListOpen { seller, buyer } => Ok(self.list_open(actor, seller.as_ref(), buyer.as_deref(), now)),
            Command::Tick => {
                self.tick(now, run);
                Ok(Answer::Ready(Outcome::Done))
            }
        }
    }

    /// Asks the policy, about what is true now.
    fn judge(&self, actor: &Actor<'_>, command: &Command, now: Timestamp) -> Result<Basis, Refusal> {
        let (Some(action), Some(caller)) = (command.action(), actor.caller) else { return Ok(Basis::Anybody) };
        let seller = match command {
            Command::ViewDesk { seller, .. } => Some(seller),
            Command::Explain(hypothesis) => Some(&hypothesis.seller),
            Command::ListOpen { seller, .. } | Command::SetStatus { seller, .. } => seller.as_ref(),
            _ => None,
        };
        let entry = match command {
            Command::Reopen(_) | Command::Rate { .. } => None,
            command => command.conversation().map(|id| self.entry(id)).transpose()?,
        };
        if matches!(command, Command::Reopen(_) | Command::Rate { .. }) {
            return Ok(Basis::Buyer);
        }
        if matches!(command, Command::SetStatus { agent: None, .. }) {
            return self.judge_own_status(caller, now);
        }
        let desk = entry.map(|entry| entry.desk).or_else(|| self.desk_at.get(seller?).copied());
        let (rights, groups) = self.rights(caller, desk, now);
        let rights = Rights { groups: &groups, ..rights };
        let subject = entry.map(|entry| self.subject(entry));
        let permit = policy::permit(caller, action, &rights, subject.as_ref(), seller)?;
        if force_of(command) {
            policy::permit(caller, Action::Force, &rights, subject.as_ref(), seller)?;
        }
        Ok(Permit::basis(&permit))
    }

    /// One's own status may be set by whoever may set it for any seller.
    fn judge_own_status(&self, caller: &Caller, now: Timestamp) -> Result<Basis, Refusal> {
        let Caller::Staff { account, .. } = caller else { return Err(policy::Denied::Role.into()) };
        let agent = self.agent_of(account).ok_or(Refusal::NotFound)?;
        let scopes = self.agents[agent].posts.iter().filter(|post| now < post.in_force_until);
        let scopes = scopes.fold(policy::ScopeSet::EMPTY, |all, post| all.union(post.scopes));
        let rights = Rights { authorised: true, scopes, groups: &[] };
        Ok(policy::permit(caller, Action::Call(Method::PresenceSet), &rights, None, None)?.basis())
    }

    /// What a caller may do for a seller now, and the groups there of which it is a member.
    pub(super) fn rights(
        &self,
        caller: &Caller,
        desk: Option<usize>,
        now: Timestamp,
    ) -> (Rights<'static>, Vec<crate::model::GroupId>) {
        let (Caller::Staff { account, .. }, Some(desk)) = (caller, desk) else { return Default::default() };
        let Some(agent) = self.agent_of(account) else { return Default::default() };
        let Some(post) = self.agents[agent].post(desk) else { return Default::default() };
        let in_force = now < post.in_force_until;
        let own = policy::ScopeSet::of(&[policy::Scope::ReadOwn]);
        let scopes = if in_force { post.scopes } else { post.scopes.intersection(own) };
        let seats = self.agents[agent].seats.iter().filter(|seat| seat.desk == desk && in_force);
        let groups = seats.map(|seat| self.group_id(desk, seat.group).clone()).collect();
        (Rights { authorised: true, scopes, groups: &[] }, groups)
    }

    pub(super) fn subject<'a>(&'a self, entry: &'a Entry) -> Subject<'a> {
        let conversation = &entry.conversation;
        Subject {
            seller: &conversation.seller,
            group: &conversation.group,
            owner: conversation.owner(),
            buyer: &conversation.profile.key,
            state: conversation.state,
            asked: &conversation.asked,
            held: &conversation.held,
        }
    }

    fn begin(&mut self, start: &Start, now: Timestamp, run: &mut Run) -> Result<Answer, Refusal> {
        let desk = self.desk_at.get(&start.seller).copied().ok_or(Refusal::NotFound)?;
        if let Some(id) = self.desks[desk].open_of.get(&start.profile.key).copied() {
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
        let mut entry = Entry::new(beginning(start, group, now), desk, self.desks[desk].default_group, false);
        let text = start.message.as_ref().and_then(|message| message.text.as_deref());
        let asked = Asked { profile: &start.profile, context: &start.context, entry: &start.entry, text };
        let fresh = self.route(&mut entry, &asked, Cause::Start, now);
        self.wait_for_recent(&mut entry, now);
        let id = start.conversation;
        self.is_fresh(id, fresh);
        let event = Event::Started { conversation: Box::new(entry.conversation) };
        self.happen(Change::new(event, Cause::Start), now, run);
        self.count_started(desk, &start.entry, now);
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
    fn send(
        &mut self,
        actor: &Actor<'_>,
        basis: Basis,
        id: ConversationId,
        message: NewMessage,
        resent: Option<Resent>,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        if let Some(resent) = resent {
            if !resent.same {
                return Err(Refusal::ClientIdReused);
            }
            let outcome = Outcome::Sent { seq: resent.seq, at: resent.at, duplicate: true };
            return Ok(Answer::Ready(outcome));
        }
        if basis == Basis::Owner && message.visibility == Visibility::All {
            self.owned_by(actor, id)?;
        }
        let account = if let Some(Caller::Staff { account, .. }) = actor.caller { Some(account) } else { None };
        let sender = match account {
            Some(account) => Sender::Agent(account.clone()),
            None => Sender::Buyer(self.entry(id)?.conversation.profile.key.clone()),
        };
        self.is_new(id, &sender, &message.client_id)?;
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

    fn reopen(&mut self, actor: &Actor<'_>, reopen: Reopen, now: Timestamp, run: &mut Run) -> Result<Answer, Refusal> {
        let Reopen { closed, message } = reopen;
        if self.conversations.contains_key(&closed.id) {
            // Another session of the buyer was quicker.
            return self.send(actor, Basis::Buyer, closed.id, message, None, now, run);
        }
        let desk = self.desk_at.get(&closed.seller).copied().ok_or(Refusal::Closed { open: None })?;
        if let Some(open) = self.desks[desk].open_of.get(&closed.profile.key) {
            return Err(Refusal::Closed { open: Some(*open) });
        }
        let group = self.group_of(desk, &closed.group).unwrap_or(self.desks[desk].default_group);
        let within = self.desks[desk].config(group).reopen_within;
        let too_late = closed.closed_at.is_none_or(|closed_at| now > closed_at + within);
        if too_late {
            return Err(Refusal::Closed { open: None });
        }
        let id = closed.id;
        let mut entry = Entry::new(closed, desk, group, true);
        let conversation = &mut entry.conversation;
        conversation.rev += 1;
        conversation.state = State::Queued;
        conversation.recent = conversation.held.last().cloned().zip(conversation.closed_at);
        (conversation.agent, conversation.via, conversation.bound) = (None, None, None);
        (conversation.queued_at, conversation.waiting_since, conversation.counted) = (now, now, true);
        (conversation.assigned_at, conversation.closed_at) = (None, None);
        (conversation.reason, conversation.left) = (None, None);
        conversation.tail.last_wrote = now;
        self.settle_in(&mut entry, group, now);
        self.wait_for_recent(&mut entry, now);
        self.is_fresh(id, Fresh::new(Cause::Reopen));
        let event = Event::Reopened { conversation: Box::new(entry.conversation), at: now };
        self.happen(Change::new(event, Cause::Reopen), now, run);
        let seq = self.write(id, None, &message, now, run)?;
        Ok(Answer::Ready(Outcome::Sent { seq, at: now, duplicate: false }))
    }

    /// The row of a closed conversation is written under the guard: it may have been reopened since it was read.
    fn rate(&self, mut closed: Conversation, rating: Rating, run: &mut Run) -> Result<Answer, Refusal> {
        if self.conversations.contains_key(&closed.id) {
            return Err(Refusal::NotClosed);
        }
        closed.rating = Some(rating.clone());
        closed.rev += 1;
        run.events.push(Event::Rated { conversation: closed.id, rating });
        run.closed.push(closed);
        Ok(Answer::Ready(Outcome::Done))
    }

    /// Whether a sender has not called a message so before, as far as the table knows.
    fn is_new(&self, id: ConversationId, sender: &Sender, client_id: &str) -> Result<(), Refusal> {
        let hash = self.hash(sender, client_id);
        if self.entry(id)?.hashes.contains(&hash) { Err(Refusal::Repeats) } else { Ok(()) }
    }

    fn read(
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
            self.tell_read(actor, id, seq, run);
        }
        Ok(Answer::Ready(Outcome::Done))
    }

    fn typing(&self, actor: &Actor<'_>, id: ConversationId, on: bool, run: &mut Run) -> Result<Answer, Refusal> {
        self.side(actor, id)?;
        self.tell_typing(actor, id, on, run);
        Ok(Answer::Ready(Outcome::Done))
    }

    /// Whether the caller is the buyer's side of the conversation; it is its owner otherwise.
    fn side(&self, actor: &Actor<'_>, id: ConversationId) -> Result<bool, Refusal> {
        if matches!(actor.caller, Some(Caller::Buyer { .. })) {
            return Ok(true);
        }
        self.owned_by(actor, id).map(|()| false)
    }

    /// What a caller is in a conversation, for those who are told.
    pub(super) fn as_side(actor: &Actor<'_>) -> Option<Side> {
        match actor.caller? {
            Caller::Buyer { key, .. } => Some(Side::Buyer(key.clone())),
            Caller::Staff { account, .. } => Some(Side::Agent(account.clone())),
            Caller::Operator { .. } => None,
        }
    }

    pub(super) fn owned_by(&self, actor: &Actor<'_>, id: ConversationId) -> Result<(), Refusal> {
        let owner = self.entry(id)?.conversation.owner();
        if owner.is_some() && owner == Some(staff(actor)?) { Ok(()) } else { Err(Refusal::NotOwner) }
    }

    #[expect(clippy::too_many_arguments, reason = "the members of the call")]
    fn ask_close(
        &mut self,
        actor: &Actor<'_>,
        basis: Basis,
        id: ConversationId,
        reason: Option<Arc<str>>,
        if_rev: Option<u64>,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        if basis == Basis::Owner {
            self.owned_by(actor, id)?;
        }
        self.unchanged(id, if_rev)?;
        let by = if basis == Basis::Buyer { By::Buyer } else { By::Agent };
        let event = Event::Closed { conversation: id, by, reason, at: now };
        self.happen(Change::new(event, Cause::Start), now, run);
        Ok(Answer::Show(id))
    }

    pub(super) fn unchanged(&self, id: ConversationId, if_rev: Option<u64>) -> Result<(), Refusal> {
        let rev = self.entry(id)?.conversation.rev;
        if if_rev.is_some_and(|seen| seen != rev) { Err(Refusal::Changed) } else { Ok(()) }
    }

    fn watch(&mut self, actor: &Actor<'_>, id: ConversationId, on: bool) -> Result<Answer, Refusal> {
        let account = staff(actor)?.clone();
        let entry = self.conversations.get_mut(&id).ok_or(Refusal::NotFound)?;
        entry.watchers.retain(|watcher| *watcher != account);
        if on {
            entry.watchers.push(account);
        }
        Ok(Answer::Ready(Outcome::Done))
    }

    fn list_open(&self, actor: &Actor<'_>, seller: Option<&SellerId>, buyer: Option<&str>, now: Timestamp) -> Answer {
        let mut views: Vec<_> = self
            .conversations
            .values()
            .filter(|entry| seller.is_none_or(|seller| entry.conversation.seller == *seller))
            .filter(|entry| buyer.is_none_or(|buyer| &*entry.conversation.profile.key.sub == buyer))
            .filter(|entry| self.is_listed(actor, entry, seller.is_some(), now))
            .map(|entry| self.view(entry, now))
            .collect();
        views.sort_by_key(|view| std::cmp::Reverse(view.id));
        Answer::Ready(Outcome::Conversations(views))
    }

    fn is_listed(&self, actor: &Actor<'_>, entry: &Entry, by_seller: bool, now: Timestamp) -> bool {
        match actor.caller {
            Some(Caller::Buyer { key, .. }) => entry.conversation.profile.key == *key,
            Some(Caller::Staff { account, .. }) if !by_seller => {
                entry.conversation.owner() == Some(account) || entry.conversation.held.contains(account)
            }
            Some(caller @ Caller::Staff { .. }) => {
                let (rights, groups) = self.rights(caller, Some(entry.desk), now);
                policy::sees(caller, &Rights { groups: &groups, ..rights }, &self.subject(entry))
            }
            Some(Caller::Operator { .. }) => true,
            None => false,
        }
    }

    fn count_started(&mut self, desk: usize, entry: &crate::model::EntryId, now: Timestamp) {
        let today = self.desks[desk].today(now);
        today.started += 1;
        today.entries.entry(entry.clone()).or_default().0 += 1;
    }

    /// What is shown of a command's answer, now that everything has settled.
    pub(super) fn outcome(&self, answer: Answer, _actor: &Actor<'_>, run: &Run, now: Timestamp) -> Outcome {
        let show = |id: ConversationId| {
            let closed = run.closed.iter().find(|closed| closed.id == id);
            self.conversations
                .get(&id)
                .map(|entry| self.view(entry, now))
                .or_else(|| closed.map(|closed| Arc::new(self.view_closed(closed))))
        };
        match answer {
            Answer::Ready(outcome) => outcome,
            Answer::Show(id) => show(id).map_or(Outcome::Done, Outcome::Conversation),
            Answer::Started { id, resumed, seq } => {
                show(id).map_or(Outcome::Done, |view| Outcome::Started { view, resumed, seq })
            }
            Answer::Status { agent, desk } => {
                let state = &self.agents[agent];
                Outcome::Status(desk.map_or(state.status, |desk| state.status_for(desk)))
            }
            Answer::Arrived { conversations, agent } => {
                Outcome::Arrived { conversations, status: agent.map(|agent| self.agents[agent].status) }
            }
        }
    }
}

/// The account of a caller who is staff.
pub(super) fn staff<'a>(actor: &Actor<'a>) -> Result<&'a AccountId, Refusal> {
    match actor.caller {
        Some(Caller::Staff { account, .. }) => Ok(account),
        _ => Err(Refusal::Denied(policy::Denied::Role)),
    }
}

fn force_of(command: &Command) -> bool {
    matches!(
        command,
        Command::Claim { force: true, .. }
            | Command::Assign { force: true, .. }
            | Command::Transfer { force: true, .. }
    )
}

/// The status that a word of somebody else's makes of an agent's own.
pub(super) fn is_pause(status: Status) -> Option<Status> {
    (status != Status::Online).then_some(status)
}
