//! Buyers who write and an agent who answers, through every crash; and what has to be true of it afterwards.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fenliu::auth::Role;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::host::{Gone, Host, PATIENCE, Session};

/// Everybody's acknowledged messages: by conversation and client id, the number.
type Acknowledged = HashMap<(String, String), u64>;

/// People who talk.
pub struct Load {
    tasks: Vec<JoinHandle<Acknowledged>>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    sent: AtomicU64,
    more: Notify,
    stopping: AtomicBool,
}

impl Load {
    /// So many buyers and one agent of `tea` begin to talk.
    pub fn begin(host: &Arc<Host>, buyers: usize) -> Self {
        let progress = Arc::new(Progress::default());
        let mut tasks = vec![tokio::spawn(answer(Arc::clone(host), Arc::clone(&progress)))];
        for buyer in 0..buyers {
            tasks.push(tokio::spawn(write(Arc::clone(host), Arc::clone(&progress), format!("buyer-{buyer}"))));
        }
        Self { tasks, progress }
    }

    /// Waits until so many more messages have been acknowledged.
    pub async fn more_than(&self, count: u64) {
        let wanted = self.progress.sent.load(Ordering::Relaxed) + count;
        let waiting = async {
            while self.progress.sent.load(Ordering::Relaxed) < wanted {
                self.progress.more.notified().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("messages in time");
    }

    /// Ends the talk and looks at what is kept of it.
    pub async fn check(self, host: &Host) {
        self.progress.stopping.store(true, Ordering::Relaxed);
        let mut acknowledged = Acknowledged::new();
        for task in self.tasks {
            acknowledged.extend(task.await.unwrap());
        }
        assert!(!acknowledged.is_empty());
        let mut conversations = BTreeMap::<String, Vec<(String, u64)>>::new();
        for ((conversation, client_id), seq) in acknowledged {
            conversations.entry(conversation).or_default().push((client_id, seq));
        }
        let mut mei = host.session(Role::Staff, "mei").await;
        for (conversation, acknowledged) in conversations {
            let kept = history(&mut mei, &json!(conversation)).await;
            let seqs: Vec<u64> = kept.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
            assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "numbers without gaps in {conversation}");
            let mut known = HashMap::new();
            for message in &kept {
                let Some(client_id) = message["client_id"].as_str().or(message["body"]["text"].as_str()) else {
                    continue;
                };
                let before = known.insert(client_id.to_owned(), message["seq"].as_u64().unwrap());
                assert_eq!(before, None, "{client_id} is there twice in {conversation}");
            }
            for (client_id, seq) in acknowledged {
                assert_eq!(known.get(&client_id), Some(&seq), "{client_id} of {conversation}");
            }
        }
    }
}

/// A buyer: one message after the other, each sent again until it is acknowledged; sometimes it begins anew.
async fn write(host: Arc<Host>, progress: Arc<Progress>, sub: String) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    let mut session = host.session(Role::Buyer, &sub).await;
    let mut number = 0;
    let mut conversation = Value::Null;
    while !progress.stopping.load(Ordering::Relaxed) {
        let client_id = format!("{sub}-{number}");
        let done = async {
            if conversation.is_null() {
                let Ok(started) = start(&mut session, "tea").await? else { return Ok::<_, Gone>(None) };
                conversation = started["conversation"]["id"].clone();
            }
            session.call("message.send", message(&conversation, &client_id)).await.map(Some)
        };
        match done.await {
            Err(Gone) => session = host.session(Role::Buyer, &sub).await,
            Ok(Some(Ok(sent))) => {
                let id = conversation.as_str().unwrap().to_owned();
                acknowledged.insert((id, client_id), sent["seq"].as_u64().unwrap());
                number += 1;
                progress.sent.fetch_add(1, Ordering::Relaxed);
                progress.more.notify_waiters();
                progress.more.notify_one();
                if number % 37 == 0 {
                    let closed = session.call("conversation.close", json!({ "conversation": conversation })).await;
                    conversation = if closed.is_ok() { Value::Null } else { conversation };
                }
            }
            Ok(Some(Err(error))) => panic!("{client_id}: {error}"),
            Ok(None) => panic!("{sub} cannot begin"),
        }
    }
    acknowledged
}

/// An agent: answers whatever it hears, once.
async fn answer(host: Arc<Host>, progress: Arc<Progress>) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    let mut session = host.session(Role::Staff, "mei").await;
    while !progress.stopping.load(Ordering::Relaxed) {
        let Ok(heard) = tokio::time::timeout(PATIENCE / 30, session.event()).await else { continue };
        let Ok(event) = heard else {
            session = host.session(Role::Staff, "mei").await;
            continue;
        };
        if event["method"] != "message.new" {
            continue;
        }
        let params = &event["params"];
        let (conversation, seq) = (&params["conversation"], &params["seq"]);
        let client_id = format!("answer-{seq}");
        match session.call("message.send", message(conversation, &client_id)).await {
            Ok(Ok(sent)) => {
                let id = conversation.as_str().unwrap().to_owned();
                acknowledged.insert((id, client_id), sent["seq"].as_u64().unwrap());
            }
            // Closed meanwhile.
            Ok(Err(_)) => {}
            Err(Gone) => session = host.session(Role::Staff, "mei").await,
        }
    }
    acknowledged
}

/// What stands at `ink`: two conversations that bo has, two that wait behind them, begun where they are not there.
/// For each buyer the state, the owner and the place.
pub async fn standing(host: &Host) -> Vec<(String, Value, Value)> {
    let _bo = host.session(Role::Staff, "bo").await;
    let mut all = Vec::new();
    for buyer in 0..4 {
        let sub = format!("patient-{buyer}");
        let mut session = host.session(Role::Buyer, &sub).await;
        let started = start(&mut session, "ink").await.unwrap().unwrap();
        let conversation = &started["conversation"];
        let state = conversation["state"].as_str().unwrap().to_owned();
        all.push((state, conversation["agent"]["id"].clone(), conversation["queue"]["position"].clone()));
    }
    let states: Vec<_> = all.iter().map(|(state, ..)| state.as_str()).collect();
    assert_eq!(states, ["active", "active", "queued", "queued"]);
    all
}

/// A buyer begins a conversation, or has its open one.
pub async fn start(session: &mut Session, seller: &str) -> Result<Result<Value, Value>, Gone> {
    session.call("conversation.start", json!({ "seller": seller })).await
}

/// A message that says its own id.
pub fn message(conversation: &Value, client_id: &str) -> Value {
    json!({ "conversation": conversation, "client_id": client_id, "body": { "type": "text", "text": client_id } })
}

/// Every message of a conversation.
pub async fn history(session: &mut Session, conversation: &Value) -> Vec<Value> {
    let mut kept = Vec::new();
    loop {
        let after = kept.last().map_or(json!(0), |last: &Value| last["seq"].clone());
        let params = json!({ "conversation": conversation, "after": after, "limit": 100 });
        let mut page = session.call("message.history", params).await.unwrap().unwrap();
        kept.append(page["messages"].as_array_mut().unwrap());
        if page["more"] != true {
            return kept;
        }
    }
}
