//! What an agent can take: the first in order of everything that waits for it, over all its groups and sellers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use super::availability::{Bars, Through};
use super::{Domain, Entry, Pool};
use crate::directory::WhenAllAway;
use crate::model::{ConversationId, State, Timestamp};
use crate::routing::desk::{self, Key};
use crate::routing::fronts::{Fronts, Since};

/// The place of a waiting conversation among those of all sellers: by its seller's own order first.
type SellerKey = (i64, ConversationId);

/// Somebody of so few sellers looks at each of them, rather than at where somebody waits longest.
const FEW: usize = 2;

/// The first of each of a seller's queues, by the queue's own order.
#[derive(Default)]
struct Heads(Vec<(usize, Key)>);

impl Heads {
    fn add(&mut self, group: usize, key: Option<Key>) {
        let Some(key) = key else { return };
        match self.0.iter_mut().find(|(known, _)| *known == group) {
            Some((_, head)) => *head = key.min(*head),
            None => self.0.push((group, key)),
        }
    }
}

impl Domain {
    /// The first in order that waits and that the agent may take.
    pub(super) fn first_for(&self, agent: usize, now: Timestamp) -> Option<ConversationId> {
        let state = &self.agents[agent];
        if !state.is_connected() || state.load >= state.capacity {
            return None;
        }
        let head = |desk: usize| {
            let (_, id) = self.first_at(agent, desk, now)?;
            Some((self.conversations[&id].conversation.queued_at, id))
        };
        if state.posts.len() <= FEW {
            return state.posts.iter().filter_map(|post| head(post.desk)).min().map(|(_, id)| id);
        }
        // Where something is for it alone, or not for it, the fronts say nothing of what is its first.
        let own = state.reserved.iter().chain(&state.excluded).filter_map(|id| self.conversations.get(id));
        let mut desks: BTreeSet<usize> = own.map(|entry| entry.desk).chain(state.mains.iter().copied()).collect();
        let mut first = desks.iter().filter_map(|desk| head(*desk)).min();
        for fronts in self.by_front(agent, |pool| &pool.queues) {
            for (since, way) in fronts.iter() {
                if first.is_some_and(|first| first < since) {
                    break;
                }
                if desks.insert(way.desk) {
                    first = first.into_iter().chain(head(way.desk)).min();
                }
            }
        }
        first.map(|(_, id)| id)
    }

    /// The fronts of an agent's pools: first the one where something has waited longest. The others seldom have
    /// something older than what is found there.
    fn by_front(&self, agent: usize, fronts: fn(&Pool) -> &Fronts) -> impl Iterator<Item = &Fronts> {
        let fronts = self.agents[agent].pools.iter().map(move |(pool, _)| fronts(&self.pools[*pool]));
        let oldest =
            fronts.clone().filter_map(|fronts| Some((fronts.first()?, fronts))).min_by_key(|(first, _)| *first);
        oldest.map(|(_, fronts)| fronts).into_iter().chain(fronts)
    }

    /// The first in order of one seller: of each queue the first, and then the first of these.
    fn first_at(&self, agent: usize, at: usize, now: Timestamp) -> Option<SellerKey> {
        let state = &self.agents[agent];
        let mut heads = Heads::default();
        for seat in state.seats_at(at) {
            let group = &self.desks[at].groups[seat.group];
            let through = Some((seat.group, seat.member));
            let own = std::iter::once((seat.group, &group.open));
            let feeds = group.feeds.iter().map(|(from, step)| (*from, self.desks[at].groups[*from].open_to(step + 1)));
            for (from, source) in own.chain(feeds).filter(|(_, source)| !source.is_empty()) {
                heads.add(from, self.first_of(agent, at, source, through, now));
            }
        }
        for entry in state.reserved.iter().filter_map(|id| self.conversations.get(id)) {
            let waits = entry.desk == at && entry.conversation.state == State::Queued;
            if waits && self.select(entry, None, now).is_some() {
                let key = desk::key(self.desks[at].config(entry.group), &entry.conversation);
                heads.add(entry.group, Some(key));
            }
        }
        if self.last_resort(at) == Some(agent) {
            for (from, group) in self.desks[at].groups.iter().enumerate() {
                heads.add(from, self.first_of(agent, at, &group.open, None, now));
            }
        }
        heads.0.iter().map(|(_, (_, _, id))| self.seller_key(&self.conversations[id])).min()
    }

    /// What of the same seller an agent could have and stands before this. It may not be among what is looked at: that
    /// has the agent's first over all sellers alone.
    pub(super) fn comes_before(&self, entry: &Entry, agent: usize, now: Timestamp) -> Option<ConversationId> {
        let (at, id) = (entry.desk, entry.conversation.id);
        let is_own = |group: usize, first: &Key| group == entry.group && first.2 == id;
        let mut queues = self.desks[at].groups.iter().enumerate();
        if queues.all(|(group, state)| state.queue.first().is_none_or(|first| is_own(group, first))) {
            return None;
        }
        let first = self.first_at(agent, at, now)?;
        let other = &self.conversations[&first.1];
        let key = |entry: &Entry| desk::key(self.desks[at].config(entry.group), &entry.conversation);
        let before = if other.group == entry.group { key(other) < key(entry) } else { first < self.seller_key(entry) };
        before.then_some(first.1)
    }

    /// The first of one queue.
    fn first_of(
        &self,
        agent: usize,
        at: usize,
        source: &BTreeSet<Key>,
        through: Through,
        now: Timestamp,
    ) -> Option<Key> {
        let head = self.conversations.get(&source.first()?.2)?;
        let ignore = self.ignored(head, through);
        if !self.bars(agent, at, through, 1, now).without(ignore?).is_empty() {
            return None;
        }
        let free = |(_, _, id): &&Key| {
            let entry = self.conversations.get(id);
            entry.is_some_and(|entry| entry.conversation.exclusion(&self.agents[agent].account).is_none())
        };
        source.iter().find(free).copied()
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

    /// The oldest left message that the agent may take, where nothing live could have the slot.
    pub(super) fn first_left_for(&self, agent: usize, now: Timestamp) -> Option<Since> {
        let state = &self.agents[agent];
        if !state.is_connected() || state.load >= state.capacity || !self.has_room_for_left(agent) {
            return None;
        }
        let of_main =
            state.mains.iter().flat_map(|desk| (0..self.desks[*desk].groups.len()).map(|group| (*desk, group)));
        let mut first = of_main.filter_map(|(desk, group)| self.first_left_at(agent, desk, group, now)).min();
        for fronts in self.by_front(agent, |pool| &pool.lefts) {
            for (since, way) in fronts.iter() {
                if first.is_some_and(|first| first < since) {
                    break;
                }
                first = first.into_iter().chain(self.first_left_at(agent, way.desk, way.group, now)).min();
            }
        }
        let is_its = |since: &&Since| {
            let entry = self.conversations.get(&since.1);
            entry.is_some_and(|entry| self.is_picked_up(entry, now) && self.select(entry, None, now).is_some())
        };
        let before = |since: &&Since| first.is_none_or(|first| **since < first);
        let reserved = state.young_left.iter().take_while(before).find(is_its);
        reserved.copied().or(first)
    }

    /// The oldest left message of one group that the agent may take: as a member of it, of a group that helps it, or
    /// as the last resort.
    fn first_left_at(&self, agent: usize, at: usize, group: usize, now: Timestamp) -> Option<Since> {
        let own = self.member_of(agent, at, group).map(|member| (None, Some((group, member))));
        let helps = self.desks[at].groups[group].overflow.iter().enumerate();
        let helps = helps.filter_map(|(step, to)| Some((Some(step), Some((*to, self.member_of(agent, at, *to)?)))));
        let last_resort = (self.last_resort(at) == Some(agent)).then_some((None, None));
        let ways = own.into_iter().chain(helps).chain(last_resort);
        ways.filter_map(|(step, through)| self.oldest_left(agent, at, group, step, through, now)).min()
    }

    /// The oldest left message of one group, if the agent may take it through this membership: as a member of the
    /// group itself, or of that of an overflow step.
    fn oldest_left(
        &self,
        agent: usize,
        at: usize,
        group: usize,
        step: Option<usize>,
        through: Through,
        now: Timestamp,
    ) -> Option<Since> {
        let (config, state) = (self.desks[at].config(group), &self.desks[at].groups[group]);
        let head = self.conversations.get(&state.left.first()?.1)?;
        if !config.pickup_left_messages {
            return None;
        }
        let ignore = self.ignored(head, through)?;
        if !self.bars(agent, at, through, 1, now).without(ignore).is_empty() {
            return None;
        }
        let all = state.online == 0;
        let is_due = |entry: &Entry| step.is_none_or(|step| all || entry.due & (1 << step) != 0);
        let young = state.left.range((now - config.left_message_age, ConversationId(0))..);
        let mut free = young.filter(|(_, id)| {
            self.conversations.get(id).is_some_and(|entry| {
                is_due(entry)
                    && entry.conversation.rare.bound.as_ref().is_none_or(|bound| !bound.waits)
                    && entry.conversation.exclusion(&self.agents[agent].account).is_none()
            })
        });
        free.next().copied()
    }

    /// Whether a conversation is a left message that is still handed out.
    pub(super) fn is_picked_up(&self, entry: &Entry, now: Timestamp) -> bool {
        let config = self.desks[entry.desk].config(entry.group);
        entry.conversation.state == State::LeftMessage
            && config.pickup_left_messages
            && now.since(entry.conversation.queued_at) <= config.left_message_age
    }

    /// The first in order of some that wait: of each queue the first, of each seller the first of these, of all
    /// sellers the one that has waited longest.
    pub(super) fn first_in_order(&self, ids: impl Iterator<Item = ConversationId>) -> Option<ConversationId> {
        let mut entries = ids.filter_map(|id| self.conversations.get(&id));
        let (first, second) = (entries.next()?, entries.next());
        if second.is_none() {
            return Some(first.conversation.id);
        }
        let mut heads: Vec<((usize, usize), Key)> = Vec::new();
        for entry in std::iter::once(first).chain(second).chain(entries) {
            let key = desk::key(self.desks[entry.desk].config(entry.group), &entry.conversation);
            let queue = (entry.desk, entry.group);
            match heads.iter_mut().find(|(at, _)| *at == queue) {
                Some((_, head)) => *head = key.min(*head),
                None => heads.push((queue, key)),
            }
        }
        let mut sellers: Vec<(usize, SellerKey)> = Vec::new();
        for ((at, _), (_, _, id)) in heads {
            let key = self.seller_key(&self.conversations[&id]);
            match sellers.iter_mut().find(|(seller, _)| *seller == at) {
                Some((_, head)) => *head = key.min(*head),
                None => sellers.push((at, key)),
            }
        }
        let queued = sellers.iter().map(|(_, (_, id))| (self.conversations[id].conversation.queued_at, *id));
        queued.min().map(|(_, id)| id)
    }

    /// Some that wait, in order: each seller's queues merged by their heads' keys, the sellers by their heads' age.
    pub(super) fn in_order(&self, ids: impl Iterator<Item = ConversationId>) -> VecDeque<ConversationId> {
        let mut queues: BTreeMap<(usize, usize), Vec<Key>> = BTreeMap::new();
        for entry in ids.filter_map(|id| self.conversations.get(&id)) {
            if entry.conversation.state == State::Queued {
                let key = desk::key(self.desks[entry.desk].config(entry.group), &entry.conversation);
                queues.entry((entry.desk, entry.group)).or_default().push(key);
            }
        }
        let mut heads: BTreeMap<usize, BTreeSet<(SellerKey, usize)>> = BTreeMap::new();
        for ((at, group), queue) in &mut queues {
            queue.sort_unstable_by(|a, b| b.cmp(a));
            let head = queue.last().map(|(_, _, id)| (self.seller_key(&self.conversations[id]), *group));
            heads.entry(*at).or_default().extend(head);
        }
        let age = |heads: &BTreeSet<(SellerKey, usize)>| {
            heads.first().map(|((_, id), _)| (self.conversations[id].conversation.queued_at, *id))
        };
        let mut sellers: BinaryHeap<_> =
            heads.iter().filter_map(|(at, heads)| age(heads).map(|age| Reverse((age, *at)))).collect();
        let mut order = VecDeque::new();
        while let Some(Reverse((_, at))) = sellers.pop() {
            let Some(of_seller) = heads.get_mut(&at) else { continue };
            let Some(((_, id), group)) = of_seller.pop_first() else { continue };
            order.push_back(id);
            if let Some(queue) = queues.get_mut(&(at, group)) {
                queue.pop();
                let head = queue.last().map(|(_, _, id)| (self.seller_key(&self.conversations[id]), group));
                of_seller.extend(head);
            }
            sellers.extend(age(of_seller).map(|age| Reverse((age, at))));
        }
        order
    }

    fn seller_key(&self, entry: &Entry) -> SellerKey {
        desk::seller_key(self.desks[entry.desk].config(entry.group), &entry.conversation)
    }
}
