//! A daemon on a free port, and peers that talk to it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fenliu::auth::{Claims, Keys, Role};
use fenliu::clock::Clock;
use fenliu::config::settings::{Settings, StoreKind};
use fenliu::lifecycle::Lifecycle;
use fenliu::model::Timestamp;
use fenliu::session::Site;
use fenliu::{daemon, server};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::task::TaskTracker;

use crate::shops;

/// How long anything is waited for before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A running daemon; it ends with its test.
pub struct Daemon {
    pub address: SocketAddr,
    pub keys: Arc<Keys>,
    pub clock: Arc<Clock>,
    pub site: Arc<Site>,
    life: Lifecycle,
    routing: std::path::PathBuf,
    data: tempfile::TempDir,
}

impl Daemon {
    /// One with the shops of `shops`, and no limit of requests.
    pub async fn start() -> Self {
        Self::with(shops::ROUTING, |_| {}).await
    }

    /// One with settings of its own. It has a store on disk if `store.kind` is left as it is.
    pub async fn with(routing: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.limits.requests_per_second = 0;
        settings.store.kind = StoreKind::Memory;
        settings.store.path = data.path().join("data");
        change(&mut settings);
        let store = daemon::Store::open(&settings.store).await.unwrap();
        Self::assembled(data, &settings, routing, store)
    }

    /// One on a store of its own, with the shops of `shops`.
    pub fn on(store: daemon::Store) -> Self {
        let mut settings = Settings::default();
        settings.limits.requests_per_second = 0;
        Self::assembled(tempfile::tempdir().unwrap(), &settings, shops::ROUTING, store)
    }

    fn assembled(data: tempfile::TempDir, settings: &Settings, routing: &str, store: daemon::Store) -> Self {
        let clock = Arc::new(Clock::new(Timestamp::ZERO));
        let path = data.path().join("routing.toml");
        std::fs::write(&path, routing).unwrap();
        let loaded = daemon::Loaded::read(path.clone(), None, clock.now()).unwrap();
        let keys = Arc::new(Keys::load(&settings.auth, data.path()).unwrap());
        let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let life = Lifecycle::default();
        let (site, wake) =
            daemon::assemble(settings, loaded, Arc::clone(&keys), Arc::clone(&clock), store, life.clone());
        tokio::spawn(daemon::keep_time(Arc::clone(&site), wake));
        tokio::spawn(server::public(listener, server::Settings::default(), Arc::clone(&site), TaskTracker::new()));
        Self { address, keys, clock, site, life, routing: path, data }
    }

    /// A token of this server's own, for an hour or as the change says.
    pub fn token(&self, role: Role, sub: &str, change: impl FnOnce(&mut Claims)) -> String {
        let mut claims = Claims::new(role, sub, self.clock.now() + Duration::from_secs(3600));
        change(&mut claims);
        self.keys.mint(&claims).unwrap()
    }

    /// A token that ends so soon.
    pub fn short_token(&self, role: Role, sub: &str, left: Duration) -> String {
        let ends = self.clock.now() + left;
        self.token(role, sub, |claims| claims.expires_at = ends)
    }

    pub async fn buyer(&self, sub: &str) -> Peer {
        self.open(json!({ "token": self.token(Role::Buyer, sub, |_| {}) })).await
    }

    /// A buyer of whom its token says something.
    pub async fn buyer_with(&self, sub: &str, name: &str, attributes: &[(&str, &[&str])]) -> Peer {
        let token = self.token(Role::Buyer, sub, |claims| {
            claims.name = Some(name.into());
            let values = |values: &[&str]| values.iter().map(ToString::to_string).collect();
            claims.attributes = attributes.iter().map(|(key, of)| ((*key).to_owned(), values(of))).collect();
        });
        self.open(json!({ "token": token })).await
    }

    pub async fn staff(&self, sub: &str, status: &str) -> Peer {
        self.open(json!({ "token": self.token(Role::Staff, sub, |_| {}), "status": status })).await
    }

    pub async fn operator(&self) -> Peer {
        self.open(json!({ "token": self.token(Role::Operator, "ops", |_| {}) })).await
    }

    /// The directory of this test: the routing configuration is in it, and the data if there are any.
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// Writes another routing configuration; nobody has loaded it yet.
    pub fn configure(&self, routing: &str) {
        std::fs::write(&self.routing, routing).unwrap();
    }

    /// A session that opens with these params.
    pub async fn open(&self, params: Value) -> Peer {
        let mut peer = Peer::connect(self).await;
        peer.opened = peer.call("session.open", params).await;
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
    /// What `session.open` was answered with.
    pub opened: Value,
}

impl Peer {
    pub async fn connect(daemon: &Daemon) -> Self {
        Self::upgrade(daemon, &[]).await.unwrap().0
    }

    /// An upgrade with headers of its own; the status if it is refused.
    pub async fn upgrade(daemon: &Daemon, headers: &[(&'static str, &str)]) -> Result<(Self, Response), u16> {
        let mut request = format!("ws://{}/ws", daemon.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, response)) => {
                Ok((Self { socket, events: VecDeque::new(), id: 0, opened: Value::Null }, response))
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
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

    /// The kind of the error of a call that must fail, with its reason, scope or path if it has one.
    pub async fn denied(&mut self, method: &str, params: Value) -> String {
        let data = self.refused(method, params).await["data"].clone();
        let more = ["reason", "scope", "path"].iter().find_map(|member| data[member].as_str());
        [data["kind"].as_str(), more].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// What a frame is answered with.
    pub async fn raw(&mut self, frame: &str) -> Value {
        self.send(Message::text(frame)).await;
        self.reply().await
    }

    /// Sends a frame and waits for nothing.
    pub async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends a request and does not wait for its answer.
    pub async fn post(&mut self, method: &str, params: Value) {
        self.id += 1;
        let request = json!({ "jsonrpc": "2.0", "id": self.id, "method": method, "params": params });
        self.send(Message::text(request.to_string())).await;
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

    /// The names of all events so far, in order: those that came before the answer to a ping.
    pub async fn heard(&mut self) -> Vec<String> {
        self.call("session.ping", json!({})).await;
        self.events.drain(..).map(|event| event["method"].as_str().unwrap().to_owned()).collect()
    }

    /// The code with which the server closes.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a close in time");
            match frame.expect("a close frame").expect("a close frame") {
                Message::Close(Some(frame)) => return frame.code.into(),
                Message::Text(text) => self.events.push_back(serde_json::from_str(&text).unwrap()),
                _ => {}
            }
        }
    }

    /// The next frame that is an answer.
    pub async fn reply(&mut self) -> Value {
        loop {
            let frame = self.next().await;
            if frame.get("method").is_none() {
                return frame;
            }
            self.events.push_back(frame);
        }
    }

    /// The next frame as it came.
    pub async fn text(&mut self) -> String {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time");
            if let Message::Text(text) = frame.expect("an open socket").unwrap() {
                return text.to_string();
            }
        }
    }

    /// What a call is answered with; nothing if the connection is gone.
    pub async fn try_ask(&mut self, method: &str, params: Value) -> Option<Value> {
        self.id += 1;
        let request = json!({ "jsonrpc": "2.0", "id": self.id, "method": method, "params": params });
        self.socket.send(Message::text(request.to_string())).await.ok()?;
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time")?.ok()?;
            let Message::Text(text) = frame else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame.get("method").is_none() {
                return Some(frame);
            }
            self.events.push_back(frame);
        }
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.post(method, params).await;
        let reply = self.reply().await;
        assert_eq!(reply["id"], self.id, "{reply}");
        reply
    }

    async fn next(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }
}

/// A message with a text.
pub fn text(client_id: &str, text: &str) -> Value {
    json!({ "client_id": client_id, "body": { "type": "text", "text": text } })
}

/// A message with a text, for a conversation.
pub fn message(conversation: &Value, client_id: &str, words: &str) -> Value {
    let mut message = text(client_id, words);
    message["conversation"] = conversation.clone();
    message
}

/// The members of an object, sorted.
pub fn members(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
