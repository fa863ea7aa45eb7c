//! Daemons to be operated: one in this process on free ports, or the real binary; and who talks to them.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fenliu::auth::{self, Claims, Keys, Role};
use fenliu::config::settings::{Settings, StoreKind};
use fenliu::daemon::Daemon;
use fenliu::lifecycle::Lifecycle;
use fenliu::model::Timestamp;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long anything is waited for before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const ROUTING: &str = r#"
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

  [[seller.group]]
  id = "presale"
  members = ["mei"]
"#;

fn token(data: &Path, role: Role, sub: &str) -> String {
    let keys = Keys::load(&auth::Settings::default(), data).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Timestamp::from_micros(i64::try_from(now.as_micros()).unwrap());
    keys.mint(&Claims::new(role, sub, now + Duration::from_secs(3600))).unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("routing")).unwrap();
    std::fs::write(folder.path().join("routing/a.toml"), ROUTING).unwrap();
    folder
}

/// A daemon in this process.
pub struct Host {
    pub address: SocketAddr,
    pub admin: Option<SocketAddr>,
    pub life: Lifecycle,
    pub folder: tempfile::TempDir,
    pub ended: tokio::task::JoinHandle<bool>,
}

impl Host {
    pub async fn start() -> Self {
        Self::with(|_, _| {}).await
    }

    /// With settings of its own; the second argument is its folder.
    pub async fn with(change: impl FnOnce(&mut Settings, &Path)) -> Self {
        let folder = folder();
        let mut settings = Settings::default();
        settings.server.listen = "127.0.0.1:0".parse().unwrap();
        settings.server.admin_listen = "127.0.0.1:0".parse().unwrap();
        settings.store.kind = StoreKind::Memory;
        settings.store.path = folder.path().join("data");
        settings.routing.path = folder.path().join("routing");
        settings.limits.requests_per_second = 0;
        settings.auth.operators_on_public = true;
        change(&mut settings, folder.path());
        let life = Lifecycle::default();
        let daemon = Daemon::start(&settings, life.clone()).await.unwrap().unwrap();
        let (address, admin) = (daemon.address, daemon.admin_address);
        Self { address, admin, life, folder, ended: tokio::spawn(daemon.end()) }
    }

    pub async fn open(&self, role: Role, sub: &str) -> Peer {
        let mut peer = Peer::connect(self.address).await;
        peer.call("session.open", json!({ "token": self.token(role, sub) })).await;
        peer
    }

    pub fn token(&self, role: Role, sub: &str) -> String {
        token(&self.folder.path().join("data"), role, sub)
    }

    pub fn public(&self, head: &str) -> Answer {
        http(self.address, head)
    }

    pub fn admin(&self, head: &str) -> Answer {
        http(self.admin.unwrap(), &format!("{head}\r\nHost: localhost"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.life.stop();
    }
}

/// The real binary.
pub struct Process {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    admin_name: String,
    child: Child,
    folder: tempfile::TempDir,
    /// What it has logged.
    pub log: Arc<Mutex<String>>,
}

impl Process {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(environment: &[(&str, &str)]) -> Self {
        let folder = folder();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fenliu"));
        command.arg("serve").current_dir(folder.path()).stderr(Stdio::piped()).stdout(Stdio::null());
        command.env("FENLIU__SERVER__LISTEN", "127.0.0.1:0").env("FENLIU__SERVER__ADMIN_LISTEN", "127.0.0.1:0");
        command.env("FENLIU__ROUTING__PATH", "routing").env("FENLIU__AUTH__OPERATORS_ON_PUBLIC", "true");
        command.envs(environment.iter().copied());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.by_ref().map(Result::unwrap).find(|line| line.contains(" listens on ")).unwrap();
        let log = Arc::<Mutex<String>>::default();
        let written = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                written.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let mut words = said.split([' ', '(', ')']).filter_map(|word| word.parse::<SocketAddr>().ok());
        let address = words.next().unwrap();
        let admin = words.next().unwrap_or(address);
        let (_, name) = said.split_once("(admin ").unwrap();
        let admin_name = name.split(')').next().unwrap().to_owned();
        Self { address, admin, admin_name, child, folder, log }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the program beside it, with the same settings but for its ports.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fenliu"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("FENLIU__SERVER__ADMIN_LISTEN", &self.admin_name);
        command
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> ExitStatus {
        let ending = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        tokio::time::timeout(PATIENCE, ending).await.expect("an end in time").unwrap()
    }

    pub async fn open(&self, role: Role, sub: &str) -> Peer {
        let mut peer = Peer::connect(self.address).await;
        peer.call("session.open", json!({ "token": self.token(role, sub) })).await;
        peer
    }

    pub fn token(&self, role: Role, sub: &str) -> String {
        token(&self.folder.path().join("data"), role, sub)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer of HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }
}

/// What a request is answered with; `head` is its first line and headers.
pub fn http(address: SocketAddr, head: &str) -> Answer {
    let stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    exchange(stream, head, "")
}

/// The same on any stream, with a body.
pub fn exchange(mut stream: impl Read + Write, head: &str, body: &str) -> Answer {
    let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    let length = body.len();
    let request = format!("{line} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, headers: head.to_lowercase(), body: body.to_owned() }
}

/// A client.
pub struct Peer {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    events: VecDeque<Value>,
    id: u64,
}

impl Peer {
    pub async fn connect(address: SocketAddr) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}/ws")).await.unwrap();
        Self { socket, events: VecDeque::new(), id: 0 }
    }

    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let reply = self.ask(method, params).await;
        assert!(reply.get("error").is_none(), "{method}: {reply}");
        reply["result"].clone()
    }

    pub async fn refused(&mut self, method: &str, params: Value) -> Value {
        let reply = self.ask(method, params).await;
        assert!(reply.get("result").is_none(), "{method}: {reply}");
        reply["error"].clone()
    }

    pub async fn event(&mut self, name: &str) -> Value {
        loop {
            if let Some(at) = self.events.iter().position(|event| event["method"] == name) {
                return self.events.remove(at).unwrap()["params"].clone();
            }
            let frame = self.frame().await.expect("a frame before the close");
            self.events.push_back(frame);
        }
    }

    /// The code with which it is closed.
    pub async fn close_code(&mut self) -> u16 {
        let mut code = None;
        while let Some(message) = self.next().await {
            if let Message::Close(frame) = message {
                code = Some(frame.unwrap().code.into());
            }
        }
        code.expect("a close frame")
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let request = json!({ "jsonrpc": "2.0", "id": self.id, "method": method, "params": params });
        self.socket.send(Message::text(request.to_string())).await.unwrap();
        loop {
            let frame = self.frame().await.expect("a reply before the close");
            if frame.get("method").is_none() {
                return frame;
            }
            self.events.push_back(frame);
        }
    }

    async fn frame(&mut self) -> Option<Value> {
        loop {
            match self.next().await? {
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    async fn next(&mut self) -> Option<Message> {
        let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time");
        frame.and_then(Result::ok)
    }
}
