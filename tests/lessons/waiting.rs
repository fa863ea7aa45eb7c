//! Those who wait, and those who left a message.

use std::time::Duration;

use fenliu::model::{State, Status};
use fenliu::routing::{Cause, LeftReason, Notice};

use crate::group;
use crate::shop::shop;

#[test]
fn p19_what_went_back_to_the_queue_is_not_closed_for_being_idle() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], "close_idle = \"10m\"\nabandon_after = \"10h\""));
    shop.online("mei");
    let id = shop.start("ada");
    shop.wait(540);

    shop.set("mei", Status::Away, true).unwrap();
    shop.wait(3_600);

    assert_eq!(shop.state(id), State::Queued);
}

#[test]
fn p20_a_new_owner_has_its_own_time_to_answer_and_one_freed_later_is_tried() {
    let settings = "reassign_unanswered = \"60s\"";
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei", "bo"], settings));
    shop.online("mei");
    let id = shop.start("ada");
    shop.buyer_writes(id).unwrap();
    shop.online("bo");
    let busy = shop.start("eve");
    shop.wait(50);
    shop.close("bo", busy).unwrap();

    shop.hand_to("mei", id, "bo").unwrap();
    shop.set("mei", Status::Away, false).unwrap();
    shop.wait(50);
    assert_eq!(shop.agent(id), Some("bo"));
    shop.wait(10);
    assert_eq!(shop.state(id), State::Queued);

    shop.set("mei", Status::Online, false).unwrap();
    assert_eq!(shop.agent(id), Some("mei"));
}

#[test]
fn p21_who_waits_is_told_its_place_at_once_and_when_it_has_changed() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], ""));
    shop.online("mei");
    let held = shop.start("ada");
    shop.start("eve");
    let second = shop.start("fay");
    let places = |notices: Vec<Notice>| -> Vec<u32> {
        let places = notices.into_iter().filter_map(|notice| match notice {
            Notice::Queued { place, .. } => Some(place.position),
            _ => None,
        });
        places.collect()
    };
    assert_eq!(places(shop.told_to_buyer("fay")), [2]);

    shop.close("mei", held).unwrap();
    shop.wait(2);

    assert_eq!(places(shop.told_to_buyer("fay")), [2, 1]);
    assert_eq!(shop.view(second).queue.unwrap().position, 1);
}

#[test]
fn p23_what_a_buyer_writes_is_taken_whatever_became_of_its_conversation() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], ""));
    let left = shop.start("ada");
    assert_eq!(shop.state(left), State::LeftMessage);

    shop.buyer_writes(left).unwrap();
    shop.online("mei");
    assert_eq!(shop.agent(left), Some("mei"));
    shop.close("mei", left).unwrap();
    shop.set("mei", Status::Offline, false).unwrap();
    shop.buyer_writes(left).unwrap();

    assert_eq!(shop.state(left), State::LeftMessage);
    assert_eq!(shop.rows[&left].tail.last_seq, 2);
}

#[test]
fn p27_who_returns_is_not_filled_with_what_was_left_and_nothing_old_is_given() {
    let settings = "left_message_age = \"2h\"";
    let mut shop = shop(&[("mei", 4)], &group("all", &["mei"], settings));
    let old = shop.start("old");
    shop.wait(3 * 3_600);
    let left: Vec<_> = (0..9).map(|n| shop.start(&format!("b{n}"))).collect();

    shop.online("mei");

    assert_eq!(shop.held("mei"), 3);
    assert_eq!(shop.agent(left[0]), Some("mei"));
    assert_eq!(shop.state(old), State::LeftMessage);
    let live = shop.start("now");
    assert_eq!(shop.agent(live), Some("mei"));
}

#[test]
fn p27_spacing_gives_one_at_a_time() {
    let mut shop = shop(&[("mei", 4)], &group("all", &["mei"], "spacing = \"20s\""));
    let left: Vec<_> = (0..9).map(|n| shop.start(&format!("b{n}"))).collect();

    shop.online("mei");
    assert_eq!(shop.held("mei"), 1);
    shop.wait(21);

    assert_eq!(shop.held("mei"), 2);
    assert_eq!(shop.agent(left[1]), Some("mei"));
}

#[test]
fn p29_what_came_while_all_were_away_goes_round_when_they_are_back() {
    let groups = group("all", &["mei", "bo"], "strategy = \"round_robin\"");
    let mut shop = shop(&[("mei", 5), ("bo", 5)], &groups);
    shop.arrive("mei", Some(Status::Away));
    shop.arrive("bo", Some(Status::Away));
    let ids: Vec<_> = (0..4).map(|n| shop.start(&format!("b{n}"))).collect();
    assert!(ids.iter().all(|id| shop.state(*id) == State::Queued));

    shop.set("bo", Status::Online, false).unwrap();

    assert_eq!(shop.held("bo"), 4);
    shop.set("mei", Status::Online, false).unwrap();
    let (next, then) = (shop.start("c1"), shop.start("c2"));
    assert_eq!((shop.agent(next), shop.agent(then)), (Some("mei"), Some("bo")));
}

#[test]
fn p30_when_nobody_is_free_there_is_one_notice_a_waiting() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], "max_wait = \"10m\""));
    shop.online("mei");
    shop.start("ada");
    shop.start("eve");

    shop.wait(3_600);

    let told = shop.told_to_buyer("eve");
    let queued = told.iter().filter(|notice| matches!(notice, Notice::Queued { .. })).count();
    let left = told.iter().filter(|notice| matches!(notice, Notice::LeftMessage { .. })).count();
    assert_eq!((queued, left), (1, 1));
}

#[test]
fn whoever_waits_longest_is_served_first_and_a_point_of_priority_is_worth_a_minute() {
    let binding =
        "[[seller.binding]]\nid = \"vip\"\nwhen = { source = \"vip\" }\nto = { group = \"all\" }\npriority = 2\n";
    let mut shop = shop(&[("mei", 1)], &(group("all", &["mei"], "") + binding));
    shop.online("mei");
    let held = shop.start("held");
    let early = shop.start("early");
    shop.wait(100);
    let vip = shop.start_at("tea", "vip", &[("source", "vip")], None);
    shop.wait(30);
    let late = shop.start_at("tea", "late", &[("source", "vip")], None);

    shop.close("mei", held).unwrap();
    assert_eq!(shop.agent(vip), Some("mei"));
    shop.close("mei", vip).unwrap();
    assert_eq!(shop.agent(early), Some("mei"));
    shop.close("mei", early).unwrap();
    assert_eq!(shop.agent(late), Some("mei"));
}

#[test]
fn an_estimate_is_the_mean_of_those_closed_times_the_place_by_the_slots() {
    let mut shop = shop(&[("mei", 2)], &group("all", &["mei"], ""));
    shop.online("mei");
    let (first, second) = (shop.start("a"), shop.start("b"));
    shop.wait(100);
    shop.close("mei", first).unwrap();
    let third = shop.start("c");
    let waits = shop.start("d");

    let place = shop.view(waits).queue.unwrap();

    assert_eq!((shop.agent(second), shop.agent(third)), (Some("mei"), Some("mei")));
    assert_eq!((place.position, place.estimated_wait), (1, Some(50)));
}

#[test]
fn a_binding_that_leaves_a_message_says_so_though_somebody_is_free() {
    let binding =
        "[[seller.binding]]\nid = \"later\"\nwhen = { keyword = \"invoice\" }\nto = { leave_message = \"by mail\" }\n";
    let mut shop = shop(&[("mei", 2)], &(group("all", &["mei"], "pickup_left_messages = false") + binding));
    shop.online("mei");

    let id = shop.start_at("tea", "ada", &[], Some("My INVOICE please"));

    assert_eq!((shop.state(id), shop.rows[&id].left), (State::LeftMessage, Some(LeftReason::Binding)));
    let told = shop.told_to_buyer("ada");
    let text = Some("by mail".into());
    assert!(told.contains(&Notice::LeftMessage { conversation: id, reason: LeftReason::Binding, text }));
    assert_eq!(shop.trace(id).chosen.state, State::LeftMessage);
    assert_eq!(Duration::ZERO, shop.now.since(shop.now));
}

#[test]
fn what_a_binding_leaves_is_the_left_message_of_its_group() {
    let binding = "[[seller.binding]]\nid = \"later\"\nwhen = { keyword = \"invoice\" }\n\
        to = { leave_message = \"by mail\" }\ngroup = \"books\"\n";
    let groups = group("all", &["mei"], "") + &group("books", &["bo"], "") + binding;
    let mut shop = shop(&[("mei", 2), ("bo", 2)], &groups);
    shop.online("mei");

    let id = shop.start_at("tea", "ada", &[], Some("an invoice please"));
    let left = (shop.state(id), shop.view(id).group.as_ref().map(|group| group.as_str().to_owned()));
    shop.online("bo");

    assert_eq!(left, (State::LeftMessage, Some("books".to_owned())));
    assert_eq!(shop.agent(id), Some("bo"));
}

#[test]
fn what_overflows_when_its_step_is_due_says_that_this_is_the_cause() {
    let groups = group("all", &["mei"], "overflow = [{ after = \"1m\", to = \"more\" }]\nmax_wait = \"90s\"")
        + &group("more", &["bo"], "");
    let mut shop = shop(&[("mei", 1), ("bo", 2)], &groups);
    shop.online("mei");
    shop.online("bo");
    let first = shop.start("a");
    let second = shop.start("b");

    shop.wait(60);
    let overflowed = shop.trace(second).cause;
    let (third, fourth, fifth) = (shop.start("c"), shop.start("d"), shop.start("e"));
    shop.wait(60);
    shop.close("mei", first).unwrap();

    assert_eq!((shop.agent(second), overflowed), (Some("bo"), Cause::Overflow));
    assert_eq!((shop.agent(third), shop.trace(third).cause), (Some("bo"), Cause::Overflow));
    assert_eq!((shop.agent(fourth), shop.trace(fourth).cause), (Some("mei"), Cause::SlotOpened));
    assert_eq!(shop.state(fifth), State::Queued);
}

#[test]
fn what_is_placed_when_it_has_waited_for_its_recent_agent_says_that_this_is_the_cause() {
    let settings = "recent_agent = \"1h\"\nrecent_agent_when_full = \"20s\"";
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei", "bo"], settings));
    shop.online("mei");
    let first = shop.start("ada");
    shop.close("mei", first).unwrap();
    shop.start("eve");
    shop.online("bo");
    let again = shop.start("ada");
    assert_eq!(shop.state(again), State::Queued);

    shop.wait(20);

    assert_eq!((shop.agent(again), shop.trace(again).cause), (Some("bo"), Cause::RecentWait));
}
