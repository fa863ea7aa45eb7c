//! What the check has found so far. It is sorted by place at the end, whatever order the checks run in.

use std::ops::Range;

use super::diagnostic::{Diagnostic, Severity};
use super::source::{Place, Source, offset};

/// How alike a name must be to be proposed: Jaro-Winkler.
const ALIKE: f64 = 0.8;
/// How many names are compared in one check; faults beyond that get no proposal.
const COMPARISONS_MAX: usize = 1_000_000;

/// The findings of one check.
#[derive(Debug)]
pub(crate) struct Ledger<'a> {
    sources: Vec<Source<'a>>,
    found: Vec<(Place, Diagnostic)>,
    /// Where a file is no TOML, by file, ascending.
    damage: Vec<Vec<Range<u32>>>,
    comparisons_left: usize,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(sources: Vec<Source<'a>>) -> Self {
        let damage = vec![Vec::new(); sources.len()];
        Self { sources, found: Vec::new(), damage, comparisons_left: COMPARISONS_MAX }
    }

    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.note(Severity::Error, place, message.into())
    }

    pub(crate) fn warning(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.note(Severity::Warning, place, message.into())
    }

    /// A name that refers to nothing.
    pub(crate) fn unknown<'n>(
        &mut self,
        place: Place,
        what: &str,
        name: &str,
        valid: impl IntoIterator<Item = &'n str>,
    ) -> &mut Diagnostic {
        let nearest = self.nearest(name, valid);
        self.error(place, format!("there is no {what} `{}`", shown(name))).nearest(nearest)
    }

    /// The most alike of the valid names, if any is alike enough.
    pub(crate) fn nearest<'n>(&mut self, name: &str, valid: impl IntoIterator<Item = &'n str>) -> Option<String> {
        let mut best: Option<(f64, &str)> = None;
        for candidate in valid {
            let Some(left) = self.comparisons_left.checked_sub(1) else { break };
            self.comparisons_left = left;
            let alike = strsim::jaro_winkler(name, candidate);
            let better = best.is_none_or(|(most, other)| alike > most || (alike >= most && candidate < other));
            if alike >= ALIKE && better {
                best = Some((alike, candidate));
            }
        }
        best.map(|(_, candidate)| candidate.to_owned())
    }

    /// A part of a file as a source of its own.
    pub(crate) fn add_part(&mut self, file: u32, start: usize, end: usize) -> Option<u32> {
        let part = self.sources.get(file as usize)?.part(start, end);
        self.sources.push(part);
        self.damage.push(Vec::new());
        Some(offset(self.sources.len() - 1))
    }

    pub(crate) fn text(&self, file: u32) -> &'a str {
        self.sources.get(file as usize).map_or("", Source::text)
    }

    /// Whether an element may have lost keys, since its part of the file is no TOML.
    pub(crate) fn is_incomplete(&self, file: u32) -> bool {
        let is_part = self.sources.get(file as usize).is_some_and(Source::is_part);
        is_part && self.damage.get(file as usize).is_some_and(|damage| !damage.is_empty())
    }

    /// `file:line`, for a message that refers to another place.
    pub(crate) fn locate(&self, place: Place) -> String {
        self.sources.get(place.file as usize).map(|source| source.locate(place)).unwrap_or_default()
    }

    /// Remembers where a file is no TOML.
    pub(crate) fn damaged(&mut self, place: Place) {
        if let Some(damage) = self.damage.get_mut(place.file as usize) {
            damage.push(place.start..place.end.max(place.start));
            damage.sort_by_key(|range| range.start);
        }
    }

    /// Whether a value cannot be trusted, since it is no TOML there.
    pub(crate) fn is_damaged(&self, place: Place) -> bool {
        let Some(damage) = self.damage.get(place.file as usize) else { return false };
        let first = damage.partition_point(|range| range.end < place.start);
        damage.get(first).is_some_and(|range| range.start <= place.end)
    }

    /// How many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.found.iter().filter(|(_, found)| found.is_error()).count()
    }

    /// The line of a place, from 1.
    pub(crate) fn line(&self, place: Place) -> u32 {
        self.sources.get(place.file as usize).map_or(1, |source| source.position(place.start).0)
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|(_, found)| found.is_error())
    }

    /// Everything found, by place.
    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        let sources = &self.sources;
        let order = |place: Place| sources.get(place.file as usize).map(|source| source.order(place));
        self.found.sort_by(|(a, left), (b, right)| {
            (order(*a), left.severity, &left.message).cmp(&(order(*b), right.severity, &right.message))
        });
        self.found.dedup_by(|(_, later), (_, earlier)| later == earlier);
        self.found.into_iter().map(|(_, found)| found).collect()
    }

    fn note(&mut self, severity: Severity, place: Place, message: String) -> &mut Diagnostic {
        let nowhere = Source::new(0, "", "");
        let source = self.sources.get(place.file as usize).unwrap_or(&nowhere);
        let diagnostic = source.diagnostic(severity, place, message);
        let at = self.found.len();
        self.found.push((place, diagnostic));
        &mut self.found[at].1
    }
}

/// A place from the parser's offsets.
pub(crate) fn place(file: u32, span: &Range<usize>) -> Place {
    Place { file, start: offset(span.start), end: offset(span.end) }
}

/// A name as it may stand in a message: not longer than a name is.
pub(crate) fn shown(name: &str) -> String {
    const SHOWN_MAX: usize = 80;
    if name.chars().count() <= SHOWN_MAX {
        return name.to_owned();
    }
    name.chars().take(SHOWN_MAX).chain(std::iter::once('…')).collect()
}
