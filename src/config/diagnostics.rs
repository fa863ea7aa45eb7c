//! Shows what the check has found: for people with the line and an underline, for programs as JSON.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
};
use serde::{Deserialize, Serialize};

use crate::directory::Diagnostic;

/// Lines longer than this are not shown, only their place, in bytes.
const LINE_MAX: usize = 2_000;
/// How wide the text for people is.
const WIDTH: usize = 110;

/// What a check came to, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Outcome {
    /// Whether the configuration is accepted.
    pub ok: bool,
    /// How many errors there are.
    pub errors: usize,
    /// How many warnings there are.
    pub warnings: usize,
    /// All of them, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Outcome {
    /// Of these diagnostics.
    pub fn new(diagnostics: Vec<Diagnostic>) -> Self {
        let errors = diagnostics.iter().filter(|found| found.is_error()).count();
        Self { ok: errors == 0, errors, warnings: diagnostics.len() - errors, diagnostics }
    }
}

/// `1 error, 2 warnings`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let Self { errors, warnings, .. } = self;
        write!(f, "{errors} error{}, {warnings} warning{}", plural(*errors), plural(*warnings))
    }
}

/// Whether the text for people is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// With escape sequences, for a terminal.
    Coloured,
    /// Without.
    Plain,
}

/// Writes the diagnostics for people, each with its line underlined.
///
/// # Errors
/// Those of the writer.
pub fn render(
    to: &mut impl fmt::Write,
    diagnostics: &[Diagnostic],
    files: &[(String, Arc<str>)],
    colour: Colour,
) -> fmt::Result {
    let theme = match colour {
        Colour::Coloured => GraphicalTheme::unicode(),
        Colour::Plain => GraphicalTheme::unicode_nocolor(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    let mut lines: HashMap<&str, Lines<'_>> = HashMap::new();
    for (name, text) in files {
        lines.insert(name, Lines::new(text));
    }
    for diagnostic in diagnostics {
        let excerpt = lines.get(&*diagnostic.file).and_then(|lines| Excerpt::new(diagnostic, lines));
        handler.render_report(to, &Report { diagnostic, excerpt })?;
        writeln!(to)?;
    }
    Ok(())
}

/// The lines of a text by number.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(newlines).collect() }
    }

    /// A line without its end, by number from 1.
    fn line(&self, number: usize) -> Option<&'a str> {
        let start = *self.starts.get(number.checked_sub(1)?)?;
        let end = self.starts.get(number).copied().unwrap_or(self.text.len());
        self.text.get(start..end).map(|line| line.trim_end_matches(['\n', '\r']))
    }
}

/// One line of a file with the place in it, so that showing one diagnostic never reads the whole file.
#[derive(Debug)]
struct Excerpt {
    file: String,
    line: usize,
    column: usize,
    text: String,
    span: SourceSpan,
}

impl Excerpt {
    fn new(diagnostic: &Diagnostic, lines: &Lines<'_>) -> Option<Self> {
        let number = usize::try_from(diagnostic.line).ok()?;
        let text = lines.line(number).filter(|line| line.len() <= LINE_MAX)?;
        let bytes = |count: u32| -> usize {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            text.char_indices().nth(count).map_or(text.len(), |(at, _)| at)
        };
        let start = bytes(diagnostic.column.saturating_sub(1));
        let end = bytes(diagnostic.column.saturating_sub(1).saturating_add(diagnostic.length)).max(start);
        let span = SourceSpan::new(start.into(), end - start);
        let column = text.get(..start).map_or(0, |before| before.chars().count());
        // A place behind the last character still has to be in the text.
        let text = if start == text.len() { format!("{text} ") } else { text.to_owned() };
        Some(Self { file: diagnostic.file.to_string(), line: number - 1, column, text, span })
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, MietteError> {
        // Without lines around, it is asked where the place is; with them, what is to be shown.
        let column = if lines_before + lines_after == 0 { self.column } else { 0 };
        let whole = SourceSpan::new(0.into(), self.text.len());
        let text = self.text.as_bytes();
        Ok(Box::new(MietteSpanContents::new_named(self.file.clone(), text, whole, self.line, column, 1)))
    }
}

#[derive(Debug)]
struct Report<'a> {
    diagnostic: &'a Diagnostic,
    excerpt: Option<Excerpt>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { file, line, column, message, .. } = self.diagnostic;
        if self.excerpt.is_none() && !file.is_empty() {
            write!(f, "{file}:{line}:{column}: ")?;
        }
        f.write_str(message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(if self.diagnostic.is_error() { miette::Severity::Error } else { miette::Severity::Warning })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let Diagnostic { expected, nearest, rule, allowed_from, .. } = self.diagnostic;
        let mut parts = Vec::new();
        parts.extend(nearest.as_ref().map(|nearest| format!("did you mean `{nearest}`?")));
        parts.extend(expected.as_ref().map(|expected| format!("expected {expected}")));
        parts.extend(allowed_from.map(|day| format!("allowed from {day}")));
        parts.extend(rule.map(|rule| format!("rule {rule} of the domain")));
        if parts.is_empty() { None } else { Some(Box::new(parts.join("; "))) }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let excerpt = self.excerpt.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(None, excerpt.span))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Unbound, parse};
    use crate::model::Timestamp;

    fn rendered(text: &str, colour: Colour) -> String {
        let files = [("tea.toml".to_owned(), Arc::from(text))];
        let (_, diagnostics) = parse(&files, Timestamp::ZERO, None, &Unbound::new());
        let mut to = String::new();
        render(&mut to, &diagnostics, &files, colour).unwrap();
        to
    }

    #[test]
    fn a_fault_is_shown_with_its_line_underlined() {
        let text = "\n[[sub_account]]\nid = \"mei\"\nkind = \"stuff\"\n";

        let shown = rendered(text, Colour::Plain);

        assert!(shown.contains("tea.toml:4:8"), "{shown}");
        assert!(shown.contains("kind = \"stuff\""), "{shown}");
        assert!(shown.contains("did you mean `staff`?"), "{shown}");
        assert!(!shown.contains('\u{1b}'));
    }

    #[test]
    fn colours_are_there_when_asked_for() {
        assert!(rendered("x = 1", Colour::Coloured).contains('\u{1b}'));
    }

    #[test]
    fn places_at_the_very_end_and_lines_too_long_are_shown_all_the_same() {
        assert!(rendered("[[seller", Colour::Plain).contains("tea.toml:1:"));
        let long = format!("x = \"{}\"", "茶".repeat(5_000));
        assert!(rendered(&long, Colour::Plain).contains("tea.toml:1:1"));
    }
}
