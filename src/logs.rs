//! What the daemon says to whoever runs it: lines for people on a terminal, JSON elsewhere.
//! What is said stands where it happens; no message body and no token is ever part of it.

mod thin;

use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use thin::{Counting, Thin};

/// Libraries that write what peers send, tokens among it, below info.
const INFO_AT_MOST: [&str; 5] = ["tungstenite", "tokio_tungstenite", "hyper", "hyper_util", "rustls"];

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Pretty on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One object a line.
    Json,
}

/// The section `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How it is written.
    pub format: Format,
    /// What is written: levels, by target if wished.
    pub filter: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { format: Format::Auto, filter: "info".into() }
    }
}

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("the log filter `{0}` is not a list of levels like `info,fenliu=debug`")]
    Filter(String),
    /// Somebody else logs already.
    #[error("the log is set up already")]
    Twice,
}

/// Whether a filter can be read.
///
/// # Errors
/// [`LogError::Filter`] if not.
pub fn check(filter: &str) -> Result<(), LogError> {
    parse(filter).map(drop)
}

/// Starts to log to the standard error, coloured or not.
///
/// # Errors
/// A filter that is none, or a second start.
pub fn start(settings: &Settings, coloured: bool) -> Result<(), LogError> {
    subscriber(settings, coloured, io::stderr().is_terminal(), io::stderr)?.try_init().map_err(|_| LogError::Twice)?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic is an error of ours. What was put together for it may have what people wrote; what stands in the code has not.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let words = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or_default();
    tracing::error!(location, words, "a task has panicked");
}

fn subscriber<W>(
    settings: &Settings,
    coloured: bool,
    terminal: bool,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = parse(&settings.filter)?;
    // Without a hint every library would ask about every line that is never written.
    let most = Filter::<Registry>::max_level_hint(&filter).unwrap_or(LevelFilter::TRACE);
    let filter = filter.and(filter_fn(is_written).with_max_level_hint(most)).and(Thin::new(most));
    let pretty = match settings.format {
        Format::Auto => terminal,
        Format::Pretty => true,
        Format::Json => false,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(Counting { writer, json: !pretty });
    let lines = match pretty {
        true => lines.with_ansi(coloured).boxed(),
        false => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    Ok(tracing_subscriber::registry().with(lines.with_filter(filter)))
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder().parse(filter).map_err(|_| LogError::Filter(filter.into()))
}

fn is_written(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !INFO_AT_MOST.contains(&library)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(filter: &str, format: Format, say: impl FnOnce()) -> String {
        let page = Page::default();
        let settings = Settings { format, filter: filter.into() };
        let writer = page.clone();
        let subscriber = subscriber(&settings, false, true, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, say);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn libraries_that_see_frames_say_nothing_below_info_whatever_the_filter() {
        let text = written("trace,tungstenite::protocol=trace", Format::Json, || {
            tracing::trace!(target: "tungstenite::protocol", "a frame");
            tracing::debug!(target: "hyper::proto", "a header");
            tracing::debug!(target: "rustls", "a hello");
            tracing::info!(target: "tungstenite", "an upgrade");
            tracing::trace!(target: "fenliu::session", "ours");
        });

        assert!(!text.contains("a frame") && !text.contains("a header") && !text.contains("a hello"), "{text}");
        assert!(text.contains("an upgrade") && text.contains("ours"), "{text}");
    }

    #[test]
    fn json_has_the_fields_beside_the_message() {
        let text = written("info", Format::Json, || tracing::info!(seller = "tea", "opened"));

        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();

        assert_eq!(
            (&line["message"], &line["seller"], &line["level"]),
            (&"opened".into(), &"tea".into(), &"INFO".into())
        );
    }

    #[test]
    fn a_terminal_gets_lines_for_people() {
        let text = written("info", Format::Auto, || tracing::info!("ready"));

        assert!(text.contains("ready") && !text.starts_with('{'), "{text}");
    }

    #[test]
    fn warnings_that_repeat_are_thinned_and_references_never() {
        let say = || {
            for n in 0..100 {
                tracing::warn!(n, "again");
                tracing::warn!("ref" = n, "with a reference");
                tracing::info!(n, "no warning");
            }
        };

        for format in [Format::Json, Format::Pretty] {
            let text = written("info", format, say);
            let count = |part: &str| text.lines().filter(|line| line.contains(part)).count();

            assert_eq!((count("again"), count("with a reference"), count("no warning")), (10, 100, 100), "{text}");
        }
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        assert!(matches!(check("info,fenliu=loud"), Err(LogError::Filter(_))));
        assert!(check("warn,fenliu::routing=debug").is_ok());
    }
}
