//! What is asked of a domain.

use std::sync::Arc;

use fenliu::directory::{Field, Matcher, Otherwise, RecentWhenFull, Target};
use fenliu::model::{AccountId, ConversationId, GroupId, State};
use fenliu::routing::{Bound, Conversation, Exclusion, Start};

use super::select::Bar;
use super::{Entering, Model, WrapUp};

/// What is answered, as far as it is compared: nothing, or the name of the refusal.
pub type Said = Result<(), &'static str>;

impl Model {
    pub fn start(&mut self, start: &Start) -> Said {
        let open = self.open.values().find(|c| c.seller == start.seller && c.profile.key == start.profile.key);
        if let Some(id) = open.map(|c| c.id) {
            if start.message.is_some() {
                self.buyer_wrote(id);
            }
            self.revive(id);
            self.settle();
            return Ok(());
        }
        let mut c = Conversation::begun(start, self.seller(&start.seller).default_group.clone(), self.now);
        let leave = self.route(&mut c);
        self.wait_for_recent(&mut c);
        self.entering = Some((c.id, Entering::Start { leave }));
        let id = c.id;
        self.open.insert(id, c);
        if start.message.is_some() {
            self.buyer_wrote(id);
        }
        self.settle();
        Ok(())
    }

    /// Step 3. Says whether a binding leaves it as a message.
    fn route(&self, c: &mut Conversation) -> bool {
        let seller = self.seller(&c.seller.clone()).clone();
        let source = c.context.iter().find(|(key, _)| &**key == "source").map(|(_, value)| Arc::clone(value));
        for binding in &seller.bindings {
            let matches = binding.when.iter().all(|matcher| match matcher {
                Matcher::Value { field: Field::Context(_), any } => {
                    source.as_ref().is_some_and(|source| any.iter().any(|pattern| pattern.fits(source)))
                }
                _ => panic!("worlds match by source only"),
            });
            if !matches {
                continue;
            }
            c.priority = c.priority.max(binding.priority);
            match &binding.to {
                Target::LeaveMessage(_) => {
                    c.group = seller.default_group.clone();
                    return true;
                }
                Target::Group(group) => {
                    let there = Conversation { group: group.clone(), ..c.clone() };
                    let able = self.select(&there, Some(Entering::Start { leave: false })).is_some();
                    if binding.otherwise == Otherwise::Wait || able {
                        c.group = group.clone();
                        return false;
                    }
                }
                Target::Agent(agent) => {
                    let group = binding.group.clone().unwrap_or_else(|| seller.default_group.clone());
                    let there = Conversation { group: group.clone(), ..c.clone() };
                    let via = self.as_member(agent, &there, &group);
                    let able = self.bars(agent, &there, via.as_ref(), 1).is_empty();
                    let waits = binding.otherwise == Otherwise::Wait && self.may_be_waited_for(agent, &c.seller);
                    if able || waits {
                        c.group = group;
                        let bound = Bound { agent: agent.clone(), waits: true };
                        c.rare.change(|rare| rare.bound = Some(bound));
                        return false;
                    }
                }
            }
        }
        c.group = seller.default_group;
        false
    }

    fn wait_for_recent(&self, c: &mut Conversation) {
        let RecentWhenFull::Wait(wait) = self.settings(c).recent_agent_when_full else { return };
        let Some((_, bars)) = self.recent(c) else { return };
        if c.rare.bound.is_none() && bars == [Bar::Capacity] {
            c.rare.change(|rare| rare.recent_until = Some(self.now + wait));
        }
    }

    pub fn reopen(&mut self, closed: &Conversation) -> Said {
        let mut open = self.open.values();
        if open.any(|c| c.seller == closed.seller && c.profile.key == closed.profile.key) {
            return Err("Closed");
        }
        if self.now > closed.rare.closed_at.unwrap() + self.settings(closed).reopen_within {
            return Err("Closed");
        }
        let (id, now) = (closed.id, self.now);
        let mut c = closed.clone();
        c.state = State::Queued;
        c.recent = c.held.last().cloned().zip(c.rare.closed_at);
        (c.agent, c.via, c.assigned_at) = (None, None, None);
        c.rare.change(|rare| (rare.bound, rare.closed_at, rare.reason) = (None, None, None));
        (c.left, c.queued_at, c.waiting_since, c.counted) = (None, now, now, true);
        self.wait_for_recent(&mut c);
        self.open.insert(id, c);
        self.entering = Some((id, Entering::Reopen));
        self.buyer_wrote(id);
        self.settle();
        Ok(())
    }

    pub fn send(&mut self, id: ConversationId, by: Option<&AccountId>) -> Said {
        match by {
            None => {
                self.buyer_wrote(id);
                self.revive(id);
            }
            Some(by) => {
                let c = self.open.get_mut(&id).unwrap();
                if c.owner() != Some(by) {
                    return Err("NotOwner");
                }
                c.tail.last_wrote = self.now;
                c.tail.unanswered_since = None;
                c.first_reply_at.get_or_insert(self.now);
            }
        }
        self.settle();
        Ok(())
    }

    fn buyer_wrote(&mut self, id: ConversationId) {
        let tail = &mut self.open.get_mut(&id).unwrap().tail;
        tail.last_wrote = self.now;
        tail.unanswered_since.get_or_insert(self.now);
    }

    /// A left message whose buyer is back waits again while somebody of its group is online.
    fn revive(&mut self, id: ConversationId) {
        let c = &self.open[&id];
        let online = self.any_member(&c.seller, &c.group, super::facts::Reach::Online);
        if c.state == State::LeftMessage && online {
            let group = c.group.clone();
            self.queue_again(id, group, true, Vec::new());
        }
    }

    pub fn close_by(&mut self, id: ConversationId) -> Said {
        self.close(id);
        self.settle();
        Ok(())
    }

    pub fn close(&mut self, id: ConversationId) {
        let c = self.open.remove(&id).unwrap();
        if let Some(owner) = c.owner() {
            let (ended, wrap_up) = (self.next_time(), self.settings(&c).wrap_up);
            let until = self.now + wrap_up;
            let agent = self.agents.get_mut(owner).unwrap();
            agent.ended = ended;
            if !wrap_up.is_zero() {
                agent.wrap_ups.push(WrapUp { seller: c.seller.clone(), via: c.via.clone(), until });
            }
        }
    }

    fn asked(&self, id: ConversationId, by: &AccountId) -> Said {
        let c = &self.open[&id];
        match c.offered_to() {
            Some(asked) if asked == by => Ok(()),
            _ if c.asked.contains(by) => Err("OfferExpired"),
            _ => Err("NotOwner"),
        }
    }

    pub fn accept(&mut self, id: ConversationId, by: &AccountId) -> Said {
        self.asked(id, by)?;
        self.agents.get_mut(by).unwrap().missed = 0;
        let via = self.open[&id].via.clone();
        self.assign(id, by, via);
        self.settle();
        Ok(())
    }

    pub fn decline(&mut self, id: ConversationId, by: &AccountId) -> Said {
        self.asked(id, by)?;
        self.agents.get_mut(by).unwrap().missed = 0;
        self.end_offer(id, Some(Exclusion::Declined));
        self.settle();
        Ok(())
    }

    /// The group through which somebody named would have it.
    fn through(&self, agent: &AccountId, c: &Conversation) -> Option<GroupId> {
        let groups = std::iter::once(c.group.clone()).chain(self.due_groups(c));
        groups.into_iter().find_map(|group| self.as_member(agent, c, &group))
    }

    /// Gives to somebody named, within its limits: spacing and exclusions do not count.
    fn give_to(&mut self, id: ConversationId, agent: &AccountId, claims: bool, force: bool) -> Said {
        let c = self.open[&id].clone();
        let via = self.through(agent, &c);
        let asked = c.offered_to() == Some(agent);
        // Somebody's own last slot may go to an old message if it is its will.
        let live = Conversation { state: if c.state == State::LeftMessage { State::Queued } else { c.state }, ..c };
        let mut bars = self.bars(agent, &live, via.as_ref(), if force { 2 } else { 1 });
        bars.retain(|bar| !matches!(bar, Bar::Spacing | Bar::Excluded));
        bars.retain(|bar| !matches!(bar, Bar::Receive if claims) && !matches!(bar, Bar::Capacity if asked));
        if bars.iter().any(|bar| *bar != Bar::Capacity) {
            return Err("AgentUnavailable");
        }
        if !bars.is_empty() {
            return Err("AtCapacity");
        }
        self.assign(id, agent, via);
        Ok(())
    }

    pub fn claim(&mut self, id: ConversationId, by: &AccountId, force: bool) -> Said {
        if !self.open[&id].state.is_waiting() {
            return Err("NotWaiting");
        }
        self.give_to(id, by, true, force)?;
        self.settle();
        Ok(())
    }

    pub fn hand(&mut self, id: ConversationId, to: &AccountId, force: bool, transfer: bool) -> Said {
        let c = &self.open[&id];
        if transfer && c.owner().is_none() {
            return Err("NotOwner");
        }
        if self.authorization(to, &c.seller).is_none() {
            return Err("Unknown");
        }
        if c.owner() == Some(to) {
            return Ok(());
        }
        self.give_to(id, to, false, force)?;
        if transfer {
            let c = self.open.get_mut(&id).unwrap();
            c.recent = None;
            c.rare.change(|rare| rare.bound = None);
        }
        self.settle();
        Ok(())
    }

    pub fn transfer_to_group(&mut self, id: ConversationId, by: &AccountId, group: &GroupId) -> Said {
        let Some(owner) = self.open[&id].owner().cloned() else { return Err("NotOwner") };
        let mut exclude = vec![(owner.clone(), Exclusion::Transferred)];
        if *by != owner {
            exclude.push((by.clone(), Exclusion::Transferred));
        }
        let c = self.open.get_mut(&id).unwrap();
        c.recent = None;
        c.rare.change(|rare| rare.bound = None);
        self.queue_again(id, group.clone(), false, exclude);
        self.settle();
        Ok(())
    }
}
