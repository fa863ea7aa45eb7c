//! What an agent can take: the first in order of everything that waits for it, over all its groups and sellers.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use super::availability::{Bars, Through};
use super::{Domain, Entry};
use crate::directory::WhenAllAway;
use crate::model::{ConversationId, State, Timestamp};
use crate::routing::desk::{self, Key};

/// The place of a waiting conversation among those of all sellers: by its seller's own order first.
type SellerKey = (i64, ConversationId);

impl Domain {
    /// The first in order that waits and that the agent may take.
    pub(super) fn first_for(&self, agent: usize, now: Timestamp) -> Option<ConversationId> {
        let state = &self.agents[agent];
        if !state.is_connected() || state.load >= state.capacity {
            return None;
        }
        let mut first: Option<(Timestamp, ConversationId)> = None;
        for post in &state.posts {
            let best = self.first_at(agent, post.desk, now);
            let head = best.map(|(_, id)| (self.conversations[&id].conversation.queued_at, id));
            first = first.into_iter().chain(head).min();
        }
        first.map(|(_, id)| id)
    }

    /// The first in order of one seller.
    fn first_at(&self, agent: usize, at: usize, now: Timestamp) -> Option<SellerKey> {
        let state = &self.agents[agent];
        let seats = &state.seats;
        let mut best: Option<SellerKey> = None;
        let from = seats.partition_point(|seat| seat.desk < at);
        for seat in seats[from..].iter().take_while(|seat| seat.desk == at) {
            let group = &self.desks[at].groups[seat.group];
            let through = Some((seat.group, seat.member));
            let own = std::iter::once((seat.group, &group.open));
            let feeds = group.feeds.iter().map(|(from, step)| {
                let source = &self.desks[at].groups[*from];
                (*from, if source.online == 0 { &source.open } else { &source.due[*step] })
            });
            for (from, source) in own.chain(feeds).filter(|(_, source)| !source.is_empty()) {
                let found = self.first_of(agent, at, from, source, through, now);
                best = best.into_iter().chain(found).min();
            }
        }
        let reserved = state.reserved.iter().filter_map(|id| {
            let entry = self.conversations.get(id).filter(|entry| entry.desk == at)?;
            self.select(entry, None, now)
                .map(|_| desk::seller_key(self.desks[at].config(entry.group), &entry.conversation))
        });
        best = best.into_iter().chain(reserved.min()).min();
        if self.last_resort(at) == Some(agent) {
            for (from, group) in self.desks[at].groups.iter().enumerate() {
                let found = self.first_of(agent, at, from, &group.open, None, now);
                best = best.into_iter().chain(found).min();
            }
        }
        best
    }

    /// The first of one queue.
    fn first_of(
        &self,
        agent: usize,
        at: usize,
        from: usize,
        source: &BTreeSet<Key>,
        through: Through,
        now: Timestamp,
    ) -> Option<SellerKey> {
        let head = self.conversations.get(&source.first()?.2)?;
        let ignore = self.ignored(head, through);
        if !self.bars(agent, at, through, 1, now).without(ignore?).is_empty() {
            return None;
        }
        let found = source.iter().find_map(|(_, _, id)| {
            let entry = self.conversations.get(id)?;
            entry.conversation.exclusion(&self.agents[agent].account).is_none().then_some(entry)
        })?;
        Some(desk::seller_key(self.desks[at].config(from), &found.conversation))
    }

    /// What does not keep somebody from the conversations of a group, as things stand there; none if nothing helps.
    fn ignored(&self, entry: &Entry, through: Through) -> Option<Bars> {
        use super::select::Presence;

        match (self.presence(entry), through) {
            (Presence::Online | Presence::Grace, Some(_)) => Some(Bars::default()),
            (Presence::Away, Some(_)) => {
                let assigns = self.desks[entry.desk].config(entry.group).when_all_away == WhenAllAway::Assign;
                Some(if assigns { Bars::AWAY } else { Bars::default() })
            }
            (Presence::Nobody, None) => Some(Bars::default()),
            (Presence::Nobody, Some(_)) | (_, None) => None,
        }
    }

    /// The oldest left message that the agent may take, where nothing live could have the slot. Never its last one.
    pub(super) fn first_left_for(&self, agent: usize, now: Timestamp) -> Option<ConversationId> {
        let state = &self.agents[agent];
        let free = state.capacity.saturating_sub(state.load);
        if !self.is_online(agent) || free == 0 || (free == 1 && state.capacity > 1) {
            return None;
        }
        let mut first: Option<(Timestamp, ConversationId)> = None;
        let mut consider = |at: usize, group: usize, through: Through| {
            let config = self.desks[at].config(group);
            let left = &self.desks[at].groups[group].left;
            if !config.pickup_left_messages || left.is_empty() || !self.bars(agent, at, through, 1, now).is_empty() {
                return;
            }
            let oldest = left.iter().find(|(left_at, id)| {
                now.since(*left_at) <= config.left_message_age
                    && self.conversations[id].conversation.exclusion(&state.account).is_none()
            });
            first = first.into_iter().chain(oldest.copied()).min();
        };
        for seat in &state.seats {
            consider(seat.desk, seat.group, Some((seat.group, seat.member)));
            for (from, step) in &self.desks[seat.desk].groups[seat.group].feeds {
                let source = &self.desks[seat.desk].groups[*from];
                let at_once = self.desks[seat.desk].config(*from).overflow[*step].after.is_zero();
                if source.online == 0 || at_once {
                    consider(seat.desk, *from, Some((seat.group, seat.member)));
                }
            }
        }
        for post in state.posts.iter().filter(|post| post.main && self.last_resort(post.desk) == Some(agent)) {
            for group in 0..self.desks[post.desk].groups.len() {
                let nobody = self.desks[post.desk].groups[group]
                    .left
                    .first()
                    .is_some_and(|(_, id)| self.presence(&self.conversations[id]) == super::select::Presence::Nobody);
                if nobody {
                    consider(post.desk, group, None);
                }
            }
        }
        first.map(|(_, id)| id)
    }

    /// The first in order of some that wait.
    pub(super) fn first_in_order(&self, ids: impl Iterator<Item = ConversationId>) -> Option<ConversationId> {
        let mut heads: Vec<(usize, SellerKey)> = Vec::new();
        for entry in ids.filter_map(|id| self.conversations.get(&id)) {
            let key = desk::seller_key(self.desks[entry.desk].config(entry.group), &entry.conversation);
            match heads.iter_mut().find(|(at, _)| *at == entry.desk) {
                Some((_, head)) => *head = key.min(*head),
                None => heads.push((entry.desk, key)),
            }
        }
        let queued = heads.iter().map(|(_, (_, id))| (self.conversations[id].conversation.queued_at, *id));
        queued.min().map(|(_, id)| id)
    }

    /// Some that wait, in order: the sellers' own orders merged by the age of their heads.
    pub(super) fn in_order(&self, ids: impl Iterator<Item = ConversationId>) -> VecDeque<ConversationId> {
        let mut sellers: Vec<Vec<(SellerKey, Timestamp)>> = vec![Vec::new(); self.desks.len()];
        for entry in ids.filter_map(|id| self.conversations.get(&id)) {
            if entry.conversation.state == State::Queued {
                let key = desk::seller_key(self.desks[entry.desk].config(entry.group), &entry.conversation);
                sellers[entry.desk].push((key, entry.conversation.queued_at));
            }
        }
        let mut heads = BinaryHeap::new();
        for (at, waiting) in sellers.iter_mut().enumerate() {
            waiting.sort_unstable_by(|a, b| b.cmp(a));
            heads.extend(waiting.last().map(|((_, id), queued_at)| Reverse((*queued_at, *id, at))));
        }
        let mut order = VecDeque::new();
        while let Some(Reverse((_, id, at))) = heads.pop() {
            order.push_back(id);
            sellers[at].pop();
            heads.extend(sellers[at].last().map(|((_, id), queued_at)| Reverse((*queued_at, *id, at))));
        }
        order
    }
}
