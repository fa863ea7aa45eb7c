//! Every kind of change to the configuration, by turns with broken ones, while people talk: no session ends, no message
//! is lost, and what each change says holds as soon as it is answered.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::peer::{Daemon, Peer, text};

const RELOADS: usize = 50;
const TALKERS: usize = 6;

/// What a configuration can differ in.
#[derive(Clone, Debug)]
struct Shape {
    what: &'static str,
    main: &'static str,
    mei: u32,
    members: &'static str,
    authorized: &'static [&'static str],
    second_group: bool,
    desk: &'static str,
    books: Option<&'static str>,
}

const BASE: Shape = Shape {
    what: "the whole",
    main: "lin",
    mei: 4,
    members: "\"mei\", \"bo\", \"desk\"",
    authorized: &["mei", "bo", "desk"],
    second_group: true,
    desk: "normal",
    books: Some("open"),
};

/// One change after another; the last leads back to the first.
const SHAPES: &[Shape] = &[
    BASE,
    Shape { what: "a member removed", members: "\"mei\", \"desk\"", ..BASE },
    Shape { what: "a group removed", second_group: false, ..BASE },
    Shape { what: "a capacity lowered", mei: 1, ..BASE },
    Shape { what: "a capacity raised", mei: 9, ..BASE },
    Shape { what: "an authorization gone", members: "\"mei\", \"desk\"", authorized: &["mei", "desk"], ..BASE },
    Shape { what: "suspended", desk: "restricted", ..BASE },
    Shape { what: "renewed", ..BASE },
    Shape { what: "another main account", main: "lin2", ..BASE },
    Shape { what: "domains split", members: "\"mei\", \"bo\"", authorized: &["mei", "bo"], ..BASE },
    Shape { what: "domains merged", ..BASE },
    Shape { what: "a shop closed", books: Some("closed"), ..BASE },
    Shape { what: "a seller removed", books: None, ..BASE },
];

impl Shape {
    fn text(&self) -> String {
        let mut text = String::new();
        for (id, status) in
            [("lin", "normal"), ("lin2", "normal"), ("live", "normal"), ("wu", "normal"), ("desk", self.desk)]
        {
            writeln!(
                text,
                "[[account]]\nid = \"{id}\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"\nstatus = \"{status}\"\n\
                 certified_until = 2099-12-31"
            )
            .unwrap();
        }
        for (id, capacity) in [("mei", self.mei), ("bo", 4)] {
            writeln!(text, "[[sub_account]]\nid = \"{id}\"\nkind = \"staff\"\ncapacity = {capacity}").unwrap();
        }
        text += "[[sub_account]]\nid = \"desk\"\nkind = \"certified\"\n";
        let (main, members) = (self.main, self.members);
        writeln!(
            text,
            "[[seller]]\nid = \"tea\"\nname = \"Tea\"\naccount = \"{main}\"\nshop = \"shop-1\"\nlicence_name = \"Tea\"\nchannel_accounts = [\"live\"]\n\
             default_group = \"presale\"\n  [[seller.group]]\n  id = \"presale\"\n  members = [{members}]"
        )
        .unwrap();
        for account in self.authorized {
            writeln!(text, "  [[seller.authorization]]\n  sub_account = \"{account}\"\n  role = \"agent\"").unwrap();
        }
        if self.second_group {
            text += "  [[seller.group]]\n  id = \"aftersale\"\n  members = [\"mei\"]\n\
                       [[seller.binding]]\n  id = \"refunds\"\n  when = { product = \"refund\" }\n  to = { group = \"aftersale\" }\n";
        }
        if let Some(status) = self.books {
            let notice = if status == "open" { "" } else { "closure_notice_on = 2020-01-01\n" };
            writeln!(
                text,
                "[[seller]]\nid = \"books\"\nname = \"Books\"\naccount = \"wu\"\nshop = \"shop-2\"\nlicence_name = \"Books\"\n\
                 status = \"{status}\"\n{notice}default_group = \"all\"\n  [[seller.group]]\n  id = \"all\"\n  \
                 members = [\"desk\"]\n  [[seller.authorization]]\n  sub_account = \"desk\"\n  role = \"agent\""
            )
            .unwrap();
        }
        text
    }

    /// What has to be true of the open conversations of the tea shop once it holds.
    fn assert_holds(&self, conversations: &[Value]) {
        for conversation in conversations {
            let agent = conversation["agent"]["id"].as_str();
            assert!(self.second_group || conversation["group"] == "presale", "{}: {conversation}", self.what);
            assert!(self.authorized.contains(&"bo") || agent != Some("bo"), "{}: {conversation}", self.what);
            assert!(self.authorized.contains(&"desk") || agent != Some("desk"), "{}: {conversation}", self.what);
            assert!(self.desk == "normal" || agent != Some("desk"), "{}: {conversation}", self.what);
        }
    }
}

/// A configuration that is refused.
fn broken(round: usize, shape: &Shape) -> String {
    let text = shape.text();
    match round % 4 {
        0 => text[..text.len() / 2].to_owned() + "\n[[sell",
        1 => text.replace("default_group = \"presale\"", "default_group = \"presle\""),
        2 => text.replace("account = \"desk\"\n  role", "account = \"dask\"\n  role"),
        _ => text.replace("channel_accounts = [\"live\"]\n", ""),
    }
}

/// A buyer who writes until it is told to stop: the conversation, and the numbers of what was acknowledged.
async fn talk(mut buyer: Peer, product: &str, stop: Arc<AtomicBool>) -> (Peer, Value, Vec<u64>) {
    let start = json!({"seller": "tea", "context": {"product": product}, "message": text("first", "hello")});
    let started = buyer.call("conversation.start", start).await;
    let (id, mut seqs) = (started["conversation"]["id"].clone(), vec![started["seq"].as_u64().unwrap()]);
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut message = text(&format!("n{n}"), "still there?");
        message["conversation"] = id.clone();
        seqs.push(buyer.call("message.send", message).await["seq"].as_u64().unwrap());
        tokio::task::yield_now().await;
    }
    (buyer, id, seqs)
}

/// A buyer who comes and goes.
async fn come_and_go(mut buyer: Peer, stop: Arc<AtomicBool>) -> usize {
    let mut served = 0;
    while !stop.load(Ordering::Relaxed) {
        let started = buyer.call("conversation.start", json!({"seller": "tea"})).await;
        buyer.call("conversation.close", json!({"conversation": started["conversation"]["id"]})).await;
        served += 1;
    }
    served
}

async fn history(buyer: &mut Peer, id: &Value) -> Vec<u64> {
    let mut seqs: Vec<u64> = Vec::new();
    loop {
        let page = json!({"conversation": id, "after": seqs.last().copied().unwrap_or(0), "limit": 200});
        let page = buyer.call("message.history", page).await;
        seqs.extend(page["messages"].as_array().unwrap().iter().map(|message| message["seq"].as_u64().unwrap()));
        if page["more"] == false {
            return seqs;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_change_by_turns_with_broken_ones_loses_no_session_and_no_message() {
    let daemon = Daemon::with(&BASE.text(), |settings| settings.auth.operators_on_public = true).await;
    let mut ops = daemon.operator().await;
    let mut agents = Vec::new();
    for agent in ["mei", "bo", "desk"] {
        agents.push(daemon.staff(agent, "online").await);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut talks = Vec::new();
    for n in 0..TALKERS {
        let product = if n % 2 == 0 { "refund" } else { "tea" };
        talks.push(tokio::spawn(talk(daemon.buyer(&format!("b{n}")).await, product, Arc::clone(&stop))));
    }
    let passing = tokio::spawn(come_and_go(daemon.buyer("passing").await, Arc::clone(&stop)));
    let mut reader = daemon.buyer("reader").await;
    let mut in_books = Value::Null;

    for round in 0..RELOADS {
        let (before, shape) = (&SHAPES[round % SHAPES.len()], &SHAPES[(round + 1) % SHAPES.len()]);
        if before.books == Some("open") && in_books.is_null() {
            in_books =
                reader.call("conversation.start", json!({"seller": "books"})).await["conversation"]["id"].clone();
        }
        daemon.configure(&broken(round, before));
        let refused = ops.refused("config.reload", json!({})).await;
        assert!(refused["data"]["diagnostics"][0]["line"].is_u64(), "{}: {refused}", before.what);

        daemon.configure(&shape.text());
        let rehearsed = ops.call("config.reload", json!({"dry_run": true})).await;
        let reloaded = ops.call("config.reload", json!({})).await;

        assert_eq!((&rehearsed["applied"], &reloaded["applied"]), (&json!(false), &json!(true)), "{}", shape.what);
        assert_eq!(rehearsed["changes"], reloaded["changes"], "{}", shape.what);
        assert_ne!(reloaded["changes"], json!([]), "{}", shape.what);
        let mut open = Vec::new();
        for state in ["active", "queued", "left_message"] {
            let list = json!({"seller": "tea", "state": state, "limit": 200});
            let listed = ops.call("conversation.list", list).await["conversations"].clone();
            open.extend(listed.as_array().unwrap().iter().cloned());
        }
        assert!(open.len() >= TALKERS, "{}: {open:?}", shape.what);
        shape.assert_holds(&open);
        if shape.books.is_none() {
            let closed = reader.event("conversation.closed").await;
            assert_eq!((&closed["by"], &closed["conversation"]["id"]), (&json!("seller_removed"), &in_books));
            in_books = Value::Null;
        }
        for agent in &mut agents {
            agent.call("session.ping", json!({})).await;
        }
    }

    stop.store(true, Ordering::Relaxed);
    assert!(passing.await.unwrap() > 0);
    for talk in talks {
        let (mut buyer, id, acknowledged) = talk.await.unwrap();
        let kept = history(&mut buyer, &id).await;
        assert!(acknowledged.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(acknowledged.iter().all(|seq| kept.binary_search(seq).is_ok()), "{acknowledged:?} in {kept:?}");
    }
}

#[tokio::test]
async fn who_takes_its_main_accounts_place_has_it_at_once_and_who_had_it_goes() {
    let daemon = Daemon::with(&BASE.text(), |settings| settings.auth.operators_on_public = true).await;
    let mut ops = daemon.operator().await;
    let mut old = daemon.staff("lin", "online").await;
    let mut ann = daemon.buyer("ann").await;
    let started = ann.call("conversation.start", json!({"seller": "tea"})).await;
    assert_eq!(started["conversation"]["agent"]["id"], "lin");

    daemon.configure(&Shape { main: "lin2", ..BASE }.text());
    ops.call("config.reload", json!({})).await;

    assert_eq!(old.close_code().await, 4403);
    let mut new = daemon.staff("lin2", "online").await;
    let assigned = new.event("conversation.assigned").await;
    assert_eq!(assigned["conversation"]["id"], started["conversation"]["id"]);
}
