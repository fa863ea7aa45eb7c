//! Who goes on being told what of a seller: of its desk, and of conversations one by one.
//! Whether somebody may is not judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{AccountId, ConversationId, Map, Timestamp};

/// How many conversations of a seller may be followed.
const WATCHED: usize = 10_000;

/// How often those who look at a desk are told of it at most.
const ONCE: Duration = Duration::from_secs(1);

/// What somebody may go on being told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    Desk,
    Conversation,
}

/// The listeners of a desk.
#[derive(Clone, Debug, Default)]
pub(super) struct Listeners {
    /// Who looks at the desk.
    subscribers: Vec<AccountId>,
    /// Before this they are not told of it again.
    next: Timestamp,
    /// Who follows which conversations, closed ones too: they hear when one is reopened.
    watched: BTreeMap<ConversationId, Vec<AccountId>>,
    /// The same by who follows them.
    watching: Map<AccountId, BTreeSet<ConversationId>>,
}

impl Listeners {
    /// An account looks at the desk, or no longer.
    pub(super) fn subscribe(&mut self, account: &AccountId, on: bool) {
        self.subscribers.retain(|subscriber| subscriber != account);
        if on {
            self.subscribers.push(account.clone());
        }
    }

    /// Who looks at the desk.
    pub(super) fn subscribers(&self) -> &[AccountId] {
        &self.subscribers
    }

    /// When those who look at the desk may be told of what changes now, if anybody does.
    pub(super) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        (!self.subscribers.is_empty()).then(|| now.max(self.next))
    }

    /// Those who look at the desk are told of it now.
    pub(super) fn tell(&mut self, now: Timestamp) -> &[AccountId] {
        self.next = now + ONCE;
        &self.subscribers
    }

    /// An account follows a conversation, or no longer. Of very many the oldest is forgotten.
    pub(super) fn watch(&mut self, conversation: ConversationId, account: &AccountId, on: bool) {
        self.unwatch(conversation, account);
        if on {
            self.watched.entry(conversation).or_default().push(account.clone());
            self.watching.entry(account.clone()).or_default().insert(conversation);
        }
        if self.watched.len() > WATCHED
            && let Some((oldest, watchers)) = self.watched.pop_first()
        {
            watchers.iter().for_each(|watcher| self.forget_watching(oldest, watcher));
        }
    }

    /// Who follows a conversation.
    pub(super) fn watchers(&self, conversation: ConversationId) -> impl Iterator<Item = &AccountId> {
        self.watched.get(&conversation).into_iter().flatten()
    }

    /// An account is told nothing more.
    pub(super) fn forget(&mut self, account: &AccountId) {
        self.subscribers.retain(|subscriber| subscriber != account);
        for conversation in self.watching.remove(account).unwrap_or_default() {
            self.unwatch(conversation, account);
        }
    }

    /// Only these go on being told: an account, and what it is told of.
    pub(super) fn retain(&mut self, may: impl Fn(&AccountId, Followed) -> bool) {
        self.subscribers.retain(|subscriber| may(subscriber, Followed::Desk));
        let not = self.watching.keys().filter(|account| !may(account, Followed::Conversation));
        let not: Vec<AccountId> = not.cloned().collect();
        for account in not {
            for conversation in self.watching.remove(&account).unwrap_or_default() {
                self.unwatch(conversation, &account);
            }
        }
    }

    fn unwatch(&mut self, conversation: ConversationId, account: &AccountId) {
        if let Some(watchers) = self.watched.get_mut(&conversation) {
            watchers.retain(|watcher| watcher != account);
            if watchers.is_empty() {
                self.watched.remove(&conversation);
            }
        }
        self.forget_watching(conversation, account);
    }

    fn forget_watching(&mut self, conversation: ConversationId, account: &AccountId) {
        if let Some(watching) = self.watching.get_mut(account) {
            watching.remove(&conversation);
            if watching.is_empty() {
                self.watching.remove(account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn account(number: u8) -> AccountId {
        AccountId::from(format!("a{number}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn who_follows_what_agrees_with_a_plain_set_of_pairs(
            steps in prop::collection::vec((0_u8..6, 0_u8..4, 0_u8..5), 0..60),
        ) {
            let mut listeners = Listeners::default();
            let mut pairs: BTreeSet<(u8, u8)> = BTreeSet::new();
            let mut subscribed: BTreeSet<u8> = BTreeSet::new();

            for (step, who, what) in steps {
                match step {
                    0..=2 => {
                        listeners.watch(ConversationId(what.into()), &account(who), step < 2);
                        if step < 2 { pairs.insert((what, who)); } else { pairs.remove(&(what, who)); }
                    }
                    3 => {
                        listeners.subscribe(&account(who), what > 0);
                        if what > 0 { subscribed.insert(who); } else { subscribed.remove(&who); }
                    }
                    4 => {
                        listeners.forget(&account(who));
                        pairs.retain(|(_, watcher)| *watcher != who);
                        subscribed.remove(&who);
                    }
                    _ => {
                        listeners.retain(|listener, followed| {
                            *listener != account(who) || followed == Followed::Desk
                        });
                        pairs.retain(|(_, watcher)| *watcher != who);
                    }
                }
                for conversation in 0..5 {
                    let mut told: Vec<_> = listeners.watchers(ConversationId(conversation.into())).cloned().collect();
                    told.sort();
                    let expected = pairs.iter().filter(|(what, _)| *what == conversation).map(|(_, who)| account(*who));
                    prop_assert_eq!(told, expected.collect::<Vec<_>>());
                }
                let mut told = listeners.subscribers().to_vec();
                told.sort();
                prop_assert_eq!(told, subscribed.iter().map(|who| account(*who)).collect::<Vec<_>>());
                prop_assert_eq!(listeners.watching.values().map(BTreeSet::len).sum::<usize>(), pairs.len());
            }
        }
    }

    #[test]
    fn of_very_many_followed_conversations_the_oldest_is_forgotten() {
        let mut listeners = Listeners::default();

        for conversation in 0..=WATCHED {
            listeners.watch(ConversationId(conversation as u128), &account(1), true);
        }

        assert_eq!(listeners.watchers(ConversationId(0)).count(), 0);
        assert_eq!(listeners.watchers(ConversationId(1)).count(), 1);
        assert_eq!(listeners.watching[&account(1)].len(), WATCHED);
    }
}
