//! The parts that are played: buyers, agents, and those who only stay. One task each.

mod audit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::client::{Asked, Client, Heard};
use super::record::Operation;
use super::stamp::Stamp;
use super::told::{About, Conversation, Named, Opened, Started};
use super::wire::WireError;
use crate::model::ConversationId;

/// How long a client waits before it comes back after a loss that nobody ordered.
const COME_BACK: Duration = Duration::from_millis(200);

/// What one is told to do. Each was due at a time of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Send(Duration),
    Start(Duration),
    Close(Duration),
    Transfer(Duration),
    /// Lose the connection and come back at once.
    Break(Duration),
    /// Check, and go.
    Finish,
}

/// How a part stands, for whoever gives the orders.
#[derive(Default)]
pub(super) struct Standing(AtomicU32);

/// A buyer without a conversation.
pub(super) const FREE: u32 = 0;
/// One whose conversation nobody has yet.
pub(super) const WAITING: u32 = 1;
/// One whose conversation somebody has.
pub(super) const TALKING: u32 = 2;
/// One that does not read.
pub(super) const DEAF: u32 = 3;

impl Standing {
    /// Of a buyer one of the above; of an agent how many conversations it holds.
    pub(super) fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, standing: u32) {
        self.0.store(standing, Ordering::Relaxed);
    }
}

/// Which part.
pub(super) enum Role {
    Buyer { seller: String, slow: bool },
    Agent { capacity: u32, by_seller: BTreeMap<String, u32> },
    Idle,
}

/// What is found out at the end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ended {
    pub(super) closed: bool,
    pub(super) histories: u64,
    pub(super) messages: u64,
    /// The most that was held, in parts of what may be held.
    pub(super) fullest: f64,
}

/// Somebody who takes part.
pub(super) struct Part {
    pub(super) client: Client,
    role: Role,
    pub(super) standing: Arc<Standing>,
    orders: mpsc::Receiver<Order>,
    /// Of a buyer, its conversation; of an agent, what it holds.
    held: Vec<(ConversationId, Held)>,
    past: Vec<ConversationId>,
    turn: usize,
    ended: Ended,
}

struct Held {
    seller: String,
    group: Option<String>,
}

impl Part {
    pub(super) fn new(client: Client, role: Role, orders: mpsc::Receiver<Order>) -> Self {
        let standing = Arc::new(Standing::default());
        let (held, past) = (Vec::new(), Vec::new());
        Self { client, role, standing, orders, held, past, turn: 0, ended: Ended::default() }
    }

    /// Connects for the first time.
    pub(super) async fn enter(&mut self) -> Result<Opened, WireError> {
        let opened = self.client.connect(Operation::Connect, None).await?;
        for conversation in &opened.conversations {
            self.has(conversation);
        }
        Ok(opened)
    }

    /// Plays until it is told to finish.
    pub(super) async fn play(mut self) -> Ended {
        loop {
            let listens = self.client.is_connected() && self.standing_of_buyer() != Some(DEAF);
            let result = tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    None | Some(Order::Finish) => break,
                    Some(order) => self.obey(order).await,
                },
                text = self.client.next(), if listens => match text {
                    Ok(text) => self.hear(&text).await,
                    Err(error) => Err(error),
                },
            };
            let result = match result {
                Ok(()) => self.client.flush().await,
                failed => failed,
            };
            if let Err(error) = result {
                self.lost(&error).await;
            }
        }
        self.finish().await;
        self.client.leave().await;
        self.ended
    }

    fn standing_of_buyer(&self) -> Option<u32> {
        matches!(self.role, Role::Buyer { .. }).then(|| self.standing.now())
    }

    async fn lost(&mut self, error: &WireError) {
        self.client.common.recorder.error(&error.kind());
        self.client.lose();
        tokio::time::sleep(COME_BACK).await;
        if let Err(error) = self.come_back(Operation::Connect, None).await {
            self.client.common.recorder.error(&error.kind());
        }
    }

    async fn come_back(&mut self, operation: Operation, due: Option<Duration>) -> Result<(), WireError> {
        let opened = self.client.connect(operation, due).await?;
        // What ended while nobody listened is not among what is open.
        let gone = |held: &ConversationId| opened.conversations.iter().all(|open| open.id != *held);
        let ended: Vec<_> = self.held.iter().map(|(id, _)| *id).filter(gone).collect();
        for conversation in ended {
            self.lets_go(conversation);
        }
        for conversation in &opened.conversations {
            self.has(conversation);
        }
        Ok(())
    }

    async fn obey(&mut self, order: Order) -> Result<(), WireError> {
        self.turn = self.turn.wrapping_add(1);
        let at = self.turn % self.held.len().max(1);
        let held = self.held.get(at);
        match order {
            Order::Send(due) => match held {
                Some((conversation, _)) => self.client.send(*conversation, due).await,
                None => self.unserved("talk"),
            },
            Order::Start(due) => self.start(due).await,
            Order::Close(due) => match held {
                Some((conversation, _)) => {
                    let params = format!(r#"{{"conversation":"{conversation}"}}"#);
                    self.client.ask("conversation.close", &params, Asked::Close, due).await
                }
                None => self.unserved("close"),
            },
            Order::Transfer(due) => match held {
                Some((conversation, Held { group: Some(group), .. })) => {
                    let params = format!(r#"{{"conversation":"{conversation}","to":{{"group":"{group}"}}}}"#);
                    self.client.ask("conversation.transfer", &params, Asked::Transfer, due).await
                }
                _ => self.unserved("transfer"),
            },
            Order::Break(due) => {
                self.client.lose();
                self.come_back(Operation::Reconnect, Some(due)).await
            }
            Order::Finish => Ok(()),
        }
    }

    fn unserved(&self, order: &'static str) -> Result<(), WireError> {
        self.client.common.recorder.unserved(order);
        Ok(())
    }

    async fn start(&mut self, due: Duration) -> Result<(), WireError> {
        let Role::Buyer { seller, .. } = &self.role else { return Ok(()) };
        let number = self.client.common.numbers.fetch_add(1, Ordering::Relaxed);
        self.client.common.recorder.sent.fetch_add(1, Ordering::Relaxed);
        let text = Stamp { due, number }.text(self.client.common.text);
        let client_id = self.client.common.client_id(number);
        let params = format!(
            r#"{{"seller":"{seller}","context":{{"order":"{}"}},"message":{{"client_id":"{client_id}","body":{{"type":"text","text":"{text}"}}}}}}"#,
            &text[..text.find(';').map_or(text.len(), |at| at + 1)]
        );
        self.standing.set(WAITING);
        self.client.ask("conversation.start", &params, Asked::Start { number }, due).await
    }

    async fn hear(&mut self, text: &str) -> Result<(), WireError> {
        match self.client.take(text)? {
            Heard::Nothing => Ok(()),
            Heard::Taken => self.go_on().await,
            Heard::Event { method, params } => self.event(&method, &params).await,
            Heard::Done { asked, result, due } => self.done(asked, &result, due).await,
            Heard::Failed { asked } => {
                if let (Asked::Start { .. }, Role::Buyer { .. }) = (asked, &self.role) {
                    self.standing.set(FREE);
                }
                self.go_on().await
            }
        }
    }

    /// In a closed loop, what was answered is followed by the next.
    async fn go_on(&mut self) -> Result<(), WireError> {
        let common = &self.client.common;
        let talks = matches!(self.role, Role::Buyer { slow: false, .. }) && self.standing.now() == TALKING;
        if common.closed_loop == 0 || !talks || !common.running.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.obey(Order::Send(common.recorder.now())).await
    }

    async fn done(&mut self, asked: Asked, result: &str, due: Duration) -> Result<(), WireError> {
        let operation = match asked {
            Asked::Start { .. } => Operation::Start,
            Asked::Close => Operation::Close,
            Asked::Transfer => Operation::Transfer,
            Asked::Send { .. } | Asked::Accept => return Ok(()),
        };
        self.client.common.recorder.note(operation, due);
        let Asked::Start { number } = asked else { return Ok(()) };
        let Ok(started) = serde_json::from_str::<Started>(result) else { return Ok(()) };
        if let Some(seq) = started.seq {
            self.client.acknowledged(started.conversation.id, seq, number);
        }
        self.has(&started.conversation);
        Ok(())
    }

    async fn event(&mut self, method: &str, params: &str) -> Result<(), WireError> {
        match method {
            "conversation.assigned" => {
                let Ok(about) = serde_json::from_str::<About>(params) else { return Ok(()) };
                self.assigned(&about);
                self.go_on().await
            }
            "conversation.offered" => {
                let Ok(About { conversation, .. }) = serde_json::from_str(params) else { return Ok(()) };
                let params = format!(r#"{{"conversation":"{}"}}"#, conversation.id);
                self.client.ask("conversation.accept", &params, Asked::Accept, Duration::ZERO).await
            }
            "conversation.closed" => {
                if let Ok(about) = serde_json::from_str::<About>(params) {
                    self.lets_go(about.conversation.id);
                }
                Ok(())
            }
            "conversation.unassigned" | "conversation.queued" | "conversation.left_message" => {
                let Ok(Named { conversation }) = serde_json::from_str(params) else { return Ok(()) };
                match self.role {
                    Role::Buyer { slow: false, .. } => self.standing.set(WAITING),
                    Role::Agent { .. } => self.lets_go(conversation),
                    _ => {}
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn assigned(&mut self, about: &About) {
        let stamp = about.conversation.context.order.as_deref().and_then(Stamp::of);
        if let (Role::Agent { .. }, Some(stamp)) = (&self.role, stamp) {
            let recorder = &self.client.common.recorder;
            match about.cause.as_deref() {
                Some("start") => recorder.note(Operation::Assign, stamp.due),
                Some("slot_opened" | "overflow" | "recent_wait" | "returned") => {
                    recorder.note(Operation::Wait, stamp.due);
                }
                _ => {}
            }
        }
        self.has(&about.conversation);
    }

    /// It has a conversation: a buyer its own, an agent one that it holds.
    fn has(&mut self, conversation: &Conversation) {
        let known = self.held.iter().any(|(id, _)| *id == conversation.id);
        let active = conversation.state == "active";
        match &self.role {
            Role::Buyer { slow, .. } => {
                self.standing.set(match (slow, active) {
                    (true, _) => DEAF,
                    (false, true) => TALKING,
                    (false, false) => WAITING,
                });
            }
            Role::Agent { .. } if known || !active => return,
            Role::Agent { .. } => self.client.join(conversation.id, conversation.last_seq),
            Role::Idle => return,
        }
        if !known {
            let (seller, group) = (conversation.seller.clone(), conversation.group.clone());
            self.held.push((conversation.id, Held { seller, group }));
            self.count();
        }
    }

    fn lets_go(&mut self, conversation: ConversationId) {
        let before = self.held.len();
        self.held.retain(|(held, _)| *held != conversation);
        if self.held.len() == before {
            return;
        }
        match self.role {
            Role::Buyer { slow, .. } => {
                self.past.push(conversation);
                self.standing.set(if slow { DEAF } else { FREE });
            }
            _ => self.client.part(conversation),
        }
        self.count();
    }

    /// An agent counts what it holds, and whether it may.
    fn count(&mut self) {
        let Role::Agent { capacity, by_seller } = &self.role else { return };
        let holds = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        self.standing.set(holds);
        self.ended.fullest = self.ended.fullest.max(f64::from(holds) / f64::from((*capacity).max(1)));
        if holds > *capacity {
            self.client.violation(&format!("holds {holds} conversations and may hold {capacity}"));
        }
        for (seller, capacity) in by_seller {
            let holds = self.held.iter().filter(|(_, held)| held.seller == *seller).count();
            if u32::try_from(holds).is_ok_and(|holds| holds > *capacity) {
                self.client.violation(&format!("holds {holds} conversations of {seller} and may hold {capacity}"));
            }
        }
    }
}
