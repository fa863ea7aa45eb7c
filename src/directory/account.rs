//! Accounts of the platform, and the sub-accounts that act for sellers.

use jiff::civil::Date;
use serde::Deserialize;

use crate::model::AccountId;

/// Where an account lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the platforms' own names")]
pub enum Platform {
    Douyin,
    Toutiao,
    Xigua,
    Huoshan,
}

/// What an account is to its platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A person's.
    Personal,
    /// A company's, not certified.
    Enterprise,
    /// A company's, certified: the only kind that may authorise and be authorised.
    CertifiedEnterprise,
}

/// How an account stands with its platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// In good standing.
    Normal,
    /// Limited by the platform.
    Restricted,
    /// Gone.
    Cancelled,
}

/// A certified account of the platform, as `[[account]]` describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Its id, which sellers and sub-accounts refer to.
    pub id: AccountId,
    /// Where it lives.
    pub platform: Platform,
    /// What it is.
    pub kind: AccountKind,
    /// How it stands.
    pub status: AccountStatus,
    /// The day on which it was, or will be, cancelled.
    pub cancelled_on: Option<Date>,
    /// The last day on which its certification is valid.
    pub certified_until: Option<Date>,
    /// Whether it has a formal payee account of its own.
    pub payee: bool,
}

/// Whether a sub-account is an account of its own or a person of somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubAccountKind {
    /// A person of one seller, or of one certified sub-account.
    Staff,
    /// An account of its own that may serve many sellers.
    Certified,
}

/// Whoever acts for a seller without being it, as `[[sub_account]]` describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct SubAccount {
    /// Its id: the `sub` of its tokens.
    pub id: AccountId,
    /// Its name, as buyers see it.
    pub name: std::sync::Arc<str>,
    /// What it is.
    pub kind: SubAccountKind,
    /// How many conversations it takes at once, over all sellers.
    pub capacity: u32,
    /// The certified sub-account whose person it is.
    pub employer: Option<AccountId>,
}
