//! The daemon's settings, section by section, each key with its default. How they are read is `load_settings`'s.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::network::{Address, Network};
use crate::{auth, logs};

/// What is expected where a duration stands.
pub(super) const DURATION: &str = "a duration such as \"30s\", \"10m\" or \"72h\"";

/// All sections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Settings of fenliu")]
pub struct Settings {
    /// Where the daemon listens, and to whom.
    pub server: Server,
    /// Whose tokens are believed.
    pub auth: auth::Settings,
    /// What keeps what was acknowledged.
    pub store: Store,
    /// Where the routing configuration is.
    pub routing: Routing,
    /// How much of everything there may be.
    pub limits: Limits,
    /// What the daemon says to whoever runs it.
    pub log: logs::Settings,
}

/// The section `[server]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The public listener: `/ws` and the pages.
    #[schemars(with = "String", extend("x-expected" = "an address with a port, such as \"127.0.0.1:8080\""))]
    pub listen: SocketAddr,
    /// The operator's listener: an address, or `unix:PATH`.
    #[schemars(extend("x-expected" = "an address with a port, such as \"127.0.0.1:8081\", or \"unix:PATH\""))]
    pub admin_listen: Address,
    /// The origins whose pages may connect, besides the daemon's own; `*`: any.
    pub allowed_origins: Vec<String>,
    /// The certificate with which the public listener speaks TLS; without, it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Tls")]
    pub tls: Option<Tls>,
}

/// A certificate and its key, as PEM. They are read again with every reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The file with the certificate, and those that it stands on.
    pub cert: PathBuf,
    /// The file with its private key.
    pub key: PathBuf,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 8081))),
            allowed_origins: Vec::new(),
            tls: None,
        }
    }
}

/// What keeps what was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// The embedded journal.
    #[default]
    Sqlite,
    /// Nothing survives.
    Memory,
}

/// When a record counts as kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// When the disk says so.
    #[default]
    Full,
    /// When the operating system has it.
    Normal,
}

/// The section `[store]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// What keeps what was acknowledged: the embedded journal, or the memory, where nothing survives.
    pub kind: StoreKind,
    /// The data directory.
    pub path: PathBuf,
    /// How long a journal may be full before requests are answered `unavailable`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-expected" = DURATION))]
    pub slot_wait: Duration,
    /// Whether a record counts as kept when the disk has it, or already when the operating system has.
    pub durability: Durability,
    /// How long a conversation is kept after its close; 0s: for ever.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-expected" = DURATION))]
    pub retention: Duration,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            kind: StoreKind::default(),
            path: "data".into(),
            slot_wait: Duration::from_secs(2),
            durability: Durability::default(),
            retention: Duration::ZERO,
        }
    }
}

/// The section `[routing]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Routing {
    /// The directory whose `*.toml` files are the routing configuration, or one file.
    pub path: PathBuf,
    /// Whether it is reloaded by itself when the files change.
    pub watch: bool,
    /// How long an agent whose last session has dropped keeps its conversations.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-expected" = DURATION))]
    pub presence_grace: Duration,
}

impl Default for Routing {
    fn default() -> Self {
        Self { path: "config/routing".into(), watch: false, presence_grace: Duration::from_secs(30) }
    }
}

/// The section `[limits]`. 0 means no limit wherever a number limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a frame from a client.
    #[schemars(range(min = 0, max = 1_073_741_824))]
    pub frame: usize,
    /// How deep arrays and objects may be nested in a frame.
    #[schemars(range(min = 0, max = 120))]
    pub depth: usize,
    /// Requests in a batch.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub batch: usize,
    /// Requests of one connection that are open at once.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub in_flight: usize,
    /// Bytes of the headers of a request.
    #[schemars(range(min = 0, max = 16_777_216))]
    pub headers: usize,
    /// How long a client may take for its request to connect; 0s: any time.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-expected" = DURATION))]
    pub handshake_timeout: Duration,
    /// Open conversations of one buyer, over all sellers.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub conversations_per_buyer: u32,
    /// Characters of a text.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub text: usize,
    /// How long a connection may stay without `session.open`; 0s: any time.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-expected" = DURATION))]
    pub open_timeout: Duration,
    /// How often the server asks whether a client is there; two unanswered: closed; 0s: never.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-expected" = DURATION))]
    pub heartbeat: Duration,
    /// Connections at once.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub connections: usize,
    /// Connections at once from one address.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub connections_per_ip: usize,
    /// Requests of one connection a second.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub requests_per_second: u32,
    /// Requests of one connection that may come at once.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub burst: u32,
    /// Frames that a slow reader may fall behind.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub outbound_queue: usize,
    /// Bytes that a slow reader may fall behind.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub outbound_bytes: usize,
    /// Proxies that are believed about who stands behind them: addresses, or networks such as 10.0.0.0/8.
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
