//! The journal under load: records a second and the time to an acknowledgement, with 1 to 1,024 writers, for each store
//! beside a bare preallocated file that is written and synced by the same front in the same run. They take turns, and
//! what is shown is the middle one of their rounds: another load on the machine concerns all of them alike.
//!
//! `cargo bench --bench journal -- [SECONDS]`, of each round; the directory is made where `TMPDIR` says, which should be
//! a real disk.

#[path = "support/goal.rs"]
mod goal;
mod support;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fenliu::journal::{
    Durability, Memory, Position, Restored, Settings, Sink, Sqlite, StoreError, Uncommitted, Write, Writer,
};
use fenliu::model::{Body, ConversationId, Sender, Timestamp, Visibility};
use fenliu::routing::{Batch, Event, Message, Row, Tail};
use goal::{Goal, goal};
use support::conversation;

const WRITERS: [u32; 4] = [1, 16, 256, 1024];
const ROUNDS: usize = 5;
const FILE_BYTES: u64 = 256 << 20;

/// What is compared with: the bytes of every message, one write and one sync a commit.
struct Bare {
    file: File,
    at: u64,
    buffer: Vec<u8>,
}

impl Bare {
    fn create(directory: &Path) -> std::io::Result<Self> {
        let mut file = File::create(directory.join("bare"))?;
        let zeros = vec![0; 1 << 20];
        for _ in 0..FILE_BYTES >> 20 {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0, buffer: Vec::new() })
    }
}

impl Sink for Bare {
    fn commit(&mut self, writes: &[Write], _: Position) -> Result<(), Uncommitted> {
        self.buffer.clear();
        for write in writes {
            let Write::Batch(batch) = write else { continue };
            for event in &batch.events {
                if let Event::Messaged { message } = event {
                    self.buffer.extend_from_slice(message.body.as_json().as_bytes());
                    self.buffer.extend_from_slice(&[0; 48]);
                }
            }
        }
        if self.at + self.buffer.len() as u64 > FILE_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(&self.buffer, self.at).map_err(|error| StoreError::Failed(error.to_string()))?;
        self.at += self.buffer.len() as u64;
        self.file.sync_data().map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(())
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn restore(&mut self) -> Result<Restored, StoreError> {
        Err(StoreError::Failed("a bare file keeps nothing".to_owned()))
    }
}

struct Figures {
    rate: f64,
    median: Duration,
    late: Duration,
}

fn message(writer: u32, seq: u64, body: &Body) -> Batch {
    let conversation = ConversationId(u128::from(writer) + 1);
    let message = Message {
        conversation,
        seq,
        prev_for_buyer: seq - 1,
        sender: Sender::Agent("mei".into()),
        name: None,
        body: body.clone(),
        visibility: Visibility::All,
        client_id: Some(format!("c{seq}").into()),
        at: Timestamp::from_micros(seq.cast_signed()),
    };
    let tail = Tail { last_seq: seq, last_for_buyer: seq, ..Tail::default() };
    let rows = vec![Row::Tail { conversation, rev: seq, first_reply_at: None, tail }];
    Batch { at: message.at, events: vec![Event::Messaged { message }], rows }
}

async fn run(
    journal: &Writer,
    seqs: &mut [u64],
    writers: u32,
    span: Duration,
) -> Result<Figures, Box<dyn std::error::Error>> {
    let body = Body::from_checked(format!("{{\"type\":\"text\",\"text\":\"{}\"}}", "x".repeat(95)));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let (journal, body, first_seq) = (journal.clone(), body.clone(), seqs[writer as usize]);
            tokio::spawn(async move {
                let (mut times, mut seq) = (Vec::new(), first_seq);
                while begun.elapsed() < span {
                    let asked = Instant::now();
                    seq += 1;
                    let Ok(slot) = journal.slot().await else { break };
                    let position = slot.append(message(writer, seq, &body));
                    if journal.durable(position).await.is_err() {
                        break;
                    }
                    times.push(asked.elapsed());
                    tokio::task::consume_budget().await;
                }
                (times, seq)
            })
        })
        .collect();
    let mut times = Vec::new();
    for (task, seq) in tasks.into_iter().zip(seqs) {
        let (more, last_seq) = task.await?;
        times.extend(more);
        *seq = last_seq;
    }
    let elapsed = begun.elapsed();
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    Ok(Figures { rate: times.len() as f64 / elapsed.as_secs_f64(), median: at(50), late: at(99) })
}

/// What is measured, and where its conversations are.
struct Measured {
    name: &'static str,
    journal: Writer,
    seqs: Vec<u64>,
    /// A part of the time is enough where nothing has to be waited for.
    span: Duration,
    rounds: Vec<Figures>,
}

impl Measured {
    async fn new(name: &'static str, journal: Writer, span: Duration) -> Result<Self, Box<dyn std::error::Error>> {
        for id in 1..=u128::from(WRITERS[3]) {
            let conversation = Box::new(conversation(id));
            let events = vec![Event::Started { conversation: conversation.clone() }];
            let slot = journal.slot().await?;
            slot.append(Batch { at: Timestamp::ZERO, events, rows: vec![Row::Conversation(conversation)] });
        }
        journal.durable(journal.last()).await?;
        Ok(Self { name, journal, seqs: vec![0; WRITERS[3] as usize], span, rounds: Vec::new() })
    }

    /// The middle one of what the rounds say.
    fn middle(&self, what: impl Fn(&Figures) -> f64) -> f64 {
        middle(self.rounds.iter().map(what).collect())
    }

    fn show(&self, writers: u32, bare: &Self) {
        let pairs = || self.rounds.iter().zip(&bare.rounds);
        let rate = middle(pairs().map(|(own, bare)| own.rate / bare.rate).collect());
        let wait = middle(pairs().map(|(own, bare)| own.median.as_secs_f64() / bare.median.as_secs_f64()).collect());
        let time = |what: fn(&Figures) -> Duration| {
            Duration::from_secs_f64(self.middle(|figures| what(figures).as_secs_f64()))
        };
        println!(
            "{:14} {writers:5} writers {:10.0}/s   p50 {:10.1?}   p99 {:10.1?}   rate {rate:6.2}, p50 {wait:5.2} of the bare file",
            self.name,
            self.middle(|figures| figures.rate),
            time(|figures| figures.median),
            time(|figures| figures.late),
        );
        match (self.name, writers) {
            ("sqlite full", 1) => goal("journal, time to an ack, 1 writer ÷ bare file", wait, Goal::AtMost(2.0, 1.4)),
            ("sqlite full", 1024) => {
                goal("journal, records a second, 1,024 writers ÷ bare file", rate, Goal::AtLeast(0.35, 0.9));
            }
            _ => {}
        }
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(0.5);
    let span = Duration::from_secs_f64(seconds);
    let directory = tempfile::tempdir()?;

    let (bare, _) = Writer::threaded(Bare::create(directory.path())?, Settings::default())?;
    let mut all = vec![Measured::new("bare file", bare, span).await?];
    let mut stores = Vec::new();
    for (name, durability) in [("sqlite full", Durability::Full), ("sqlite normal", Durability::Normal)] {
        let (store, sink) = Sqlite::open(&directory.path().join(name), durability)?;
        let (journal, _) = Writer::threaded(sink, Settings::default())?;
        stores.push(store);
        all.push(Measured::new(name, journal, span).await?);
    }
    let memory = Writer::inline(Arc::new(Memory::default()));
    all.push(Measured::new("memory", memory, span / 20).await?);

    for writers in WRITERS {
        for _ in 0..ROUNDS {
            for measured in &mut all {
                let figures = run(&measured.journal, &mut measured.seqs, writers, measured.span).await?;
                measured.rounds.push(figures);
            }
        }
        all.iter().for_each(|measured| measured.show(writers, &all[0]));
        all.iter_mut().for_each(|measured| measured.rounds.clear());
    }
    Ok(())
}
