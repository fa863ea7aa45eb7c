//! What a message leaves behind in its conversation, and how a repeated one is known.

use super::{Domain, Entry};
use crate::model::{ConversationId, Sender, Visibility};
use crate::routing::Said;
use crate::routing::day::Count;
use crate::routing::view::Message;

/// A byte of `kinds`: who wrote it, and whether it is a note.
const FROM_BUYER: u8 = 1;
const NOTE: u8 = 2;
const SYSTEM: u8 = 4;

/// Up to so many messages, no room is kept for more: most that wait have one.
const FEW: usize = 4;

fn kind(sender: &Sender, visibility: Visibility) -> u8 {
    match (sender, visibility) {
        (Sender::Buyer(_), _) => FROM_BUYER,
        (Sender::Agent(_), Visibility::All) => 0,
        (Sender::Agent(_), Visibility::Staff) => NOTE,
        (Sender::System, _) => SYSTEM,
    }
}

impl Domain {
    pub(super) fn messaged(&mut self, message: &Message) {
        let hash = message.client_id.as_ref().map(|id| self.hash(&message.sender, id));
        let Some(entry) = self.conversations.get_mut(&message.conversation) else { return };
        let (desk, group) = (entry.desk, entry.group);
        if let Some(hash) = hash
            && let Err(place) = entry.hashes.binary_search(&hash)
        {
            if entry.hashes.len() < FEW {
                entry.hashes.reserve_exact(1);
            }
            entry.hashes.insert(place, hash);
        }
        let kind = kind(&message.sender, message.visibility);
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
            self.count(desk, Count::Replied { after, in_time }, message.at);
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
        self.conversations.get(&id).is_some_and(|entry| entry.partial || entry.hashes.binary_search(&hash).is_ok())
    }

    /// Whether there are messages of which that cannot be told.
    pub(in crate::routing) fn is_partial(&self, id: ConversationId) -> bool {
        self.conversations.get(&id).is_some_and(|entry| entry.partial)
    }

    /// Takes what the store has of a conversation's messages, the first ones first, unless there are others by now.
    pub(in crate::routing) fn remember(&mut self, id: ConversationId, said: &[Said]) {
        let hashes: Vec<_> = said
            .iter()
            .filter_map(|said| said.client_id.as_ref().map(|client_id| self.hash(&said.sender, client_id)))
            .collect();
        let Some(entry) = self.conversations.get_mut(&id).filter(|entry| entry.partial) else { return };
        if entry.conversation.tail.last_seq == said.len() as u64 {
            entry.hashes.extend(hashes);
            entry.hashes.sort_unstable();
            entry.hashes.dedup();
            entry.kinds = said.iter().map(|said| kind(&said.sender, said.visibility)).collect();
            entry.partial = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::directory::Directory;
    use crate::journal::conformance::{buyer, conversation};
    use crate::model::{AccountId, ConversationId, Sender, Timestamp, Visibility};
    use crate::routing::{Recovered, Said, Settings, Table, Tail};

    const SHOP: &str = "[[account]]\nid = \"lin\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"\n\
        certified_until = 2099-12-31\n[[seller]]\nid = \"tea\"\nname = \"Tea\"\naccount = \"lin\"\nshop = \"s\"\n\
        licence_name = \"Tea\"\ndefault_group = \"presale\"\n[[seller.group]]\nid = \"presale\"\n";

    #[test]
    fn what_was_said_before_a_start_is_known_again_once_all_of_it_has_been_read() {
        let id = ConversationId(1);
        let mut open = conversation(1, "b");
        open.tail = Tail { last_seq: 2, ..Tail::default() };
        let recovered = Recovered { conversations: vec![open], ..Recovered::default() };
        let directory = Arc::new(Directory::from_toml(SHOP, Timestamp::ZERO).unwrap());
        let table = Table::new(directory, Settings::default(), recovered, Timestamp::ZERO, || {});
        let (ann, mei) = (Sender::Buyer(buyer("b")), Sender::Agent(AccountId::from("mei")));
        let said = [(&ann, "one"), (&mei, "two")].map(|(sender, client_id)| Said {
            sender: sender.clone(),
            visibility: Visibility::All,
            client_id: Some(client_id.into()),
        });
        let may_repeat = |sender, client_id| table.may_repeat(id, sender, client_id);

        table.remember(id, &said[..1]);
        assert!(table.is_partial(id) && may_repeat(&ann, "three"), "another one has come meanwhile");
        table.remember(id, &said);

        assert!(!table.is_partial(id));
        assert!(may_repeat(&ann, "one") && may_repeat(&mei, "two"));
        assert!(!may_repeat(&ann, "two") && !may_repeat(&ann, "three"));
    }
}
