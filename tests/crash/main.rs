//! The real binary, killed under load and refused by the system: what was acknowledged is there once and in order, and everybody has what they had.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod faults;
mod host;
mod load;
mod trace;

use std::process::Command;
use std::sync::Arc;

use fenliu::auth::Role;
use fenliu::journal::{Durability, Journal, Position, Sink, Sqlite, Write};
use fenliu::model::{Body, Sender, Visibility};
use fenliu::routing::{Batch, Event, Message, Row};
use host::Host;
use load::{Load, standing, start};
use serde_json::Value;

/// How often the daemon is killed, if `CRASH_ROUNDS` does not say otherwise.
const ROUNDS: u64 = 20;

fn rounds() -> u64 {
    std::env::var("CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_however_often_the_daemon_is_killed() {
    let host = Host::new();
    host.start();
    let ink = standing(&host).await;
    let load = Load::begin(&host, 8);

    for round in 0..rounds() {
        // At another point of what is going on each time.
        load.more_than(5 + round * 7 % 30).await;
        host.kill();
        host.start();
        assert_eq!(standing(&host).await, ink, "in round {round}");
    }

    load.check(&host).await;
    host.kill();
    assert!(host::is_whole(&host.store()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_point_of_a_commit_loses_nothing_acknowledged() {
    if !cfg!(debug_assertions) {
        eprintln!("skipped: only a debug build can be told where to crash");
        return;
    }
    for point in ["unwritten", "unsynced", "unreleased", "released"] {
        let host = Host::new();
        host.start();
        let ink = standing(&host).await;
        host.kill();

        for commit in [12, 40] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_fenliu"));
            command.env("CRASH_AT", format!("{point}:{commit}"));
            host.start_as(command);
            let load = Load::begin(&host, 4);
            host.gone().await;
            host.start();

            assert_eq!(standing(&host).await, ink, "{point}:{commit}");
            load.more_than(5).await;
            load.check(&host).await;
            host.kill();
        }
        assert!(host::is_whole(&host.store()), "{point}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_the_middle_of_a_reload_leaves_the_new_configuration_and_a_table_settled_under_it() {
    if !cfg!(debug_assertions) {
        eprintln!("skipped: only a debug build can be told where to crash");
        return;
    }
    let (mut crashed, mut survived) = (0, 0);
    for point in ["unwritten", "unsynced", "unreleased", "released"] {
        for commit in 1..=2 {
            let host = Host::new();
            host.start();
            let mei = host.session(Role::Staff, "mei").await;
            let mut ann = host.session(Role::Buyer, "ann").await;
            let started = start(&mut ann, "tea").await.unwrap().unwrap()["conversation"].clone();
            assert_eq!(started["agent"]["id"], "mei");
            drop((mei, ann));
            host.kill();
            let mut command = Command::new(env!("CARGO_BIN_EXE_fenliu"));
            command.env("CRASH_AT", format!("{point}:{commit}"));
            host.start_as(command);

            // Nobody but the shop itself answers for it any more.
            host.rewrite("  [[seller.authorization]]\n  sub_account = \"mei\"\n  role = \"agent\"\n", "");
            host.rewrite("members = [\"mei\"]", "members = []");
            match host.admin("POST /reload").await {
                None => {
                    host.gone().await;
                    crashed += 1;
                }
                Some((status, _)) => {
                    assert_eq!(status, 200);
                    host.kill();
                    survived += 1;
                }
            }
            host.start();

            let mut ann = host.session(Role::Buyer, "ann").await;
            let now = ann.call("conversation.get", serde_json::json!({ "conversation": started["id"] })).await;
            let now = now.unwrap().unwrap();
            let (_, routing) = host.admin("GET /routing").await.unwrap();
            assert_eq!(routing["generation"], 2, "{point}:{commit}");
            assert_eq!((&now["state"], now.get("agent")), (&"left_message".into(), None), "{point}:{commit}");
            host.kill();
            assert!(host::is_whole(&host.store()), "{point}:{commit}");
        }
    }
    // Whoever asks may have the answer before the daemon ends at the last point.
    assert!(crashed >= 3 && survived > 0, "{crashed} and {survived}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_sees_the_figures_of_the_day_from_before_the_crash_and_they_go_on() {
    let host = Host::new();
    host.start();
    let mut bo = host.session(Role::Staff, "bo").await;
    for buyer in ["ann", "ben", "cai"] {
        let mut buyer = host.session(Role::Buyer, buyer).await;
        let started = start(&mut buyer, "ink").await.unwrap().unwrap()["conversation"].clone();
        if started["state"] == "active" {
            bo.call("message.send", load::message(&started["id"], "answer")).await.unwrap().unwrap();
        }
    }
    let ben = open_of(&mut bo, "ben").await;
    bo.call("conversation.close", serde_json::json!({ "conversation": ben })).await.unwrap().unwrap();

    let before = day_of_ink(&host).await;
    host.kill();
    host.start();
    let after = day_of_ink(&host).await;

    let counts = |today: &Value| ["started", "served", "left", "closed"].map(|name| today[name].as_u64().unwrap());
    assert_eq!(counts(&before.0), [3, 3, 0, 1]);
    assert!(before.0["replied_in_time_ratio"] == 1.0 && !before.0["median_wait_s"].is_null(), "{before:?}");
    assert_eq!(after, before);
    let mut dan = host.session(Role::Buyer, "dan").await;
    start(&mut dan, "ink").await.unwrap().unwrap();
    assert_eq!(day_of_ink(&host).await.0["started"], 4);
}

/// The conversation that an agent has with a buyer.
async fn open_of(agent: &mut host::Session, buyer: &str) -> Value {
    let list = agent.call("conversation.list", serde_json::json!({})).await.unwrap().unwrap();
    let mut all = list["conversations"].as_array().unwrap().iter();
    all.find(|one| one["buyer"]["id"] == buyer).unwrap()["id"].clone()
}

/// The figures of one seller's day, and those of its entries.
async fn day_of_ink(host: &Host) -> (Value, Value) {
    let mut wei = host.session(Role::Staff, "wei").await;
    let desk = wei.call("desk.view", serde_json::json!({ "seller": "ink" })).await.unwrap().unwrap();
    (desk["today"].clone(), desk["entries"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_sent_again_from_eight_sockets_after_a_restart_and_many_newer_ones_is_there_once() {
    let host = Host::new();
    host.start();
    let mut ann = host.session(Role::Buyer, "ann").await;
    let id = start(&mut ann, "tea").await.unwrap().unwrap()["conversation"]["id"].clone();
    let message = load::message(&id, "same");
    let first = ann.call("message.send", message.clone()).await.unwrap().unwrap();
    host.kill();
    write_more(&host.store(), 100_000).await;
    host.start();

    let again = (0..8).map(|_| {
        let (host, message) = (Arc::clone(&host), message.clone());
        tokio::spawn(async move {
            let mut ann = host.session(Role::Buyer, "ann").await;
            ann.call("message.send", message).await.unwrap().unwrap()
        })
    });
    for sent in futures::future::join_all(again).await {
        let sent = sent.unwrap();
        assert_eq!((&sent["seq"], &sent["duplicate"]), (&first["seq"], &true.into()));
    }

    let mut ann = host.session(Role::Buyer, "ann").await;
    let other = ann.call("message.send", load::message(&id, "other")).await.unwrap().unwrap();
    assert_eq!((&other["seq"], &other["duplicate"]), (&100_002.into(), &false.into()));
    let texts = load::history(&mut ann, &id).await;
    let same = texts.iter().filter(|message| message["client_id"] == "same");
    assert_eq!((same.count(), texts.len()), (1, 100_002));
}

/// Writes so many messages of its buyer to the one conversation of a store that no daemon has.
async fn write_more(store: &std::path::Path, count: u64) {
    let (sqlite, mut sink) = Sqlite::open(store, Durability::Normal).unwrap();
    let mut conversation = Journal::open(&sqlite).await.unwrap().table.conversations.remove(0);
    let sender = Sender::Buyer(conversation.profile.key.clone());
    let messages = (2..count + 2).map(|seq| Message {
        conversation: conversation.id,
        seq,
        prev_for_buyer: seq - 1,
        sender: sender.clone(),
        name: None,
        body: Body::from_checked(r#"{"type":"text","text":"more"}"#),
        visibility: Visibility::All,
        client_id: Some(format!("more-{seq}").as_str().into()),
        at: conversation.started_at,
    });
    let events = messages.map(|message| Event::Messaged { message }).collect();
    (conversation.tail.last_seq, conversation.tail.last_for_buyer) = (count + 1, count + 1);
    let at = conversation.started_at;
    let rows = vec![Row::Conversation(Box::new(conversation))];
    sink.commit(&[Write::Batch(Batch { at, events, rows })], Position(1)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_of_the_log_ends_before_every_acknowledgement() {
    if let Some(synced) = acknowledged_after_a_sync("full").await {
        assert_eq!(synced, [true; MESSAGES]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_waits_for_no_sync_where_that_is_not_wanted() {
    if let Some(synced) = acknowledged_after_a_sync("normal").await {
        assert_eq!(synced, [false; MESSAGES]);
    }
}

/// How many messages are traced.
const MESSAGES: usize = 20;

/// For each message, whether a sync of the log had ended before it was acknowledged; nothing where none can be traced.
async fn acknowledged_after_a_sync(durability: &str) -> Option<[bool; MESSAGES]> {
    let host = Host::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fenliu"));
    command.env("FENLIU__STORE__DURABILITY", durability);
    host.start_as(command);
    let mut ann = host.session(Role::Buyer, "ann").await;
    let id = start(&mut ann, "tea").await.unwrap().unwrap()["conversation"]["id"].clone();
    let Some(trace) = trace::Trace::begin(host.id()) else {
        eprintln!("skipped: there is no strace, or it may not trace");
        return None;
    };

    for number in 1..=MESSAGES {
        let sent = ann.call("message.send", load::message(&id, &format!("traced-{number:03}"))).await;
        assert_eq!(sent.unwrap().unwrap()["seq"], number);
    }

    let lines = trace.end();
    Some(std::array::from_fn(|at| {
        let number = at + 1;
        let find = |to: &str, text: &str| lines.iter().position(|line| trace::writes(line, to, text));
        let written = find("-wal>", &format!("traced-{number:03}")).expect("a message in the log");
        let told = find("<socket:", &format!("\\\"seq\\\":{number},")).expect("an acknowledgement");
        trace::synced_after(&lines, written).is_some_and(|synced| synced < told)
    }))
}
