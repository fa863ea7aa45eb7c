//! `fenliu token`.

use serde_json::json;

use crate::run::{Place, Ran};

const SECRET: [(&str, &str); 1] = [("FENLIU__AUTH__HS256_SECRET", "a-secret-of-at-least-32-bytes-length")];

fn check(token: &str, variables: &[(&str, &str)]) -> Ran {
    Place::new().run_with(&["token", "--check", "-"], variables, token)
}

#[test]
fn a_token_that_is_printed_is_one_that_is_believed() {
    let place = Place::new();
    let arguments =
        ["token", "--role", "buyer", "--sub", "ann", "--name", "Ann", "--attr", "level=gold", "--ttl", "2h"];

    let printed = place.run(&arguments);
    let text = place.run_with(&["token", "--check", "-"], &[], &printed.out);
    let data = place.run_with(&["token", "--check", "-", "--format", "json"], &[], &printed.out).json();

    assert_eq!((printed.code, printed.err.as_str(), printed.out.lines().count()), (0, "", 1));
    assert!(text.code == 0 && text.out.starts_with("valid until "), "{text:?}");
    assert_eq!((&data["valid"], &data["role"], &data["sub"]), (&json!(true), &json!("buyer"), &json!("ann")));
    assert_eq!((&data["name"], &data["attrs"]), (&json!("Ann"), &json!({ "level": ["gold"] })));
    assert!(place.path("data/secret").exists());
}

#[test]
fn what_is_wrong_with_a_token_is_said_and_the_token_is_not() {
    let place = Place::new();
    let mint = |arguments: &[&str]| {
        let all: Vec<_> = ["token", "--role", "staff", "--sub", "mei"].iter().chain(arguments).copied().collect();
        place.run_with(&all, &SECRET, "").out.trim().to_owned()
    };
    let other = [("FENLIU__AUTH__HS256_SECRET", "another-secret-of-at-least-32-bytes!")];
    let token = mint(&[]);

    for (token, variables, reason) in [
        ("hello", &SECRET, "not a signed token"),
        ("", &SECRET, "not a signed token"),
        (token.as_str(), &other, "the signature does not fit"),
        (mint(&["--ttl", "400d"]).as_str(), &SECRET, "auth.ttl_max"),
        (mint(&["--ttl", "0s"]).as_str(), &SECRET, "valid until"),
    ] {
        let ran = check(token, variables);
        let expected = i32::from(!reason.starts_with("valid"));
        assert_eq!(ran.code, expected, "{reason}: {ran:?}");
        assert!(format!("{}{}", ran.out, ran.err).contains(reason), "{reason}: {ran:?}");
        assert!(token.is_empty() || !ran.err.contains(token), "{ran:?}");
    }
}

#[test]
fn a_token_needs_a_role_and_somebody() {
    assert_eq!(Place::new().run(&["token", "--role", "boss", "--sub", "x"]).code, 2);
    assert_eq!(Place::new().run(&["token", "--role", "buyer"]).code, 2);
    assert_eq!(Place::new().run(&["token", "--role", "buyer", "--sub", "x", "--ttl", "soon"]).code, 2);
    assert_eq!(Place::new().run(&["token", "--role", "buyer", "--sub", ""]).code, 2);
}
