//! The check of a seller's groups: their members, their overflow steps, their settings.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::document::{GroupElement, GroupSettings, MemberElement, SellerElement};
use super::ledger::Ledger;
use super::source::Place;
use super::staffing::Staffing;
use super::world::{World, duplicate};
use super::{Group, Member, Overflow};
use crate::model::{AccountId, GroupId};

/// How many groups a seller may have.
pub const GROUPS_MAX: usize = 1_000;

/// The groups of a seller by id, and where they stand.
pub(super) type GroupPlaces<'a> = HashMap<&'a str, Place>;

/// Checks the groups of a seller.
pub(super) fn check<'a>(
    ledger: &mut Ledger<'_>,
    world: &World<'a>,
    seller: &'a SellerElement,
    staffing: &mut Staffing<'a>,
) -> (Vec<Group>, GroupPlaces<'a>) {
    let mut places = GroupPlaces::new();
    for id in seller.groups.iter().filter_map(|group| group.id.as_ref()) {
        match places.get(&*id.value) {
            Some(first) => duplicate(ledger, id, "group", *first),
            None => {
                places.insert(&id.value, id.place);
            }
        }
    }
    if let Some(group) = seller.groups.get(GROUPS_MAX) {
        ledger.error(group.place, format!("a seller has at most {GROUPS_MAX} groups"));
    }
    for default in seller.default_group.iter().filter(|group| !places.contains_key(&*group.value)) {
        ledger.unknown(default.place, "group", &default.value, places.keys().copied());
    }
    let groups = seller.groups.iter().map(|group| check_group(ledger, world, group, staffing, &places)).collect();
    (groups, places)
}

fn check_group<'a>(
    ledger: &mut Ledger<'_>,
    world: &World<'a>,
    element: &'a GroupElement,
    staffing: &mut Staffing<'a>,
    places: &GroupPlaces<'_>,
) -> Group {
    let id = GroupId::from(element.id.as_ref().map_or("", |id| &*id.value));
    let name = element.name.clone().unwrap_or_else(|| id.as_str().into());
    let mut group = Group::with_defaults(id, name);
    let mut seen: HashMap<&str, Place> = HashMap::with_capacity(element.members.len());
    for member in &element.members {
        let name = &member.sub_account;
        if let Some(first) = seen.insert(&name.value, name.place) {
            duplicate(ledger, name, "member", first);
        } else if admits(ledger, world, staffing, member) {
            let account = AccountId::from(&*name.value);
            group.members.push(Member { account, tier: member.tier, weight: member.weight, capacity: member.capacity });
        }
    }
    if element.members.is_empty() {
        let place = element.id.as_ref().map_or(element.place, |id| id.place);
        ledger.warning(place, format!("the group `{}` has no members", group.id));
    }
    group.overflow = check_overflow(ledger, element, places);
    settle(ledger, &mut group, &element.settings);
    group
}

/// Whether a member may act for the seller; says so if not.
fn admits(ledger: &mut Ledger<'_>, world: &World<'_>, staffing: &mut Staffing<'_>, member: &MemberElement) -> bool {
    let name = &member.sub_account;
    if staffing.agents.contains_key(&*name.value) {
        return true;
    }
    let Some(sub_account) = world.sub_accounts.get(&*name.value) else {
        if !staffing.named.contains_key(&*name.value) {
            ledger.unknown(name.place, "sub-account", &name.value, world.sub_accounts.keys().copied());
        }
        return false;
    };
    if staffing.admit(&name.value, sub_account) {
        return true;
    }
    let employer = sub_account.employer.as_ref();
    let was_named = |name: &str| staffing.named.contains_key(name);
    if !was_named(&name.value) && !employer.is_some_and(|employer| was_named(&employer.value)) {
        let message = match employer {
            Some(employer) => {
                format!("neither the member `{}` nor its employer `{}` is authorised here", name.value, employer.value)
            }
            None => format!("the member `{}` is not authorised here", name.value),
        };
        ledger.error(name.place, message).expecting("a [[seller.authorization]] of it");
    }
    false
}

fn check_overflow(ledger: &mut Ledger<'_>, element: &GroupElement, places: &GroupPlaces<'_>) -> Vec<Overflow> {
    let mut seen: HashMap<&str, Place> = HashMap::new();
    let mut steps = Vec::new();
    for step in &element.overflow {
        let Some(to) = &step.to else { continue };
        if element.id.as_ref().is_some_and(|id| id.value == to.value) {
            ledger.error(to.place, "a group does not overflow to itself").expecting("another group of this seller");
        } else if !places.contains_key(&*to.value) {
            ledger.unknown(to.place, "group", &to.value, places.keys().copied());
        } else if let Some(first) = seen.insert(&to.value, to.place) {
            duplicate(ledger, to, "overflow to", first);
        } else if let Some(after) = step.after {
            steps.push(Overflow { after, to: GroupId::from(&*to.value) });
        }
    }
    steps
}

/// Puts what was given in the place of the defaults.
fn settle(ledger: &mut Ledger<'_>, group: &mut Group, given: &GroupSettings) {
    macro_rules! set {
        ($($setting:ident),+ $(,)?) => { $(if let Some(value) = &given.$setting { group.$setting = value.clone(); })+ };
    }
    set!(strategy, recent_agent, recent_agent_even_if_away, recent_agent_when_full, assignment, offer_timeout);
    set!(missed_offers, queue_limit, max_wait, abandon_after, reply_within, reassign_unanswered, close_idle, wrap_up);
    set!(reopen_within, when_agent_lost, when_all_away, pickup_left_messages, left_message_age, priority_step);
    set!(spacing, buyer_gone_after);
    group.welcome_text = given.welcome_text.as_ref().map(Arc::clone);
    group.offline_text = given.offline_text.as_ref().map(Arc::clone);

    let reply_within = group.reply_within;
    match &given.overdue_warning {
        Some(warning) if warning.value > reply_within => {
            let reply_within = humantime_serde::re::humantime::format_duration(reply_within);
            ledger
                .error(warning.place, "the warning comes after the reply is overdue")
                .expecting(format!("at most `reply_within`, {reply_within}"));
        }
        Some(warning) => group.overdue_warning = warning.value,
        None => group.overdue_warning = Duration::min(group.overdue_warning, reply_within),
    }
}
