use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{AccountId, GroupId, SellerId, Timestamp};
use crate::policy::{Scope, seller_scopes};

/// 2026-11-24 12:00 in Shanghai.
const NOW: Timestamp = Timestamp::from_micros(1_795_492_800_000_000);

const ACCOUNTS: &str = r#"
[[account]]
id = "lin"
platform = "douyin"
kind = "certified_enterprise"
certified_until = 2036-12-31

[[account]]
id = "helpdesk-co"
platform = "douyin"
kind = "certified_enterprise"
certified_until = 2036-06-30

[[sub_account]]
id = "helpdesk-co"
name = "Helpdesk"
kind = "certified"

[[sub_account]]
id = "ann"
kind = "staff"
employer = "helpdesk-co"

[[sub_account]]
id = "eve"
kind = "staff"
employer = "helpdesk-co"

[[sub_account]]
id = "mei"
name = "Mei"
kind = "staff"
capacity = 8
"#;

const TEA: &str = r#"
[[seller]]
id = "tea"
name = "Lin's Tea House"
account = "lin"
shop = "shop-881"
licence_name = "Lin's Tea House"
default_group = "presale"

  [[seller.authorization]]
  sub_account = "mei"
  role = "agent"
  capacity = 5

  [[seller.authorization]]
  sub_account = "helpdesk-co"
  role = "lead"
  capacity = 3

  [[seller.group]]
  id = "presale"
  members = ["mei", { sub_account = "ann", tier = 2, weight = 3, capacity = 2 }]
  max_wait = "10m"
"#;

fn directory(text: &str) -> Directory {
    Directory::from_toml(text, NOW).unwrap_or_else(|faults| panic!("{faults}"))
}

fn tea() -> Directory {
    directory(&format!("{ACCOUNTS}{TEA}"))
}

#[test]
fn everybody_who_may_act_for_a_seller_is_one_of_its_agents() {
    let directory = tea();
    let tea = &directory.sellers["tea"];

    let mut names: Vec<_> = tea.agents.keys().map(AccountId::as_str).collect();
    names.sort_unstable();

    assert_eq!(names, ["ann", "helpdesk-co", "lin", "mei"]);
    assert_eq!(tea.agents["lin"].via, Via::Main);
    assert_eq!(tea.agents["lin"].scopes, seller_scopes());
    assert_eq!(tea.agents["lin"].in_force_until, Timestamp::MAX);
    assert_eq!(tea.agents["mei"].via, Via::Direct);
    assert_eq!(tea.agents["mei"].capacity, Some(5));
    assert!(!tea.agents["mei"].scopes.has(Scope::Claim));
}

#[test]
fn a_person_of_an_authorised_employer_has_its_scopes_its_capacity_and_its_end() {
    let directory = tea();
    let tea = &directory.sellers["tea"];

    let (ann, employer) = (&tea.agents["ann"], &tea.agents["helpdesk-co"]);

    assert_eq!(ann.via, Via::Employer("helpdesk-co".into()));
    assert_eq!((ann.scopes, ann.capacity), (employer.scopes, Some(3)));
    assert_eq!(ann.in_force_until, employer.in_force_until);
    assert_eq!(ann.in_force_until.to_string(), "2036-06-30T16:00:00.000Z");
}

#[test]
fn a_member_has_what_is_written_or_the_defaults() {
    let directory = tea();
    let group = directory.sellers["tea"].group(&GroupId::from("presale")).unwrap();

    let member = |account: &str, tier, weight, capacity| Member { account: account.into(), tier, weight, capacity };

    assert_eq!(group.members, [member("mei", 1, 1, None), member("ann", 2, 3, Some(2))]);
    assert_eq!(group.max_wait, Some(Duration::from_secs(600)));
    assert_eq!(group.queue_limit, 200);
}

#[test]
fn an_employer_joins_its_staff_and_idle_sub_accounts_are_in_no_domain() {
    let idle = "[[sub_account]]\nid = \"zoe\"\nkind = \"staff\"\n";
    let directory = directory(&format!("{ACCOUNTS}{idle}{TEA}"));

    let agents = ["ann", "eve", "helpdesk-co", "lin", "mei"].map(AccountId::from).to_vec();

    assert_eq!(directory.domains, [Domain { sellers: vec![SellerId::from("tea")], agents }]);
}

#[test]
fn sellers_that_share_nobody_are_domains_apart() {
    let book = r#"
[[account]]
id = "bookman"
platform = "toutiao"
kind = "personal"
[[seller]]
id = "book"
name = "Books"
account = "bookman"
default_group = "all"
  [[seller.group]]
  id = "all"
  members = ["bookman"]
"#;
    let apart = directory(&format!("{ACCOUNTS}{TEA}{book}"));

    let sellers: Vec<_> = apart.domains.iter().map(|domain| domain.sellers[0].as_str()).collect();

    assert_eq!(sellers, ["book", "tea"]);
    assert_eq!(apart.entries.get("shop-881"), Some(&SellerId::from("tea")));
    assert_eq!(apart.entries.get("book"), Some(&SellerId::from("book")));
    assert_eq!(apart.main_accounts.get("bookman"), Some(&SellerId::from("book")));
}

#[test]
fn the_same_texts_give_an_equal_snapshot_whatever_the_order_of_files() {
    let files = |order: [(&str, &str); 2]| order.map(|(name, text)| (name.to_owned(), Arc::from(text)));

    let forth = parse(&files([("a", ACCOUNTS), ("b", TEA)]), NOW, None, &Unbound::new()).0.unwrap();
    let back = parse(&files([("a", TEA), ("b", ACCOUNTS)]), NOW, None, &Unbound::new()).0.unwrap();

    assert_eq!(forth, back);
}
