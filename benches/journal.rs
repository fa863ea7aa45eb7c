//! The journal under load: records a second and the time to an acknowledgement, with 1 to 1,024 writers, for each store
//! beside a bare preallocated file that is written and synced by the same front in the same run.
//!
//! `cargo bench --bench journal -- [SECONDS]`; the directory is made where `TMPDIR` says, which should be a real disk.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fenliu::journal::{
    Durability, Memory, Position, Restored, Settings, Sink, Sqlite, StoreError, Uncommitted, Write, Writer,
};
use fenliu::model::{Body, BuyerKey, ConversationId, Sender, State, Timestamp, Visibility};
use fenliu::routing::{Batch, Conversation, Event, Message, Profile, Row, Tail};

const WRITERS: [u32; 4] = [1, 16, 256, 1024];
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

fn conversation(id: u128) -> Conversation {
    let at = Timestamp::from_micros(1);
    let key = BuyerKey { within: None, sub: format!("buyer-{id}").into() };
    Conversation {
        id: ConversationId(id),
        rev: 1,
        seller: "tea".into(),
        profile: Arc::new(Profile { key, name: None, attributes: Vec::new() }),
        context: Arc::new([]),
        entry: "shop".into(),
        state: State::Active,
        group: "presale".into(),
        via: None,
        agent: Some("mei".into()),
        offer_until: None,
        bound: None,
        recent: None,
        recent_until: None,
        priority: 0,
        queued_at: at,
        waiting_since: at,
        counted: true,
        pause_until: None,
        buyer_gone_since: None,
        excluded: Vec::new(),
        asked: Vec::new(),
        held: vec!["mei".into()],
        started_at: at,
        assigned_at: Some(at),
        first_assigned_at: Some(at),
        first_reply_at: None,
        closed_at: None,
        left: None,
        reason: None,
        rating: None,
        note: None,
        tail: Tail::default(),
    }
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

async fn compare(
    name: &str,
    journal: &Writer,
    span: Duration,
    bare: &[Figures],
) -> Result<Vec<Figures>, Box<dyn std::error::Error>> {
    for id in 1..=u128::from(WRITERS[3]) {
        let conversation = Box::new(conversation(id));
        let events = vec![Event::Started { conversation: conversation.clone() }];
        let slot = journal.slot().await?;
        slot.append(Batch { at: Timestamp::ZERO, events, rows: vec![Row::Conversation(conversation)] });
    }
    journal.durable(journal.last()).await?;
    let (mut all, mut seqs) = (Vec::new(), vec![0; WRITERS[3] as usize]);
    for (at, writers) in WRITERS.into_iter().enumerate() {
        let figures = run(journal, &mut seqs, writers, span).await?;
        let part = bare.get(at).map_or(1.0, |bare| figures.rate / bare.rate);
        let Figures { rate, median, late } = &figures;
        println!(
            "{name:14} {writers:5} writers {rate:10.0}/s   p50 {median:10.1?}   p99 {late:10.1?}   {part:5.2} of the bare file"
        );
        all.push(figures);
    }
    Ok(all)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(2.0);
    let span = Duration::from_secs_f64(seconds);
    let directory = tempfile::tempdir()?;

    let (bare, _) = Writer::threaded(Bare::create(directory.path())?, Settings::default())?;
    let bare = compare("bare file", &bare, span, &[]).await?;
    for (name, durability) in [("sqlite full", Durability::Full), ("sqlite normal", Durability::Normal)] {
        let (_store, sink) = Sqlite::open(&directory.path().join(name), durability)?;
        let (journal, _) = Writer::threaded(sink, Settings::default())?;
        compare(name, &journal, span, &bare).await?;
    }
    compare("memory", &Writer::inline(Arc::new(Memory::default())), span.min(Duration::from_secs(1)), &bare).await?;
    Ok(())
}
