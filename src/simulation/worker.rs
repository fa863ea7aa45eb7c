//! An agent at work: what it holds is worked on at once, each conversation at an equal share of its speed.

use std::collections::BTreeSet;
use std::sync::Arc;

/// An agent at work. Times are in microseconds.
#[derive(Clone, Debug)]
pub struct Worker {
    speed: f64,
    slowdown: Arc<[f64]>,
    /// The work done by now on each conversation since the agent last was idle.
    done: f64,
    at: i64,
    /// What is being worked on, by how much will have been done when it is over. Bits of numbers that are not negative
    /// are in the order of the numbers.
    jobs: BTreeSet<(u64, u64)>,
}

impl Worker {
    /// Somebody idle.
    pub fn new(speed: f64, slowdown: Arc<[f64]>) -> Self {
        Self { speed, slowdown, done: 0.0, at: 0, jobs: BTreeSet::new() }
    }

    /// Whether it is idle.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// A conversation begins that takes so much work; gives what [`Worker::remove`] will ask for.
    pub fn add(&mut self, conversation: u64, work: f64, now: i64) -> u64 {
        self.advance(now);
        let mark = (self.done + work.max(0.0)).to_bits();
        self.jobs.insert((mark, conversation));
        mark
    }

    /// A conversation ends; gives how much work was left.
    pub fn remove(&mut self, conversation: u64, mark: u64, now: i64) -> f64 {
        self.advance(now);
        let left = f64::from_bits(mark) - self.done;
        self.jobs.remove(&(mark, conversation));
        if self.jobs.is_empty() {
            self.done = 0.0;
        }
        left.max(0.0)
    }

    /// Which conversation is done next, and when.
    pub fn next(&self) -> Option<(i64, u64)> {
        let (mark, conversation) = *self.jobs.first()?;
        let left = (f64::from_bits(mark) - self.done).max(0.0) / self.rate();
        Some((self.at.saturating_add(left.round() as i64), conversation))
    }

    fn advance(&mut self, now: i64) {
        if !self.jobs.is_empty() {
            self.done += self.rate() * (now - self.at) as f64;
        }
        self.at = now;
    }

    /// How fast each of its conversations goes on.
    fn rate(&self) -> f64 {
        let held = self.jobs.len().max(1);
        match self.slowdown.get(held - 1).or(self.slowdown.last()) {
            Some(total) => self.speed * total / held as f64,
            None => self.speed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_slowdown_each_conversation_goes_on_as_if_alone() {
        let mut worker = Worker::new(2.0, Arc::new([]));

        worker.add(1, 100.0, 0);
        worker.add(2, 10.0, 20);

        assert_eq!(worker.next(), Some((25, 2)));
        worker.remove(2, 50_f64.to_bits(), 25);
        assert_eq!(worker.next(), Some((50, 1)));
    }

    #[test]
    fn two_at_once_share_the_speed_that_two_have() {
        let mut worker = Worker::new(1.0, Arc::new([1.0, 1.6]));

        worker.add(1, 100.0, 0);
        let second = worker.add(2, 80.0, 20);

        // Both have 80 left; together they go at 1.6, each at 0.8.
        assert_eq!(worker.next(), Some((120, 1)));
        assert!((worker.remove(2, second, 70) - 40.0).abs() < 1e-9);
        assert_eq!(worker.next(), Some((110, 1)));
    }

    #[test]
    fn the_last_value_of_the_slowdown_holds_for_more() {
        let mut worker = Worker::new(1.0, Arc::new([1.0, 1.5]));

        for conversation in 0..3 {
            worker.add(conversation, 10.0, 0);
        }

        assert_eq!(worker.next(), Some((20, 0)));
    }
}
