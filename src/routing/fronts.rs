//! Groups of all sellers in which something waits, by how long: whoever serves very many sellers looks first where
//! somebody waits longest, and at no more of them than it has to.

use std::collections::BTreeSet;

/// A group: its desk, and its place there.
type At = (usize, usize);

/// Where a group stands among the queues and among the left messages, if it has any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Front {
    pub(super) queued: Option<i64>,
    pub(super) left: Option<i64>,
}

/// Groups, each with a time, in microseconds, that is at or before that of everything that waits there.
#[derive(Clone, Debug, Default)]
pub(super) struct Fronts(BTreeSet<(i64, At)>);

impl Fronts {
    /// A group that stood at one time stands at another now.
    pub(super) fn follow(&mut self, at: At, stood: &mut Option<i64>, stands: Option<i64>) {
        if *stood == stands {
            return;
        }
        if let Some(stood) = *stood {
            self.0.remove(&(stood, at));
        }
        self.0.extend(stands.map(|stands| (stands, at)));
        *stood = stands;
    }

    /// The groups, where something may have waited longest first, each with its time.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, At)> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_stands_once_and_where_it_stands_now() {
        let mut fronts = Fronts::default();
        let (mut tea, mut cups) = (None, None);

        fronts.follow((0, 0), &mut tea, Some(5));
        fronts.follow((1, 0), &mut cups, Some(3));
        assert_eq!(fronts.iter().collect::<Vec<_>>(), [(3, (1, 0)), (5, (0, 0))]);

        fronts.follow((0, 0), &mut tea, Some(1));
        fronts.follow((1, 0), &mut cups, None);
        assert_eq!(fronts.iter().collect::<Vec<_>>(), [(1, (0, 0))]);
        assert_eq!((tea, cups), (Some(1), None));
    }
}
