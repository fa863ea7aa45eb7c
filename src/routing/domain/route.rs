//! The way of a conversation that enters: bindings, in file order, and the settings it takes from them.

use std::sync::Arc;

use super::{Domain, Entry, Fresh};
use crate::directory::{Field, Matcher, Otherwise, RecentWhenFull, Target};
use crate::model::{EntryId, Timestamp};
use crate::routing::command::Context;
use crate::routing::conversation::Bound;
use crate::routing::decision::{Bindings, Cause};
use crate::routing::view::{LeftReason, Profile};

use super::availability::Bars;

/// What bindings look at.
pub(super) struct Asked<'a> {
    pub(super) profile: &'a Arc<Profile>,
    pub(super) context: &'a Context,
    pub(super) entry: &'a EntryId,
    pub(super) text: Option<&'a str>,
}

impl Asked<'_> {
    /// Calls `take` with every value of a field that is one of a few.
    fn values(&self, field: &Field, take: &mut dyn FnMut(&str)) {
        match field {
            Field::Buyer => take(&self.profile.key.sub),
            Field::Entry => take(self.entry.as_str()),
            Field::Context(name) => {
                let value = self.context.iter().find(|(key, _)| key == name);
                value.into_iter().for_each(|(_, value)| take(value));
            }
            Field::Attribute(name) => {
                let values = self.profile.attributes.iter().find(|(key, _)| key == name);
                values.into_iter().flat_map(|(_, values)| values).for_each(|value| take(value));
            }
            Field::Keyword => {}
        }
    }
}

impl Domain {
    /// Puts a conversation that enters on its way: its group, its priority, its bound agent, or that it is left.
    pub(super) fn route(&self, entry: &mut Entry, asked: &Asked<'_>, cause: Cause, now: Timestamp) -> Fresh {
        let desk = &self.desks[entry.desk];
        let bindings = &desk.seller.bindings;
        let mut fresh = Fresh { looked: Bindings::of(Arc::clone(&desk.seller)), ..Fresh::new(cause) };
        for at in desk.wanted.by(|field, take| asked.values(field, take)) {
            fresh.looked.pass_to(at);
            let binding = &bindings[at];
            let failed = binding.when.iter().position(|matcher| !holds(matcher, asked, now));
            fresh.looked.push(failed);
            if failed.is_some() {
                continue;
            }
            entry.conversation.priority = entry.conversation.priority.max(binding.priority);
            if self.follow(entry, binding.otherwise, &binding.to, binding.group.as_ref(), now) {
                if let Target::LeaveMessage(text) = &binding.to {
                    fresh.leave = Some(Arc::clone(text));
                }
                return fresh;
            }
        }
        fresh.looked.pass_to(bindings.len());
        self.settle_in(entry, desk.default_group, now);
        fresh
    }

    /// Goes where a binding says; false if the next one is to be looked at.
    fn follow(
        &self,
        entry: &mut Entry,
        otherwise: Otherwise,
        to: &Target,
        settings: Option<&crate::model::GroupId>,
        now: Timestamp,
    ) -> bool {
        let default = self.desks[entry.desk].default_group;
        let settings = settings.and_then(|group| self.group_of(entry.desk, group)).unwrap_or(default);
        match to {
            Target::LeaveMessage(_) => {
                self.settle_in(entry, settings, now);
                true
            }
            Target::Group(group) => {
                let Some(group) = self.group_of(entry.desk, group) else { return false };
                self.settle_in(entry, group, now);
                otherwise == Otherwise::Wait || self.select(entry, Some(Cause::Start), now).is_some()
            }
            Target::Agent(account) => {
                let Some(agent) = self.agent_of(account) else { return false };
                self.settle_in(entry, settings, now);
                let there = self.agents[agent].may_be_waited_for(entry.desk, now);
                let takes = self.may_take_alone(agent, entry, now).is_some();
                if !takes && (otherwise == Otherwise::Next || !there) {
                    return false;
                }
                let bound = Bound { agent: account.clone(), waits: true };
                entry.conversation.rare.change(|rare| rare.bound = Some(bound));
                true
            }
        }
    }

    /// The conversation has the settings of this group.
    pub(super) fn settle_in(&self, entry: &mut Entry, group: usize, now: Timestamp) {
        entry.group = group;
        entry.conversation.group = self.group_id(entry.desk, group).clone();
        entry.due = self.due_by(entry, now);
    }

    /// Keeps the conversation for its recent agent for a while, if only its capacity is in the way and the group
    /// says so.
    pub(super) fn wait_for_recent(&self, entry: &mut Entry, now: Timestamp) {
        let RecentWhenFull::Wait(wait) = self.desks[entry.desk].config(entry.group).recent_agent_when_full else {
            return;
        };
        if entry.conversation.rare.bound.is_none()
            && let Some((_, _, bars)) = self.recent(entry, now)
            && !bars.is_empty()
            && bars.without(Bars::CAPACITY).is_empty()
        {
            entry.conversation.rare.change(|rare| rare.recent_until = Some(now + wait));
        }
    }

    /// What no binding can decide: that nobody is there, or that the queue is full.
    pub(super) fn must_leave(&self, entry: &Entry, fresh: Option<&Fresh>, now: Timestamp) -> Option<LeftReason> {
        use super::select::Presence;

        if fresh.is_some_and(|fresh| fresh.leave.is_some()) {
            return Some(LeftReason::Binding);
        }
        let group = self.desks[entry.desk].config(entry.group);
        let nobody = match self.presence(entry) {
            Presence::Away => group.when_all_away == crate::directory::WhenAllAway::LeaveMessage,
            Presence::Nobody => self.last_resort(entry.desk).is_none(),
            Presence::Online | Presence::Grace => false,
        };
        if nobody && !self.waits_for_somebody(entry, now) {
            return Some(LeftReason::NobodyOnline);
        }
        let counted = self.desks[entry.desk].groups[entry.group].counted;
        let full = fresh.is_some_and(|fresh| fresh.cause.enters())
            && entry.conversation.counted
            && group.queue_limit > 0
            && counted > group.queue_limit;
        full.then_some(LeftReason::QueueFull)
    }

    /// Whether it waits for a bound agent outside its group who is there.
    fn waits_for_somebody(&self, entry: &Entry, now: Timestamp) -> bool {
        let bound = entry.conversation.rare.bound.as_ref().filter(|bound| bound.waits);
        let agent = bound.and_then(|bound| self.agent_of(&bound.agent));
        agent.is_some_and(|agent| self.agents[agent].reach(entry.desk, now) != super::super::agent::Reach::Absent)
    }
}

fn holds(matcher: &Matcher, asked: &Asked<'_>, now: Timestamp) -> bool {
    match matcher {
        Matcher::Hours(hours) => hours.iter().any(|hours| hours.hold(now)),
        Matcher::Value { field, any } => match field {
            Field::Buyer | Field::Entry | Field::Context(_) | Field::Attribute(_) => {
                let mut fits = false;
                asked.values(field, &mut |value| fits = fits || any.iter().any(|pattern| pattern.fits(value)));
                fits
            }
            Field::Keyword => asked.text.is_some_and(|text| {
                any.iter().any(|pattern| match pattern {
                    crate::directory::Pattern::Exactly(word) | crate::directory::Pattern::Prefix(word) => {
                        text.contains(&**word)
                    }
                })
            }),
        },
    }
}
