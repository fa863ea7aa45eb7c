//! Who may take a conversation: one predicate, used everywhere.

use super::{Domain, Entry};
use crate::model::{State, Status, Timestamp};
use crate::policy::Scope;
use crate::routing::conversation::{Conversation, Exclusion};
use crate::routing::decision::WhyNot;

/// A set of reasons why not; empty: it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bars(u16);

impl Bars {
    /// What keeps somebody away who is only away: the rule for those who may be given some all the same.
    pub(super) const AWAY: Self = Self(1 << WhyNot::Away as u16);
    /// What a claim, an assignment and a transfer to an agent do not look at.
    pub(super) const WILL: Self = Self(
        1 << WhyNot::Spacing as u16
            | 1 << WhyNot::Declined as u16
            | 1 << WhyNot::TimedOut as u16
            | 1 << WhyNot::Unanswered as u16
            | 1 << WhyNot::Lost as u16
            | 1 << WhyNot::Transferred as u16,
    );
    /// That a limit is reached.
    pub(super) const CAPACITY: Self = Self(1 << WhyNot::AtCapacity as u16);
    /// That it has no right to be given conversations: no matter for who takes one itself.
    pub(super) const RECEIVE: Self = Self(1 << WhyNot::MayNotReceive as u16);

    pub(super) fn add(&mut self, why: WhyNot) {
        self.0 |= 1 << why as u16;
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = WhyNot> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let why = WhyNot::ALL.get(left.trailing_zeros() as usize)?;
            left &= !(1 << *why as u16);
            Some(*why)
        })
    }
}

/// Through which membership somebody would have a conversation: the group and its member.
pub(super) type Through = Option<(usize, usize)>;

impl Domain {
    /// Why an agent may not be given conversations of a desk through a membership, whichever conversation it is.
    /// Limits are taken `times` over.
    pub(super) fn bars(&self, agent: usize, desk: usize, through: Through, times: u32, now: Timestamp) -> Bars {
        let state = &self.agents[agent];
        let mut bars = Bars::default();
        let seat = through.map(|(group, member)| &self.desks[desk].groups[group].members[member]);
        let Some(post) = seat.map_or_else(|| state.post_at(desk), |seat| seat.post).map(|at| &state.posts[at]) else {
            bars.add(WhyNot::NotInForce);
            return bars;
        };
        if now >= post.in_force_until {
            bars.add(WhyNot::NotInForce);
        }
        if !post.scopes.has(Scope::Receive) {
            bars.add(WhyNot::MayNotReceive);
        }
        match (state.status, post.paused) {
            (Status::Offline, _) => bars.add(WhyNot::Offline),
            (Status::Away, None) => bars.add(WhyNot::Away),
            (_, Some(_)) => bars.add(WhyNot::Paused),
            (Status::Online, None) => {}
        }
        if !state.is_connected() {
            bars.add(WhyNot::NoSession);
        }
        let over = |load: u32, limit: u32| load >= limit.saturating_mul(times);
        if over(state.load, state.capacity) || post.capacity.is_some_and(|limit| over(post.load, limit)) {
            bars.add(WhyNot::AtCapacity);
        }
        if let (Some(seat), Some((group, _))) = (seat, through) {
            if seat.capacity.is_some_and(|limit| over(seat.load, limit)) {
                bars.add(WhyNot::AtCapacity);
            }
            let spacing = self.desks[desk].config(group).spacing;
            if !spacing.is_zero() && state.last_given > Timestamp::ZERO && now < state.last_given + spacing {
                bars.add(WhyNot::Spacing);
            }
        }
        bars
    }

    /// Why an agent may not be given this conversation through this membership.
    pub(super) fn bars_for(&self, agent: usize, entry: &Entry, through: Through, now: Timestamp) -> Bars {
        let mut bars = self.bars(agent, entry.desk, through, 1, now);
        if entry.conversation.state == State::LeftMessage && !self.has_room_for_left(agent) {
            bars.add(WhyNot::AtCapacity);
        }
        self.add_exclusion(&mut bars, agent, &entry.conversation);
        bars
    }

    /// Whether somebody's last free slot is not the one that a left message would take.
    pub(super) fn has_room_for_left(&self, agent: usize) -> bool {
        let state = &self.agents[agent];
        state.capacity == 1 || state.capacity.saturating_sub(state.load) > 1
    }

    pub(super) fn add_exclusion(&self, bars: &mut Bars, agent: usize, conversation: &Conversation) {
        if conversation.rare.excluded.is_empty() {
            return;
        }
        match conversation.exclusion(&self.agents[agent].account) {
            None => {}
            Some(Exclusion::Declined) => bars.add(WhyNot::Declined),
            Some(Exclusion::TimedOut) => bars.add(WhyNot::TimedOut),
            Some(Exclusion::Unanswered) => bars.add(WhyNot::Unanswered),
            Some(Exclusion::Lost) => bars.add(WhyNot::Lost),
            Some(Exclusion::Transferred) => bars.add(WhyNot::Transferred),
        }
    }

    /// The membership through which an agent would have a conversation: its own group first, then, in file order,
    /// the groups to which it overflows by now.
    pub(super) fn through(&self, agent: usize, entry: &Entry) -> Through {
        let own = self.member_of(agent, entry.desk, entry.group).map(|member| (entry.group, member));
        own.or_else(|| {
            self.due_groups(entry).find_map(|group| Some((group, self.member_of(agent, entry.desk, group)?)))
        })
    }

    /// The groups to which a conversation overflows by now, in file order.
    pub(super) fn due_groups<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = usize> + 'a {
        let group = &self.desks[entry.desk].groups[entry.group];
        let all = group.online == 0;
        let due = entry.due;
        group.overflow.iter().enumerate().filter(move |(step, _)| all || due & (1 << step) != 0).map(|(_, to)| *to)
    }
}
