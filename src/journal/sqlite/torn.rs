//! A log that a loss of power has left behind: cut off, torn, or with another end than it was given. Whatever it is, what
//! is found is what there was after one of the commits, all of it, and never less than what is known to be acknowledged.

use std::path::Path;

use super::*;
use crate::journal::conformance::{conversation, message};
use crate::journal::{Position, Write};
use crate::routing::{Batch, Event, Row};

const COMMITS: u64 = 12;
const SEEDS: u64 = 100;
/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// What is in a store: each open conversation with the numbers of its messages.
type Found = Vec<(Conversation, Vec<u64>)>;

async fn found(store: &Sqlite) -> Found {
    let mut all = Vec::new();
    for open in Journal::open(store).await.unwrap().table.conversations {
        let range = Range { conversation: open.id, after: Some(0), before: None, limit: 99, notes: true };
        let messages = store.history(range).await.unwrap().messages;
        all.push((open, messages.iter().map(|message| message.seq).collect()));
    }
    all
}

/// A commit begins one conversation, and something is said in every one there is.
fn commit(number: u64) -> Write {
    let open = conversation(u128::from(number), "b");
    let events = (1..=number).map(|id| Event::Messaged { message: message(u128::from(id), number - id + 1) }).collect();
    Write::Batch(Batch { at: Timestamp::from_micros(9), events, rows: vec![Row::Conversation(Box::new(open))] })
}

/// What has become of a log.
fn damaged(log: &[u8], random: &mut Random) -> Vec<u8> {
    let (mut log, at) = (log.to_vec(), random.below(log.len()));
    let sector = at / SECTOR * SECTOR;
    match random.below(4) {
        0 => log.truncate(at),
        1 => log[at] ^= 0xff,
        // The rest was in the cache of the disk.
        2 => log[sector..].fill(0),
        // All but one sector has come to the disk.
        _ => {
            let end = log.len().min(sector + SECTOR);
            log[sector..end].fill(0);
        }
    }
    log
}

/// How many commits come before the first byte that is not as it was.
fn whole(before: &[u8], after: &[u8], ends: &[usize]) -> usize {
    let same = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    ends.iter().filter(|end| **end <= same).count()
}

fn copy(directory: &Path, database: &[u8], log: &[u8], acknowledged: usize) {
    std::fs::create_dir(directory).unwrap();
    std::fs::write(directory.join("fenliu.db"), database).unwrap();
    std::fs::write(directory.join("fenliu.db-wal"), log).unwrap();
    std::fs::write(directory.join("durable"), format!("{acknowledged:020}\n")).unwrap();
}

#[tokio::test]
async fn whatever_becomes_of_a_log_a_start_finds_one_commit_as_it_was_or_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut sink) = Sqlite::open(&directory.path().join("whole"), Durability::Full).unwrap();
    let log = || std::fs::read(directory.path().join("whole/fenliu.db-wal")).unwrap();
    let (mut states, mut ends) = (vec![found(&store).await], Vec::new());
    for number in 1..=COMMITS {
        sink.commit(&[commit(number)], Position(number)).unwrap();
        states.push(found(&store).await);
        ends.push(log().len());
    }
    let (database, log) = (std::fs::read(directory.path().join("whole/fenliu.db")).unwrap(), log());
    let mut seen = std::collections::BTreeSet::new();

    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let damaged = damaged(&log, random);
        let whole = whole(&log, &damaged, &ends);
        let acknowledged = random.below(states.len());
        let folder = directory.path().join(seed.to_string());
        copy(&folder, &database, &damaged, acknowledged);

        match Sqlite::open(&folder, Durability::Normal) {
            Ok((store, _)) => {
                assert!(acknowledged <= whole, "seed {seed}: {acknowledged} were acknowledged, {whole} are there");
                assert_eq!(found(&store).await, states[whole], "seed {seed}");
            }
            Err(error) => {
                let behind = StoreError::Behind { found: whole as u64, acknowledged: acknowledged as u64 };
                assert_eq!(error, behind, "seed {seed}");
                assert!(acknowledged > whole, "seed {seed}");
            }
        }
        seen.insert(whole);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    assert!(seen.len() > states.len() / 2, "{seen:?}");
}
