//! The snapshot as a whole, and the domains it falls into.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Account, Seller, SubAccount};
use crate::model::{AccountId, EntryId, RoleId, SellerId};
use crate::policy::ScopeSet;

/// Which domain of the table: it stays as long as its sellers and agents do, and is given to no other afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainId(pub u32);

/// A connected component of sellers and sub-accounts: the unit of consistency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its sellers, sorted.
    pub sellers: Vec<SellerId>,
    /// Everybody who acts for one of them, sorted.
    pub agents: Vec<AccountId>,
}

/// Authorizations that an operator took away, whatever the files say.
pub type Unbound = BTreeSet<(SellerId, AccountId)>;

/// The routing configuration, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Directory {
    /// Raised by every accepted change.
    pub generation: u64,
    /// The configured roles; the built-in ones are `policy`'s.
    pub roles: BTreeMap<RoleId, ScopeSet>,
    /// Certified accounts.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Sub-accounts.
    pub sub_accounts: BTreeMap<AccountId, Arc<SubAccount>>,
    /// Sellers.
    pub sellers: BTreeMap<SellerId, Arc<Seller>>,
    /// Which seller an entry leads to: shops, bound accounts and named entries.
    pub entries: HashMap<EntryId, SellerId>,
    /// Which seller an account is the main account of.
    pub main_accounts: HashMap<AccountId, SellerId>,
    /// Whom an account acts for, its own shop included, sorted.
    pub serving: HashMap<AccountId, Vec<SellerId>>,
    /// The unbindings that override the files: the others have been absent once and are forgotten.
    pub unbound: Unbound,
    /// The domains.
    pub domains: Vec<Domain>,
}

impl Directory {
    /// The name of somebody who acts for sellers, for people.
    pub fn name_of(&self, account: &AccountId) -> Option<&Arc<str>> {
        let sub_account = self.sub_accounts.get(account).map(|sub_account| &sub_account.name);
        sub_account.or_else(|| self.sellers.get(self.main_accounts.get(account)?).map(|seller| &seller.name))
    }

    /// Whether somebody of this id can have a staff token.
    pub fn is_staff(&self, account: &AccountId) -> bool {
        self.sub_accounts.contains_key(account) || self.main_accounts.contains_key(account)
    }

    /// The sellers that an account acts for, its own shop included, in the order of their ids.
    pub fn sellers_of(&self, account: &AccountId) -> impl Iterator<Item = &Arc<Seller>> {
        self.serving.get(account).into_iter().flatten().filter_map(|seller| self.sellers.get(seller))
    }

    /// How many conversations the account takes at once over all sellers: its own as a sub-account, else the seller's.
    pub fn capacity_of(&self, account: &AccountId) -> u32 {
        if let Some(sub_account) = self.sub_accounts.get(account) {
            return sub_account.capacity;
        }
        self.main_accounts.get(account).and_then(|seller| self.sellers.get(seller)).map_or(0, |seller| seller.capacity)
    }
}
