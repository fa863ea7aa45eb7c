//! Settings from outside: `fenliu config`, and how a start refuses what is wrong.

use serde_json::{Value, json};

use crate::run::Place;

#[test]
fn the_default_file_is_one_that_can_be_used() {
    let place = Place::new();
    let ran = place.run(&["config", "default"]);
    std::fs::write(place.path("fenliu.toml"), &ran.out).unwrap();

    let shown = place.run(&["config", "show", "-c", "fenliu.toml", "--format", "json"]);

    assert_eq!((ran.code, shown.code, ran.err.as_str()), (0, 0, ""));
    assert!(shown.json().as_array().unwrap().len() > 30, "{shown:?}");
}

#[test]
fn every_setting_is_in_the_default_file_and_has_a_variable() {
    let place = Place::new();
    let text = place.run(&["config", "default"]).out;
    let known = place.run(&["config", "env", "--format", "json"]).json();

    for setting in known.as_array().unwrap().iter().filter(|setting| setting["path"].is_string()) {
        let path = setting["path"].as_str().unwrap();
        let key = path.split('.').nth(1).unwrap();
        assert!(text.contains(&format!("\n{key} = ")) || text.contains(&format!("\n# {key} = ")), "{path}");
        assert_eq!(setting["variable"], format!("FENLIU__{}", path.replace('.', "__").to_uppercase()));
    }
}

#[test]
fn the_schema_is_one_of_json_schema_with_every_section() {
    let schema = Place::new().run(&["config", "schema"]).json();

    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(schema["additionalProperties"], false);
    let sections: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(sections, ["auth", "limits", "log", "routing", "server", "store"]);
    assert_eq!(schema["properties"]["store"]["properties"]["slot_wait"]["default"], "2s");
}

#[test]
fn what_env_prints_can_be_set_as_it_stands() {
    let place = Place::new();
    let text = place.run(&["config", "env"]).out;
    let variables: Vec<(&str, &str)> =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).collect();
    let given: Vec<_> = variables.iter().filter(|(_, value)| !value.is_empty()).copied().collect();

    let ran = place.run_with(&["config", "show", "--format", "json"], &given, "");

    assert!(given.len() > 25, "{text}");
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn show_says_where_each_value_came_from_and_hides_secrets() {
    let place = Place::with(&[("fenliu.toml", "[server]\nlisten = \"127.0.0.1:1\"\n[store]\nslot_wait = \"90s\"\n")]);
    let variables = [
        ("FENLIU__AUTH__HS256_SECRET", "a-secret-of-at-least-32-bytes-length"),
        ("FENLIU_CONFIG", "fenliu.toml"),
        ("FENLIU_LOG", "debug"),
        ("FENLIU__LIMITS__TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.1"),
    ];

    let text = place.run_with(&["config", "show"], &variables, "");
    let rows = place.run_with(&["config", "show", "--format", "json"], &variables, "").json();

    assert!(!text.out.contains("a-secret") && !rows.to_string().contains("a-secret"));
    let row = |path: &str| rows.as_array().unwrap().iter().find(|row| row["path"] == path).unwrap().clone();
    let is = |path: &str, value: Value, from: &str| {
        assert_eq!(row(path), json!({"path": path, "value": value, "from": from}))
    };
    is("server.listen", json!("127.0.0.1:1"), "fenliu.toml:2");
    is("store.slot_wait", json!("1m 30s"), "fenliu.toml:4");
    is("auth.hs256_secret", json!("***"), "FENLIU__AUTH__HS256_SECRET");
    is("log.filter", json!("debug"), "--log");
    is("limits.trusted_proxies", json!(["10.0.0.0/8", "127.0.0.1/32"]), "FENLIU__LIMITS__TRUSTED_PROXIES");
    is("limits.batch", json!(50), "default");
}

#[test]
fn a_start_with_invalid_settings_exits_with_78_and_says_all_that_is_wrong() {
    let place = Place::with(&[("fenliu.toml", "[limits]\nframe = \"a\"\ntext = -1\n")]);
    let variables =
        [("FENLIU__LIMITS__BATCH", "x"), ("FENLIU__NOBODY__READS", "this"), ("FENLIU_CONFIG", "fenliu.toml")];

    for command in ["serve", "check"] {
        let ran = place.run_with(&[command], &variables, "");
        let said = format!("{}{}", ran.out, ran.err);

        assert_eq!(ran.code, 78, "{ran:?}");
        for part in ["fenliu.toml:2:9", "fenliu.toml:3:8", "FENLIU__LIMITS__BATCH=x", "FENLIU__NOBODY__READS=****"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert_eq!(place.run(&["serve", "-c", "nowhere.toml"]).code, 78);
    assert_eq!(place.run(&["serve", "--log", "info,fenliu=loud"]).code, 2);
    assert_eq!(place.run_with(&["serve"], &[("FENLIU_LOG_FORMAT", "prose")], "").code, 2);
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Place::new().run(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("fenliu") && ran.err.is_empty(), "{shell}: {ran:?}");
    }
    assert_eq!(Place::new().run(&["completions", "abacus"]).code, 2);
}
