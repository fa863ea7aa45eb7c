//! Who may take a conversation, and whom to choose: steps 4 to 7.

use std::cmp::Ordering;

use fenliu::directory::{Member, RecentWhenFull, Strategy, WhenAllAway};
use fenliu::model::{AccountId, GroupId, State, Status, Timestamp};
use fenliu::policy::Scope;
use fenliu::routing::Conversation;

use super::facts::Reach;
use super::{Entering, Model};

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    Force,
    Receive,
    Offline,
    Away,
    Paused,
    Session,
    Capacity,
    Spacing,
    Excluded,
}

/// Somebody chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    pub agent: AccountId,
    pub via: Option<GroupId>,
    /// Whether it is given whatever the group says of offers.
    pub gives: bool,
    pub away: bool,
}

impl Model {
    /// Why somebody may not take a conversation through a group; its limits taken so many times.
    pub fn bars(&self, agent: &AccountId, c: &Conversation, via: Option<&GroupId>, times: u32) -> Vec<Bar> {
        let Some(authorization) = self.authorization(agent, &c.seller) else { return vec![Bar::Force] };
        let state = &self.agents[agent];
        let mut bars = Vec::new();
        let mut bar = |holds: bool, bar: Bar| bars.extend(holds.then_some(bar));
        bar(!authorization.in_force(self.now), Bar::Force);
        bar(!authorization.scopes.has(Scope::Receive), Bar::Receive);
        let paused = state.paused.contains_key(&c.seller);
        bar(state.status == Status::Offline, Bar::Offline);
        bar(state.status != Status::Offline && paused, Bar::Paused);
        bar(state.status == Status::Away && !paused, Bar::Away);
        bar(state.sessions.is_empty(), Bar::Session);
        let (all, here) = (self.held(agent, None, None), self.held(agent, Some(&c.seller), None));
        let capacity = self.directory.capacity_of(agent);
        let last_slot = c.state == State::LeftMessage && capacity > 1 && all + 1 >= capacity;
        let mut full = all >= capacity * times || authorization.capacity.is_some_and(|limit| here >= limit * times);
        full |= last_slot;
        if let Some(via) = via {
            let group = self.group(&c.seller, via);
            let member = group.members.iter().find(|member| member.account == *agent).unwrap();
            let through = self.held(agent, Some(&c.seller), Some(via));
            full |= member.capacity.is_some_and(|limit| through >= limit * times);
            let spaced =
                !group.spacing.is_zero() && state.given > Timestamp::ZERO && self.now < state.given + group.spacing;
            bar(spaced, Bar::Spacing);
        }
        bar(full, Bar::Capacity);
        bar(c.exclusion(agent).is_some(), Bar::Excluded);
        bars
    }

    fn may_take(&self, agent: &AccountId, c: &Conversation, via: Option<&GroupId>) -> bool {
        self.bars(agent, c, via, 1).is_empty()
    }

    /// A group of which somebody is a member, if it is.
    pub fn as_member(&self, agent: &AccountId, c: &Conversation, group: &GroupId) -> Option<GroupId> {
        let members = &self.group(&c.seller, group).members;
        members.iter().any(|member| member.account == *agent).then(|| group.clone())
    }

    /// Who is to have it, if anybody may take it.
    pub fn select(&self, c: &Conversation, entering: Option<Entering>) -> Option<Pick> {
        let pick = |agent: &AccountId, via| Some(Pick { agent: agent.clone(), via, gives: false, away: false });
        if entering == Some(Entering::Reopen)
            && let Some(last) = c.held.last().filter(|last| self.agents.contains_key(*last))
        {
            let via = self.as_member(last, c, &c.group);
            if self.may_take(last, c, via.as_ref()) {
                return Some(Pick { gives: true, ..pick(last, via)? });
            }
        }
        if c.rare.recent_until.is_some() {
            let (agent, bars) = self.recent(c)?;
            return bars.is_empty().then(|| pick(&agent, Some(c.group.clone())))?;
        }
        if let Some(bound) = c.rare.bound.as_ref().filter(|bound| bound.waits) {
            let via = self.as_member(&bound.agent, c, &c.group);
            return self.may_take(&bound.agent, c, via.as_ref()).then(|| pick(&bound.agent, via))?;
        }
        if let Some((agent, bars)) = self.recent(c)
            && (bars.is_empty() || (entering.is_some() && self.may_exceed(&agent, c, &bars)))
        {
            return pick(&agent, Some(c.group.clone()));
        }
        let mut groups = vec![c.group.clone()];
        groups.extend(self.due_groups(c));
        let online = groups.iter().find_map(|group| self.select_in(c, group, false));
        online.or_else(|| match self.presence(c) {
            Reach::Away if self.settings(c).when_all_away == WhenAllAway::Assign => {
                groups.iter().find_map(|group| self.select_in(c, group, true))
            }
            Reach::Absent => {
                let main = self.last_resort(&c.seller)?;
                self.may_take(&main, c, None).then(|| Some(Pick { gives: true, ..pick(&main, None)? }))?
            }
            _ => None,
        })
    }

    /// The recent agent as a member of the group, and what is in its way.
    pub fn recent(&self, c: &Conversation) -> Option<(AccountId, Vec<Bar>)> {
        let (account, at) = c.recent.as_ref()?;
        let group = self.settings(c);
        if c.queued_at.since(*at) > group.recent_agent? {
            return None;
        }
        let via = self.as_member(account, c, &group.id)?;
        let mut bars = self.bars(account, c, Some(&via), 1);
        bars.retain(|bar| !(group.recent_agent_even_if_away && *bar == Bar::Away));
        Some((account.clone(), bars))
    }

    fn may_exceed(&self, agent: &AccountId, c: &Conversation, bars: &[Bar]) -> bool {
        let only_capacity = bars.iter().all(|bar| *bar == Bar::Capacity);
        let twice = self.bars(agent, c, Some(&c.group), 2).contains(&Bar::Capacity);
        self.settings(c).recent_agent_when_full == RecentWhenFull::Exceed && only_capacity && !twice
    }

    /// Step 5, within one group.
    fn select_in(&self, c: &Conversation, group: &GroupId, away: bool) -> Option<Pick> {
        let config = self.group(&c.seller, group);
        let may = |member: &&Member| {
            let bars = self.bars(&member.account, c, Some(group), 1);
            bars.iter().all(|bar| away && *bar == Bar::Away)
        };
        let mut able: Vec<&Member> = config.members.iter().filter(may).collect();
        let tier = able.iter().map(|member| member.tier).min()?;
        able.retain(|member| member.tier == tier);
        able.sort_by(|a, b| self.compare(c, group, a, b));
        let agent = able.first()?.account.clone();
        Some(Pick { agent, via: Some(group.clone()), gives: false, away })
    }

    fn compare(&self, c: &Conversation, group: &GroupId, a: &Member, b: &Member) -> Ordering {
        let config = self.group(&c.seller, group);
        let (one, two) = (&self.agents[&a.account], &self.agents[&b.account]);
        let held = |member: &Member| u64::from(self.held(&member.account, None, None));
        let capacity = |member: &Member| u64::from(self.directory.capacity_of(&member.account));
        let place = |member: &Member| config.members.iter().position(|other| other == member).unwrap();
        let ties = || one.given.cmp(&two.given).then(place(a).cmp(&place(b)));
        match config.strategy {
            Strategy::LeastLoaded => ((held(a) + 1) * capacity(b)).cmp(&((held(b) + 1) * capacity(a))).then_with(ties),
            Strategy::LeastActive => held(a).cmp(&held(b)).then_with(ties),
            Strategy::LongestIdle => one.given.max(one.ended).cmp(&two.given.max(two.ended)).then_with(ties),
            Strategy::RoundRobin => {
                let last = self.rotation(c, group).last;
                let last = last.map(|last| config.members.iter().position(|member| member.account == last).unwrap());
                let turn = |member: &Member| {
                    let place = place(member);
                    (last.is_some_and(|last| place <= last), place)
                };
                turn(a).cmp(&turn(b))
            }
            Strategy::Weighted => {
                let weight = |member: &Member| {
                    let current = self.rotation(c, group).weights.get(&member.account).copied().unwrap_or(0);
                    -(current + i64::from(member.weight))
                };
                weight(a).cmp(&weight(b)).then_with(ties)
            }
        }
    }

    pub fn rotation(&self, c: &Conversation, group: &GroupId) -> super::Rotation {
        self.rotations.get(&(c.seller.clone(), group.clone())).cloned().unwrap_or_default()
    }

    /// How a group's rotation moves on by a choice.
    pub fn rotate(&mut self, c: &Conversation, pick: &Pick) {
        let Some(via) = pick.via.clone() else { return };
        let config = self.group(&c.seller, &via).clone();
        if !matches!(config.strategy, Strategy::RoundRobin | Strategy::Weighted) {
            return;
        }
        let mut rotation = self.rotation(c, &via);
        rotation.last = Some(pick.agent.clone());
        for member in &config.members {
            rotation.weights.entry(member.account.clone()).or_insert(0);
        }
        if config.strategy == Strategy::Weighted {
            let tier = config.members.iter().find(|member| member.account == pick.agent).unwrap().tier;
            let mut total = 0;
            for member in config.members.iter().filter(|member| member.tier == tier) {
                let bars = self.bars(&member.account, c, Some(&via), 1);
                let may = bars.iter().all(|bar| pick.away && *bar == Bar::Away);
                if may || member.account == pick.agent {
                    *rotation.weights.get_mut(&member.account).unwrap() += i64::from(member.weight);
                    total += i64::from(member.weight);
                }
            }
            *rotation.weights.get_mut(&pick.agent).unwrap() -= total;
        }
        self.rotations.insert((c.seller.clone(), via), rotation);
    }
}
