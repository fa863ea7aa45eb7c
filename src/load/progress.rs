//! What is shown while it runs: a block that is drawn again every second on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::Common;
use super::report::Second;
use super::scenario::Scenario;

/// How often a line is written where there is no terminal.
const RARELY: Duration = Duration::from_secs(10);
/// How often counts of those who come are drawn.
const OFTEN: Duration = Duration::from_millis(200);

/// Whether anything is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// On the standard error.
    Progress,
    /// Nothing.
    Nothing,
}

pub(super) struct Progress {
    show: Show,
    terminal: bool,
    drawn: usize,
    last: Option<Instant>,
    stages: Vec<(String, Duration)>,
    common: Arc<Common>,
}

impl Progress {
    pub(super) fn new(show: Show, scenario: &Scenario, common: Arc<Common>) -> Self {
        let stages = scenario.stages.iter().map(|stage| (stage.name.clone(), stage.lasts)).collect();
        Self { show, terminal: std::io::stderr().is_terminal(), drawn: 0, last: None, stages, common }
    }

    pub(super) fn coming(&mut self, here: usize, all: usize) {
        if here == all || self.is_time(OFTEN) {
            self.draw(&[format!("connecting: {here} of {all}")]);
        }
    }

    pub(super) fn starting(&mut self, begun: usize, all: usize) {
        if self.is_time(OFTEN) {
            self.draw(&[format!("starting conversations: {begun} of {all}")]);
        }
    }

    pub(super) fn say(&mut self, what: &str) {
        self.draw(&[what.to_owned()]);
    }

    pub(super) fn second(&mut self, second: &Second, [talking, waiting, free]: [usize; 3]) {
        if !self.is_time(Duration::ZERO) {
            return;
        }
        let (stage, at, lasts) = self.stage();
        let violated = self.common.recorder.violated();
        self.draw(&[
            format!("{stage} {at:.0} of {lasts:.0} s · {talking} talking, {waiting} waiting, {free} free"),
            format!(
                "offered {}/s · acknowledged {}/s, p50 {:.2} ms, p99 {:.2} ms · told {}/s, p50 {:.2} ms, p99 {:.2} ms",
                second.offered,
                second.acknowledged,
                second.ack_p50_ms,
                second.ack_p99_ms,
                second.delivered,
                second.deliver_p50_ms,
                second.deliver_p99_ms
            ),
            format!(
                "errors {} · promises broken {violated} · lag of the generator at most {:.2} ms",
                second.errors, second.lag_max_ms
            ),
        ]);
    }

    pub(super) fn end(&mut self) {
        if self.terminal {
            self.draw(&[]);
        }
    }

    fn is_time(&mut self, on_terminal: Duration) -> bool {
        let every = if self.terminal { on_terminal } else { RARELY };
        let due = self.last.is_none_or(|last| last.elapsed() >= every);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }

    fn stage(&self) -> (&str, f64, f64) {
        let mut at = self.common.recorder.running_for();
        for (name, lasts) in &self.stages {
            if at < *lasts {
                return (name, at.as_secs_f64(), lasts.as_secs_f64());
            }
            at -= *lasts;
        }
        ("the end", 0.0, 0.0)
    }

    fn draw(&mut self, lines: &[String]) {
        if self.show == Show::Nothing {
            return;
        }
        let mut out = String::new();
        if self.terminal && self.drawn > 0 {
            // Up to the first line of the block, and everything from there on away.
            out.push_str(&format!("\x1b[{}A\r\x1b[J", self.drawn));
        }
        for line in lines {
            out.push_str(line);
            out.push('\n');
        }
        self.drawn = lines.len();
        let _ = std::io::stderr().write_all(out.as_bytes());
    }
}
