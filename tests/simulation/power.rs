//! What is left of a store's files when the power fails: what was synced is there, and of what was written since then all
//! arrived, or nothing, or some sectors, or a beginning with something else behind it. Of SQLite only
//! what it syncs when is here, and the length of its frames.

use std::fs;
use std::ops::Range;
use std::path::Path;

use crate::random::Random;

/// What a disk writes as a whole.
const SECTOR: usize = 512;
/// The header of a log, and that of each frame in it.
const HEADERS: (usize, usize) = (32, 24);

/// The files of a store at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub database: Vec<u8>,
    /// The log, up to the last frame that is not all zeros.
    pub log: Vec<u8>,
}

impl Image {
    /// The files as the system has them.
    pub fn of(folder: &Path) -> Self {
        let mut log = fs::read(folder.join("fenliu.db-wal")).unwrap_or_default();
        let used = log.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let end = frame_end(&log, used);
        log.resize(end, 0);
        Self { database: fs::read(folder.join("fenliu.db")).unwrap(), log }
    }

    /// Makes a store of them that says how many commits were acknowledged.
    pub fn put(&self, folder: &Path, acknowledged: u64) {
        fs::write(folder.join("fenliu.db"), &self.database).unwrap();
        fs::write(folder.join("fenliu.db-wal"), &self.log).unwrap();
        fs::write(folder.join("durable"), format!("{acknowledged:020}\n")).unwrap();
    }

    /// Where in the log it ends what was written since another moment.
    pub fn end_since(&self, before: &Self) -> usize {
        let differing = sectors(&self.log).rev().find(|sector| !same(&before.log, &self.log, sector.clone()));
        let differs = |at: &usize| before.log.get(*at) != self.log.get(*at);
        let last = differing.and_then(|mut sector| sector.rfind(differs)).map_or(0, |last| last + 1);
        frame_end(&self.log, last)
    }

    /// What is left when the power fails, and this was written since everything was synced.
    pub fn torn(&self, synced: &Self, random: &mut Random) -> Self {
        if self.database == synced.database {
            return Self { database: self.database.clone(), log: self.torn_log(&synced.log, random) };
        }
        // The log is synced before any of it is moved into the database, and is not written again before that is synced.
        Self { database: torn(&synced.database, &self.database, random), log: self.log.clone() }
    }

    /// A log that begins anew has its header synced before anything else is written.
    fn torn_log(&self, synced: &[u8], random: &mut Random) -> Vec<u8> {
        let header = 0..HEADERS.0.min(self.log.len());
        if same(synced, &self.log, header.clone()) {
            return torn(synced, &self.log, random);
        }
        let mut begun = synced.to_vec();
        if random.percent(20) {
            arrive(&mut begun, &self.log, 0, random.below(header.end));
            return begun;
        }
        arrive(&mut begun, &self.log, 0, header.end);
        torn(&begun, &self.log, random)
    }

    /// Whether the log is the same up to a byte.
    pub fn has(&self, other: &Self, end: usize) -> bool {
        self.log.get(..end) == other.log.get(..end)
    }
}

/// The end of the frame in which a byte of the log is the last one.
fn frame_end(log: &[u8], end: usize) -> usize {
    let Some(size) = log.get(8..12).filter(|_| end > 0) else { return 0 };
    let frame = HEADERS.1 + usize::try_from(u32::from_be_bytes(size.try_into().unwrap())).unwrap();
    HEADERS.0 + end.saturating_sub(HEADERS.0).div_ceil(frame) * frame
}

/// What becomes of a file.
fn torn(synced: &[u8], written: &[u8], random: &mut Random) -> Vec<u8> {
    let differing = sectors(written).find(|sector| !same(synced, written, sector.clone()));
    let first = differing.and_then(|mut sector| sector.find(|at| synced.get(*at) != written.get(*at)));
    let Some(first) = first else { return synced.to_vec() };
    let mut left = synced.to_vec();
    let at = first + random.below(written.len() - first + 1);
    match random.below(5) {
        0 => {}
        1 => arrive(&mut left, written, first, at),
        2 => {
            let chance = *random.one(&[10, 50, 90, 99]);
            for sector in sectors(written).filter(|sector| sector.end > first) {
                if random.percent(chance) {
                    arrive(&mut left, written, sector.start, sector.end);
                }
            }
        }
        // The rest is what the sectors hold of some other file.
        3 => {
            arrive(&mut left, written, first, written.len());
            for sector in sectors(written).filter(|sector| sector.end > at && !same(synced, written, sector.clone())) {
                left[sector.start.max(at)..sector.end].fill_with(|| random.next().to_le_bytes()[0]);
            }
        }
        _ => arrive(&mut left, written, first, written.len()),
    }
    left
}

fn sectors(of: &[u8]) -> impl DoubleEndedIterator<Item = Range<usize>> + use<> {
    let end = of.len();
    (0..end.div_ceil(SECTOR)).map(move |at| at * SECTOR..end.min((at + 1) * SECTOR))
}

fn same(one: &[u8], other: &[u8], range: Range<usize>) -> bool {
    one.get(range.clone()) == other.get(range)
}

fn arrive(left: &mut Vec<u8>, written: &[u8], from: usize, to: usize) {
    if left.len() < to {
        left.resize(to, 0);
    }
    left[from..to].copy_from_slice(&written[from..to]);
}
