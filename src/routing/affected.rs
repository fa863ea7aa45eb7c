//! Who is affected by another configuration, and how: found out by drawing its consequences on a copy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::domain::{Actor, Domain};
use super::{Command, Conversation};
use crate::directory::{Directory, Seller};
use crate::model::{AccountId, ConversationId, GroupId, SellerId, State, Timestamp};

/// How many conversations are named.
const NAMED: usize = 100;
/// How often a copy is asked to go on, at most.
const ROUNDS: usize = 10_000;

/// Who is affected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// The first of the conversations, by id.
    pub conversations: Vec<Moved>,
    /// How many there are.
    pub number: usize,
    /// Accounts whose rights, limits or groups differ, sorted.
    pub agents: Vec<AccountId>,
    before: BTreeMap<ConversationId, Place>,
    after: BTreeMap<ConversationId, Place>,
}

/// A conversation that is elsewhere afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub conversation: ConversationId,
    /// Whose.
    pub seller: SellerId,
    /// Who has it, or the group whose it is if that is what changes.
    pub from: Option<Arc<str>>,
    /// Who has it afterwards, or the group whose it is then; nobody if it waits or is closed.
    pub to: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    seller: SellerId,
    state: State,
    agent: Option<AccountId>,
    group: GroupId,
}

impl Place {
    fn of(conversation: &Conversation) -> Self {
        let Conversation { seller, state, agent, group, .. } = conversation;
        Self { seller: seller.clone(), state: *state, agent: agent.clone(), group: group.clone() }
    }
}

impl Affected {
    /// What there is before, of all that may change.
    pub(super) fn new(old: &Directory, new: &Directory, open: &[Conversation]) -> Self {
        Self {
            before: open.iter().map(|conversation| (conversation.id, Place::of(conversation))).collect(),
            agents: changed_accounts(old, new).into_keys().collect(),
            ..Self::default()
        }
    }

    /// Lets a copy of a domain settle, and sees what has become of its conversations.
    pub(super) fn follow(&mut self, mut domain: Domain, now: Timestamp) {
        for _ in 0..ROUNDS {
            if !domain.act(&Actor::default(), Command::Tick, now).more {
                break;
            }
        }
        self.after.extend(domain.open().map(|conversation| (conversation.id, Place::of(conversation))));
    }

    pub(super) fn finish(mut self) -> Self {
        for (id, before) in std::mem::take(&mut self.before) {
            let after = self.after.remove(&id);
            if after.as_ref() == Some(&before) {
                continue;
            }
            self.number += 1;
            if self.conversations.len() < NAMED {
                self.conversations.push(moved(id, &before, after.as_ref()));
            }
        }
        self.after.clear();
        self
    }
}

fn moved(conversation: ConversationId, before: &Place, after: Option<&Place>) -> Moved {
    let by_group = after.is_some_and(|after| after.agent == before.agent && after.group != before.group);
    let name = |place: &Place| -> Option<Arc<str>> {
        if by_group {
            Some(place.group.as_str().into())
        } else {
            place.agent.as_ref().map(|agent| agent.as_str().into())
        }
    };
    let seller = before.seller.clone();
    Moved { conversation, seller, from: name(before), to: after.and_then(name) }
}

/// Accounts whose rights, limits or memberships differ, and for which sellers.
pub fn changed_accounts(old: &Directory, new: &Directory) -> BTreeMap<AccountId, BTreeSet<SellerId>> {
    let mut changed: BTreeMap<AccountId, BTreeSet<SellerId>> = BTreeMap::new();
    let sellers: BTreeSet<&SellerId> = old.sellers.keys().chain(new.sellers.keys()).collect();
    for id in sellers {
        let (before, after) = (old.sellers.get(id), new.sellers.get(id));
        if let (Some(before), Some(after)) = (before, after)
            && Arc::ptr_eq(before, after)
        {
            continue;
        }
        let (before, after) = (roster(before), roster(after));
        let accounts: BTreeSet<&AccountId> = before.keys().chain(after.keys()).copied().collect();
        for account in accounts {
            if before.get(account) != after.get(account) {
                changed.entry(account.clone()).or_default().insert(id.clone());
            }
        }
    }
    changed
}

type Standing<'a> = (Option<&'a crate::directory::Authorization>, Vec<(&'a GroupId, &'a crate::directory::Member)>);

/// Everybody of a seller, with what it may do and the groups it is in.
fn roster(seller: Option<&Arc<Seller>>) -> BTreeMap<&AccountId, Standing<'_>> {
    let mut roster: BTreeMap<&AccountId, Standing<'_>> = BTreeMap::new();
    let Some(seller) = seller else { return roster };
    for (account, authorization) in &seller.agents {
        roster.entry(account).or_default().0 = Some(authorization);
    }
    for group in &seller.groups {
        for member in &group.members {
            roster.entry(&member.account).or_default().1.push((&group.id, member));
        }
    }
    roster
}
