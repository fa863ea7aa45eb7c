//! The open conversations of each buyer. A buyer is kept as the profile that one of its conversations has anyhow.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::view::Profile;
use crate::model::{BuyerKey, ConversationId, Map};

/// A buyer, as a key: whoever has the key of this profile.
#[derive(Clone, Debug)]
pub(super) struct Buyer(Arc<Profile>);

impl Buyer {
    /// The buyer with this profile.
    pub(super) fn of(profile: &Arc<Profile>) -> Self {
        Self(Arc::clone(profile))
    }
}

impl Borrow<BuyerKey> for Buyer {
    fn borrow(&self) -> &BuyerKey {
        &self.0.key
    }
}

impl PartialEq for Buyer {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Buyer {}

impl Hash for Buyer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

/// The conversations that a buyer has open, in no order. Nearly every buyer has one.
#[derive(Clone, Debug)]
pub(super) enum Open {
    One(ConversationId),
    More(Vec<ConversationId>),
}

impl Open {
    /// All of them.
    pub(super) fn all(&self) -> &[ConversationId] {
        match self {
            Self::One(open) => std::slice::from_ref(open),
            Self::More(all) => all,
        }
    }

    /// One more.
    pub(super) fn add(&mut self, conversation: ConversationId) {
        let mut all = self.all().to_vec();
        all.push(conversation);
        *self = Self::More(all);
    }

    /// One less; says whether none is left.
    pub(super) fn remove(&mut self, conversation: ConversationId) -> bool {
        let left: Vec<_> = self.all().iter().copied().filter(|open| *open != conversation).collect();
        match left[..] {
            [] => return true,
            [one] => *self = Self::One(one),
            _ => *self = Self::More(left),
        }
        false
    }
}

/// Who has which.
#[derive(Clone, Debug, Default)]
pub(super) struct Buyers(Map<Buyer, Open>);

impl Buyers {
    /// A buyer has this one too.
    pub(super) fn insert(&mut self, profile: &Arc<Profile>, conversation: ConversationId) {
        let open = self.0.entry(Buyer::of(profile));
        open.and_modify(|open| open.add(conversation)).or_insert(Open::One(conversation));
    }

    /// A buyer has this one no longer.
    pub(super) fn remove(&mut self, buyer: &BuyerKey, conversation: ConversationId) {
        if self.0.get_mut(buyer).is_some_and(|open| open.remove(conversation)) {
            self.0.remove(buyer);
        }
    }

    /// The open conversations of a buyer, in no order.
    pub(super) fn of(&self, buyer: &BuyerKey) -> &[ConversationId] {
        self.0.get(buyer).map_or(&[], Open::all)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_a_buyer_has_agrees_with_a_plain_set(
            steps in prop::collection::vec((any::<bool>(), 0_u8..3, 0_u128..6), 0..40),
        ) {
            let mut buyers = Buyers::default();
            let mut plain: BTreeSet<(u8, ConversationId)> = BTreeSet::new();
            let profile = |who: u8| {
                let key = BuyerKey { within: None, sub: format!("b{who}").into() };
                Arc::new(Profile { key, name: None, attributes: Vec::new() })
            };

            for (put, who, id) in steps {
                let id = ConversationId(id);
                if !put {
                    buyers.remove(&profile(who).key, id);
                    plain.remove(&(who, id));
                } else if plain.insert((who, id)) {
                    buyers.insert(&profile(who), id);
                }

                for who in 0..3 {
                    let has: BTreeSet<_> = buyers.of(&profile(who).key).iter().map(|id| (who, *id)).collect();
                    let expected: BTreeSet<_> = plain.iter().filter(|(buyer, _)| *buyer == who).copied().collect();
                    prop_assert_eq!(has, expected);
                }
                let buyers_left = (0..3).filter(|who| plain.iter().any(|(buyer, _)| buyer == who)).count();
                prop_assert_eq!(buyers.0.len(), buyers_left);
            }
        }
    }
}
