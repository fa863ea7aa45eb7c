//! What a message leaves behind in its conversation, and how a repeated one is known.

use super::{Domain, Entry};
use crate::model::{ConversationId, Sender, Visibility};
use crate::routing::view::Message;

/// A byte of `kinds`: who wrote it, and whether it is a note.
const FROM_BUYER: u8 = 1;
const NOTE: u8 = 2;
const SYSTEM: u8 = 4;

impl Domain {
    pub(super) fn messaged(&mut self, message: &Message) {
        let hash = message.client_id.as_ref().map(|id| self.hash(&message.sender, id));
        let Some(entry) = self.conversations.get_mut(&message.conversation) else { return };
        let (desk, group) = (entry.desk, entry.group);
        entry.hashes.extend(hash);
        let kind = match (&message.sender, message.visibility) {
            (Sender::Buyer(_), _) => FROM_BUYER,
            (Sender::Agent(_), Visibility::All) => 0,
            (Sender::Agent(_), Visibility::Staff) => NOTE,
            (Sender::System, _) => SYSTEM,
        };
        if !entry.partial {
            entry.kinds.push(kind);
        }
        let c = &mut entry.conversation;
        c.rev += 1;
        c.tail.last_seq = message.seq;
        if kind & NOTE == 0 {
            c.tail.last_for_buyer = message.seq;
        }
        let mut first_reply = None;
        match kind {
            FROM_BUYER => {
                c.tail.last_wrote = message.at;
                c.tail.unread_by_staff += 1;
                c.tail.unanswered_since.get_or_insert(message.at);
            }
            0 => {
                c.tail.last_wrote = message.at;
                c.tail.unread_by_buyer += 1;
                c.tail.unanswered_since = None;
                entry.overdue = None;
                if c.first_reply_at.is_none() {
                    c.first_reply_at = Some(message.at);
                    first_reply = Some(message.at.since(c.started_at));
                }
            }
            SYSTEM => c.tail.unread_by_buyer += 1,
            _ => {}
        }
        if let Some(after) = first_reply {
            let in_time = after <= self.desks[desk].config(group).reply_within;
            let today = self.desks[desk].today(message.at);
            today.first_replies.add(after);
            today.replied += 1;
            today.replied_in_time += u64::from(in_time);
        }
        if kind == FROM_BUYER {
            self.arm_conversation(message.conversation);
        }
    }

    /// Messages of the other side that one side has not read, if it has read up to here.
    pub(super) fn unread_after(&self, entry: &Entry, seq: u64, buyer: bool) -> u32 {
        if entry.partial || seq >= entry.conversation.tail.last_seq {
            return 0;
        }
        let from = usize::try_from(seq).unwrap_or(usize::MAX).min(entry.kinds.len());
        let theirs = |kind: &&u8| if buyer { **kind & (FROM_BUYER | NOTE) == 0 } else { **kind == FROM_BUYER };
        u32::try_from(entry.kinds[from..].iter().filter(theirs).count()).unwrap_or(u32::MAX)
    }

    /// A keyed hash of a sender and what it calls a message.
    pub(super) fn hash(&self, sender: &Sender, client_id: &str) -> u64 {
        use std::hash::BuildHasher;
        self.hasher.hash_one((sender, client_id))
    }

    /// Whether the sender may have called a message so before.
    pub(in crate::routing) fn may_repeat(&self, id: ConversationId, sender: &Sender, client_id: &str) -> bool {
        let hash = self.hash(sender, client_id);
        self.conversations.get(&id).is_some_and(|entry| entry.partial || entry.hashes.contains(&hash))
    }
}
