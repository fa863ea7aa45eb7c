//! One broken configuration for each error and warning, with where it is and what is said.

use std::sync::Arc;

use super::*;
use crate::model::Timestamp;

/// 2026-11-24 12:00 in Shanghai.
const NOW: Timestamp = Timestamp::from_micros(1_795_492_800_000_000);

/// A sound configuration; each case breaks it at one place.
const SOUND: &str = r#"
[[role]]
id = "trainee"
scopes = ["conversation.receive"]
[[account]]
id = "lin"
platform = "douyin"
kind = "certified_enterprise"
certified_until = 2036-12-31
[[account]]
id = "lin-live"
platform = "toutiao"
kind = "personal"
[[account]]
id = "desk-co"
platform = "douyin"
kind = "certified_enterprise"
certified_until = 2036-12-30
[[account]]
id = "wang"
platform = "xigua"
kind = "certified_enterprise"
certified_until = 2036-12-29
[[sub_account]]
id = "mei"
kind = "staff"
capacity = 8
[[sub_account]]
id = "desk-co"
kind = "certified"
[[sub_account]]
id = "ann"
kind = "staff"
employer = "desk-co"
[[seller]]
id = "tea"
name = "Tea House"
account = "lin"
time_zone = "Asia/Shanghai"
origins = ["https://tea.example"]
shop = "shop-1"
licence_name = "Tea House"
official_account = "lin"
channel_accounts = ["lin-live"]
entries = [{ id = "room", kind = "live" }]
default_group = "presale"
  [[seller.authorization]]
  sub_account = "mei"
  role = "agent"
  [[seller.authorization]]
  sub_account = "desk-co"
  role = "lead"
  [[seller.group]]
  id = "presale"
  members = ["mei"]
  overflow = [{ after = "30s", to = "helpers" }]
  [[seller.group]]
  id = "helpers"
  members = ["ann"]
  [[seller.binding]]
  id = "vip"
  when = { attr.level = "gold" }
  to = { sub_account = "mei" }
  [[seller.binding]]
  id = "refunds"
  when = { order_stage = "refund*", hours = "mon-fri 09:00-18:00" }
  to = { group = "helpers" }
[[seller]]
id = "books"
name = "Books"
account = "wang"
shop = "shop-2"
default_group = "all"
  [[seller.group]]
  id = "all"
  members = ["wang"]
"#;

fn found(text: &str) -> Vec<Diagnostic> {
    parse(&[("a.toml".to_owned(), Arc::from(text))], NOW, None, &Unbound::new()).1
}

/// The sound text with one stretch replaced, and the place of the marked text, `«…»`, in it.
fn broken(old: &str, new: &str) -> (String, u32, u32, String) {
    assert_eq!(SOUND.matches(old).count(), 1, "{old:?} has to be there once");
    let text = SOUND.replace(old, new);
    let start = text.find('«').expect("a marked place");
    let end = text.find('»').expect("the end of the marked place");
    let line = text[..start].matches('\n').count() + 1;
    let column = text[..start].rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let marked = text[start + '«'.len_utf8()..end].to_owned();
    let text = text.replace(['«', '»'], "");
    (text, u32::try_from(line).unwrap(), u32::try_from(column).unwrap(), marked)
}

fn check_all(severity: Severity, cases: &[(&str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (old, new, message) in cases {
        let (text, line, column, marked) = broken(old, new);
        let all = found(&text);
        let same = |found: &&Diagnostic| {
            found.severity == severity
                && (found.line, found.column, found.text.as_str()) == (line, column, marked.as_str())
                && found.message.contains(message)
        };
        if all.iter().filter(same).count() != 1 {
            wrong.push(format!("{new:?}\n  wants {line}:{column} {marked:?} {message:?}\n{}", summary(&all)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_sound_configuration_has_no_fault() {
    assert_eq!(summary(&found(SOUND)), "");
}

#[test]
fn unknown_references_are_errors() {
    check_all(
        Severity::Error,
        &[
            ("account = \"lin\"\ntime", "account = «\"linn\"»\ntime", "no account `linn`"),
            ("[\"lin-live\"]", "[«\"lin-life\"»]", "no account `lin-life`"),
            ("official_account = \"lin\"", "official_account = «\"nil\"»", "no account `nil`"),
            ("default_group = \"presale\"", "default_group = «\"presail\"»", "no group `presail`"),
            ("to = \"helpers\" }]", "to = «\"helper\"» }]", "no group `helper`"),
            ("to = { group = \"helpers\" }", "to = { group = «\"helprs\"» }", "no group `helprs`"),
            ("to = { sub_account = \"mei\" }", "to = { sub_account = «\"may\"» }", "no agent `may`"),
            ("role = \"agent\"", "role = «\"agnet\"»", "no role `agnet`"),
            ("members = [\"mei\"]", "members = [\"mei\", «\"zoe\"»]", "no sub-account `zoe`"),
            ("sub_account = \"desk-co\"\n  role", "sub_account = «\"disk-co\"»\n  role", "no sub-account `disk-co`"),
            ("employer = \"desk-co\"", "employer = «\"nobody\"»", "no sub-account `nobody`"),
            ("[\"conversation.receive\"]", "[«\"conversation.recieve\"»]", "no scope `conversation.recieve`"),
            ("[\"conversation.receive\"]", "[«\"config.reload\"»]", "is the operator's"),
            ("\"Asia/Shanghai\"", "«\"Asia/Shangai\"»", "no time zone `Asia/Shangai`"),
            ("attr.level = \"gold\"", "attr.level = \"gold\", entry = «\"rom\"»", "no entry `rom`"),
            ("to = { sub_account = \"mei\" }", "to = { sub_account = \"mei\" }\n  group = «\"x\"»", "no group `x`"),
        ],
    );
}

#[test]
fn a_binding_with_a_fault_casts_no_doubt_on_the_next() {
    let wrong =
        "[[seller.binding]]\n  id = \"wrong\"\n  when = { hours = \"always\" }\n  to = { group = \"helpers\" }\n";

    let all = found(&SOUND.replacen("[[seller.binding]]", &format!("{wrong}  [[seller.binding]]"), 1));

    assert_eq!(all.len(), 1, "{}", summary(&all));
}

#[test]
fn duplicates_are_errors() {
    check_all(
        Severity::Error,
        &[
            (
                "[[sub_account]]\nid = \"mei\"",
                "[[role]]\nid = «\"trainee\"»\n[[sub_account]]\nid = \"mei\"",
                "the role `trainee` is there already",
            ),
            (
                "[[sub_account]]\nid = \"mei\"",
                "[[role]]\nid = «\"lead\"»\n[[sub_account]]\nid = \"mei\"",
                "is built in",
            ),
            (
                "id = \"lin-live\"",
                "id = «\"lin\"»\nplatform = \"douyin\"\nkind = \"personal\"\n[[account]]\nid = \"lin-live\"",
                "the account `lin` is there already",
            ),
            (
                "[[sub_account]]\nid = \"ann\"",
                "[[sub_account]]\nid = «\"mei\"»\nkind = \"staff\"\n[[sub_account]]\nid = \"ann\"",
                "the sub-account `mei` is there already",
            ),
            (
                "id = \"helpers\"",
                "id = «\"presale\"»\n  members = [\"mei\"]\n  [[seller.group]]\n  id = \"helpers\"",
                "the group `presale` is there already",
            ),
            ("id = \"refunds\"", "id = «\"vip\"»", "the binding `vip` is there already"),
            ("members = [\"mei\"]", "members = [\"mei\", «\"mei\"»]", "the member `mei` is there already"),
            (
                "role = \"lead\"",
                "role = \"lead\"\n  [[seller.authorization]]\n  sub_account = «\"mei\"»\n  role = \"agent\"",
                "authorization of `mei` is there already",
            ),
            (
                "to = \"helpers\" }]",
                "to = \"helpers\" }, { after = \"1m\", to = «\"helpers\"» }]",
                "overflow to `helpers` is there already",
            ),
            ("id = \"books\"\n", "id = «\"tea\"»\n", "the seller `tea` is there already"),
            ("id = \"room\"", "id = «\"lin-live\"»", "the account `lin-live` is there already"),
            ("shop = \"shop-2\"", "shop = «\"shop-1\"»", "the shop `shop-1` is there already"),
            ("shop = \"shop-2\"", "shop = «\"room\"»", "the entry `room` is there already"),
            ("capacity = 8", "capacity = 8\n«capacity» = 9", "duplicate key"),
        ],
    );
}

#[test]
fn rules_of_the_domain_are_errors() {
    check_all(
        Severity::Error,
        &[
            (
                "shop = \"shop-2\"",
                "shop = \"shop-2\"\nchannel_accounts = [«\"lin-live\"»]",
                "is bound to another shop already",
            ),
            ("channel_accounts = [\"lin-live\"]", "channel_accounts = [«\"lin\"»]", "is bound to this shop already"),
            (
                "channel_accounts = [\"lin-live\"]",
                "channel_accounts = [«\"wang\"»]",
                "is the main account of another seller",
            ),
            (
                "official_account = \"lin\"",
                "official_account = «[\"lin\", \"lin-live\"]»",
                "at most one official account",
            ),
            (
                "official_account = \"lin\"",
                "official_account = \"lin\"\n«official_account» = \"lin\"",
                "at most one official account",
            ),
            (
                "official_account = \"lin\"\nchannel_accounts = [\"lin-live\"]",
                "official_account = «\"lin-live\"»",
                "is no douyin account",
            ),
            ("licence_name = \"Tea House\"", "licence_name = «\"Tee House\"»", "the licence differs"),
            ("account = \"wang\"", "account = «\"lin\"»", "main account of another seller already"),
            ("members = [\"wang\"]", "members = [\"wang\", «\"mei\"»]", "the member `mei` is not authorised here"),
            ("members = [\"wang\"]", "members = [\"wang\", «\"ann\"»]", "nor its employer `desk-co` is authorised"),
            (
                "members = [\"wang\"]",
                "members = [\"wang\", \"mei\"]\n  [[seller.authorization]]\n  sub_account = «\"mei\"»\n  role = \"agent\"",
                "serves another seller already",
            ),
            ("to = \"helpers\" }]", "to = «\"presale\"» }]", "does not overflow to itself"),
        ],
    );
}

#[test]
fn an_official_account_with_a_payee_is_an_error() {
    let (text, line, column, _) = broken("official_account = \"lin\"", "official_account = «\"lin\"»");
    let text = text.replacen("kind = \"certified_enterprise\"\n", "kind = \"certified_enterprise\"\npayee = true\n", 1);

    let found = found(&text);

    assert_eq!((found[0].line, found[0].column, found[0].rule), (line + 1, column, Some(7)));
    assert!(found[0].message.contains("payee"), "{}", summary(&found));
}

#[test]
fn a_staff_sub_account_with_the_id_of_an_account_is_an_error() {
    let text = SOUND.replace("id = \"desk-co\"\nkind = \"certified\"\n", "id = \"desk-co\"\nkind = \"staff\"\n");

    let messages = summary(&found(&text));

    assert!(messages.contains("`desk-co` is an [[account]], so it cannot be staff"), "{messages}");
    assert!(messages.contains("`desk-co` is staff, so it employs nobody"), "{messages}");
}

#[test]
fn values_that_are_none_are_errors() {
    check_all(
        Severity::Error,
        &[
            ("capacity = 8", "capacity = «0»", "out of range"),
            ("capacity = 8", "capacity = «8.5»", "this is a fraction"),
            ("capacity = 8", "capacity = «\"8\"»", "this is a string"),
            ("capacity = 8", "«capcity» = 8", "no key `capcity`"),
            ("members = [\"mei\"]", "members = [{ sub_account = \"mei\", weight = «0» }]", "out of range"),
            ("members = [\"mei\"]", "members = [{ sub_account = \"mei\", «wieght» = 2 }]", "no key `wieght`"),
            ("members = [\"mei\"]", "members = [\"mei\", «5»]", "this is a number"),
            ("members = [\"mei\"]", "members = [\"mei\"]\n  max_wait = «\"ten\"»", "no duration"),
            ("members = [\"mei\"]", "members = [\"mei\"]\n  close_idle = «\"0s\"»", "no time at all"),
            ("members = [\"mei\"]", "members = [\"mei\"]\n  strategy = «\"least_loadd\"»", "none of the choices"),
            ("members = [\"mei\"]", "members = [\"mei\"]\n  recent_agent_when_full = «\"maybe\"»", "no duration"),
            ("members = [\"mei\"]", "members = [\"mei\"]\n  overdue_warning = «\"10m\"»", "after the reply is overdue"),
            ("after = \"30s\"", "after = «30»", "this is a number"),
            ("certified_until = 2036-12-31", "certified_until = «\"2036-12-31\"»", "this is a string"),
            (
                "certified_until = 2036-12-31",
                "status = «\"normel\"»\ncertified_until = 2036-12-31",
                "none of the choices",
            ),
            (
                "certified_until = 2036-12-31",
                "cancelled_on = «2026-11-01»\ncertified_until = 2036-12-31",
                "not cancelled",
            ),
            ("[\"https://tea.example\"]", "[«\"https://tea.example/\"»]", "no origin"),
            ("[\"https://tea.example\"]", "[«\"*\"»]", "no origin"),
            ("hours = \"mon-fri 09:00-18:00\"", "hours = «\"mon-fry 09:00-18:00\"»", "days are"),
            ("hours = \"mon-fri 09:00-18:00\"", "hours = «\"09:00-25:00\"»", "a time of day"),
            ("hours = \"mon-fri 09:00-18:00\"", "hours = «\"24:00-02:00\"»", "begin before 24:00"),
            ("hours = \"mon-fri 09:00-18:00\"", "hours = «\"09:00-18:00 Asia/Shanghei\"»", "no such time zone"),
            ("hours = \"mon-fri 09:00-18:00\"", "hours = «\"always\"»", "these are no hours"),
            ("attr.level = \"gold\"", "attr.level = «[]»", "matches nothing"),
            ("attr.level = \"gold\"", "attr.level = «3»", "this is a number"),
            ("attr.level = \"gold\"", "attr.level = \"gold\", «buyr» = \"x\"", "no key `buyr`"),
            (
                "to = { group = \"helpers\" }",
                "to = «{ group = \"helpers\", sub_account = \"mei\" }»",
                "exactly one target",
            ),
            (
                "to = { group = \"helpers\" }",
                "to = { group = \"helpers\" }\n  group = «\"presale\"»",
                "goes with a binding to an agent",
            ),
            ("id = \"room\"", "id = «\"ro om\"»", "an id has no"),
            ("name = \"Books\"", "name = «\" \"»", "not empty"),
            ("shop = \"shop-2\"", "shop = \"shop-2\"\nclosure_notice_on = «2026-11-01»", "open has no closure notice"),
            (
                "to = { sub_account = \"mei\" }",
                "to = { sub_account = \"mei\" }\n  otherwise = «\"nxt\"»",
                "none of the choices",
            ),
        ],
    );
}

#[test]
fn what_is_missing_is_said_at_the_element() {
    check_all(
        Severity::Error,
        &[
            (
                "[[seller]]\nid = \"books\"\nname = \"Books\"",
                "«[[seller]]»\nid = \"books\"",
                "[[seller]] has no `name`",
            ),
            (
                "[[account]]\nid = \"lin-live\"\nplatform = \"toutiao\"",
                "«[[account]]»\nid = \"lin-live\"",
                "has no `platform`",
            ),
            ("[[seller.binding]]\n  id = \"refunds\"", "«[[seller.binding]]»", "has no `id`"),
            ("{ after = \"30s\", to = \"helpers\" }", "«{ to = \"helpers\" }»", "an overflow step has no `after`"),
        ],
    );
}

#[test]
fn doubts_are_warnings() {
    check_all(
        Severity::Warning,
        &[
            ("members = [\"mei\"]", "members = [\"mei\"]\n  [[seller.group]]\n  id = «\"empty\"»", "has no members"),
            (
                "id = \"ann\"\n",
                "id = \"ann\"\nkind = \"staff\"\nemployer = \"desk-co\"\n[[sub_account]]\nid = «\"zoe\"»\n",
                "in no group of any seller",
            ),
            ("certified_until = 2036-12-30", "certified_until = «2026-12-24»", "`desk-co` ends in 30 days"),
            (
                "to = { group = \"helpers\" }",
                "to = { group = \"helpers\" }\n  [[seller.binding]]\n  id = «\"late\"»\n  when = { order_stage = [\"refunded\", \"refunding\"], hours = \"mon-fri 09:00-18:00\", product = \"x\" }\n  to = { group = \"presale\" }",
                "never match",
            ),
            (
                "to = { group = \"helpers\" }",
                "to = { group = \"helpers\" }\n  [[seller.binding]]\n  id = «\"word\"»\n  when = { product = \"x\" }\n  to = { sub_account = \"mei\" }",
                "by what the buyer says",
            ),
            (
                "to = { group = \"helpers\" }",
                "to = { group = \"helpers\" }\n  [[seller.binding]]\n  id = «\"word\"»\n  when = { keyword = \"vip\" }\n  to = { group = \"presale\" }\n  priority = 3",
                "gives priority",
            ),
        ],
    );
}

#[test]
fn an_expired_side_suspends_with_a_warning_and_refuses_what_is_new() {
    let expired = SOUND.replace("certified_until = 2036-12-30", "certified_until = 2026-11-23");
    let files = |text: &str| [("a.toml".to_owned(), Arc::from(text))];
    let recorded = Directory::from_toml(SOUND, NOW).unwrap();
    let without = SOUND.replace("  [[seller.authorization]]\n  sub_account = \"desk-co\"\n  role = \"lead\"\n", "");
    let without = without.replace("members = [\"ann\"]", "members = [\"mei\"]");
    let recorded_without = Directory::from_toml(&without, NOW).unwrap();

    let alone = parse(&files(&expired), NOW, None, &Unbound::new());
    let known = parse(&files(&expired), NOW, Some(&recorded), &Unbound::new());
    let new = parse(&files(&expired), NOW, Some(&recorded_without), &Unbound::new());

    for (directory, found) in [alone, known] {
        assert!(
            summary(&found)
                .ends_with("the authorization of `desk-co` is suspended: `desk-co` was certified until 2026-11-23")
        );
        let directory = directory.unwrap();
        assert!(!directory.sellers["tea"].agents["ann"].in_force(NOW));
        assert_eq!(directory.domains[1].sellers[0].as_str(), "tea");
    }
    assert!(new.0.is_none());
    assert_eq!((new.1[0].severity, new.1[0].rule), (Severity::Error, Some(1)));
}

#[test]
fn a_certification_holds_to_the_end_of_its_last_day_in_the_sellers_zone() {
    let text = SOUND.replace("certified_until = 2036-12-30", "certified_until = 2026-11-24");

    let directory = Directory::from_toml(&text, NOW).unwrap();

    let until = directory.sellers["tea"].agents["desk-co"].in_force_until;
    assert_eq!(until.to_string(), "2026-11-24T16:00:00.000Z");
}

#[test]
fn everything_wrong_is_said_at_once() {
    let text = SOUND
        .replace("capacity = 8", "capacity = 0")
        .replace("role = \"lead\"", "role = \"leed\"")
        .replace("kind = \"personal\"", "kind = ")
        .replace("members = [\"wang\"]", "members = [\"wang\", \"zoe\"]\n  colour = 3")
        .replace("licence_name = \"Tea House\"", "licence_name = \"Tee House\"");

    let found = found(&text);

    let places: Vec<u32> = found.iter().map(|found| found.line).collect();
    assert_eq!(found.iter().filter(|found| found.is_error()).count(), 6, "{}", summary(&found));
    assert!(places.is_sorted());
}

#[test]
fn an_open_bracket_ends_with_its_element() {
    let text = SOUND
        .replace("channel_accounts = [\"lin-live\"]", "channel_accounts = [\"lin-live\"")
        .replace("members = [\"ann\"]", "members = [\"ann\", \"zoe\"]")
        .replace("name = \"Books\"", "nane = \"Books\"");

    let found = found(&text);

    let errors: Vec<_> =
        found.iter().filter(|found| found.is_error()).map(|found| (found.line, found.message.as_str())).collect();
    assert_eq!(errors.first().map(|(line, _)| *line), Some(45), "{}", summary(&found));
    for expected in ["there is no sub-account `zoe`", "[[seller]] has no key `nane`", "[[seller]] has no `name`"] {
        assert!(errors.iter().any(|(_, message)| *message == expected), "{expected}\n{}", summary(&found));
    }
}

#[test]
fn what_belongs_to_a_seller_stands_below_it() {
    let found = found("[[seller.group]]\nid = \"all\"\n");

    assert_eq!(found[0].message, "what belongs to a seller stands below its [[seller]]");
}

#[test]
fn what_an_operator_unbound_is_left_out_with_a_warning() {
    let unbound = Unbound::from([("tea".into(), "mei".into()), ("tea".into(), "gone".into())]);

    let (directory, found) = parse(&[("a.toml".to_owned(), Arc::from(SOUND))], NOW, None, &unbound);

    let directory = directory.unwrap();
    assert!(found.iter().any(|found| found.rule == Some(3) && found.message.contains("unbound by an operator")));
    assert!(!directory.sellers["tea"].agents.contains_key("mei"));
    assert_eq!(directory.unbound, Unbound::from([("tea".into(), "mei".into())]));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_check_panic(text in ".{0,400}") {
        found(&text);
    }

    #[test]
    fn no_cut_of_a_sound_text_makes_the_check_panic(from in 0..SOUND.len(), length in 0usize..40, put in "[\\[\\]{}\"=,.a-z0-9 \n]{0,12}") {
        let to = (from + length).min(SOUND.len());
        found(&format!("{}{put}{}", &SOUND[..from], &SOUND[to..]));
    }
}
