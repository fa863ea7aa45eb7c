//! The load harness against the real daemon's parts: what it does, and that it finds every promise kept.

use fenliu::directory::Directory;
use fenliu::load::{self, Plan, Report, Scenario, Show, Threshold};
use tokio::sync::watch;

use crate::peer::Daemon;
use crate::shops::ROUTING;

const SCENARIO: &str = r#"
name = "everything"
[people]
buyers = 8
talking = 3
idle = 5
slow_readers = 1
[mix]
talk = 6
answer = 4
start = 2
close = 2
transfer = 1
connect = 1
[[stage]]
name = "up"
lasts = "300ms"
rate = 300.0
[[stage]]
name = "hold"
lasts = "700ms"
rate = 300.0
[[storm]]
at = "500ms"
buyers = 8
agents = 1
idle = 5
"#;

async fn run(daemon: &Daemon, scenario: &str, thresholds: &[Threshold]) -> Report {
    run_called("t", daemon, scenario, thresholds).await
}

async fn run_called(name: &str, daemon: &Daemon, scenario: &str, thresholds: &[Threshold]) -> Report {
    let scenario = Scenario::parse(scenario).unwrap();
    let now = daemon.clock.now();
    let directory = Directory::from_toml(ROUTING, now).unwrap();
    let plan = Plan {
        scenario: &scenario,
        directory: &directory,
        keys: &daemon.keys,
        now,
        address: daemon.address,
        url: format!("ws://{}/ws", daemon.address),
        pid: Some(std::process::id()),
        run: name.into(),
        progress: Show::Nothing,
        threads: 2,
        thresholds,
    };
    let (_stop, stopped) = watch::channel(false);
    load::execute(&plan, stopped).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scenario_of_everything_finds_every_promise_kept() {
    let daemon = Daemon::start().await;

    let report = run(&daemon, SCENARIO, &[]).await;

    assert_eq!(report.violated, Vec::<String>::new());
    assert!(report.checked.acknowledged > 50 && report.checked.histories > 0, "{:?}", report.checked);
    for operation in ["connect", "reconnect", "start", "ack", "deliver", "close"] {
        assert!(report.operations.get(operation).is_some_and(|figures| figures.count > 0), "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_loop_keeps_every_buyer_busy_and_thresholds_are_judged() {
    let daemon = Daemon::start().await;
    let thresholds = ["hold:ack.count > 20", "ack.max < 1us"].map(|threshold| Threshold::parse(threshold).unwrap());
    let scenario = "name = 'c'\nclosed_loop = 2\n[people]\nbuyers = 2\n[[stage]]\nname = 'hold'\nlasts = '500ms'";

    let report = run(&daemon, scenario, &thresholds).await;

    assert!(report.is_sound(), "{:?}", report.violated);
    assert_eq!(report.thresholds.iter().map(|verdict| verdict.held).collect::<Vec<_>>(), [true, false]);
    let again: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert!(load::compare(&report, &again, 0.001).worse.is_empty());
    assert!(load::html(&report).contains("every promise was kept"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_who_still_hold_what_an_earlier_run_has_left_call_nothing_as_they_did_then() {
    let daemon = Daemon::start().await;
    let scenario = "name = 'a'\n[people]\nbuyers = 3\ntalking = 3\n[mix]\ntalk = 1\nanswer = 2\n\
        [[stage]]\nname = 'hold'\nlasts = '400ms'\nrate = 200.0";

    for name in ["one", "two"] {
        let report = run_called(name, &daemon, scenario, &[]).await;

        assert_eq!(report.violated, Vec::<String>::new(), "{name}");
        assert!(!report.errors.keys().any(|error| error.contains("client_id_reused")), "{name}: {:?}", report.errors);
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_said_so() {
    let daemon = Daemon::start().await;
    let scenario = Scenario::parse("name = 'x'\n[[stage]]\nname = 'a'\nlasts = '1s'\nrate = 1.0").unwrap();
    let now = daemon.clock.now();
    let directory = Directory::from_toml(ROUTING, now).unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plan = Plan {
        scenario: &scenario,
        directory: &directory,
        keys: &daemon.keys,
        now,
        address: nobody,
        url: format!("ws://{nobody}/ws"),
        pid: None,
        run: "t".into(),
        progress: Show::Nothing,
        threads: 1,
        thresholds: &[],
    };
    let (_stop, stopped) = watch::channel(false);

    let error = load::execute(&plan, stopped).await.unwrap_err();

    assert!(matches!(error, load::RunError::Unreachable { .. }), "{error}");
}
