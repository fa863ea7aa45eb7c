//! What is kept: over a drop, over a restart, over a change of configuration; and the defaults.

use std::time::Duration;

use fenliu::directory::{Assignment, PriorityStep, RecentWhenFull, Strategy, WhenAllAway, WhenLost};
use fenliu::model::{State, Status};
use fenliu::routing::Outcome;

use crate::group;
use crate::shop::{Shop, accounts, seller, shop};

#[test]
fn p18_a_restart_makes_nobody_unavailable_who_comes_back() {
    let mut shop = shop(&[("mei", 2), ("bo", 2)], &group("all", &["mei", "bo"], ""));
    shop.online("mei");
    shop.online("bo");
    let id = shop.start("ada");

    shop.restart(900);
    shop.arrive("mei", None);
    shop.arrive("bo", None);
    shop.wait(120);

    assert_eq!((shop.state(id), shop.agent(id)), (State::Active, Some("mei")));
    let next = shop.start("eve");
    assert_eq!(shop.agent(next), Some("bo"));
}

#[test]
fn p18_who_does_not_come_back_after_a_restart_is_lost_when_the_grace_is_over() {
    let mut shop = shop(&[("mei", 2), ("bo", 2)], &group("all", &["mei", "bo"], ""));
    shop.online("mei");
    shop.online("bo");
    let id = shop.start("ada");

    shop.restart(10);
    shop.arrive("bo", None);
    assert_eq!(shop.agent(id), Some("mei"));
    shop.wait(31);

    assert_eq!(shop.agent(id), Some("bo"));
}

#[test]
fn p26_what_is_not_configured_has_the_documented_value() {
    let shop = shop(&[("mei", 2)], &group("all", &["mei"], ""));
    let seller = &shop.directory.sellers["tea"];
    let group = &seller.groups[0];

    assert_eq!(group.strategy, Strategy::LeastLoaded);
    assert_eq!(
        (group.assignment, group.offer_timeout, group.missed_offers),
        (Assignment::Auto, Duration::from_secs(20), 3)
    );
    assert_eq!((group.queue_limit, group.max_wait, group.abandon_after), (200, None, Duration::from_secs(300)));
    assert_eq!((group.recent_agent, group.recent_agent_when_full), (None, RecentWhenFull::Skip));
    assert_eq!((group.overdue_warning, group.reply_within), (Duration::from_secs(100), Duration::from_secs(180)));
    assert_eq!((group.reassign_unanswered, group.close_idle), (None, Duration::from_secs(1_800)));
    assert_eq!((group.wrap_up, group.reopen_within), (Duration::ZERO, Duration::from_secs(86_400)));
    assert_eq!((group.when_agent_lost, group.when_all_away), (WhenLost::Reroute, WhenAllAway::Queue));
    assert_eq!((group.pickup_left_messages, group.left_message_age), (true, Duration::from_secs(7 * 86_400)));
    assert_eq!((group.priority_step, group.spacing), (PriorityStep::Worth(Duration::from_secs(60)), Duration::ZERO));
    assert_eq!(group.buyer_gone_after, Duration::from_secs(10));
    assert!(seller.main_account_fallback);
}

#[test]
fn p28_a_reload_resets_nothing_that_did_not_change() {
    let people = [("mei", 1), ("bo", 1)];
    let text = |groups: &str| accounts(&people) + &seller("tea", "lin", &people, groups);
    let all = group("all", &["mei"], "strategy = \"round_robin\"\nmax_wait = \"1h\"\nclose_idle = \"9h\"");
    let mut shop = Shop::new(&text(&all));
    shop.online("mei");
    let (held, first, second) = (shop.start("a"), shop.start("b"), shop.start("c"));
    shop.wait(30);
    shop.told.clear();

    shop.reload(&text(&(all + &group("more", &["bo"], ""))));

    assert_eq!((shop.agent(held), shop.held("mei")), (Some("mei"), 1));
    assert_eq!(shop.view(second).queue.unwrap().position, 2);
    assert_eq!(shop.told_to("mei"), []);
    shop.close("mei", held).unwrap();
    assert_eq!((shop.agent(first), shop.state(second)), (Some("mei"), State::Queued));
    shop.wait(3_569);
    assert_eq!(shop.state(second), State::Queued);
    shop.wait(2);
    assert_eq!(shop.state(second), State::LeftMessage);
}

#[test]
fn back_within_its_grace_nothing_has_happened() {
    let mut shop = shop(&[("mei", 2), ("bo", 2)], &group("all", &["mei", "bo"], ""));
    shop.online("mei");
    let id = shop.start("ada");
    shop.online("bo");

    shop.drop_session("mei");
    let during = shop.start("eve");
    shop.wait(29);
    shop.arrive("mei", Some(Status::Away));
    shop.wait(60);

    assert_eq!((shop.agent(id), shop.agent(during)), (Some("mei"), Some("bo")));
    let status = shop.set("mei", Status::Online, false).unwrap();
    assert_eq!(status, Outcome::Status(Status::Online));
}

#[test]
fn deadlines_that_fell_due_while_nobody_ran_act_when_the_grace_of_the_start_is_over() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], "max_wait = \"1m\"\nclose_idle = \"5m\""));
    shop.online("mei");
    let held = shop.start("ada");
    let waits = shop.start("eve");

    shop.restart(3_600);
    shop.wait(20);
    assert_eq!((shop.state(held), shop.state(waits)), (State::Active, State::Queued));
    shop.arrive("mei", None);
    shop.close("mei", held).unwrap();

    assert_eq!(shop.agent(waits), Some("mei"));
}

#[test]
fn the_store_need_not_be_asked_what_was_said_in_a_conversation_that_began_since_the_start() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], ""));
    let id = shop.start("ada");
    assert!(!shop.table.is_partial(id));

    shop.restart(1);

    assert!(shop.table.is_partial(id));
}
