//! The journal in memory: for tests, measurements and whoever needs no yesterday.
//! Nothing here survives the process, and nothing is ever thrown away while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::FutureExt;
use parking_lot::Mutex;

use super::{
    Again, Audit, Audited, Filter, History, Journal, Known, Listed, Range, Reading, Recovered, StoreError, Write,
};
use crate::directory::Accepted;
use crate::model::{
    AccountId, BuyerKey, ConversationId, GroupId, KeyHasher, Map, SellerId, State, Timestamp, Visibility,
};
use crate::routing::{
    self, AgentRow, Batch, Conversation, DayRow, Decision, Event, GroupRow, Message, Resent, Row, Said,
};

/// How many parts the conversations are spread over.
const SHARDS: u64 = 64;

/// A store in memory.
pub struct Memory {
    shards: Vec<Mutex<Map<ConversationId, Kept>>>,
    hasher: KeyHasher,
    rest: Mutex<Rest>,
    last_time: AtomicI64,
}

#[derive(Default)]
struct Kept {
    conversation: Option<Box<Conversation>>,
    messages: Vec<Message>,
    decisions: Vec<Arc<Decision>>,
}

#[derive(Default)]
struct Rest {
    all: BTreeSet<ConversationId>,
    by_seller: Map<SellerId, BTreeSet<ConversationId>>,
    by_buyer: Map<BuyerKey, BTreeSet<ConversationId>>,
    by_holder: Map<AccountId, BTreeSet<ConversationId>>,
    known: Map<(BuyerKey, SellerId), Known>,
    agents: BTreeMap<AccountId, AgentRow>,
    groups: BTreeMap<(Option<SellerId>, Option<GroupId>), GroupRow>,
    days: BTreeMap<SellerId, DayRow>,
    audit: Vec<Audit>,
    accepted: Option<Arc<Accepted>>,
}

impl Default for Memory {
    fn default() -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS as usize).collect();
        Self { shards, hasher: KeyHasher::default(), rest: Mutex::default(), last_time: AtomicI64::new(0) }
    }
}

impl Memory {
    /// Keeps what is written. What a message says is moved here, not copied.
    pub(super) fn keep(&self, write: Write) {
        match write {
            Write::Batch(batch) => self.keep_batch(batch),
            Write::Accepted(accepted) => self.rest.lock().accepted = Some(accepted),
            Write::Audit(entry) => self.rest.lock().audit.push(entry),
            Write::All(writes) => writes.into_iter().for_each(|write| self.keep(write)),
        }
    }

    fn keep_batch(&self, batch: Batch) {
        let Batch { at, events, rows } = batch;
        for event in events {
            match event {
                Event::Messaged { message } => self.with(message.conversation, |kept| kept.messages.push(message)),
                Event::Decided { conversation, decision } => {
                    self.with(conversation, |kept| kept.decisions.push(decision));
                }
                Event::Started { conversation } => self.rest.lock().started(&conversation),
                Event::Assigned { conversation, agent, .. } => {
                    self.rest.lock().by_holder.entry(agent).or_default().insert(conversation);
                }
                _ => {}
            }
        }
        self.last_time.fetch_max(at.micros(), Ordering::Relaxed);
        for row in rows {
            match row {
                Row::Tail { conversation, rev, first_reply_at, tail } => self.with(conversation, |kept| {
                    if let Some(kept) = &mut kept.conversation {
                        (kept.rev, kept.first_reply_at, kept.tail) = (rev, first_reply_at, tail);
                    }
                }),
                row => self.keep_row(row),
            }
        }
    }

    fn keep_row(&self, row: Row) {
        match row {
            Row::Conversation(conversation) => {
                if conversation.state == State::Closed {
                    self.rest.lock().closed(&conversation);
                }
                self.with(conversation.id, |kept| kept.conversation = Some(conversation));
            }
            Row::Agent(agent) => {
                self.rest.lock().agents.insert(agent.account.clone(), agent);
            }
            Row::Group(group) => {
                self.rest.lock().groups.insert((group.seller.clone(), group.group.clone()), group);
            }
            Row::Day(day) => {
                self.rest.lock().days.insert(day.seller.clone(), *day);
            }
            Row::Counted(counted) => {
                let days = &mut self.rest.lock().days;
                let row = days.entry(counted.seller.clone()).or_insert_with(|| DayRow::of(counted.seller));
                row.day.count(counted.date, &counted.what);
            }
            Row::Tail { .. } => {}
        }
    }

    fn with<R>(&self, conversation: ConversationId, act: impl FnOnce(&mut Kept) -> R) -> R {
        act(self.shards[self.shard(conversation)].lock().entry(conversation).or_default())
    }

    fn look<R: Default>(&self, conversation: ConversationId, read: impl FnOnce(&Kept) -> R) -> R {
        self.shards[self.shard(conversation)].lock().get(&conversation).map(read).unwrap_or_default()
    }

    fn shard(&self, conversation: ConversationId) -> usize {
        usize::try_from(self.hasher.hash_one(conversation) % SHARDS).unwrap_or(0)
    }

    fn conversation(&self, id: ConversationId) -> Option<Conversation> {
        self.look(id, |kept| kept.conversation.as_deref().cloned())
    }

    fn read_history(&self, range: Range) -> History {
        self.look(range.conversation, |kept| {
            let visible = |message: &&Message| range.notes || message.visibility == Visibility::All;
            let messages = &kept.messages;
            if let Some(after) = range.after {
                let from = messages.partition_point(|message| message.seq <= after);
                let mut found: Vec<_> =
                    messages[from..].iter().filter(visible).take(range.limit + 1).cloned().collect();
                let more = found.len() > range.limit;
                found.truncate(range.limit);
                return History { messages: found, more };
            }
            let to =
                range.before.map_or(messages.len(), |before| messages.partition_point(|message| message.seq < before));
            let mut found: Vec<_> =
                messages[..to].iter().rev().filter(visible).take(range.limit + 1).cloned().collect();
            let more = found.len() > range.limit;
            found.truncate(range.limit);
            found.reverse();
            History { messages: found, more }
        })
    }

    fn read_list(&self, filter: &Filter, cursor: Option<ConversationId>, limit: usize) -> Listed {
        let mut ids: Vec<_> = {
            let rest = self.rest.lock();
            let set = match filter {
                Filter { buyer: Some(buyer), .. } => rest.by_buyer.get(buyer),
                Filter { holder: Some(holder), .. } => rest.by_holder.get(holder),
                Filter { seller: Some(seller), .. } => rest.by_seller.get(seller),
                _ => Some(&rest.all),
            };
            set.map(|set| set.iter().copied().collect()).unwrap_or_default()
        };
        if let Some(cursor) = cursor {
            ids.retain(|id| *id < cursor);
        }
        let all = ids.into_iter().rev().filter_map(|id| self.conversation(id));
        let mut conversations: Vec<_> = all.filter(|found| filter.matches(found)).take(limit + 1).collect();
        let more = conversations.len() > limit;
        conversations.truncate(limit);
        let next = conversations.last().filter(|_| more).map(|last| last.id);
        Listed { conversations, next }
    }

    fn recover(&self) -> Recovered {
        let mut conversations = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let kept = shard.values().filter_map(|kept| kept.conversation.as_deref());
            conversations.extend(kept.filter(|kept| kept.state != State::Closed).cloned());
        }
        conversations.sort_unstable_by_key(|conversation| conversation.id);
        let rest = self.rest.lock();
        let (agents, groups) = (rest.agents.values().cloned().collect(), rest.groups.values().cloned().collect());
        let days = rest.days.values().cloned().collect();
        let table = routing::Recovered { conversations, agents, groups, days };
        Recovered {
            table,
            last_time: Timestamp::from_micros(self.last_time.load(Ordering::Relaxed)),
            accepted: rest.accepted.as_deref().cloned(),
        }
    }
}

impl Rest {
    fn started(&mut self, conversation: &Conversation) {
        let id = conversation.id;
        self.all.insert(id);
        self.by_seller.entry(conversation.seller.clone()).or_default().insert(id);
        self.by_buyer.entry(conversation.profile.key.clone()).or_default().insert(id);
    }

    fn closed(&mut self, conversation: &Conversation) {
        let pair = (conversation.profile.key.clone(), conversation.seller.clone());
        let known = self.known.entry(pair).or_default();
        known.last_closed = Some(conversation.id);
        let later = |at: Timestamp| known.past.recent.as_ref().is_none_or(|(_, known)| *known <= at);
        // One that is rated is written again long after others have closed.
        if let (Some(holder), Some(at)) =
            (conversation.held.last(), conversation.rare.closed_at.filter(|at| later(*at)))
        {
            known.past.recent = Some((holder.clone(), at));
        }
    }
}

fn ready<T: Send + 'static>(value: T) -> Reading<'static, T> {
    std::future::ready(Ok::<_, StoreError>(value)).boxed()
}

impl Journal for Memory {
    fn history(&self, range: Range) -> Reading<'_, History> {
        ready(self.read_history(range))
    }

    fn closed(&self, conversation: ConversationId) -> Reading<'_, Option<Conversation>> {
        ready(self.conversation(conversation).filter(|found| found.state == State::Closed))
    }

    fn last_of(&self, buyer: &BuyerKey, seller: &SellerId) -> Reading<'_, Known> {
        let known = self.rest.lock().known.get(&(buyer.clone(), seller.clone())).cloned();
        ready(known.unwrap_or_default())
    }

    fn list(&self, filter: Filter, cursor: Option<ConversationId>, limit: usize) -> Reading<'_, Listed> {
        ready(self.read_list(&filter, cursor, limit))
    }

    fn resent(&self, again: Again) -> Reading<'_, Option<Resent>> {
        let found = self.look(again.conversation, |kept| {
            let mut messages = kept.messages.iter();
            let first = messages
                .find(|message| message.client_id.as_ref() == Some(&again.client_id) && message.sender == again.sender);
            first.map(|first| again.answer(first))
        });
        ready(found)
    }

    fn said(&self, conversation: ConversationId) -> Reading<'_, Vec<Said>> {
        let said = |message: &Message| Said {
            sender: message.sender.clone(),
            visibility: message.visibility,
            client_id: message.client_id.clone(),
        };
        ready(self.look(conversation, |kept| kept.messages.iter().map(said).collect()))
    }

    fn decisions(&self, conversation: ConversationId) -> Reading<'_, Vec<Arc<Decision>>> {
        ready(self.look(conversation, |kept| kept.decisions.clone()))
    }

    fn audit(&self, after: u64, limit: usize) -> Reading<'_, Vec<Audited>> {
        let rest = self.rest.lock();
        let numbered = (1..).zip(&rest.audit).skip(usize::try_from(after).unwrap_or(usize::MAX)).take(limit);
        ready(numbered.map(|(number, entry)| Audited { number, entry: entry.clone() }).collect())
    }

    fn open(&self) -> Reading<'_, Recovered> {
        ready(self.recover())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Writer, conformance};
    use super::*;

    #[tokio::test]
    async fn memory_is_a_journal() {
        conformance::check(|| {
            let memory = Arc::new(Memory::default());
            conformance::Store { writer: Writer::inline(Arc::clone(&memory)), journal: memory }
        })
        .await;
    }
}
