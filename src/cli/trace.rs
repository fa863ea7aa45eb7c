//! A decision for people: who, by which steps, which bindings matched, who else was looked at and why not they.

use std::fmt::Write as _;

use serde_json::Value;

use super::output::Printing;
use crate::config::diagnostics::Colour;
use crate::directory::{Directory, Seller};

/// A decision as a screen of text. What it was decided by gives the names, where that is known.
pub(super) fn shown(
    decision: &Value,
    directory: Option<&Directory>,
    seller: Option<&Seller>,
    printing: Printing,
) -> String {
    let mut page = Page { text: String::new(), coloured: printing.colour == Colour::Coloured, directory };
    page.head(decision, seller);
    page.steps(list(decision, "steps"));
    page.bindings(list(decision, "bindings"));
    page.candidates(list(decision, "candidates"));
    page.unavailable(decision.get("unavailable"));
    page.text
}

#[derive(Clone, Copy)]
enum Style {
    Good,
    Bad,
    Strong,
    Faint,
}

struct Page<'d> {
    text: String,
    coloured: bool,
    directory: Option<&'d Directory>,
}

impl Page<'_> {
    fn head(&mut self, decision: &Value, seller: Option<&Seller>) {
        let id = word(decision, "seller");
        let name = seller.map_or_else(|| id.to_owned(), |seller| format!("{} ({id})", seller.name));
        let at = match (seller, word(decision, "at").parse::<jiff::Timestamp>()) {
            (Some(seller), Ok(at)) => {
                let there = seller.time_zone.to_datetime(at);
                let zone = seller.time_zone.iana_name().unwrap_or("UTC");
                format!("{} {zone}", there.strftime("%a %Y-%m-%d %H:%M"))
            }
            _ => word(decision, "at").to_owned(),
        };
        let title = self.paint(Style::Strong, &name);
        let at = self.paint(Style::Faint, &at);
        self.line(&format!("{title}  {at}"));
        self.line("");

        let chosen = decision.get("chosen").unwrap_or(&Value::Null);
        let who = word(chosen, "sub_account");
        let state = word(chosen, "state").replace('_', " ");
        let (style, mut outcome) = match who {
            "" => (Style::Bad, format!("nobody: {state}")),
            who => (Style::Good, format!("{}: {state}", self.named(who))),
        };
        let (group, via) = (word(chosen, "group"), word(chosen, "via"));
        if !group.is_empty() {
            let _ = write!(outcome, " in {group}");
        }
        if !via.is_empty() && via != group {
            let _ = write!(outcome, ", through {via}");
        }
        let outcome = self.paint(style, &outcome);
        let next = match word(decision, "runner_up") {
            "" => String::new(),
            next => self.paint(Style::Faint, &format!("  next would be {}", self.named(next))),
        };
        self.line(&format!("  → {outcome}{next}"));
    }

    fn steps(&mut self, steps: &[Value]) {
        self.section("Steps", steps.len());
        let rows = steps.iter().map(|step| {
            let about = [word(step, "group"), word(step, "sub_account")];
            let about = about.into_iter().filter(|about| !about.is_empty()).collect::<Vec<_>>().join(" → ");
            vec![spoken(word(step, "step")), spoken(word(step, "outcome")), about]
        });
        let rows: Vec<_> = rows.collect();
        self.table(&rows, |_, _| None);
    }

    fn bindings(&mut self, bindings: &[Value]) {
        self.section("Bindings", bindings.len());
        let rows = bindings.iter().map(|looked| {
            let matched = looked.get("matched") == Some(&Value::Bool(true));
            let why = match (matched, word(looked, "failed")) {
                (true, _) => "matches".to_owned(),
                (false, "") => "does not match".to_owned(),
                (false, failed) => format!("{failed} does not match"),
            };
            vec![mark(matched), word(looked, "binding").to_owned(), why]
        });
        let rows: Vec<_> = rows.collect();
        self.table(&rows, marked);
    }

    fn candidates(&mut self, candidates: &[Value]) {
        self.section("Candidates", candidates.len());
        let number = |candidate: &Value, key: &str| candidate.get(key).and_then(Value::as_u64).unwrap_or(0);
        let rows = candidates.iter().map(|candidate| {
            let available = candidate.get("available") == Some(&Value::Bool(true));
            let why: Vec<_> = list(candidate, "why_not").iter().filter_map(Value::as_str).map(spoken).collect();
            let score = candidate.get("score").and_then(Value::as_f64);
            vec![
                mark(available),
                self.named(word(candidate, "sub_account")),
                format!("{}/{}", number(candidate, "held"), number(candidate, "capacity")),
                score.map(|score| format!("score {score:.3}")).unwrap_or_default(),
                why.join(", "),
            ]
        });
        let rows: Vec<_> = rows.collect();
        self.table(&rows, marked);
    }

    fn unavailable(&mut self, counts: Option<&Value>) {
        let counts = counts.and_then(Value::as_object).filter(|counts| !counts.is_empty());
        let Some(counts) = counts else { return };
        let parts: Vec<_> = counts.iter().map(|(why, count)| format!("{count} {}", spoken(why))).collect();
        let line = self.paint(Style::Faint, &format!("  not available: {}", parts.join(", ")));
        self.line("");
        self.line(&line);
    }

    fn section(&mut self, title: &str, rows: usize) {
        if rows > 0 {
            let title = self.paint(Style::Strong, title);
            self.line("");
            self.line(&title);
        }
    }

    /// Rows in columns as wide as they have to be.
    fn table(&mut self, rows: &[Vec<String>], style: impl Fn(&[String], usize) -> Option<Style>) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| columns_of(cell)).max();
        let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in rows {
            let mut line = String::from(" ");
            for (column, cell) in row.iter().enumerate().filter(|(column, _)| widths.get(*column) != Some(&0)) {
                let painted = style(row, column).map_or_else(|| cell.clone(), |style| self.paint(style, cell));
                let gap = widths.get(column).map_or(0, |width| width - columns_of(cell));
                let _ = write!(line, " {painted}{:gap$} ", "");
            }
            self.line(line.trim_end());
        }
    }

    /// An account with the name that people know it by.
    fn named(&self, account: &str) -> String {
        let name = self.directory.and_then(|directory| directory.sub_accounts.get(account));
        match name {
            Some(found) if *found.name != *account => format!("{account} ({})", found.name),
            _ => account.to_owned(),
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if !self.coloured {
            return text.to_owned();
        }
        let code = match style {
            Style::Good => "1;32",
            Style::Bad => "1;33",
            Style::Strong => "1",
            Style::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn word<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

fn mark(good: bool) -> String {
    (if good { "✓" } else { "·" }).to_owned()
}

fn marked(row: &[String], column: usize) -> Option<Style> {
    let good = row.first().is_some_and(|mark| mark == "✓");
    match (good, column) {
        (true, 0) => Some(Style::Good),
        (false, _) => Some(Style::Faint),
        _ => None,
    }
}

/// How many columns of a terminal a text takes: characters of Chinese, Japanese and Korean take two.
fn columns_of(text: &str) -> usize {
    let is_wide = |letter: char| matches!(u32::from(letter), 0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD);
    text.chars().map(|letter| if is_wide(letter) { 2 } else { 1 }).sum()
}
