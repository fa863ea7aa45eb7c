//! A start on a store that has much in it: how long until the daemon is ready, with 10,000 open conversations and a
//! million stored messages, beside a store that has nothing but the open ones.
//!
//! `cargo bench --bench start -- [MESSAGES]`; the directory is made where `TMPDIR` says.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use fenliu::config::settings::Settings;
use fenliu::daemon::Daemon;
use fenliu::journal::{Durability, Position, Sink, Sqlite, Write};
use fenliu::lifecycle::{Drain, Lifecycle};
use fenliu::model::{Body, ConversationId, Sender, State, Timestamp, Visibility};
use fenliu::routing::{Batch, Event, Message, Row};
use support::conversation;

const OPEN: u64 = 10_000;
/// How many messages a conversation has.
const EACH: u64 = 20;
const ROUNDS: usize = 7;

const ROUTING: &str = r#"
[[account]]
id = "lin"
platform = "douyin"
kind = "certified_enterprise"
certified_until = 2099-12-31

[[sub_account]]
id = "mei"
kind = "staff"

[[seller]]
id = "tea"
name = "Tea"
account = "lin"
shop = "shop"
licence_name = "Tea"
default_group = "presale"

  [[seller.authorization]]
  sub_account = "mei"
  role = "agent"

  [[seller.group]]
  id = "presale"
  members = ["mei"]
"#;

fn message(id: u128, seq: u64) -> Message {
    Message {
        conversation: ConversationId(id),
        seq,
        prev_for_buyer: seq - 1,
        sender: Sender::Agent("mei".into()),
        name: None,
        body: Body::from_checked(format!("{{\"type\":\"text\",\"text\":\"{}\"}}", "x".repeat(95))),
        visibility: Visibility::All,
        client_id: Some(format!("c{seq}").into()),
        at: Timestamp::from_micros(i64::try_from(seq).unwrap_or(0)),
    }
}

/// Writes conversations with their messages; the last ones are open.
fn fill(store: &Path, conversations: u64) -> Result<(), Box<dyn std::error::Error>> {
    let (_store, mut sink) = Sqlite::open(store, Durability::Normal)?;
    for from in (0..conversations).step_by(500) {
        let writes = (from..(from + 500).min(conversations)).map(|number| {
            let id = u128::from(number) + 1;
            let mut row = conversation(id);
            if number + OPEN < conversations {
                (row.state, row.agent) = (State::Closed, None);
                row.rare.change(|rare| rare.closed_at = Some(Timestamp::from_micros(9)));
            }
            row.tail.last_seq = EACH;
            let events = (1..=EACH).map(|seq| Event::Messaged { message: message(id, seq) }).collect();
            Write::Batch(Batch { at: Timestamp::from_micros(9), events, rows: vec![Row::Conversation(Box::new(row))] })
        });
        sink.commit(&writes.collect::<Vec<_>>(), Position(from)).map_err(|uncommitted| uncommitted.error)?;
    }
    Ok(())
}

/// Starts a daemon and ends it; how long it took until it was ready.
async fn start(settings: &Settings) -> Result<Duration, Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let daemon = Daemon::start(settings, Lifecycle::default()).await?.ok_or("the configuration is wrong")?;
    let ready = begun.elapsed();
    if daemon.site.dispatch.table.open() as u64 != OPEN {
        return Err("not everything is open again".into());
    }
    daemon.site.lifecycle.drain(Drain::Close(None));
    daemon.end().await;
    Ok(ready)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messages = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("routing.toml"), ROUTING)?;
    let mut settings = Settings::default();
    settings.server.listen = "127.0.0.1:0".parse()?;
    settings.server.admin_listen = "127.0.0.1:0".parse()?;
    settings.routing.path = directory.path().join("routing.toml");
    let sizes = [("open alone", OPEN), ("with history", (messages / EACH).max(OPEN))];
    for (name, conversations) in sizes {
        fill(&directory.path().join(name), conversations)?;
    }

    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for ((name, _), times) in sizes.iter().zip(&mut times) {
            settings.store.path = directory.path().join(name);
            times.push(start(&settings).await?);
        }
    }
    for ((name, conversations), mut times) in sizes.into_iter().zip(times) {
        times.sort_unstable();
        let stored = conversations * EACH;
        println!(
            "{name:14} {OPEN} open, {stored} messages: ready after {:.1?} (from {:.1?} to {:.1?})",
            times[ROUNDS / 2],
            times[0],
            times[ROUNDS - 1]
        );
    }
    Ok(())
}
