//! What a reload may do and what not, and what it says of the difference.

use std::sync::Arc;

use jiff::civil::date;

use super::*;
use crate::model::Timestamp;

/// 2026-11-24 12:00 in Shanghai.
const NOW: Timestamp = Timestamp::from_micros(1_795_492_800_000_000);

const BASE: &str = r#"
[[account]]
id = "lin"
platform = "douyin"
kind = "certified_enterprise"
certified_until = 2036-12-31
[[account]]
id = "spare"
platform = "douyin"
kind = "certified_enterprise"
certified_until = 2036-12-31
[[account]]
id = "live"
platform = "douyin"
kind = "personal"
[[account]]
id = "wang"
platform = "xigua"
kind = "personal"
[[sub_account]]
id = "mei"
kind = "staff"
[[seller]]
id = "tea"
name = "Tea"
account = "lin"
shop = "shop-1"
channel_accounts = ["live"]
default_group = "all"
  [[seller.authorization]]
  sub_account = "mei"
  role = "agent"
  [[seller.group]]
  id = "all"
  members = ["mei"]
  [[seller.binding]]
  id = "one"
  when = { product = "x" }
  to = { group = "all" }
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

fn recorded(text: &str) -> Directory {
    Directory::from_toml(text, NOW).unwrap_or_else(|faults| panic!("{faults}"))
}

fn reload(before: &str, after: &str) -> (Option<Directory>, Vec<Diagnostic>) {
    parse(&[("a.toml".to_owned(), Arc::from(after))], NOW, Some(&recorded(before)), &Unbound::new())
}

fn refused(before: &str, after: &str) -> Diagnostic {
    let (directory, found) = reload(before, after);
    assert!(directory.is_none(), "it was accepted");
    found.into_iter().find(Diagnostic::is_error).unwrap()
}

fn without_live() -> String {
    BASE.replace("channel_accounts = [\"live\"]\n", "")
}

#[test]
fn an_account_stays_bound_while_it_and_the_shop_live() {
    let found = refused(BASE, &without_live());

    assert_eq!((found.rule, found.allowed_from), (Some(6), None));
    assert_eq!((found.line, found.text.as_str()), (24, "\"tea\""));
    assert!(found.message.contains("`live`"), "{}", found.message);
}

#[test]
fn a_binding_ends_when_the_account_has_been_cancelled_for_seven_days() {
    let cancelled = |day: &str| {
        let status =
            format!("kind = \"personal\"\nstatus = \"cancelled\"\ncancelled_on = {day}\n[[account]]\nid = \"wang\"");
        move |text: &str| text.replace("kind = \"personal\"\n[[account]]\nid = \"wang\"", &status)
    };
    let (early, late) = (cancelled("2026-11-18"), cancelled("2026-11-17"));

    let found = refused(&early(BASE), &early(&without_live()));
    let (accepted, rest) = reload(&late(BASE), &late(&without_live()));

    assert_eq!((found.rule, found.allowed_from), (Some(6), Some(date(2026, 11, 25))));
    assert!(accepted.is_some(), "{}", summary(&rest));
}

#[test]
fn a_binding_ends_when_the_shop_is_closed_after_thirty_days_of_notice() {
    let closed = |day: &str| {
        let status = format!("shop = \"shop-1\"\nstatus = \"closed\"\nclosure_notice_on = {day}");
        move |text: &str| text.replace("shop = \"shop-1\"", &status)
    };
    let (early, late) = (closed("2026-10-26"), closed("2026-10-25"));

    let found = refused(&early(BASE), &early(&without_live()));
    let (accepted, rest) = reload(&late(BASE), &late(&without_live()));
    let backdated = refused(&early(BASE), &late(&without_live()));

    assert_eq!((found.rule, found.allowed_from), (Some(6), Some(date(2026, 11, 25))));
    assert!(accepted.is_some(), "{}", summary(&rest));
    assert_eq!(backdated.allowed_from, Some(date(2026, 11, 25)));
}

#[test]
fn a_seller_with_bound_accounts_stays_and_one_without_may_go() {
    let tea = BASE.find("[[seller]]").unwrap();
    let books = BASE.rfind("[[seller]]").unwrap();

    let found = refused(BASE, &format!("{}{}", &BASE[..tea], &BASE[books..]));
    let (accepted, _) = reload(BASE, &BASE[..books]);

    assert_eq!(found.rule, Some(6));
    assert!(accepted.is_some());
}

#[test]
fn an_account_does_not_move_from_shop_to_shop_nor_keep_its_place_in_a_renamed_one() {
    let moved = without_live().replace("shop = \"shop-2\"", "shop = \"shop-2\"\nchannel_accounts = [\"live\"]");
    let renamed = BASE.replace("shop-1", "shop-9");

    assert_eq!(refused(BASE, &moved).rule, Some(6));
    assert_eq!(refused(BASE, &renamed).rule, Some(6));
}

#[test]
fn a_main_account_changes_to_a_fit_account_only() {
    let main = |account: &str| BASE.replace("account = \"lin\"", &format!("account = \"{account}\""));

    let (accepted, found) = reload(BASE, &main("spare"));
    let unfit = refused(BASE, &main("live"));

    assert!(accepted.is_some(), "{}", summary(&found));
    assert_eq!((unfit.rule, unfit.text.as_str()), (Some(7), "\"live\""));
    assert!(unfit.message.contains("is not certified"), "{}", unfit.message);
}

#[test]
fn an_authorization_may_go_and_is_named_among_the_changes() {
    let after = BASE
        .replace("  [[seller.authorization]]\n  sub_account = \"mei\"\n  role = \"agent\"\n", "")
        .replace("members = [\"mei\"]", "members = [\"lin\"]\n  queue_limit = 5");
    let old = recorded(BASE);
    let (new, found) = reload(BASE, &after);
    let new = new.unwrap_or_else(|| panic!("{}", summary(&found)));

    let all = changes(&old, &new);

    let change = |kind, what, id: &str, detail: &str| Change { kind, what, id: id.into(), detail: detail.into() };
    let expected = [
        change(ChangeKind::Removed, ChangeWhat::Authorization, "tea/mei", ""),
        change(ChangeKind::Changed, ChangeWhat::Group, "tea/all", "+lin, -mei, queue_limit 200 → 5"),
    ];
    assert_eq!(all, expected);
    assert_eq!(changed_sellers(&old, &new).into_iter().collect::<Vec<_>>(), [crate::model::SellerId::from("tea")]);
}

#[test]
fn a_sub_account_that_changes_changes_the_sellers_it_serves() {
    let old = recorded(BASE);
    let new = recorded(&BASE.replace("id = \"mei\"\nkind = \"staff\"", "id = \"mei\"\nkind = \"staff\"\ncapacity = 9"));

    assert_eq!(changes(&old, &new)[0].detail, "capacity 5 → 9");
    assert_eq!(changed_sellers(&old, &new).len(), 1);
}

#[test]
fn what_did_not_change_is_shared_with_the_recorded_snapshot() {
    let old = recorded(BASE);
    let after = BASE.replace("name = \"Books\"", "name = \"More Books\"");
    let new = parse(&[("a.toml".to_owned(), Arc::from(after))], NOW, Some(&old), &Unbound::new()).0.unwrap();

    assert!(Arc::ptr_eq(&old.sellers["tea"], &new.sellers["tea"]));
    assert!(!Arc::ptr_eq(&old.sellers["books"], &new.sellers["books"]));
    assert!(changes(&old, &old).is_empty());
}

#[test]
fn what_was_accepted_is_read_back_equal() {
    let files = [("a.toml".to_owned(), Arc::from(BASE))];
    let unbound = Unbound::from([("tea".into(), "mei".into())]);
    let (directory, _) = parse(&files, NOW, None, &unbound);
    let directory = Directory { generation: 7, ..directory.unwrap() };

    let stored = serde_json::to_string(&Accepted::new(&files, &directory)).unwrap();
    let read: Accepted = serde_json::from_str(&stored).unwrap();

    assert_eq!(read.directory(NOW).unwrap(), directory);
}
