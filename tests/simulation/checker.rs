//! What must not be, whatever has happened. It knows the rows, and by itself who has a session and who wraps up.

use std::collections::BTreeMap;
use std::sync::Arc;

use fenliu::directory::{Directory, Domain, RecentWhenFull};
use fenliu::model::{AccountId, ConversationId, GroupId, SellerId, SessionId, State, Timestamp};
use fenliu::routing::{Acted, Batch, Conversation, Event, Notice, Recipient, Row};

use crate::model::{Model, WrapUp};
use crate::store::Rows;

/// How many conversations of a table are looked at one by one.
const LOOKED_AT: usize = 40;

/// What no row says of an agent.
#[derive(Clone, Debug, Default)]
pub struct Presence {
    pub sessions: Vec<SessionId>,
    pub grace_until: Option<Timestamp>,
    pub wrap_ups: Vec<WrapUp>,
}

/// A limit: of an account, of its authorization for a seller, of its membership.
type Limit = (AccountId, Option<SellerId>, Option<GroupId>);

/// The checker.
pub struct Checker {
    pub directory: Arc<Directory>,
    pub presence: BTreeMap<AccountId, Presence>,
    /// Whether somebody was given more than it may have, by force.
    pub forced: bool,
    /// Who held more than a limit when that was lowered, and how many: never more again.
    excused: BTreeMap<Limit, u32>,
}

impl Checker {
    pub fn new(directory: &Arc<Directory>) -> Self {
        Self { directory: Arc::clone(directory), presence: BTreeMap::new(), forced: false, excused: BTreeMap::new() }
    }

    /// The table as the reference sees it.
    fn model(&self, plan: &Domain, rows: &Rows, now: Timestamp) -> Model {
        let mut model = Model::new(&self.directory, plan, std::time::Duration::ZERO, now);
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
    pub fn state(&mut self, plan: &Domain, rows: &Rows, now: Timestamp) -> Result<(), String> {
        let model = self.model(plan, rows, now);
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

    /// Nobody has more than any of its limits, twice if somebody could say so, or what it had when it was lowered.
    fn limits(&mut self, model: &Model) -> Result<(), String> {
        let times = self.times(model.sellers.iter());
        for (limit, held) in held(model.open.values()) {
            let most = self.most(&limit).saturating_mul(times);
            let excused = self.excused.get(&limit).copied().unwrap_or(0);
            if held > most.max(excused) {
                return Err(format!("{limit:?} holds {held}, the limit is {most}"));
            }
            if held <= most {
                self.excused.remove(&limit);
            } else {
                self.excused.insert(limit, held);
            }
        }
        Ok(())
    }

    /// Whoever holds more than it may is not to blame: limits are others now.
    pub fn excuse(&mut self, rows: &Rows) {
        self.excused = held(rows.open.values()).into_iter().filter(|(limit, held)| *held > self.most(limit)).collect();
    }

    /// How many times over limits may be taken.
    fn times<'s>(&self, mut sellers: impl Iterator<Item = &'s SellerId>) -> u32 {
        let exceeds = |group: &fenliu::directory::Group| group.recent_agent_when_full == RecentWhenFull::Exceed;
        let any = self.forced || sellers.any(|seller| self.directory.sellers[seller].groups.iter().any(exceeds));
        if any { 2 } else { 1 }
    }

    fn most(&self, (who, seller, via): &Limit) -> u32 {
        let Some(seller) = seller else { return self.directory.capacity_of(who) };
        let Some(seller) = self.directory.sellers.get(seller) else { return u32::MAX };
        let limit = match via {
            None => seller.agents.get(who).and_then(|authorization| authorization.capacity),
            Some(via) => {
                let mut members = seller.group(via).into_iter().flat_map(|group| &group.members);
                members.find(|member| member.account == *who).and_then(|member| member.capacity)
            }
        };
        limit.unwrap_or(u32::MAX)
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
        let group = self.directory.sellers[&placed.seller].group(&placed.group).unwrap();
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
                && !waited.rare.bound.as_ref().is_some_and(|bound| bound.waits)
                && waited.rare.recent_until.is_none();
            if free && key(other) < key(was) {
                return Err(format!("{} went to {agent} before {}", placed.id, other.id));
            }
        }
        Ok(())
    }

    /// Invariant 5: nothing of a seller reaches anybody whom it does not authorise.
    pub fn secrets(&self, acted: &Acted, before: &Rows, now: Timestamp) -> Result<(), String> {
        for outgoing in &acted.outgoing {
            for to in &outgoing.to {
                let Recipient::Staff(account) = to else { continue };
                let seller = self.directory.sellers.get(&outgoing.seller);
                let authorization = seller.and_then(|seller| seller.agents.get(account));
                let hears = match &outgoing.notice {
                    // Who had it hears that it has it no longer; who has it now, only where it may still read it.
                    Notice::Unassigned { conversation, to, .. } => {
                        had(before, *conversation, account) && (to.is_none() || authorization.is_some())
                    }
                    Notice::OfferEnded { conversation, .. } => had(before, *conversation, account),
                    Notice::Closed { view, .. } if seller.is_none() => had(before, view.id, account),
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
                    let seller = self.directory.sellers.get(&closed.seller);
                    let Some(group) = seller.and_then(|seller| seller.group(&closed.group)) else { continue };
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

fn had(before: &Rows, conversation: ConversationId, who: &AccountId) -> bool {
    before.open.get(&conversation).is_some_and(|c| c.agent.as_ref() == Some(who))
}

/// How many conversations everybody holds, by what limits them.
fn held<'c>(open: impl Iterator<Item = &'c Conversation>) -> BTreeMap<Limit, u32> {
    let mut held: BTreeMap<Limit, u32> = BTreeMap::new();
    for c in open {
        let Some(agent) = &c.agent else { continue };
        *held.entry((agent.clone(), None, None)).or_default() += 1;
        *held.entry((agent.clone(), Some(c.seller.clone()), None)).or_default() += 1;
        if c.via.is_some() {
            *held.entry((agent.clone(), Some(c.seller.clone()), c.via.clone())).or_default() += 1;
        }
    }
    held
}

/// What is told of a conversation that cannot be found.
pub fn missing(id: ConversationId) -> String {
    format!("{id} is nowhere")
}
