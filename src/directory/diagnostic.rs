//! What the check has to say: one fault or doubt, and where it stands.
//! How it is shown to people is `config`'s.

use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Whether a diagnostic refuses the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is accepted; somebody should look.
    Warning,
}

/// One fault or doubt in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Diagnostic {
    /// Whether it refuses the configuration.
    pub severity: Severity,
    /// The file, as it was named.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// In characters; never beyond the end of the line.
    pub length: u32,
    /// The offending text.
    pub text: String,
    /// What is wrong, a sentence for a person.
    pub message: String,
    /// What was expected there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The nearest valid name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// Which of the domain's rules it breaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u8>,
    /// The day from which it would be allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub allowed_from: Option<Date>,
}

impl Diagnostic {
    /// An error about a file as a whole.
    pub fn of_file(file: &str, message: &str) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line: 1,
            column: 1,
            length: 0,
            text: String::new(),
            message: message.to_owned(),
            expected: None,
            nearest: None,
            rule: None,
            allowed_from: None,
        }
    }

    /// Whether it refuses the configuration.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    pub(crate) fn expecting(&mut self, expected: impl Into<String>) -> &mut Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn nearest(&mut self, nearest: Option<String>) -> &mut Self {
        self.nearest = nearest;
        self
    }

    pub(super) fn by_rule(&mut self, rule: u8) -> &mut Self {
        self.rule = Some(rule);
        self
    }

    pub(super) fn allowed_from(&mut self, day: Option<Date>) -> &mut Self {
        self.allowed_from = day;
        self
    }
}

/// The diagnostics as a sentence each, `file:line:column: message`: for logs and for tests.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let lines = diagnostics.iter().map(|found| {
        let Diagnostic { file, line, column, message, .. } = found;
        let severity = if found.is_error() { "error" } else { "warning" };
        format!("{file}:{line}:{column}: {severity}: {message}")
    });
    lines.collect::<Vec<_>>().join("\n")
}
