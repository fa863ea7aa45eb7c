//! What happens in a run, one thing at a time, and what the core makes of it.

use super::count::Fate;
use super::engine::{Engine, Fault, Open, Standing};
use crate::directory::DomainId;
use crate::model::{AccountId, BuyerKey, Caller, ConversationId, SellerId, SessionId, Status};
use crate::routing::{Actor, Command, Conversation, Event, LeftReason};

impl Engine<'_> {
    /// The next conversation is done.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        let Some((_, conversation, agent)) = self.departures.first().copied() else { return Ok(()) };
        self.moved = self.now;
        self.events += 1;
        self.leave_agent(conversation, agent);
        let Some(open) = self.open.remove(&conversation) else { return Ok(()) };
        self.busy -= 1;
        let until = self.now.saturating_add(self.wrap_up(open.group));
        self.tally.release(agent, open.stream, self.now, until);
        if let (Some(at), Some(served)) = (open.counted, open.served_at) {
            self.tally.count_chat(at, self.now - served);
        }
        let close = Command::Close { conversation: id(conversation), reason: None, if_rev: None };
        self.act(self.staff[agent].domain, None, close, "a close")?;
        self.go_if_idle(agent)
    }

    fn wrap_up(&self, group: usize) -> i64 {
        i64::try_from(self.world.groups[group].wrap_up.as_micros()).unwrap_or(i64::MAX)
    }

    /// The agent works no more on a conversation; gives the work that was left.
    fn leave_agent(&mut self, conversation: u64, agent: usize) -> f64 {
        let Some(Standing::Working { mark, .. }) = self.open.get(&conversation).map(|open| open.standing) else {
            return 0.0;
        };
        let left = self.staff[agent].worker.remove(conversation, mark, self.now);
        self.plan_departure(agent);
        left
    }

    fn plan_departure(&mut self, agent: usize) {
        let staff = &mut self.staff[agent];
        let next = staff.worker.next();
        if next == staff.next {
            return;
        }
        if let Some((at, conversation)) = staff.next {
            self.departures.remove(&(at, conversation, agent));
        }
        if let Some((at, conversation)) = next {
            self.departures.insert((at, conversation, agent));
        }
        staff.next = next;
    }

    /// A buyer has waited as long as it wanted to.
    pub(super) fn give_up(&mut self) -> Result<(), Fault> {
        let Some((_, conversation)) = self.leaving.pop_first() else { return Ok(()) };
        let Some(mut open) = self.open.remove(&conversation) else { return Ok(()) };
        self.moved = self.now;
        self.events += 1;
        self.busy -= 1;
        self.end_waiting(&mut open, conversation, Fate::Abandoned);
        let caller = Caller::Buyer { key: buyer(conversation), sellers: None };
        let close = Command::Close { conversation: id(conversation), reason: None, if_rev: None };
        self.act(self.sources[open.stream].domain, Some(&caller), close, "a buyer's close")
    }

    /// What is due in the core.
    pub(super) fn due(&mut self) -> Result<(), Fault> {
        for domain in self.table.due(self.time()) {
            self.act(domain, None, Command::Tick, "a tick")?;
        }
        Ok(())
    }

    /// A shift begins or ends.
    pub(super) fn turn_shift(&mut self) -> Result<(), Fault> {
        let Some((_, agent, comes)) = self.shifts.pop_front() else { return Ok(()) };
        if self.shifts.is_empty()
            && let Some(period) = self.world.traffic.shifts_repeat_after()
        {
            self.plan_shifts((self.now - 1) / period * period + period);
        }
        if comes {
            return self.come(agent);
        }
        self.staff[agent].on_shift = false;
        self.staff[agent].going = true;
        self.tally.present(agent, self.now, false);
        if self.staff[agent].worker.is_empty() {
            return self.go_if_idle(agent);
        }
        self.set_status(agent, Status::Away)
    }

    /// An agent is there and online.
    pub(super) fn come(&mut self, agent: usize) -> Result<(), Fault> {
        let staff = &mut self.staff[agent];
        if staff.on_shift {
            return Ok(());
        }
        staff.on_shift = true;
        self.tally.present(agent, self.now, true);
        if std::mem::take(&mut self.staff[agent].going) {
            return self.set_status(agent, Status::Online);
        }
        let command = Command::Arrive { session: SessionId(agent as u128), status: Some(Status::Online) };
        self.by_agent(agent, command, "an agent's arrival")
    }

    /// An agent whose shift is over goes when it has nothing left.
    fn go_if_idle(&mut self, agent: usize) -> Result<(), Fault> {
        if !self.staff[agent].going || !self.staff[agent].worker.is_empty() {
            return Ok(());
        }
        self.staff[agent].going = false;
        self.set_status(agent, Status::Offline)?;
        self.by_agent(agent, Command::Leave { session: SessionId(agent as u128) }, "an agent's leave")
    }

    fn set_status(&mut self, agent: usize, status: Status) -> Result<(), Fault> {
        let command = Command::SetStatus { agent: None, seller: None, status, reroute: false };
        self.by_agent(agent, command, "a status")
    }

    fn by_agent(&mut self, agent: usize, command: Command, what: &'static str) -> Result<(), Fault> {
        let caller = self.staff[agent].caller.clone();
        self.act(self.staff[agent].domain, Some(&caller), command, what)
    }

    pub(super) fn begin_waiting(&mut self, conversation: u64) {
        let Some(open) = self.open.get_mut(&conversation) else { return };
        if open.standing != Standing::New {
            return;
        }
        open.standing = Standing::Waiting;
        self.busy += 1;
        if let Some(at) = open.patience {
            self.leaving.insert((at, conversation));
        }
        self.tally.wait(open.stream, open.group, self.now, true);
    }

    /// A conversation waits no longer.
    fn end_waiting(&mut self, open: &mut Open, conversation: u64, fate: Fate) {
        if open.standing == Standing::Waiting {
            if let Some(at) = open.patience {
                self.leaving.remove(&(at, conversation));
            }
            self.tally.wait(open.stream, open.group, self.now, false);
        }
        let waited = self.now - open.arrived;
        if let Some(at) = open.counted {
            self.tally.count_fate(at, fate, waited, self.now);
        }
        if let Some(outcome) = self.outcome(conversation) {
            (outcome.waited, outcome.fate) = (waited, Some(fate));
        }
    }

    /// Runs a command in the core, and follows what came of it.
    pub(super) fn act(
        &mut self,
        domain: DomainId,
        caller: Option<&Caller>,
        command: Command,
        what: &'static str,
    ) -> Result<(), Fault> {
        let now = self.time();
        let mut more = self.run(domain, &Actor { caller, session: None }, command, what)?;
        loop {
            if let Some((conversation, agent)) = self.offers.pop_front() {
                let caller = self.staff[agent].caller.clone();
                let accept = Command::Accept { conversation: id(conversation) };
                more |=
                    self.run(domain, &Actor { caller: Some(&caller), session: None }, accept, "an accepted offer")?;
            } else if more {
                more = self.run(domain, &Actor::default(), Command::Tick, "a tick")?;
            } else {
                debug_assert!(self.time() == now, "time stands still while the core acts");
                return Ok(());
            }
        }
    }

    fn run(
        &mut self,
        domain: DomainId,
        actor: &Actor<'_>,
        command: Command,
        what: &'static str,
    ) -> Result<bool, Fault> {
        let acted = self.table.act(domain, actor, command, self.time(), |acted| acted);
        if let Err(why) = &acted.result {
            return Err(self.refused(what, why));
        }
        for event in acted.batch.into_iter().flat_map(|batch| batch.events) {
            self.follow(event);
        }
        Ok(acted.more)
    }

    pub(super) fn refused(&self, what: &'static str, why: &crate::routing::Refusal) -> Fault {
        Fault::Refused { what, at: self.now, why: why.to_string() }
    }

    fn follow(&mut self, event: Event) {
        match event {
            Event::Started { conversation } => self.started(&conversation),
            Event::Offered { conversation, agent, .. } => {
                let agent = self.agent_at.get(&agent).copied();
                self.offers.extend(agent.map(|agent| (number(conversation), agent)));
            }
            Event::Assigned { conversation, agent, .. } => self.assigned(number(conversation), &agent),
            Event::Left { conversation, reason, .. } => self.left(number(conversation), reason),
            _ => {}
        }
    }

    fn started(&mut self, conversation: &Conversation) {
        let Some(open) = self.open.get_mut(&number(conversation.id)) else { return };
        open.group = self.group_at[open.stream].get(&conversation.group).copied().unwrap_or(0);
        if let Some(at) = &mut open.counted {
            at.group = open.group;
            self.tally.count_offered(*at);
        }
    }

    fn assigned(&mut self, conversation: u64, account: &AccountId) {
        let Some(agent) = self.agent_at.get(account).copied() else { return };
        let Some(mut open) = self.open.remove(&conversation) else { return };
        let first = open.standing != Standing::Left;
        if first {
            if let Some(outcome) = self.outcome(conversation) {
                outcome.agent = Some(agent);
            }
            self.end_waiting(&mut open, conversation, Fate::Served);
            open.served_at = Some(self.now);
        }
        if open.standing != Standing::Waiting {
            self.busy += 1;
        }
        if let Some(at) = open.counted {
            if first {
                let recent = open.recent.as_ref().map(|recent| recent == account);
                let overflowed = !self.world.groups[open.group].members.contains(account);
                self.tally.count_served(at, recent, overflowed);
            }
            self.tally.count_assigned(at, agent);
        }
        let work = self.work(conversation, &open);
        let mark = self.staff[agent].worker.add(conversation, work, self.now);
        open.standing = Standing::Working { mark };
        self.tally.take(agent, open.stream, self.now);
        self.open.insert(conversation, open);
        self.plan_departure(agent);
    }

    fn left(&mut self, conversation: u64, reason: LeftReason) {
        let Some(mut open) = self.open.remove(&conversation) else { return };
        let fate = match reason {
            LeftReason::QueueFull | LeftReason::Binding => Fate::Blocked,
            LeftReason::Timeout => Fate::TimedOut,
            LeftReason::NobodyOnline => Fate::Unstaffed,
            LeftReason::Abandoned => Fate::Abandoned,
        };
        self.end_waiting(&mut open, conversation, fate);
        if open.standing == Standing::Waiting {
            self.busy -= 1;
        }
        open.standing = Standing::Left;
        self.open.insert(conversation, open);
    }
}

pub(super) fn id(conversation: u64) -> ConversationId {
    ConversationId(u128::from(conversation))
}

fn number(conversation: ConversationId) -> u64 {
    u64::try_from(conversation.0).unwrap_or(u64::MAX)
}

pub(super) fn buyer(conversation: u64) -> BuyerKey {
    BuyerKey { within: None::<SellerId>, sub: format!("buyer-{conversation}").into() }
}
