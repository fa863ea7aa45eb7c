//! The bindings of a seller by what their first matcher wants: of very many, only those are looked at that may match.
//! Whether one does, and where it leads, is not judged here.

use std::sync::Arc;

use crate::directory::{Binding, Field, Matcher, Pattern};
use crate::model::Map;

/// So many bindings are looked at one by one more quickly than they are found.
const FEW: usize = 8;

/// Which bindings of a seller may match, by the values that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// The fields that first matchers look at, and for each value that one of them wants the bindings, in file order.
    fields: Vec<(Field, Map<Arc<str>, Vec<u32>>)>,
    /// Those that want something else first: a prefix, an hour, a word of the text, nothing at all.
    others: Vec<u32>,
}

/// Bindings that may match, by their places, in file order, each once.
pub(super) struct Candidates<'a>(Vec<&'a [u32]>);

impl Wanted {
    /// Of these bindings.
    pub(super) fn of(bindings: &[Binding]) -> Self {
        let mut wanted = Self::default();
        for (at, binding) in (0..).zip(bindings) {
            match binding.when.first().and_then(values) {
                Some((field, values)) if bindings.len() > FEW => wanted.add(at, field, values),
                _ => wanted.others.push(at),
            }
        }
        wanted
    }

    fn add(&mut self, at: u32, field: &Field, values: Vec<&Arc<str>>) {
        let known = self.fields.iter().position(|(known, _)| known == field);
        let known = known.unwrap_or_else(|| {
            self.fields.push((field.clone(), Map::default()));
            self.fields.len() - 1
        });
        for value in values {
            let bindings = self.fields[known].1.entry(Arc::clone(value)).or_default();
            if bindings.last() != Some(&at) {
                bindings.push(at);
            }
        }
    }

    /// Those that may match, where `values` calls its second argument with every value of a field that is there. The
    /// first matcher of all others does not hold.
    pub(super) fn by(&self, values: impl Fn(&Field, &mut dyn FnMut(&str))) -> Candidates<'_> {
        let mut lists = Vec::with_capacity(1 + self.fields.len());
        lists.push(self.others.as_slice());
        for (field, wanted) in &self.fields {
            values(field, &mut |value| lists.extend(wanted.get(value).map(Vec::as_slice)));
        }
        Candidates(lists)
    }
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let next = self.0.iter().filter_map(|list| list.first()).min().copied()?;
        for list in &mut self.0 {
            if list.first() == Some(&next) {
                *list = &list[1..];
            }
        }
        usize::try_from(next).ok()
    }
}

/// The field and the values of a matcher that wants just one of these.
fn values(matcher: &Matcher) -> Option<(&Field, Vec<&Arc<str>>)> {
    let Matcher::Value { field, any } = matcher else { return None };
    if *field == Field::Keyword {
        return None;
    }
    let exact: Option<Vec<_>> = any.iter().map(exact).collect();
    Some((field, exact?))
}

fn exact(pattern: &Pattern) -> Option<&Arc<str>> {
    if let Pattern::Exactly(value) = pattern { Some(value) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::directory::{Otherwise, Target};

    fn binding(number: usize, when: Vec<Matcher>) -> Binding {
        Binding {
            id: format!("b{number}").into(),
            when,
            to: Target::Group("g".into()),
            otherwise: Otherwise::Wait,
            priority: 0,
            group: None,
        }
    }

    fn field(number: u8) -> Field {
        match number {
            0 => Field::Context("source".into()),
            1 => Field::Attribute("level".into()),
            _ => Field::Keyword,
        }
    }

    proptest! {
        /// Whoever is left out is one whose first matcher does not hold.
        #[test]
        fn all_that_may_match_are_found_in_order(
            wishes in prop::collection::vec(
                prop::option::of((0_u8..3, prop::collection::vec((0_u8..4, any::<bool>()), 1..4))), 0..40),
            source in prop::option::of(0_u8..4),
            levels in prop::collection::vec(0_u8..4, 0..3),
        ) {
            let pattern = |(value, exact): &(u8, bool)| {
                let value = value.to_string().into();
                if *exact { Pattern::Exactly(value) } else { Pattern::Prefix(value) }
            };
            let matcher = |(of, any): &(u8, Vec<_>)| Matcher::Value {
                field: field(*of),
                any: any.iter().map(pattern).collect(),
            };
            let bindings: Vec<_> = wishes.iter().enumerate()
                .map(|(number, wish)| binding(number, wish.iter().map(matcher).collect())).collect();
            let there = |field: &Field| -> Vec<String> {
                match field {
                    Field::Context(_) => source.iter().map(ToString::to_string).collect(),
                    Field::Attribute(_) => levels.iter().map(ToString::to_string).collect(),
                    _ => Vec::new(),
                }
            };
            let holds = |matcher: &Matcher| match matcher {
                Matcher::Value { field, any } => there(field).iter().any(|value| any.iter().any(|one| one.fits(value))),
                Matcher::Hours(_) => true,
            };

            let wanted = Wanted::of(&bindings);
            let found: Vec<_> = wanted.by(|field, take| there(field).iter().for_each(|value| take(value))).collect();

            prop_assert!(found.is_sorted_by(|a, b| a < b));
            for (at, binding) in bindings.iter().enumerate() {
                if binding.when.first().is_none_or(holds) {
                    prop_assert!(found.contains(&at), "{} is left out", binding.id);
                }
            }
            if bindings.len() > FEW {
                let exact = |at: &usize| bindings[*at].when.first().and_then(values).is_some();
                prop_assert!(found.iter().filter(|at| exact(at)).all(|at| holds(&bindings[*at].when[0])));
            }
        }
    }
}
