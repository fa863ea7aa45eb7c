//! The open conversations of each buyer in a domain: at most one with each seller.

use crate::model::{BuyerKey, ConversationId, Map};

/// A buyer's open conversation, and the desk of its seller.
type Open = (usize, ConversationId);

/// Nearly every buyer has one.
#[derive(Clone, Debug)]
enum Has {
    One(Open),
    More(Vec<Open>),
}

/// Who has which.
#[derive(Clone, Debug, Default)]
pub(super) struct Buyers(Map<BuyerKey, Has>);

impl Buyers {
    /// A buyer has this one at a desk, and no other there.
    pub(super) fn insert(&mut self, buyer: &BuyerKey, desk: usize, conversation: ConversationId) {
        match self.0.get_mut(buyer) {
            None => {
                self.0.insert(buyer.clone(), Has::One((desk, conversation)));
            }
            Some(Has::One(open)) if open.0 == desk => open.1 = conversation,
            Some(has) => {
                let mut all = has.all().to_vec();
                all.retain(|(at, _)| *at != desk);
                all.push((desk, conversation));
                *has = Has::More(all);
            }
        }
    }

    /// A buyer has none at a desk any more.
    pub(super) fn remove(&mut self, buyer: &BuyerKey, desk: usize) {
        let Some(has) = self.0.get_mut(buyer) else { return };
        if let Has::More(all) = has {
            all.retain(|(at, _)| *at != desk);
        }
        match has.all() {
            [] => self.0.remove(buyer),
            [(at, _)] if *at == desk => self.0.remove(buyer),
            [one] => {
                *has = Has::One(*one);
                None
            }
            _ => None,
        };
    }

    /// A buyer's open conversation at a desk.
    pub(super) fn at(&self, buyer: &BuyerKey, desk: usize) -> Option<ConversationId> {
        self.0.get(buyer)?.all().iter().find(|(at, _)| *at == desk).map(|(_, conversation)| *conversation)
    }

    /// All open conversations of a buyer, by id.
    pub(super) fn of(&self, buyer: &BuyerKey) -> Vec<ConversationId> {
        let all = self.0.get(buyer).map_or(&[][..], Has::all);
        let mut all: Vec<_> = all.iter().map(|(_, conversation)| *conversation).collect();
        all.sort_unstable();
        all
    }
}

impl Has {
    fn all(&self) -> &[Open] {
        match self {
            Self::One(open) => std::slice::from_ref(open),
            Self::More(all) => all,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_a_buyer_has_agrees_with_a_plain_map(
            steps in prop::collection::vec((any::<bool>(), 0_u8..3, 0_usize..4, 0_u128..50), 0..40),
        ) {
            let mut buyers = Buyers::default();
            let mut plain: BTreeMap<(u8, usize), ConversationId> = BTreeMap::new();
            let key = |who: u8| BuyerKey { within: None, sub: format!("b{who}").into() };

            for (put, who, desk, id) in steps {
                if put {
                    buyers.insert(&key(who), desk, ConversationId(id));
                    plain.insert((who, desk), ConversationId(id));
                } else {
                    buyers.remove(&key(who), desk);
                    plain.remove(&(who, desk));
                }

                for who in 0..3 {
                    let mut expected: Vec<_> =
                        plain.iter().filter(|((buyer, _), _)| *buyer == who).map(|(_, id)| *id).collect();
                    expected.sort_unstable();
                    prop_assert_eq!(buyers.of(&key(who)), expected);
                    for desk in 0..4 {
                        prop_assert_eq!(buyers.at(&key(who), desk), plain.get(&(who, desk)).copied());
                    }
                }
                let buyers_left = (0..3).filter(|who| plain.keys().any(|(buyer, _)| buyer == who)).count();
                prop_assert_eq!(buyers.0.len(), buyers_left);
            }
        }
    }
}
