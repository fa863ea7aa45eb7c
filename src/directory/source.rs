//! Texts of the configuration, and places in them.
//! A place is kept as offsets and becomes line and column only when something is said about it.

use std::sync::Arc;

use super::diagnostic::{Diagnostic, Severity};

/// The longest text that a diagnostic quotes, in characters.
const QUOTE_MAX: usize = 200;

/// A stretch of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub file: u32,
    pub start: u32,
    pub end: u32,
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed<T> {
    pub value: T,
    pub place: Place,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    name: Arc<str>,
    text: &'a str,
    line_starts: Vec<u32>,
    /// Which file it is, or is a part of, and from where on: the order of what is found.
    whole: (u32, u32),
    /// How many lines of the file come before.
    lines_before: u32,
    is_part: bool,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: u32, name: &str, text: &'a str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(at, _)| offset(at + 1))).collect();
        Self { name: name.into(), text, line_starts, whole: (file, 0), lines_before: 0, is_part: false }
    }

    /// The same file from one line's start to another's.
    pub(crate) fn part(&self, start: usize, end: usize) -> Self {
        let text = self.text.get(start..end).unwrap_or("");
        let part = Self::new(self.whole.0, &self.name, text);
        let (line, _) = self.position(offset(start));
        Self { whole: (self.whole.0, offset(start)), lines_before: line - 1, is_part: true, ..part }
    }

    /// Where a place comes in the order of all files.
    pub(crate) fn order(&self, place: Place) -> (u32, u32, u32) {
        (self.whole.0, self.whole.1.saturating_add(place.start), place.end)
    }

    /// Whether it is a part of a file.
    pub(crate) fn is_part(&self) -> bool {
        self.is_part
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// What stands at the place, up to the end of its first line.
    pub(crate) fn quote(&self, place: Place) -> &'a str {
        let text = self.text.get(place.start as usize..place.end as usize).unwrap_or("");
        text.lines().next().unwrap_or("")
    }

    /// Line and column, from 1; columns in characters.
    pub(crate) fn position(&self, at: u32) -> (u32, u32) {
        let line = self.line_starts.partition_point(|start| *start <= at).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start as usize..at as usize).unwrap_or("");
        (offset(line).saturating_add(self.lines_before), offset(before.chars().count()).saturating_add(1))
    }

    pub(crate) fn diagnostic(&self, severity: Severity, place: Place, message: String) -> Diagnostic {
        let (line, column) = self.position(place.start);
        let quote = self.quote(place);
        let length = offset(quote.chars().count()).max(1);
        let text = quote.chars().take(QUOTE_MAX).collect();
        let file = Arc::clone(&self.name);
        Diagnostic {
            severity,
            file,
            line,
            column,
            length,
            text,
            message,
            expected: None,
            nearest: None,
            rule: None,
            allowed_from: None,
        }
    }

    /// `file:line`, for a message that refers to another place.
    pub(crate) fn locate(&self, place: Place) -> String {
        format!("{}:{}", self.name, self.position(place.start).0)
    }
}

/// A size as an offset; texts are far below four gigabytes.
pub(crate) fn offset(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
