//! `fenliu explain`, by the shipped configuration.

use serde_json::json;

use crate::run::{Place, Ran, shipped};

fn explain(arguments: &[&str]) -> Ran {
    let routing = shipped().display().to_string();
    let mut all = vec!["explain", "--at", "2026-11-24T10:00"];
    all.extend(arguments);
    Place::new().run_with(&all, &[("FENLIU__ROUTING__PATH", &routing)], "")
}

#[test]
fn a_buyer_whose_token_says_gold_goes_to_the_bound_agent() {
    let ran = explain(&["--seller", "tea", "--attr", "level=gold", "--format", "json"]);

    let decision = ran.json();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(
        decision["chosen"],
        json!({ "sub_account": "mei", "group": "presale", "via": "presale", "state": "active" })
    );
    assert_eq!(decision["bindings"], json!([{ "binding": "vip", "matched": true }]));
    assert_eq!((&decision["cause"], &decision["at"]), (&json!("what_if"), &json!("2026-11-24T02:00:00.000Z")));
}

#[test]
fn only_those_named_are_online() {
    let refund = ["--seller", "tea", "--context", "order_stage=refunding", "--format", "json"];
    let chosen = |online: &[&str]| {
        let arguments: Vec<_> = refund.iter().copied().chain(online.iter().copied()).collect();
        explain(&arguments).json()["chosen"].clone()
    };

    assert_eq!(chosen(&["--online", "wen,mei"])["sub_account"], "wen");
    assert_eq!(chosen(&["--online", "bo"])["sub_account"], "bo");
    assert_eq!(chosen(&["--online", ""]), json!({ "group": "aftersale", "state": "left_message" }));
}

#[test]
fn what_is_written_and_when_can_be_supposed_too() {
    let text = explain(&["--seller", "tea", "--text", "我要投诉！", "--format", "json"]).json();
    let night = Place::new().run_with(
        &["explain", "--seller", "tea", "--at", "2026-11-25T03:00", "--context", "language=en", "--format", "json"],
        &[("FENLIU__ROUTING__PATH", &shipped().display().to_string())],
        "",
    );

    let matched = |decision: &serde_json::Value| {
        let looked = decision["bindings"].as_array().unwrap().iter().find(|looked| looked["matched"] == true).cloned();
        looked.map(|looked| looked["binding"].as_str().unwrap().to_owned())
    };
    assert_eq!(matched(&text).as_deref(), Some("complaints"));
    assert_eq!(matched(&night.json()).as_deref(), Some("night"));
}

#[test]
fn people_get_one_screen_with_everything_aligned() {
    let ran = explain(&["--seller", "tea", "--context", "order_stage=refunding", "--online", "mei,bo"]);

    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines.len() < 24 && lines.iter().all(|line| line.chars().count() <= 100), "{}", ran.out);
    assert!(lines[0].contains("(tea)") && lines[0].contains("2026-11-24 10:00 Asia/Shanghai"), "{}", ran.out);
    for part in ["→ bo (博 Bo): active in aftersale", "✓  refunds  matches", "wen (文 Wen)", "offline, no session"]
    {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}'));
    assert!(explain(&["--seller", "tea", "--color", "always"]).out.contains("\u{1b}[1;32m"));
}

#[test]
fn what_is_not_there_is_wrong_use_with_the_nearest_name() {
    let seller = explain(&["--seller", "tee"]);
    let agent = explain(&["--seller", "tea", "--online", "mey"]);

    assert!(seller.code == 2 && seller.err.contains("did you mean `tea`?"), "{seller:?}");
    assert!(agent.code == 2 && agent.err.contains("did you mean `mei`?"), "{agent:?}");
    assert_eq!(explain(&["--seller", "tea", "--attr", "level"]).code, 2);
}

#[test]
fn an_invalid_configuration_exits_with_78_and_a_daemon_that_is_not_there_with_69() {
    let place = Place::with(&[("shops/a.toml", "[[seller]]\n")]);

    let invalid = place.run_with(&["explain", "--seller", "tea"], &[("FENLIU__ROUTING__PATH", "shops")], "");
    let nobody = place.run(&["explain", "--seller", "tea", "--against", "unix:nowhere.sock"]);

    assert!(invalid.code == 78 && invalid.err.contains("shops/a.toml:1:1"), "{invalid:?}");
    assert!(
        nobody.code == 69 && nobody.err.contains("the daemon cannot be reached at unix:nowhere.sock"),
        "{nobody:?}"
    );
}
