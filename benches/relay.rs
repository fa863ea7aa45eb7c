//! The whole way of a message in one process, from the frame that is read to the frames that are written: messages per
//! second of the daemon's processor time, for each store, beside a bare relay on tokio-tungstenite that decides and
//! keeps nothing, in turns: medians of figures, and of the ratios of those that stood side by side. 40 agents with 10
//! buyers each; a window is how many each buyer sends at once. They talk over Unix sockets, where the system does less
//! of the work than it does over TCP: what the daemon does itself weighs more, and the ratio to a bare relay is lower.
//!
//! `cargo bench --bench relay -- [SECONDS]` for each; the store is made where `TMPDIR` says, which should be a real disk.
//! `-- count bare|memory|sqlite ROUNDS` relays so many rounds of 400 messages and measures nothing: for whoever counts.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on ends")]

#[path = "support/goal.rs"]
mod goal;
#[path = "../tests/support/relay.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod relay;

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fenliu::config::settings::StoreKind;
use futures::{SinkExt, StreamExt};
use goal::{Goal, goal};
use relay::{Line, Relay, message};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

const AGENTS: usize = 40;
const CHATS: u32 = 10;
const WINDOWS: [usize; 2] = [1, 8];
/// How often it is the turn of each.
const TURNS: u32 = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "count") {
        let rounds = arguments[at + 2].parse().unwrap();
        count(&arguments[at + 1], rounds);
    }
    // Cargo adds `--bench`, a test run nothing that is a number.
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(2.0);
    let time = Duration::from_secs_f64(seconds);
    println!("messages per second of processor time, {AGENTS} agents with {CHATS} buyers each\n");
    println!("{:<28} {:>12} {:>9} {:>12} {:>9}", "", "window 1", "÷ bare", "window 8", "÷ bare");
    let turns: Vec<_> = (0..TURNS).map(|_| turn(time / TURNS)).collect();
    let median = |of: &dyn Fn(&Turn) -> f64| {
        let mut figures: Vec<_> = turns.iter().map(of).collect();
        figures.sort_unstable_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    for (at, name) in ["bare tokio-tungstenite", "memory", "sqlite, full durability"].into_iter().enumerate() {
        let [one, eight] = [0, 1].map(|window| median(&|turn| turn[at][window]));
        let [beside_one, beside_eight] = [0, 1].map(|window| median(&|turn| turn[at][window] / turn[0][window]));
        println!("{name:<28} {one:>12.0} {beside_one:>9.2} {eight:>12.0} {beside_eight:>9.2}");
    }
    println!();
    let [memory, durable] = [1, 2].map(|at| median(&|turn| turn[at][0] / turn[at - 1][0]));
    goal("relay over Unix sockets, memory ÷ bare tokio-tungstenite", memory, Goal::AtLeast(0.4, 0.55));
    goal("relay, durable ÷ memory", durable, Goal::AtLeast(0.55, 0.8));
}

/// Figures of the bare relay, of the memory store and of the durable one, each for every window.
type Turn = [[f64; 2]; 3];

fn turn(time: Duration) -> Turn {
    let data = tempfile::tempdir().unwrap();
    let of = |store| measure(&ours(store, data.path()), time);
    [measure(&bare(), time), of(StoreKind::Memory), of(StoreKind::Sqlite)]
}

/// Relays so many rounds.
fn count(what: &str, rounds: usize) -> ! {
    let data = tempfile::tempdir().unwrap();
    let everybody = match what {
        "bare" => bare(),
        "memory" => ours(StoreKind::Memory, data.path()),
        _ => ours(StoreKind::Sqlite, data.path()),
    };
    let (agents, buyers) = &mut *everybody.lock().unwrap();
    let mut number = 0;
    (0..rounds).for_each(|_| round(agents, buyers, 1, &mut number));
    // Before anybody hangs up: what that brings about is not to be counted.
    std::process::exit(0);
}

/// A daemon with everybody in conversation.
fn ours(store: StoreKind, data: &Path) -> Everybody {
    let daemon = Relay::start(store, data, AGENTS, CHATS, || {});
    let agents = (0..AGENTS).map(|number| daemon.agent(number)).collect();
    let buyers = (0..AGENTS * CHATS as usize).map(|number| {
        let mut buyer = daemon.buyer(number);
        let conversation = buyer.start();
        (buyer, conversation)
    });
    let buyers = buyers.collect();
    // The daemon ends with the process.
    std::mem::forget(daemon);
    Mutex::new((agents, buyers))
}

type Everybody = Mutex<(Vec<Line>, Vec<(Line, String)>)>;

fn measure(everybody: &Everybody, time: Duration) -> [f64; 2] {
    let (agents, buyers) = &mut *everybody.lock().unwrap();
    // What comes of the beginning is read with the first round.
    let mut number = 0;
    WINDOWS.map(|window| {
        round(agents, buyers, window, &mut number);
        let (begun, before, mut count) = (Instant::now(), daemon_seconds(), 0);
        while begun.elapsed() < time {
            round(agents, buyers, window, &mut number);
            count += buyers.len() * window;
        }
        f64::from(u32::try_from(count).unwrap()) / (daemon_seconds() - before)
    })
}

/// Every buyer sends, is answered, and every agent hears it all.
fn round(agents: &mut [Line], buyers: &mut [(Line, String)], window: usize, number: &mut usize) {
    for (buyer, conversation) in &mut *buyers {
        for _ in 0..window {
            *number += 1;
            buyer.add(&message(conversation, *number));
        }
        buyer.send();
    }
    for (buyer, _) in &mut *buyers {
        buyer.hear_all(window, r#""result""#);
    }
    for agent in agents {
        agent.hear_all(window * CHATS as usize, "message.new");
    }
}

/// Processor seconds of every thread but this one.
fn daemon_seconds() -> f64 {
    let of = |path: &std::path::Path| -> Option<f64> {
        let text = std::fs::read_to_string(path.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    let mine = std::fs::read_link("/proc/thread-self").unwrap();
    let mine = mine.file_name().unwrap().to_owned();
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let nanos: f64 = threads.filter(|thread| thread.file_name() != mine).filter_map(|thread| of(&thread.path())).sum();
    nanos / 1e9
}

/// A relay that knows who talks to whom and nothing else.
fn bare() -> Everybody {
    let (hand_over, handed) = mpsc::channel::<UnixStream>(1024);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve(handed));
    });
    let connect = |name: &str| {
        let mut line = Line::over(|theirs| hand_over.blocking_send(theirs).unwrap());
        line.say(name);
        line.hear_all(1, "welcome");
        line
    };
    let agents = (0..AGENTS).map(|number| connect(&format!("{number}"))).collect();
    // Who has the name of another takes its place.
    let buyer = |number: usize| (connect(&format!("buyer-{number}")), format!("{}", number % AGENTS));
    let buyers = (0..AGENTS * CHATS as usize).map(buyer).collect();
    // The relay ends with the process.
    std::mem::forget(hand_over);
    Mutex::new((agents, buyers))
}

type Peers = Arc<Mutex<HashMap<String, mpsc::Sender<Utf8Bytes>>>>;

async fn serve(mut handed: mpsc::Receiver<UnixStream>) {
    let peers = Peers::default();
    while let Some(stream) = handed.recv().await {
        stream.set_nonblocking(true).unwrap();
        let stream = tokio::net::UnixStream::from_std(stream).unwrap();
        let peers = Arc::clone(&peers);
        tokio::spawn(async move { relay_for(stream, peers).await });
    }
}

async fn relay_for(stream: tokio::net::UnixStream, peers: Peers) {
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(16 * 1024);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let (sender, mut mailbox) = mpsc::channel::<Utf8Bytes>(4096);
    let Some(Ok(Message::Text(name))) = socket.next().await else { return };
    peers.lock().unwrap().insert(name.to_string(), sender);
    socket.send(Message::text("welcome")).await.unwrap();
    loop {
        tokio::select! {
            text = mailbox.recv() => {
                let Some(text) = text else { return };
                socket.feed(Message::Text(text)).await.unwrap();
                while let Ok(text) = mailbox.try_recv() {
                    socket.feed(Message::Text(text)).await.unwrap();
                }
            }
            frame = socket.next() => {
                let Some(Ok(Message::Text(text))) = frame else { return };
                let ack = forward(&text, &peers);
                socket.feed(Message::text(ack)).await.unwrap();
            }
        }
        socket.flush().await.unwrap();
    }
}

#[derive(Deserialize)]
struct Request<'a> {
    id: u64,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    conversation: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
}

fn forward(text: &str, peers: &Peers) -> String {
    let request: Request<'_> = serde_json::from_str(text).unwrap();
    let body = request.params.body;
    let event = format!(r#"{{"jsonrpc":"2.0","method":"message.new","params":{{"body":{body}}}}}"#);
    let peer = peers.lock().unwrap().get(request.params.conversation).cloned();
    peer.unwrap().try_send(event.into()).unwrap();
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, request.id)
}
