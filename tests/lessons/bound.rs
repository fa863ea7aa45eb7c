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

/// Of twenty bindings some look at what the buyer wishes, some at what it says, and one matches.
#[test]
fn of_very_many_bindings_the_trace_names_every_one_that_was_looked_at() {
    let binding = |number: usize, when: &str, more: &str| {
        format!("[[seller.binding]]\nid = \"b{number}\"\nwhen = {when}\nto = {{ group = \"all\" }}\n{more}")
    };
    let mut text = String::new();
    for number in 0..20 {
        text += &match number {
            3 => binding(number, "{ keyword = \"refund\" }", "priority = 7\n"),
            5 => binding(number, "{ source = \"li*\" }", "otherwise = \"next\"\npriority = 3\n"),
            9 => binding(number, "{ source = [\"x\", \"live\"], region = \"north\" }", ""),
            12 => binding(number, "{ source = [\"x\", \"live\"], region = \"south\" }", ""),
            17 => binding(number, "{ hours = \"mon-sun 00:00-24:00\" }", ""),
            number if number.is_multiple_of(2) => binding(number, "{ source = \"elsewhere\" }", ""),
            number => binding(number, "{ product = \"elsewhere\", source = \"live\" }", ""),
        };
    }
    let groups = group("all", &["mei"], "") + &text;
    let mut shop = Shop::new(&(accounts(&PEOPLE) + &seller("tea", "lin", &PEOPLE, &groups)));

    let south = shop.start_at("tea", "ada", &[("source", "live"), ("region", "south")], None);
    let nothing = shop.start_at("tea", "bob", &[], Some("hello"));
    let refund = shop.start_at("tea", "eve", &[("region", "south")], Some("a refund, please"));

    let product = |number: usize| if number.is_multiple_of(2) { "source" } else { "product" };
    let looked = |id| -> Vec<(String, Option<String>)> {
        let (_, decision) = shop.decisions.iter().find(|(decided, _)| *decided == id).unwrap();
        let looked = decision.bindings.iter();
        looked.map(|looked| (looked.binding.to_string(), looked.failed.map(|failed| failed.into_owned()))).collect()
    };
    let expected = |count: usize, others: &[(usize, Option<&str>)]| -> Vec<(String, Option<String>)> {
        let failed = |number: usize| {
            let other = others.iter().find(|(other, _)| *other == number).map(|(_, failed)| *failed);
            other.unwrap_or(Some(product(number))).map(str::to_owned)
        };
        (0..count).map(|number| (format!("b{number}"), failed(number))).collect()
    };
    assert_eq!(looked(south), expected(13, &[(3, Some("keyword")), (5, None), (9, Some("region")), (12, None)]));
    let of_nothing = [(3, Some("keyword")), (5, Some("source")), (9, Some("source")), (17, None)];
    assert_eq!(looked(nothing), expected(18, &of_nothing));
    assert_eq!(looked(refund), expected(4, &[(3, None)]));
    let priority = |id| shop.rows[&id].priority;
    assert_eq!((priority(south), priority(nothing), priority(refund)), (3, 0, 7));
}
