//! The real binary on a data directory that outlives it, and clients that come back.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fenliu::auth::{Claims, Keys, Role};
use fenliu::clock::Clock;
use fenliu::config::settings;
use fenliu::model::Timestamp;
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long anything is waited for before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

const ROUTING: &str = r#"
[[account]]
id = "lin"
platform = "douyin"
kind = "certified_enterprise"
status = "normal"
certified_until = 2099-12-31

[[account]]
id = "wei"
platform = "douyin"
kind = "certified_enterprise"
status = "normal"
certified_until = 2099-12-31

[[sub_account]]
id = "mei"
kind = "staff"
capacity = 1000

[[sub_account]]
id = "bo"
kind = "staff"
capacity = 2

[[seller]]
id = "tea"
name = "Tea"
account = "lin"
shop = "shop-1"
licence_name = "Tea"
default_group = "presale"

  [[seller.authorization]]
  sub_account = "mei"
  role = "agent"

  [[seller.group]]
  id = "presale"
  members = ["mei"]

[[seller]]
id = "ink"
name = "Ink"
account = "wei"
shop = "shop-2"
licence_name = "Ink"
default_group = "desk"

  [[seller.authorization]]
  sub_account = "bo"
  role = "agent"

  [[seller.group]]
  id = "desk"
  members = ["bo"]
"#;

/// A daemon, or the place of one.
pub struct Host {
    data: tempfile::TempDir,
    child: Mutex<Option<Child>>,
    address: Mutex<String>,
    admin: Mutex<String>,
    keys: Mutex<Option<Arc<Keys>>>,
}

impl Host {
    pub fn new() -> Arc<Self> {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join("routing")).unwrap();
        std::fs::write(data.path().join("routing/shops.toml"), ROUTING).unwrap();
        let (address, admin) = (Mutex::default(), Mutex::default());
        Arc::new(Self { data, child: Mutex::default(), address, admin, keys: Mutex::default() })
    }

    pub fn store(&self) -> std::path::PathBuf {
        self.data.path().join("data")
    }

    /// Starts the binary, and waits until it listens.
    pub fn start(&self) {
        self.start_as(Command::new(env!("CARGO_BIN_EXE_fenliu")));
    }

    /// Starts it by this command, to which `serve` is added.
    pub fn start_as(&self, mut command: Command) {
        let inherited = std::env::vars().filter(|(name, _)| name.starts_with("FENLIU"));
        for (name, _) in inherited {
            command.env_remove(name);
        }
        let mut child = command
            .arg("serve")
            .current_dir(self.data.path())
            .env("FENLIU__SERVER__LISTEN", "127.0.0.1:0")
            .env("FENLIU__SERVER__ADMIN_LISTEN", "127.0.0.1:0")
            .env("FENLIU__STORE__PATH", self.store())
            .env("FENLIU__ROUTING__PATH", self.data.path().join("routing"))
            .env("FENLIU__LIMITS__REQUESTS_PER_SECOND", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut said = Vec::new();
        let addresses = lines.by_ref().find_map(|line| {
            let found = line.split_once("listens on ").and_then(|(_, rest)| {
                let (address, rest) = rest.split_once(" (admin ")?;
                Some((address.to_owned(), rest.split(')').next()?.to_owned()))
            });
            said.push(line);
            found
        });
        let (address, admin) = addresses.unwrap_or_else(|| panic!("it did not start:\n{}", said.join("\n")));
        (*self.address.lock(), *self.admin.lock()) = (address, admin);
        std::thread::spawn(move || lines.for_each(drop));
        *self.child.lock() = Some(child);
        let mut keys = self.keys.lock();
        if keys.is_none() {
            *keys = Some(Arc::new(Keys::load(&settings::Settings::default().auth, &self.store()).unwrap()));
        }
    }

    /// As the power would: nothing is told, nothing is written any more.
    pub fn kill(&self) {
        let mut child = self.child.lock().take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until it ends by itself.
    pub async fn gone(&self) {
        let mut child = self.child.lock().take().unwrap();
        tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.lock().as_ref().unwrap().id()
    }

    /// What `/readyz` answers: its status, and the body.
    pub async fn ready(&self) -> (u16, Value) {
        self.admin("GET /readyz").await.expect("an answer")
    }

    /// What the admin listener answers; nothing if the daemon ends meanwhile.
    pub async fn admin(&self, what: &str) -> Option<(u16, Value)> {
        let admin = self.admin.lock().clone();
        let asking = async {
            let mut stream = TcpStream::connect(admin).await.ok()?;
            let request =
                format!("{what} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            Some(answer)
        };
        let answer = tokio::time::timeout(PATIENCE, asking).await.expect("an answer in time")?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().unwrap(), serde_json::from_str(body).ok()?))
    }

    /// Changes a text in the routing configuration.
    pub fn rewrite(&self, from: &str, to: &str) {
        let file = self.data.path().join("routing/shops.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(file, text.replace(from, to)).unwrap();
    }

    /// A session, as soon as there is a daemon that takes it.
    pub async fn session(&self, role: Role, sub: &str) -> Session {
        loop {
            if let Some(session) = self.try_session(role, sub).await {
                return session;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn try_session(&self, role: Role, sub: &str) -> Option<Session> {
        let clock = Clock::new(Timestamp::ZERO);
        let keys = self.keys.lock().clone()?;
        let token = keys.mint(&Claims::new(role, sub, clock.now() + Duration::from_secs(3600))).unwrap();
        let url = format!("ws://{}/ws", self.address.lock().clone());
        let connecting = tokio_tungstenite::connect_async(url);
        let (socket, _) = tokio::time::timeout(PATIENCE, connecting).await.expect("a connection in time").ok()?;
        let mut session = Session { socket, id: 0, events: Vec::new() };
        let mut params = json!({ "token": token });
        if role == Role::Staff {
            params["status"] = json!("online");
        }
        session.call("session.open", params).await.ok()?.ok()?;
        Some(session)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.lock().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The connection is gone.
#[derive(Debug)]
pub struct Gone;

/// A session of somebody.
pub struct Session {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    id: u64,
    events: Vec<Value>,
}

impl Session {
    /// What a call is answered with: its result, or its error.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Result<Value, Value>, Gone> {
        self.id += 1;
        let id = self.id;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.socket.send(Message::text(request.to_string())).await.map_err(|_| Gone)?;
        loop {
            let mut frame = self.next().await?;
            if frame["id"] == id {
                return Ok(if frame["error"].is_null() {
                    Ok(frame["result"].take())
                } else {
                    Err(frame["error"].take())
                });
            }
            self.events.push(frame);
        }
    }

    /// The next event.
    pub async fn event(&mut self) -> Result<Value, Gone> {
        if self.events.is_empty() { self.next().await } else { Ok(self.events.remove(0)) }
    }

    async fn next(&mut self) -> Result<Value, Gone> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time");
            match frame {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return Err(Gone),
                Some(Ok(_)) => {}
            }
        }
    }
}

/// Whether a directory is a store that SQLite finds whole.
pub fn is_whole(store: &Path) -> bool {
    let connection = rusqlite::Connection::open(store.join("fenliu.db")).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    found == "ok"
}
