//! Who could be handed a conversation now. It is judged as the transfer itself would be, and nothing changes.

use super::command::{Answer, staff};
use super::{Actor, Cause, Domain, Entry};
use crate::model::{AccountId, ConversationId, Timestamp};
use crate::policy::{Basis, Scope};
use crate::routing::view::Outcome;
use crate::routing::{Refusal, TargetAgent, TargetGroup, Targets};

impl Domain {
    /// To whom the caller may hand a conversation on.
    pub(super) fn targets(
        &self,
        actor: &Actor<'_>,
        basis: Basis,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        if basis == Basis::Owner {
            self.owned_by(actor, id)?;
        }
        let entry = self.entry(id)?;
        let by = staff(actor)?;
        let desk = &self.desks[entry.desk];
        let groups = (0..desk.groups.len()).map(|group| self.target_group(entry, group, by, now));
        let receiving = desk.agents.iter().filter(|agent| self.is_target(**agent, entry, now));
        let mut agents: Vec<_> = receiving
            .map(|agent| TargetAgent {
                account: self.agents[*agent].account.clone(),
                name: std::sync::Arc::clone(&self.agents[*agent].name),
                status: self.status_shown(*agent, entry.desk),
                free: self.room_of(*agent, id, Cause::Transfer, false, now).is_ok(),
            })
            .collect();
        agents.sort_by(|one, other| one.account.cmp(&other.account));
        Ok(Answer::Ready(Outcome::Targets(Targets { groups: groups.collect(), agents })))
    }

    /// A transfer to a group passes over the owner before and whoever transfers.
    fn target_group(&self, entry: &Entry, group: usize, by: &AccountId, now: Timestamp) -> TargetGroup {
        let desk = &self.desks[entry.desk];
        let config = desk.config(group);
        let free = desk.groups[group].members.iter().enumerate().filter(|(place, member)| {
            let account = &self.agents[member.agent].account;
            let passed = account == by || entry.conversation.owner() == Some(account);
            !passed && self.bars(member.agent, entry.desk, Some((group, *place)), 1, now).is_empty()
        });
        TargetGroup {
            group: config.id.clone(),
            name: std::sync::Arc::clone(&config.name),
            free: u32::try_from(free.count()).unwrap_or(u32::MAX),
        }
    }

    fn is_target(&self, agent: usize, entry: &Entry, now: Timestamp) -> bool {
        let state = &self.agents[agent];
        let receives = |post: &super::super::agent::Post| now < post.in_force_until && post.scopes.has(Scope::Receive);
        entry.conversation.owner() != Some(&state.account) && state.post(entry.desk).is_some_and(receives)
    }
}
