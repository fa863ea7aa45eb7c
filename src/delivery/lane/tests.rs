//! The lanes with a store that does as it is told.

use futures::FutureExt;

use super::*;
use crate::delivery::{Frame, Limits};
use crate::journal::{self, Restored, Sink, StoreError, Uncommitted, Write};
use crate::model::{BuyerKey, Caller, ConversationId, SellerId, Timestamp};
use crate::routing::{Batch, Notice, Recipient, Side};

/// Commits once for every word it is given: whether that works.
struct Told(std::sync::mpsc::Receiver<bool>);

impl Sink for Told {
    fn commit(&mut self, _: &[Write], _: Position) -> Result<(), Uncommitted> {
        if self.0.recv() == Ok(true) { Ok(()) } else { Err(StoreError::Failed("told so".into()).into()) }
    }

    fn restore(&mut self) -> Result<Restored, StoreError> {
        Ok(Restored::default())
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

struct Bench {
    writer: Writer,
    lanes: Lanes,
    commit: std::sync::mpsc::Sender<bool>,
}

fn bench() -> Bench {
    let (commit, told) = std::sync::mpsc::channel();
    let (writer, _) = Writer::threaded(Told(told), journal::Settings::default()).unwrap();
    writer.rebuild_with(Box::new(|_, rebuilt| rebuilt()));
    let (lanes, _) = Lanes::start(Settings { lanes: 2, items: 16 }, &writer);
    Bench { writer, lanes, commit }
}

impl Bench {
    async fn position(&self) -> Option<Position> {
        let batch = Batch { at: Timestamp::ZERO, events: Vec::new(), rows: Vec::new() };
        Some(self.writer.slot().await.unwrap().append(batch))
    }

    async fn send(&self, item: Item) {
        self.lanes.reserve(DomainId(3)).await.send(item);
    }
}

fn peer(session: u128, sellers: Option<&str>) -> Arc<Peer> {
    let sellers = sellers.map(|seller| [SellerId::from(seller)].into());
    Arc::new(Peer {
        session: SessionId(session),
        caller: Caller::Staff { account: "mei".into(), sellers },
        mailbox: Arc::new(Mailbox::new(Limits::default())),
        ip: None,
        since: Timestamp::ZERO,
        client: None,
    })
}

fn outgoing(except: Option<u128>) -> Vec<Outgoing> {
    let by = Side::Buyer(BuyerKey { within: None, sub: "b".into() });
    let mei = Recipient::Staff("mei".into());
    vec![Outgoing {
        to: vec![mei.clone(), mei],
        except: except.map(SessionId),
        seller: "tea".into(),
        notice: Notice::Typing { conversation: ConversationId(1), by, on: true },
        droppable: false,
    }]
}

fn reply_to(peer: &Peer) -> ReplyTo {
    ReplyTo {
        mailbox: Arc::clone(&peer.mailbox),
        slot: 1,
        id: RawValue::from_string("7".into()).unwrap(),
        method: Method::MessageSend,
        class: Class::Staff,
        since: std::time::Instant::now(),
    }
}

fn reply(peer: &Peer) -> Reply {
    Reply::Outcome(reply_to(peer), Ok(Outcome::Done))
}

async fn taken(peer: &Peer) -> Vec<Frame> {
    peer.mailbox.ready().await;
    let mut frames = Vec::new();
    peer.mailbox.drain(&mut frames);
    frames
}

#[tokio::test]
async fn nothing_leaves_before_it_is_durable() {
    let bench = bench();
    let peer = peer(1, None);
    bench.send(Item::Attach { peer: Arc::clone(&peer) }).await;

    let position = bench.position().await;
    bench.send(Item::Done { position, outgoing: outgoing(None), reply: Some(reply(&peer)) }).await;

    tokio::task::yield_now().await;
    assert!(peer.mailbox.ready().now_or_never().is_none());
    bench.commit.send(true).unwrap();
    let frames = taken(&peer).await;
    assert!(matches!(&frames[..], [Frame::Event(_), Frame::Reply { slot: 1, .. }]), "{frames:?}");
}

#[tokio::test]
async fn what_is_void_is_told_to_nobody_but_the_one_who_asked() {
    let bench = bench();
    let peer = peer(1, None);
    bench.send(Item::Attach { peer: Arc::clone(&peer) }).await;

    let position = bench.position().await;
    bench.send(Item::Done { position, outgoing: outgoing(None), reply: Some(reply(&peer)) }).await;
    bench.commit.send(false).unwrap();

    let frames = taken(&peer).await;
    let [Frame::Reply { slot: 1, text }] = &frames[..] else { panic!("{frames:?}") };
    assert!(text.contains("navailable"), "{text}");
}

#[tokio::test]
async fn each_session_is_told_once_but_the_sender_and_those_whose_key_does_not_speak_for_the_seller() {
    let bench = bench();
    let (sender, other, foreign) = (peer(1, None), peer(2, Some("tea")), peer(3, Some("ink")));
    for peer in [&sender, &other, &foreign] {
        bench.send(Item::Attach { peer: Arc::clone(peer) }).await;
    }

    bench.send(Item::Done { position: None, outgoing: outgoing(Some(1)), reply: None }).await;

    assert_eq!(taken(&other).await.len(), 1);
    assert!(sender.mailbox.ready().now_or_never().is_none());
    assert!(foreign.mailbox.ready().now_or_never().is_none());
}

#[tokio::test]
async fn the_reply_is_the_first_frame_of_a_session_and_nothing_comes_after_its_end() {
    let bench = bench();
    let peer = peer(1, None);

    let made = Reply::Made(reply_to(&peer), Box::new(|| "opened".into()));
    bench.send(Item::Done { position: None, outgoing: outgoing(None), reply: None }).await;
    bench.send(Item::Open { peer: Arc::clone(&peer), position: None, reply: made, outgoing: outgoing(None) }).await;
    bench.send(Item::Detach { session: peer.session }).await;
    bench.send(Item::Done { position: None, outgoing: outgoing(None), reply: Some(reply(&peer)) }).await;

    let frames = taken(&peer).await;
    assert!(matches!(&frames[..], [Frame::Reply { .. }, Frame::Event(_), Frame::Reply { .. }]), "{frames:?}");
}
