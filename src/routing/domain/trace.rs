//! The decision trace: what was looked at, and how it compared, at the moment of the decision.

use std::collections::BTreeMap;

use super::availability::Bars;
use super::select::{Pick, Presence};
use super::{Domain, Entry, Fresh};
use crate::directory::Strategy;
use crate::model::{GroupId, State, Timestamp};
use crate::routing::decision::{Candidate, Cause, Chosen, Decision, Step};

/// How many candidates a recorded trace lists.
const CANDIDATES: usize = 16;
/// Groups of up to so many members are looked at one by one; of larger ones the index says who comes first.
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
    ) -> (Vec<Candidate>, BTreeMap<crate::routing::WhyNot, u32>) {
        let state = &self.desks[entry.desk].groups[group];
        let members = u32::try_from(state.members.len()).unwrap_or(0);
        let mut unavailable = BTreeMap::new();
        if !whole && state.members.len() > SMALL {
            let first: Vec<u32> = self.pools[state.pool].index.ordered().take(CANDIDATES).collect();
            if state.online < members {
                unavailable.insert(crate::routing::WhyNot::Offline, members - state.online);
            }
            let listed = first.into_iter().map(|member| {
                let bars =
                    self.bars_for(state.members[member as usize].agent, entry, Some((group, member as usize)), now);
                self.candidate(entry, group, member, bars)
            });
            return (listed.collect(), unavailable);
        }
        let mut all = Vec::with_capacity(state.members.len());
        for (member, seat) in (0..members).zip(&state.members) {
            let bars = self.bars_for(seat.agent, entry, Some((group, member as usize)), now);
            for why in bars.iter() {
                *unavailable.entry(why).or_default() += 1;
            }
            all.push((!bars.is_empty(), self.preference(entry.desk, group, member), member, bars));
        }
        all.sort_unstable_by_key(|(barred, preference, ..)| (*barred, *preference));
        all.truncate(if whole { usize::MAX } else { CANDIDATES });
        let listed = all.into_iter().map(|(_, _, member, bars)| self.candidate(entry, group, member, bars));
        (listed.collect(), unavailable)
    }

    fn candidate(&self, entry: &Entry, group: usize, member: u32, bars: Bars) -> Candidate {
        let seat = &self.desks[entry.desk].groups[group].members[member as usize];
        let agent = &self.agents[seat.agent];
        let post = agent.post(entry.desk);
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
