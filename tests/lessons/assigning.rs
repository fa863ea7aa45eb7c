//! Who is given a conversation, and who keeps it.

use std::sync::Arc;

use fenliu::model::{AccountId, State, Status};
use fenliu::routing::{Actor, Command, Notice, OfferEnd, Outcome, Refusal, Start};

use crate::group;
use crate::shop::{Shop, accounts, buyer_caller, certified, seller, shop};

#[test]
fn p01_concurrent_arrivals_never_exceed_a_limit() {
    let mut shop = shop(&[("mei", 3), ("bo", 2)], &group("all", &["mei", "bo"], ""));
    shop.online("mei");
    shop.online("bo");
    let starts: Vec<Start> = (0..64).map(|n| shop.starting("tea", &format!("b{n}"), &[], None)).collect();
    let (table, now) = (Arc::clone(&shop.table), shop.now);
    let domain = table.domain_of_seller(&shop.seller("tea")).unwrap();

    let given: usize = std::thread::scope(|threads| {
        let run = |starts: &[Start]| {
            let start = |start: &Start| {
                let caller = buyer_caller(&start.profile.key.sub);
                let actor = Actor { caller: Some(&caller), session: None };
                let acted = table.act(domain, &actor, Command::Start(Box::new(start.clone())), now, |acted| acted);
                let Ok(Outcome::Started { view, .. }) = acted.result else { panic!("{:?}", acted.result) };
                usize::from(view.state == State::Active)
            };
            starts.iter().map(start).sum::<usize>()
        };
        let halves: Vec<_> = starts.chunks(32).map(|half| threads.spawn(move || run(half))).collect();
        halves.into_iter().map(|half| half.join().unwrap()).sum()
    });

    assert_eq!(given, 5);
}

#[test]
fn p02_nothing_is_given_again_however_often_time_is_looked_at() {
    let mut shop = shop(&[("mei", 2), ("bo", 2)], &group("all", &["mei", "bo"], ""));
    shop.online("mei");
    let id = shop.start("ada");
    shop.online("bo");

    for _ in 0..50 {
        shop.wait(1);
        shop.look();
    }

    assert_eq!(shop.agent(id), Some("mei"));
    assert_eq!(shop.rows[&id].held, [AccountId::from("mei")]);
}

#[test]
fn p03_a_slot_that_opens_does_not_take_what_was_claimed() {
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei"], ""));
    shop.online("mei");
    shop.online("bo");
    let first = shop.start("ada");
    let second = shop.start("eve");

    shop.claim("bo", second).unwrap();
    shop.close("mei", first).unwrap();

    assert_eq!(shop.agent(second), Some("bo"));
    assert_eq!(shop.held("mei"), 0);
}

#[test]
fn p04_what_moved_to_another_group_is_given_to_that_groups_members_only() {
    let groups = group("all", &["mei"], "") + &group("more", &["bo"], "");
    let mut shop = shop(&[("mei", 2), ("bo", 1)], &groups);
    shop.online("mei");
    shop.online("bo");
    let id = shop.start("ada");
    let busy = shop.start("eve");
    shop.hand_to("mei", busy, "bo").unwrap();

    shop.transfer("mei", id, "more").unwrap();
    shop.set("mei", Status::Away, false).unwrap();
    shop.set("mei", Status::Online, false).unwrap();

    assert_eq!(shop.state(id), State::Queued);
    shop.close("bo", busy).unwrap();
    assert_eq!(shop.agent(id), Some("bo"));
}

#[test]
fn p05_of_two_who_claim_the_second_is_told_who_was_first() {
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &[], ""));
    shop.online("mei");
    shop.online("bo");
    let id = shop.start("ada");

    shop.claim("bo", id).unwrap();

    let refused = shop.claim("mei", id).unwrap_err();
    assert_eq!(refused, Refusal::NotWaiting { owner: Some("bo".into()) });
}

#[test]
fn p06_who_was_asked_and_lost_the_race_is_free_again() {
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei"], "assignment = \"offer\""));
    shop.online("mei");
    shop.online("bo");
    let first = shop.start("ada");
    assert_eq!(shop.agent(first), Some("mei"));

    shop.claim("bo", first).unwrap();
    let second = shop.start("eve");

    assert_eq!(shop.agent(second), Some("mei"));
    assert_eq!(shop.kept.agents.iter().find(|row| row.account.as_str() == "mei").unwrap().missed_offers, 0);
    assert!(shop.told_to("mei").contains(&Notice::OfferEnded { conversation: first, why: OfferEnd::Withdrawn }));
}

#[test]
fn p07_an_offer_never_outlives_whoever_was_asked() {
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei", "bo"], "assignment = \"offer\""));
    shop.online("mei");
    let id = shop.start("ada");
    shop.drop_session("mei");
    assert_eq!(shop.state(id), State::Queued);

    shop.online("bo");
    assert_eq!(shop.agent(id), Some("bo"));
    shop.restart(5);

    assert_eq!((shop.state(id), shop.agent(id)), (State::Queued, None));
    shop.online("bo");
    assert_eq!(shop.agent(id), Some("bo"));
}

#[test]
fn p08_a_queue_is_served_to_its_end() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], "queue_limit = 0"));
    shop.online("mei");
    let ids: Vec<_> = (0..300).map(|n| shop.start(&format!("b{n}"))).collect();

    for id in &ids {
        assert_eq!(shop.agent(*id), Some("mei"));
        shop.close("mei", *id).unwrap();
    }

    assert_eq!(shop.held("mei"), 0);
}

#[test]
fn p09_a_member_who_is_not_there_halts_nobody() {
    let groups = group("all", &["mei", "bo", "cy"], "strategy = \"round_robin\"");
    let mut shop = shop(&[("mei", 5), ("bo", 5), ("cy", 5)], &groups);
    shop.online("mei");
    shop.online("cy");
    shop.arrive("bo", Some(Status::Away));

    let ids: Vec<_> = (0..4).map(|n| shop.start(&format!("b{n}"))).collect();

    let agents: Vec<_> = ids.iter().map(|id| shop.agent(*id).unwrap()).collect();
    assert_eq!(agents, ["mei", "cy", "mei", "cy"]);
}

#[test]
fn p10_a_buyer_who_is_gone_is_offered_to_nobody() {
    let mut shop = shop(
        &[("mei", 1)],
        &group(
            "all",
            &["mei"],
            "assignment = \"offer\"\noffer_timeout = \"10m\"\npickup_left_messages = false\nabandon_after = \"1m\"",
        ),
    );
    shop.online("mei");
    let id = shop.start("ada");

    shop.buyer_presence(id, false);
    shop.wait(60);

    assert_eq!((shop.state(id), shop.held("mei")), (State::LeftMessage, 0));
    assert!(shop.told_to("mei").contains(&Notice::OfferEnded { conversation: id, why: OfferEnd::Withdrawn }));
}

#[test]
fn p11_wrapping_up_counts_in_every_group_and_for_every_seller() {
    let people = [("ann", 1)];
    let text = certified("hao", "2036-12-31")
        + &certified("ann", "2036-12-31")
        + &accounts(&[])
        + "[[sub_account]]\nid = \"ann\"\nkind = \"certified\"\ncapacity = 1\n"
        + &seller("tea", "lin", &people, &(group("all", &["ann"], "wrap_up = \"1m\"") + &group("more", &["ann"], "")))
        + &seller("phones", "hao", &people, &group("all", &["ann"], ""));
    let mut shop = Shop::new(&text);
    shop.online("ann");
    let first = shop.start("ada");
    let other = shop.start_at("phones", "eve", &[], None);

    shop.close("ann", first).unwrap();
    assert_eq!(shop.state(other), State::Queued);
    shop.wait(60);

    assert_eq!(shop.agent(other), Some("ann"));
}

#[test]
fn p12_what_is_offered_and_accepted_counts_once() {
    let mut shop = shop(&[("mei", 2)], &group("all", &["mei"], "assignment = \"offer\""));
    shop.online("mei");
    let first = shop.start("ada");
    shop.accept("mei", first).unwrap();

    let second = shop.start("eve");
    assert_eq!(shop.agent(second), Some("mei"));
    shop.accept("mei", second).unwrap();
    let third = shop.start("fay");

    assert_eq!((shop.state(third), shop.held("mei")), (State::Queued, 2));
    shop.close("mei", first).unwrap();
    assert_eq!(shop.agent(third), Some("mei"));
}

#[test]
fn p13_what_an_agent_may_not_take_keeps_nothing_else_from_it() {
    let bindings =
        "[[seller.binding]]\nid = \"vip\"\nwhen = { source = \"vip\" }\nto = { group = \"vips\" }\npriority = 50\n";
    let groups = group("all", &["mei"], "")
        + "[[seller.group]]\nid = \"vips\"\nmembers = [{ sub_account = \"mei\", capacity = 1 }]\n"
        + bindings;
    let mut shop = shop(&[("mei", 2)], &groups);
    shop.online("mei");
    let held = shop.start_at("tea", "vip1", &[("source", "vip")], None);
    let other = shop.start("ada");
    let important = shop.start_at("tea", "vip2", &[("source", "vip")], None);
    let plain = shop.start("eve");

    shop.close("mei", other).unwrap();

    assert_eq!(shop.agent(held), Some("mei"));
    assert_eq!(shop.state(important), State::Queued);
    assert_eq!(shop.agent(plain), Some("mei"));
}

#[test]
fn p14_when_the_one_asked_hangs_up_the_next_is_asked() {
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei", "bo"], "assignment = \"offer\""));
    shop.online("mei");
    shop.online("bo");
    let id = shop.start("ada");
    assert_eq!(shop.agent(id), Some("mei"));

    shop.drop_session("mei");

    assert_eq!((shop.state(id), shop.agent(id)), (State::Offered, Some("bo")));
    shop.accept("bo", id).unwrap();
    assert_eq!(shop.accept("mei", id).unwrap_err(), Refusal::OfferExpired);
}

#[test]
fn p15_a_limit_written_as_a_text_is_refused() {
    let text = accounts(&[("mei", 3)]).replace("capacity = 3", "capacity = \"3\"")
        + &seller("tea", "lin", &[("mei", 3)], &group("all", &["mei"], ""));

    let refused = fenliu::directory::Directory::from_toml(&text, crate::shop::NOON);

    let refused = refused.unwrap_err();
    assert!(refused.contains("this is a string"), "{refused}");
}

#[test]
fn p16_the_lowest_of_the_three_limits_holds() {
    // Of all sellers, of this seller, of this group: and how many of four are given.
    for (all, here, through, given) in [(3, 4, 4, 3), (4, 2, 3, 2), (4, 3, 1, 1), (1, 4, 4, 1), (2, 2, 2, 2)] {
        let member = format!("{{ sub_account = \"mei\", capacity = {through} }}");
        let groups = format!("[[seller.group]]\nid = \"all\"\nmembers = [{member}]\n");
        let people = [("mei", all)];
        let authorised = seller("tea", "lin", &people, &groups)
            .replace("role = \"agent\"\n", &format!("role = \"agent\"\ncapacity = {here}\n"));
        let mut shop = Shop::new(&(accounts(&people) + &authorised));
        shop.online("mei");

        for buyer in ["a", "b", "c", "d"] {
            shop.start(buyer);
        }

        assert_eq!(shop.held("mei"), given, "limits {all}, {here}, {through}");
    }
}

#[test]
fn p17_who_is_preferred_and_not_there_is_not_waited_for() {
    let bindings = "[[seller.binding]]\nid = \"hers\"\nwhen = { source = \"hers\" }\nto = { sub_account = \"mei\" }\notherwise = \"wait\"\n";
    let groups = group("all", &["mei", "bo"], "recent_agent = \"72h\"") + bindings;
    let mut shop = shop(&[("mei", 3), ("bo", 3)], &groups);
    shop.online("mei");
    let first = shop.start("ada");
    shop.close("mei", first).unwrap();
    shop.set("mei", Status::Offline, false).unwrap();
    shop.online("bo");

    let recent = shop.start("ada");
    let bound = shop.start_at("tea", "eve", &[("source", "hers")], None);

    assert_eq!((shop.agent(recent), shop.agent(bound)), (Some("bo"), Some("bo")));
}

#[test]
fn p22_what_nobody_takes_a_supervisor_can_give_and_close() {
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei"], ""));
    shop.online("mei");
    shop.online("bo");
    shop.start("ada");
    let stuck = shop.start("eve");

    shop.assign("bo", "bo", stuck, false).unwrap();
    shop.assign("bo", "mei", stuck, true).unwrap();
    assert_eq!(shop.held("mei"), 2);
    shop.close("bo", stuck).unwrap();

    assert_eq!(shop.state(stuck), State::Closed);
}

#[test]
fn p24_who_is_a_member_through_its_employer_is_given_conversations() {
    let text = accounts(&[])
        + &certified("helpdesk", "2036-12-31")
        + "[[sub_account]]\nid = \"helpdesk\"\nkind = \"certified\"\n"
        + "[[sub_account]]\nid = \"ann\"\nkind = \"staff\"\nemployer = \"helpdesk\"\n"
        + &seller("tea", "lin", &[("helpdesk", 1)], &group("all", &["ann"], ""));
    let mut shop = Shop::new(&text);
    shop.online("ann");

    let id = shop.start("ada");

    assert_eq!(shop.agent(id), Some("ann"));
}

#[test]
fn p25_what_a_hypothetical_buyer_is_told_is_what_happens() {
    let mut shop = shop(&[("mei", 1), ("bo", 1)], &group("all", &["mei", "bo"], ""));
    shop.online("mei");
    shop.online("bo");
    for buyer in ["ada", "eve", "fay"] {
        let told = shop.explain("tea", buyer);
        let id = shop.start(buyer);

        let (happened, of_next) = (shop.trace(id), told.runner_up.clone());
        assert_eq!(happened.chosen, told.chosen);
        assert_eq!(happened.runner_up, of_next);
        assert_eq!(happened.unavailable, told.unavailable);
    }
}
