//! The check of a seller's authorizations, flattened to everybody who may act for it.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;

use super::document::{AuthorizationElement, Name, SellerElement, SubAccountElement};
use super::ledger::Ledger;
use super::shop::account_id;
use super::source::Place;
use super::world::{SELLER_ROLE, World, duplicate};
use super::{Account, Authorization, SubAccountKind, Via};
use crate::model::{AccountId, Timestamp};
use crate::policy::{ScopeSet, seller_scopes};

/// Who may act for one seller.
#[derive(Debug)]
pub(super) struct Staffing<'a> {
    pub agents: HashMap<AccountId, Authorization>,
    /// Whoever an authorization names, sound or not: no second fault is reported of it.
    pub named: HashMap<&'a str, Place>,
    /// Whoever an operator unbound here.
    pub unbound: HashSet<&'a str>,
}

/// One side of an authorization, as far as it could be read.
enum Side<'w> {
    Judged(&'w Account),
    /// It needs no certification.
    Exempt,
    /// A fault of it has been reported.
    Unclear,
}

/// Checks the authorizations of a seller.
pub(super) fn check<'a>(
    ledger: &mut Ledger<'_>,
    world: &mut World<'a>,
    zone: &TimeZone,
    at: usize,
    seller: &'a SellerElement,
) -> Staffing<'a> {
    let mut staffing = Staffing { agents: HashMap::new(), named: HashMap::new(), unbound: HashSet::new() };
    if let Some(account) = &seller.account {
        let main = Authorization {
            account: account_id(account),
            via: Via::Main,
            role: SELLER_ROLE.into(),
            scopes: seller_scopes(),
            capacity: Some(seller.capacity),
            in_force_until: Timestamp::MAX,
        };
        staffing.agents.insert(main.account.clone(), main);
    }
    // Persons come after their employers, whose authorization bounds theirs.
    let mut persons = Vec::new();
    for element in &seller.authorizations {
        let Some((name, sub_account, scopes)) = resolve(ledger, world, &mut staffing, seller, element) else {
            continue;
        };
        match &sub_account.employer {
            Some(employer) if is_staff(sub_account) => persons.push((element, name, employer, scopes)),
            _ => {
                let until = judge(ledger, world, zone, at, seller, name, sub_account);
                staffing.add(element, name, Via::Direct, scopes, element.capacity, until);
            }
        }
    }
    for (element, name, employer, scopes) in persons {
        add_person(ledger, &mut staffing, element, name, employer, scopes);
    }
    staffing
}

impl Staffing<'_> {
    /// Lets a person of an authorised employer act here, as a member of a group. Whether it may.
    pub(super) fn admit(&mut self, account: &str, sub_account: &SubAccountElement) -> bool {
        if self.agents.contains_key(account) {
            return true;
        }
        let Some(employer) = sub_account.employer.as_ref().filter(|_| is_staff(sub_account)) else { return false };
        let Some(within) = self.agents.get(&*employer.value).filter(|within| within.via == Via::Direct) else {
            return false;
        };
        let account = AccountId::from(account);
        let via = Via::Employer(within.account.clone());
        let authorization = Authorization { account: account.clone(), via, ..within.clone() };
        self.agents.insert(account, authorization);
        true
    }

    fn add(
        &mut self,
        element: &AuthorizationElement,
        name: &Name,
        via: Via,
        scopes: ScopeSet,
        capacity: Option<u32>,
        in_force_until: Timestamp,
    ) {
        let Some(role) = &element.role else { return };
        let account = account_id(name);
        let role = std::sync::Arc::clone(&role.value);
        let authorization = Authorization { account: account.clone(), via, role, scopes, capacity, in_force_until };
        self.agents.insert(account, authorization);
    }
}

fn is_staff(sub_account: &SubAccountElement) -> bool {
    sub_account.kind.is_some_and(|kind| kind.value == SubAccountKind::Staff)
}

/// Looks up what an authorization refers to.
fn resolve<'a>(
    ledger: &mut Ledger<'_>,
    world: &World<'a>,
    staffing: &mut Staffing<'a>,
    seller: &SellerElement,
    element: &'a AuthorizationElement,
) -> Option<(&'a Name, &'a SubAccountElement, ScopeSet)> {
    let role = element.role.as_ref().and_then(|role| {
        let scopes = world.roles.get(&*role.value).copied();
        if scopes.is_none() {
            ledger.unknown(role.place, "role", &role.value, world.roles.keys().copied());
        }
        scopes
    });
    let name = element.sub_account.as_ref()?;
    if let Some(first) = staffing.named.get(&*name.value) {
        duplicate(ledger, name, "authorization of", *first);
        return None;
    }
    staffing.named.insert(&name.value, name.place);
    if seller.account.as_ref().is_some_and(|account| account.value == name.value) {
        ledger.error(name.place, "a seller needs no authorization of its own account").expecting("a sub-account");
        return None;
    }
    let Some(sub_account) = world.sub_accounts.get(&*name.value) else {
        ledger.unknown(name.place, "sub-account", &name.value, world.sub_accounts.keys().copied());
        return None;
    };
    let id = seller.id.as_ref()?;
    if world.is_unbound(&id.value, &name.value) {
        let message = format!("`{}` was unbound by an operator: its authorization here is left out", name.value);
        ledger.warning(name.place, message).expecting("no such authorization, or `account.bind`").by_rule(3);
        staffing.unbound.insert(&name.value);
        return None;
    }
    Some((name, *sub_account, role?.union(element.scopes)))
}

/// Judges whether both sides are fit, and until when.
fn judge<'a>(
    ledger: &mut Ledger<'_>,
    world: &mut World<'a>,
    zone: &TimeZone,
    at: usize,
    seller: &'a SellerElement,
    name: &'a Name,
    sub_account: &SubAccountElement,
) -> Timestamp {
    let Some(kind) = sub_account.kind else { return Timestamp::ZERO };
    if kind.value == SubAccountKind::Staff {
        check_single_seller(ledger, world, at, name);
    }
    let own = match kind.value {
        SubAccountKind::Staff => Side::Exempt,
        SubAccountKind::Certified => side(world, &name.value),
    };
    let sellers = seller.account.as_ref().map_or(Side::Unclear, |account| side(world, &account.value));
    let mut until = Timestamp::MAX;
    let mut reasons = Vec::new();
    for side in [sellers, own] {
        match side {
            Side::Exempt => {}
            Side::Unclear => return Timestamp::ZERO,
            Side::Judged(account) => {
                until = until.min(account.fit_until(zone));
                reasons.extend(account.unfit(world.now, zone).map(|why| format!("`{}` {why}", account.id)));
            }
        }
    }
    if let (false, Some(id)) = (reasons.is_empty(), &seller.id) {
        let reasons = reasons.join(" and ");
        if world.is_recorded(&id.value, &name.value, kind.value) {
            let message = format!("the authorization of `{}` is suspended: {reasons}", name.value);
            ledger.warning(name.place, message).by_rule(2);
        } else {
            let message = format!("`{}` cannot be authorised: {reasons}", name.value);
            ledger.error(name.place, message).expecting("two certified accounts in good standing").by_rule(1);
        }
    }
    until
}

fn check_single_seller<'a>(ledger: &mut Ledger<'_>, world: &mut World<'a>, at: usize, name: &'a Name) {
    match world.staff_of.get(&*name.value) {
        Some((other, first)) if *other != at => {
            let message = format!(
                "`{}` is staff without employer and serves another seller already, at {}",
                name.value,
                ledger.locate(*first)
            );
            ledger.error(name.place, message).expecting("an employer, or a certified sub-account").by_rule(1);
        }
        _ => {
            world.staff_of.insert(&name.value, (at, name.place));
        }
    }
}

fn side<'w>(world: &'w World<'_>, account: &str) -> Side<'w> {
    match world.accounts.get(account) {
        Some((_, Some(account))) => Side::Judged(account),
        Some((_, None)) | None => Side::Unclear,
    }
}

/// A person authorised by name may do what both its own and its employer's authorization allow.
fn add_person<'a>(
    ledger: &mut Ledger<'_>,
    staffing: &mut Staffing<'a>,
    element: &AuthorizationElement,
    name: &Name,
    employer: &Name,
    scopes: ScopeSet,
) {
    let employers = staffing.agents.get(&*employer.value).filter(|within| within.via == Via::Direct);
    let Some(within) = employers else {
        if !staffing.named.contains_key(&*employer.value) {
            let message = format!("`{}` is a person of `{}`, which is not authorised here", name.value, employer.value);
            ledger.error(name.place, message).expecting("an authorization of its employer").by_rule(1);
        }
        return;
    };
    let (via, scopes) = (Via::Employer(within.account.clone()), scopes.intersection(within.scopes));
    let capacity = [element.capacity, within.capacity].into_iter().flatten().min();
    let until = within.in_force_until;
    staffing.add(element, name, via, scopes, capacity, until);
}
