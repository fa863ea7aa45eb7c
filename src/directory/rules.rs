//! The check of a seller's bindings: what they refer to, and whether they do what they seem to do.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::desk::GroupPlaces;
use super::document::{BindingElement, MatcherElement, Name, SellerElement, TargetElement};
use super::hours::HoursError;
use super::ledger::Ledger;
use super::shop::{Shop, account_id};
use super::source::{Place, Placed};
use super::staffing::Staffing;
use super::world::{World, duplicate};
use super::zone::Zones;
use super::{Binding, Field, Hours, Matcher, Otherwise, Pattern, Target};
use crate::model::{BindingId, GroupId};
use crate::policy::Scope;

/// How many bindings a seller may have.
pub const BINDINGS_MAX: usize = 2_000;

/// What the bindings of one seller may refer to.
pub(super) struct Within<'s, 'a> {
    pub seller: &'a SellerElement,
    pub shop: &'s Shop,
    pub staffing: &'s Staffing<'a>,
    pub groups: &'s GroupPlaces<'a>,
}

/// Checks the bindings of a seller.
pub(super) fn check(
    ledger: &mut Ledger<'_>,
    world: &World<'_>,
    zones: &mut Zones,
    within: &Within<'_, '_>,
) -> Vec<Binding> {
    let elements = &within.seller.bindings;
    if let Some(binding) = elements.get(BINDINGS_MAX) {
        ledger.error(binding.place, format!("a seller has at most {BINDINGS_MAX} bindings"));
    }
    let mut seen: HashMap<&str, Place> = HashMap::with_capacity(elements.len());
    let mut bindings: Vec<Binding> = Vec::with_capacity(elements.len());
    for element in elements.iter().take(BINDINGS_MAX) {
        if let Some(id) = &element.id {
            match seen.get(&*id.value) {
                Some(first) => duplicate(ledger, id, "binding", *first),
                None => {
                    seen.insert(&id.value, id.place);
                }
            }
        }
        let Some(binding) = check_binding(ledger, world, zones, within, element) else { continue };
        if element.sound {
            doubt(ledger, within, element, &binding, &bindings);
            bindings.push(binding);
        }
    }
    bindings
}

/// Nothing if a part of it is at fault: what is left of it would say something else.
fn check_binding(
    ledger: &mut Ledger<'_>,
    world: &World<'_>,
    zones: &mut Zones,
    within: &Within<'_, '_>,
    element: &BindingElement,
) -> Option<Binding> {
    let zone = &within.shop.time_zone;
    let when: Vec<_> =
        element.when.iter().filter_map(|matcher| check_matcher(ledger, zones, zone, within, matcher)).collect();
    for group in element.group.iter() {
        check_group(ledger, within.groups, group);
    }
    let to = match element.to.as_ref()? {
        TargetElement::Group(name) => {
            check_group(ledger, within.groups, name);
            Target::Group(GroupId::from(&*name.value))
        }
        TargetElement::Agent(name) => {
            check_agent(ledger, world, within.staffing, name)?;
            Target::Agent(account_id(name))
        }
        TargetElement::LeaveMessage(text) => Target::LeaveMessage(Arc::clone(text)),
    };
    if when.len() < element.when.len() {
        return None;
    }
    let by_default = if matches!(to, Target::Agent(_)) { Otherwise::Next } else { Otherwise::Wait };
    Some(Binding {
        id: BindingId::from(element.id.as_ref().map_or("", |id| &*id.value)),
        when,
        to,
        otherwise: element.otherwise.unwrap_or(by_default),
        priority: element.priority,
        group: element.group.as_ref().map(|group| GroupId::from(&*group.value)),
    })
}

fn check_group(ledger: &mut Ledger<'_>, groups: &GroupPlaces<'_>, name: &Name) {
    if !groups.contains_key(&*name.value) {
        ledger.unknown(name.place, "group", &name.value, groups.keys().copied());
    }
}

/// Nothing if the agent does not act for the seller.
fn check_agent(ledger: &mut Ledger<'_>, world: &World<'_>, staffing: &Staffing<'_>, name: &Name) -> Option<()> {
    if staffing.agents.contains_key(&*name.value) {
        return Some(());
    }
    let sub_account = world.sub_accounts.get(&*name.value);
    let employer = sub_account.and_then(|sub_account| sub_account.employer.as_ref());
    let is_unbound = |name: &Name| staffing.unbound.contains(&*name.value);
    if sub_account.is_none() && !staffing.named.contains_key(&*name.value) {
        let names = staffing.agents.keys().map(crate::model::AccountId::as_str);
        ledger.unknown(name.place, "agent", &name.value, names);
    } else if !is_unbound(name) && !employer.is_some_and(is_unbound) && !staffing.named.contains_key(&*name.value) {
        let message = format!("`{}` does not act for this seller", name.value);
        ledger.error(name.place, message).expecting("an authorised sub-account, or a member of a group");
    }
    None
}

fn check_matcher(
    ledger: &mut Ledger<'_>,
    zones: &mut Zones,
    zone: &TimeZone,
    within: &Within<'_, '_>,
    element: &MatcherElement,
) -> Option<Matcher> {
    match element {
        MatcherElement::Value { field, any } => {
            if *field == Field::Entry {
                any.iter().for_each(|pattern| check_entry(ledger, within, pattern));
            }
            let any = any.iter().map(|pattern| pattern.value.clone()).collect();
            Some(Matcher::Value { field: field.clone(), any })
        }
        MatcherElement::Hours(texts) => {
            let hours: Vec<_> = texts.iter().filter_map(|text| check_hours(ledger, zones, zone, text)).collect();
            (hours.len() == texts.len()).then_some(Matcher::Hours(hours))
        }
    }
}

fn check_hours(ledger: &mut Ledger<'_>, zones: &mut Zones, zone: &TimeZone, text: &Name) -> Option<Hours> {
    match Hours::parse(&text.value, zone, zones) {
        Ok(hours) => Some(hours),
        Err(error) => {
            let nearest = match (error, text.value.split_whitespace().last()) {
                (HoursError::Zone, Some(name)) => {
                    let names = zones.names();
                    ledger.nearest(name, names.iter().map(String::as_str))
                }
                _ => None,
            };
            let expected = "hours such as \"mon-fri 09:00-18:00 Asia/Shanghai\"";
            ledger.error(text.place, error.to_string()).expecting(expected).nearest(nearest);
            None
        }
    }
}

fn check_entry(ledger: &mut Ledger<'_>, within: &Within<'_, '_>, pattern: &Placed<Pattern>) {
    let Pattern::Exactly(name) = &pattern.value else { return };
    let shop = within.shop;
    let accounts = shop.official_account.iter().chain(&shop.channel_accounts).map(crate::model::AccountId::as_str);
    let entries = shop.entries.iter().map(|entry| entry.id.as_str());
    let ways: Vec<&str> = std::iter::once(shop.shop.as_str()).chain(accounts).chain(entries).collect();
    let is_of_unread_entry = within.seller.entries.len() != shop.entries.len();
    if !ways.contains(&&**name) && !is_of_unread_entry {
        ledger
            .unknown(pattern.place, "entry", name, ways)
            .expecting("the shop, an account bound to it, or one of `entries`");
    }
}

/// Warns of a sound binding that does not do what it seems to do.
fn doubt(
    ledger: &mut Ledger<'_>,
    within: &Within<'_, '_>,
    element: &BindingElement,
    binding: &Binding,
    earlier: &[Binding],
) {
    let place = element.id.as_ref().map_or(element.place, |id| id.place);
    if let Some(before) = earlier.iter().find(|before| takes_all(before) && covers(&before.when, &binding.when)) {
        let message = format!("the binding can never match: whatever it matches goes to `{}` before", before.id);
        ledger.warning(place, message);
    }
    let favours = binding.priority > 0 || matches!(binding.to, Target::Agent(_));
    if favours && is_by_word_alone(&binding.when) {
        let what = if binding.priority > 0 { "priority" } else { "one agent" };
        let message = format!("the binding gives {what} by what the buyer says of itself");
        ledger.warning(place, message).expecting("a matcher on `attr` or `buyer`, which the signed token vouches for");
    }
    if let (Target::Agent(agent), Some(TargetElement::Agent(name))) = (&binding.to, &element.to) {
        let receives = within.staffing.agents.get(agent).is_some_and(|agent| agent.scopes.has(Scope::Receive));
        if !receives {
            let message = format!("`{agent}` lacks `{}`, so it is given no conversation", Scope::Receive.name());
            ledger.warning(name.place, message);
        }
    }
}

/// Whether no conversation that it matches goes on to the next.
fn takes_all(binding: &Binding) -> bool {
    match binding.to {
        Target::Group(_) => binding.otherwise == Otherwise::Wait,
        Target::LeaveMessage(_) => true,
        Target::Agent(_) => false,
    }
}

/// Whether all that satisfies `narrow` satisfies `wide`.
fn covers(wide: &[Matcher], narrow: &[Matcher]) -> bool {
    wide.iter().all(|wide| narrow.iter().any(|narrow| matcher_covers(wide, narrow)))
}

fn matcher_covers(wide: &Matcher, narrow: &Matcher) -> bool {
    match (wide, narrow) {
        (Matcher::Hours(wide), Matcher::Hours(narrow)) => narrow.iter().all(|hours| wide.contains(hours)),
        (Matcher::Value { field, any: wide }, Matcher::Value { field: other, any: narrow }) => {
            field == other && narrow.iter().all(|narrow| wide.iter().any(|wide| pattern_covers(field, wide, narrow)))
        }
        (Matcher::Hours(_), Matcher::Value { .. }) | (Matcher::Value { .. }, Matcher::Hours(_)) => false,
    }
}

fn pattern_covers(field: &Field, wide: &Pattern, narrow: &Pattern) -> bool {
    match (wide, narrow) {
        (Pattern::Exactly(wide), Pattern::Exactly(narrow)) if *field == Field::Keyword => narrow.contains(&**wide),
        (Pattern::Exactly(wide), Pattern::Exactly(narrow)) => wide == narrow,
        (Pattern::Prefix(wide), Pattern::Exactly(narrow) | Pattern::Prefix(narrow)) => narrow.starts_with(&**wide),
        (Pattern::Exactly(_), Pattern::Prefix(_)) => false,
    }
}

/// Whether it looks at what the buyer says, and at nothing that the token vouches for.
fn is_by_word_alone(when: &[Matcher]) -> bool {
    let fields = || {
        when.iter().filter_map(|matcher| match matcher {
            Matcher::Value { field, .. } => Some(field),
            Matcher::Hours(_) => None,
        })
    };
    let says = fields().any(|field| matches!(field, Field::Context(_) | Field::Keyword));
    let vouched = fields().any(|field| matches!(field, Field::Attribute(_) | Field::Buyer));
    says && !vouched
}
