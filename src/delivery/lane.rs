//! The lanes: a fixed few tasks that bring out what is durable, a domain always by the same one, in order.
//! What never became durable is dropped here, and whoever asked for it is told so.

use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;
use tokio::sync::{Barrier, mpsc};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::audience::Audience;
use super::{Mailbox, Peer, Taps};
use crate::directory::DomainId;
use crate::journal::{Fate, Position, Void, Writer};
use crate::metrics::Metrics;
use crate::model::SessionId;
use crate::policy::Method;
use crate::protocol::{self, Class, RpcError, Undone};
use crate::routing::{Outcome, Outgoing, Refusal};

/// The most lanes: to bring out is a small part of the work.
const LANES_MAX: usize = 4;

/// How many lanes there are, and how much each may have before it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Tasks.
    pub lanes: usize,
    /// Items that wait on one of them.
    pub items: usize,
}

impl Default for Settings {
    /// No more of them than can run at once: whoever comes and goes, comes and goes on each.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { lanes: processors.min(LANES_MAX), items: 4096 }
    }
}

/// Where a reply goes.
#[derive(Debug)]
pub struct ReplyTo {
    /// Whose.
    pub mailbox: Arc<Mailbox>,
    /// Which of its open requests.
    pub slot: u32,
    /// The request's id, to be echoed.
    pub id: Box<RawValue>,
    /// What was called.
    pub method: Method,
    /// For which side it is written.
    pub class: Class,
    /// When the request arrived.
    pub since: Instant,
}

/// A reply that waits for its position.
pub enum Reply {
    /// What came of a command.
    Outcome(ReplyTo, Result<Outcome, Refusal>),
    /// Anything else, written when its time has come.
    Made(ReplyTo, Box<dyn FnOnce() -> Utf8Bytes + Send>),
}

/// What is put on a lane.
pub enum Item {
    /// Something has happened, or was asked.
    Done {
        /// What it depends on.
        position: Option<Position>,
        /// Who is told what.
        outgoing: Vec<Outgoing>,
        /// What the one who asked is told, after that.
        reply: Option<Reply>,
    },
    /// A session opens: its reply is its first frame, and from there on it is told everything.
    Open {
        /// The session.
        peer: Arc<Peer>,
        /// What the reply depends on.
        position: Option<Position>,
        /// The reply.
        reply: Reply,
        /// Who is told what of its arrival, itself included.
        outgoing: Vec<Outgoing>,
    },
    /// From here on a session is told things.
    Attach {
        /// The session.
        peer: Arc<Peer>,
    },
    /// All lanes meet here: nothing from behind it is brought out before anything from before it, on whichever lane.
    /// From here on these sessions are told things on every lane.
    Meet {
        /// Where they meet.
        barrier: Arc<Barrier>,
        /// The sessions.
        peers: Arc<[Arc<Peer>]>,
    },
    /// From here on a session is told nothing.
    Detach {
        /// The session.
        session: SessionId,
    },
}

/// The lanes, as those see them who put something there.
#[derive(Clone)]
pub struct Lanes {
    senders: Arc<[mpsc::Sender<Placed>]>,
}

/// An item, and when it was put on its lane.
struct Placed {
    item: Item,
    at: Instant,
}

/// What every lane stands on.
#[derive(Clone)]
struct Ground {
    writer: Writer,
    metrics: Arc<Metrics>,
    taps: Arc<Taps>,
}

/// The right to put one item on a lane, without waiting.
pub struct Permit<'a>(Option<mpsc::Permit<'a, Placed>>);

/// The right to put one item on every lane, without waiting.
pub struct AllLanes<'a>(Vec<Permit<'a>>);

impl Lanes {
    /// Starts the tasks on the runtime that this is called from. They end when everybody has let go of the lanes.
    pub fn start(settings: Settings, writer: &Writer) -> (Self, Vec<JoinHandle<()>>) {
        Self::watched(settings, writer, &Arc::default(), &Arc::default())
    }

    /// The same; what they do is counted, and told to those who listen.
    pub fn watched(
        settings: Settings,
        writer: &Writer,
        metrics: &Arc<Metrics>,
        taps: &Arc<Taps>,
    ) -> (Self, Vec<JoinHandle<()>>) {
        let ground = Ground { writer: writer.clone(), metrics: Arc::clone(metrics), taps: Arc::clone(taps) };
        let (mut senders, mut tasks) = (Vec::new(), Vec::new());
        for _ in 0..settings.lanes.max(1) {
            let (sender, receiver) = mpsc::channel(settings.items.max(1));
            senders.push(sender);
            tasks.push(tokio::spawn(run(receiver, ground.clone(), settings.items.max(1))));
        }
        (Self { senders: senders.into() }, tasks)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.senders.len()
    }

    /// Waits for the right to put an item on the lane of a domain.
    pub async fn reserve(&self, domain: DomainId) -> Permit<'_> {
        Permit(self.of(domain).reserve().await.ok())
    }

    /// Waits for the right to put an item on every lane.
    pub async fn reserve_all(&self) -> AllLanes<'_> {
        let mut permits = Vec::with_capacity(self.senders.len());
        for sender in self.senders.iter() {
            permits.push(Permit(sender.reserve().await.ok()));
        }
        AllLanes(permits)
    }

    /// Puts on the lane of a domain what may be lost: where the lane is full, it is.
    pub fn send_ephemeral(&self, domain: DomainId, outgoing: Vec<Outgoing>) -> bool {
        self.of(domain).try_send(Placed::now(Item::Done { position: None, outgoing, reply: None })).is_ok()
    }

    /// Lets a session be told things on every lane: for a buyer, who may meet any seller.
    pub async fn attach_everywhere(&self, peer: &Arc<Peer>) {
        for sender in self.senders.iter() {
            let _ = sender.send(Placed::now(Item::Attach { peer: Arc::clone(peer) })).await;
        }
    }

    /// Lets a session be told nothing any more, on no lane.
    pub async fn detach_everywhere(&self, session: SessionId) {
        for sender in self.senders.iter() {
            let _ = sender.send(Placed::now(Item::Detach { session })).await;
        }
    }

    fn of(&self, domain: DomainId) -> &mpsc::Sender<Placed> {
        &self.senders[domain.0 as usize % self.senders.len()]
    }
}

impl AllLanes<'_> {
    /// Lets all lanes meet here. Never blocks.
    pub fn meet(self, peers: Vec<Arc<Peer>>) {
        let (barrier, peers): (_, Arc<[_]>) = (Arc::new(Barrier::new(self.0.len())), peers.into());
        for permit in self.0 {
            permit.send(Item::Meet { barrier: Arc::clone(&barrier), peers: Arc::clone(&peers) });
        }
    }
}

impl Permit<'_> {
    /// Puts an item on the lane. Never blocks.
    pub fn send(self, item: Item) {
        if let Some(permit) = self.0 {
            permit.send(Placed::now(item));
        }
    }
}

impl Placed {
    fn now(item: Item) -> Self {
        Self { item, at: Instant::now() }
    }
}

impl Item {
    /// Whether it cannot leave yet.
    fn waits(&self, writer: &Writer) -> bool {
        let (Self::Done { position, .. } | Self::Open { position, .. }) = self else { return false };
        position.is_some_and(|position| writer.fate(position) == Fate::Pending)
    }
}

impl ReplyTo {
    /// Answers it, and counts that: `code` is `ok` or the kind of an error.
    pub fn answer(&self, metrics: &Metrics, code: &'static str, text: Utf8Bytes) {
        metrics.answered(self.method.name(), code, self.since.elapsed());
        self.mailbox.push_reply(self.slot, text);
    }
}

impl Reply {
    fn deliver(self, metrics: &Metrics) {
        match self {
            Self::Outcome(to, result) => {
                let kind = |refusal| RpcError::from(refusal).kind().name();
                let code = result.as_ref().map_or_else(kind, |_| "ok");
                to.answer(metrics, code, protocol::reply(&to.id, to.method, to.class, &result));
            }
            Self::Made(to, make) => to.answer(metrics, "ok", make()),
        }
    }

    fn deny(self, metrics: &Metrics, void: Void) {
        let undone = match void {
            Void::Lost => Undone::NotDone,
            Void::Unknown => Undone::Unknown,
        };
        let (Self::Outcome(to, _) | Self::Made(to, _)) = self;
        let error = RpcError::unavailable(undone);
        to.answer(metrics, error.kind().name(), protocol::error_reply(Some(&to.id), &error));
    }
}

async fn run(mut receiver: mpsc::Receiver<Placed>, ground: Ground, items_max: usize) {
    let mut audience = Audience::default();
    let mut items = Vec::new();
    while let Some(first) = receiver.recv().await {
        // What would leave at once lets everybody speak first who has something to say now: what comes of it all leaves
        // as one write a socket. What has to wait for the journal gathers there.
        if !first.item.waits(&ground.writer) {
            tokio::task::yield_now().await;
        }
        items.push(first);
        while receiver.try_recv().map(|item| items.push(item)).is_ok() && items.len() < items_max {}
        for Placed { item, at } in items.drain(..) {
            bring_out(&mut audience, &ground, item).await;
            ground.metrics.deliver.observe(at.elapsed());
        }
    }
}

async fn bring_out(audience: &mut Audience, ground: &Ground, item: Item) {
    let Ground { writer, metrics, taps } = ground;
    match item {
        Item::Done { position, outgoing, reply } => {
            if let Err(void) = fate(writer, position).await {
                if let Some(reply) = reply {
                    reply.deny(metrics, void);
                }
                return;
            }
            for outgoing in &outgoing {
                audience.fan_out(outgoing);
            }
            taps.hear(&outgoing, metrics);
            if let Some(reply) = reply {
                reply.deliver(metrics);
            }
        }
        Item::Open { peer, position, reply, outgoing } => {
            if let Err(void) = fate(writer, position).await {
                return reply.deny(metrics, void);
            }
            reply.deliver(metrics);
            audience.attach(peer);
            for outgoing in &outgoing {
                audience.fan_out(outgoing);
            }
        }
        Item::Attach { peer } => audience.attach(peer),
        Item::Meet { barrier, peers } => {
            barrier.wait().await;
            for peer in peers.iter() {
                audience.attach(Arc::clone(peer));
            }
        }
        Item::Detach { session } => audience.detach(session),
    }
}

async fn fate(writer: &Writer, position: Option<Position>) -> Result<(), Void> {
    match position {
        Some(position) => writer.durable(position).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
