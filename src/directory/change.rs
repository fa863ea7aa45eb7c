//! What differs between two snapshots, in the operator's words.
//! Whether it may be done is judged elsewhere; what follows from it is `routing`'s.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Account, Authorization, Binding, Directory, Group, Member, Seller, SubAccount, Via};
use crate::model::{AccountId, SellerId};

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they say it")]
pub enum ChangeKind {
    Added,
    Removed,
    Changed,
}

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the elements of the configuration")]
pub enum ChangeWhat {
    Seller,
    SubAccount,
    Account,
    Authorization,
    Group,
    Binding,
    Role,
}

/// One difference between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Change {
    /// What became of it.
    pub kind: ChangeKind,
    /// What it is.
    pub what: ChangeWhat,
    /// Its id; what belongs to a seller is `SELLER/ID`.
    pub id: String,
    /// What differs.
    pub detail: String,
}

/// Everything that differs: roles, accounts, sub-accounts, then seller by seller, each by id.
pub fn changes(old: &Directory, new: &Directory) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&mut changes, ChangeWhat::Role, "", &old.roles, &new.roles, |old, new| differs("scopes", old, new));
    compare(&mut changes, ChangeWhat::Account, "", &old.accounts, &new.accounts, account);
    compare(&mut changes, ChangeWhat::SubAccount, "", &old.sub_accounts, &new.sub_accounts, |old, new| {
        if Arc::ptr_eq(old, new) { Vec::new() } else { sub_account(old, new) }
    });
    for (_, pair) in pairs(&old.sellers, &new.sellers) {
        match pair {
            Pair::Both(old, new) => compare_sellers(&mut changes, old, new),
            Pair::New(new) => changes.push(whole(ChangeKind::Added, new)),
            Pair::Old(old) => changes.push(whole(ChangeKind::Removed, old)),
        }
    }
    changes
}

/// The sellers for which anything differs: themselves, or somebody who acts for them.
pub fn changed_sellers(old: &Directory, new: &Directory) -> BTreeSet<SellerId> {
    let people: BTreeSet<&AccountId> = pairs(&old.sub_accounts, &new.sub_accounts)
        .filter(|(_, pair)| match pair {
            Pair::Both(before, after) => !Arc::ptr_eq(before, after) && before != after,
            Pair::Old(_) | Pair::New(_) => true,
        })
        .map(|(account, _)| account)
        .collect();
    let concerns = |seller: &Seller| {
        if people.len() < seller.agents.len() {
            people.iter().any(|account| seller.agents.contains_key(*account))
        } else {
            seller.agents.keys().any(|account| people.contains(account))
        }
    };
    let differs = |pair: &Pair<'_, Arc<Seller>>| match pair {
        Pair::Both(before, after) => (!Arc::ptr_eq(before, after) && before != after) || concerns(after),
        Pair::Old(_) | Pair::New(_) => true,
    };
    pairs(&old.sellers, &new.sellers).filter(|(_, pair)| differs(pair)).map(|(id, _)| id.clone()).collect()
}

/// What two maps have under one id.
enum Pair<'m, V> {
    Old(&'m V),
    New(&'m V),
    Both(&'m V, &'m V),
}

/// All ids of two maps, ascending, with what they stand for.
fn pairs<'m, K: Ord, V>(
    old: &'m BTreeMap<K, V>,
    new: &'m BTreeMap<K, V>,
) -> impl Iterator<Item = (&'m K, Pair<'m, V>)> {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (Some((before, _)), Some((after, _))) => before.cmp(after),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        match order {
            Ordering::Less => old.next().map(|(id, value)| (id, Pair::Old(value))),
            Ordering::Greater => new.next().map(|(id, value)| (id, Pair::New(value))),
            Ordering::Equal => {
                let (id, before) = old.next()?;
                new.next().map(|(_, after)| (id, Pair::Both(before, after)))
            }
        }
    })
}

fn whole(kind: ChangeKind, seller: &Seller) -> Change {
    let Seller { id, name, groups, bindings, agents, .. } = seller;
    let detail = format!("{name}: {} groups, {} bindings, {} agents", groups.len(), bindings.len(), agents.len());
    Change { kind, what: ChangeWhat::Seller, id: id.to_string(), detail }
}

/// Compares what two maps have under the same ids.
fn compare<K: Ord + ToString, V: PartialEq>(
    changes: &mut Vec<Change>,
    what: ChangeWhat,
    prefix: &str,
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    differences: impl Fn(&V, &V) -> Vec<String>,
) {
    for (id, pair) in pairs(old, new) {
        let (kind, detail) = match pair {
            Pair::Both(old, new) if old == new => continue,
            Pair::Both(old, new) => (ChangeKind::Changed, differences(old, new).join(", ")),
            Pair::New(_) => (ChangeKind::Added, String::new()),
            Pair::Old(_) => (ChangeKind::Removed, String::new()),
        };
        if kind != ChangeKind::Changed || !detail.is_empty() {
            changes.push(Change { kind, what, id: format!("{prefix}{}", id.to_string()), detail });
        }
    }
}

fn compare_sellers(changes: &mut Vec<Change>, old: &Arc<Seller>, new: &Arc<Seller>) {
    if Arc::ptr_eq(old, new) {
        return;
    }
    let own = seller(old, new);
    if !own.is_empty() {
        let id = new.id.to_string();
        changes.push(Change { kind: ChangeKind::Changed, what: ChangeWhat::Seller, id, detail: own.join(", ") });
    }
    let prefix = format!("{}/", new.id);
    let (before, after) = (authorizations(old), authorizations(new));
    compare(changes, ChangeWhat::Authorization, &prefix, &before, &after, |old, new| authorization(old, new));
    let (before, after) = (by_id(&old.groups, |group| &group.id), by_id(&new.groups, |group| &group.id));
    compare(changes, ChangeWhat::Group, &prefix, &before, &after, |old, new| group(old.1, new.1));
    let (before, after) = (by_id(&old.bindings, |binding| &binding.id), by_id(&new.bindings, |binding| &binding.id));
    compare(changes, ChangeWhat::Binding, &prefix, &before, &after, |old, new| binding(*old, *new));
}

fn authorizations(seller: &Seller) -> BTreeMap<&AccountId, &Authorization> {
    seller.agents.iter().filter(|(_, authorization)| authorization.via != Via::Main).collect()
}

/// Elements by id, with their place in the file order.
fn by_id<'s, T, K: Ord>(elements: &'s [T], id: impl Fn(&'s T) -> &'s K) -> BTreeMap<&'s K, (usize, &'s T)> {
    elements.iter().enumerate().map(|(at, element)| (id(element), (at, element))).collect()
}

fn differs<T: PartialEq + Debug>(name: &str, old: &T, new: &T) -> Vec<String> {
    if old == new { Vec::new() } else { vec![format!("{name} {} → {}", plain(old), plain(new))] }
}

macro_rules! differing {
    ($old:expr, $new:expr; $($field:ident),+ $(,)?) => {{
        let mut differences = Vec::new();
        $(differences.extend(differs(stringify!($field), &$old.$field, &$new.$field));)+
        differences
    }};
}

/// What is too long to be shown: only that it differs.
macro_rules! altered {
    ($old:expr, $new:expr; $($field:ident),+ $(,)?) => {{
        let mut differences: Vec<String> = Vec::new();
        $(if $old.$field != $new.$field { differences.push(stringify!($field).to_owned()); })+
        differences
    }};
}

fn account(old: &Account, new: &Account) -> Vec<String> {
    differing!(old, new; platform, kind, status, cancelled_on, certified_until, payee)
}

fn sub_account(old: &SubAccount, new: &SubAccount) -> Vec<String> {
    differing!(old, new; name, kind, capacity, employer)
}

fn seller(old: &Seller, new: &Seller) -> Vec<String> {
    let mut differences = differing!(
        old, new; name, account, capacity, status, closure_notice_on, shop, licence_name, official_account,
        default_group, main_account_fallback,
    );
    let zone = |seller: &Seller| seller.time_zone.iana_name().unwrap_or("UTC").to_owned();
    differences.extend(differs("time_zone", &zone(old), &zone(new)));
    differences.extend(altered!(old, new; origins, channel_accounts, entries));
    let order = |seller: &Seller| seller.bindings.iter().map(|binding| binding.id.clone()).collect::<Vec<_>>();
    let (before, after) = (order(old), order(new));
    let is_moved = before.iter().filter(|id| after.contains(id)).ne(after.iter().filter(|id| before.contains(id)));
    differences.extend(is_moved.then(|| "order of bindings".to_owned()));
    differences
}

fn authorization(old: &Authorization, new: &Authorization) -> Vec<String> {
    let mut differences = differing!(old, new; via, role, scopes, capacity);
    differences.extend(altered!(old, new; in_force_until));
    differences
}

fn group(old: &Group, new: &Group) -> Vec<String> {
    let mut differences = members(&old.members, &new.members);
    differences.extend(differing!(
        old, new; name, strategy, recent_agent, recent_agent_even_if_away, recent_agent_when_full, assignment,
        offer_timeout, missed_offers, queue_limit, max_wait, abandon_after, overdue_warning, reply_within,
        reassign_unanswered, close_idle, wrap_up, reopen_within, when_agent_lost, when_all_away,
        pickup_left_messages, left_message_age, priority_step, spacing, buyer_gone_after,
    ));
    differences.extend(altered!(old, new; overflow, welcome_text, offline_text));
    differences
}

fn members(old: &[Member], new: &[Member]) -> Vec<String> {
    let before: BTreeMap<_, _> = old.iter().map(|member| (&member.account, member)).collect();
    let after: BTreeMap<_, _> = new.iter().map(|member| (&member.account, member)).collect();
    let joined = after.keys().filter(|account| !before.contains_key(*account)).map(|account| format!("+{account}"));
    let left = before.keys().filter(|account| !after.contains_key(*account)).map(|account| format!("-{account}"));
    let mut differences: Vec<String> = joined.chain(left).collect();
    for (account, member) in &after {
        let Some(was) = before.get(account) else { continue };
        let own = differing!(was, member; tier, weight, capacity);
        differences.extend((!own.is_empty()).then(|| format!("{account}: {}", own.join(" "))));
    }
    if differences.is_empty() && old != new {
        differences.push("order of members".to_owned());
    }
    differences
}

fn binding((_, old): (usize, &Binding), (_, new): (usize, &Binding)) -> Vec<String> {
    let mut differences = altered!(old, new; when, to);
    differences.extend(differing!(old, new; otherwise, priority, group));
    differences
}

/// A value in the words of the configuration.
fn plain<T: Debug>(value: &T) -> String {
    let text = format!("{value:?}");
    let inner = text.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(&text);
    if inner == "None" {
        return "none".to_owned();
    }
    let is_name = inner.starts_with(char::is_uppercase) && inner.chars().all(char::is_alphanumeric);
    if is_name { snake(inner) } else { inner.to_owned() }
}

fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
