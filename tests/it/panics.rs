//! Something of ours breaks off in the middle: whoever asked is told a reference that is found in the log, everybody else
//! goes on, and the table is what is written.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};

use fenliu::daemon::Store;
use fenliu::journal::{self, Durability, Journal, Reading, Settings, Sqlite};
use fenliu::model::{AccountId, BuyerKey, Caller, ConversationId, SellerId};
use fenliu::routing::{Actor, Command, Conversation, Row};
use futures::FutureExt;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

use crate::peer::{Daemon, text};

/// Everything that is logged in this process.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log() -> &'static Page {
    static PAGE: OnceLock<Page> = OnceLock::new();
    PAGE.get_or_init(|| {
        let page = Page::default();
        let writer = page.clone();
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
        tracing::subscriber::set_global_default(lines).unwrap();
        page
    })
}

/// The lines with a reference.
fn logged(reference: &Value) -> Vec<Value> {
    let page = log().0.lock().unwrap();
    let lines = page.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    lines.filter(|line| line["ref"] == *reference).collect()
}

/// A store of which reading a history breaks off.
struct Breaking {
    store: Sqlite,
    breaks: AtomicBool,
}

impl Journal for Breaking {
    fn history(&self, range: journal::Range) -> Reading<'_, journal::History> {
        assert!(!self.breaks.load(Ordering::Relaxed), "a fault of the test");
        self.store.history(range)
    }

    fn closed(&self, conversation: ConversationId) -> Reading<'_, Option<Conversation>> {
        self.store.closed(conversation)
    }

    fn last_of(&self, buyer: &BuyerKey, seller: &SellerId) -> Reading<'_, journal::Known> {
        self.store.last_of(buyer, seller)
    }

    fn list(
        &self,
        filter: journal::Filter,
        cursor: Option<ConversationId>,
        limit: usize,
    ) -> Reading<'_, journal::Listed> {
        self.store.list(filter, cursor, limit)
    }

    fn resent(&self, again: journal::Again) -> Reading<'_, Option<fenliu::routing::Resent>> {
        self.store.resent(again)
    }

    fn said(&self, conversation: ConversationId) -> Reading<'_, Vec<fenliu::routing::Said>> {
        self.store.said(conversation)
    }

    fn decisions(&self, conversation: ConversationId) -> Reading<'_, Vec<Arc<fenliu::routing::Decision>>> {
        self.store.decisions(conversation)
    }

    fn audit(&self, after: u64, limit: usize) -> Reading<'_, Vec<journal::Audited>> {
        self.store.audit(after, limit)
    }

    fn open(&self) -> Reading<'_, journal::Recovered> {
        self.store.open()
    }
}

async fn daemon(folder: &std::path::Path) -> (Daemon, Arc<Breaking>) {
    let (store, sink) = Sqlite::open(folder, Durability::Normal).unwrap();
    let breaking = Arc::new(Breaking { store, breaks: AtomicBool::new(false) });
    let store = Store::with(Arc::clone(&breaking) as Arc<dyn Journal>, sink, Settings::default()).await.unwrap();
    (Daemon::on(store), breaking)
}

#[tokio::test]
async fn a_request_that_breaks_off_is_an_internal_error_whose_reference_is_in_the_log() {
    log();
    let folder = tempfile::tempdir().unwrap();
    let (daemon, journal) = daemon(folder.path()).await;
    let mut ann = daemon.buyer("ann").await;
    let started = ann.call("conversation.start", json!({ "seller": "tea", "message": text("m1", "hello") })).await;
    let asked = json!({ "conversation": started["conversation"]["id"] });

    journal.breaks.store(true, Ordering::Relaxed);
    let refused = ann.refused("message.history", asked.clone()).await;
    journal.breaks.store(false, Ordering::Relaxed);
    let history = ann.call("message.history", asked).await;

    assert_eq!((&refused["code"], &refused["data"]["kind"]), (&json!(-32603), &json!("internal")));
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
    let lines = logged(&refused["data"]["ref"]);
    assert_eq!((lines.len(), &lines[0]["level"]), (1, &json!("ERROR")));
    let counted = &daemon.site.dispatch.metrics.rpc_requests;
    let labels = fenliu::metrics::Request { method: "message.history", code: "internal" };
    assert_eq!(counted.get_or_create(&labels).get(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_off_between_the_table_and_the_record_leaves_the_table_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (daemon, _) = daemon(folder.path()).await;
    let mut mei = daemon.staff("mei", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let started = ann.call("conversation.start", json!({ "seller": "tea", "message": text("m1", "hello") })).await;
    let id: ConversationId = started["conversation"]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(started["conversation"]["agent"]["id"], "mei");

    let dispatch = &daemon.site.dispatch;
    let domain = dispatch.table.domain_of_seller(&"tea".into()).unwrap();
    let breaking = async {
        let slot = dispatch.writer.slot().await.unwrap();
        let caller = Caller::Staff { account: AccountId::from("mei"), sellers: None };
        let actor = Actor { caller: Some(&caller), session: None };
        let close = Command::Close { conversation: id, reason: None, if_rev: None };
        dispatch.table.act(domain, &actor, close, dispatch.clock.now(), move |acted| {
            assert!(acted.batch.is_some());
            drop(acted);
            let _slot = slot;
            panic!("a fault of the test");
        })
    };
    let _: Result<(), _> = std::panic::AssertUnwindSafe(breaking).catch_unwind().await;

    let mut second = text("m2", "still here?");
    second["conversation"] = started["conversation"]["id"].clone();
    let sent = loop {
        let reply = ann.try_ask("message.send", second.clone()).await.expect("the session stays");
        if reply["error"].is_null() {
            break reply["result"].clone();
        }
        assert_eq!(reply["error"]["data"]["outcome"], "not_done", "{reply}");
        tokio::task::yield_now().await;
    };
    assert_eq!(sent["seq"], 2);
    while mei.event("message.new").await["seq"] != 2 {}
    let stored = dispatch.journal.open().await.unwrap().table.conversations;
    let open = dispatch.table.rows(domain).into_iter().filter_map(|row| match row {
        Row::Conversation(conversation) => Some(*conversation),
        _ => None,
    });
    assert_eq!(open.collect::<Vec<_>>(), stored);
    assert_eq!(stored[0].agent.as_ref().unwrap().as_str(), "mei");
}

/// A connection that breaks off ours when it is read for the second time.
struct Odd(DuplexStream, u8);

impl AsyncRead for Odd {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.0).poll_read(context, into);
        self.1 += u8::from(into.filled().len() > before);
        assert!(self.1 != 2 || into.filled().len() == before, "a fault of the test");
        read
    }
}

impl AsyncWrite for Odd {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// A frame of a client, masked with zeros.
fn frame(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[0x81, 0xfe][..], &length, &[0; 4], text.as_bytes()].concat()
}

#[tokio::test]
async fn a_session_that_breaks_off_is_closed_with_1011_and_is_not_there_any_more() {
    let daemon = Daemon::start().await;
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let ip = [127, 0, 0, 1].into();
    let session = tokio::spawn(fenliu::session::run(Arc::clone(&daemon.site), Odd(server, 0), &[], ip, None));
    let token = daemon.token(fenliu::auth::Role::Staff, "mei", |_| {});
    let open = json!({ "jsonrpc": "2.0", "id": 1, "method": "session.open", "params": { "token": token } });
    let ping = json!({ "jsonrpc": "2.0", "id": 2, "method": "session.ping" });

    client.write_all(&frame(&open.to_string())).await.unwrap();
    let mut told = vec![0; 1];
    client.read_exact(&mut told).await.unwrap();
    assert_eq!(daemon.site.dispatch.registry.count(), 1);
    client.write_all(&frame(&ping.to_string())).await.unwrap();
    client.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    client.read_to_end(&mut told).await.unwrap();
    session.await.unwrap();

    let reason = [&1011_u16.to_be_bytes()[..], b"internal error"].concat();
    assert!(told.ends_with(&reason), "{}", String::from_utf8_lossy(&told));
    assert_eq!(daemon.site.dispatch.registry.count(), 0);
}
