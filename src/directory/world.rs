//! What all sellers share in one check: roles, accounts and sub-accounts by id, and who has claimed which name.

use std::collections::HashMap;

use super::document::{AccountElement, Document, Name, SubAccountElement};
use super::ledger::Ledger;
use super::source::Place;
use super::{Account, AccountKind, Directory, Platform, SubAccountKind, Unbound};
use crate::model::{AccountId, Timestamp};
use crate::policy::{ScopeSet, built_in};

/// The name of a main account's role.
pub(super) const SELLER_ROLE: &str = "seller";

/// What an id of the one name space of shops, accounts and entries stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// An account that is bound to no shop so far.
    Account,
    /// An account bound to the shop of the seller at this place in the document.
    Bound(usize),
    /// The shop of the seller at this place in the document.
    Shop(usize),
    /// An entry of the seller at this place in the document.
    Entry(usize),
}

/// What the check of one seller may look at.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub now: Timestamp,
    pub recorded: Option<&'a Directory>,
    pub unbound: &'a Unbound,
    pub roles: HashMap<&'a str, ScopeSet>,
    pub accounts: HashMap<&'a str, (&'a AccountElement, Option<Account>)>,
    pub sub_accounts: HashMap<&'a str, &'a SubAccountElement>,
    /// Who has which id of the one name space, and where.
    pub claims: HashMap<&'a str, (Claim, Place)>,
    /// Which seller has which main account.
    pub main_accounts: HashMap<&'a str, (usize, Place)>,
    /// Which seller authorises a person without employer.
    pub staff_of: HashMap<&'a str, (usize, Place)>,
}

impl<'a> World<'a> {
    pub(super) fn new(
        ledger: &mut Ledger<'_>,
        document: &'a Document,
        now: Timestamp,
        recorded: Option<&'a Directory>,
        unbound: &'a Unbound,
    ) -> Self {
        let mut world = Self {
            now,
            recorded,
            unbound,
            roles: built_in().into_iter().collect(),
            accounts: HashMap::with_capacity(document.accounts.len()),
            sub_accounts: HashMap::with_capacity(document.sub_accounts.len()),
            claims: HashMap::new(),
            main_accounts: HashMap::with_capacity(document.sellers.len()),
            staff_of: HashMap::new(),
        };
        world.index_roles(ledger, document);
        world.index_accounts(ledger, document);
        world.index_sub_accounts(ledger, document);
        world.check_sub_accounts(ledger, document);
        world
    }

    /// Whether the authorization was there before, of the same kind of sub-account.
    pub(super) fn is_recorded(&self, seller: &str, sub_account: &str, kind: SubAccountKind) -> bool {
        let Some(recorded) = self.recorded else { return true };
        let authorised = recorded
            .sellers
            .get(seller)
            .is_some_and(|seller| seller.agents.get(sub_account).is_some_and(|agent| agent.via == super::Via::Direct));
        authorised && recorded.sub_accounts.get(sub_account).is_some_and(|recorded| recorded.kind == kind)
    }

    pub(super) fn is_unbound(&self, seller: &str, sub_account: &str) -> bool {
        !self.unbound.is_empty() && self.unbound.contains(&(seller.into(), sub_account.into()))
    }

    fn index_roles(&mut self, ledger: &mut Ledger<'_>, document: &'a Document) {
        let mut places: HashMap<&str, Place> = HashMap::new();
        for role in &document.roles {
            let Some(id) = &role.id else { continue };
            if let Some(first) = places.get(&*id.value) {
                duplicate(ledger, id, "role", *first);
            } else if self.roles.contains_key(&*id.value) || &*id.value == SELLER_ROLE {
                ledger.error(id.place, format!("the role `{}` is built in", id.value)).expecting("another id");
            } else {
                places.insert(&id.value, id.place);
                self.roles.insert(&id.value, role.scopes);
            }
        }
    }

    fn index_accounts(&mut self, ledger: &mut Ledger<'_>, document: &'a Document) {
        for element in &document.accounts {
            let Some(id) = &element.id else { continue };
            if let Some((_, first)) = self.claims.get(&*id.value) {
                duplicate(ledger, id, "account", *first);
                continue;
            }
            self.claims.insert(&id.value, (Claim::Account, id.place));
            self.accounts.insert(&id.value, (element, account(element)));
        }
    }

    fn index_sub_accounts(&mut self, ledger: &mut Ledger<'_>, document: &'a Document) {
        let mut places: HashMap<&str, Place> = HashMap::new();
        for element in &document.sub_accounts {
            let Some(id) = &element.id else { continue };
            if let Some(first) = places.insert(&id.value, id.place) {
                duplicate(ledger, id, "sub-account", first);
                places.insert(&id.value, first);
                continue;
            }
            self.sub_accounts.insert(&id.value, element);
        }
    }

    fn check_sub_accounts(&self, ledger: &mut Ledger<'_>, document: &Document) {
        for element in &document.sub_accounts {
            let (Some(id), Some(kind)) = (&element.id, element.kind) else { continue };
            let has_account = self.accounts.contains_key(&*id.value);
            match kind.value {
                SubAccountKind::Certified if !has_account => {
                    let message = "a certified sub-account needs";
                    let nearest = ledger.nearest(&id.value, self.accounts.keys().copied());
                    ledger
                        .error(id.place, format!("{message} an [[account]] `{}`", id.value))
                        .expecting("an [[account]] of the same id")
                        .nearest(nearest);
                }
                SubAccountKind::Staff if has_account => {
                    let message = format!("`{}` is an [[account]], so it cannot be staff", id.value);
                    ledger.error(id.place, message).expecting("another id, or kind = \"certified\"");
                }
                SubAccountKind::Certified | SubAccountKind::Staff => {}
            }
            if let (SubAccountKind::Staff, Some(employer)) = (kind.value, &element.employer) {
                self.check_employer(ledger, employer);
            }
        }
    }

    fn check_employer(&self, ledger: &mut Ledger<'_>, employer: &Name) {
        let Some(found) = self.sub_accounts.get(&*employer.value) else {
            let certified = self.sub_accounts.iter().filter(|(_, element)| is_certified(element));
            let names = certified.map(|(name, _)| *name);
            ledger.unknown(employer.place, "sub-account", &employer.value, names);
            return;
        };
        if found.kind.is_some() && !is_certified(found) {
            let message = format!("`{}` is staff, so it employs nobody", employer.value);
            ledger.error(employer.place, message).expecting("a certified sub-account");
        }
    }
}

/// Says that an id was given before.
pub(super) fn duplicate(ledger: &mut Ledger<'_>, id: &Name, what: &str, first: Place) {
    let message = format!("the {what} `{}` is there already, at {}", id.value, ledger.locate(first));
    ledger.error(id.place, message).expecting("an id of its own");
}

fn is_certified(element: &SubAccountElement) -> bool {
    element.kind.is_some_and(|kind| kind.value == SubAccountKind::Certified)
}

/// The account, if enough of it could be read to judge it.
fn account(element: &AccountElement) -> Option<Account> {
    let kind = element.kind?.value;
    if kind == AccountKind::CertifiedEnterprise && element.certified_until.is_none() {
        return None;
    }
    Some(Account {
        id: AccountId::from(&*element.id.as_ref()?.value),
        platform: element.platform.map_or(Platform::Douyin, |platform| platform.value),
        kind,
        status: element.status,
        cancelled_on: element.cancelled_on,
        certified_until: element.certified_until.map(|day| day.value),
        payee: element.payee.is_some_and(|payee| payee.value),
    })
}
