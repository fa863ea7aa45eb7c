//! Thins warnings that repeat: a few of each in a while are written, the others counted, and the next one says how many
//! there were. What has a reference is always written, since somebody was told to look for it.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Filter};

/// How long a while is.
const WHILE: Duration = Duration::from_secs(10);
/// How many warnings of one kind are written in a while.
const WRITTEN: u32 = 10;
/// The field of what is always written.
const REFERENCE: &str = "ref";

thread_local! {
    /// How many were left out before the one that is about to be written.
    static LEFT_OUT: Cell<u64> = const { Cell::new(0) };
}

/// Lets through what is to be written. There are as many kinds as places in the code that warn.
#[derive(Debug)]
pub(super) struct Thin {
    /// The most that anything else lets through.
    most: LevelFilter,
    kinds: Mutex<HashMap<Identifier, Kind>>,
}

#[derive(Clone, Copy, Debug)]
struct Kind {
    since: Instant,
    written: u32,
    left_out: u64,
}

impl Kind {
    fn new(now: Instant) -> Self {
        Self { since: now, written: 0, left_out: 0 }
    }

    /// Whether one more is written, and how many were left out before it.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.duration_since(self.since) >= WHILE {
            *self = Self { left_out: self.left_out, ..Self::new(now) };
        }
        if self.written >= WRITTEN {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Thin {
    pub(super) fn new(most: LevelFilter) -> Self {
        Self { most, kinds: Mutex::default() }
    }
}

impl<S> Filter<S> for Thin {
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most)
    }

    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() != Level::WARN || metadata.fields().field(REFERENCE).is_some() {
            return true;
        }
        let now = Instant::now();
        let admitted = self.kinds.lock().entry(metadata.callsite()).or_insert_with(|| Kind::new(now)).admit(now);
        LEFT_OUT.set(admitted.unwrap_or(0));
        admitted.is_some()
    }
}

/// Writes lines, each with the number of those left out before it.
#[derive(Clone, Debug)]
pub(super) struct Counting<W> {
    pub writer: W,
    pub json: bool,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Counting<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { writer: self.writer.make_writer(), json: self.json }
    }
}

/// A line on its way out. It comes in one piece.
#[derive(Debug)]
pub(super) struct Line<W> {
    writer: W,
    json: bool,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let left_out = LEFT_OUT.take();
        let end: &[u8] = if self.json { b"}\n" } else { b"\n" };
        match line.strip_suffix(end).filter(|_| left_out > 0) {
            Some(start) => {
                let said =
                    if self.json { format!(",\"left_out\":{left_out}}}\n") } else { format!(" left_out={left_out}\n") };
                self.writer.write_all(&[start, said.as_bytes()].concat())?;
                Ok(line.len())
            }
            None => self.writer.write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_written_in_a_while_and_the_next_says_how_many_were_not() {
        let begin = Instant::now();
        let mut kind = Kind::new(begin);

        let first: Vec<_> = (0..25).map(|_| kind.admit(begin)).collect();
        let next = kind.admit(begin + WHILE);

        assert_eq!(first.iter().flatten().count(), 10);
        assert_eq!((next, kind.admit(begin + WHILE)), (Some(15), Some(0)));
    }

    #[test]
    fn a_line_says_how_many_were_left_out() {
        let said = |json, line: &str| {
            LEFT_OUT.set(3);
            let mut written = Vec::new();
            Line { writer: &mut written, json }.write_all(line.as_bytes()).unwrap();
            String::from_utf8(written).unwrap()
        };

        assert_eq!(said(true, "{\"message\":\"x\"}\n"), "{\"message\":\"x\",\"left_out\":3}\n");
        assert_eq!(said(false, "WARN x\n"), "WARN x left_out=3\n");
    }
}
