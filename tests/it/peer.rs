//! A daemon on a free port, and peers that talk to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fenliu::auth::{Claims, Keys, Role};
use fenliu::clock::Clock;
use fenliu::config::settings::Settings;
use fenliu::directory::Directory;
use fenliu::lifecycle::Lifecycle;
use fenliu::model::Timestamp;
use fenliu::{daemon, server};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::task::TaskTracker;

/// How long anything is waited for before a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

const ROUTING: &str = r#"
[[account]]
id = "lin"
platform = "douyin"
kind = "certified_enterprise"
status = "normal"
certified_until = 2099-12-31

[[sub_account]]
id = "mei"
name = "Mei"
kind = "staff"
capacity = 2

[[sub_account]]
id = "bo"
name = "Bo"
kind = "staff"
capacity = 2

[[seller]]
id = "tea"
name = "Tea"
account = "lin"
status = "open"
shop = "shop-1"
licence_name = "Tea"
default_group = "presale"

  [[seller.authorization]]
  sub_account = "mei"
  role = "agent"

  [[seller.authorization]]
  sub_account = "bo"
  role = "agent"

  [[seller.group]]
  id = "presale"
  members = ["mei", { sub_account = "bo", tier = 2 }]
"#;

/// A running daemon; it ends with its test.
pub struct Daemon {
    address: std::net::SocketAddr,
    keys: Arc<Keys>,
    clock: Arc<Clock>,
    life: Lifecycle,
    _data: tempfile::TempDir,
}

impl Daemon {
    pub async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.limits.requests_per_second = 0;
        settings.limits.conversations_per_buyer = 1;
        let clock = Arc::new(Clock::new(Timestamp::ZERO));
        let directory = Arc::new(Directory::from_toml(ROUTING, clock.now()).unwrap());
        let keys = Arc::new(Keys::load(&settings.auth, data.path()).unwrap());
        let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let life = Lifecycle::default();
        let (site, wake) = daemon::assemble(
            &settings,
            directory,
            Arc::clone(&keys),
            Arc::clone(&clock),
            daemon::Store::memory(),
            life.clone(),
        );
        tokio::spawn(daemon::keep_time(Arc::clone(&site), wake));
        tokio::spawn(server::public(listener, server::Settings::default(), site, TaskTracker::new()));
        Self { address, keys, clock, life, _data: data }
    }

    pub async fn buyer(&self, sub: &str) -> Peer {
        self.open(Role::Buyer, sub, json!({})).await
    }

    pub async fn staff(&self, sub: &str, status: &str) -> Peer {
        self.open(Role::Staff, sub, json!({ "status": status })).await
    }

    async fn open(&self, role: Role, sub: &str, mut params: Value) -> Peer {
        let claims = Claims::new(role, sub, self.clock.now() + Duration::from_secs(3600));
        params["token"] = json!(self.keys.mint(&claims).unwrap());
        let mut peer = Peer::connect(self).await;
        peer.call("session.open", params).await;
        peer
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.life.stop();
    }
}

/// A client.
pub struct Peer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    events: VecDeque<Value>,
    id: u64,
}

impl Peer {
    pub async fn connect(daemon: &Daemon) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{}/ws", daemon.address)).await.unwrap();
        Self { socket, events: VecDeque::new(), id: 0 }
    }

    /// The result of a call that must succeed.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let reply = self.ask(method, params).await;
        assert!(reply.get("error").is_none(), "{method}: {reply}");
        reply["result"].clone()
    }

    /// The error of a call that must fail.
    pub async fn refused(&mut self, method: &str, params: Value) -> Value {
        let reply = self.ask(method, params).await;
        assert!(reply.get("result").is_none(), "{method}: {reply}");
        reply["error"].clone()
    }

    /// What a frame is answered with.
    pub async fn raw(&mut self, frame: &str) -> Value {
        self.socket.send(Message::text(frame)).await.unwrap();
        self.reply().await
    }

    /// The next event of this name; others are kept.
    pub async fn event(&mut self, name: &str) -> Value {
        loop {
            if let Some(at) = self.events.iter().position(|event| event["method"] == name) {
                return self.events.remove(at).unwrap()["params"].clone();
            }
            let frame = self.next().await;
            self.events.push_back(frame);
        }
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        self.raw(&json!({ "jsonrpc": "2.0", "id": self.id, "method": method, "params": params }).to_string()).await
    }

    async fn reply(&mut self) -> Value {
        loop {
            let frame = self.next().await;
            if frame.get("method").is_none() {
                return frame;
            }
            self.events.push_back(frame);
        }
    }

    async fn next(&mut self) -> Value {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time");
            if let Message::Text(text) = frame.expect("an open socket").unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }
}

/// A message with a text.
pub fn text(client_id: &str, text: &str) -> Value {
    json!({ "client_id": client_id, "body": { "type": "text", "text": text } })
}
