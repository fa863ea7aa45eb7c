//! Accounts of the platform, and the sub-accounts that act for sellers.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::zone::start_of;
use crate::model::{AccountId, Timestamp};

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
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl Account {
    /// Until when it is fit to authorise or be authorised, by the calendar of this zone; [`Timestamp::ZERO`]: not at all.
    pub fn fit_until(&self, zone: &TimeZone) -> Timestamp {
        let (AccountKind::CertifiedEnterprise, Some(last)) = (self.kind, self.certified_until) else {
            return Timestamp::ZERO;
        };
        let certified = last.tomorrow().map_or(Timestamp::MAX, |day| start_of(day, zone));
        match (self.status, self.cancelled_on) {
            (AccountStatus::Normal, _) => certified,
            (AccountStatus::Cancelled, Some(day)) => certified.min(start_of(day, zone)),
            (AccountStatus::Restricted, _) | (AccountStatus::Cancelled, None) => Timestamp::ZERO,
        }
    }

    /// Why it is not fit now, in words; nothing if it is.
    pub fn unfit(&self, now: Timestamp, zone: &TimeZone) -> Option<String> {
        if now < self.fit_until(zone) {
            return None;
        }
        Some(match (self.kind, self.status, self.certified_until) {
            (AccountKind::Personal | AccountKind::Enterprise, _, _) => "is not certified".to_owned(),
            (_, AccountStatus::Restricted, _) => "is restricted".to_owned(),
            (_, AccountStatus::Cancelled, _) => "is cancelled".to_owned(),
            (_, AccountStatus::Normal, Some(day)) => format!("was certified until {day}"),
            (_, AccountStatus::Normal, None) => "is not certified".to_owned(),
        })
    }
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
