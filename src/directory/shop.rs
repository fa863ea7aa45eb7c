//! The check of a seller's shop: its accounts, its entries, its name.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::document::{Name, SellerElement};
use super::ledger::Ledger;
use super::world::{Claim, World, duplicate};
use super::zone::Zones;
use super::{Entry, Platform};
use crate::model::{AccountId, EntryId};

/// A seller's shop, as far as it could be checked.
#[derive(Debug)]
pub(super) struct Shop {
    pub time_zone: TimeZone,
    pub shop: EntryId,
    pub official_account: Option<AccountId>,
    pub channel_accounts: Vec<AccountId>,
    pub entries: Vec<Entry>,
}

/// Checks everything of a seller that is about its shop, and claims its ids.
pub(super) fn check<'a>(
    ledger: &mut Ledger<'_>,
    world: &mut World<'a>,
    zones: &mut Zones,
    at: usize,
    seller: &'a SellerElement,
) -> Shop {
    check_main_account(ledger, world, at, seller);
    check_licence(ledger, seller);
    check_official_account(ledger, world, seller);
    let bound = seller.official_account.iter().chain(&seller.channel_accounts);
    for account in bound {
        bind(ledger, world, at, account);
    }

    let shop = seller.shop.as_ref().or(seller.id.as_ref());
    if let Some(shop) = shop {
        claim(ledger, world, shop, Claim::Shop(at));
    }
    for id in seller.entries.iter().filter_map(|entry| entry.id.as_ref()) {
        claim(ledger, world, id, Claim::Entry(at));
    }
    let entries = seller.entries.iter().filter_map(|entry| {
        Some(Entry { id: EntryId::from(&*entry.id.as_ref()?.value), kind: Arc::clone(&entry.kind) })
    });
    Shop {
        time_zone: time_zone(ledger, zones, seller),
        shop: EntryId::from(shop.map_or("", |shop| &*shop.value)),
        official_account: seller.official_account.as_ref().map(account_id),
        channel_accounts: seller.channel_accounts.iter().map(account_id).collect(),
        entries: entries.collect(),
    }
}

pub(super) fn account_id(name: &Name) -> AccountId {
    AccountId::from(&*name.value)
}

fn check_main_account<'a>(ledger: &mut Ledger<'_>, world: &mut World<'a>, at: usize, seller: &'a SellerElement) {
    let Some(account) = &seller.account else { return };
    if !world.accounts.contains_key(&*account.value) {
        ledger.unknown(account.place, "account", &account.value, world.accounts.keys().copied());
    }
    if let Some((_, first)) = world.main_accounts.get(&*account.value) {
        let message =
            format!("`{}` is the main account of another seller already, at {}", account.value, ledger.locate(*first));
        ledger.error(account.place, message).expecting("an account that is no other seller's");
        return;
    }
    world.main_accounts.insert(&account.value, (at, account.place));
}

fn check_licence(ledger: &mut Ledger<'_>, seller: &SellerElement) {
    let (Some(name), Some(licence)) = (&seller.name, &seller.licence_name) else { return };
    if name.value != licence.value {
        let message = "the name on the licence differs from the shop's `name`";
        ledger.error(licence.place, message).expecting(format!("\"{}\"", name.value)).by_rule(7);
    }
}

fn check_official_account(ledger: &mut Ledger<'_>, world: &World<'_>, seller: &SellerElement) {
    let Some(official) = &seller.official_account else { return };
    let Some((account, _)) = world.accounts.get(&*official.value) else { return };
    if account.platform.is_some_and(|platform| platform.value != Platform::Douyin) {
        let message = format!("`{}` is no douyin account, so it cannot be an official account", official.value);
        ledger.error(official.place, message).expecting("an account with platform = \"douyin\"").by_rule(7);
    }
    if account.payee.is_some_and(|payee| payee.value) {
        let message =
            format!("`{}` has a payee account of its own, so it cannot be an official account", official.value);
        ledger.error(official.place, message).expecting("an account with payee = false").by_rule(7);
    }
}

/// Binds an account to the shop, unless it is bound already.
fn bind<'a>(ledger: &mut Ledger<'_>, world: &mut World<'a>, at: usize, account: &'a Name) {
    if !world.accounts.contains_key(&*account.value) {
        ledger.unknown(account.place, "account", &account.value, world.accounts.keys().copied());
        return;
    }
    match world.claims.get(&*account.value) {
        Some((Claim::Bound(other), first)) => {
            let here = if *other == at { "this shop" } else { "another shop" };
            let message = format!("`{}` is bound to {here} already, at {}", account.value, ledger.locate(*first));
            ledger.error(account.place, message).expecting("an account that is bound nowhere").by_rule(5);
        }
        _ => {
            world.claims.insert(&account.value, (Claim::Bound(at), account.place));
        }
    }
}

/// Claims an id of the one name space of shops, accounts and entries.
fn claim<'a>(ledger: &mut Ledger<'_>, world: &mut World<'a>, id: &'a Name, claim: Claim) {
    let Some((taken, first)) = world.claims.get(&*id.value) else {
        world.claims.insert(&id.value, (claim, id.place));
        return;
    };
    let what = match taken {
        Claim::Account | Claim::Bound(_) => "account",
        Claim::Shop(_) => "shop",
        Claim::Entry(_) => "entry",
    };
    duplicate(ledger, id, what, *first);
}

/// A main account is at home in its own shop; bound to another it would be in two.
pub(super) fn check_bound_main_accounts(ledger: &mut Ledger<'_>, world: &World<'_>) {
    for (account, (seller, main)) in &world.main_accounts {
        let Some((Claim::Bound(other), bound)) = world.claims.get(account) else { continue };
        if other != seller {
            let message = format!("`{account}` is the main account of another seller, at {}", ledger.locate(*main));
            ledger.error(*bound, message).expecting("an account that is bound nowhere").by_rule(5);
        }
    }
}

fn time_zone(ledger: &mut Ledger<'_>, zones: &mut Zones, seller: &SellerElement) -> TimeZone {
    let Some(name) = &seller.time_zone else { return zones.default_zone() };
    if let Some(zone) = zones.find(&name.value) {
        return zone;
    }
    let names = zones.names();
    ledger
        .unknown(name.place, "time zone", &name.value, names.iter().map(String::as_str))
        .expecting("a name such as \"Asia/Shanghai\"");
    zones.default_zone()
}
