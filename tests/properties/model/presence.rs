//! Presence: what somebody says of itself, and whether it can be reached.

use fenliu::model::{AccountId, ConversationId, SellerId, SessionId, State, Status, Timestamp};
use fenliu::routing::Cause;

use super::command::Said;
use super::{Duty, Model};

impl Model {
    /// The status itself; nobody is asked.
    pub fn set(&mut self, agent: &AccountId, status: Status) {
        let now = self.now;
        let state = self.agents.get_mut(agent).unwrap();
        if state.status != status {
            state.since = now;
        }
        state.status = status;
        match status {
            Status::Online => state.wrap_ups.clear(),
            Status::Offline => state.grace_until = None,
            Status::Away => {}
        }
    }

    pub fn withdraw(&mut self, agent: &AccountId, seller: Option<&SellerId>) {
        let offers = self.open.values().filter(|c| c.offered_to() == Some(agent));
        let offers = offers.filter(|c| seller.is_none_or(|seller| c.seller == *seller));
        let duties: Vec<_> = offers.map(|c| Duty::Withdraw(c.id)).collect();
        self.duties.extend(duties);
    }

    fn let_go(&mut self, agent: &AccountId, seller: Option<&SellerId>, reroute: bool) {
        self.withdraw(agent, seller);
        if reroute {
            let owned = self.owned(agent, seller).into_iter().map(|id| Duty::Evict(id, Cause::AgentLost));
            self.duties.extend(owned);
        }
    }

    fn owned(&self, agent: &AccountId, seller: Option<&SellerId>) -> Vec<ConversationId> {
        let owned = self.open.values().filter(|c| c.owner() == Some(agent));
        owned.filter(|c| seller.is_none_or(|seller| c.seller == *seller)).map(|c| c.id).collect()
    }

    pub fn set_own(&mut self, agent: &AccountId, status: Status, reroute: bool) -> Said {
        if status == Status::Offline && !reroute && !self.owned(agent, None).is_empty() {
            return Err("HoldsConversations");
        }
        if status == Status::Online {
            self.agents.get_mut(agent).unwrap().paused.clear();
        }
        self.set(agent, status);
        if status != Status::Online {
            self.let_go(agent, None, reroute);
        }
        self.settle();
        Ok(())
    }

    pub fn set_other(&mut self, agent: &AccountId, seller: &SellerId, status: Status, reroute: bool) -> Said {
        if self.authorization(agent, seller).is_none() {
            return Err("Unknown");
        }
        let served = self.sellers.iter().filter(|seller| self.authorization(agent, seller).is_some()).count();
        let only = (served > 1).then_some(seller);
        if status == Status::Offline && !reroute && !self.owned(agent, only).is_empty() {
            return Err("HoldsConversations");
        }
        if only.is_none() {
            self.set(agent, status);
        } else if status == Status::Online {
            self.agents.get_mut(agent).unwrap().paused.remove(seller);
        } else {
            self.agents.get_mut(agent).unwrap().paused.insert(seller.clone(), status);
        }
        if status != Status::Online {
            self.let_go(agent, only, reroute);
        }
        self.settle();
        Ok(())
    }

    pub fn arrive(&mut self, agent: &AccountId, session: SessionId, status: Option<Status>) -> Said {
        let state = self.agents.get_mut(agent).unwrap();
        let anew = state.sessions.is_empty() && state.grace_until.is_none();
        state.sessions.push(session);
        state.grace_until = None;
        if anew {
            self.set(agent, status.unwrap_or(Status::Away));
        }
        self.settle();
        Ok(())
    }

    pub fn drop_session(&mut self, agent: &AccountId, session: SessionId) -> Said {
        let grace = self.now + self.grace;
        let state = self.agents.get_mut(agent).unwrap();
        state.sessions.retain(|open| *open != session);
        if state.sessions.is_empty() {
            if state.status != Status::Offline {
                state.grace_until = Some(grace);
            }
            self.withdraw(agent, None);
        }
        self.settle();
        Ok(())
    }

    pub fn buyer_presence(&mut self, buyer: &fenliu::model::BuyerKey, online: bool) -> Said {
        let now = self.now;
        for c in self.open.values_mut().filter(|c| c.profile.key == *buyer) {
            match online {
                true => c.buyer_gone_since = None,
                false => {
                    c.buyer_gone_since.get_or_insert(now);
                }
            }
        }
        self.settle();
        Ok(())
    }

    /// The process ends and another begins. What a start took for gone is not written by that.
    pub fn restart(&mut self, written_as_gone: impl Fn(ConversationId) -> Option<Timestamp>) {
        let (now, grace) = (self.now, self.now + self.grace);
        for agent in self.agents.values_mut() {
            agent.sessions.clear();
            agent.wrap_ups.clear();
            agent.grace_until = (agent.status != Status::Offline).then_some(grace);
        }
        for c in self.open.values_mut() {
            c.buyer_gone_since = Some(written_as_gone(c.id).unwrap_or(now));
        }
        let offers = self.open.values().filter(|c| c.state == State::Offered);
        self.duties = offers.map(|c| Duty::Withdraw(c.id)).collect();
        self.held = Some((now, grace));
        self.settle();
    }
}
