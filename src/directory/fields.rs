//! One `[[…]]` element or inline table, taken apart key by key: every key by itself, so that one fault hides no other.
//! What is left at the end is unknown.

use toml::de::{DeTable, DeValue};

use super::ledger::{Ledger, place};
use super::source::{Place, Placed};

/// What is wrong with a value.
#[derive(Debug, Default)]
pub(crate) struct Fault {
    pub message: String,
    pub expected: Option<String>,
    pub nearest: Option<String>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    pub(crate) fn expecting(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }
}

/// A value of the parser and where it stands.
pub(crate) type Value<'i> = Placed<DeValue<'i>>;

/// The keys of one table that have not been taken yet.
#[derive(Debug)]
pub(crate) struct Fields<'i> {
    table: DeTable<'i>,
    /// Its header, or the whole inline table.
    pub place: Place,
    /// What it is called in messages: `[[seller]]`.
    pub what: &'static str,
    known: Vec<&'static str>,
}

impl<'i> Fields<'i> {
    pub(crate) fn new(table: DeTable<'i>, place: Place, what: &'static str) -> Self {
        Self { table, place, what, known: Vec::new() }
    }

    /// Whether the key stands there and has not been taken.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The raw value of a key; from here on the key is known.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Value<'i>> {
        self.known.push(key);
        let value = self.table.remove(key)?;
        let place = place(self.place.file, &value.span());
        Some(Placed { value: value.into_inner(), place })
    }

    /// The value of a key if it is a table; else it stays.
    pub(crate) fn take_table(&mut self, key: &'static str) -> Option<Self> {
        let is_table = |value: &toml::Spanned<DeValue<'_>>| matches!(value.get_ref(), DeValue::Table(_));
        let what = self.what;
        self.table.get(key).filter(|value| is_table(value))?;
        match self.take(key)? {
            Placed { value: DeValue::Table(table), place } => Some(Self::new(table, place, what)),
            Placed { .. } => None,
        }
    }

    /// A key that may be left out.
    pub(crate) fn get<T>(
        &mut self,
        ledger: &mut Ledger<'_>,
        key: &'static str,
        read: impl FnOnce(&DeValue<'i>) -> Result<T, Fault>,
    ) -> Option<Placed<T>> {
        let value = self.take(key)?;
        read_value(ledger, &value, read)
    }

    /// A key that must be there.
    pub(crate) fn need<T>(
        &mut self,
        ledger: &mut Ledger<'_>,
        key: &'static str,
        read: impl FnOnce(&DeValue<'i>) -> Result<T, Fault>,
    ) -> Option<Placed<T>> {
        let Some(value) = self.take(key) else {
            self.lacks(ledger, key);
            return None;
        };
        read_value(ledger, &value, read)
    }

    /// Says that a key is missing.
    pub(crate) fn lacks(&self, ledger: &mut Ledger<'_>, key: &str) {
        if !ledger.is_incomplete(self.place.file) {
            ledger.error(self.place, format!("{} has no `{key}`", self.what)).expecting(format!("`{key} = …`"));
        }
    }

    /// A list; each of its values is read by itself.
    pub(crate) fn list<T>(
        &mut self,
        ledger: &mut Ledger<'_>,
        key: &'static str,
        mut read: impl FnMut(&mut Ledger<'_>, Value<'i>) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = self.take(key) else { return Vec::new() };
        match value.value {
            DeValue::Array(items) => {
                let file = value.place.file;
                let values = items.into_iter().map(|item| {
                    let place = place(file, &item.span());
                    Placed { value: item.into_inner(), place }
                });
                values.filter_map(|value| read(ledger, value)).collect()
            }
            other => {
                mistyped(ledger, value.place, &other, "a list");
                Vec::new()
            }
        }
    }

    /// The tables of an array of tables.
    pub(crate) fn elements(&mut self, ledger: &mut Ledger<'_>, key: &'static str, what: &'static str) -> Vec<Self> {
        self.list(ledger, key, |ledger, value| table(ledger, value, what))
    }

    /// Keys and values that are left, in file order: of a table with keys of its writer's choice.
    pub(crate) fn rest(&mut self) -> Vec<(Placed<String>, Value<'i>)> {
        let file = self.place.file;
        let table = std::mem::take(&mut self.table);
        let mut rest: Vec<_> = table
            .into_iter()
            .map(|(key, value)| {
                let key = Placed { place: place(file, &key.span()), value: key.into_inner().into_owned() };
                let place = place(file, &value.span());
                (key, Placed { value: value.into_inner(), place })
            })
            .collect();
        rest.sort_by_key(|(key, _)| key.place.start);
        rest
    }

    /// Whatever key has not been taken is unknown.
    pub(crate) fn finish(mut self, ledger: &mut Ledger<'_>) {
        let what = self.what;
        for (key, _) in self.rest() {
            unknown_key(ledger, &key, what, &self.known);
        }
    }
}

/// Says that a key is unknown, and which it may be.
pub(crate) fn unknown_key(ledger: &mut Ledger<'_>, key: &Placed<String>, what: &str, known: &[&str]) {
    let name = super::ledger::shown(&key.value);
    let nearest = ledger.nearest(&key.value, known.iter().copied());
    let expected = if nearest.is_some() { None } else { Some(format!("one of {}", known.join(", "))) };
    let found = ledger.error(key.place, format!("{what} has no key `{name}`")).nearest(nearest);
    found.expected = expected;
}

/// A table as its fields.
pub(crate) fn table<'i>(ledger: &mut Ledger<'_>, value: Value<'i>, what: &'static str) -> Option<Fields<'i>> {
    match value.value {
        DeValue::Table(table) => Some(Fields::new(table, value.place, what)),
        other => {
            mistyped(ledger, value.place, &other, "a table");
            None
        }
    }
}

/// Reads one value; a value that is no TOML has been reported already.
pub(crate) fn read_value<'i, T>(
    ledger: &mut Ledger<'_>,
    value: &Value<'i>,
    read: impl FnOnce(&DeValue<'i>) -> Result<T, Fault>,
) -> Option<Placed<T>> {
    if ledger.is_damaged(value.place) {
        return None;
    }

    match read(&value.value) {
        Ok(read) => Some(Placed { value: read, place: value.place }),
        Err(fault) => {
            let found = ledger.error(value.place, fault.message);
            found.expected = fault.expected;
            found.nearest = fault.nearest;
            None
        }
    }
}

/// Says that a value is of another kind than expected.
pub(crate) fn mistyped(ledger: &mut Ledger<'_>, place: Place, value: &DeValue<'_>, expected: &str) {
    if !ledger.is_damaged(place) {
        ledger.error(place, format!("this is {}", kind(value))).expecting(expected);
    }
}

/// What a value is, in words.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
