//! The daemon's settings: defaults, then the file, then the environment. Everything that nobody reads is refused.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::network::{Address, Network};
use crate::{auth, logs};

const PREFIX: &str = "FENLIU";
/// Variables that feed flags instead of settings.
const FLAGS: [&str; 4] = ["FENLIU_CONFIG", "FENLIU_LOG", "FENLIU_LOG_FORMAT", "FENLIU_FORMAT"];

/// All sections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the sections by their names in the file")]
pub struct Settings {
    pub server: Server,
    pub auth: auth::Settings,
    pub store: Store,
    pub routing: Routing,
    pub limits: Limits,
    pub log: logs::Settings,
}

/// The section `[server]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are described in the shipped file")]
pub struct Server {
    pub listen: SocketAddr,
    pub admin_listen: Address,
    pub allowed_origins: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 8081))),
            allowed_origins: Vec::new(),
        }
    }
}

/// What keeps what was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// The embedded journal.
    #[default]
    Sqlite,
    /// Nothing survives.
    Memory,
}

/// When a record counts as kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// When the disk says so.
    #[default]
    Full,
    /// When the operating system has it.
    Normal,
}

/// The section `[store]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are described in the shipped file")]
pub struct Store {
    pub kind: StoreKind,
    pub path: PathBuf,
    #[serde(with = "humantime_serde")]
    pub slot_wait: Duration,
    pub durability: Durability,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            kind: StoreKind::default(),
            path: "data".into(),
            slot_wait: Duration::from_secs(2),
            durability: Durability::default(),
        }
    }
}

/// The section `[routing]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are described in the shipped file")]
pub struct Routing {
    pub path: PathBuf,
    pub watch: bool,
    #[serde(with = "humantime_serde")]
    pub presence_grace: Duration,
}

impl Default for Routing {
    fn default() -> Self {
        Self { path: "config/routing".into(), watch: false, presence_grace: Duration::from_secs(30) }
    }
}

/// The section `[limits]`. 0 means no limit wherever a number limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are described in the shipped file")]
pub struct Limits {
    pub frame: usize,
    pub depth: usize,
    pub batch: usize,
    pub in_flight: usize,
    pub headers: usize,
    #[serde(with = "humantime_serde")]
    pub handshake_timeout: Duration,
    pub conversations_per_buyer: u32,
    pub text: usize,
    #[serde(with = "humantime_serde")]
    pub open_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    pub connections: usize,
    pub connections_per_ip: usize,
    pub requests_per_second: u32,
    pub burst: u32,
    pub outbound_queue: usize,
    pub outbound_bytes: usize,
    pub trusted_proxies: Vec<Network>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 65_536,
            depth: 64,
            batch: 50,
            in_flight: 32,
            headers: 8192,
            handshake_timeout: Duration::from_secs(10),
            conversations_per_buyer: 20,
            text: 8000,
            open_timeout: Duration::from_secs(5),
            heartbeat: Duration::from_secs(30),
            connections: 200_000,
            connections_per_ip: 0,
            requests_per_second: 20,
            burst: 40,
            outbound_queue: 1024,
            outbound_bytes: 1_048_576,
            trusted_proxies: Vec::new(),
        }
    }
}

/// What is wrong with the settings: a line for each fault.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

impl Settings {
    /// Reads the settings: a file that is missing is one with nothing in it, unless `required`.
    ///
    /// # Errors
    /// Everything that is wrong with the file and the variables.
    pub fn load(
        path: &Path,
        required: bool,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut faults = Vec::new();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => String::new(),
            Err(error) => {
                faults.push(format!("{}: {error}", path.display()));
                String::new()
            }
        };
        if let Err(error) = toml::from_str::<Self>(&text) {
            faults.push(format!("{}: {error}", path.display()));
        }
        let mut variables = std::collections::HashMap::new();
        for (name, value) in environment {
            if name.starts_with("FENLIU__") {
                variables.insert(name, value);
            } else if name.starts_with(PREFIX) && !FLAGS.contains(&name.as_str()) {
                faults.push(format!("{name}: nobody reads this variable; settings are FENLIU__SECTION__KEY"));
            }
        }
        if faults.is_empty() {
            match Self::layered(&text, variables) {
                Ok(settings) => {
                    faults.extend(settings.faults());
                    if faults.is_empty() {
                        return Ok(settings);
                    }
                }
                Err(error) => faults.push(error.to_string()),
            }
        }
        Err(SettingsError(faults))
    }

    fn layered(text: &str, variables: std::collections::HashMap<String, String>) -> Result<Self, config::ConfigError> {
        let environment = config::Environment::with_prefix(PREFIX)
            .prefix_separator("__")
            .separator("__")
            .list_separator(",")
            .with_list_parse_key("server.allowed_origins")
            .with_list_parse_key("limits.trusted_proxies")
            .try_parsing(true)
            .source(Some(variables));
        let file = config::File::from_str(text, config::FileFormat::Toml);
        config::Config::builder().add_source(file).add_source(environment).build()?.try_deserialize()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> =
            self.auth.faults().into_iter().map(|(key, fault)| format!("auth.{key}: {fault}")).collect();
        if self.auth.dev_tokens && !self.server.listen.ip().is_loopback() {
            faults.push("auth.dev_tokens: needs server.listen to be a loopback address".into());
        }
        if let Err(error) = logs::check(&self.log.filter) {
            faults.push(format!("log.filter: {error}"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(Path::new("nowhere.toml"), false, environment)
    }

    #[test]
    fn the_environment_overrides_and_lists_are_comma_separated() {
        let settings = load(&[("FENLIU__SERVER__LISTEN", "127.0.0.1:1"), ("FENLIU__SERVER__ALLOWED_ORIGINS", "a,b")]);

        let server = settings.unwrap().server;
        assert_eq!(server.listen.port(), 1);
        assert_eq!(server.allowed_origins, ["a", "b"]);
    }

    #[test]
    fn variables_that_nobody_reads_refuse_the_start() {
        assert!(load(&[("FENLIU_SERVER__LISTEN", "127.0.0.1:1")]).is_err());
        assert!(load(&[("FENLIU__SERVER__LISTENN", "127.0.0.1:1")]).is_err());
        assert!(load(&[("FENLIU_LOG", "debug")]).is_ok());
    }

    #[test]
    fn the_shipped_file_says_the_defaults() {
        let shipped = toml::from_str::<Settings>(include_str!("../../config/fenliu.toml")).unwrap();

        assert_eq!(shipped, Settings::default());
    }
}
