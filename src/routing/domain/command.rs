//! What is asked of the domain: permission, then the rules of the state, then the first events; the rest settles.

use std::sync::Arc;

use super::{Actor, Cause, Change, Domain, Entry, Run};
use crate::model::{AccountId, Caller, ConversationId, SellerId, Status, Subject, Timestamp};
use crate::policy::{self, Action, Basis, Method, Permit, Rights};
use crate::routing::event::Event;
use crate::routing::view::{By, Outcome};
use crate::routing::{Command, Refusal, Side};

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
            Command::Send { conversation, message, earlier } => {
                self.send(actor, basis, conversation, message, earlier, now, run)
            }
            Command::Reopen(reopen) => self.reopen(actor, *reopen, now, run),
            Command::Rate { closed, rating } => self.rate(*closed, rating, run),
            Command::Read { conversation, seq } => self.read(actor, conversation, seq, now, run),
            Command::Typing { conversation, on } => self.typing(actor, conversation, on, now, run),
            Command::Close { conversation, reason, if_rev } => {
                self.ask_close(actor, basis, conversation, reason, if_rev, now, run)
            }
            Command::Accept { conversation } => self.accept(actor, conversation, now, run),
            Command::Decline { conversation, .. } => self.decline(actor, conversation, now, run),
            Command::Transfer { conversation, to, note, force, if_rev } => {
                self.transfer(actor, basis, conversation, &to, note, force, if_rev, now, run)
            }
            Command::Targets { conversation } => self.targets(actor, basis, conversation, now),
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
        let seats = self.agents[agent].seats_at(desk).filter(|_| in_force);
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
        let desk = self.entry(id)?.desk;
        self.desks[desk].listeners.watch(id, staff(actor)?, on);
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

    /// What is shown of a command's answer, now that everything has settled.
    pub(super) fn outcome(&self, answer: Answer, _actor: &Actor<'_>, run: &Run, now: Timestamp) -> Outcome {
        let show = |id: ConversationId| {
            if let Some(view) = self.last_told(id, run) {
                return Some(view);
            }
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
                Outcome::Arrived { conversations, standing: agent.map(|agent| self.standing(agent)) }
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
