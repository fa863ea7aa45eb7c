//! What one session has seen of one conversation: whether every message came once and in order.

use std::collections::BTreeSet;

/// The messages of a conversation, as one session knows them.
#[derive(Debug, Default)]
pub(super) struct Thread {
    /// Everything up to here is known.
    frontier: u64,
    /// The last one told by an event, or passed over by opening.
    told: u64,
    /// Known ones behind a gap: one's own, whose neighbours are still to come.
    early: BTreeSet<u64>,
}

impl Thread {
    /// One that begins behind what a new session or a new owner is shown.
    pub(super) fn from(last_seq: u64) -> Self {
        Self { frontier: last_seq, told: last_seq, early: BTreeSet::new() }
    }

    /// An event told a message.
    ///
    /// # Errors
    /// What is wrong with that.
    pub(super) fn tell(&mut self, seq: u64, prev: u64) -> Result<(), String> {
        if seq <= self.told {
            return Err(format!("message {seq} was told after message {}", self.told));
        }
        if prev >= seq {
            return Err(format!("message {seq} names {prev} as the one before"));
        }
        if self.early.contains(&seq) {
            return Err(format!("message {seq} was told to the session that sent it"));
        }
        self.told = seq;
        // What lies between is not for this session.
        self.early.extend(prev.max(self.frontier) + 1..=seq);
        self.advance();
        Ok(())
    }

    /// A message of one's own has been given a number, or one was read in the history.
    pub(super) fn know(&mut self, seq: u64) {
        if seq > self.frontier {
            self.early.insert(seq);
            self.advance();
        }
    }

    /// A new session opens: what lies before is read, not told.
    pub(super) fn open(&mut self, last_seq: u64) {
        self.told = self.told.max(last_seq);
    }

    /// The first one that is missing up to `last`.
    pub(super) fn missing(&self, last: u64) -> Option<u64> {
        let last = last.max(self.early.last().copied().unwrap_or(0));
        (self.frontier < last).then_some(self.frontier + 1)
    }

    fn advance(&mut self) {
        while self.early.remove(&(self.frontier + 1)) {
            self.frontier += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_once_and_in_order_leaves_nothing_missing() {
        let mut thread = Thread::from(2);

        thread.tell(3, 2).unwrap();
        thread.know(5);
        thread.tell(4, 3).unwrap();
        thread.tell(8, 5).unwrap();

        assert_eq!((thread.missing(8), thread.missing(9)), (None, Some(9)));
    }

    #[test]
    fn a_message_told_twice_or_late_is_a_fault() {
        let mut thread = Thread::from(0);
        thread.tell(2, 1).unwrap();

        assert!(thread.tell(2, 1).is_err());
        assert!(thread.tell(1, 0).is_err());
    }

    #[test]
    fn ones_own_message_told_to_oneself_is_a_fault() {
        let mut thread = Thread::from(0);
        thread.know(2);

        assert!(thread.tell(2, 1).is_err());
    }

    #[test]
    fn what_was_never_told_is_missing() {
        let mut thread = Thread::from(0);
        thread.tell(1, 0).unwrap();
        thread.tell(3, 2).unwrap();

        assert_eq!(thread.missing(3), Some(2));
        assert_eq!(Thread::from(1).missing(2), Some(2));
    }

    #[test]
    fn what_is_read_after_coming_back_fills_the_gap() {
        let mut thread = Thread::from(1);

        thread.open(3);
        thread.tell(4, 3).unwrap();
        thread.know(2);
        thread.know(3);

        assert_eq!(thread.missing(4), None);
    }
}
