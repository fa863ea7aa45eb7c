//! What a plain reference and a simulation found wrong here, a test each.

use std::time::Duration;

use fenliu::model::{State, Status};
use fenliu::routing::{Command, Exclusion, LeftReason, Notice};

use crate::group;
use crate::shop::{NOON, Shop, accounts, certified, seller, shop};

/// A binding by the source.
fn binding(source: &str, to: &str, more: &str) -> String {
    format!("[[seller.binding]]\nid = \"{source}\"\nwhen = {{ source = \"{source}\" }}\nto = {{ {to} }}\n{more}\n")
}

#[test]
fn a_strict_queue_is_served_by_priority_when_several_are_looked_at_at_once() {
    let groups =
        group("all", &["mei"], "priority_step = \"strict\"") + &binding("vip", "group = \"all\"", "priority = 1");
    let mut shop = shop(&[("mei", 1)], &groups);
    shop.arrive("mei", Some(Status::Away));
    let plain: Vec<_> = (0..20).map(|n| shop.start(&format!("b{n}"))).collect();
    shop.wait(200);
    let vip = shop.start_at("tea", "vip", &[("source", "vip")], None);
    shop.restart(1);

    shop.arrive("mei", None);
    shop.set("mei", Status::Online, false).unwrap();

    assert_eq!(shop.agent(vip), Some("mei"));
    assert!(plain.iter().all(|id| shop.state(*id) == State::Queued));
}

#[test]
fn a_recent_agent_goes_over_its_limits_on_entry_only() {
    let settings = "recent_agent = \"1h\"\nrecent_agent_when_full = \"exceed\"\nassignment = \"offer\"";
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei", "bo"], settings));
    shop.online("mei");
    let first = shop.start("ada");
    shop.accept("mei", first).unwrap();
    shop.close("mei", first).unwrap();
    shop.drop_session("mei");
    shop.online("bo");
    let again = shop.start("ada");
    assert_eq!(shop.agent(again), Some("bo"));
    shop.arrive("mei", None);
    let busy = shop.start("eve");
    assert_eq!(shop.agent(busy), Some("mei"));

    shop.decline("bo", again).unwrap();

    assert_eq!(shop.state(again), State::Queued);
}

#[test]
fn an_overflow_step_of_no_time_is_due_on_entry_for_bindings_and_hypotheses() {
    let groups = group("all", &[], "")
        + &group("first", &["mei"], "overflow = [{ after = \"0s\", to = \"second\" }]")
        + &group("second", &["bo"], "")
        + &binding("x", "group = \"first\"", "otherwise = \"next\"");
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &groups);
    shop.online("mei");
    shop.online("bo");
    let one = shop.start_at("tea", "a", &[("source", "x")], None);
    assert_eq!(shop.agent(one), Some("mei"));

    let two = shop.start_at("tea", "b", &[("source", "x")], None);

    assert_eq!(shop.agent(two), Some("bo"));
}

#[test]
fn the_end_of_a_spacing_is_noticed_without_anything_else_happening() {
    let mut shop = shop(&[("mei", 3)], &group("all", &["mei"], "spacing = \"10s\""));
    shop.online("mei");
    shop.start("a");
    let second = shop.start("b");
    assert_eq!(shop.state(second), State::Queued);

    shop.wait(11);

    assert_eq!(shop.agent(second), Some("mei"));
}

#[test]
fn a_left_message_overflows_when_its_step_is_due() {
    let groups = group("all", &["mei"], "overflow = [{ after = \"1m\", to = \"more\" }]\nmax_wait = \"30s\"")
        + &group("more", &["bo"], "");
    let mut shop = shop(&[("mei", 1), ("bo", 2)], &groups);
    shop.online("mei");
    shop.online("bo");
    shop.start("a");
    let id = shop.start("b");
    shop.wait(30);
    assert_eq!(shop.state(id), State::LeftMessage);

    shop.wait(30);

    assert_eq!(shop.agent(id), Some("bo"));
}

#[test]
fn the_longest_wait_does_not_begin_again_with_an_offer() {
    let settings = "assignment = \"offer\"\nmax_wait = \"15s\"\npickup_left_messages = false";
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei", "bo"], settings));
    shop.online("mei");
    shop.online("bo");
    let id = shop.start("ada");

    shop.wait(18);
    assert_eq!(shop.state(id), State::Offered);
    shop.decline("mei", id).unwrap();

    assert_eq!((shop.state(id), shop.rows[&id].left), (State::LeftMessage, Some(LeftReason::Timeout)));
}

#[test]
fn who_was_lost_and_is_back_while_another_is_asked_is_not_excluded_any_more() {
    let settings = "assignment = \"offer\"";
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei", "bo"], settings));
    shop.online("mei");
    let id = shop.start("ada");
    shop.accept("mei", id).unwrap();
    shop.online("bo");
    shop.set("mei", Status::Offline, true).unwrap();
    assert_eq!(shop.agent(id), Some("bo"));

    shop.set("mei", Status::Online, false).unwrap();
    shop.decline("bo", id).unwrap();

    assert_eq!(shop.agent(id), Some("mei"));
}

#[test]
fn the_end_of_a_pause_for_a_seller_ends_its_exclusions_there() {
    let people = [("ann", 2)];
    let text = accounts(&[])
        + &certified("hao", "2036-12-31")
        + &certified("ann", "2036-12-31")
        + "[[sub_account]]\nid = \"ann\"\nkind = \"certified\"\ncapacity = 2\n"
        + &seller("tea", "lin", &people, &group("all", &["ann"], ""))
        + &seller("phones", "hao", &people, &group("all", &["ann"], ""));
    let mut shop = Shop::new(&text);
    shop.online("ann");
    shop.online("lin");
    let id = shop.start("ada");

    shop.set_other("lin", "ann", "tea", Status::Away, true);
    assert_eq!(shop.rows[&id].exclusion(&"ann".into()), Some(Exclusion::Lost));
    shop.set_other("lin", "ann", "tea", Status::Online, false);

    assert_eq!(shop.agent(id), Some("ann"));
}

#[test]
fn a_left_message_that_all_declined_is_offered_again_after_the_round() {
    let mut shop = shop(&[("mei", 2)], &group("all", &["mei"], "assignment = \"offer\""));
    let id = shop.start("ada");
    shop.online("mei");
    shop.decline("mei", id).unwrap();
    assert_eq!(shop.state(id), State::LeftMessage);

    shop.wait(20);

    assert_eq!((shop.state(id), shop.agent(id)), (State::Offered, Some("mei")));
}

#[test]
fn a_bound_agent_whose_certification_ends_is_no_longer_waited_for() {
    let people = [("ann", 1), ("mei", 1)];
    let groups = group("all", &["mei"], "close_idle = \"48h\"")
        + &binding("hers", "sub_account = \"ann\"", "otherwise = \"wait\"");
    let text = accounts(&[("mei", 1)])
        + &certified("ann", "2026-11-24")
        + "[[sub_account]]\nid = \"ann\"\nkind = \"certified\"\ncapacity = 1\n"
        + &seller("tea", "lin", &people, &groups);
    let mut shop = Shop::new(&text);
    shop.online("ann");
    let held = shop.start_at("tea", "a", &[("source", "hers")], None);
    let id = shop.start_at("tea", "b", &[("source", "hers")], None);
    assert_eq!((shop.agent(held), shop.state(id)), (Some("ann"), State::Queued));
    shop.wait(11 * 3_600);
    shop.online("mei");

    shop.wait(3_600);

    assert_eq!(shop.held("ann"), 0);
    assert_eq!(shop.held("mei"), 1);
    assert_eq!(shop.now.since(NOON).as_secs(), 12 * 3_600);
}

#[test]
fn who_is_suspended_no_longer_looks_at_the_desk() {
    let people = [("ann", 1), ("mei", 1)];
    let text = accounts(&[("mei", 1)])
        + &certified("ann", "2026-11-24")
        + "[[sub_account]]\nid = \"ann\"\nkind = \"certified\"\ncapacity = 1\n"
        + &seller("tea", "lin", &people, &group("all", &["mei"], "close_idle = \"72h\""));
    let mut shop = Shop::new(&text);
    shop.online("ann");
    shop.online("mei");
    shop.by_agent("ann", Command::ViewDesk { seller: "tea".into(), subscribe: Some(true) }).unwrap();
    let watched = shop.start("eve");
    shop.by_agent("ann", Command::Watch { conversation: watched, on: true }).unwrap();
    shop.wait(12 * 3_600);
    shop.told.clear();

    shop.buyer_writes(watched).unwrap();
    shop.start("ada");
    shop.wait(5);

    assert_eq!(shop.told_to("ann"), []);
}

#[test]
fn whose_certification_has_ended_is_told_nothing_more_also_before_time_is_looked_at() {
    let people = [("ann", 2), ("mei", 9)];
    let text = accounts(&[("mei", 9)])
        + &certified("ann", "2026-11-24")
        + "[[sub_account]]\nid = \"ann\"\nkind = \"certified\"\ncapacity = 2\n"
        + &seller("tea", "lin", &people, &group("all", &["ann", "mei"], "close_idle = \"72h\""));
    let mut shop = Shop::new(&text);
    shop.online("ann");
    let held = shop.start("ada");
    shop.by_agent("ann", Command::ViewDesk { seller: "tea".into(), subscribe: Some(true) }).unwrap();
    shop.online("mei");
    let watched = shop.start("eve");
    shop.by_agent("ann", Command::Watch { conversation: watched, on: true }).unwrap();
    shop.wait(10);
    assert_eq!((shop.agent(held), shop.agent(watched)), (Some("ann"), Some("mei")));
    shop.now = NOON + Duration::from_secs(12 * 3_600);
    shop.told.clear();

    shop.buyer_writes(held).unwrap();
    shop.by_buyer(held, Command::Typing { conversation: held, on: true }).unwrap();
    shop.by_buyer(held, Command::Read { conversation: held, seq: 1 }).unwrap();
    shop.buyer_writes(watched).unwrap();
    shop.set("mei", Status::Away, false).unwrap();
    shop.close("mei", watched).unwrap();

    assert_eq!(shop.told_to("ann"), []);
}

#[test]
fn who_loses_a_right_by_a_reload_is_told_nothing_more_of_what_it_followed() {
    let people = [("ann", 1), ("mei", 9)];
    let text = accounts(&people) + &seller("tea", "lin", &people, &group("all", &["mei"], ""));
    let mut shop = Shop::new(&text);
    shop.online("ann");
    shop.online("mei");
    shop.by_agent("ann", Command::ViewDesk { seller: "tea".into(), subscribe: Some(true) }).unwrap();
    let watched = shop.start("eve");
    shop.by_agent("ann", Command::Watch { conversation: watched, on: true }).unwrap();

    shop.reload(&text.replacen("\"conversation.monitor\", ", "", 1).replacen("\"desk.view\", ", "", 1));
    shop.told.clear();
    shop.buyer_writes(watched).unwrap();
    shop.start("ada");
    shop.wait(5);

    assert_eq!(shop.told_to("ann"), []);
}

#[test]
fn one_who_does_not_answer_costs_one_step_of_its_tick() {
    let settings = "reassign_unanswered = \"10s\"";
    let mut shop = shop(&[("mei", 9), ("bo", 9)], &group("all", &["mei", "bo"], settings));
    shop.online("mei");
    let ids: Vec<_> = (0..5).map(|n| shop.start(&format!("b{n}"))).collect();
    for id in &ids {
        shop.buyer_writes(*id).unwrap();
    }
    shop.online("bo");

    shop.wait(10);

    assert!(ids.iter().all(|id| shop.agent(*id) == Some("bo")), "{:?}", shop.rows);
}

#[test]
fn the_row_of_who_ended_a_conversation_is_written() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], "strategy = \"longest_idle\""));
    shop.online("mei");
    let id = shop.start("ada");
    shop.wait(5);

    shop.close("mei", id).unwrap();

    let row = shop.kept.agents.iter().find(|row| row.account.as_str() == "mei").unwrap();
    assert_eq!(row.last_ended, shop.now);
}

#[test]
fn what_is_reopened_with_another_agent_is_told_to_the_one_before() {
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei", "bo"], ""));
    shop.online("mei");
    let id = shop.start("ada");
    shop.close("mei", id).unwrap();
    shop.set("mei", Status::Away, false).unwrap();
    shop.online("bo");
    shop.told.clear();

    shop.buyer_writes(id).unwrap();

    assert_eq!(shop.agent(id), Some("bo"));
    let reopened = |notice: &Notice| matches!(notice, Notice::Reopened { .. });
    assert!(shop.told_to("mei").iter().any(reopened));
    assert!(shop.told_to_buyer("ada").iter().any(reopened));
}

#[test]
fn the_end_of_a_pause_shows_the_agents_own_status() {
    let people = [("ann", 2)];
    let text = accounts(&[])
        + &certified("hao", "2036-12-31")
        + &certified("ann", "2036-12-31")
        + "[[sub_account]]\nid = \"ann\"\nkind = \"certified\"\ncapacity = 2\n"
        + &seller("tea", "lin", &people, &group("all", &["ann"], ""))
        + &seller("phones", "hao", &people, &group("all", &["ann"], ""));
    let mut shop = Shop::new(&text);
    shop.arrive("ann", Some(Status::Away));
    shop.online("lin");
    shop.set_other("lin", "ann", "tea", Status::Offline, false);
    shop.told.clear();

    shop.set_other("lin", "ann", "tea", Status::Online, false);

    let statuses = shop.told_to("ann").into_iter().filter_map(|notice| match notice {
        Notice::Presence { status, .. } => Some(status),
        _ => None,
    });
    assert_eq!(statuses.collect::<Vec<_>>(), [Status::Away]);
}

#[test]
fn what_time_has_brought_about_goes_behind_what_stands_in_front_of_it() {
    let people = [("ann", 1)];
    let binding =
        "[[seller.binding]]\nid = \"b\"\nwhen = { product = \"cup\" }\nto = { group = \"all\" }\npriority = 10\n";
    let text = accounts(&[])
        + &certified("hao", "2036-12-31")
        + &certified("ann", "2036-12-31")
        + "[[sub_account]]\nid = \"ann\"\nkind = \"certified\"\ncapacity = 1\n"
        + &seller("tea", "lin", &people, &(group("all", &["ann"], "assignment = \"offer\"") + binding))
        + &seller("phones", "hao", &people, &group("all", &["ann"], "wrap_up = \"10s\""));
    let mut shop = Shop::new(&text);
    shop.online("ann");
    let declined = shop.start_at("tea", "ada", &[], None);
    shop.decline("ann", declined).unwrap();
    let held = shop.start_at("phones", "bob", &[], None);
    shop.wait(2);
    let oldest = shop.start_at("phones", "eve", &[], None);
    let urgent = shop.start_at("tea", "zoe", &[("product", "cup")], None);
    shop.wait(10);
    shop.close("ann", held).unwrap();

    // The pause of the one and the wrap-up of the other end, and nobody runs until both have.
    shop.now = shop.now + std::time::Duration::from_secs(60);
    shop.wait(0);

    assert_eq!(shop.agent(oldest), Some("ann"), "of the two sellers' firsts it waits longest");
    assert_eq!([declined, urgent].map(|id| shop.state(id)), [State::Queued; 2]);
}
