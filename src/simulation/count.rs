//! What becomes of the buyers who are counted.

use super::part::Part;
use super::tally::Tally;

/// How a buyer's waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has an agent.
    Served,
    /// It was refused on arrival.
    Blocked,
    /// It waited as long as the group lets anybody.
    TimedOut,
    /// Nobody was there.
    Unstaffed,
    /// It left.
    Abandoned,
}

/// Where something of a counted conversation is counted.
#[derive(Clone, Copy, Debug)]
pub struct Where {
    /// Which part of the run: that of its arrival.
    pub part: usize,
    /// Which stream.
    pub stream: usize,
    /// Which group.
    pub group: usize,
    /// Which hour it arrived in.
    pub hour: usize,
}

impl Tally {
    /// A counted buyer has come.
    pub fn count_offered(&mut self, at: Where) {
        self.each(at, |part| part.offered += 1);
    }

    /// Its waiting is over. `now` gives the hour of an abandonment.
    pub fn count_fate(&mut self, at: Where, fate: Fate, waited: i64, now: i64) {
        let early = waited <= self.target;
        let wait = waited as f64;
        let abandoned_in = self.hour(now);
        let count = |part: &mut Part| match fate {
            Fate::Served => {
                part.served += 1;
                part.served_wait_sum += wait;
                part.in_time += u64::from(early);
            }
            Fate::Blocked => part.blocked += 1,
            Fate::TimedOut => part.timed_out += 1,
            Fate::Unstaffed => part.unstaffed += 1,
            Fate::Abandoned => part.left_early += u64::from(early),
        };
        self.each(at, |part| {
            count(part);
            if fate != Fate::Blocked {
                part.waits.add(waited);
                part.wait_sum += wait;
                part.waited += u64::from(waited > 0 || fate != Fate::Served);
                part.delayed += u64::from(waited > 0);
            }
        });
        if fate == Fate::Abandoned {
            let at = Where { hour: abandoned_in, ..at };
            self.each(at, |part| part.abandoned += 1);
        }
    }

    /// It has been served: by its recent agent, if it had one; by somebody of another group.
    pub fn count_served(&mut self, at: Where, recent: Option<bool>, overflowed: bool) {
        self.each(at, |part| {
            part.returned += u64::from(recent.is_some());
            part.recent_hits += u64::from(recent == Some(true));
            part.overflowed += u64::from(overflowed);
        });
    }

    /// An agent was given it.
    pub fn count_assigned(&mut self, at: Where, agent: usize) {
        self.gathered.agents[agent][at.part].assigned += 1;
    }

    /// A conversation that was served is over.
    pub fn count_chat(&mut self, at: Where, lasted: i64) {
        self.each(at, |part| {
            part.chats += 1;
            part.chat_sum += lasted as f64;
        });
    }

    fn each(&mut self, at: Where, count: impl Fn(&mut Part)) {
        count(&mut self.gathered.total[at.part]);
        count(&mut self.gathered.streams[at.stream][at.part]);
        count(&mut self.gathered.groups[at.group][at.part]);
        if let Some(hour) = self.gathered.hours.get_mut(at.hour) {
            count(&mut hour[at.part]);
        }
    }
}
