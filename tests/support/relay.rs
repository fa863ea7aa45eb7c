//! A daemon on one thread without a listener, and plain clients on another: what it takes to relay a message can be
//! counted where the daemon runs, and nothing else is in the way.

use std::io::{Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use fenliu::auth::{Claims, Keys, Role};
use fenliu::clock::Clock;
use fenliu::config::settings::{Settings, StoreKind};
use fenliu::lifecycle::Lifecycle;
use fenliu::load::{World, world};
use fenliu::model::Timestamp;
use fenliu::{daemon, session};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

/// How often sessions have read from their sockets or written to them.
pub static CALLS: AtomicU64 = AtomicU64::new(0);

/// A socket whose system calls are counted: each that does something is one.
struct Counted(tokio::net::UnixStream);

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        counted(Pin::new(&mut self.0).poll_read(context, buffer))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        counted(Pin::new(&mut self.0).poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

fn counted<T>(polled: Poll<T>) -> Poll<T> {
    CALLS.fetch_add(u64::from(polled.is_ready()), Ordering::Relaxed);
    polled
}

/// A daemon.
pub struct Relay {
    hand_over: mpsc::Sender<UnixStream>,
    keys: Arc<Keys>,
    now: Timestamp,
}

impl Relay {
    /// One seller with so many agents of so many conversations each; `first` runs on the daemon's thread before it.
    pub fn start(store: StoreKind, data: &Path, agents: usize, capacity: u32, first: fn()) -> Self {
        let (hand_over, mut handed) = mpsc::channel::<UnixStream>(1024);
        let (tell, told) = std::sync::mpsc::channel();
        let mut settings = Settings::default();
        settings.limits.requests_per_second = 0;
        // Its clients answer no heartbeat, and under valgrind a few seconds are minutes.
        settings.limits.heartbeat = Duration::from_secs(3600);
        settings.limits.in_flight = 1024;
        settings.limits.outbound_queue = 0;
        settings.limits.outbound_bytes = 0;
        settings.store.kind = store;
        settings.store.path = data.join("data");
        let keys = Arc::new(Keys::load(&settings.auth, data).unwrap());
        let (shared, routing) = (Arc::clone(&keys), data.join("routing.toml"));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let store = daemon::Store::open(&settings.store).await.unwrap();
                let clock = Arc::new(Clock::new(Timestamp::ZERO));
                let files = world(World { sellers: 1, agents, capacity, shared: false });
                let text: String = files.into_iter().map(|(_, text)| text).collect();
                std::fs::write(&routing, text).unwrap();
                let loaded = daemon::Loaded::read(routing, None, clock.now()).unwrap();
                let (site, wake) =
                    daemon::assemble(&settings, loaded, shared, Arc::clone(&clock), store, Lifecycle::default());
                tokio::spawn(daemon::keep_time(Arc::clone(&site), wake));
                first();
                tell.send(clock.now()).unwrap();
                while let Some(stream) = handed.recv().await {
                    stream.set_nonblocking(true).unwrap();
                    let stream = tokio::net::UnixStream::from_std(stream).unwrap();
                    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
                    let site = Arc::clone(&site);
                    tokio::spawn(async move { session::run(site, Counted(stream), &[], ip, None).await });
                }
            });
        });
        let now = told.recv().unwrap();
        Self { hand_over, keys, now }
    }

    /// Opens the session of an agent.
    pub fn agent(&self, number: usize) -> Line {
        self.open(Role::Staff, &format!("agent-{number}"), r#","status":"online""#)
    }

    /// Opens the session of a buyer.
    pub fn buyer(&self, number: usize) -> Line {
        self.open(Role::Buyer, &format!("buyer-{number}"), "")
    }

    fn open(&self, role: Role, sub: &str, more: &str) -> Line {
        let token = self.keys.mint(&Claims::new(role, sub, self.now + Duration::from_secs(3600))).unwrap();
        let mut line = Line::over(|theirs| self.hand_over.blocking_send(theirs).unwrap());
        line.say(&format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"session.open","params":{{"token":"{token}"{more}}}}}"#
        ));
        line.hear_reply();
        line
    }
}

/// A client: whole texts over WebSocket, and nothing else of it.
pub struct Line {
    stream: UnixStream,
    input: Vec<u8>,
    out: Vec<u8>,
}

impl Line {
    /// A connection, whose other end is given away.
    pub fn over(give: impl FnOnce(UnixStream)) -> Self {
        let (stream, theirs) = UnixStream::pair().unwrap();
        give(theirs);
        Self { stream, input: Vec::new(), out: Vec::new() }
    }

    /// Starts a conversation; its id.
    pub fn start(&mut self) -> String {
        self.say(r#"{"jsonrpc":"2.0","id":0,"method":"conversation.start","params":{"seller":"seller-0"}}"#);
        let reply = self.hear_reply();
        let id = reply.split(r#""conversation":{"id":""#).nth(1).expect("a conversation");
        id[..36].to_owned()
    }

    /// Adds a text to what is sent next. Its mask is zero, which is one too.
    pub fn add(&mut self, text: &str) {
        self.out.push(0x81);
        match u8::try_from(text.len()) {
            Ok(short @ ..126) => self.out.push(0x80 | short),
            _ => {
                self.out.push(0x80 | 126);
                self.out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            }
        }
        self.out.extend([0; 4]);
        self.out.extend(text.as_bytes());
    }

    /// Sends what has been added.
    pub fn send(&mut self) {
        self.stream.write_all(&self.out).unwrap();
        self.out.clear();
    }

    /// Sends a text.
    pub fn say(&mut self, text: &str) {
        self.add(text);
        self.send();
    }

    /// Waits for the next text, and looks at it.
    pub fn hear<R>(&mut self, look: impl FnOnce(&str) -> R) -> R {
        loop {
            if let Some((from, to)) = frame(&self.input) {
                let looked = look(std::str::from_utf8(&self.input[from..to]).unwrap());
                self.input.drain(..to);
                return looked;
            }
            let mut more = [0; 16 * 1024];
            let read = self.stream.read(&mut more).unwrap();
            assert!(read > 0, "the daemon has gone");
            self.input.extend_from_slice(&more[..read]);
        }
    }

    /// Waits for the next reply, whatever events come before.
    pub fn hear_reply(&mut self) -> String {
        loop {
            let reply = self.hear(|text| text.contains(r#""result":"#).then(|| text.to_owned()));
            if let Some(reply) = reply {
                return reply;
            }
        }
    }

    /// Waits until so many texts have come that have this in them.
    pub fn hear_all(&mut self, count: usize, what: &str) {
        let mut heard = 0;
        while heard < count {
            heard += usize::from(self.hear(|text| text.contains(what)));
        }
    }
}

/// Where the payload of the first frame begins and ends, if all of it is here.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (length, from) = match bytes.get(1)? {
        126 => (usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).unwrap(), 10),
        short => (usize::from(*short), 2),
    };
    (bytes.len() >= from + length).then_some((from, from + length))
}

/// A message as a buyer sends it.
pub fn message(conversation: &str, number: usize) -> String {
    let text = "hello, where is my order please? It was said to be here by now, and it is not. Can you look?";
    format!(
        r#"{{"jsonrpc":"2.0","id":{number},"method":"message.send","params":{{"conversation":"{conversation}","client_id":"m{number}","body":{{"type":"text","text":"{text}"}}}}}}"#
    )
}
