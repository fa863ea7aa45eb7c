//! The load harness against the real daemon's parts: what it does, and that it finds every promise kept.

use std::net::SocketAddr;
use std::sync::Arc;

use fenliu::directory::Directory;
use fenliu::load::{self, Limit, Plan, Report, RunError, Scenario, Show, Threshold, Trust};
use fenliu::server;
use fenliu::tls::Tls;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

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
    execute(daemon, scenario, thresholds, |_| {}).await.unwrap()
}

/// Runs a scenario as the change says otherwise.
async fn execute(
    daemon: &Daemon,
    scenario: &str,
    thresholds: &[Threshold],
    change: impl FnOnce(&mut Plan<'_>),
) -> Result<Report, RunError> {
    let scenario = Scenario::parse(scenario).unwrap();
    let now = daemon.clock.now();
    let directory = Directory::from_toml(ROUTING, now).unwrap();
    let mut plan = Plan {
        scenario: &scenario,
        directory: &directory,
        keys: &daemon.keys,
        now,
        address: daemon.address,
        url: format!("ws://{}/ws", daemon.address),
        trust: None,
        pid: Some(std::process::id()),
        run: "t".into(),
        progress: Show::Nothing,
        threads: 2,
        thresholds,
    };
    change(&mut plan);
    let (_stop, stopped) = watch::channel(false);
    load::execute(&plan, stopped).await
}

/// Another listener of a daemon.
fn listener(daemon: &Daemon, settings: server::Settings) -> SocketAddr {
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::public(listener, settings, Arc::clone(&daemon.site), TaskTracker::new()));
    address
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
        let report = execute(&daemon, scenario, &[], |plan| plan.run = name.into()).await.unwrap();

        assert_eq!(report.violated, Vec::<String>::new(), "{name}");
        assert!(!report.errors.keys().any(|error| error.contains("client_id_reused")), "{name}: {:?}", report.errors);
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_said_so() {
    let daemon = Daemon::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    let error = execute(&daemon, IDLE, &[], |plan| plan.address = nobody).await.unwrap_err();

    assert!(matches!(error, RunError::Unreachable { .. }), "{error}");
}

/// Nobody but ten who only stay.
const IDLE: &str = "name = 'idle'\n[people]\nbuyers = 0\nidle = 10\nagents = 1\n[[stage]]\nname = 'a'\nlasts = '50ms'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_as_a_limit_allows_come_in_and_with_one_more_it_is_named() {
    let daemon = Daemon::start().await;
    // An agent and ten who stay.
    let all = listener(&daemon, server::Settings { connections: 11, ..server::Settings::default() });
    let few = listener(&daemon, server::Settings { connections: 10, ..server::Settings::default() });
    let of_one = listener(&daemon, server::Settings { connections_per_ip: 10, ..server::Settings::default() });
    let to = |address| execute(&daemon, IDLE, &[], move |plan| plan.address = address);

    assert_eq!(to(all).await.unwrap().people.idle, 10);
    for (address, named) in [(few, Limit::Connections), (of_one, Limit::ConnectionsPerIp)] {
        match to(address).await.unwrap_err() {
            RunError::Limited { opened, wanted, limit } => assert_eq!((opened, wanted, limit), (10, 11, named)),
            error => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_it_believes_the_certificate_that_it_is_given_and_no_other() {
    let daemon = Daemon::start().await;
    let certificate = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (daemon.data().join(format!("{name}.pem")), daemon.data().join(format!("{name}.key")));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key, made.cert.pem())
    };
    let ((shown, key, pem), (_, _, other)) = (certificate("shown"), certificate("other"));
    let tls = Some(Arc::new(Tls::load(&shown, &key).unwrap()));
    let address = listener(&daemon, server::Settings { tls, ..server::Settings::default() });
    let with = |pem: String| {
        execute(&daemon, SCENARIO, &[], move |plan| {
            plan.address = address;
            plan.url = format!("wss://localhost:{}/ws", address.port());
            plan.trust = Some(Trust::new(pem.as_bytes(), "localhost").unwrap());
        })
    };

    let report = with(pem).await.unwrap();
    let error = with(other).await.unwrap_err();

    assert_eq!(report.violated, Vec::<String>::new());
    assert!(report.checked.acknowledged > 50, "{:?}", report.checked);
    assert!(matches!(error, RunError::Unreachable { .. }), "{error}");
    assert!(Trust::new(b"no certificate", "localhost").is_err());
}
