//! What was recorded is tried again: a store that a daemon is using, by the command.

use std::process::Command;

use fenliu::config::settings::StoreKind;
use serde_json::{Value, json};

use super::peer::Daemon;
use super::shops;

#[tokio::test]
async fn what_a_daemon_has_recorded_comes_again_under_its_own_configuration() {
    let daemon = Daemon::with(shops::ROUTING, |settings| settings.store.kind = StoreKind::Sqlite).await;
    let mut mei = daemon.staff("mei", "online").await;
    for buyer in ["ann", "ben", "cat"] {
        let mut peer = daemon.buyer(buyer).await;
        let id = peer.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();
        mei.call("conversation.close", json!({"conversation": id})).await;
    }
    let page = daemon.data().join("report.html");

    let ran = Command::new(env!("CARGO_BIN_EXE_fenliu"))
        .args(["simulate", "--format", "json", "--routing"])
        .arg(daemon.data().join("routing.toml"))
        .arg("--replay")
        .arg(daemon.data().join("data"))
        .arg("--report")
        .arg(&page)
        .output()
        .unwrap();

    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let results: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(results["run"]["arrivals"], 3);
    assert_eq!(results["total"]["served"]["value"], 3.0);
    assert_eq!(results["agents"]["mei"]["assigned"]["value"], 3.0);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && !page.contains("<script"));
}
