//! What is counted of one stream, group, hour or of all, in one part of a run; and the figures that follow from it.

use super::histogram::Histogram;

/// A second in microseconds.
const SECOND: f64 = 1e6;

/// Counts, sums and areas. Times are in microseconds; an area is a value times the time for which it held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Buyers who came.
    pub offered: u64,
    /// Refused on arrival.
    pub blocked: u64,
    /// Ended by `max_wait`.
    pub timed_out: u64,
    /// Nobody was online.
    pub unstaffed: u64,
    /// Left while they waited.
    pub abandoned: u64,
    /// Had an agent.
    pub served: u64,
    /// Accepted, and could not start at once.
    pub waited: u64,
    /// Accepted, and waited for some time.
    pub delayed: u64,
    /// Waits of all that were accepted.
    pub waits: Histogram,
    /// Their sum.
    pub wait_sum: f64,
    /// Waits of those served.
    pub served_wait_sum: f64,
    /// Served within the target.
    pub in_time: u64,
    /// Left within the target.
    pub left_early: u64,
    /// Conversations that are over, of those served.
    pub chats: u64,
    /// How long they were.
    pub chat_sum: f64,
    /// Served, and had a recent agent.
    pub returned: u64,
    /// Of these, served by that agent.
    pub recent_hits: u64,
    /// Served by somebody who is not of the target group.
    pub overflowed: u64,
    /// For how long areas were gathered.
    pub time: f64,
    /// Of the number waiting.
    pub queue_area: f64,
    /// The most that waited at once.
    pub queue_max: u32,
    /// Of the slots taken.
    pub busy_area: f64,
    /// Of the slots there were.
    pub slot_area: f64,
    /// Of Jain's index, while anything was open.
    pub jain_area: f64,
    /// For how long anything was open.
    pub jain_time: f64,
    /// Of the most less the least that an agent held.
    pub range_area: f64,
    /// Of the standard deviation of what agents held.
    pub deviation_area: f64,
    /// For how long there were agents.
    pub staffed_time: f64,
}

/// Something gathered in parts that come together.
pub trait Merge: Clone + Default {
    /// Takes in another part.
    fn merge(&mut self, other: &Self);
}

impl Merge for Part {
    fn merge(&mut self, other: &Self) {
        self.offered += other.offered;
        self.blocked += other.blocked;
        self.timed_out += other.timed_out;
        self.unstaffed += other.unstaffed;
        self.abandoned += other.abandoned;
        self.served += other.served;
        self.waited += other.waited;
        self.delayed += other.delayed;
        self.waits.merge(&other.waits);
        self.wait_sum += other.wait_sum;
        self.served_wait_sum += other.served_wait_sum;
        self.in_time += other.in_time;
        self.left_early += other.left_early;
        self.chats += other.chats;
        self.chat_sum += other.chat_sum;
        self.returned += other.returned;
        self.recent_hits += other.recent_hits;
        self.overflowed += other.overflowed;
        self.time += other.time;
        self.queue_area += other.queue_area;
        self.queue_max = self.queue_max.max(other.queue_max);
        self.busy_area += other.busy_area;
        self.slot_area += other.slot_area;
        self.jain_area += other.jain_area;
        self.jain_time += other.jain_time;
        self.range_area += other.range_area;
        self.deviation_area += other.deviation_area;
        self.staffed_time += other.staffed_time;
    }
}

impl Part {
    /// Buyers who were not refused.
    fn accepted(&self) -> f64 {
        self.offered.saturating_sub(self.blocked) as f64
    }
}

/// How the parts of a figure come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number of things: the parts add up.
    Count,
    /// Something that has a mean.
    Mean,
    /// The highest.
    Most,
}

/// A figure, by its name in the results.
#[derive(Clone, Copy, Debug)]
pub struct Metric<P> {
    /// Its name.
    pub name: &'static str,
    /// How its parts come together.
    pub kind: Kind,
    /// Its value for a part, if it has a meaning there.
    pub of: fn(&P) -> Option<f64>,
}

impl<P> Metric<P> {
    const fn new(name: &'static str, kind: Kind, of: fn(&P) -> Option<f64>) -> Self {
        Self { name, kind, of }
    }
}

fn ratio(above: f64, below: f64) -> Option<f64> {
    (below > 0.0).then(|| above / below)
}

fn count(number: u64) -> Option<f64> {
    Some(number as f64)
}

fn quantile(part: &Part, share: f64) -> Option<f64> {
    part.waits.quantile(share).map(|micros| micros / SECOND)
}

/// All figures of a stream, a group, an hour and of all, in the order in which they are told. Times are in seconds.
pub const METRICS: [Metric<Part>; 27] = [
    Metric::new("offered", Kind::Count, |part| count(part.offered)),
    Metric::new("blocked", Kind::Count, |part| count(part.blocked)),
    Metric::new("timed_out", Kind::Count, |part| count(part.timed_out)),
    Metric::new("unstaffed", Kind::Count, |part| count(part.unstaffed)),
    Metric::new("abandoned", Kind::Count, |part| count(part.abandoned)),
    Metric::new("served", Kind::Count, |part| count(part.served)),
    Metric::new("p_wait", Kind::Mean, |part| ratio(part.waited as f64, part.accepted())),
    Metric::new("mean_wait", Kind::Mean, |part| ratio(part.wait_sum / SECOND, part.accepted())),
    Metric::new("mean_wait_all", Kind::Mean, |part| ratio(part.wait_sum / SECOND, part.accepted())),
    Metric::new("asa_served", Kind::Mean, |part| ratio(part.served_wait_sum / SECOND, part.served as f64)),
    Metric::new("mean_wait_delayed", Kind::Mean, |part| ratio(part.wait_sum / SECOND, part.delayed as f64)),
    Metric::new("sl", Kind::Mean, |part| ratio(part.in_time as f64, part.offered as f64)),
    Metric::new("sl_excl_short_abandons", Kind::Mean, |part| {
        ratio(part.in_time as f64, part.offered.saturating_sub(part.left_early) as f64)
    }),
    Metric::new("p_abandon", Kind::Mean, |part| ratio(part.abandoned as f64, part.offered as f64)),
    Metric::new("p_block", Kind::Mean, |part| ratio(part.blocked as f64, part.offered as f64)),
    Metric::new("wait_p50", Kind::Mean, |part| quantile(part, 0.5)),
    Metric::new("wait_p95", Kind::Mean, |part| quantile(part, 0.95)),
    Metric::new("wait_p99", Kind::Mean, |part| quantile(part, 0.99)),
    Metric::new("mean_queue_len", Kind::Mean, |part| ratio(part.queue_area, part.time)),
    Metric::new("max_queue_len", Kind::Most, |part| (part.time > 0.0).then_some(f64::from(part.queue_max))),
    Metric::new("occupancy", Kind::Mean, |part| ratio(part.busy_area, part.slot_area)),
    Metric::new("mean_chat_duration", Kind::Mean, |part| ratio(part.chat_sum / SECOND, part.chats as f64)),
    Metric::new("recent_hit_share", Kind::Mean, |part| ratio(part.recent_hits as f64, part.returned as f64)),
    Metric::new("overflowed_share", Kind::Mean, |part| ratio(part.overflowed as f64, part.offered as f64)),
    Metric::new("jain_load", Kind::Mean, |part| ratio(part.jain_area, part.jain_time)),
    Metric::new("mean_load_range", Kind::Mean, |part| ratio(part.range_area, part.staffed_time)),
    Metric::new("mean_load_sd", Kind::Mean, |part| ratio(part.deviation_area, part.staffed_time)),
];

/// What is counted of an agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentPart {
    /// Counted conversations that it was given.
    pub assigned: u64,
    /// For how long it was looked at.
    pub time: f64,
    /// For how long it had at least one conversation.
    pub busy_time: f64,
    /// Of the conversations it held.
    pub held_area: f64,
}

impl Merge for AgentPart {
    fn merge(&mut self, other: &Self) {
        self.assigned += other.assigned;
        self.time += other.time;
        self.busy_time += other.busy_time;
        self.held_area += other.held_area;
    }
}

/// All figures of an agent.
pub const AGENT_METRICS: [Metric<AgentPart>; 3] = [
    Metric::new("assigned", Kind::Count, |part| count(part.assigned)),
    Metric::new("busy_share", Kind::Mean, |part| ratio(part.busy_time, part.time)),
    Metric::new("mean_held", Kind::Mean, |part| ratio(part.held_area, part.time)),
];
