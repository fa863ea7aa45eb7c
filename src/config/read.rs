//! Reads a table of settings against its shape: every value by itself, so that one fault hides no other.
//! What the values mean together is not looked at here.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::{DURATION, Settings};
use super::shape::{Field, Shape};
use crate::directory::{Ledger, Place, kind, shown};

/// The longest duration that is accepted, in seconds: ten years.
const SECONDS_MAX: u64 = 3_650 * 24 * 3600;

/// A value that was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    /// Of its key, from the top: `server.listen`.
    pub path: String,
    /// It, as it will be read; nothing where the place alone is of interest, as for an element of a list.
    pub value: Option<Value>,
    /// Where it stands.
    pub place: Place,
}

/// One text that is read.
pub(super) struct Reader<'l, 'a> {
    /// Where faults are written down.
    pub ledger: &'l mut Ledger<'a>,
    /// What all of it must look like.
    pub shape: &'l Shape,
    /// Which text it is.
    pub file: u32,
    /// Where in that text the part begins that is read.
    pub base: usize,
    /// What has been read.
    pub given: &'l mut Vec<Given>,
}

impl Reader<'_, '_> {
    /// Reads the settings file. One that is no TOML is read section by section, so that a fault ends with its section.
    pub(super) fn file(&mut self, text: &str) {
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return self.top(table.get_ref());
        }
        let starts: Vec<usize> = std::iter::once(0).chain(section_starts(text)).collect();
        let ends = starts.iter().skip(1).copied().chain(std::iter::once(text.len()));
        let parts: Vec<_> = starts.iter().copied().zip(ends).collect();
        let parse = |(start, end)| DeTable::parse_recoverable(text.get(start..end).unwrap_or(""));
        if parts.iter().all(|part| parse(*part).1.is_empty()) {
            // Only together they are at fault: a section stands there twice.
            errors.iter().for_each(|error| self.syntax(error));
            return self.top(table.get_ref());
        }
        for (start, end) in parts {
            let (table, errors) = parse((start, end));
            self.base = start;
            errors.iter().for_each(|error| self.syntax(error));
            self.top(table.get_ref());
        }
        self.base = 0;
    }

    fn top(&mut self, table: &DeTable<'_>) {
        let shape = self.shape;
        self.table(shape, table, "");
    }

    /// Says what is no TOML.
    pub(super) fn syntax(&mut self, error: &toml::de::Error) {
        let place = self.place(error.span().unwrap_or(0..0));
        self.ledger.damaged(place);
        let (message, expected) = match error.message().split_once(", expected ") {
            Some((message, expected)) => (message, Some(expected.to_owned())),
            None => (error.message(), None),
        };
        self.ledger.error(place, message).expected = expected;
    }

    fn place(&self, span: std::ops::Range<usize>) -> Place {
        let at = |offset: usize| u32::try_from(self.base + offset).unwrap_or(u32::MAX);
        Place { file: self.file, start: at(span.start), end: at(span.end) }
    }

    fn table(&mut self, shape: &Shape, table: &DeTable<'_>, path: &str) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let Some(field) = shape.field(name) else {
                self.unknown_key(shape, self.place(key.span()), path, name);
                continue;
            };
            let path = joined(path, name);
            match (&field.shape, value.get_ref()) {
                (inner @ Shape::Table(_), DeValue::Table(table)) => self.table(inner, table, &path),
                (shape, _) => {
                    let place = self.place(value.span());
                    let read = self.value(shape, value, &path);
                    let read = read.filter(|read| self.is_accepted(shape, read, &path, place));
                    self.given.extend(read.map(|read| Given { path, value: Some(read), place }));
                }
            }
        }
    }

    fn unknown_key(&mut self, shape: &Shape, place: Place, path: &str, name: &str) {
        let shown = shown(name);
        let message = match path {
            "" => format!("there is no section `{shown}`"),
            path => format!("`{path}` has no key `{shown}`"),
        };
        let elsewhere = |section: &Field| section.shape.field(name).map(|_| format!("{}.{name}", section.key));
        let keys = shape.fields().iter().map(|field| field.key.as_str());
        let nearest = self.shape.fields().iter().find_map(elsewhere);
        let nearest = nearest.or_else(|| self.ledger.nearest(name, keys.clone()));
        let list = keys.collect::<Vec<_>>().join(", ");
        let found = self.ledger.error(place, message);
        found.expected = nearest.is_none().then(|| format!("one of {list}"));
        found.nearest = nearest;
    }

    /// One value, if it is of the right kind. Of a list the elements that are.
    pub(super) fn value(&mut self, shape: &Shape, value: &Spanned<DeValue<'_>>, path: &str) -> Option<Value> {
        let place = self.place(value.span());
        if self.ledger.is_damaged(place) {
            return None;
        }
        match (shape, value.get_ref()) {
            (Shape::Truth, DeValue::Boolean(truth)) => Some(json!(truth)),
            (Shape::Whole(least, most), DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
                self.within(number, *least, *most, shape, place)
            }
            (Shape::Text { choices, .. }, DeValue::String(text)) => self.text(text, choices, shape, place),
            (Shape::List(of), DeValue::Array(items)) => {
                let mut read = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    let first = self.given.len();
                    match self.element(of, item, &format!("{path}[{at}]")) {
                        Some(element) => {
                            self.renumber(first, path, at, read.len());
                            read.push(element);
                        }
                        None => self.given.truncate(first),
                    }
                }
                Some(Value::Array(read))
            }
            (shape, value) => {
                self.ledger.error(place, format!("this is {}", kind(value))).expected = Some(shape.expected());
                None
            }
        }
    }

    /// What was read of an element is found under the number that it has among those that are good.
    fn renumber(&mut self, first: usize, path: &str, at: usize, to: usize) {
        let (old, new) = (format!("{path}[{at}]"), format!("{path}[{to}]"));
        for given in self.given.get_mut(first..).unwrap_or_default() {
            if let Some(rest) = given.path.strip_prefix(&old) {
                given.path = format!("{new}{rest}");
            }
        }
    }

    fn element(&mut self, of: &Shape, item: &Spanned<DeValue<'_>>, path: &str) -> Option<Value> {
        let place = self.place(item.span());
        self.given.push(Given { path: path.to_owned(), value: None, place });
        let DeValue::Table(table) = item.get_ref() else {
            let value = self.value(of, item, path)?;
            return self.is_accepted(of, &value, path, place).then_some(value);
        };
        if of.is_leaf() {
            return self.value(of, item, path);
        }

        let (faults, first) = (self.ledger.errors(), self.given.len());
        self.table(of, table, path);
        let mut element = Map::new();
        for given in self.given.get_mut(first..).unwrap_or_default() {
            let key = given.path.get(path.len() + 1..).unwrap_or_default();
            if let Some(value) = given.value.take() {
                element.insert(key.to_owned(), value);
            }
        }
        for field in of.fields().iter().filter(|field| field.needed && !table.contains_key(field.key.as_str())) {
            let (key, expected) = (&field.key, field.shape.expected());
            let found = self.ledger.error(place, format!("`{path}` has no `{key}`"));
            found.expected = Some(format!("`{key} = …`, {expected}"));
        }
        (self.ledger.errors() == faults).then_some(Value::Object(element))
    }

    /// A number within its bounds.
    pub(super) fn within(
        &mut self,
        number: Option<i64>,
        least: i64,
        most: i64,
        shape: &Shape,
        place: Place,
    ) -> Option<Value> {
        let read = number.filter(|number| (least..=most).contains(number));
        if read.is_none() {
            self.ledger.error(place, "this number is out of range").expected = Some(shape.expected());
        }
        read.map(|number| json!(number))
    }

    /// A text, one of its choices if it has some.
    pub(super) fn text(&mut self, text: &str, choices: &[String], shape: &Shape, place: Place) -> Option<Value> {
        if text.is_empty() {
            self.ledger.error(place, "this is empty").expected = Some(shape.expected());
            return None;
        }
        if choices.is_empty() || choices.iter().any(|choice| choice == text) {
            return Some(json!(text));
        }
        let nearest = self.ledger.nearest(text, choices.iter().map(String::as_str));
        let found = self.ledger.error(place, "this is none of the choices");
        (found.nearest, found.expected) = (nearest, Some(shape.expected()));
        None
    }

    /// Whether a value is one of its type too: an address, a duration.
    pub(super) fn is_accepted(&mut self, shape: &Shape, value: &Value, path: &str, place: Place) -> bool {
        let refused = match path.split_once('.') {
            Some((_, key)) if key.contains('.') => None,
            Some((section, key)) => {
                let given = match key.split_once('[') {
                    Some((key, _)) => json!({ section: { key: [value] } }),
                    None => json!({ section: { key: value } }),
                };
                Settings::deserialize(given).err().map(|error| error.to_string())
            }
            None => None,
        };
        if let Some(refused) = refused {
            let expected = match shape {
                Shape::Text { expected: Some(expected), .. } => Some(expected.as_str()),
                _ => refused.split_once("expected ").map(|(_, expected)| expected),
            };
            self.ledger.error(place, "this value is not accepted").expected = expected.map(str::to_owned);
            return false;
        }
        let is_duration = matches!(shape, Shape::Text { expected: Some(expected), .. } if expected == DURATION);
        let text = value.as_str().filter(|_| is_duration);
        let duration = text.and_then(|text| humantime_serde::re::humantime::parse_duration(text).ok());
        if duration.is_some_and(|duration| duration.as_secs() > SECONDS_MAX) {
            self.ledger.error(place, "this is too long a time").expected = Some("at most ten years".into());
            return false;
        }
        true
    }
}

/// The path of a key within a table.
fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Where lines begin that are headers of sections.
fn section_starts(text: &str) -> impl Iterator<Item = usize> {
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let at = start;
        start += line.len();
        let name = line.trim_start().strip_prefix('[')?.split_once(']')?.0;
        let is_name = name.trim_start_matches('[').chars().all(|letter| letter.is_ascii_lowercase() || letter == '.');
        (is_name && !name.is_empty() && at > 0).then_some(at)
    })
}
