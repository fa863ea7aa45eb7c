//! What an event does to the agents: how they can be reached, whose turn it is, what they wrap up.

use super::Domain;
use crate::model::{AccountId, GroupId, SellerId, Status, Timestamp};
use crate::routing::agent::{Reach, WrapUp};
use crate::routing::conversation::Exclusion;
use crate::routing::event::GroupRow;

impl Domain {
    pub(super) fn status_set(&mut self, account: &AccountId, status: Status, at: Timestamp) {
        let Some(agent) = self.agent_of(account) else { return };
        let state = &mut self.agents[agent];
        if state.status != status {
            state.since = at;
        }
        state.status = status;
        if status == Status::Offline {
            state.grace_until = None;
        }
        if status == Status::Online {
            self.end_wrap_ups(agent, Timestamp::MAX);
        }
        self.reached(agent, at);
    }

    pub(super) fn paused(&mut self, agent: &AccountId, seller: &SellerId, status: Option<Status>, at: Timestamp) {
        let Some(agent) = self.agent_of(agent) else { return };
        let Some(desk) = self.desk_at.get(seller).copied() else { return };
        if let Some(post) = self.agents[agent].post_mut(desk) {
            post.paused = status;
        }
        self.reached(agent, at);
    }

    pub(super) fn mark_given(&mut self, account: &AccountId, at: Timestamp) {
        let Some(agent) = self.agent_of(account) else { return };
        self.agents[agent].last_given = self.next_time(at);
        self.given(agent);
        self.arm_agent(agent, at);
    }

    pub(super) fn wrap_up(
        &mut self,
        agent: usize,
        desk: usize,
        via: Option<&GroupId>,
        until: Timestamp,
        at: Timestamp,
    ) {
        let group = via.and_then(|group| self.group_of(desk, group));
        let via = group.and_then(|group| Some((group, self.member_of(agent, desk, group)?)));
        self.agents[agent].wrap_ups.push(WrapUp { until, desk, via });
        self.take_slot(agent, desk, via);
        self.arm_agent(agent, at);
    }

    /// Frees the slots of wrap-ups that end by then.
    pub(in crate::routing::domain) fn end_wrap_ups(&mut self, agent: usize, by: Timestamp) {
        let (over, still) = std::mem::take(&mut self.agents[agent].wrap_ups).into_iter().partition(|w| w.until <= by);
        self.agents[agent].wrap_ups = still;
        let over: Vec<WrapUp> = over;
        for wrap_up in over {
            self.free_slot(agent, wrap_up.desk, wrap_up.via);
        }
    }

    /// An agent can be reached otherwise than before, or what is asked of it has changed.
    pub(in crate::routing::domain) fn reached(&mut self, agent: usize, now: Timestamp) {
        self.refresh_reach(agent, now);
        for desk in &self.agents[agent].mains {
            self.work.emptied.extend((0..self.desks[*desk].groups.len()).map(|group| (*desk, group)));
        }
        let state = &self.agents[agent];
        let reserved: Vec<_> = state.reserved.iter().chain(&state.reserved_left).copied().collect();
        for id in reserved {
            self.look_again(id);
        }
        let state = &self.agents[agent];
        let lost = state.excluded.iter().filter(|id| {
            self.conversations.get(id).is_some_and(|entry| {
                entry.conversation.exclusion(&state.account) == Some(Exclusion::Lost)
                    && state.reach(entry.desk, now) == Reach::Online
            })
        });
        let back: Vec<_> = lost.map(|id| (*id, self.account(agent))).collect();
        self.work.readmit.extend(back);
        self.arm_agent(agent, now);
    }

    /// A time later than that of every giving and ending before.
    pub(super) fn next_time(&mut self, at: Timestamp) -> Timestamp {
        self.last_time = at.max(Timestamp::from_micros(self.last_time.micros() + 1));
        self.last_time
    }

    pub(super) fn rotated(&mut self, row: &GroupRow) {
        let (Some(seller), Some(group)) = (&row.seller, &row.group) else { return };
        let Some(desk) = self.desk_at.get(seller).copied() else { return };
        let Some(group) = self.group_of(desk, group) else { return };
        let member = |account: &AccountId| self.agent_of(account).and_then(|agent| self.member_of(agent, desk, group));
        let last = row.last_chosen.as_ref().and_then(member).and_then(|member| u32::try_from(member).ok());
        let weights: Vec<_> = row.weights.iter().filter_map(|(who, weight)| Some((member(who)?, *weight))).collect();
        let state = &mut self.desks[desk].groups[group];
        state.last_chosen = last;
        for (member, weight) in weights {
            state.members[member].current = weight;
        }
    }
}
