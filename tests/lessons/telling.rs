//! What is told and when, and what must not be missed where much happens at once.

use fenliu::model::{State, Status};
use fenliu::routing::{Command, LeftReason, Notice};

use crate::group;
use crate::shop::{Shop, accounts, certified, seller, shop};

#[test]
fn all_who_wait_are_left_messages_when_the_last_goes_however_many_they_are() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], ""));
    shop.online("mei");
    let first = shop.start("ada");
    let waiting: Vec<_> = (0..40).map(|n| shop.start(&format!("b{n}"))).collect();
    assert!(waiting.iter().all(|id| shop.state(*id) == State::Queued));

    shop.set("mei", Status::Offline, true).unwrap();

    assert_eq!(shop.state(first), State::LeftMessage);
    assert!(waiting.iter().all(|id| shop.rows[id].left == Some(LeftReason::NobodyOnline)));
}

#[test]
fn more_positions_than_a_sweep_tells_are_told_a_second_later() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], "queue_limit = 0"));
    shop.online("mei");
    let held = shop.start("ada");
    (0..1_011).for_each(|n| {
        shop.start(&format!("b{n}"));
    });
    shop.wait(5);
    let last = |shop: &mut Shop| {
        let told = shop.told_to_buyer("b1010").into_iter();
        let places = told.filter_map(|notice| match notice {
            Notice::Queued { place, .. } => Some(place.position),
            _ => None,
        });
        places.last()
    };
    assert_eq!(last(&mut shop), Some(1_011));

    shop.close("mei", held).unwrap();
    shop.wait(1);
    assert_eq!(last(&mut shop), Some(1_011), "a thousand before it were told first");
    shop.wait(1);

    assert_eq!(last(&mut shop), Some(1_010));
}

#[test]
fn a_pause_for_one_seller_withdraws_its_offers_and_no_others() {
    let people = [("ann", 4)];
    let asks = group("all", &["ann"], "assignment = \"offer\"");
    let text = accounts(&[])
        + &certified("hao", "2036-12-31")
        + &certified("ann", "2036-12-31")
        + "[[sub_account]]\nid = \"ann\"\nkind = \"certified\"\ncapacity = 4\n"
        + &seller("tea", "lin", &people, &asks)
        + &seller("phones", "hao", &people, &asks);
    let mut shop = Shop::new(&text);
    shop.online("ann");
    shop.online("lin");
    let tea = shop.start_at("tea", "ada", &[], None);
    let phones = shop.start_at("phones", "ada", &[], None);
    assert_eq!((shop.state(tea), shop.state(phones)), (State::Offered, State::Offered));

    shop.set_other("lin", "ann", "tea", Status::Away, false);

    assert_eq!((shop.state(tea), shop.state(phones)), (State::Queued, State::Offered));
}

#[test]
fn that_a_buyer_has_gone_may_be_dropped_for_somebody_slow() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], ""));
    shop.online("mei");
    let id = shop.start("ada");

    shop.buyer_presence(id, false);
    shop.wait(10);

    let gone = shop.told.iter().find(|told| matches!(told.notice, Notice::BuyerPresence { online: false, .. }));
    assert!(gone.unwrap().droppable);
}

#[test]
fn the_rows_of_a_table_are_by_id_whatever_has_happened() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], ""));
    shop.online("mei");
    let mut started: Vec<_> = (0..40).map(|n| shop.start(&format!("b{n}"))).collect();
    started.sort();

    let domain = shop.table.domain_of_conversation(started[0]).unwrap();
    let rows = shop.table.rows(domain).into_iter().filter_map(|row| match row {
        fenliu::routing::Row::Conversation(conversation) => Some(conversation.id),
        _ => None,
    });

    assert_eq!(rows.collect::<Vec<_>>(), started);
    assert!(shop.by_agent("mei", Command::Accept { conversation: started[1] }).is_err());
}

#[test]
fn the_estimate_is_of_the_last_fifty_that_were_closed() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], ""));
    shop.online("mei");
    for n in 0..51 {
        let id = shop.start(&format!("b{n}"));
        shop.wait(if n == 0 { 1_000 } else { 10 });
        shop.close("mei", id).unwrap();
    }
    shop.start("ada");
    let waiting = shop.start("eve");

    let view = shop.view(waiting);

    assert_eq!(view.queue.as_ref().unwrap().estimated_wait, Some(10));
}

#[test]
fn of_all_agents_an_operator_sees_first_who_holds_most() {
    let people = [("mei", 9), ("ann", 9), ("bo", 9)];
    let groups: String =
        [("all", "mei"), ("two", "ann"), ("three", "bo")].iter().map(|(id, who)| group(id, &[who], "")).collect();
    let binding = |to: &str| {
        format!("[[seller.binding]]\nid = \"{to}\"\nwhen = {{ source = \"{to}\" }}\nto = {{ group = \"{to}\" }}\n")
    };
    let mut shop = shop(&people, &(groups + &binding("two") + &binding("three")));
    people.iter().for_each(|(who, _)| shop.online(who));
    for (n, to) in ["three", "all", "three", "two", "two", "three"].iter().enumerate() {
        shop.start_at("tea", &format!("b{n}"), &[("source", to)], None);
    }

    let tally = shop.table.tally(shop.now);
    let held: Vec<_> = tally.agents.iter().map(|agent| (agent.account.as_str(), agent.held)).collect();

    assert_eq!(held[..3], [("bo", 3), ("ann", 2), ("mei", 1)]);
}

#[test]
fn who_looks_at_a_desk_is_told_of_it_at_once_and_then_once_a_second() {
    let mut shop = shop(&[("mei", 1)], &group("all", &["mei"], ""));
    shop.online("mei");
    shop.online("lin");
    let seller = shop.seller("tea");
    shop.by_agent("lin", Command::ViewDesk { seller, subscribe: Some(true) }).unwrap();
    let told = |shop: &mut Shop| {
        let told = shop.told_to("lin").into_iter();
        told.filter(|notice| matches!(notice, Notice::DeskChanged { .. })).count()
    };
    shop.wait(5);
    let before = told(&mut shop);

    for status in [Status::Away, Status::Online, Status::Away, Status::Online] {
        shop.set("mei", status, false).unwrap();
        shop.start(&format!("{status:?}"));
        shop.wait(0);
    }

    assert_eq!(told(&mut shop), before + 1, "the first change is seen at once");
    shop.wait(1);
    assert_eq!(told(&mut shop), before + 2, "and what came since, a second later");
    shop.wait(60);
    assert_eq!(told(&mut shop), before + 2);
}

#[test]
fn a_trace_lists_the_first_sixteen_of_those_whom_an_explanation_lists() {
    let names: Vec<String> = (0..24).map(|number| format!("a{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let people: Vec<_> = names.iter().copied().zip((3..7).cycle()).collect();
    for strategy in ["least_loaded", "least_active", "longest_idle", "round_robin", "weighted"] {
        let mut shop = shop(&people, &group("all", &names, &format!("strategy = \"{strategy}\"")));
        names[2..].iter().for_each(|who| shop.online(who));

        for number in 0..40 {
            let explained = shop.explain("tea", "ada");
            let id = shop.start(&format!("b{number}"));
            let trace = shop.trace(id);

            assert_eq!(trace.candidates, explained.candidates[..16], "{strategy}");
            assert_eq!(trace.unavailable, explained.unavailable, "{strategy}");
            if number % 3 == 0 {
                let agent = shop.agent(id).unwrap().to_owned();
                shop.wait(1);
                shop.close(&agent, id).unwrap();
            }
        }
    }
}

#[test]
fn of_a_large_group_that_takes_turns_the_trace_lists_whose_turn_it_is() {
    const MEMBERS: usize = 70;
    let names: Vec<String> = (0..MEMBERS).map(|member| format!("m{member:02}")).collect();
    let people: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 9)).collect();
    let weight = |member: usize| member as i64 % 3 + 1;
    for strategy in ["round_robin", "weighted"] {
        let members: Vec<_> = (0..MEMBERS)
            .map(|member| format!("{{ sub_account = \"{}\", weight = {} }}", names[member], weight(member)))
            .collect();
        let group =
            format!("[[seller.group]]\nid = \"all\"\nstrategy = \"{strategy}\"\nmembers = [{}]\n", members.join(", "));
        let mut shop = shop(&people, &group);
        names.iter().for_each(|name| shop.online(name));
        let (mut current, mut given, mut next) = ([0; MEMBERS], [0; MEMBERS], 0);

        for number in 1..90 {
            let id = shop.start(&format!("b{number}"));

            let mut order: Vec<usize> = (0..MEMBERS).collect();
            match strategy {
                "round_robin" => order.rotate_left(next),
                _ => order.sort_by_key(|member| (-(current[*member] + weight(*member)), given[*member], *member)),
            }
            let trace = shop.trace(id);
            let listed: Vec<_> = trace.candidates.iter().map(|candidate| candidate.agent.as_str()).collect();
            assert_eq!(listed, order[..16].iter().map(|member| names[*member].as_str()).collect::<Vec<_>>());
            assert_eq!(shop.agent(id), Some(listed[0]));
            assert_eq!(trace.runner_up.as_ref().unwrap().as_str(), listed[1]);
            let total: i64 = (0..MEMBERS).map(weight).sum();
            (0..MEMBERS).for_each(|member| current[member] += weight(member));
            current[order[0]] -= total;
            given[order[0]] = number;
            next = (order[0] + 1) % MEMBERS;
        }
    }
}
