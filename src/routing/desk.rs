//! A desk: one seller's live state. Its groups, their queues and what they remember, and the figures of its day.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::agent::Reach;
use super::conversation::Conversation;
use super::day::{Count, Counted, Day};
use super::deadline::Armed;
use super::event::DayRow;
use super::fronts::Since;
use super::listeners::Listeners;
use super::wanted::Wanted;
use crate::directory::{Group, PriorityStep, Seller};
use crate::model::{ConversationId, GroupId, Map, Timestamp};

/// How many of a group's last conversations the estimate of a wait looks at.
const DURATIONS: usize = 50;
/// What a point of priority is worth where a strict queue is compared with another.
const DEFAULT_STEP: Duration = Duration::from_secs(60);

/// A place in a queue: the smaller comes first.
pub(super) type Key = (i64, i64, ConversationId);

/// What a group keeps of a member.
#[derive(Clone, Debug)]
pub(super) struct MemberState {
    pub(super) agent: usize,
    /// Where among the agent's posts that of this seller is, if it has one: an agent may have thousands.
    pub(super) post: Option<usize>,
    pub(super) tier: u32,
    pub(super) weight: i64,
    pub(super) capacity: Option<u32>,
    /// Slots taken through this group.
    pub(super) load: u32,
    /// The current weight of smooth weighted round robin.
    pub(super) current: i64,
    pub(super) reach: Reach,
}

/// A group.
#[derive(Clone, Debug)]
pub(super) struct GroupState {
    /// Its place among the seller's groups.
    pub(super) at: usize,
    pub(super) pool: usize,
    pub(super) members: Vec<MemberState>,
    /// The groups of its overflow steps.
    pub(super) overflow: Vec<usize>,
    /// The groups, and their steps, that overflow to this one.
    pub(super) feeds: Vec<(usize, usize)>,
    /// Everything queued here, in order.
    pub(super) queue: BTreeSet<Key>,
    /// What of it is not kept for one agent.
    pub(super) open: BTreeSet<Key>,
    /// For every overflow step, what of `open` may go there by now.
    pub(super) due: Vec<BTreeSet<Key>>,
    /// Left messages, oldest first.
    pub(super) left: BTreeSet<Since>,
    /// The first that may go each way, and since when it waits, as the fronts have it; by way.
    pub(super) stands: Vec<Option<(Key, Since)>>,
    /// The oldest left message, as the fronts have it.
    pub(super) left_stands: Option<Since>,
    /// What was left before this is known to be too old to be handed out.
    pub(super) left_from: Timestamp,
    /// Queued ones for whom somebody is excluded.
    pub(super) excluding: BTreeSet<ConversationId>,
    /// How many queued or offered ones `queue_limit` counts.
    pub(super) counted: u32,
    /// How many somebody is asked for.
    pub(super) offered: u32,
    pub(super) online: u32,
    pub(super) away: u32,
    pub(super) grace: u32,
    /// The slots of its members online: for the estimate.
    pub(super) slots: u64,
    pub(super) last_chosen: Option<u32>,
    pub(super) durations: Durations,
    /// Whether positions have changed since they were told.
    pub(super) moved: bool,
}

impl GroupState {
    pub(super) fn new(at: usize, pool: usize, members: Vec<MemberState>, steps: usize) -> Self {
        Self {
            at,
            pool,
            members,
            overflow: Vec::new(),
            feeds: Vec::new(),
            queue: BTreeSet::new(),
            open: BTreeSet::new(),
            due: vec![BTreeSet::new(); steps],
            left: BTreeSet::new(),
            stands: vec![None; steps + 1],
            left_stands: None,
            left_from: Timestamp::ZERO,
            excluding: BTreeSet::new(),
            counted: 0,
            offered: 0,
            online: 0,
            away: 0,
            grace: 0,
            slots: 0,
            last_chosen: None,
            durations: Durations::default(),
            moved: false,
        }
    }

    /// Where a member, of so many slots over all sellers, can be reached is another now.
    pub(super) fn reached(&mut self, member: usize, slots: u32, reach: Reach) {
        let before = std::mem::replace(&mut self.members[member].reach, reach);
        if before == Reach::Online {
            self.slots -= u64::from(slots);
        }
        if reach == Reach::Online {
            self.slots += u64::from(slots);
        }
        for (reach, change) in [(before, -1_i32), (reach, 1)] {
            let count = match reach {
                Reach::Online => &mut self.online,
                Reach::Away => &mut self.away,
                Reach::Grace => &mut self.grace,
                Reach::Absent => continue,
            };
            *count = count.saturating_add_signed(change);
        }
    }

    /// What may go a way by now: 0 to its own members, from 1 on by an overflow step.
    pub(super) fn open_to(&self, way: usize) -> &BTreeSet<Key> {
        match way.checked_sub(1) {
            Some(step) if self.online > 0 => &self.due[step],
            _ => &self.open,
        }
    }

    /// One, and one for everybody before this place.
    pub(super) fn position(&self, key: &Key) -> u32 {
        let mut before = self.queue.range(..*key).rev();
        let mut behind = self.queue.range(*key..);
        let mut steps = 0_usize;
        let ahead = loop {
            if before.next().is_none() {
                break steps;
            }
            if behind.next().is_none() {
                break self.queue.len() - steps;
            }
            steps += 1;
        };
        u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// How long the last conversations of a group took.
#[derive(Clone, Debug, Default)]
pub(super) struct Durations {
    last: Vec<Duration>,
    next: usize,
    sum: Duration,
}

impl Durations {
    /// One more took so long.
    pub(super) fn add(&mut self, duration: Duration) {
        self.sum += duration;
        if self.last.len() < DURATIONS {
            self.last.push(duration);
        } else {
            self.sum -= std::mem::replace(&mut self.last[self.next], duration);
        }
        self.next = (self.next + 1) % DURATIONS;
    }

    /// On average.
    pub(super) fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.last.len()).ok().filter(|count| *count > 0)?;
        Some(self.sum / count)
    }
}

/// The place of a conversation in its group's queue.
pub(super) fn key(group: &Group, conversation: &Conversation) -> Key {
    let queued_at = conversation.queued_at.micros();
    match group.priority_step {
        PriorityStep::Worth(step) => (queued_at - worth(conversation.priority, step), 0, conversation.id),
        PriorityStep::Strict => (-i64::from(conversation.priority), queued_at, conversation.id),
    }
}

/// The key by which it is compared with the heads of its seller's other queues.
pub(super) fn seller_key(group: &Group, conversation: &Conversation) -> (i64, ConversationId) {
    let step = match group.priority_step {
        PriorityStep::Worth(step) => step,
        PriorityStep::Strict => DEFAULT_STEP,
    };
    (conversation.queued_at.micros() - worth(conversation.priority, step), conversation.id)
}

fn worth(priority: u32, step: Duration) -> i64 {
    i64::try_from(step.as_micros()).unwrap_or(i64::MAX).saturating_mul(i64::from(priority)).min(i64::MAX / 4)
}

/// A seller's live state.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) seller: Arc<Seller>,
    /// Its bindings, by what they want.
    pub(super) wanted: Wanted,
    pub(super) groups: Vec<GroupState>,
    pub(super) group_at: Map<GroupId, usize>,
    pub(super) default_group: usize,
    pub(super) main: Option<usize>,
    pub(super) listeners: Listeners,
    pub(super) day: Day,
    /// When the day of `day` began and when the next one does, by the seller's clocks.
    pub(super) day_lasts: Range<Timestamp>,
    pub(super) agents: Vec<usize>,
    pub(super) armed: DeskArmed,
}

/// Where the deadlines of a desk stand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeskArmed {
    pub(super) suspension: Armed,
    pub(super) sweep: Armed,
    pub(super) subscribers: Armed,
    pub(super) lefts: Armed,
}

impl Desk {
    /// The configuration of one of its groups.
    pub(super) fn config(&self, group: usize) -> &Group {
        &self.seller.groups[group]
    }

    /// Counts on today, the calendar day in the seller's time zone; says what has to be kept of that.
    pub(super) fn count(&mut self, what: Count, now: Timestamp) -> Counted {
        let known = self.day.date.filter(|_| self.day_lasts.contains(&now));
        let date = known.unwrap_or_else(|| {
            let (date, lasts) = self.seller.day(now);
            self.day_lasts = lasts;
            date
        });
        self.day.count(date, &what);
        Counted { seller: self.seller.id.clone(), date, what }
    }

    /// The figures of today as they are; none if they are those of another day.
    pub(super) fn counted_today(&self, now: Timestamp) -> Option<&Day> {
        let today = self.day_lasts.contains(&now) || self.day.date == Some(self.seller.day(now).0);
        today.then_some(&self.day)
    }

    /// What is kept of its figures, if anything was ever counted.
    pub(super) fn day_row(&self) -> Option<DayRow> {
        self.day.date.map(|_| DayRow { seller: self.seller.id.clone(), day: self.day.clone() })
    }
}
