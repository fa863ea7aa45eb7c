//! Settings from the environment: `FENLIU__SECTION__KEY`. Whatever else begins with our name is refused.

use std::ffi::OsString;

use toml::de::DeValue;

use super::mask;
use super::read::{Given, Reader};
use super::shape::{Field, Shape};
use crate::directory::Place;

/// What all our variables begin with.
const PREFIX: &str = "FENLIU";
/// What stands between the names of a setting's variable.
const BETWEEN: &str = "__";
/// Variables that feed flags instead of settings.
pub(super) const FLAGS: [&str; 4] = ["FENLIU_CONFIG", "FENLIU_LOG", "FENLIU_LOG_FORMAT", "FENLIU_FORMAT"];
/// How alike a name must be to be proposed.
const ALIKE: f64 = 0.7;

/// A setting as it may be given from outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its key, from the top: `server.listen`.
    pub path: String,
    /// Its variable.
    pub variable: String,
    /// What it is for.
    pub about: String,
    /// What may stand there, in words.
    pub expected: String,
    /// What it is if nobody says anything.
    pub default: Option<serde_json::Value>,
}

/// All settings, by path.
pub fn known() -> Vec<Known> {
    let shape = Shape::of_settings();
    let known = settings(&shape).into_iter().map(|Setting { path, variable, field }| Known {
        path,
        variable,
        about: field.about.clone(),
        expected: field.shape.expected(),
        default: field.default.clone(),
    });
    known.collect()
}

/// A setting that can be given by a variable.
#[derive(Clone, Debug)]
pub(super) struct Setting<'s> {
    pub path: String,
    pub variable: String,
    pub field: &'s Field,
}

/// All settings that can be, by path.
pub(super) fn settings(shape: &Shape) -> Vec<Setting<'_>> {
    fn gather<'s>(shape: &'s Shape, path: &str, found: &mut Vec<Setting<'s>>) {
        for field in shape.fields() {
            let path = if path.is_empty() { field.key.clone() } else { format!("{path}.{}", field.key) };
            if field.shape.is_leaf() {
                let name = path.to_ascii_uppercase().replace('.', BETWEEN);
                found.push(Setting { variable: format!("{PREFIX}{BETWEEN}{name}"), path, field });
            } else {
                gather(&field.shape, &path, found);
            }
        }
    }

    let mut found = Vec::new();
    gather(shape, "", &mut found);
    found
}

/// Those of our variables that are set.
#[derive(Debug, Default)]
pub(super) struct Variables {
    set: Vec<Variable>,
    /// They as one text, a line each, without what may be secret: what diagnostics point into.
    pub text: String,
}

#[derive(Debug)]
struct Variable {
    name: String,
    /// Nothing if it is no text.
    value: Option<String>,
    /// Where its value stands in the text.
    start: u32,
    end: u32,
}

impl Variables {
    /// Takes ours out of the environment.
    pub(super) fn new(environment: impl IntoIterator<Item = (OsString, OsString)>, shape: &Shape) -> Self {
        let ours = environment.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().unwrap_or_else(|name| name.to_string_lossy().into_owned());
            let is_flag = FLAGS.contains(&name.as_str());
            (name.starts_with(PREFIX) && !is_flag).then(|| (name, value.into_string().ok()))
        });
        let mut ours: Vec<_> = ours.collect();
        ours.sort();

        let known = settings(shape);
        let mut variables = Self::default();
        for (name, value) in ours {
            let is_shown = known.iter().any(|setting| setting.variable == name && !setting.field.secret);
            let line = value.as_deref().unwrap_or_default().replace(['\n', '\r'], " ");
            variables.text.push_str(&name);
            variables.text.push('=');
            let start = offset(&variables.text);
            if is_shown {
                variables.text.push_str(&line);
            } else {
                mask::hide(&mut variables.text, &line);
            }
            let end = offset(&variables.text);
            variables.text.push('\n');
            variables.set.push(Variable { name, value, start, end });
        }
        variables
    }

    /// Reads them all.
    pub(super) fn read(&self, reader: &mut Reader<'_, '_>) {
        let shape = reader.shape;
        let known = settings(shape);
        for variable in &self.set {
            let place = Place { file: reader.file, start: variable.start, end: variable.end };
            match known.iter().find(|setting| setting.variable == variable.name) {
                Some(setting) => variable.read(reader, setting, place),
                None => variable.refuse(reader, &known),
            }
        }
    }

    /// Which variable stands on a line of the text, from 1.
    pub(super) fn name_of_line(&self, line: u32) -> Option<&str> {
        let at = usize::try_from(line.checked_sub(1)?).ok()?;
        self.set.get(at).map(|variable| variable.name.as_str())
    }
}

impl Variable {
    fn refuse(&self, reader: &mut Reader<'_, '_>, known: &[Setting<'_>]) {
        let length = u32::try_from(self.name.len()).unwrap_or(u32::MAX);
        let start = self.start.saturating_sub(length).saturating_sub(1);
        let place = Place { file: reader.file, start, end: start + length };
        let names = known.iter().map(|setting| setting.variable.as_str()).chain(FLAGS);
        let nearest = names.map(|name| (alike(&self.name, name), name)).filter(|(alike, _)| *alike >= ALIKE);
        let nearest = nearest.max_by(|(a, _), (b, _)| a.total_cmp(b));
        let found = reader.ledger.error(place, "nobody reads this variable");
        let expected = "FENLIU__SECTION__KEY of a setting, see `fenliu config env`";
        found.expected = nearest.is_none().then(|| expected.to_owned());
        found.nearest = nearest.map(|(_, name)| name.to_owned());
    }

    fn read(&self, reader: &mut Reader<'_, '_>, setting: &Setting<'_>, place: Place) {
        let (path, shape) = (&setting.path, &setting.field.shape);
        let Some(text) = &self.value else {
            reader.ledger.error(place, "this is no UTF-8 text").expected = Some(shape.expected());
            return;
        };
        let before = reader.ledger.errors();
        let value = match shape {
            Shape::List(of) if of.is_leaf() => Some(list(reader, of, text, place, path)),
            Shape::List(_) => {
                reader.base = usize::try_from(place.start).unwrap_or_default();
                let (value, errors) = DeValue::parse_recoverable(text);
                errors.iter().for_each(|error| reader.syntax(error));
                let value = if errors.is_empty() { reader.value(shape, &value, path) } else { None };
                reader.base = 0;
                value
            }
            shape => one(reader, shape, text, place),
        };
        let value =
            value.filter(|value| before == reader.ledger.errors() && reader.is_accepted(shape, value, path, place));
        reader.given.extend(value.map(|value| Given { path: path.clone(), value: Some(value), place }));
    }
}

/// How alike two names are, from 0 to 1. The beginning that all have does not count; the right key in another section
/// counts almost as much as the right name.
fn alike(name: &str, known: &str) -> f64 {
    const KEY_ALONE: f64 = 0.9;

    fn own(name: &str) -> &str {
        name.trim_start_matches(PREFIX).trim_start_matches('_')
    }
    fn key(name: &str) -> &str {
        own(name).rsplit(BETWEEN).next().unwrap_or_default()
    }
    let whole = strsim::normalized_damerau_levenshtein(own(name), own(known));
    whole.max(strsim::normalized_damerau_levenshtein(key(name), key(known)) * KEY_ALONE)
}

/// A list, its values separated by commas.
fn list(reader: &mut Reader<'_, '_>, of: &Shape, text: &str, place: Place, path: &str) -> serde_json::Value {
    let mut values = Vec::new();
    let mut at = place.start;
    for part in text.split(',').filter(|_| !text.trim().is_empty()) {
        let value = part.trim();
        let start = at + offset(part.trim_end()) - offset(value);
        let place = Place { file: place.file, start, end: start + offset(value) };
        at += offset(part) + 1;
        let path = format!("{path}[{}]", values.len());
        let read = one(reader, of, value, place).filter(|read| reader.is_accepted(of, read, &path, place));
        if let Some(value) = read {
            reader.given.push(Given { path, value: None, place });
            values.push(value);
        }
    }
    values.into()
}

fn one(reader: &mut Reader<'_, '_>, shape: &Shape, text: &str, place: Place) -> Option<serde_json::Value> {
    match shape {
        Shape::Truth => match text.trim() {
            "true" => Some(true.into()),
            "false" => Some(false.into()),
            _ => {
                reader.ledger.error(place, "this is neither true nor false").expected = Some(shape.expected());
                None
            }
        },
        Shape::Whole(least, most) => match text.trim().replace('_', "").parse() {
            Ok(number) => reader.within(Some(number), *least, *most, shape, place),
            Err(_) => {
                reader.ledger.error(place, "this is no whole number").expected = Some(shape.expected());
                None
            }
        },
        Shape::Text { choices, .. } => reader.text(text, choices, shape, place),
        Shape::Table(_) | Shape::List(_) => None,
    }
}

fn offset(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}
