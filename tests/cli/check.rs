//! `fenliu check`.

use serde_json::json;

use crate::run::{Place, shipped};

const SETTINGS: &str = "[routing]\npath = \"shops\"\n";
const TYPO: &str = "[[role]]\nid = \"greeter\"\nscopes = [\"conversation.recieve\"]\n";

fn shipped_text() -> String {
    shipped().display().to_string()
}

#[test]
fn a_valid_configuration_is_ok_and_exits_with_0() {
    let ran = Place::new().run(&["check", "--on", "2027-03-01", &shipped_text()]);

    assert_eq!((ran.code, ran.out.as_str()), (0, "ok: 3 sellers, 12 agents; 0 errors, 0 warnings\n"));
}

#[test]
fn the_outcome_is_one_object_for_programs() {
    let ran = Place::new().run(&["check", "--on", "2027-03-01", "--format", "json", &shipped_text()]);

    assert_eq!(ran.json(), json!({ "ok": true, "errors": 0, "warnings": 0, "diagnostics": [] }));
}

#[test]
fn loose_files_are_one_configuration() {
    let mut paths: Vec<_> = std::fs::read_dir(shipped()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let check = |paths: &[String]| {
        let mut arguments = vec!["check", "--on", "2027-03-01"];
        arguments.extend(paths.iter().map(String::as_str));
        Place::new().run(&arguments).code
    };

    assert_eq!((check(&paths), check(&paths[1..])), (0, 78));
}

#[test]
fn an_invalid_configuration_exits_with_78_and_says_where_and_what_was_meant() {
    let place = Place::with(&[("shops/a.toml", TYPO)]);

    let text = place.run(&["check", "shops"]);
    let ran = place.run(&["check", "shops", "--format", "json"]);

    assert_eq!((text.code, ran.code, ran.json()["errors"].clone()), (78, 78, json!(1)));
    assert!(text.out.contains("shops/a.toml:3:11") && text.out.contains("invalid: 1 error, 0 warnings"), "{text:?}");
    let found = &ran.json()["diagnostics"][0];
    assert_eq!((&found["line"], &found["column"], &found["length"]), (&json!(3), &json!(11), &json!(22)));
    assert_eq!(found["severity"], "error");
    assert_eq!(found["nearest"], "conversation.receive");
    assert_eq!(found["text"], "\"conversation.recieve\"");
}

#[test]
fn a_settings_file_leads_to_the_routing_configuration_it_names() {
    let place = Place::with(&[("fenliu.toml", SETTINGS), ("shops/a.toml", TYPO)]);

    for arguments in [&["check", "fenliu.toml"][..], &["check", "-c", "fenliu.toml"]] {
        let ran = place.run(arguments);
        assert!(ran.code == 78 && ran.out.contains("shops/a.toml:3:11"), "{ran:?}");
    }
    assert_eq!(place.run_with(&["check"], &[("FENLIU_CONFIG", "fenliu.toml")], "").code, 78);
}

#[test]
fn without_a_path_it_is_what_a_start_here_would_read() {
    let place = Place::with(&[("config/fenliu.toml", SETTINGS), ("shops/a.toml", TYPO)]);

    let ran = place.run(&["check"]);
    let elsewhere = place.run_with(&["check"], &[("FENLIU__ROUTING__PATH", &shipped_text())], "");

    assert!(ran.code == 78 && ran.out.contains("shops/a.toml:3:11"), "{ran:?}");
    assert_eq!(elsewhere.code, 0, "{elsewhere:?}");
}

#[test]
fn settings_are_judged_too_and_so_are_the_variables() {
    let place = Place::with(&[("fenliu.toml", "[limits]\nframe = \"a\"\n[sever]\n")]);

    let ran = place.run_with(&["check", "fenliu.toml", "--format", "json"], &[("FENLIU__LIMITS__TXT", "1")], "");

    let found = ran.json()["diagnostics"].as_array().unwrap().clone();
    let places: Vec<_> = found.iter().map(|found| (found["file"].as_str().unwrap(), found["line"].clone())).collect();
    assert_eq!((ran.code, places.len()), (78, 3), "{ran:?}");
    assert_eq!(places[..2], [("fenliu.toml", json!(2)), ("fenliu.toml", json!(3))]);
    assert_eq!(found[2]["nearest"], "FENLIU__LIMITS__TEXT");
}

#[test]
fn what_is_not_there_is_invalid_and_a_wrong_word_is_wrong_use() {
    let place = Place::new();

    assert_eq!(place.run(&["check", "nowhere/at/all"]).code, 78);
    assert_eq!(place.run(&["check", "--frmat", "json"]).code, 2);
    assert_eq!(place.run(&["chek"]).code, 2);
}

#[test]
fn key_files_are_looked_at_too_and_only_by_who_uses_them() {
    let settings = "[server]\nadmin_listen = \"unix:nobody.sock\"\n[server.tls]\ncert = \"tls.pem\"\nkey = \"tls.key\"\n\
                    [auth]\nhs256_secret_file = \"nowhere\"\n[routing]\npath = \"shops\"\n";
    let place = Place::with(&[("fenliu.toml", settings), ("shops/a.toml", ""), ("tls.pem", "no certificate")]);

    let checked = place.run(&["check", "fenliu.toml"]);
    let served = place.run(&["-c", "fenliu.toml", "serve"]);
    let asked = place.run(&["-c", "fenliu.toml", "ctl", "health"]);

    assert_eq!((checked.code, served.code, asked.code), (78, 78, 69), "{checked:?} {served:?} {asked:?}");
    for said in [&checked.out, &served.err] {
        assert!(said.contains("fenliu.toml:4:8") && said.contains("tls.pem has no certificate in PEM"), "{said}");
        assert!(said.contains("fenliu.toml:7:21") && said.contains("cannot read the key file nowhere"), "{said}");
    }
}

#[test]
fn colours_come_when_asked_for_and_never_by_themselves_into_a_pipe() {
    let place = Place::with(&[("a.toml", TYPO)]);

    let coloured = |arguments: &[&str]| place.run(arguments).out.contains('\u{1b}');

    assert!(!coloured(&["check", "a.toml"]));
    assert!(coloured(&["check", "a.toml", "--color", "always"]));
    assert!(!coloured(&["check", "a.toml", "--color", "never"]));
}
