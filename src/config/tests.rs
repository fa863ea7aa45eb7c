//! The settings as people get them wrong: everything said at once, each with its place, and no secret in it.

use std::ffi::OsString;
use std::path::Path;

use super::diagnostics::{Colour, render};
use super::settings::Settings;
use super::{Faults, Loaded};
use crate::model::Timestamp;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

fn variables(given: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    given.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

/// A folder with the keys that the files below name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.key"), "b".repeat(32)).unwrap();
    std::fs::write(folder.path().join("a.pem"), PUBLIC).unwrap();
    folder
}

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Loaded, Faults> {
    let folder = folder();
    let within = |text: &str| text.replace("KEYS/", &format!("{}/", folder.path().display()));
    let (file, environment) = (within(file), environment.iter().map(|(name, value)| (*name, within(value))));
    let environment: Vec<_> = environment.collect();
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = folder.path().join("fenliu.toml");
    std::fs::write(&path, file).unwrap();
    let loaded = Loaded::load(&path, true, variables(&environment));
    let looked = loaded.and_then(|loaded| {
        let found = loaded.named_files(NOW);
        if found.diagnostics.is_empty() { Ok(loaded) } else { Err(found) }
    });
    looked.map_err(|mut faults| {
        let short = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        for fault in &mut faults.diagnostics {
            fault.file = short(&fault.file).into();
        }
        for (name, _) in &mut faults.files {
            *name = short(name);
        }
        faults
    })
}

/// `file:line:column message` of each.
fn said(file: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let faults = load(file, environment).unwrap_err().diagnostics;
    faults.iter().map(|found| format!("{}:{}:{} {}", found.file, found.line, found.column, found.message)).collect()
}

/// What one fault expects and proposes.
fn helped(file: &str, environment: &[(&str, &str)]) -> (Option<String>, Option<String>) {
    let mut faults = load(file, environment).unwrap_err().diagnostics;
    assert_eq!(faults.len(), 1, "{faults:?}");
    let fault = faults.remove(0);
    (fault.expected, fault.nearest)
}

#[test]
fn the_environment_overrides_the_file_and_the_file_the_defaults() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\n[limits]\nframe = 0x10\n";
    let loaded = load(file, &[("FENLIU__SERVER__LISTEN", "127.0.0.1:3"), ("FENLIU__LIMITS__BURST", "7")]).unwrap();

    let Settings { server, limits, .. } = loaded.settings;
    assert_eq!((server.listen.port(), server.admin_listen.to_string().as_str()), (3, "127.0.0.1:2"));
    assert_eq!((limits.frame, limits.burst, limits.batch), (16, 7, 50));
    assert_eq!(loaded.origins["server.listen"], "FENLIU__SERVER__LISTEN");
    assert!(loaded.origins["server.admin_listen"].ends_with("fenliu.toml:3"));
    assert!(!loaded.origins.contains_key("limits.batch"));
}

#[test]
fn lists_in_the_environment_are_comma_separated_and_may_be_empty() {
    let file = "[server]\nallowed_origins = [\"https://file.example\"]\n";
    let origins = |value| load(file, &[("FENLIU__SERVER__ALLOWED_ORIGINS", value)]).unwrap().settings;

    let two = origins("https://a.example, https://b.example").server.allowed_origins;
    assert_eq!(two, ["https://a.example", "https://b.example"]);
    assert!(origins("").server.allowed_origins.is_empty());
    assert_eq!(
        said("", &[("FENLIU__SERVER__ALLOWED_ORIGINS", "*,,https://b.example/path")]),
        ["environment:1:35 this is empty"]
    );
    assert_eq!(
        said("", &[("FENLIU__LIMITS__TRUSTED_PROXIES", "10.0.0.0/8,::1,10.0.0/8")]),
        ["environment:1:48 this value is not accepted"]
    );
    assert_eq!(
        said("", &[("FENLIU__SERVER__ALLOWED_ORIGINS", "*, https://b.example/path")]),
        ["environment:1:36 server.allowed_origins: this is no origin"]
    );
}

#[test]
fn everything_wrong_in_file_and_environment_is_said_at_once() {
    let file = "[server]\nlisten = 8080\nlistenn = \"\"\n[stroe]\nkind = \"memory\"\n[store]\nkind = \"sqllite\"\n\
                slot_wait = \"2 parsecs\"\n[limits]\nframe = -1\ntext = \"8000\"\nheartbeat = \"4000d\"\n\
                [log]\nfilter = \"info,fenliu=loud\"\n";
    let environment = [("FENLIU__LIMITS__BATCH", "fifty"), ("FENLIU_SERVER__LISTEN", "x"), ("FENLIU_LOG", "debug")];

    assert_eq!(
        said(file, &environment),
        [
            "fenliu.toml:2:10 this is a number",
            "fenliu.toml:3:1 `server` has no key `listenn`",
            "fenliu.toml:4:2 there is no section `stroe`",
            "fenliu.toml:7:8 this is none of the choices",
            "fenliu.toml:8:13 this value is not accepted",
            "fenliu.toml:10:9 this number is out of range",
            "fenliu.toml:11:8 this is a string",
            "fenliu.toml:12:13 this is too long a time",
            "fenliu.toml:14:10 log.filter: the log filter `info,fenliu=loud` is not a list of levels like \
             `info,fenliu=debug`",
            "environment:1:1 nobody reads this variable",
            "environment:2:23 this is no whole number",
        ]
    );
}

#[test]
fn the_nearest_name_is_proposed_wherever_one_is_mistyped() {
    let nearest = |file, environment: &[(&str, &str)]| helped(file, environment).1.unwrap();

    assert_eq!(nearest("[server]\nlistenn = \"\"", &[]), "listen");
    assert_eq!(nearest("[sever]", &[]), "server");
    assert_eq!(nearest("[server]\nheartbeat = \"5s\"", &[]), "limits.heartbeat");
    assert_eq!(nearest("[store]\nkind = \"memry\"", &[]), "memory");
    assert_eq!(nearest("[auth]\nkeys = [{ kid = \"a\", alg = \"ES265\" }]", &[]), "ES256");
    for name in ["FENLIU_SERVER__LISTEN", "FENLIU__SERVER__LISTENN", "FENLIU__SERVER_LISTEN", "FENLIU__LISTEN"] {
        assert_eq!(nearest("", &[(name, "x")]), "FENLIU__SERVER__LISTEN", "{name}");
    }
    assert_eq!(nearest("", &[("FENLIU_CONFG", "x")]), "FENLIU_CONFIG");
    assert_eq!(helped("", &[("FENLIU__SOMETHING__ELSE_ENTIRELY", "x")]).1, None);
}

#[test]
fn what_was_expected_is_said_in_words() {
    let expected = |file| helped(file, &[]).0.unwrap();

    assert_eq!(expected("[server]\nlisten = \"8080\""), "an address with a port, such as \"127.0.0.1:8080\"");
    assert_eq!(expected("[store]\nslot_wait = 2"), "a duration such as \"30s\", \"10m\" or \"72h\"");
    assert_eq!(expected("[store]\nkind = 1"), "one of \"sqlite\", \"memory\"");
    assert_eq!(expected("[limits]\ndepth = 4000"), "a whole number from 0 (no limit) to 120");
    assert_eq!(
        expected("[server]\nadmin_listen = \"unix:\""),
        "an address with a port, such as \"127.0.0.1:8081\", or \"unix:PATH\""
    );
    assert_eq!(
        expected("[limits]\ntrusted_proxies = [\"::/0\", \"all\"]"),
        "an address or a network, as in 10.0.0.0/8"
    );
    assert_eq!(expected("[routing]\nwatch = \"yes\""), "true or false");
    assert_eq!(expected("server = 1"), "a table");
    assert_eq!(
        expected("[auth]\nkeys = [{ kid = \"a\" }]"),
        "`alg = …`, one of \"HS256\", \"EdDSA\", \"ES256\", \"RS256\""
    );
}

#[test]
fn a_file_that_is_no_toml_hides_no_fault_of_its_other_sections_or_of_the_environment() {
    let file = "[server]\nlisten = \"127.0.0.1:1\nadmin_listen = 5\n[limits]\nframe = \"a\"\n";

    let said = said(file, &[("FENLIU__LIMITS__TEXT", "b")]);

    assert!(said[0].starts_with("fenliu.toml:2:"), "{said:?}");
    assert!(said.contains(&"fenliu.toml:5:9 this is a string".to_owned()), "{said:?}");
    assert!(said.contains(&"environment:1:22 this is no whole number".to_owned()), "{said:?}");
}

#[test]
fn a_file_that_cannot_be_read_does_not_hide_what_is_wrong_with_the_variables() {
    let environment = variables(&[("FENLIU__LIMITS__TEXT", "b")]);

    let faults = Loaded::load(Path::new("nowhere.toml"), true, environment).unwrap_err().diagnostics;

    assert!(faults[0].message.starts_with("cannot be read"), "{faults:?}");
    assert_eq!((faults.len(), &*faults[1].file), (2, "environment"));
    assert!(Loaded::load(Path::new("nowhere.toml"), false, Vec::new()).is_ok());
}

#[test]
fn keys_are_taken_in_every_form_and_judged_one_by_one() {
    let file = "[[auth.keys]]\nkid = \"a\"\nalg = \"EdDSA\"\npublic_key_file = \"KEYS/a.pem\"\nroles = [\"buyer\", \"staff\"]\n\
                sellers = [\"tea\"]\n[[auth.keys]]\nkid = \"b\"\nalg = \"HS256\"\nsecret_file = \"KEYS/b.key\"\n";
    let list = "[{ kid = \"c\", alg = \"EdDSA\", public_key_file = \"KEYS/a.pem\" }]";

    let keys = load(file, &[]).unwrap().settings.auth.keys;
    assert_eq!((keys.len(), keys[1].roles.len(), keys[0].roles.len()), (2, 1, 2));
    let keys = load(file, &[("FENLIU__AUTH__KEYS", list)]).unwrap().settings.auth.keys;
    assert_eq!((keys.len(), keys[0].kid.as_str()), (1, "c"));

    let faulty = "[auth]\nkeys = [\n{ kid = \"a\", alg = \"HS256\" },\n{ kid = \"a\", alg = \"none\", roles = [\"boss\"], x = 1 },\n\
                  { kid = \"a\", alg = \"HS256\", secret_file = \"KEYS/b.key\" },\n5 ]\n";
    assert_eq!(
        said(faulty, &[]),
        [
            "fenliu.toml:3:1 auth.keys: the key `a` needs `secret_file`",
            "fenliu.toml:4:20 this is none of the choices",
            "fenliu.toml:4:37 this is none of the choices",
            "fenliu.toml:4:46 `auth.keys[1]` has no key `x`",
            "fenliu.toml:5:9 auth.keys: two keys are called `a`",
            "fenliu.toml:6:1 this is a number",
        ]
    );
}

#[test]
fn key_files_that_cannot_be_used_are_said_with_their_place() {
    let file = "[auth]\nhs256_secret_file = \"nowhere\"\nkeys = [{ kid = \"a\", alg = \"ES256\", public_key_file = \"KEYS/a.pem\" }]\n";

    let said = said(file, &[]);

    assert!(
        said[0].starts_with("fenliu.toml:2:21 auth.hs256_secret_file: cannot read the key file nowhere"),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("fenliu.toml:3:55 auth.keys: ") && said[1].contains("not a public key for ES256"),
        "{said:?}"
    );
}

/// A certificate with its key, valid until so many days from now, in files that the settings below name.
fn certificate(folder: &Path, name: &str, days: i64) {
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let last = NOW.to_jiff() + jiff::SignedDuration::from_hours(24 * days);
    let last = jiff::tz::TimeZone::UTC.to_datetime(last).date();
    let number = |number: i8| u8::try_from(number).unwrap();
    parameters.not_after = rcgen::date_time_ymd(last.year().into(), number(last.month()), number(last.day()));
    let key = rcgen::KeyPair::generate().unwrap();
    let made = parameters.self_signed(&key).unwrap();
    std::fs::write(folder.join(format!("{name}.pem")), made.pem()).unwrap();
    std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

#[test]
fn a_certificate_is_looked_at_with_its_key_and_its_last_day() {
    let folder = tempfile::tempdir().unwrap();
    for (name, days) in [("good", 90), ("soon", 10), ("old", -10)] {
        certificate(folder.path(), name, days);
    }
    let said = |cert: &str, key: &str| {
        let path = folder.path().join("fenliu.toml");
        std::fs::write(
            &path,
            format!("[server.tls]\ncert = \"KEYS/{cert}\"\nkey = \"KEYS/{key}\"\n")
                .replace("KEYS", &folder.path().display().to_string()),
        )
        .unwrap();
        let found = Loaded::load(&path, true, Vec::new()).unwrap().named_files(NOW).diagnostics;
        let found = found.iter().map(|found| {
            let message = found.message.replace(&format!("{}/", folder.path().display()), "");
            format!("{:?} {}:{} {message}", found.severity, found.line, found.column)
        });
        found.collect::<Vec<_>>().join("; ")
    };

    assert_eq!(said("good.pem", "good.key"), "");
    assert_eq!(
        said("soon.pem", "soon.key"),
        "Warning 2:8 server.tls.cert: the certificate is valid only until 2027-01-25T00:00:00.000Z"
    );
    assert_eq!(
        said("old.pem", "old.key"),
        "Warning 2:8 server.tls.cert: the certificate has not been valid since 2027-01-05T00:00:00.000Z"
    );
    assert_eq!(
        said("good.pem", "old.key"),
        "Error 3:7 server.tls.key: the certificate in good.pem is not one for the key in old.key"
    );
    assert_eq!(said("good.pem", "good.pem"), "Error 3:7 server.tls.key: good.pem has no private key in PEM");
    assert_eq!(said("good.key", "soon.key"), "Error 2:8 server.tls.cert: good.key has no certificate in PEM");
    assert!(said("nowhere", "good.key").starts_with("Error 2:8 server.tls.cert: cannot read nowhere: "));
}

#[test]
fn a_secret_is_taken_as_it_is_and_never_shown() {
    let secret = "00000000000000000000000000000001";
    let odd = " 1,2 [\"x\"] true 007 $HOME 'quoted' ";

    for secret in [secret, odd] {
        let auth = load("", &[("FENLIU__AUTH__HS256_SECRET", secret)]).unwrap().settings.auth;
        assert_eq!(auth.hs256_secret.unwrap().expose(), secret);
    }
    for (file, name) in [
        ("[auth]\nhs256_secret = \"do-not-show\"\n", ""),
        ("[auth]\nhs256_secert = \"do-not-show\"\n", ""),
        ("[auth]\nhs256_secret = \"do-not-show\n", ""),
        ("[auth]\nhs256_secret = [\"do-not-show\"]\n", ""),
        ("auth = { hs256_secret = \"do-not-show\" }\n", ""),
        ("", "FENLIU__AUTH__HS256_SECRET"),
        ("", "FENLIU__AUTH__HS256_SECERT"),
        ("", "FENLIU_SECRET"),
    ] {
        let environment: &[(&str, &str)] = if name.is_empty() { &[] } else { &[(name, "do-not-show")] };
        let faults = load(file, environment).unwrap_err();
        let mut shown = serde_json::to_string(&faults.diagnostics).unwrap();
        render(&mut shown, &faults.diagnostics, &faults.files, Colour::Plain).unwrap();
        shown.push_str(&format!("{faults:?} {faults}"));

        assert!(!shown.contains("do-not-show"), "{file} {name}: {shown}");
        assert!(shown.contains(name), "{shown}");
    }
}

#[test]
fn a_path_is_said_once() {
    let shown = load("[auth]\nhs256_secret = \"short\"\n", &[]).unwrap_err().to_string();

    assert!(shown.contains(": error: auth.hs256_secret: a secret has at least 32 bytes"), "{shown}");
}

#[test]
fn tokens_for_everybody_are_for_this_machine_alone() {
    let file = "[server]\nlisten = \"0.0.0.0:8080\"\n[auth]\ndev_tokens = true\n";

    assert_eq!(said(file, &[]), ["fenliu.toml:4:14 auth.dev_tokens: `server.listen` is no loopback address"]);
}

#[test]
fn faults_are_shown_with_their_line_underlined() {
    let faults = load("[limits]\nframe = \"a\"\n", &[("FENLIU__LIMITS__TEXT", "viel")]).unwrap_err();

    let mut shown = String::new();
    render(&mut shown, &faults.diagnostics, &faults.files, Colour::Plain).unwrap();

    assert!(shown.contains("fenliu.toml:2:9") && shown.contains("frame = \"a\""), "{shown}");
    assert!(shown.contains("FENLIU__LIMITS__TEXT=viel") && shown.contains("expected a whole number"), "{shown}");
}

#[test]
fn the_shipped_file_says_the_defaults() {
    let shipped = include_str!("../../config/fenliu.toml");

    assert_eq!(load(shipped, &[]).unwrap().settings, Settings::default());
}
