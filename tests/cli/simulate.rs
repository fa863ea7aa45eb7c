//! `fenliu simulate`: what goes where, and with which exit code.

use crate::run::{Place, shipped};

const TRAFFIC: &str = "[run]\narrivals = 300\n[[stream]]\nid = \"pre\"\nseller = \"tea\"\nrate = 60\n\
                       work = { kind = \"exponential\", mean = \"180s\" }\n";

#[test]
fn results_go_to_stdout_and_words_to_stderr() {
    let place = Place::with(&[("traffic.toml", TRAFFIC)]);
    let (routing, traffic) = (shipped().display().to_string(), place.path("traffic.toml").display().to_string());
    let arguments = ["simulate", "--routing", &routing, "--traffic", &traffic, "--format", "json"];

    let ran = place.run(&arguments);
    let compared = place.run(&[&arguments[..], &["--compare", &routing, "--seed", "7"]].concat());
    let text = place.run(&arguments[..5]);

    assert_eq!((ran.code, compared.code, text.code), (0, 0, 0), "{ran:?}");
    assert_eq!(ran.json()["run"]["arrivals"], 300);
    assert_eq!(ran.json()["total"]["offered"]["value"], 300.0);
    assert!(ran.json()["groups"]["tea/presale"]["sl"]["value"].is_number());
    assert!(ran.json()["agents"]["mei"]["busy_share"]["ci95"].is_number() && ran.json()["bound"]["sl"].is_object());
    assert!(ran.err.contains(" a second") && !ran.out.contains(" a second"));
    assert_eq!(compared.json()["run"]["seed"], 7);
    assert_eq!(compared.json()["difference"]["total"]["mean_wait"]["value"], 0.0);
    assert!(compared.json()["compare"]["streams"]["pre"].is_object());
    assert!(text.out.contains("300 buyers after 0 of warm-up, seed 1"), "{text:?}");
}

#[test]
fn what_is_wrong_in_any_of_the_files_is_told_at_once_with_78() {
    let broken = TRAFFIC.replace("seller = \"tea\"", "seller = \"tee\"");
    let place = Place::with(&[("traffic.toml", &broken), ("routing/a.toml", "[[seller]]\nid = 1\n")]);
    let (routing, traffic) = (shipped().display().to_string(), place.path("traffic.toml").display().to_string());
    let other = place.path("routing").display().to_string();
    let arguments = ["simulate", "--routing", &routing, "--traffic", &traffic, "--compare", &other];

    let ran = place.run(&arguments);
    let json = place.run(&[&arguments[..], &["--format", "json"]].concat());

    assert_eq!((ran.code, json.code), (78, 78));
    assert!(ran.out.is_empty() && ran.err.contains("there is no seller `tee`") && ran.err.contains("`tea`"), "{ran:?}");
    assert!(ran.err.contains("a.toml"), "{ran:?}");
    assert_eq!(json.json()["ok"], false);
}

#[test]
fn a_crossed_threshold_ends_with_99_and_wrong_use_with_2() {
    let place = Place::with(&[("traffic.toml", TRAFFIC)]);
    let (routing, traffic) = (shipped().display().to_string(), place.path("traffic.toml").display().to_string());
    let arguments = ["simulate", "--routing", &routing, "--traffic", &traffic];
    let with = |more: &[&str]| place.run(&[&arguments[..], more].concat());

    let held = with(&["--threshold", "p_block<=0.5", "--threshold", "groups.tea/presale.served>=1"]);
    let crossed = with(&["--threshold", "served<10"]);
    let unknown = with(&["--threshold", "speed>1"]);
    let nowhere = with(&["--staff", "sl=0.8/20s"]);

    assert_eq!((held.code, crossed.code, unknown.code, nowhere.code), (0, 99, 2, 2));
    assert!(crossed.err.contains("the threshold served<10 is crossed: 300"), "{crossed:?}");
    assert!(crossed.out.contains("300 buyers"), "{crossed:?}");
    assert!(nowhere.err.contains("tea/presale"), "{nowhere:?}");
}
