//! What a reload may not do: end the binding of an account to a shop before its time, or take an unfit main account.
//! What one snapshot must not be is the check's.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::{Span, tz::TimeZone};

use super::document::Document;
use super::ledger::Ledger;
use super::source::Place;
use super::zone::day_of;
use super::{AccountStatus, Directory, Seller, ShopStatus};
use crate::model::{AccountId, EntryId, SellerId, Timestamp};

/// How long an account has to be cancelled before its binding ends.
const CANCELLED_DAYS: i64 = 7;
/// How long a closure notice has to stand before bindings end.
const NOTICE_DAYS: i64 = 30;

/// One thing that a reload would do and may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which of the domain's rules.
    pub rule: u8,
    /// Whose shop.
    pub seller: SellerId,
    /// Which account.
    pub account: AccountId,
    /// The day from which it would be allowed, if a day is set.
    pub allowed_from: Option<Date>,
    /// A sentence for a person.
    pub message: String,
}

/// What may not be done to come from the recorded configuration to the candidate, by seller and account.
pub fn judge(recorded: &Directory, candidate: &Directory, now: Timestamp) -> Vec<Breach> {
    let bound = bound_accounts(candidate);
    let mut breaches = Vec::new();
    for seller in recorded.sellers.values() {
        let then = candidate.sellers.get(&seller.id);
        if then.is_some_and(|then| std::sync::Arc::ptr_eq(then, seller)) {
            continue;
        }
        for account in accounts_of(seller) {
            if bound.get(account) != Some(&&seller.shop) {
                breaches.extend(judge_end(recorded, candidate, seller, account, now));
            }
        }
        if let Some(then) = then.filter(|then| then.account != seller.account) {
            breaches.extend(judge_main_account(recorded, candidate, then, now));
        }
    }
    breaches
}

/// Judges, and says it at the place of the seller.
pub(super) fn report(
    ledger: &mut Ledger<'_>,
    document: &Document,
    recorded: &Directory,
    candidate: &Directory,
    now: Timestamp,
) {
    let places: HashMap<&str, (Place, Place)> = document
        .sellers
        .iter()
        .filter_map(|seller| {
            let id = seller.id.as_ref()?;
            Some((&*id.value, (id.place, seller.account.as_ref()?.place)))
        })
        .collect();
    for breach in judge(recorded, candidate, now) {
        let (seller, account) = places.get(breach.seller.as_str()).copied().unwrap_or_default();
        let place = if breach.rule == 7 { account } else { seller };
        ledger.error(place, breach.message).by_rule(breach.rule).allowed_from(breach.allowed_from);
    }
}

fn accounts_of(seller: &Seller) -> impl Iterator<Item = &AccountId> {
    seller.official_account.iter().chain(&seller.channel_accounts)
}

/// Which shop each bound account is bound to.
fn bound_accounts(directory: &Directory) -> HashMap<&AccountId, &EntryId> {
    let sellers = directory.sellers.values();
    sellers.flat_map(|seller| accounts_of(seller).map(|account| (account, &seller.shop))).collect()
}

/// Whether a binding may end now.
fn judge_end(
    recorded: &Directory,
    candidate: &Directory,
    seller: &Seller,
    account: &AccountId,
    now: Timestamp,
) -> Option<Breach> {
    let today = day_of(now, &seller.time_zone);
    let cancelled = cancelled_on(recorded, candidate, account).and_then(|day| after(day, CANCELLED_DAYS));
    let closed = closed_on(seller, candidate).and_then(|day| after(day, NOTICE_DAYS));
    let allowed_from = [cancelled, closed].into_iter().flatten().min();
    if allowed_from.is_some_and(|day| day <= today) {
        return None;
    }

    let from = allowed_from.map_or_else(
        || "once the account has been cancelled for 7 days, or the shop closed after a notice of 30 days".to_owned(),
        |day| format!("from {day} on"),
    );
    let message = format!(
        "the account `{account}` stays bound to the shop `{}` of `{}`: this is allowed {from}",
        seller.shop, seller.id
    );
    Some(Breach { rule: 6, seller: seller.id.clone(), account: account.clone(), allowed_from, message })
}

/// Since when the account is cancelled, by what is known last.
fn cancelled_on(recorded: &Directory, candidate: &Directory, account: &AccountId) -> Option<Date> {
    let known = candidate.accounts.get(account).or_else(|| recorded.accounts.get(account))?;
    known.cancelled_on.filter(|_| known.status == AccountStatus::Cancelled)
}

/// The day of the notice if the shop is closed. A notice that is recorded cannot be dated back.
fn closed_on(seller: &Seller, candidate: &Directory) -> Option<Date> {
    let (status, notice) = match candidate.sellers.get(&seller.id) {
        Some(then) => {
            (then.status, then.closure_notice_on.map(|day| seller.closure_notice_on.map_or(day, |old| old.max(day))))
        }
        None => (seller.status, seller.closure_notice_on),
    };
    notice.filter(|_| status == ShopStatus::Closed)
}

fn after(day: Date, days: i64) -> Option<Date> {
    day.checked_add(Span::new().days(days)).ok()
}

/// Whether the seller may take this main account.
fn judge_main_account(recorded: &Directory, candidate: &Directory, then: &Seller, now: Timestamp) -> Option<Breach> {
    let breach = |why: String| {
        let account = then.account.clone();
        let message = format!("`{account}` cannot become the main account of `{}`: it {why}", then.id);
        Some(Breach { rule: 7, seller: then.id.clone(), account, allowed_from: None, message })
    };
    let zone: &TimeZone = &then.time_zone;
    if let Some(why) = candidate.accounts.get(&then.account)?.unfit(now, zone) {
        return breach(why);
    }
    let main_of = recorded.main_accounts.get(&then.account).filter(|other| **other != then.id);
    let bound_to = recorded.entries.get(then.account.as_str()).filter(|other| **other != then.id);
    match main_of.or(bound_to) {
        Some(other) => breach(format!("is bound to the shop of `{other}`")),
        None => None,
    }
}
