//! What must not be, whatever has happened. It knows the rows, and by itself who has a session and who wraps up.

use std::collections::BTreeMap;

use fenliu::directory::{DomainId, RecentWhenFull};
use fenliu::model::{AccountId, ConversationId, GroupId, SellerId, SessionId, State, Timestamp};
use fenliu::routing::{Acted, Batch, Conversation, Event, Notice, Recipient, Row};

use crate::model::{Model, WrapUp};
use crate::store::Rows;
use crate::world::World;

/// How many conversations of a table are looked at one by one.
const LOOKED_AT: usize = 40;

/// What no row says of an agent.
#[derive(Clone, Debug, Default)]
pub struct Presence {
    pub sessions: Vec<SessionId>,
    pub grace_until: Option<Timestamp>,
    pub wrap_ups: Vec<WrapUp>,
}

/// The checker.
pub struct Checker<'a> {
    world: &'a World,
    pub presence: BTreeMap<AccountId, Presence>,
    /// Whether somebody was given more than it may have, by force.
    pub forced: bool,
}

impl<'a> Checker<'a> {
    pub fn new(world: &'a World) -> Self {
        Self { world, presence: BTreeMap::new(), forced: false }
    }

    /// The table as the reference sees it.
    fn model(&self, domain: DomainId, rows: &Rows, now: Timestamp) -> Model {
        let plan = &self.world.directory.domains[domain.0 as usize];
        let mut model = Model::new(&self.world.directory, plan, std::time::Duration::ZERO, now);
        for (account, agent) in &mut model.agents {
            if let Some(row) = rows.agents.get(account) {
                (agent.status, agent.given, agent.ended) = (row.status, row.last_given, row.last_ended);
                agent.paused = row.paused.iter().cloned().collect();
            }
            let presence = self.presence.get(account).cloned().unwrap_or_default();
            agent.sessions = presence.sessions;
            agent.grace_until = presence.grace_until;
            agent.wrap_ups = presence.wrap_ups;
        }
        let open = rows.open.values().filter(|c| plan.sellers.contains(&c.seller));
        model.open = open.map(|c| (c.id, c.clone())).collect();
        model
    }

    /// Invariants 1, 2 and 3, by brute force.
    pub fn state(&self, domain: DomainId, rows: &Rows, now: Timestamp) -> Result<(), String> {
        let model = self.model(domain, rows, now);
        for c in model.open.values() {
            if c.agent.is_some() != matches!(c.state, State::Active | State::Offered) {
                return Err(format!("{} is {:?} with {:?}", c.id, c.state, c.agent));
            }
        }
        self.limits(&model)?;
        // Of a big table some are looked at, others each time.
        let every = model.open.len().div_ceil(LOOKED_AT);
        let from = now.micros().unsigned_abs() as usize % every.max(1);
        model.open.values().skip(from).step_by(every.max(1)).try_for_each(|c| self.not_idle(&model, c))
    }

    /// Nobody has more than any of its limits, twice if somebody could say so.
    fn limits(&self, model: &Model) -> Result<(), String> {
        let exceeds = |group: &fenliu::directory::Group| group.recent_agent_when_full == RecentWhenFull::Exceed;
        let groups = model.sellers.iter().flat_map(|seller| &model.seller(seller).groups);
        let times = if self.forced || groups.clone().any(exceeds) { 2 } else { 1 };
        let over = |who: &AccountId, held: u32, limit: u32| {
            if held > limit * times { Err(format!("{who} holds {held}, the limit is {limit}")) } else { Ok(()) }
        };
        let mut all: BTreeMap<&AccountId, u32> = BTreeMap::new();
        let mut here: BTreeMap<(&AccountId, &SellerId), u32> = BTreeMap::new();
        let mut through: BTreeMap<(&AccountId, &SellerId, &GroupId), u32> = BTreeMap::new();
        for c in model.open.values() {
            let Some(agent) = &c.agent else { continue };
            *all.entry(agent).or_default() += 1;
            *here.entry((agent, &c.seller)).or_default() += 1;
            if let Some(via) = &c.via {
                *through.entry((agent, &c.seller, via)).or_default() += 1;
            }
        }
        for (who, held) in all {
            over(who, held, model.directory.capacity_of(who))?;
        }
        for ((who, seller), held) in here {
            let limit = model.authorization(who, seller).and_then(|authorization| authorization.capacity);
            over(who, held, limit.unwrap_or(u32::MAX / 2))?;
        }
        for ((who, seller, via), held) in through {
            let member = model.group(seller, via).members.iter().find(|member| member.account == *who);
            over(who, held, member.and_then(|member| member.capacity).unwrap_or(u32::MAX / 2))?;
        }
        Ok(())
    }

    fn not_idle(&self, model: &Model, c: &Conversation) -> Result<(), String> {
        let group = model.settings(c);
        let waits = match c.state {
            State::Queued => true,
            State::LeftMessage => group.pickup_left_messages && model.now.since(c.queued_at) <= group.left_message_age,
            _ => false,
        };
        match model.select(c, None).filter(|_| waits) {
            Some(pick) => Err(format!("{} waits ({:?}) and {} may take it", c.id, c.state, pick.agent)),
            None => Ok(()),
        }
    }

    /// Invariant 4: whoever was given one of a queue could not have had one before it.
    pub fn order(&self, batch: &Batch, before: &Rows, after: &Rows) -> Result<(), String> {
        for event in &batch.events {
            let (Event::Assigned { conversation, agent, via: Some(via), .. }
            | Event::Offered { conversation, agent, via: Some(via), .. }) = event
            else {
                continue;
            };
            let (Some(placed), Some(was)) = (after.open.get(conversation), before.open.get(conversation)) else {
                continue;
            };
            let by_order = was.state == State::Queued && placed.group == was.group && *via == was.group;
            let chosen = batch.events.iter().any(|event| {
                matches!(event, Event::Decided { conversation: id, decision } if id == conversation
                    && decision.steps.iter().any(|step| step.step == "select"))
            });
            if by_order && chosen {
                self.nobody_earlier(placed, was, agent, before, after)?;
            }
        }
        Ok(())
    }

    fn nobody_earlier(
        &self,
        placed: &Conversation,
        was: &Conversation,
        agent: &AccountId,
        before: &Rows,
        after: &Rows,
    ) -> Result<(), String> {
        let group = self.world.directory.sellers[&placed.seller].group(&placed.group).unwrap();
        let key = |c: &Conversation| match group.priority_step {
            fenliu::directory::PriorityStep::Worth(step) => {
                (c.queued_at.micros() - i64::from(c.priority) * step.as_micros() as i64, 0, c.id)
            }
            fenliu::directory::PriorityStep::Strict => (-i64::from(c.priority), c.queued_at.micros(), c.id),
        };
        for other in after.open.values() {
            let same = other.state == State::Queued && other.seller == placed.seller && other.group == placed.group;
            let Some(waited) = before.open.get(&other.id).filter(|c| same && c.state == State::Queued) else {
                continue;
            };
            let free = waited.exclusion(agent).is_none()
                && other.exclusion(agent).is_none()
                && !waited.bound.as_ref().is_some_and(|bound| bound.waits)
                && waited.recent_until.is_none();
            if free && key(other) < key(was) {
                return Err(format!("{} went to {agent} before {}", placed.id, other.id));
            }
        }
        Ok(())
    }

    /// Invariant 5: nothing of a seller reaches anybody whom it does not authorise.
    pub fn secrets(&self, acted: &Acted, now: Timestamp) -> Result<(), String> {
        for outgoing in &acted.outgoing {
            for to in &outgoing.to {
                let Recipient::Staff(account) = to else { continue };
                let authorization = self.world.directory.sellers[&outgoing.seller].agents.get(account);
                let hears = match &outgoing.notice {
                    Notice::Unassigned { .. } | Notice::OfferEnded { .. } => authorization.is_some(),
                    Notice::Presence { agent, .. } if agent == account => authorization.is_some(),
                    _ => authorization.is_some_and(|authorization| authorization.in_force(now)),
                };
                if !hears {
                    return Err(format!("{account} hears of {}: {:?}", outgoing.seller, outgoing.notice));
                }
            }
        }
        Ok(())
    }

    /// Follows what no row says: who wraps up.
    pub fn follow(&mut self, batch: &Batch, now: Timestamp) {
        for event in &batch.events {
            match event {
                Event::Closed { conversation, .. } => {
                    let closed = batch.rows.iter().find_map(|row| match row {
                        Row::Conversation(c) if c.id == *conversation => Some(c),
                        _ => None,
                    });
                    let Some(closed) = closed else { continue };
                    // A closed conversation names its agent only if that one owned it.
                    let Some(agent) = closed.agent.clone() else { continue };
                    let group = self.world.directory.sellers[&closed.seller].group(&closed.group).unwrap();
                    if !group.wrap_up.is_zero() {
                        let wrap_up = WrapUp {
                            seller: closed.seller.clone(),
                            via: closed.via.clone(),
                            until: now + group.wrap_up,
                        };
                        self.presence.entry(agent).or_default().wrap_ups.push(wrap_up);
                    }
                }
                Event::StatusSet { agent, status, .. } => {
                    let presence = self.presence.entry(agent.clone()).or_default();
                    match status {
                        fenliu::model::Status::Online => presence.wrap_ups.clear(),
                        fenliu::model::Status::Offline => presence.grace_until = None,
                        fenliu::model::Status::Away => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// Time passes.
    pub fn pass(&mut self, now: Timestamp) {
        for presence in self.presence.values_mut() {
            presence.wrap_ups.retain(|wrap_up| wrap_up.until > now);
        }
    }
}

/// What is told of a conversation that cannot be found.
pub fn missing(id: ConversationId) -> String {
    format!("{id} is nowhere")
}
