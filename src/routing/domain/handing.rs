//! Conversations that pass from hand to hand by somebody's will: accept and decline, claim, assign, transfer.

use std::sync::Arc;

use super::availability::{Bars, Through};
use super::command::{Answer, staff};
use super::select::{How, Pick};
use super::{Actor, Cause, Change, Domain, Fresh, Run};
use crate::model::{AccountId, ConversationId, Timestamp};
use crate::policy::Basis;
use crate::routing::conversation::Exclusion;
use crate::routing::event::Event;
use crate::routing::view::OfferEnd;
use crate::routing::{Destination, Refusal};

impl Domain {
    pub(super) fn accept(
        &mut self,
        actor: &Actor<'_>,
        id: ConversationId,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let agent = self.asked(actor, id)?;
        let entry = self.entry(id)?;
        let (account, via) = (self.account(agent), entry.conversation.via.clone());
        let cause = Cause::SlotOpened;
        let decision = Some(Arc::new(self.trace_accepted(entry, cause, agent, now)));
        let event = Event::Assigned { conversation: id, agent: account, via, cause, at: now };
        let welcome = self.welcome(entry, cause, now);
        let note = entry.conversation.rare.note.clone();
        self.forgive(agent, now, run);
        self.happen(Change { event, cause, note, decision }, now, run);
        if let Some(welcome) = welcome {
            self.happen(welcome, now, run);
        }
        Ok(Answer::Show(id))
    }

    pub(super) fn decline(
        &mut self,
        actor: &Actor<'_>,
        id: ConversationId,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let agent = self.asked(actor, id)?;
        self.forgive(agent, now, run);
        let change = self.end_offer(id, OfferEnd::Declined, Some(Exclusion::Declined), now);
        self.is_fresh(id, Fresh::new(Cause::OfferDeclined));
        self.happen(change, now, run);
        Ok(Answer::Ready(super::Outcome::Done))
    }

    /// An answer clears the count of missed offers.
    fn forgive(&mut self, agent: usize, now: Timestamp, run: &mut Run) {
        if self.agents[agent].missed_offers > 0 {
            let event = Event::Missed { agent: self.account(agent), missed: 0 };
            self.happen(Change::new(event, Cause::SlotOpened), now, run);
        }
    }

    /// The caller, if it is the one who is asked.
    fn asked(&self, actor: &Actor<'_>, id: ConversationId) -> Result<usize, Refusal> {
        let account = staff(actor)?;
        let conversation = &self.entry(id)?.conversation;
        if conversation.offered_to() == Some(account) {
            return self.agent_of(account).ok_or(Refusal::NotFound);
        }
        Err(if conversation.asked.contains(account) { Refusal::OfferExpired } else { Refusal::NotOwner })
    }

    /// Gives a conversation to a certain agent: by a claim or an assignment.
    #[expect(clippy::too_many_arguments, reason = "the members of the call")]
    pub(super) fn hand_over(
        &mut self,
        id: ConversationId,
        account: &AccountId,
        cause: Cause,
        force: bool,
        if_rev: Option<u64>,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        let entry = self.entry(id)?;
        let path = if cause == Cause::Assign { "sub_account" } else { "conversation" };
        let known = self.desks[entry.desk].seller.agents.contains_key(account);
        let agent = self.agent_of(account).filter(|_| known).ok_or(Refusal::Unknown { path })?;
        let conversation = &entry.conversation;
        if cause == Cause::Claim && !conversation.state.is_waiting() {
            return Err(Refusal::NotWaiting { owner: conversation.owner().cloned() });
        }
        self.unchanged(id, if_rev)?;
        if conversation.owner() == Some(account) {
            return Ok(Answer::Show(id));
        }
        self.give_to(id, agent, cause, force, None, now, run)?;
        Ok(Answer::Show(id))
    }

    #[expect(clippy::too_many_arguments, reason = "what is given, to whom, why, and how far")]
    fn give_to(
        &mut self,
        id: ConversationId,
        agent: usize,
        cause: Cause,
        force: bool,
        note: Option<Arc<str>>,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<(), Refusal> {
        let entry = self.entry(id)?;
        let through = self.room_of(agent, id, cause, force, now)?;
        let pick = Pick { agent, through, runner_up: None, how: How::Strategy };
        let decision = self.trace_named(entry, cause, &pick, now);
        let via = through.map(|(group, _)| self.group_id(entry.desk, group).clone());
        let welcome = self.welcome(entry, cause, now);
        let event = Event::Assigned { conversation: id, agent: self.account(agent), via, cause, at: now };
        let note = note.or_else(|| entry.conversation.rare.note.clone());
        self.happen(Change { event, cause, note, decision: Some(Arc::new(decision)) }, now, run);
        if let Some(welcome) = welcome {
            self.happen(welcome, now, run);
        }
        Ok(())
    }

    /// The membership through which an agent that was named has room: spacing and exclusions do not count.
    pub(super) fn room_of(
        &self,
        agent: usize,
        id: ConversationId,
        cause: Cause,
        force: bool,
        now: Timestamp,
    ) -> Result<Through, Refusal> {
        let entry = self.entry(id)?;
        let through = self.through(agent, entry);
        let times = if force { 2 } else { 1 };
        let mut bars = self.bars(agent, entry.desk, through, times, now).without(Bars::WILL);
        if cause == Cause::Claim {
            bars = bars.without(Bars::RECEIVE);
        }
        if entry.conversation.offered_to() == Some(&self.agents[agent].account) {
            // The slot that it would take is the one that its offer holds.
            bars = bars.without(Bars::CAPACITY);
        }
        if !bars.without(Bars::CAPACITY).is_empty() {
            return Err(Refusal::AgentUnavailable);
        }
        if bars.is_empty() { Ok(through) } else { Err(Refusal::AtCapacity) }
    }

    #[expect(clippy::too_many_arguments, reason = "the members of the call")]
    pub(super) fn transfer(
        &mut self,
        actor: &Actor<'_>,
        basis: Basis,
        id: ConversationId,
        to: &Destination,
        note: Option<Arc<str>>,
        force: bool,
        if_rev: Option<u64>,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Answer, Refusal> {
        if basis == Basis::Owner {
            self.owned_by(actor, id)?;
        }
        let entry = self.entry(id)?;
        let Some(owner) = entry.conversation.owner().cloned() else { return Err(Refusal::NotOwner) };
        self.unchanged(id, if_rev)?;
        match to {
            Destination::Agent(account) => {
                let known = self.desks[entry.desk].seller.agents.contains_key(account);
                let agent = self.agent_of(account).filter(|_| known);
                let agent = agent.ok_or(Refusal::Unknown { path: "to.sub_account" })?;
                if *account == owner {
                    return Ok(Answer::Show(id));
                }
                self.give_to(id, agent, Cause::Transfer, force, note, now, run)?;
            }
            Destination::Group(group) => {
                let unknown = Refusal::Unknown { path: "to.group" };
                let group = self.group_of(entry.desk, group).ok_or(unknown)?;
                let by = staff(actor)?;
                let without = [Some(&owner), Some(by).filter(|by| **by != owner)];
                let exclude = without.into_iter().flatten().map(|who| (who.clone(), Exclusion::Transferred)).collect();
                let event = self.requeue(entry, exclude, true, Some((group, note)), now);
                self.is_fresh(id, Fresh::new(Cause::Transfer));
                self.happen(Change::new(event, Cause::Transfer), now, run);
            }
        }
        Ok(Answer::Show(id))
    }
}
