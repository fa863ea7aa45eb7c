//! Tokens made by hand and by another library, against every rule.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::model::{Caller, SellerId, Timestamp};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const SECRET: &str = "a secret of thirty-two bytes or more";

const ED25519_PEM: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAMyPsTILe7QbaYjHM5bk2oz4eZJMDMH7CKYmcVExlZiw=
-----END PUBLIC KEY-----
";
const ED25519_TOKEN: &str = concat!(
    "eyJhbGciOiAiRWREU0EiLCAidHlwIjogIkpXVCIsICJraWQiOiAidGVhLTEifQ.eyJzdWIiOiAibGkiLCAicm9sZSI6ICJidXllc",
    "iIsICJleHAiOiAxNzAwMDAzNjAwLCAiYXVkIjogImZlbmxpdSIsICJuYW1lIjogIkxpIn0.3a8rjDgCgle_WhJcdyRfjR3ptvB5-",
    "b5uk-63a59YEBq8ZL8pT4SCQdYC-2qVU8zU8Ptk84c6tnfio7G2ChzsCg",
);

const ES256_PEM: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElpkQAOBOYsc9sQ/VIMeAeNdKpaX9
lJYIYkFgAJcnr6KOLjFuEupuqyLDWbUf6vLpGl3YaGN5ovQWeP56+L4HBA==
-----END PUBLIC KEY-----
";
const ES256_TOKEN: &str = concat!(
    "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAidGVhLTEifQ.eyJzdWIiOiAibGkiLCAicm9sZSI6ICJidXllc",
    "iIsICJleHAiOiAxNzAwMDAzNjAwLCAiYXVkIjogImZlbmxpdSIsICJuYW1lIjogIkxpIn0.X1vdK0lQJlFdASvuhHatzy433QgT3",
    "4eDpb_rWbjPE7Ikf9aNs4QR8O6y1tqP2PV3iEtw2UNLvUJtDb78PO4uJQ",
);

const RS256_PEM: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzojlhReiHv8WXLUY269A
QGyAewSUqgBTsrfuwMzkilKkp24eZ4/rFZ/4RcFPZ9Hd7uXk4/BUk90MJ3EUJhP9
hLAH2VgraHgsUnAr/0pSxd+aZpHsGn1mZLWQiTM2gsmaWoD7XIE5tRn7t5ritH08
VNCyveHpOSazbUwREWkhgTzsTO5IGMgEWO2hj3Dpi1WiFJGrjgIjLUu3sr8FWiCI
cbdvraqa3tCrU1lw3TLVbpFAb8YN3JM75o1ZSIZxkeaO8jpLDLO27Vd6JnY80die
9XJW+N+bgtPYJlhc0NCtvTmquAlkyE/LRs0bxu0mPM38Q5NUo9DOVeuikbduc1Ss
UQIDAQAB
-----END PUBLIC KEY-----
";
const RS256_TOKEN: &str = concat!(
    "eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAidGVhLTEifQ.eyJzdWIiOiAibGkiLCAicm9sZSI6ICJidXllc",
    "iIsICJleHAiOiAxNzAwMDAzNjAwLCAiYXVkIjogImZlbmxpdSIsICJuYW1lIjogIkxpIn0.whXw6Fd31qsj1xu4-HQALiv0mgpqF",
    "9pca036DbmmEP8eudNgKssOS4qzTgpkTPVsd9wQuRTVY6kwCwVoihWTd1n1QYyuFqUiC3nHmtX0M2fWKWUFwRQaTTmn0jfcji0_M",
    "skmNs44GDRKYyMUYrKomXdefbDcXnhpINewNPcyIlPg2L9PtUnriTHdMd7MHlUqio5uHOzxidPjmsALd_uSUoI6UJD_RbSKRuST4",
    "HV1fAz7nAhLf5wT-lWXEOE3KUCtkXGKdFf6RwT0k8M53QsghWYlS0N-OhUeCiSbovCCd9urLmCepSDX0-IZL44_UcmzlMeEqxjQp",
    "BIcfo0llyaSjg",
);

fn settings() -> Settings {
    Settings { hs256_secret: Some(SECRET.into()), ..Settings::default() }
}

fn keys(settings: &Settings) -> Keys {
    Keys::load(settings, &PathBuf::from("not-used")).unwrap()
}

fn claims() -> Value {
    json!({ "sub": "li", "role": "buyer", "aud": "fenliu", "exp": 1_700_003_600 })
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

fn sign(header: &Value, claims: &Value, secret: &str) -> String {
    provider::install();
    let header: jsonwebtoken::Header = serde_json::from_value(header.clone()).unwrap();
    jsonwebtoken::encode(&header, claims, &jsonwebtoken::EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn judge(claims: &Value) -> Result<Identity, Rejected> {
    keys(&settings()).verify(&sign(&json!({ "alg": "HS256" }), claims, SECRET), NOW)
}

fn key(kid: &str, alg: Algorithm, text: &str) -> (Key, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let path = Some(file.path().to_owned());
    let (secret_file, public_key_file) = if alg == Algorithm::HS256 { (path, None) } else { (None, path) };
    (Key { kid: kid.into(), alg, public_key_file, secret_file, roles: vec![Role::Buyer], sellers: None }, file)
}

#[test]
fn a_token_that_was_minted_is_believed_and_says_the_same() {
    let keys = keys(&Settings { issuer: Some("shop".into()), ..settings() });
    let mut claims = Claims::new(Role::Buyer, "li", Timestamp::from_micros(1_700_003_600_000_000));
    claims.name = Some("Li".into());
    claims.attributes.insert("level".into(), vec!["gold".into(), "early".into()]);
    claims.attributes.insert("city".into(), vec!["Hangzhou".into()]);

    let identity = keys.verify(&keys.mint(&claims).unwrap(), NOW).unwrap();

    assert_eq!(identity.name.as_deref(), Some("Li"));
    assert_eq!(identity.expires_at, claims.expires_at);
    let attributes = [("city".into(), vec!["Hangzhou".into()]), ("level".into(), vec!["gold".into(), "early".into()])];
    assert_eq!(identity.attributes, attributes);
    let Caller::Buyer { key, sellers: None } = identity.caller else { panic!() };
    assert_eq!((key.within, &*key.sub), (None, "li"));
}

#[test]
fn each_public_key_algorithm_verifies_what_another_library_signed() {
    for (algorithm, pem, token) in [
        (Algorithm::EdDSA, ED25519_PEM, ED25519_TOKEN),
        (Algorithm::ES256, ES256_PEM, ES256_TOKEN),
        (Algorithm::RS256, RS256_PEM, RS256_TOKEN),
    ] {
        let (key, _file) = key("tea-1", algorithm, pem);
        let keys = keys(&Settings { keys: vec![key], ..Settings::default() });
        let mut forged = token.to_owned();
        let place = token.rfind('.').unwrap() + 9;
        let other = if &token[place..=place] == "A" { "B" } else { "A" };
        forged.replace_range(place..=place, other);

        assert_eq!(keys.verify(token, NOW).unwrap().name.as_deref(), Some("Li"), "{algorithm:?}");
        assert_eq!(keys.verify(&forged, NOW), Err(Rejected::Signature), "{algorithm:?}");
        assert_eq!(keys.mint(&Claims::new(Role::Buyer, "li", NOW)), Err(MintError::NoSecret));
    }
}

#[test]
fn a_public_key_is_never_taken_for_a_secret() {
    let (key, _file) = key("tea-1", Algorithm::EdDSA, ED25519_PEM);
    let keys = keys(&Settings { keys: vec![key], ..Settings::default() });

    let token = sign(&json!({ "alg": "HS256", "kid": "tea-1" }), &claims(), ED25519_PEM);

    assert_eq!(keys.verify(&token, NOW), Err(Rejected::Algorithm));
}

#[test]
fn a_key_of_another_kind_is_refused_at_load() {
    let (key, _file) = key("tea-1", Algorithm::EdDSA, ES256_PEM);

    let keys = Keys::load(&Settings { keys: vec![key], ..Settings::default() }, &PathBuf::from("not-used"));

    assert!(matches!(keys.err(), Some(KeysError::Unfit(_, Algorithm::EdDSA))));
}

#[test]
fn claims_of_the_wrong_type_are_refused_by_name() {
    let wrong = [
        ("sub", json!("")),
        ("sub", json!(7)),
        ("role", json!("admin")),
        ("role", json!(["buyer"])),
        ("exp", json!("1700003600")),
        ("exp", json!(-1)),
        ("exp", Value::Null),
        ("nbf", json!("now")),
        ("name", json!({})),
        ("attrs", json!([])),
        ("attrs", json!({ "level": 3 })),
        ("attrs", json!({ "level": ["gold", null] })),
    ];
    for (claim, value) in wrong {
        match judge(&with(claim, value.clone())) {
            Err(Rejected::Claim { claim: named, .. }) => assert_eq!(named, claim),
            other => panic!("{claim} = {value}: {other:?}"),
        }
    }
    for claim in ["sub", "role", "exp", "aud"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        assert!(judge(&claims).is_err(), "{claim}");
    }
}

#[test]
fn times_have_a_leeway_of_five_seconds() {
    let seconds = 1_700_000_000;
    assert!(judge(&with("exp", json!(seconds - 5))).is_ok());
    assert!(matches!(judge(&with("exp", json!(seconds - 6))), Err(Rejected::Expired(_))));
    assert!(judge(&with("nbf", json!(seconds + 5))).is_ok());
    assert!(matches!(judge(&with("nbf", json!(seconds + 6))), Err(Rejected::Early(_))));
    let month = 30 * 24 * 3600;
    assert!(judge(&with("exp", json!(seconds + month))).is_ok());
    assert!(matches!(judge(&with("exp", json!(seconds + month + 6))), Err(Rejected::TooLong(_))));
    assert!(matches!(judge(&with("exp", json!(1e300))), Err(Rejected::TooLong(_))));
}

#[test]
fn a_token_for_others_or_by_others_is_refused() {
    assert_eq!(judge(&with("aud", json!("chat"))), Err(Rejected::Audience));
    assert_eq!(judge(&with("aud", json!(["chat", 1, "fenliu"]))), Err(Rejected::Audience));
    assert!(judge(&with("aud", json!(["chat", "fenliu"]))).is_ok());
    let keys = keys(&Settings { issuer: Some("shop".into()), ..settings() });
    for (issuer, believed) in [(json!("shop"), true), (json!("other"), false), (json!(["shop"]), false)] {
        let token = sign(&json!({ "alg": "HS256" }), &with("iss", issuer.clone()), SECRET);
        assert_eq!(keys.verify(&token, NOW).is_ok(), believed, "{issuer}");
    }
}

#[test]
fn a_header_that_brings_a_key_is_refused() {
    for (name, value) in [("jku", json!("https://evil.example")), ("x5u", json!("https://evil.example"))] {
        let mut header = json!({ "alg": "HS256" });
        header[name] = value;
        let token = sign(&header, &claims(), SECRET);
        assert_eq!(keys(&settings()).verify(&token, NOW), Err(Rejected::Header(name)));
    }
    let jwk = json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "AAAA" } });
    assert_eq!(keys(&settings()).verify(&sign(&jwk, &claims(), SECRET), NOW), Err(Rejected::Header("jwk")));
}

#[test]
fn rubbish_is_not_a_token_and_is_not_quoted() {
    let keys = keys(&settings());
    for token in ["", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "\u{1F600}.\u{1F600}.\u{1F600}", ED25519_TOKEN] {
        let rejected = keys.verify(token, NOW).unwrap_err();
        assert!(token.len() < 4 || !rejected.to_string().contains(token));
    }
    let other = sign(&json!({ "alg": "HS256" }), &claims(), "another secret of more than 32 bytes");
    assert_eq!(keys.verify(&other, NOW), Err(Rejected::Signature));
}

#[test]
fn several_keys_need_a_kid_and_each_speaks_for_its_roles_only() {
    let (tea, _tea) = key("tea-1", Algorithm::HS256, "the secret of the tea house, long enough\n");
    let keys = keys(&Settings { keys: vec![tea], ..settings() });
    let judge = |header: Value, claims: Value, secret| keys.verify(&sign(&header, &claims, secret), NOW);
    let tea = "the secret of the tea house, long enough";

    assert_eq!(judge(json!({ "alg": "HS256" }), claims(), SECRET), Err(Rejected::NoKey));
    assert_eq!(judge(json!({ "alg": "HS256", "kid": "old" }), claims(), SECRET), Err(Rejected::UnknownKey));
    assert!(judge(json!({ "alg": "HS256", "kid": OWN_KEY }), with("role", json!("operator")), SECRET).is_ok());
    assert!(judge(json!({ "alg": "HS256", "kid": "tea-1" }), claims(), tea).is_ok());
    let staff = with("role", json!("staff"));
    assert_eq!(judge(json!({ "alg": "HS256", "kid": "tea-1" }), staff, tea), Err(Rejected::Role));
    let within = with("within", json!("tea"));
    assert_eq!(judge(json!({ "alg": "HS256", "kid": "tea-1" }), within, tea), Err(Rejected::Within));
}

#[test]
fn a_key_of_one_seller_has_buyers_of_its_own() {
    let buyer = |sellers: &[&str]| {
        let (mut key, _file) = key("tea-1", Algorithm::EdDSA, ED25519_PEM);
        key.sellers = Some(sellers.iter().map(|seller| (*seller).to_owned()).collect());
        match keys(&Settings { keys: vec![key], ..Settings::default() }).verify(ED25519_TOKEN, NOW).unwrap().caller {
            Caller::Buyer { key, sellers } => (key.within, sellers.unwrap().len()),
            other => panic!("{other:?}"),
        }
    };

    assert_eq!(buyer(&["tea"]), (Some(SellerId::from("tea")), 1));
    assert_eq!(buyer(&["tea", "silk"]), (None, 2));
}

#[test]
fn a_visitor_is_a_buyer_of_one_seller_for_thirty_days() {
    let keys = keys(&settings());
    let tea = SellerId::from("tea");

    let (token, identity) = keys.visitor(&tea, NOW).unwrap();

    assert_eq!(keys.verify(&token, NOW), Ok(identity.clone()));
    assert_eq!(identity.expires_at.since(NOW).as_secs(), 30 * 24 * 3600);
    let Caller::Buyer { key, sellers } = identity.caller else { panic!() };
    assert!(key.sub.starts_with("v-") && key.sub.len() == 34);
    assert_eq!((key.within.as_ref(), sellers.as_deref()), (Some(&tea), Some(&[tea.clone()][..])));
    assert!(identity.attributes.is_empty());
}

#[test]
fn a_secret_is_made_once_and_hidden_from_others() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let claims = Claims::new(Role::Operator, "root", Timestamp::from_micros(1_700_003_600_000_000));

    let token = Keys::load(&Settings::default(), &data).unwrap().mint(&claims).unwrap();
    let again = Keys::load(&Settings::default(), &data).unwrap();

    assert!(matches!(again.verify(&token, NOW).unwrap().caller, Caller::Operator { .. }));
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let secret = data.join("secret");
    assert_eq!((mode(&data), mode(&secret)), (0o700, 0o600));
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Keys::load(&Settings::default(), &data), Err(KeysError::Exposed(_))));
}

#[test]
fn faults_of_the_settings_are_all_named() {
    let (mut tea, _file) = key("tea-1", Algorithm::EdDSA, ED25519_PEM);
    tea.roles.clear();
    let mut twin = tea.clone();
    (twin.roles, twin.public_key_file) = (vec![Role::Buyer], None);
    let settings = Settings {
        hs256_secret: Some("short".into()),
        hs256_secret_file: Some("secret".into()),
        keys: vec![tea, twin],
        ..Settings::default()
    };

    assert_eq!(settings.faults().len(), 5);
    assert!(!format!("{settings:?}").contains("short"));
}
