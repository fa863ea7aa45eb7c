//! Starting, draining, stopping: the real binary, its signals and its exit codes.

use std::time::Duration;

use fenliu::auth::Role;
use fenliu::config::settings::StoreKind;
use fenliu::journal::{Durability, Journal, Sqlite};
use fenliu::lifecycle::Drain;
use fenliu::model::State;
use serde_json::json;

use crate::host::{Host, Peer, Process, http};

const READY: &str = "GET /readyz\r\nHost: localhost";

#[tokio::test]
async fn a_signal_to_stop_tells_and_closes_everybody_and_the_end_is_a_good_one() {
    let daemon = Process::start();
    let mut mei = daemon.open(Role::Staff, "mei").await;
    let mut stranger = Peer::connect(daemon.address).await;
    assert_eq!(http(daemon.admin, READY).status, 200);

    daemon.signal("TERM");

    assert!(mei.event("session.draining").await["reconnect_after_ms"].is_u64());
    assert_eq!(mei.close_code().await, 1001);
    assert_eq!(stranger.close_code().await, 1001);
    assert_eq!(daemon.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let daemon = Process::start();
    let mut mei = daemon.open(Role::Staff, "mei").await;

    daemon.signal("TERM");
    mei.event("session.draining").await;
    // The close frame is not answered, so the drain is still waiting for that.
    daemon.signal("INT");

    assert_eq!(daemon.ended().await.code(), Some(1));
}

#[tokio::test]
async fn told_to_empty_itself_it_waits_for_the_last_session_and_lets_nobody_in() {
    let daemon = Process::start();
    let mut ann = daemon.open(Role::Buyer, "ann").await;

    daemon.signal("USR2");
    ann.event("session.draining").await;
    let ready = http(daemon.admin, READY);
    let started = ann.refused("conversation.start", json!({"seller": "tea"})).await;
    let token = daemon.token(Role::Buyer, "bob");
    let opened = Peer::connect(daemon.address).await.refused("session.open", json!({ "token": token })).await;
    let listed = ann.call("conversation.list", json!({})).await;

    assert_eq!((ready.status, ready.json()), (503, json!({"ready": false, "reasons": ["draining"]})));
    assert_eq!((&started["code"], &started["data"]["outcome"]), (&json!(-32053), &json!("not_done")));
    assert_eq!(opened["code"], -32053);
    assert_eq!(listed["conversations"], json!([]));

    ann.call("session.close", json!({})).await;
    assert_eq!(daemon.ended().await.code(), Some(0));
}

#[tokio::test]
async fn past_the_deadline_everybody_is_closed_and_the_end_is_a_bad_one() {
    let daemon = Process::start();
    let mut ann = daemon.open(Role::Buyer, "ann").await;
    let mut operator = daemon.open(Role::Operator, "ops").await;
    daemon.signal("USR2");
    ann.event("session.draining").await;

    operator.call("server.drain", json!({"deadline_s": 0})).await;

    assert_eq!(ann.close_code().await, 1001);
    assert_eq!(daemon.ended().await.code(), Some(1));
}

#[tokio::test]
async fn a_file_that_may_not_grow_and_a_pipe_that_is_gone_end_nothing() {
    let daemon = Process::start();

    daemon.signal("XFSZ");
    daemon.signal("PIPE");
    daemon.signal("TERM");

    assert_eq!(daemon.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_operators_drain_is_answered_and_closes_every_session() {
    let host = Host::start().await;
    let mut ann = host.open(Role::Buyer, "ann").await;
    let mut operator = host.open(Role::Operator, "ops").await;

    operator.call("server.drain", json!({})).await;

    assert_eq!(operator.close_code().await, 1001);
    assert_eq!(ann.close_code().await, 1001);
}

#[tokio::test]
async fn a_drain_moves_nobodys_conversation() {
    let mut host = Host::with(|settings, _| {
        settings.store.kind = StoreKind::Sqlite;
        settings.routing.presence_grace = Duration::ZERO;
    })
    .await;
    let mut mei = host.open(Role::Staff, "mei").await;
    mei.call("presence.set", json!({"status": "online"})).await;
    let mut ann = host.open(Role::Buyer, "ann").await;
    let started = ann.call("conversation.start", json!({"seller": "tea"})).await;
    assert_eq!(started["conversation"]["agent"]["id"], "mei");

    host.life.drain(Drain::Close(None));
    assert_eq!(mei.close_code().await, 1001);
    assert_eq!(ann.close_code().await, 1001);

    assert!((&mut host.ended).await.unwrap());
    let (store, _) = Sqlite::open(&host.folder.path().join("data"), Durability::Full).unwrap();
    let kept = Journal::open(&store).await.unwrap();
    let conversation = &kept.table.conversations[0];
    assert_eq!(conversation.agent.as_ref().unwrap().as_str(), "mei");
    assert_eq!(conversation.state, State::Active);
}

#[tokio::test]
async fn systemd_hears_that_the_daemon_is_ready_lives_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::host::PATIENCE)).unwrap();
    let heard = || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).expect("a word in time");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };

    let daemon = Process::with(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "20000")]);
    let first = [heard(), heard(), heard()];
    daemon.signal("TERM");
    let mut last = heard();
    while last == "WATCHDOG=1" {
        last = heard();
    }

    assert_eq!(first, ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    assert_eq!(last, "STOPPING=1");
    assert_eq!(daemon.ended().await.code(), Some(0));
}
