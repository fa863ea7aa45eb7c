//! A client as all parts have one: its session, what it has asked, and what it has seen of every conversation.
//! It comes back after a loss as the protocol says: it reads what it missed and sends again what was not answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::check::Thread;
use super::record::{Operation, Recorder};
use super::stamp::Stamp;
use super::told::{History, Message, Opened, Sent};
use super::wire::{Slow, Target, Wire, WireError, frame};
use crate::model::ConversationId;

/// What everybody in a run shares.
pub(super) struct Common {
    pub(super) target: Target,
    pub(super) recorder: Recorder,
    pub(super) ledger: Ledger,
    /// The name of the run: part of what a message is called, since agents may still hold what an earlier run has left.
    pub(super) run: String,
    /// Characters of a message's text.
    pub(super) text: usize,
    /// Messages that a talking buyer keeps unanswered by itself; 0: open loop.
    pub(super) closed_loop: usize,
    /// Whether the stages are running.
    pub(super) running: AtomicBool,
    pub(super) numbers: AtomicU64,
    /// Sessions that have come.
    pub(super) opened: AtomicUsize,
}

impl Common {
    /// What the sender of a message calls it.
    pub(super) fn client_id(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }
}

/// What has been acknowledged, by conversation: the number in the conversation and that of the run.
#[derive(Default)]
pub(super) struct Ledger(Mutex<HashMap<ConversationId, Vec<(u64, u64)>>>);

impl Ledger {
    fn enter(&self, conversation: ConversationId, seq: u64, number: u64) {
        self.0.lock().entry(conversation).or_default().push((seq, number));
    }

    /// Everything of a conversation.
    pub(super) fn of(&self, conversation: ConversationId) -> Vec<(u64, u64)> {
        self.0.lock().get(&conversation).cloned().unwrap_or_default()
    }

    /// The last message of a conversation that was acknowledged to anybody.
    pub(super) fn last(&self, conversation: ConversationId) -> u64 {
        self.0.lock().get(&conversation).and_then(|all| all.iter().map(|(seq, _)| *seq).max()).unwrap_or(0)
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    Send { conversation: ConversationId, number: u64 },
    Start { number: u64 },
    Close,
    Transfer,
    Accept,
}

/// What a frame means for whoever has the client.
pub(super) enum Heard {
    /// Nothing beyond what the client has done with it.
    Nothing,
    /// A message was taken.
    Taken,
    /// An event.
    Event { method: String, params: String },
    /// The result of something asked.
    Done { asked: Asked, result: String, due: Duration },
    /// It failed.
    Failed { asked: Asked },
}

/// A client.
pub(super) struct Client {
    pub(super) common: Arc<Common>,
    /// How it is called in violations.
    pub(super) name: String,
    number: usize,
    token: String,
    status: Option<&'static str>,
    slow: Slow,
    wire: Option<Wire>,
    pending: HashMap<u64, (Asked, Duration)>,
    unsure: Vec<(Asked, Duration)>,
    threads: HashMap<ConversationId, Thread>,
}

impl Client {
    pub(super) fn new(
        common: Arc<Common>,
        name: String,
        number: usize,
        token: String,
        status: Option<&'static str>,
        slow: Slow,
    ) -> Self {
        let (pending, threads) = (HashMap::new(), HashMap::new());
        Self { common, name, number, token, status, slow, wire: None, pending, unsure: Vec::new(), threads }
    }

    /// Connects and opens its session; an operation that was due then.
    pub(super) async fn connect(&mut self, operation: Operation, due: Option<Duration>) -> Result<Opened, WireError> {
        let begun = std::time::Instant::now();
        let mut wire = Wire::connect(&self.common.target, self.number, self.slow).await?;
        let text = wire.open(&self.token, self.status).await?;
        let opened: Opened = serde_json::from_str(&text).map_err(|_| WireError::Refused("unreadable".to_owned()))?;
        self.wire = Some(wire);
        self.catch_up(&opened).await?;
        match due {
            Some(due) => self.common.recorder.note(operation, due),
            None => self.common.recorder.note_took(operation, begun.elapsed()),
        }
        Ok(opened)
    }

    /// Reads what was told while nobody listened, and sends again what may not have arrived.
    async fn catch_up(&mut self, opened: &Opened) -> Result<(), WireError> {
        for conversation in &opened.conversations {
            // A buyer may have lost the answer to what began it; who holds it only now begins behind what is shown.
            let is_known = self.threads.contains_key(&conversation.id);
            if !is_known && self.status.is_some() {
                continue;
            }
            self.thread(conversation.id).open(conversation.last_seq);
            while let Some(missing) = self.threads.get(&conversation.id).and_then(|t| t.missing(conversation.last_seq))
            {
                let read = self.history(conversation.id, missing - 1, |_| {}).await?;
                if read.0 == 0 {
                    break;
                }
            }
        }
        while let Some((asked, due)) = self.unsure.first().copied() {
            if let Asked::Send { conversation, number } = asked {
                self.send_numbered(conversation, number, due).await?;
            }
            self.unsure.remove(0);
            self.under_way(-1);
        }
        self.flush().await
    }

    /// Reads one page of a history after a number: how many there were, and whether there are more.
    pub(super) async fn history(
        &mut self,
        conversation: ConversationId,
        after: u64,
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<(usize, bool), WireError> {
        let Some(wire) = &mut self.wire else { return Err(WireError::Broken) };
        let begun = std::time::Instant::now();
        let params = format!(r#"{{"conversation":"{conversation}","after":{after},"limit":200}}"#);
        let text = wire.call("message.history", &params).await?;
        self.common.recorder.note_took(Operation::History, begun.elapsed());
        let history: History<'_> =
            serde_json::from_str(&text).map_err(|_| WireError::Refused("unreadable".to_owned()))?;
        for message in &history.messages {
            each(message);
            if let Some(thread) = self.threads.get_mut(&conversation) {
                thread.know(message.seq);
            }
        }
        Ok((history.messages.len(), history.more))
    }

    pub(super) fn is_connected(&self) -> bool {
        self.wire.is_some()
    }

    /// The connection is gone: what was not answered may have happened or not.
    pub(super) fn lose(&mut self) {
        self.wire = None;
        let pending = self.pending.drain().map(|(_, asked)| asked);
        let (again, lost): (Vec<_>, Vec<_>) = pending.partition(|(asked, _)| matches!(asked, Asked::Send { .. }));
        self.unsure.extend(again);
        self.unsure.sort_unstable_by_key(|(_, due)| *due);
        self.under_way(-i64::try_from(lost.len()).unwrap_or(0));
    }

    /// Says goodbye.
    pub(super) async fn leave(&mut self) {
        if let Some(wire) = self.wire.take() {
            wire.close().await;
        }
    }

    /// Sends a message that was due then.
    pub(super) async fn send(&mut self, conversation: ConversationId, due: Duration) -> Result<(), WireError> {
        let number = self.common.numbers.fetch_add(1, Ordering::Relaxed);
        self.common.recorder.sent.fetch_add(1, Ordering::Relaxed);
        self.send_numbered(conversation, number, due).await
    }

    async fn send_numbered(
        &mut self,
        conversation: ConversationId,
        number: u64,
        due: Duration,
    ) -> Result<(), WireError> {
        let text = Stamp { due, number }.text(self.common.text);
        let client_id = self.common.client_id(number);
        let params = format!(
            r#"{{"conversation":"{conversation}","client_id":"{client_id}","body":{{"type":"text","text":"{text}"}}}}"#
        );
        self.ask("message.send", &params, Asked::Send { conversation, number }, due).await
    }

    /// Asks for something that was due then.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        params: &str,
        asked: Asked,
        due: Duration,
    ) -> Result<(), WireError> {
        let Some(wire) = &mut self.wire else { return Err(WireError::Broken) };
        let id = wire.ask(method, params).await?;
        self.pending.insert(id, (asked, due));
        self.under_way(1);
        Ok(())
    }

    /// Counts what has not been answered; who does not read is not waited for.
    fn under_way(&self, change: i64) {
        if self.slow == Slow::No {
            self.common.recorder.outstanding.fetch_add(change, Ordering::Relaxed);
        }
    }

    pub(super) async fn flush(&mut self) -> Result<(), WireError> {
        match &mut self.wire {
            Some(wire) => wire.flush().await,
            None => Ok(()),
        }
    }

    /// The next frame. It may be given up while it waits.
    pub(super) async fn next(&mut self) -> Result<Utf8Bytes, WireError> {
        match &mut self.wire {
            Some(wire) => wire.next().await,
            None => std::future::pending().await,
        }
    }

    /// Takes a frame.
    pub(super) fn take(&mut self, text: &str) -> Result<Heard, WireError> {
        let frame = frame(text)?;
        if let Some(method) = &frame.method {
            let params = frame.params.map_or("{}", |params| params.get());
            if method == "message.new" {
                self.told(params);
                return Ok(Heard::Nothing);
            }
            return Ok(Heard::Event { method: method.as_ref().to_owned(), params: params.to_owned() });
        }
        let Some((asked, due)) = frame.id.and_then(|id| self.pending.remove(&id)) else { return Ok(Heard::Nothing) };
        self.under_way(-1);
        let recorder = &self.common.recorder;
        if let Some(fault) = frame.error {
            recorder.error(&fault.kind());
            return Ok(Heard::Failed { asked });
        }
        let result = frame.result.map_or("{}", |result| result.get());
        let Asked::Send { conversation, number } = asked else {
            return Ok(Heard::Done { asked, result: result.to_owned(), due });
        };
        if let Ok(sent) = serde_json::from_str::<Sent>(result) {
            recorder.note(Operation::Ack, due);
            self.acknowledged(conversation, sent.seq, number);
        }
        Ok(Heard::Taken)
    }

    /// A message of its own has its number.
    pub(super) fn acknowledged(&mut self, conversation: ConversationId, seq: u64, number: u64) {
        self.common.recorder.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.common.ledger.enter(conversation, seq, number);
        self.thread(conversation).know(seq);
    }

    /// What it knows of a conversation; of one it did not know, nothing yet.
    pub(super) fn thread(&mut self, conversation: ConversationId) -> &mut Thread {
        self.threads.entry(conversation).or_default()
    }

    /// From here on it is told a conversation, whose earlier messages it does not have.
    pub(super) fn join(&mut self, conversation: ConversationId, last_seq: u64) {
        self.threads.insert(conversation, Thread::from(last_seq));
    }

    /// It is told a conversation no more: everything until then must have come.
    pub(super) fn part(&mut self, conversation: ConversationId) {
        let Some(thread) = self.threads.remove(&conversation) else { return };
        let waits = self
            .pending
            .values()
            .any(|(asked, _)| matches!(asked, Asked::Send { conversation: pending, .. } if *pending == conversation));
        if let Some(missing) = thread.missing(0).filter(|_| !waits) {
            self.violation(&format!("was never told message {missing} of {conversation}"));
        }
    }

    /// At the end: everything acknowledged in this conversation must have come.
    pub(super) fn check_complete(&mut self, conversation: ConversationId) {
        let last = self.common.ledger.last(conversation);
        if let Some(missing) = self.thread(conversation).missing(last) {
            self.violation(&format!(
                "was never told message {missing} of {conversation}, where {last} is acknowledged"
            ));
        }
    }

    pub(super) fn violation(&self, what: &str) {
        self.common.recorder.violation(format!("{} {what}", self.name));
    }

    fn told(&mut self, params: &str) {
        let Ok(message) = serde_json::from_str::<Message<'_>>(params) else {
            return self.violation("was told a message that cannot be read");
        };
        let recorder = &self.common.recorder;
        recorder.delivered.fetch_add(1, Ordering::Relaxed);
        // One who does not read says nothing about the daemon.
        if let Some(stamp) = Stamp::of(&message.body.text).filter(|_| self.slow == Slow::No) {
            recorder.note(Operation::Deliver, stamp.due);
        }
        let (conversation, seq, prev) = (message.conversation, message.seq, message.prev);
        if let Err(fault) = self.thread(conversation).tell(seq, prev) {
            self.violation(&format!("in {conversation}: {fault}"));
        }
    }
}
