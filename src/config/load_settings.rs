//! The settings as they hold: defaults, then the file, then the environment; or everything that is wrong with them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::Config;

use super::load::{self, Files};
use super::mask::masked;
use super::read::{Given, Reader};
use super::settings::{Settings, Tls};
use super::shape::Shape;
use super::variables::Variables;
use crate::auth::Keys;
use crate::directory::{Diagnostic, Ledger, Place, Source, summary};
use crate::logs;
use crate::model::Timestamp;
use crate::tls;

/// What diagnostics call the environment.
const ENVIRONMENT: &str = "environment";
/// The two texts that are read, by number.
const FILE: u32 = 0;
const VARIABLES: u32 = 1;
/// A certificate that ends within this time is spoken of.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// The settings and where each came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub settings: Settings,
    /// Where those came from that are not the defaults, by path: `file:line`, or a variable.
    pub origins: BTreeMap<String, String>,
    /// Where everything stands that was given, and the texts that it stands in.
    places: BTreeMap<String, Place>,
    files: Files,
}

/// What is wrong with the settings, and the texts to show it in. Secrets are hidden in both.
#[derive(Debug, Default, thiserror::Error)]
#[error("{}", summary(.diagnostics))]
pub struct Faults {
    /// All of it.
    pub diagnostics: Vec<Diagnostic>,
    /// What it points into.
    pub files: Files,
}

impl Settings {
    /// Reads the settings: a file that is missing is one with nothing in it, unless `required`.
    ///
    /// # Errors
    /// Everything that is wrong with the file and the variables.
    pub fn load(
        path: &Path,
        required: bool,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Faults> {
        Loaded::load(path, required, environment).map(|loaded| loaded.settings)
    }
}

impl Loaded {
    /// Reads the settings, and remembers where they came from.
    ///
    /// # Errors
    /// Everything that is wrong with the file and the variables.
    pub fn load(
        path: &Path,
        required: bool,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Faults> {
        let (name, text, unreadable) = match load::text(path, required) {
            Ok(text) => (path.display().to_string(), text, None),
            Err(fault) => (path.display().to_string(), String::new(), Some(*fault)),
        };
        let shape = Shape::of_settings();
        let variables = Variables::new(environment, &shape);
        let (shown, mut given, mut overriding) = (masked(&text), Vec::new(), Vec::new());
        let sources = vec![Source::new(FILE, &name, &shown), Source::new(VARIABLES, ENVIRONMENT, &variables.text)];
        let mut ledger = Ledger::new(sources);
        Reader { ledger: &mut ledger, shape: &shape, file: FILE, base: 0, given: &mut given }.file(&text);
        let reader =
            &mut Reader { ledger: &mut ledger, shape: &shape, file: VARIABLES, base: 0, given: &mut overriding };
        variables.read(reader);

        let places: BTreeMap<String, Place> =
            given.iter().chain(&overriding).map(|given| (given.path.clone(), given.place)).collect();
        lacking(&mut ledger, &shape, "", &places);
        let settings = match layered(given, overriding) {
            Ok(settings) => {
                contradictions(&mut ledger, &settings, &places);
                settings
            }
            Err(error) => {
                ledger.error(Place::default(), error.to_string());
                Settings::default()
            }
        };
        let origins = places.iter().map(|(path, place)| {
            let (name_of, line) = (|line| variables.name_of_line(line), ledger.line(*place));
            let origin =
                if place.file == FILE { Some(format!("{name}:{line}")) } else { name_of(line).map(str::to_owned) };
            (path.clone(), origin.unwrap_or_default())
        });
        let origins = origins.collect();
        let mut diagnostics: Vec<_> = unreadable.into_iter().collect();
        diagnostics.extend(ledger.into_diagnostics());
        let files = vec![(name, Arc::from(shown)), (ENVIRONMENT.to_owned(), Arc::from(variables.text))];
        if diagnostics.is_empty() {
            Ok(Self { settings, origins, places, files })
        } else {
            Err(Faults { diagnostics, files })
        }
    }

    /// What is wrong with the files of keys and certificates that the settings name, and what will be soon. Only who
    /// uses them has to be able to read them.
    pub fn named_files(&self, now: Timestamp) -> Faults {
        let [file, variables] = &*self.files else { return Faults::default() };
        let sources = vec![Source::new(FILE, &file.0, &file.1), Source::new(VARIABLES, &variables.0, &variables.1)];
        let mut ledger = Ledger::new(sources);
        for (path, error) in Keys::unusable(&self.settings.auth) {
            let key = path.split('[').next().unwrap_or_default();
            ledger.error(nearest_place(&self.places, &path), format!("{key}: {error}"));
        }
        if let Some(files) = &self.settings.server.tls {
            certificate(&mut ledger, &self.places, files, now);
        }
        Faults { diagnostics: ledger.into_diagnostics(), files: self.files.clone() }
    }
}

fn certificate(ledger: &mut Ledger<'_>, places: &BTreeMap<String, Place>, files: &Tls, now: Timestamp) {
    let validity = match tls::look(&files.cert, &files.key) {
        Ok(validity) => validity,
        Err(error) => {
            let key = if error.file() == files.key { "server.tls.key" } else { "server.tls.cert" };
            ledger.error(nearest_place(places, key), format!("{key}: {error}"));
            return;
        }
    };
    let Some(tls::Validity { first, last }) = validity else { return };
    let said = if now < first {
        format!("is not valid before {first}")
    } else if last < now {
        format!("has not been valid since {last}")
    } else if last < now + SOON {
        format!("is valid only until {last}")
    } else {
        return;
    };
    let place = nearest_place(places, "server.tls.cert");
    ledger.warning(place, format!("server.tls.cert: the certificate {said}"));
}

/// Says what a table lacks of which something is given.
fn lacking(ledger: &mut Ledger<'_>, shape: &Shape, path: &str, places: &BTreeMap<String, Place>) {
    for field in shape.fields() {
        let inner = if path.is_empty() { field.key.clone() } else { format!("{path}.{}", field.key) };
        if field.needed && !places.contains_key(&inner) {
            let within = format!("{path}.");
            let beside = places.iter().find(|(given, _)| given.starts_with(&within));
            if let Some((_, place)) = beside.filter(|_| !path.is_empty()) {
                let (key, expected) = (&field.key, field.shape.expected());
                let found = ledger.error(*place, format!("`{path}` has no `{key}`"));
                found.expected = Some(format!("`{key} = …`, {expected}"));
            }
        }
        lacking(ledger, &field.shape, &inner, places);
    }
}

fn layered(given: Vec<Given>, overriding: Vec<Given>) -> Result<Settings, config::ConfigError> {
    Config::builder()
        .add_source(Config::try_from(&Settings::default())?)
        .add_source(layer(given)?)
        .add_source(layer(overriding)?)
        .build()?
        .try_deserialize()
}

fn layer(given: Vec<Given>) -> Result<Config, config::ConfigError> {
    let mut layer = Config::builder();
    for Given { path, value, .. } in given {
        if let Some(value) = value {
            layer = layer.set_override(path, to_config(value))?;
        }
    }
    layer.build()
}

fn to_config(value: serde_json::Value) -> config::Value {
    use config::ValueKind;
    use serde_json::Value;

    let kind: ValueKind = match value {
        Value::Null => ValueKind::Nil,
        Value::Bool(truth) => truth.into(),
        Value::Number(number) => number.as_i64().unwrap_or_default().into(),
        Value::String(text) => text.into(),
        Value::Array(items) => ValueKind::Array(items.into_iter().map(to_config).collect()),
        Value::Object(members) => {
            ValueKind::Table(members.into_iter().map(|(key, value)| (key, to_config(value))).collect())
        }
    };
    config::Value::new(None, kind)
}

/// What is right by itself and not together.
fn contradictions(ledger: &mut Ledger<'_>, settings: &Settings, places: &BTreeMap<String, Place>) {
    let mut say = |path: &str, message: String, expected: Option<&str>| {
        let place = nearest_place(places, path);
        let key = path.split('[').next().unwrap_or_default();
        ledger.error(place, format!("{key}: {message}")).expected = expected.map(str::to_owned);
    };
    for (path, message) in settings.auth.faults() {
        say(&path, message, None);
    }
    if settings.auth.dev_tokens && !settings.server.listen.ip().is_loopback() {
        say("auth.dev_tokens", "`server.listen` is no loopback address".into(), Some("both on this machine, or false"));
    }
    for (at, origin) in settings.server.allowed_origins.iter().enumerate() {
        if !is_origin(origin) {
            let expected = "an origin such as \"https://shop.example\": scheme and host, no path; or \"*\"";
            say(&format!("server.allowed_origins[{at}]"), "this is no origin".into(), Some(expected));
        }
    }
    if let Err(error) = logs::check(&settings.log.filter) {
        say("log.filter", error.to_string(), Some("levels such as \"info\" or \"info,fenliu=debug\""));
    }
}

/// The place of what was given of a path: of itself, or of what it is in.
fn nearest_place(places: &BTreeMap<String, Place>, path: &str) -> Place {
    let mut path = path;
    loop {
        if let Some(place) = places.get(path) {
            return *place;
        }
        match path.rfind(['.', '[']) {
            Some(at) => path = path.get(..at).unwrap_or_default(),
            None => return Place::default(),
        }
    }
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return text == "*" };
    let sound = |part: &str| {
        let plain = |letter: char| letter.is_ascii_graphic() && !letter.is_ascii_uppercase();
        !part.is_empty() && part.chars().all(|letter| plain(letter) && !"/?#@*".contains(letter))
    };
    sound(scheme) && sound(host)
}
