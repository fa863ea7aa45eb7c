//! `fenliu ctl` against the real daemon: what it prints, and with which code it ends.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use fenliu::auth::Role;
use serde_json::{Value, json};

use crate::host::{Process, ROUTING};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn value(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_not_there_is_69_and_one_that_drains_is_not_well() {
    let daemon = Process::start();
    let mut ann = daemon.open(Role::Buyer, "ann").await;

    let well = daemon.run(&["ctl", "health"]);
    let nobody = daemon.run(&["ctl", "health", "--url", "http://127.0.0.1:1"]);
    daemon.signal("USR2");
    ann.event("session.draining").await;
    let unwell = daemon.run(&["ctl", "health"]);
    let wrong = daemon.run(&["ctl", "health", "--url", "https://127.0.0.1:1"]);

    assert_eq!((well.status.code(), text(&well).as_str()), (Some(0), "ready    yes\nreasons  -\n"));
    assert_eq!(nobody.status.code(), Some(69), "{nobody:?}");
    assert_eq!((unwell.status.code(), text(&unwell).as_str()), (Some(1), "ready    no\nreasons  draining\n"));
    assert_eq!(wrong.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_and_connections_are_shown_to_people_and_to_programs() {
    let daemon = Process::start();
    let _mei = daemon.open(Role::Staff, "mei").await;

    let connections = daemon.run(&["ctl", "connections"]);
    let status = value(&daemon.run(&["ctl", "status", "--format", "json"]));
    let stats = value(&daemon.run(&["--format", "json", "ctl", "stats"]));
    let none = value(&daemon.run(&["ctl", "connections", "--limit", "0", "--format", "json"]));

    assert!(text(&connections).contains("staff"), "{connections:?}");
    assert!(text(&connections).starts_with("total  1\n\nconnections\nSESSION "), "{connections:?}");
    assert_eq!((&status["ready"], &status["sellers"]), (&json!(true), &json!(1)));
    assert_eq!(stats["sessions"]["staff"], 1);
    assert_eq!(none, json!({"total": 1, "connections": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_socket_the_store_is_copied_and_that_is_remembered() {
    let daemon = Process::with(&[("FENLIU__SERVER__ADMIN_LISTEN", "unix:admin.sock")]);

    let copy = value(&daemon.run(&["ctl", "backup", "--format", "json"]));
    let audit = daemon.run(&["ctl", "audit"]);
    let erased = value(&daemon.run(&["ctl", "erase", "--buyer", "ann", "--format", "json"]));

    assert!(copy["bytes"].as_u64().unwrap() > 0);
    assert!(text(&audit).contains("server.backup"), "{audit:?}");
    assert_eq!(erased, json!({"conversations": 0}));
}

#[tokio::test(flavor = "multi_thread")]
async fn top_looks_again_and_again_and_a_tap_prints_what_happens() {
    let daemon = Process::start();
    let lines = |arguments: &[&str]| {
        let mut child = daemon.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        (child, lines)
    };

    let (mut top, mut looks) = lines(&["ctl", "top", "--interval", "0.1", "--format", "json"]);
    let both = [looks.next().unwrap(), looks.next().unwrap()];
    let (mut tap, mut heard) = lines(&["ctl", "tap", "--seller", "tea"]);
    let audited = || text(&daemon.run(&["ctl", "audit"])).contains("server.tap");
    while !audited() {}
    let mut ann = daemon.open(Role::Buyer, "ann").await;
    ann.call("conversation.start", json!({"seller": "tea"})).await;

    assert!(both.iter().all(|look| look.contains("\"phases\"")), "{both:?}");
    assert!(heard.next().unwrap().starts_with("conversation.left_message "));
    let nobody = daemon.run(&["ctl", "tap", "--seller", "nobody"]);
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    top.kill().unwrap();
    top.wait().unwrap();
    daemon.signal("TERM");
    ann.close_code().await;
    let last = heard.last().unwrap();
    assert!(last.starts_with("session.draining ") && last.ends_with("  reconnect_after_ms 1000"), "{last}");
    assert_eq!(tap.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_until_the_daemon_has_gone() {
    let daemon = Process::start();

    let drained = daemon.run(&["ctl", "drain", "--deadline", "20"]);

    assert_eq!((drained.status.code(), text(&drained).as_str()), (Some(0), "stopped  yes\n"), "{drained:?}");
    assert_eq!(daemon.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_prints_what_changes_or_what_is_wrong() {
    let daemon = Process::start();
    let file = daemon.folder().join("routing/a.toml");
    let renamed = crate::host::ROUTING.replace("name = \"Mei\"", "name = \"Mei Lin\"");
    std::fs::write(&file, &renamed).unwrap();

    let rehearsed = daemon.run(&["ctl", "reload", "--dry-run"]);
    let applied = daemon.run(&["ctl", "reload"]);
    std::fs::write(&file, renamed.replace("members = [\"mei\"]", "members = [\"meii\"]")).unwrap();
    let refused = daemon.run(&["ctl", "reload"]);
    let status = value(&daemon.run(&["ctl", "status", "--format", "json"]));

    assert!(rehearsed.status.success() && text(&rehearsed).contains("sub_account"), "{rehearsed:?}");
    assert!(text(&applied).contains("generation  2"), "{applied:?}");
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("a.toml:") && said.contains("did you mean mei"), "{said}");
    assert_eq!(status["generation"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_reloads() {
    let daemon = Process::start();
    let file = daemon.folder().join("routing/a.toml");
    std::fs::write(&file, crate::host::ROUTING.replace("name = \"Mei\"", "name = \"Mei Lin\"")).unwrap();

    daemon.signal("HUP");

    let generation = || value(&daemon.run(&["ctl", "status", "--format", "json"]))["generation"].clone();
    while generation() != 2 {}
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_changed_without_a_restart_and_one_that_is_no_good_keeps_the_old_ones() {
    let daemon = Process::start();
    let ann = daemon.open(Role::Buyer, "ann").await;
    let settings = |secret: &str| {
        let text = format!("[auth]\nhs256_secret_file = \"{secret}\"\n");
        std::fs::create_dir_all(daemon.folder().join("config")).unwrap();
        std::fs::write(daemon.folder().join("config/fenliu.toml"), text).unwrap();
        value(&daemon.run(&["ctl", "reload", "--format", "json"]))["warnings"].clone()
    };
    let made = || text(&daemon.run(&["token", "--role", "buyer", "--sub", "bob"])).trim().to_owned();

    std::fs::write(daemon.folder().join("short"), "short").unwrap();
    let warned = settings("short");
    let old = daemon.token(Role::Buyer, "bob");
    assert!(warned[0]["message"].as_str().unwrap().contains("the keys from before stay"), "{warned}");
    crate::host::Peer::connect(daemon.address).await.call("session.open", json!({ "token": old })).await;

    std::fs::write(daemon.folder().join("new"), "a new secret of thirty-two bytes, or more").unwrap();
    assert_eq!(settings("new"), json!([]));
    crate::host::Peer::connect(daemon.address).await.call("session.open", json!({ "token": made() })).await;
    let refused =
        crate::host::Peer::connect(daemon.address).await.refused("session.open", json!({ "token": old })).await;

    assert_eq!(refused["code"], -32001);
    drop(ann);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_against_a_daemon_knows_what_that_would_refuse() {
    let daemon = Process::start();
    let url = format!("http://{}", daemon.admin);
    let bound = ROUTING.replace("shop = \"shop-1\"", "shop = \"shop-1\"\nchannel_accounts = [\"lin\"]");
    let file = daemon.folder().join("routing/a.toml");
    std::fs::write(&file, bound).unwrap();
    value(&daemon.run(&["ctl", "reload", "--format", "json"]));
    std::fs::write(&file, ROUTING).unwrap();

    let alone = daemon.run(&["check", "routing"]);
    let against = daemon.run(&["check", "routing", "--against", &url]);
    let nobody = daemon.run(&["check", "routing", "--against", "http://127.0.0.1:1"]);

    assert_eq!(alone.status.code(), Some(0), "{alone:?}");
    assert_eq!(against.status.code(), Some(78), "{against:?}");
    assert!(text(&against).contains("the account `lin` stays bound to the shop `shop-1`"), "{against:?}");
    assert_eq!(nobody.status.code(), Some(69), "{nobody:?}");
}
