//! Presence: what an agent says of itself and whether it is reachable are two values, and both are needed.

use super::command::{Answer, is_pause, staff};
use super::{Actor, Cause, Change, Domain, Run};
use crate::directory::WhenLost;
use crate::model::{AccountId, Caller, ConversationId, SellerId, SessionId, State, Status, Timestamp};
use crate::policy::Scope;
use crate::routing::Refusal;
use crate::routing::agent::Agent;
use crate::routing::event::Event;
use crate::routing::listeners::Followed;
use crate::routing::view::{Outcome, PresenceCause, Standing};

impl Domain {
    /// A session of a staff account has opened.
    pub(super) fn arrive(
        &mut self,
        actor: &Actor<'_>,
        session: SessionId,
        status: Option<Status>,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let account = staff(actor)?.clone();
        let agent = self.agent_of(&account).ok_or(Refusal::NotFound)?;
        let mut conversations: Vec<_> = self.agents[agent]
            .holds
            .iter()
            .filter_map(|id| self.conversations.get(id))
            .map(|entry| self.view(entry, now))
            .collect();
        conversations.sort_by_key(|view| view.id);
        let state = &mut self.agents[agent];
        let anew = state.sessions.is_empty() && state.grace_until.is_none();
        if !state.sessions.contains(&session) {
            state.sessions.push(session);
        }
        state.grace_until = None;
        if anew {
            let status = status.unwrap_or(Status::Away);
            self.set(agent, status, PresenceCause::Session, now, run);
        } else {
            self.reached(agent, now);
        }
        Ok(Answer::Arrived { conversations, agent: Some(agent) })
    }

    /// How an agent stands now.
    pub(super) fn standing(&self, agent: usize) -> Standing {
        let Agent { status, posts, .. } = &self.agents[agent];
        let seller = |desk: usize| self.desks[desk].seller.id.clone();
        let paused = posts.iter().filter_map(|post| Some((seller(post.desk), post.paused?)));
        Standing { status: *status, paused: paused.collect() }
    }

    /// A session of a staff account has ended.
    pub(super) fn depart(&mut self, actor: &Actor<'_>, session: SessionId, now: Timestamp) -> Result<Answer, Refusal> {
        let agent = self.agent_of(staff(actor)?).ok_or(Refusal::NotFound)?;
        let state = &mut self.agents[agent];
        let before = state.sessions.len();
        state.sessions.retain(|open| *open != session);
        if before > 0 && state.sessions.is_empty() {
            if state.status != Status::Offline {
                state.grace_until = Some(now + self.settings.presence_grace);
            }
            self.withdraw_offers(agent, None);
            self.reached(agent, now);
            self.forget_listener(agent);
        }
        Ok(Answer::Ready(Outcome::Done))
    }

    /// Nobody is told any more of what an account without a session followed.
    fn forget_listener(&mut self, agent: usize) {
        let Agent { account, posts, .. } = &self.agents[agent];
        for post in posts {
            self.desks[post.desk].listeners.forget(account);
        }
    }

    /// An authorization has ended: whoever had it is told nothing more, also before a tick draws the rest of it.
    pub(in crate::routing) fn lapse(&mut self, now: Timestamp) {
        (0..self.desks.len()).for_each(|desk| self.judge_listeners(desk, now));
        let next = self.desks.iter().filter_map(|desk| desk.seller.next_suspension(now)).min();
        self.lapses_at = next.unwrap_or(Timestamp::MAX);
    }

    /// Who may no longer look at a desk or follow its conversations is told nothing more of them.
    pub(super) fn judge_listeners(&mut self, desk: usize, now: Timestamp) {
        let (agents, agent_at) = (&self.agents, &self.agent_at);
        self.desks[desk].listeners.retain(|account, followed| {
            let post = agent_at.get(account).and_then(|agent| agents[*agent].post(desk));
            let scope = match followed {
                Followed::Desk => Scope::Desk,
                Followed::Conversation => Scope::Monitor,
            };
            post.is_some_and(|post| now < post.in_force_until && post.scopes.has(scope))
        });
    }

    /// A status is set: one's own, or another's for a seller.
    #[expect(clippy::too_many_arguments, reason = "the members of the call")]
    pub(super) fn set_status(
        &mut self,
        actor: &Actor<'_>,
        other: Option<AccountId>,
        seller: Option<SellerId>,
        status: Status,
        reroute: bool,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let own = staff(actor)?.clone();
        let Some(other) = other else {
            let agent = self.agent_of(&own).ok_or(Refusal::NotFound)?;
            self.may_go(agent, None, status, reroute)?;
            self.end_pauses(agent, status, now, run);
            self.set(agent, status, PresenceCause::Set, now, run);
            self.let_go(agent, None, status, reroute);
            return Ok(Answer::Status { agent, desk: None });
        };
        let desk = seller.as_ref().and_then(|seller| self.desk_at.get(seller)).copied().ok_or(Refusal::NotFound)?;
        let agent = self.agent_of(&other).filter(|agent| self.agents[*agent].post(desk).is_some());
        let agent = agent.ok_or(Refusal::Unknown { path: "sub_account" })?;
        if self.agents[agent].posts.len() == 1 {
            self.may_go(agent, None, status, reroute)?;
            self.set(agent, status, PresenceCause::SetByOther, now, run);
            self.let_go(agent, None, status, reroute);
            return Ok(Answer::Status { agent, desk: None });
        }
        self.may_go(agent, Some(desk), status, reroute)?;
        self.pause(agent, desk, is_pause(status), now, run);
        self.let_go(agent, Some(desk), status, reroute);
        Ok(Answer::Status { agent, desk: Some(desk) })
    }

    fn set(&mut self, agent: usize, status: Status, cause: PresenceCause, now: Timestamp, run: &mut Run) {
        if self.agents[agent].status == status && cause != PresenceCause::Session {
            if status == Status::Online {
                self.end_wrap_ups(agent, Timestamp::MAX);
            }
            return;
        }
        let event = Event::StatusSet { agent: self.account(agent), status, cause, at: now };
        self.happen(Change::new(event, Cause::SlotOpened), now, run);
    }

    fn pause(&mut self, agent: usize, desk: usize, status: Option<Status>, now: Timestamp, run: &mut Run) {
        if self.agents[agent].post(desk).is_some_and(|post| post.paused == status) {
            return;
        }
        let seller = self.desks[desk].seller.id.clone();
        let event = Event::Paused { agent: self.account(agent), seller, status, at: now };
        self.happen(Change::new(event, Cause::SlotOpened), now, run);
    }

    /// One's own `online` ends every pause.
    fn end_pauses(&mut self, agent: usize, status: Status, now: Timestamp, run: &mut Run) {
        if status != Status::Online {
            return;
        }
        let paused: Vec<usize> =
            self.agents[agent].posts.iter().filter(|post| post.paused.is_some()).map(|post| post.desk).collect();
        for desk in paused {
            self.pause(agent, desk, None, now, run);
        }
    }

    /// Nobody goes offline while it owns conversations, unless they are handed on.
    fn may_go(&self, agent: usize, desk: Option<usize>, status: Status, reroute: bool) -> Result<(), Refusal> {
        let conversations = self.owned(agent, desk);
        if status == Status::Offline && !reroute && !conversations.is_empty() {
            return Err(Refusal::HoldsConversations { conversations });
        }
        Ok(())
    }

    fn owned(&self, agent: usize, desk: Option<usize>) -> Vec<ConversationId> {
        let holds = self.agents[agent].holds.iter().copied();
        holds
            .filter(|id| {
                self.conversations.get(id).is_some_and(|entry| {
                    entry.conversation.state == State::Active && desk.is_none_or(|desk| entry.desk == desk)
                })
            })
            .collect()
    }

    /// What an agent who is no longer online lets go of: its offers, and with `reroute` what it owns.
    fn let_go(&mut self, agent: usize, desk: Option<usize>, status: Status, reroute: bool) {
        if status == Status::Online {
            return;
        }
        self.withdraw_offers(agent, desk);
        if reroute {
            let owned = self.owned(agent, desk);
            self.work.evict.extend(owned.into_iter().rev().map(|id| (id, Cause::AgentLost)));
        }
    }

    pub(super) fn withdraw_offers(&mut self, agent: usize, desk: Option<usize>) {
        let offers = self.agents[agent].holds.iter().copied().filter(|id| {
            self.conversations.get(id).is_some_and(|entry| {
                entry.conversation.state == State::Offered && desk.is_none_or(|desk| entry.desk == desk)
            })
        });
        self.work.withdraw.extend(offers);
    }

    /// The grace of an agent is over: it is offline, and what it owns follows its groups.
    pub(super) fn lose(&mut self, agent: usize, now: Timestamp, run: &mut Run) {
        let owned = self.owned(agent, None);
        let lost = owned.into_iter().rev().filter(|id| {
            let entry = &self.conversations[id];
            self.desks[entry.desk].config(entry.group).when_agent_lost == WhenLost::Reroute
        });
        let lost: Vec<_> = lost.map(|id| (id, Cause::AgentLost)).collect();
        self.set(agent, Status::Offline, PresenceCause::Lost, now, run);
        self.work.evict.extend(lost);
    }

    /// A buyer's first session has opened, or its last has ended.
    pub(super) fn buyer_presence(
        &mut self,
        actor: &Actor<'_>,
        online: bool,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let Some(Caller::Buyer { key, .. }) = actor.caller else { return Err(Refusal::NotFound) };
        let mut open = self.buyers.of(key).to_vec();
        open.sort_unstable();
        let conversations: Vec<_> =
            open.iter().filter_map(|id| self.conversations.get(id)).map(|entry| self.view(entry, now)).collect();
        for id in open {
            let entry = &self.conversations[&id];
            let gone_since = if online { None } else { Some(now) };
            if entry.conversation.buyer_gone_since.is_some() != gone_since.is_some() {
                let told = entry.gone_told;
                let event = Event::BuyerSeen { conversation: id, gone_since };
                self.happen(Change::new(event, Cause::SlotOpened), now, run);
                if online && told {
                    self.tell_buyer_presence(id, true, now, now, run);
                }
            }
        }
        Ok(Answer::Arrived { conversations, agent: None })
    }
}
