//! The decision trace: what was looked at, and how it compared, at the moment of the decision.

use std::collections::BTreeMap;

use super::availability::Bars;
use super::select::{Pick, Presence};
use super::{Domain, Entry, Fresh};
use crate::directory::Strategy;
use crate::model::{GroupId, State, Timestamp};
use crate::routing::decision::{Candidate, Cause, Chosen, Decision, Step, WhyNot};

/// How many candidates a recorded trace lists.
const CANDIDATES: usize = 16;
/// Groups of up to so many members are looked at one by one; of most larger ones the index says who comes first.
const SMALL: usize = 64;

impl Domain {
    /// The trace of a decision about a conversation. `whole`: with all candidates.
    pub(super) fn trace(
        &self,
        entry: &Entry,
        fresh: &Fresh,
        pick: Option<&Pick>,
        whole: bool,
        now: Timestamp,
    ) -> Decision {
        let desk = &self.desks[entry.desk];
        let via = pick.and_then(|pick| pick.through).map_or(entry.group, |(group, _)| group);
        let (candidates, unavailable) = self.candidates(entry, via, whole, now);
        let group = Some(desk.config(entry.group).id.clone());
        Decision {
            at: now,
            generation: self.directory.generation,
            cause: fresh.cause,
            seller: desk.seller.id.clone(),
            steps: self.steps(entry, fresh, pick),
            bindings: fresh.looked.clone(),
            candidates,
            unavailable,
            runner_up: pick.and_then(|pick| pick.runner_up).map(|agent| self.account(agent)),
            chosen: Chosen {
                agent: pick.map(|pick| self.account(pick.agent)),
                group,
                via: pick.and_then(|pick| pick.through).map(|(group, _)| desk.config(group).id.clone()),
                state: State::Queued,
            },
        }
    }

    fn steps(&self, entry: &Entry, fresh: &Fresh, pick: Option<&Pick>) -> Vec<Step> {
        let desk = &self.desks[entry.desk];
        let step = |step, outcome| Step { step, outcome, group: None, agent: None };
        let mut steps = Vec::with_capacity(4);
        if !fresh.looked.is_empty() {
            let matched = fresh.looked.any_matched();
            steps.push(Step {
                group: Some(desk.config(entry.group).id.clone()),
                ..step("bindings", if matched { "matched" } else { "default_group" })
            });
        }
        match pick {
            Some(pick) => {
                let (name, outcome) = pick.how.step();
                let group = pick.through.map(|(group, _)| desk.config(group).id.clone());
                steps.push(Step { group, agent: Some(self.account(pick.agent)), ..step(name, outcome) });
            }
            None if fresh.leave.is_some() => steps.push(step("bindings", "leave_message")),
            None => {
                if let Some((account, _)) =
                    entry.conversation.recent.as_ref().filter(|_| desk.config(entry.group).recent_agent.is_some())
                {
                    let waits = entry.conversation.rare.recent_until.is_some();
                    let outcome = if waits { "waited_for" } else { "may_not_take_it" };
                    steps.push(Step { agent: Some(account.clone()), ..step("recent_agent", outcome) });
                }
                steps.push(Step { group: Some(desk.config(entry.group).id.clone()), ..step("select", "nobody") });
                let presence = match self.presence(entry) {
                    Presence::Online => None,
                    Presence::Away => Some("all_away"),
                    Presence::Grace => Some("grace"),
                    Presence::Nobody => Some("all_offline"),
                };
                steps.extend(presence.map(|outcome| step("nobody_online", outcome)));
            }
        }
        steps
    }

    /// Those of the group through which it goes, in order of preference, and how many of them could not, and why.
    fn candidates(
        &self,
        entry: &Entry,
        group: usize,
        whole: bool,
        now: Timestamp,
    ) -> (Vec<Candidate>, BTreeMap<WhyNot, u32>) {
        let state = &self.desks[entry.desk].groups[group];
        let members = u32::try_from(state.members.len()).unwrap_or(0);
        let bars = |member: u32| {
            let agent = state.members[member as usize].agent;
            self.bars_for(agent, entry, Some((group, member as usize)), now)
        };
        let mut unavailable = BTreeMap::new();
        // Where turns are weighed, whoever selects has looked at everybody already.
        let strategy = self.desks[entry.desk].config(group).strategy;
        if !whole && state.members.len() > SMALL && strategy != Strategy::Weighted {
            let index = &self.pools[state.pool].index;
            let in_turn = (strategy == Strategy::RoundRobin).then(|| index.ordered_after(state.last_chosen));
            let by_key = (strategy != Strategy::RoundRobin).then(|| index.ordered());
            let first = in_turn.into_iter().flatten().chain(by_key.into_iter().flatten()).take(CANDIDATES);
            if state.online < members {
                unavailable.insert(WhyNot::Offline, members - state.online);
            }
            return (first.map(|member| self.candidate(entry, group, member, bars(member))).collect(), unavailable);
        }
        let bars: Vec<Bars> = (0..members).map(bars).collect();
        for why in bars.iter().flat_map(|bars| bars.iter()) {
            *unavailable.entry(why).or_default() += 1;
        }
        let first = self.in_order_of_preference(entry.desk, group, &bars, if whole { usize::MAX } else { CANDIDATES });
        let listed = first.into_iter().map(|member| self.candidate(entry, group, member, bars[member as usize]));
        (listed.collect(), unavailable)
    }

    /// The first so many members: those whom nothing bars, and then the others. Where the former are enough, the index
    /// knows their order.
    fn in_order_of_preference(&self, desk: usize, group: usize, bars: &[Bars], count: usize) -> Vec<u32> {
        let state = &self.desks[desk].groups[group];
        let index = &self.pools[state.pool].index;
        let is_free = |member: &u32| bars[*member as usize].is_empty();
        let strategy = self.desks[desk].config(group).strategy;
        let enough = strategy != Strategy::Weighted && bars.iter().filter(|bars| bars.is_empty()).count() >= count;
        if enough {
            let mut first = Vec::with_capacity(count);
            if strategy == Strategy::RoundRobin {
                first.extend(index.ordered_after(state.last_chosen).filter(is_free).take(count));
            } else {
                first.extend(index.ordered().filter(is_free).take(count));
            }
            return first;
        }
        let members = (0..).take(bars.len());
        let mut all: Vec<_> =
            members.map(|member| (!is_free(&member), self.preference(desk, group, member), member)).collect();
        if count < all.len() {
            all.select_nth_unstable(count);
            all.truncate(count);
        }
        all.sort_unstable();
        all.into_iter().map(|(_, _, member)| member).collect()
    }

    fn candidate(&self, entry: &Entry, group: usize, member: u32, bars: Bars) -> Candidate {
        let seat = &self.desks[entry.desk].groups[group].members[member as usize];
        let agent = &self.agents[seat.agent];
        let post = seat.post.map(|at| &agent.posts[at]);
        let held = post.map_or(0, |post| post.load);
        let limits = [post.and_then(|post| post.capacity), seat.capacity];
        let score = match self.desks[entry.desk].config(group).strategy {
            // One capacity over all sellers would show what others' conversations an agent holds.
            Strategy::LeastLoaded | Strategy::LeastActive if agent.posts.len() > 1 => None,
            Strategy::LeastLoaded => Some(f64::from(agent.load + 1) / f64::from(agent.capacity.max(1))),
            Strategy::LeastActive => Some(f64::from(agent.load)),
            Strategy::LongestIdle | Strategy::RoundRobin => None,
            Strategy::Weighted => Some(-((seat.current + seat.weight) as f64)),
        };
        let capacity = limits.into_iter().flatten().fold(agent.capacity, u32::min);
        Candidate { agent: agent.account.clone(), why_not: bars.iter().collect(), held, capacity, score }
    }

    /// The trace of one who was named rather than chosen.
    pub(super) fn trace_named(&self, entry: &Entry, cause: Cause, pick: &Pick, now: Timestamp) -> Decision {
        let via = pick.through.map(|(group, _)| self.desks[entry.desk].config(group).id.clone());
        self.trace_given(entry, cause, (cause.name(), "given"), pick.agent, via, now)
    }

    /// The trace of one who was asked and says yes.
    pub(super) fn trace_accepted(&self, entry: &Entry, cause: Cause, agent: usize, now: Timestamp) -> Decision {
        self.trace_given(entry, cause, ("offer", "accepted"), agent, entry.conversation.via.clone(), now)
    }

    fn trace_given(
        &self,
        entry: &Entry,
        cause: Cause,
        (step, outcome): (&'static str, &'static str),
        agent: usize,
        via: Option<GroupId>,
        now: Timestamp,
    ) -> Decision {
        let mut decision = self.trace(entry, &Fresh::new(cause), None, false, now);
        decision.steps = vec![Step { step, outcome, group: via.clone(), agent: Some(self.account(agent)) }];
        decision.chosen.agent = Some(self.account(agent));
        decision.chosen.via = via;
        decision.chosen.state = State::Active;
        decision
    }
}
