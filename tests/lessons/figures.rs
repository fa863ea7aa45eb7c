//! The figures of a day are those of the seller's own calendar.

use std::sync::Arc;
use std::time::Duration;

use fenliu::model::Timestamp;
use fenliu::routing::{Command, Outcome, Today};

use crate::group;
use crate::shop::{Shop, accounts, certified, seller, shop};

fn today(shop: &mut Shop, seller: &str) -> Today {
    let command = Command::ViewDesk { seller: seller.into(), subscribe: None };
    match shop.by_agent("lin", command).unwrap() {
        Outcome::Desk(desk) => desk.today.clone(),
        other => panic!("{other:?}"),
    }
}

fn at(utc: &str) -> Timestamp {
    let instant: jiff::Timestamp = utc.parse().unwrap();
    Timestamp::from_micros(instant.as_microsecond())
}

#[test]
fn a_day_ends_at_midnight_where_the_seller_is() {
    let mut shop = shop(&[("mei", 9)], &group("all", &["mei"], ""));
    shop.online("mei");
    shop.start("early");

    // 23:59:59.999 in Shanghai, still of the day on which it began.
    shop.now = at("2026-11-24T15:59:59.999Z");
    shop.start("late");
    assert_eq!(today(&mut shop, "tea").started, 2);

    shop.now = shop.now + Duration::from_millis(1);
    assert_eq!(today(&mut shop, "tea"), Today::default());
    shop.start("next");
    assert_eq!((today(&mut shop, "tea").started, today(&mut shop, "tea").served), (1, 1));
}

#[test]
fn two_sellers_have_each_their_own_day() {
    let people = [("mei", 9)];
    let tea = seller("tea", "lin", &people, &group("all", &["mei"], ""));
    let cups = seller("cups", "wang", &[], &group("all", &["wang"], ""))
        .replace("shop = \"shop-cups\"", "shop = \"shop-cups\"\ntime_zone = \"Europe/Berlin\"");
    let wang = certified("wang", "2036-12-31");
    let mut shop = Shop::new(&format!("{}{wang}{tea}{cups}", accounts(&people)));
    let cups_today = |shop: &mut Shop| {
        let command = Command::ViewDesk { seller: "cups".into(), subscribe: None };
        match shop.by_agent("wang", command).unwrap() {
            Outcome::Desk(desk) => Arc::clone(&desk).today.started,
            other => panic!("{other:?}"),
        }
    };

    // Midnight in Shanghai is five in the afternoon in Berlin.
    shop.start("one");
    shop.start_at("cups", "one", &[], None);
    shop.now = at("2026-11-24T16:00:00Z");
    assert_eq!((today(&mut shop, "tea").started, cups_today(&mut shop)), (0, 1));

    shop.now = at("2026-11-24T23:00:00Z");
    assert_eq!(cups_today(&mut shop), 0);
}

#[test]
fn a_day_of_twenty_five_hours_is_one_day() {
    let groups = group("all", &["mei"], "");
    let tea = seller("tea", "lin", &[("mei", 9)], &groups);
    let tea = tea.replace("shop = \"shop-tea\"", "shop = \"shop-tea\"\ntime_zone = \"Europe/Berlin\"");
    let mut shop = Shop::new(&format!("{}{tea}", accounts(&[("mei", 9)])));
    shop.now = at("2027-10-30T22:00:00Z");
    shop.start("first");

    // The clocks went back at 01:00 UTC: it is 23:59 there now, and 25 hours have passed but a minute.
    shop.now = at("2027-10-31T22:59:00Z");
    shop.start("last");
    assert_eq!(today(&mut shop, "tea").started, 2);

    shop.now = at("2027-10-31T23:00:00Z");
    assert_eq!(today(&mut shop, "tea").started, 0);
}

#[test]
fn another_time_zone_by_a_reload_is_the_day_there() {
    let people = [("mei", 9)];
    let text = |zone: &str| {
        let tea = seller("tea", "lin", &people, &group("all", &["mei"], ""));
        format!("{}{}", accounts(&people), tea.replace("shop = \"shop-tea\"", &format!("shop = \"shop-tea\"\n{zone}")))
    };
    let mut shop = Shop::new(&text(""));
    shop.now = at("2026-11-24T16:30:00Z");
    shop.start("after midnight in Shanghai");

    shop.reload(&text("time_zone = \"Europe/Berlin\""));
    shop.now = at("2026-11-24T16:31:00Z");
    assert_eq!(today(&mut shop, "tea").started, 0);
    shop.start("in the afternoon in Berlin");
    shop.now = at("2026-11-24T22:59:59Z");
    assert_eq!(today(&mut shop, "tea").started, 1);
}
