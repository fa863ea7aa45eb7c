//! A store that fails: whatever fails and whenever, everybody stays, is told, and finds what was acknowledged.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fenliu::daemon::Store;
use fenliu::journal::{Durability, Position, Restored, Settings, Sink, Sqlite, StoreError, Uncommitted, Write};
use fenliu::model::ConversationId;
use fenliu::routing::Row;
use serde_json::{Value, json};

use crate::peer::{Daemon, Peer, text};

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Before anything is written.
    Refused,
    /// It is written, and whether it is on the disk is not known.
    Doubtful,
    /// The same, and at first the store cannot even be opened again.
    Lost,
    /// It is refused, and so is the next try to write.
    Lasting,
}

/// A store of which one commit fails.
struct Faulty<S> {
    store: S,
    fault: Fault,
    /// The number of the commit that fails.
    at: u64,
    commits: Arc<AtomicU64>,
    refusals: u32,
}

fn broken() -> StoreError {
    StoreError::Failed("a fault of the test".into())
}

impl<S: Sink> Sink for Faulty<S> {
    fn commit(&mut self, writes: &[Write], last: Position) -> Result<(), Uncommitted> {
        let number = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        if number != self.at {
            return self.store.commit(writes, last);
        }
        self.refusals = u32::from(matches!(self.fault, Fault::Lost | Fault::Lasting));
        if matches!(self.fault, Fault::Doubtful | Fault::Lost) {
            self.store.commit(writes, last)?;
        }
        Err(Uncommitted { error: broken(), in_doubt: matches!(self.fault, Fault::Doubtful | Fault::Lost) })
    }

    fn restore(&mut self) -> Result<Restored, StoreError> {
        if self.fault == Fault::Lost && self.refusals > 0 {
            self.refusals -= 1;
            return Err(broken());
        }
        let mut restored = self.store.restore()?;
        // The store below has seen a commit like any other.
        restored.kept = matches!(self.fault, Fault::Doubtful | Fault::Lost);
        Ok(restored)
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        if self.fault == Fault::Lasting && self.refusals > 0 {
            self.refusals -= 1;
            return Err(broken());
        }
        self.store.probe()
    }
}

/// A daemon whose store fails at a commit, and how many there have been.
async fn daemon(folder: &Path, fault: Fault, at: u64) -> (Daemon, Arc<AtomicU64>) {
    let (sqlite, store) = Sqlite::open(folder, Durability::Normal).unwrap();
    let commits = Arc::new(AtomicU64::new(0));
    let sink = Faulty { store, fault, at, commits: Arc::clone(&commits), refusals: 0 };
    let store = Store::with(Arc::new(sqlite), sink, Settings::default()).await.unwrap();
    (Daemon::on(store), commits)
}

/// Somebody who opens a session, and does so again where it was closed.
struct Person<'a> {
    daemon: &'a Daemon,
    staff: bool,
    name: &'static str,
    peer: Option<Peer>,
}

impl<'a> Person<'a> {
    fn new(daemon: &'a Daemon, staff: bool, name: &'static str) -> Self {
        Self { daemon, staff, name, peer: None }
    }

    /// Asks until it is done; whatever fails meanwhile has to be what a failing store is told of.
    async fn insist(&mut self, method: &str, params: Value) -> Value {
        loop {
            if self.peer.is_none() {
                self.peer = self.come().await;
                continue;
            }
            let reply = match &mut self.peer {
                Some(peer) => peer.try_ask(method, params.clone()).await,
                None => None,
            };
            match reply {
                None => self.peer = None,
                Some(reply) if reply["error"].is_null() => return reply["result"].clone(),
                Some(reply) => assert_eq!(reply["error"]["data"]["kind"], "unavailable", "{method}: {reply}"),
            }
            tokio::task::yield_now().await;
        }
    }

    async fn come(&self) -> Option<Peer> {
        use fenliu::auth::Role;
        let role = if self.staff { Role::Staff } else { Role::Buyer };
        let mut params = json!({ "token": self.daemon.token(role, self.name, |_| {}) });
        if self.staff {
            params["status"] = json!("online");
        }
        let mut peer = Peer::connect(self.daemon).await;
        let reply = peer.try_ask("session.open", params).await?;
        reply["error"].is_null().then_some(peer)
    }
}

/// The scenario: two talk, close, begin anew and talk again; every call is made until it succeeds. Then everything is
/// there once and in order, and the table is what the store has.
async fn talk(daemon: &Daemon) {
    let mut mei = Person::new(daemon, true, "mei");
    let mut ann = Person::new(daemon, false, "ann");
    mei.insist("session.ping", json!({})).await;
    let mut conversations = Vec::new();
    for round in 0..2 {
        let first = text(&format!("first-{round}"), "hello");
        let started = ann.insist("conversation.start", json!({ "seller": "tea", "message": first })).await;
        let id = started["conversation"]["id"].clone();
        for number in 0..2 {
            for who in [&mut ann, &mut mei] {
                let mut message = text(&format!("{}-{round}-{number}", who.name), "words");
                message["conversation"] = id.clone();
                who.insist("message.send", message).await;
            }
        }
        let close = json!({ "conversation": id });
        if round == 0 {
            ann.insist_closed(close).await;
        }
        conversations.push(id);
    }
    for id in &conversations {
        let page = ann.insist("message.history", json!({ "conversation": id, "after": 0 })).await;
        let messages = page["messages"].as_array().unwrap();
        let seqs: Vec<_> = messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, [1, 2, 3, 4, 5], "{page}");
    }
    assert_equal(daemon).await;
}

impl Person<'_> {
    /// Closes a conversation; that it is closed is as good.
    async fn insist_closed(&mut self, params: Value) {
        loop {
            let Some(peer) = &mut self.peer else {
                self.peer = self.come().await;
                continue;
            };
            match peer.try_ask("conversation.close", params.clone()).await {
                None => self.peer = None,
                Some(reply) if reply["error"].is_null() || reply["error"]["data"]["reason"] == "closed" => return,
                Some(reply) => assert_eq!(reply["error"]["data"]["kind"], "unavailable", "{reply}"),
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The open conversations that the table has are those that the store has.
async fn assert_equal(daemon: &Daemon) {
    let dispatch = &daemon.site.dispatch;
    loop {
        // Sessions that were closed may still be leaving: the two are looked at with nothing written in between.
        let last = dispatch.writer.last();
        let written = dispatch.writer.durable(last).await;
        let stored = dispatch.journal.open().await.unwrap().table;
        let domain = dispatch.table.domain_of_seller(&"tea".into()).unwrap();
        let conversation = |row| if let Row::Conversation(conversation) = row { Some(*conversation) } else { None };
        let mut open: Vec<_> = dispatch.table.rows(domain).into_iter().filter_map(conversation).collect();
        open.sort_unstable_by_key(|conversation| conversation.id);
        if written.is_ok() && dispatch.writer.last() == last {
            return assert_eq!(open, stored.conversations);
        }
        tokio::task::yield_now().await;
    }
}

/// Whatever commit it is that fails, nothing acknowledged is lost.
async fn fail_at_any_commit(fault: Fault) {
    let folder = tempfile::tempdir().unwrap();
    // How many commits there are depends on what comes together in one: as long as there is one more.
    for at in 1.. {
        let (faulty, commits) = daemon(&folder.path().join(at.to_string()), fault, at).await;

        talk(&faulty).await;

        if commits.load(Ordering::Relaxed) < at {
            assert!(at > 8, "{fault:?} at {at} did not come about");
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_at_any_commit_loses_nothing_acknowledged() {
    fail_at_any_commit(Fault::Refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubt_at_any_commit_loses_nothing_acknowledged() {
    fail_at_any_commit(Fault::Doubtful).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubt_that_lasts_at_any_commit_loses_nothing_acknowledged() {
    fail_at_any_commit(Fault::Lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_lasts_at_any_commit_loses_nothing_acknowledged() {
    fail_at_any_commit(Fault::Lasting).await;
}

#[tokio::test]
async fn reading_goes_on_while_nothing_can_be_written_and_sessions_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (sqlite, store) = Sqlite::open(folder.path(), Durability::Normal).unwrap();
    let broken = Arc::new(AtomicU64::new(0));
    let sink = Breakable { store, broken: Arc::clone(&broken) };
    let store = Store::with(Arc::new(sqlite), sink, Settings::default()).await.unwrap();
    let daemon = Daemon::on(store);
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let started = ann.call("conversation.start", json!({ "seller": "tea", "message": text("m1", "hello") })).await;
    let id = started["conversation"]["id"].clone();
    let mut second = text("m2", "are you there?");
    second["conversation"] = id.clone();

    broken.store(1, Ordering::Relaxed);
    let refused = ann.refused("message.send", second.clone()).await;
    let writer = &daemon.site.dispatch.writer;
    while writer.durable(writer.last()).await.is_err() {
        tokio::task::yield_now().await;
    }
    let shown = ann.call("conversation.get", json!({ "conversation": id })).await;
    let history = mei.call("message.history", json!({ "conversation": id, "after": 0 })).await;
    let listed = ann.call("conversation.list", json!({})).await;
    let refused_again = ann.refused("message.send", second.clone()).await;

    assert_eq!(refused["data"]["outcome"], "not_done");
    assert_eq!(refused_again["data"]["outcome"], "not_done");
    assert!(daemon.site.dispatch.writer.failure().is_some());
    assert_eq!(shown["last_seq"], 1);
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
    assert_eq!(listed["conversations"].as_array().unwrap().len(), 1);

    broken.store(0, Ordering::Relaxed);
    daemon.site.dispatch.writer.well().await;
    let sent = ann.call("message.send", second).await;

    assert_eq!((sent["seq"].clone(), sent["duplicate"].clone()), (json!(2), json!(false)));
    let heard = loop {
        let heard = mei.event("message.new").await;
        if heard["seq"] == 2 {
            break heard;
        }
    };
    assert_eq!(heard["body"]["text"], "are you there?");
    assert!(
        daemon
            .site
            .dispatch
            .table
            .domain_of_conversation(id.as_str().unwrap().parse::<ConversationId>().unwrap())
            .is_some()
    );
}

/// A store that cannot be written as long as it is broken.
struct Breakable<S> {
    store: S,
    broken: Arc<AtomicU64>,
}

impl<S: Sink> Sink for Breakable<S> {
    fn commit(&mut self, writes: &[Write], last: Position) -> Result<(), Uncommitted> {
        if self.broken.load(Ordering::Relaxed) > 0 { Err(broken().into()) } else { self.store.commit(writes, last) }
    }

    fn restore(&mut self) -> Result<Restored, StoreError> {
        self.store.restore()
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) > 0 { Err(broken()) } else { self.store.probe() }
    }
}
