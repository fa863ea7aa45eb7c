//! Conversations that a binding lets wait for one agent, who cannot have them any more.

use fenliu::model::{State, Status};

use crate::group;
use crate::shop::{Shop, accounts, seller};

const BINDING: &str = "[[seller.binding]]\nid = \"b\"\nwhen = { source = \"x\" }\nto = { sub_account = \"ann\" }\n\
                       otherwise = \"wait\"\n";
const PEOPLE: [(&str, u32); 2] = [("mei", 2), ("ann", 2)];

/// Whoever comes from `x` waits for Ann; the group is Mei's.
fn bound() -> String {
    accounts(&PEOPLE) + &seller("tea", "lin", &PEOPLE, &(group("all", &["mei"], "max_wait = \"60s\"") + BINDING))
}

#[test]
fn a_left_message_no_longer_waits_for_one_whom_a_reload_takes_out() {
    let mut shop = Shop::new(&bound());
    shop.online("mei");
    shop.arrive("ann", Some(Status::Away));
    let id = shop.start_at("tea", "ada", &[("source", "x")], None);
    shop.wait(61);
    assert_eq!(shop.state(id), State::LeftMessage);

    let group = group("all", &["mei"], "max_wait = \"60s\"");
    shop.reload(&(accounts(&PEOPLE[..1]) + &seller("tea", "lin", &PEOPLE[..1], &group)));

    assert_eq!(shop.agent(id), Some("mei"));
}

#[test]
fn nobody_is_waited_for_who_may_receive_nothing() {
    let text = bound();
    let deaf = text.replacen("sub_account = \"ann\"\nrole = \"agent\"", "sub_account = \"ann\"\nrole = \"manager\"", 1);
    assert_ne!(text, deaf);
    let mut shop = Shop::new(&text);
    shop.online("mei");
    shop.arrive("ann", Some(Status::Away));
    let first = shop.start_at("tea", "ada", &[("source", "x")], None);
    assert_eq!(shop.state(first), State::Queued);

    shop.reload(&deaf);
    let second = shop.start_at("tea", "bob", &[("source", "x")], None);

    assert_eq!((shop.agent(first), shop.agent(second)), (Some("mei"), Some("mei")));
}
