//! The open requests of a session: which replies are still to come, and which belong to one batch.

use std::collections::HashMap;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::protocol;

/// Open requests, by slot.
#[derive(Default)]
pub(super) struct Slots {
    next: u32,
    /// A few at most: to look through them is quicker than to hash.
    open: Vec<(u32, Option<u32>)>,
    batches: HashMap<u32, Batch>,
    /// The slot of the `session.open` that is to be answered, and the batch it came in: nothing leaves before them.
    opening: Option<(u32, Option<u32>)>,
}

struct Batch {
    missing: usize,
    replies: Vec<Utf8Bytes>,
}

impl Slots {
    /// How many replies are still to come.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// A slot for one request.
    pub(super) fn one(&mut self) -> u32 {
        self.take(None)
    }

    /// Slots for the requests of one batch that are to be answered.
    pub(super) fn batch(&mut self, count: usize) -> Vec<u32> {
        if count == 0 {
            return Vec::new();
        }
        self.next = self.next.wrapping_add(1);
        let batch = self.next;
        self.batches.insert(batch, Batch { missing: count, replies: Vec::with_capacity(count) });
        (0..count).map(|_| self.take(Some(batch))).collect()
    }

    /// The session opens by this request: its reply is the first frame.
    pub(super) fn opens(&mut self, slot: u32) {
        self.opening = self.open.iter().find(|(open, _)| *open == slot).copied();
    }

    /// Whether the frame in which `session.open` is answered is still to come.
    pub(super) fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// A reply has come: the frame that can be written now, if any.
    pub(super) fn answer(&mut self, slot: u32, text: Utf8Bytes) -> Option<Utf8Bytes> {
        let at = self.open.iter().position(|(open, _)| *open == slot)?;
        let Some(batch) = self.open.swap_remove(at).1 else {
            self.opening = self.opening.filter(|(opening, _)| *opening != slot);
            return Some(text);
        };
        let gathered = self.batches.get_mut(&batch)?;
        gathered.replies.push(text);
        gathered.missing -= 1;
        if gathered.missing > 0 {
            return None;
        }
        self.opening = self.opening.filter(|(_, opening)| *opening != Some(batch));
        self.batches.remove(&batch).and_then(|batch| protocol::batch(&batch.replies))
    }

    /// No reply is waited for any more.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        self.batches.clear();
        self.opening = None;
    }

    fn take(&mut self, batch: Option<u32>) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.open.push((self.next, batch));
        self.next
    }
}
