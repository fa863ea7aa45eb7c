//! What a simulation found wrong where a table is built anew: by another configuration, by a start.

use fenliu::model::{State, Status};
use fenliu::routing::{Cause, Command, Exclusion, Notice};

use crate::group;
use crate::shop::{Shop, accounts, certified, seller, shop};

/// A seller `tea` with the people named, of whom `ann` and `zoe` may serve `phones` too.
fn two(people: &[(&str, u32)], tea: &str, phones: &[(&str, u32)]) -> String {
    accounts(&people.iter().filter(|(who, _)| !["ann", "zoe"].contains(who)).copied().collect::<Vec<_>>())
        + &certified("hao", "2036-12-31")
        + &certified("ann", "2036-12-31")
        + &certified("zoe", "2036-12-31")
        + "[[sub_account]]\nid = \"ann\"\nkind = \"certified\"\ncapacity = 2\n"
        + "[[sub_account]]\nid = \"zoe\"\nkind = \"certified\"\n"
        + &seller("tea", "lin", people, tea)
        + &seller("phones", "hao", phones, &group("all", &[], ""))
}

#[test]
fn who_goes_leaves_nothing_behind_however_much_it_holds() {
    let groups = group("all", &["mei"], "") + &group("kept", &["mei"], "when_agent_lost = \"keep\"");
    let mut shop = shop(&[("mei", 400)], &groups);
    shop.online("mei");
    for n in 0..300 {
        shop.start(&format!("b{n}"));
    }
    assert_eq!(shop.held("mei"), 300);

    // Only the first record is kept: the process ends before the next.
    let domain = shop.table.domain_of_agent(&"mei".into()).unwrap();
    let caller = fenliu::model::Caller::Staff { account: "mei".into(), sellers: None };
    let actor = fenliu::routing::Actor { caller: Some(&caller), session: None };
    let command = Command::SetStatus { agent: None, seller: None, status: Status::Offline, reroute: true };
    let batch = shop.table.act(domain, &actor, command, shop.now, |acted| acted.batch).unwrap();
    let evicted = batch.events.iter().filter(|event| matches!(event, fenliu::routing::Event::Queued { .. }));

    assert_eq!(evicted.count(), 300);
}

#[test]
fn who_is_offline_at_a_start_and_holds_what_it_may_not_keep_loses_it() {
    let mut shop = shop(&[("mei", 3), ("bo", 3)], &group("all", &["mei", "bo"], ""));
    shop.online("mei");
    let id = shop.start("ada");
    shop.online("bo");
    shop.kept
        .agents
        .iter_mut()
        .filter(|row| row.account.as_str() == "mei")
        .for_each(|row| row.status = Status::Offline);

    shop.restart(1);
    shop.arrive("bo", None);

    assert_eq!(shop.agent(id), Some("bo"));
}

#[test]
fn a_reload_gives_no_time_to_come_back_to_somebody_who_was_not_there() {
    let groups = group("all", &["mei"], "");
    let people = [("mei", 2), ("bo", 2)];
    let mut shop = shop(&people, &groups);
    shop.online("bo");
    shop.set_other("bo", "mei", "tea", Status::Online, false);
    shop.online("lin");

    shop.reload(&(accounts(&people) + &seller("tea", "lin", &people, &group("all", &["mei"], "close_idle = \"1h\""))));
    let id = shop.start("ada");

    assert_eq!(shop.agent(id), Some("lin"), "nobody of the group is there, nor is about to be");
}

#[test]
fn a_pause_ends_with_the_authorization_also_in_the_store() {
    let people = [("mei", 2), ("ann", 2)];
    let with = two(&people, &group("all", &["ann"], ""), &[("ann", 2)]);
    let without = two(&people[..1], &group("all", &[], ""), &[("ann", 2)]);
    let mut shop = Shop::new(&with);
    shop.online("ann");
    shop.online("mei");
    shop.set_other("mei", "ann", "tea", Status::Away, false);

    shop.reload(&without);

    let row = shop.kept.agents.iter().find(|row| row.account.as_str() == "ann").unwrap();
    assert!(row.paused.is_empty(), "{row:?}");
}

#[test]
fn a_rotation_forgets_who_is_no_member_any_more_also_in_the_store() {
    let people = [("mei", 2), ("bo", 2)];
    let text = |members: &[&str]| {
        accounts(&people) + &seller("tea", "lin", &people, &group("all", members, "strategy = \"weighted\""))
    };
    let mut shop = Shop::new(&text(&["mei", "bo"]));
    shop.online("mei");
    shop.online("bo");
    shop.start("ada");

    shop.reload(&text(&["bo"]));

    let row = &shop.kept.groups[0];
    assert_eq!(row.weights.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>(), ["bo"]);
}

#[test]
fn who_was_lost_is_asked_again_when_a_reload_makes_it_reachable() {
    let people = [("mei", 2), ("ann", 2)];
    let text = two(&people, &group("all", &["ann"], ""), &[("ann", 2)]);
    // The seller itself is not fit: whoever acts for it cannot, and goes on for the other one.
    let expired = text.replacen("certified_until = 2036-12-31", "certified_until = 2026-11-23", 1);
    let mut shop = Shop::new(&text);
    shop.online("ann");
    let id = shop.start("ada");
    shop.set("ann", Status::Offline, true).unwrap();
    shop.reload(&expired);
    shop.set("ann", Status::Online, false).unwrap();
    let excluded = shop.rows[&id].exclusion(&"ann".into());
    assert_eq!((shop.state(id), excluded), (State::LeftMessage, Some(Exclusion::Lost)));

    shop.reload(&text);

    assert_eq!(shop.agent(id), Some("ann"));
}

#[test]
fn a_round_is_over_when_a_reload_takes_out_those_who_were_still_to_be_asked() {
    let people = [("mei", 2), ("bo", 1)];
    let text = |members: &[&str]| {
        let settings = "assignment = \"offer\"\noffer_timeout = \"20s\"";
        accounts(&people)
            + &seller("tea", "lin", &people, &(group("all", members, settings) + &group("other", &["bo"], "")))
    };
    let mut shop = Shop::new(&text(&["mei", "bo"]));
    shop.online("bo");
    let busy = shop.start("eve");
    shop.accept("bo", busy).unwrap();
    shop.online("mei");
    let id = shop.start("ada");
    shop.decline("mei", id).unwrap();
    assert_eq!(shop.state(id), State::Queued, "the other is full, and will be asked");

    shop.reload(&text(&["mei"]));
    shop.wait(20);

    assert_eq!(shop.agent(id), Some("mei"), "it is asked again when the round is over");
}

#[test]
fn a_rehearsal_knows_who_comes_back_with_a_reload() {
    let people = [("mei", 2), ("bo", 2)];
    let text = |members: &[(&str, u32)]| {
        let groups = group("all", &members.iter().map(|(who, _)| *who).collect::<Vec<_>>(), "");
        accounts(&people) + &seller("tea", "lin", members, &groups)
    };
    let mut shop = Shop::new(&text(&people));
    shop.online("bo");
    shop.online("mei");
    shop.reload(&text(&people[..1]));
    shop.set("mei", Status::Away, false).unwrap();
    let id = shop.start("ada");
    assert_eq!(shop.state(id), State::Queued);
    let back = fenliu::directory::Directory::from_toml(&text(&people[1..]), shop.now).unwrap();

    let affected = shop.table.rehearse_reload(&std::sync::Arc::new(back), shop.now);

    assert_eq!(affected.number, 0, "it waits on for somebody who is about to return");
}

#[test]
fn who_is_suspended_by_a_reload_is_not_told_in_passing_what_came_due_meanwhile() {
    let people = [("mei", 2)];
    let text = accounts(&people) + &seller("tea", "lin", &people, &group("all", &["mei"], ""));
    let mut shop = Shop::new(&text);
    shop.online("mei");
    let id = shop.start("ada");
    shop.buyer_writes(id).unwrap();
    shop.buyer_presence(id, false);
    shop.told.clear();

    shop.now = shop.now + std::time::Duration::from_secs(190);
    shop.reload(&text.replacen("certified_until = 2036-12-31", "certified_until = 2026-11-23", 1));

    let told = shop.told_to("mei");
    assert!(told.iter().all(|notice| matches!(notice, Notice::Unassigned { .. })), "{told:?}");
}

#[test]
fn nobody_is_waited_for_who_may_no_longer_act_for_the_seller() {
    let people = [("mei", 2), ("zoe", 2), ("ann", 2)];
    let binding = "[[seller.binding]]\nid = \"b\"\nwhen = { source = \"x\" }\nto = { sub_account = \"ann\" }\n\
                   otherwise = \"wait\"\n";
    let phones = [("ann", 2), ("zoe", 2)];
    let with = two(&people, &(group("all", &["mei"], "") + binding), &phones);
    // The two sellers still have somebody in common: she is at hand, and not for this one.
    let without = two(&people[..2], &group("all", &["mei"], ""), &phones);
    let mut shop = Shop::new(&with);
    shop.online("mei");
    shop.arrive("ann", Some(Status::Away));
    let id = shop.start_at("tea", "ada", &[("source", "x")], None);
    assert_eq!(shop.state(id), State::Queued);

    shop.reload(&without);

    assert_eq!(shop.agent(id), Some("mei"));
}

#[test]
fn a_conversation_that_only_changes_its_group_is_named_by_its_groups() {
    let people = [("mei", 2)];
    let binding = "[[seller.binding]]\nid = \"b\"\nwhen = { source = \"x\" }\nto = { group = \"more\" }\n";
    let all = accounts(&people) + &seller("tea", "lin", &people, &group("all", &["mei"], ""));
    let mut shop = Shop::new(&(all.clone() + &group("more", &["mei"], "") + binding));
    shop.online("mei");
    shop.start_at("tea", "ada", &[("source", "x")], None);
    let other = fenliu::directory::Directory::from_toml(&all, shop.now).unwrap();

    let affected = shop.table.rehearse_reload(&std::sync::Arc::new(other), shop.now);

    let moved = &affected.conversations[0];
    assert_eq!((moved.from.as_deref(), moved.to.as_deref()), (Some("more"), Some("all")));
}

#[test]
fn who_has_a_conversation_now_is_told_to_one_who_may_still_read_it_and_to_nobody_else() {
    let (people, phones) = ([("ann", 1), ("mei", 1)], [("ann", 2), ("zoe", 2)]);
    let text = two(&people, &group("all", &["mei", "ann"], ""), &phones);
    let suspended = text.replacen(&certified("ann", "2036-12-31"), &certified("ann", "2026-11-23"), 1);
    // She still serves another seller of the same domain.
    let gone = two(&people[1..], &group("all", &["mei"], ""), &phones);
    for (text_then, cause, to) in [(suspended, Cause::Suspended, Some("mei".into())), (gone, Cause::Unauthorized, None)]
    {
        let mut shop = Shop::new(&text);
        shop.online("ann");
        let id = shop.start("ada");
        shop.online("mei");
        shop.told.clear();

        shop.reload(&text_then);

        assert_eq!(shop.agent(id), Some("mei"));
        assert_eq!(shop.told_to("ann"), [Notice::Unassigned { conversation: id, cause, to }]);
    }
}

#[test]
fn whom_a_reload_took_out_that_could_not_be_written_is_there_as_before() {
    let people = [("mei", 1), ("bo", 1)];
    let with = accounts(&people) + &seller("tea", "lin", &people, &group("all", &["mei", "bo"], ""));
    let without = accounts(&people) + &seller("tea", "lin", &people[..1], &group("all", &["mei"], ""));
    let mut shop = Shop::new(&with);
    shop.online("mei");
    shop.online("bo");
    let first = shop.start("ada");
    let has_it = shop.agent(first).unwrap().to_owned();
    let other = if has_it == "mei" { "bo" } else { "mei" };

    shop.reload_in_vain(&without);

    assert_eq!(shop.agent(first), Some(&*has_it));
    let second = shop.start("bea");
    assert_eq!(shop.agent(second), Some(other));
    shop.wait(60);
    assert_eq!(shop.agent(first), Some(&*has_it), "nobody was away");
    shop.close("bo", if has_it == "bo" { first } else { second }).unwrap();
}

#[test]
fn who_leaves_while_a_reload_without_it_is_undone_is_in_grace() {
    let people = [("mei", 1), ("bo", 1)];
    let with = accounts(&people) + &seller("tea", "lin", &people, &group("all", &["bo"], ""));
    let without = accounts(&people) + &seller("tea", "lin", &people[..1], &group("all", &["mei"], ""));
    let mut shop = Shop::new(&with);
    shop.online("bo");
    let id = shop.start("ada");

    shop.hang_up("bo");
    shop.reload_in_vain(&without);

    assert_eq!((shop.agent(id), shop.state(id)), (Some("bo"), State::Active));
    shop.wait(31);
    assert_eq!(shop.agent(id), None);
}

#[test]
fn what_closes_before_a_reload_has_settled_is_not_of_a_group_that_is_gone() {
    let kept = group("all", &["mei"], "wrap_up = \"30s\"");
    let binding = "[[seller.binding]]\nid = \"b\"\nwhen = { product = \"cup\" }\nto = { group = \"cups\" }\n";
    let people = [("mei", 1)];
    let before = kept.clone() + &group("cups", &["mei"], "close_idle = \"10s\"") + binding;
    let mut shop = shop(&people, &before);
    shop.online("mei");
    let id = shop.start_at("tea", "ada", &[("product", "cup")], None);
    assert_eq!(shop.agent(id), Some("mei"));

    // It would be the other group's in a moment, and is idle by then.
    shop.now = shop.now + std::time::Duration::from_secs(3_600);
    shop.reload(&(accounts(&people) + &seller("tea", "lin", &people, &kept)));

    let row = &shop.rows[&id];
    assert_eq!((row.state, row.group.as_str()), (State::Closed, "all"));
    assert_eq!(shop.explain("tea", "eve").chosen.state, State::Queued, "the wrap-up is that of its group too");
}

#[test]
fn what_closes_by_itself_as_its_owner_loses_its_authorization_is_lost_to_that_one() {
    let text = |people: &[(&str, u32)], group: &str| accounts(&[("mei", 2)]) + &seller("tea", "lin", people, group);
    let mut shop = Shop::new(&text(&[("mei", 2)], &group("all", &["mei"], "")));
    shop.online("mei");
    let id = shop.start("ada");
    shop.wait(120);
    shop.told.clear();

    shop.reload(&text(&[], &group("all", &[], "close_idle = \"1m\"")));

    assert_eq!(shop.state(id), State::Closed);
    let lost = Notice::Unassigned { conversation: id, cause: Cause::Unauthorized, to: None };
    assert_eq!(shop.told_to("mei"), [lost]);
    assert!(matches!(shop.told_to_buyer("ada")[..], [Notice::Closed { .. }]));
}

#[test]
fn what_waits_for_a_recent_agent_whom_a_reload_took_out_keeps_nothing_from_anybody_else() {
    let settings = "recent_agent = \"72h\"\nrecent_agent_when_full = \"1m\"";
    let text = |people: &[(&str, u32)], members: &[&str]| {
        accounts(&[("mei", 1), ("bo", 1)]) + &seller("tea", "lin", people, &group("all", members, settings))
    };
    let mut shop = Shop::new(&text(&[("mei", 1), ("bo", 1)], &["mei", "bo"]));
    shop.online("mei");
    let first = shop.start("ada");
    shop.close("mei", first).unwrap();
    let moved = shop.start("eve");
    shop.online("bo");
    let busy = shop.start("guo");
    let (waits, next) = (shop.start("ada"), shop.start("fay"));

    shop.reload(&text(&[("bo", 1)], &["bo"]));
    shop.close("bo", busy).unwrap();
    assert_eq!(shop.agent(moved), Some("bo"));
    shop.close("bo", moved).unwrap();

    assert_eq!((shop.state(waits), shop.agent(next)), (State::Queued, Some("bo")));
    shop.close("bo", next).unwrap();
    shop.wait(60);
    assert_eq!(shop.agent(waits), Some("bo"));
}
