//! What is true now: who can be reached, who holds how much, who stands where.

use fenliu::directory::PriorityStep;
use fenliu::model::{AccountId, ConversationId, GroupId, SellerId, State, Status, Timestamp};
use fenliu::policy::Scope;
use fenliu::routing::Conversation;

use super::Model;

/// How somebody can be reached for a seller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Online,
    Away,
    Grace,
    Absent,
}

impl Model {
    /// The status as one seller sees it.
    pub fn status_for(&self, agent: &AccountId, seller: &SellerId) -> Status {
        let state = &self.agents[agent];
        match state.paused.get(seller) {
            Some(paused) if state.status != Status::Offline => *paused,
            _ => state.status,
        }
    }

    pub fn in_force(&self, agent: &AccountId, seller: &SellerId) -> bool {
        self.authorization(agent, seller).is_some_and(|authorization| authorization.in_force(self.now))
    }

    /// Whether somebody who is not offline may be given what is the seller's.
    pub fn may_be_waited_for(&self, agent: &AccountId, seller: &SellerId) -> bool {
        let receives = self.authorization(agent, seller).is_some_and(|a| a.scopes.has(Scope::Receive));
        receives && self.in_force(agent, seller) && self.status_for(agent, seller) != Status::Offline
    }

    pub fn reach(&self, agent: &AccountId, seller: &SellerId) -> Reach {
        let receives = self.authorization(agent, seller).is_some_and(|a| a.scopes.has(Scope::Receive));
        if !receives || !self.in_force(agent, seller) {
            return Reach::Absent;
        }
        let state = &self.agents[agent];
        match (self.status_for(agent, seller), state.sessions.is_empty(), state.grace_until) {
            (Status::Offline, ..) | (_, true, None) => Reach::Absent,
            (_, true, Some(_)) => Reach::Grace,
            (Status::Online, false, _) => Reach::Online,
            (Status::Away, false, _) => Reach::Away,
        }
    }

    pub fn any_member(&self, seller: &SellerId, group: &GroupId, reach: Reach) -> bool {
        self.group(seller, group).members.iter().any(|member| self.reach(&member.account, seller) == reach)
    }

    /// Step 7: who is there for a conversation, of its own group and all it may overflow to.
    pub fn presence(&self, conversation: &Conversation) -> Reach {
        let own = self.settings(conversation);
        let groups: Vec<&GroupId> = std::iter::once(&own.id).chain(own.overflow.iter().map(|step| &step.to)).collect();
        let any = |reach| groups.iter().any(|group| self.any_member(&conversation.seller, group, reach));
        [Reach::Online, Reach::Away, Reach::Grace].into_iter().find(|reach| any(*reach)).unwrap_or(Reach::Absent)
    }

    /// The main account, where it is the last resort and there.
    pub fn last_resort(&self, seller: &SellerId) -> Option<AccountId> {
        let config = self.seller(seller);
        let main = config.account.clone();
        (config.main_account_fallback && self.reach(&main, seller) == Reach::Online).then_some(main)
    }

    /// Step 6: the groups to which a conversation overflows now, in file order.
    pub fn due_groups(&self, conversation: &Conversation) -> Vec<GroupId> {
        let own = self.settings(conversation);
        let all = !self.any_member(&conversation.seller, &own.id, Reach::Online);
        let due = |after| conversation.state.is_waiting() && self.now >= conversation.waiting_since + after;
        own.overflow.iter().filter(|step| all || due(step.after)).map(|step| step.to.clone()).collect()
    }

    /// What somebody holds: of all, of one seller, through one of its groups.
    pub fn held(&self, agent: &AccountId, seller: Option<&SellerId>, via: Option<&GroupId>) -> u32 {
        let conversations = self.open.values().filter(|c| {
            matches!(c.state, State::Active | State::Offered)
                && c.agent.as_ref() == Some(agent)
                && seller.is_none_or(|seller| c.seller == *seller)
                && via.is_none_or(|via| c.via.as_ref() == Some(via))
        });
        let wrap_ups = self.agents[agent].wrap_ups.iter().filter(|wrap_up| {
            seller.is_none_or(|seller| wrap_up.seller == *seller)
                && via.is_none_or(|via| wrap_up.via.as_ref() == Some(via))
        });
        u32::try_from(conversations.count() + wrap_ups.count()).unwrap()
    }

    /// The order within a queue.
    pub fn queue_key(&self, conversation: &Conversation) -> (i64, i64, ConversationId) {
        let (queued, priority) = (conversation.queued_at.micros(), i64::from(conversation.priority));
        match self.settings(conversation).priority_step {
            PriorityStep::Worth(step) => (queued - priority * step.as_micros() as i64, 0, conversation.id),
            PriorityStep::Strict => (-priority, queued, conversation.id),
        }
    }

    /// The key of the head of a queue among its seller's queues.
    pub fn head_key(&self, conversation: &Conversation) -> (i64, ConversationId) {
        let step = match self.settings(conversation).priority_step {
            PriorityStep::Worth(step) => step.as_micros() as i64,
            PriorityStep::Strict => 60_000_000,
        };
        (conversation.queued_at.micros() - i64::from(conversation.priority) * step, conversation.id)
    }

    /// Who waits in a queue, in order.
    pub fn queue(&self, seller: &SellerId, group: &GroupId) -> Vec<ConversationId> {
        let mut queue: Vec<&Conversation> = self
            .open
            .values()
            .filter(|c| c.state == State::Queued && c.seller == *seller && c.group == *group)
            .collect();
        queue.sort_by_key(|conversation| self.queue_key(conversation));
        queue.iter().map(|conversation| conversation.id).collect()
    }

    /// The position that its buyer is told.
    pub fn position(&self, conversation: &Conversation) -> usize {
        let queue = self.queue(&conversation.seller, &conversation.group);
        1 + queue.iter().position(|id| *id == conversation.id).unwrap()
    }

    /// A deadline as it acts: one that fell due while nobody ran acts when the grace of the start is over.
    pub fn acts(&self, at: Timestamp) -> Timestamp {
        match self.held {
            Some((start, until)) if at <= start => until,
            _ => at,
        }
    }
}
