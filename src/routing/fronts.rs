//! Where something waits that members of a pool may take, by how long: whoever serves very many sellers looks first where
//! somebody waits longest, and at no more of them than it has to.

use std::collections::BTreeSet;

use crate::model::{ConversationId, Timestamp};

/// The place of something that waits among what waits for all sellers.
pub(super) type Since = (Timestamp, ConversationId);

/// A way from a group: 0 to its own members, from 1 on to those of its overflow steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) desk: usize,
    pub(super) group: usize,
    pub(super) way: usize,
}

/// Ways along which something waits, by their first.
#[derive(Clone, Debug, Default)]
pub(super) struct Fronts(BTreeSet<(Since, Way)>);

impl Fronts {
    /// Something else is the first on a way now, or nothing any more.
    pub(super) fn follow(&mut self, way: Way, stood: Option<Since>, stands: Option<Since>) {
        if let Some(stood) = stood {
            self.0.remove(&(stood, way));
        }
        self.0.extend(stands.map(|stands| (stands, way)));
    }

    /// The first of all ways.
    pub(super) fn first(&self) -> Option<Since> {
        self.0.first().map(|(since, _)| *since)
    }

    /// The ways, where something has waited longest first, each with its first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Since, Way)> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_stands_once_and_where_it_stands_now() {
        let since = |micros| (Timestamp::from_micros(micros), ConversationId(7));
        let [tea, cups] = [0, 1].map(|desk| Way { desk, group: 0, way: 0 });
        let mut fronts = Fronts::default();

        fronts.follow(tea, None, Some(since(5)));
        fronts.follow(cups, None, Some(since(3)));
        assert_eq!(fronts.iter().collect::<Vec<_>>(), [(since(3), cups), (since(5), tea)]);

        fronts.follow(tea, Some(since(5)), Some(since(1)));
        fronts.follow(cups, Some(since(3)), None);
        assert_eq!(fronts.iter().collect::<Vec<_>>(), [(since(1), tea)]);
        assert_eq!(fronts.first(), Some(since(1)));
    }
}
