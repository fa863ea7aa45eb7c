//! The admin listener: what an operator looks at and does.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use fenliu::auth::Role;
use fenliu::config::settings::StoreKind;
use serde_json::{Value, json};

use crate::host::{Host, PATIENCE, exchange};

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_listed_with_who_they_are_page_by_page() {
    let host = Host::start().await;
    let mut mei = crate::host::Peer::connect(host.address).await;
    let client = json!({"name": "desk", "version": "2.1"});
    let token = host.token(Role::Staff, "mei");
    let opened = mei.call("session.open", json!({"token": token, "client": client})).await;
    let _ann = host.open(Role::Buyer, "ann").await;

    let all = host.admin("GET /connections").json();
    let second = host.admin("GET /connections?limit=1&offset=1").json();

    let first = &all["connections"][0];
    assert_eq!(all["total"], 2);
    assert_eq!(first["session"], opened["session"]);
    assert_eq!((&first["role"], &first["id"], &first["client"]), (&json!("staff"), &json!("mei"), &client));
    assert_eq!((&first["ip"], &first["queued"]), (&json!("127.0.0.1"), &json!(0)));
    let members: Vec<_> = first.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["client", "id", "ip", "queued", "role", "session", "since"]);
    assert_eq!(second["connections"], json!([all["connections"][1]]));
    assert_eq!(second["connections"][0]["client"], Value::Null);
    assert_eq!(host.admin("GET /connections?limit=x").status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_the_same_here_and_on_a_socket_and_follow_what_happens() {
    let host = Host::start().await;
    let mut mei = host.open(Role::Staff, "mei").await;
    mei.call("presence.set", json!({"status": "online"})).await;
    let mut ann = host.open(Role::Buyer, "ann").await;
    let message = json!({"client_id": "m1", "body": {"type": "text", "text": "hello"}});
    ann.call("conversation.start", json!({"seller": "tea", "message": message})).await;
    let mut operator = host.open(Role::Operator, "ops").await;

    let here = host.admin("GET /stats").json();
    let there = operator.call("server.stats", json!({})).await;
    let status = host.admin("GET /status").json();

    for figure in ["conversations", "sessions", "agents", "slots", "messages", "busiest_agents"] {
        assert_eq!(here[figure], there[figure], "{figure}");
    }
    assert_eq!(here["conversations"], json!({"queued": 0, "offered": 0, "active": 1, "left_message": 0}));
    assert_eq!((&here["messages"], &here["slots"]["taken"]), (&json!(1), &json!(1)));
    assert_eq!(here["busiest_agents"][0]["sub_account"], "mei");
    assert!(here["phases"]["route"]["count"].as_u64().unwrap() > 0);
    assert_eq!((&status["ready"], &status["generation"], &status["sessions"]), (&json!(true), &json!(1), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_who_was_left_is_counted_by_state() {
    let host = Host::start().await;
    let mut ann = host.open(Role::Buyer, "ann").await;
    ann.call("conversation.start", json!({"seller": "tea"})).await;

    let text = host.admin("GET /metrics").body;

    assert!(text.contains("\nfenliu_conversations{state=\"left_message\"} 1\n"), "{text}");
    assert!(text.contains("\nfenliu_queue_overflows_total{reason=\"nobody_online\"} 1\n"), "{text}");
    assert!(text.contains("\nfenliu_connections{role=\"buyer\"} 1\n"), "{text}");
    assert!(text.contains("\nfenliu_rpc_requests_total{method=\"conversation.start\",code=\"ok\"} 1\n"), "{text}");
    assert_eq!(host.admin("GET /stats").json()["busiest_sellers"][0]["seller"], "tea");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_well_formed_in_both_formats() {
    let host = Host::start().await;
    let mut ann = host.open(Role::Buyer, "ann").await;
    ann.refused("conversation.get", json!({"conversation": "01900000-0000-7000-8000-000000000000"})).await;
    ann.refused("nope", json!({})).await;

    let classic = host.admin("GET /metrics");
    let open = host.admin("GET /metrics\r\nAccept: application/openmetrics-text");

    assert!(classic.headers.contains("text/plain; version=0.0.4"), "{}", classic.headers);
    assert!(open.headers.contains("application/openmetrics-text"), "{}", open.headers);
    assert!(open.body.ends_with("# EOF\n"));
    assert!(classic.body.contains("code=\"method_not_found\""), "{}", classic.body);
    check_format(&classic.body);
}

/// What `promtool check metrics` looks at: every sample has a type and a help, names and labels are well formed, no
/// series stands there twice, buckets are cumulative.
fn check_format(text: &str) {
    let (mut families, mut helped, mut seen) = (Vec::new(), Vec::new(), std::collections::HashSet::new());
    let mut last_bucket: Option<(String, u64)> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.ends_with('.') && !help.ends_with(".."), "{line}");
            helped.push(name.to_owned());
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(helped.contains(&name.to_owned()), "{line}");
            families.push((name.to_owned(), kind.to_owned()));
            continue;
        }
        assert!(!line.starts_with('#') && !line.is_empty(), "{line}");
        let (series, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap();
        assert!(seen.insert(series.to_owned()), "twice: {series}");
        let name = series.split('{').next().unwrap();
        let (family, kind) = families.last().unwrap();
        let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line} in {family}");
        if name.ends_with("_bucket") {
            let (start, rest) = series.split_once("le=\"").unwrap();
            let labels = format!("{start}{}", rest.split_once('"').unwrap().1);
            let count = value.parse().unwrap();
            if let Some((before, least)) = &last_bucket {
                assert!(*before != labels || *least <= count, "{line}");
            }
            last_bucket = Some((labels, count));
        }
    }
    assert!(families.len() > 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tap_hears_the_events_of_its_seller_as_they_happen() {
    let host = Host::start().await;
    let mut stream = TcpStream::connect(host.admin.unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /tap?seller=tea HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("200"));
    while !lines.next().unwrap().is_empty() {}

    let mut ann = host.open(Role::Buyer, "ann").await;
    let message = json!({"client_id": "m1", "body": {"type": "text", "text": "hello"}});
    ann.call("conversation.start", json!({"seller": "tea", "message": message})).await;

    let heard = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok()).filter(Value::is_object);
    let heard: Vec<_> = heard.take(2).map(|event| event["method"].as_str().unwrap().to_owned()).collect();
    assert!(heard.contains(&"conversation.left_message".to_owned()), "{heard:?}");
    assert_eq!(host.admin("GET /tap?seller=nobody").status, 404);
    assert_eq!(last_audited(&host)["action"], "server.tap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_store_of_its_own_and_is_remembered() {
    let host = Host::with(|settings, _| settings.store.kind = StoreKind::Sqlite).await;
    let mut ann = host.open(Role::Buyer, "ann").await;
    ann.call("conversation.start", json!({"seller": "tea"})).await;

    let copy = host.admin("POST /backup").json();
    let entry = last_audited(&host);

    let restored = tempfile::tempdir().unwrap();
    std::fs::copy(copy["path"].as_str().unwrap(), restored.path().join("fenliu.db")).unwrap();
    let (store, _) = fenliu::journal::Sqlite::open(restored.path(), fenliu::journal::Durability::Full).unwrap();
    let kept = fenliu::journal::Journal::open(&store).await.unwrap();
    assert_eq!(kept.table.conversations.len(), 1);
    assert_eq!((&entry["action"], &entry["by"]), (&json!("server.backup"), &json!("local")));
    let after = host.admin(&format!("GET /audit?after={}", entry["number"]));
    assert_eq!(after.json(), json!({"entries": [], "next": null}));
    assert_eq!(host.admin("GET /backup").status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_of_a_person_is_erased_but_not_what_is_open() {
    let host = Host::with(|settings, _| settings.store.kind = StoreKind::Sqlite).await;
    let mut ann = host.open(Role::Buyer, "ann").await;
    let id = ann.call("conversation.start", json!({"seller": "tea"})).await["conversation"]["id"].clone();

    assert_eq!(host.admin("POST /erase?buyer=ann").status, 409);
    ann.call("conversation.close", json!({"conversation": id})).await;
    let erased = host.admin("POST /erase?buyer=ann").json();

    assert_eq!(erased, json!({"conversations": 1}));
    assert_eq!(ann.refused("conversation.get", json!({"conversation": id})).await["code"], -32004);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_that_is_supposed_is_explained_and_a_wrong_question_is_named() {
    let host = Host::start().await;
    let ask = |body: &str| {
        let stream = TcpStream::connect(host.admin.unwrap()).unwrap();
        exchange(stream, "POST /explain\r\nHost: localhost", body)
    };

    let explained = ask(&json!({"seller": "tea", "buyer": {}}).to_string());
    let unknown = ask(&json!({"seller": "nobody", "buyer": {}}).to_string());
    let wrong = ask(&json!({"seller": "tea", "buyer": {}, "x": 1}).to_string());

    assert_eq!(explained.json()["decision"]["seller"], "tea", "{explained:?}");
    assert_eq!((unknown.status, unknown.json()["code"].clone()), (404, json!(-32004)));
    assert_eq!((wrong.status, wrong.json()["data"]["path"].clone()), (400, json!("x")));
    assert_eq!(ask("junk").status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_drains_over_http_and_is_answered() {
    let mut host = Host::start().await;
    let mut ann = host.open(Role::Buyer, "ann").await;

    assert_eq!(host.admin("POST /drain?deadline_s=x").status, 400);
    assert_eq!(host.admin("POST /drain?deadline_s=20").status, 200);

    assert_eq!(ann.close_code().await, 1001);
    assert!((&mut host.ended).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_configured_is_shown_as_it_is_in_force() {
    let host = Host::start().await;

    let routing = host.admin("GET /routing").json();

    let files = host.admin("GET /routing?files=1").json()["accepted"]["files"].clone();
    assert_eq!(routing["generation"], 1);
    assert!(routing.get("accepted").is_none());
    assert_eq!(files[0][1], crate::host::ROUTING);
    assert_eq!(routing["sellers"][0]["groups"][0]["members"], json!(["mei"]));
    assert_eq!(host.admin("GET /nowhere").status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_over_http_is_rehearsed_applied_and_refused_as_a_whole() {
    let host = Host::start().await;
    let file = host.folder.path().join("routing/a.toml");
    let renamed = crate::host::ROUTING.replace("name = \"Mei\"", "name = \"Mei Lin\"");
    std::fs::write(&file, &renamed).unwrap();

    let rehearsed = host.admin("POST /reload?dry_run=1");
    let applied = host.admin("POST /reload");
    std::fs::write(&file, renamed.replace("members = [\"mei\"]", "members = [\"meii\"]")).unwrap();
    let refused = host.admin("POST /reload");
    let metrics = host.admin("GET /metrics").body;

    assert_eq!((rehearsed.status, &rehearsed.json()["applied"]), (200, &json!(false)));
    assert_eq!((applied.status, &applied.json()["generation"]), (200, &json!(2)));
    assert_eq!(applied.json()["changes"], rehearsed.json()["changes"]);
    assert_eq!(refused.status, 422);
    let nearest = refused.json()["diagnostics"].as_array().unwrap().iter().any(|fault| fault["nearest"] == "mei");
    assert!(nearest, "{refused:?}");
    assert!(metrics.contains("\nfenliu_config_last_reload_successful 0\n"), "{metrics}");
    assert!(metrics.contains("\nfenliu_config_generation 2\n"), "{metrics}");
    assert_eq!(last_audited(&host)["action"], "config.reload");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_are_named_and_what_was_in_force_stays() {
    let host = Host::start().await;
    let mut ann = host.open(Role::Buyer, "ann").await;
    let (routing, away) = (host.folder.path().join("routing"), host.folder.path().join("away"));
    let file = routing.join("a.toml");
    let refused = |named: &str, said: &str| {
        let refused = host.admin("POST /reload");
        let found = refused.json()["diagnostics"][0].clone();
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(found["file"].as_str().unwrap().ends_with(named), "{found}");
        assert!(found["message"].as_str().unwrap().contains(said), "{found}");
        assert_eq!(host.admin("GET /status").json()["generation"], 1);
    };

    std::fs::write(&file, &crate::host::ROUTING[..crate::host::ROUTING.len() / 2]).unwrap();
    refused("a.toml", "");
    std::fs::write(&file, crate::host::ROUTING).unwrap();
    let large = std::fs::File::create(routing.join("b.toml")).unwrap();
    large.set_len(50_000_000).unwrap();
    refused("b.toml", "too large");
    std::fs::remove_file(routing.join("b.toml")).unwrap();
    std::fs::rename(&routing, &away).unwrap();
    refused("routing", "cannot be read");
    std::os::unix::fs::symlink("nowhere", &routing).unwrap();
    refused("routing", "cannot be read");
    std::fs::remove_file(&routing).unwrap();
    std::os::unix::fs::symlink(&away, &routing).unwrap();

    assert_eq!(host.admin("POST /reload").json()["changes"], json!([]));
    ann.call("conversation.start", json!({"seller": "tea"})).await;
}

fn last_audited(host: &Host) -> Value {
    host.admin("GET /audit").json()["entries"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_that_the_dashboard_and_the_alerts_name_exists() {
    let host = Host::start().await;
    let mut mei = host.open(Role::Staff, "mei").await;
    mei.call("presence.set", json!({"status": "online"})).await;
    let text = host.admin("GET /metrics").body;
    let there: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .flat_map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            suffixes.iter().map(move |suffix| format!("{name}{suffix}"))
        })
        // There is none without a certificate.
        .chain(["fenliu_tls_certificate_expires_timestamp_seconds".to_owned()])
        .collect();
    let dashboard = include_str!("../../config/grafana.json");
    let alerts = include_str!("../../config/alerts.yml");
    serde_json::from_str::<Value>(dashboard).unwrap();

    let words = |text: &'static str| text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let named = words(dashboard)
        .chain(words(alerts))
        .filter(|word| word.starts_with("fenliu_") || (word.starts_with("process_") && word.len() > "process_".len()));
    let (known, unknown): (Vec<_>, Vec<_>) = named.partition(|word| there.iter().any(|name| name == word));

    assert!(unknown.is_empty(), "{unknown:?} of {there:?}");
    assert!(known.len() > 30);
}
