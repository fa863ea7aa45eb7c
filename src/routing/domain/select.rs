//! Whom to choose: the recent agent first, then the strategy of the group, then the groups to which it overflows,
//! then those away and the main account where nobody is online.

use super::availability::{Bars, Through};
use super::{Cause, Domain, Entry};
use crate::directory::{RecentWhenFull, Strategy, WhenAllAway};
use crate::model::{AccountId, Status, Timestamp};
use crate::routing::event::GroupRow;
use crate::routing::index::{active_key, loaded_key, tier_key};

/// Somebody chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pick {
    pub(super) agent: usize,
    pub(super) through: Through,
    pub(super) runner_up: Option<usize>,
    pub(super) how: How,
}

/// By which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Bound,
    Recent,
    Strategy,
    Overflow,
    Away,
    Main,
    /// The agent who had it before it was closed.
    Returned,
}

impl How {
    /// Whether it is given without being asked, whatever the group says.
    pub(super) const fn gives(self) -> bool {
        matches!(self, Self::Main | Self::Returned)
    }

    /// The step and its outcome, by their names in the trace.
    pub(super) const fn step(self) -> (&'static str, &'static str) {
        match self {
            Self::Bound => ("bindings", "bound_agent"),
            Self::Recent => ("recent_agent", "chosen"),
            Self::Strategy => ("select", "chosen"),
            Self::Overflow => ("overflow", "chosen"),
            Self::Away => ("nobody_online", "away_assigned"),
            Self::Main => ("nobody_online", "main_account"),
            Self::Returned => ("reopen", "same_agent"),
        }
    }
}

/// Who is there for a conversation, of its own group and those it overflows to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Online,
    Away,
    Grace,
    Nobody,
}

impl Domain {
    /// Who is to have a conversation that waits, if anybody may take it. `entering`: on its way in, or back in.
    pub(super) fn select(&self, entry: &Entry, entering: Option<Cause>, now: Timestamp) -> Option<Pick> {
        let conversation = &entry.conversation;
        let pick = |agent, through, how| Some(Pick { agent, through, runner_up: None, how });
        if entering == Some(Cause::Reopen)
            && let Some(agent) = conversation.held.last().and_then(|last| self.agent_of(last))
            && let Some(through) = self.may_take_alone(agent, entry, now)
        {
            return pick(agent, through, How::Returned);
        }
        if conversation.rare.recent_until.is_some() {
            let (agent, through, bars) = self.recent(entry, now)?;
            return bars.is_empty().then(|| pick(agent, through, How::Recent))?;
        }
        if let Some(bound) = conversation.rare.bound.as_ref().filter(|bound| bound.waits) {
            let agent = self.agent_of(&bound.agent)?;
            let through = self.may_take_alone(agent, entry, now)?;
            return pick(agent, through, How::Bound);
        }
        if let Some((agent, through, bars)) = self.recent(entry, now)
            && (bars.is_empty()
                || (entering.is_some_and(Cause::enters) && self.may_exceed(agent, entry, through, bars, now)))
        {
            return pick(agent, through, How::Recent);
        }

        self.select_in(entry.group, entry, Bars::default(), now)
            .or_else(|| self.select_overflow(entry, Bars::default(), How::Overflow, now))
            .or_else(|| self.select_where_nobody_is(entry, now))
    }

    /// Who is there for a conversation.
    pub(super) fn presence(&self, entry: &Entry) -> Presence {
        let desk = &self.desks[entry.desk];
        let own = &desk.groups[entry.group];
        let groups = || std::iter::once(own).chain(own.overflow.iter().map(|group| &desk.groups[*group]));
        if groups().any(|group| group.online > 0) {
            Presence::Online
        } else if groups().any(|group| group.away > 0) {
            Presence::Away
        } else if groups().any(|group| group.grace > 0) {
            Presence::Grace
        } else {
            Presence::Nobody
        }
    }

    /// The main account, where it is the last resort and there.
    pub(super) fn last_resort(&self, at: usize) -> Option<usize> {
        let desk = &self.desks[at];
        let there = |main: &usize| self.is_online(*main) && self.agents[*main].status_for(at) == Status::Online;
        desk.main.filter(|main| desk.seller.main_account_fallback && there(main))
    }

    fn select_where_nobody_is(&self, entry: &Entry, now: Timestamp) -> Option<Pick> {
        match self.presence(entry) {
            Presence::Away if self.desks[entry.desk].config(entry.group).when_all_away == WhenAllAway::Assign => self
                .select_in(entry.group, entry, Bars::AWAY, now)
                .or_else(|| self.select_overflow(entry, Bars::AWAY, How::Away, now)),
            Presence::Nobody => {
                let main = self.last_resort(entry.desk)?;
                let bars = self.bars_for(main, entry, None, now);
                let pick = Pick { agent: main, through: None, runner_up: None, how: How::Main };
                bars.is_empty().then_some(pick)
            }
            _ => None,
        }
    }

    fn select_overflow(&self, entry: &Entry, ignore: Bars, how: How, now: Timestamp) -> Option<Pick> {
        let pick = self.due_groups(entry).find_map(|group| self.select_in(group, entry, ignore, now))?;
        Some(Pick { how, ..pick })
    }

    /// The recent agent as a member of the conversation's group, and why it may not take it; only one that only its
    /// capacity keeps from it, or nothing, is worth a thought.
    pub(super) fn recent(&self, entry: &Entry, now: Timestamp) -> Option<(usize, Through, Bars)> {
        let (account, held_at) = entry.conversation.recent.as_ref()?;
        let group = self.desks[entry.desk].config(entry.group);
        if entry.conversation.queued_at.since(*held_at) > group.recent_agent? {
            return None;
        }
        let agent = self.agent_of(account)?;
        let through = Some((entry.group, self.member_of(agent, entry.desk, entry.group)?));
        let bars = self.bars_for(agent, entry, through, now);
        let bars = if group.recent_agent_even_if_away { bars.without(Bars::AWAY) } else { bars };
        Some((agent, through, bars))
    }

    /// Whether the group lets its recent agent go over its limits, and only they are in the way.
    fn may_exceed(&self, agent: usize, entry: &Entry, through: Through, bars: Bars, now: Timestamp) -> bool {
        let group = self.desks[entry.desk].config(entry.group);
        group.recent_agent_when_full == RecentWhenFull::Exceed
            && bars.without(Bars::CAPACITY).is_empty()
            && !self.bars(agent, entry.desk, through, 2, now).has(Bars::CAPACITY)
    }

    /// One certain agent: through its membership, or through none.
    pub(super) fn may_take_alone(&self, agent: usize, entry: &Entry, now: Timestamp) -> Option<Through> {
        let own = self.member_of(agent, entry.desk, entry.group).map(|member| (entry.group, member));
        self.bars_for(agent, entry, own, now).is_empty().then_some(own)
    }

    /// Selection within one group, by its strategy.
    pub(super) fn select_in(&self, group: usize, entry: &Entry, ignore: Bars, now: Timestamp) -> Option<Pick> {
        let state = &self.desks[entry.desk].groups[group];
        let may = |member: u32| {
            let member = member as usize;
            let agent = state.members[member].agent;
            self.bars_for(agent, entry, Some((group, member)), now).without(ignore).is_empty()
        };
        let (first, second) = if ignore != Bars::default() || self.strategy(entry.desk, group) == Strategy::Weighted {
            let mut best: Vec<u32> = (0..u32::try_from(state.members.len()).unwrap_or(0)).filter(|m| may(*m)).collect();
            best.sort_by_key(|member| self.preference(entry.desk, group, *member));
            let mut best = best.into_iter();
            (best.next()?, best.next())
        } else if state.online == 0 {
            return None;
        } else if self.strategy(entry.desk, group) == Strategy::RoundRobin {
            let mut ordered =
                self.pools[state.pool].index.ordered_after(state.last_chosen).filter(|member| may(*member));
            (ordered.next()?, ordered.next())
        } else {
            let mut ordered = self.pools[state.pool].index.ordered().filter(|member| may(*member));
            (ordered.next()?, ordered.next())
        };
        let agent = |member: u32| state.members[member as usize].agent;
        let through = Some((group, first as usize));
        let how = if ignore == Bars::default() { How::Strategy } else { How::Away };
        Some(Pick { agent: agent(first), through, runner_up: second.map(agent), how })
    }

    fn strategy(&self, desk: usize, group: usize) -> Strategy {
        self.desks[desk].config(group).strategy
    }

    /// The order of preference among members, spelled out: what the index keeps, for those the index does not serve.
    /// The smaller is preferred.
    pub(super) fn preference(&self, desk: usize, group: usize, member: u32) -> (u64, i64, Timestamp, u32) {
        let state = &self.desks[desk].groups[group];
        let seat = &state.members[member as usize];
        let agent = &self.agents[seat.agent];
        let given = agent.last_given;
        match self.strategy(desk, group) {
            Strategy::LeastLoaded => (loaded_key(seat.tier, agent.load, agent.capacity), 0, given, member),
            Strategy::LeastActive => (active_key(seat.tier, agent.load), 0, given, member),
            Strategy::LongestIdle => (tier_key(seat.tier), given.max(agent.last_ended).micros(), given, member),
            Strategy::RoundRobin => {
                let count = u32::try_from(state.members.len()).unwrap_or(u32::MAX);
                let next = state.last_chosen.map_or(0, |last| last + 1);
                let turn = (member + count - next.min(count)) % count;
                (tier_key(seat.tier), i64::from(turn), Timestamp::ZERO, member)
            }
            Strategy::Weighted => (tier_key(seat.tier), -(seat.current + seat.weight), given, member),
        }
    }

    /// How the rotation of the group moves on when this member is chosen from those who may take the conversation.
    /// Smooth weighted round robin, as nginx has it: each candidate gains its weight, the chosen loses their sum.
    pub(super) fn rotation(&self, entry: &Entry, pick: &Pick, now: Timestamp) -> Option<GroupRow> {
        let (group, chosen) = pick.through?;
        let ignore = if pick.how == How::Away { Bars::AWAY } else { Bars::default() };
        let strategy = self.strategy(entry.desk, group);
        if !matches!(strategy, Strategy::RoundRobin | Strategy::Weighted) {
            return None;
        }
        let mut row = self.group_row(entry.desk, group);
        let state = &self.desks[entry.desk].groups[group];
        row.last_chosen = Some(self.agents[state.members[chosen].agent].account.clone());
        if strategy == Strategy::Weighted {
            let tier = state.members[chosen].tier;
            let mut total = 0;
            for (at, member) in state.members.iter().enumerate() {
                let may = self.bars_for(member.agent, entry, Some((group, at)), now).without(ignore).is_empty();
                if member.tier == tier && (may || at == chosen) {
                    row.weights[at].1 += member.weight;
                    total += member.weight;
                }
            }
            row.weights[chosen].1 -= total;
        }
        Some(row)
    }

    /// The account of an agent.
    pub(super) fn account(&self, agent: usize) -> AccountId {
        self.agents[agent].account.clone()
    }
}
