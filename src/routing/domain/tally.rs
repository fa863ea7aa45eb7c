//! What an operator sees of a domain: sums, the sellers with the most waiting, the agents with the most in hand.
//! It looks at desks, groups and agents, never at every conversation.

use std::cmp::Reverse;

use super::Domain;
use crate::model::{Status, Timestamp};
use crate::routing::tally::{BusyAgent, BusySeller, Tally};

/// How many sellers and agents a tally names.
const NAMED: usize = 20;

impl Domain {
    /// Adds this domain to a tally.
    pub(in crate::routing) fn tally(&self, tally: &mut Tally, now: Timestamp) {
        let mut settled = self.conversations.len();
        for desk in &self.desks {
            let (mut waiting, mut left, mut since) = (0, 0, now);
            for group in &desk.groups {
                waiting += group.queue.len();
                left += group.left.len();
                tally.offered += group.offered as usize;
                settled = settled.saturating_sub(group.offered as usize);
                let first = group.queue.first().and_then(|(_, _, id)| self.conversations.get(id));
                since = first.map_or(since, |entry| since.min(entry.conversation.waiting_since));
            }
            tally.queued += waiting;
            tally.left_messages += left;
            settled = settled.saturating_sub(waiting + left);
            if waiting + left > 0 {
                let seller = desk.seller.id.clone();
                tally.sellers.push(BusySeller { seller, waiting, left_messages: left, longest_wait: now.since(since) });
            }
        }
        tally.active += settled;
        for agent in &self.agents {
            let status = if agent.is_connected() { agent.status } else { Status::Offline };
            match status {
                Status::Online => tally.online += 1,
                Status::Away => tally.away += 1,
                Status::Offline => tally.offline += 1,
            }
            if status == Status::Online {
                tally.slots_taken += agent.load as usize;
                tally.slots_free += agent.capacity.saturating_sub(agent.load) as usize;
            }
            if agent.load > 0 {
                let (account, held, capacity) = (agent.account.clone(), agent.load, agent.capacity);
                tally.agents.push(BusyAgent { account, status, held, capacity });
            }
        }
        tally
            .sellers
            .sort_by_key(|seller| (Reverse(seller.waiting), Reverse(seller.left_messages), seller.seller.clone()));
        tally.sellers.truncate(NAMED);
        tally.agents.sort_by_key(|agent| (Reverse(agent.held), agent.account.clone()));
        tally.agents.truncate(NAMED);
    }
}
