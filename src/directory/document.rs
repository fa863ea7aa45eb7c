//! The configuration as it was written: every element with the places of what is in it.
//! Values are read here; what they refer to is looked up in the check.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::source::{Place, Placed};
use super::{
    AccountKind, AccountStatus, Assignment, Field, Otherwise, Platform, RecentWhenFull, ShopStatus, Strategy,
    SubAccountKind, WhenAllAway, WhenLost,
};
use super::{Pattern, PriorityStep};
use crate::policy::ScopeSet;

/// A name that refers to something, and where it stands.
pub(super) type Name = Placed<Arc<str>>;

/// All files together.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub roles: Vec<RoleElement>,
    pub accounts: Vec<AccountElement>,
    pub sub_accounts: Vec<SubAccountElement>,
    pub sellers: Vec<SellerElement>,
}

#[derive(Debug)]
pub(super) struct RoleElement {
    pub id: Option<Name>,
    pub scopes: ScopeSet,
}

#[derive(Debug)]
pub(super) struct AccountElement {
    pub id: Option<Name>,
    pub platform: Option<Placed<Platform>>,
    pub kind: Option<Placed<AccountKind>>,
    pub status: AccountStatus,
    pub cancelled_on: Option<Date>,
    pub certified_until: Option<Placed<Date>>,
    pub payee: Option<Placed<bool>>,
}

#[derive(Debug)]
pub(super) struct SubAccountElement {
    pub id: Option<Name>,
    pub name: Option<Arc<str>>,
    pub kind: Option<Placed<SubAccountKind>>,
    pub capacity: u32,
    pub employer: Option<Name>,
}

#[derive(Debug)]
pub(super) struct SellerElement {
    pub id: Option<Name>,
    pub name: Option<Name>,
    pub account: Option<Name>,
    pub capacity: u32,
    pub time_zone: Option<Name>,
    pub origins: Vec<String>,
    pub status: ShopStatus,
    pub closure_notice_on: Option<Date>,
    pub shop: Option<Name>,
    pub licence_name: Option<Name>,
    pub official_account: Option<Name>,
    pub channel_accounts: Vec<Name>,
    pub entries: Vec<EntryElement>,
    pub default_group: Option<Name>,
    pub main_account_fallback: bool,
    pub authorizations: Vec<AuthorizationElement>,
    pub groups: Vec<GroupElement>,
    pub bindings: Vec<BindingElement>,
}

#[derive(Debug)]
pub(super) struct EntryElement {
    pub id: Option<Name>,
    pub kind: Arc<str>,
}

#[derive(Debug)]
pub(super) struct AuthorizationElement {
    pub sub_account: Option<Name>,
    pub role: Option<Name>,
    pub scopes: ScopeSet,
    pub capacity: Option<u32>,
}

#[derive(Debug)]
pub(super) struct MemberElement {
    pub sub_account: Name,
    pub tier: u32,
    pub weight: u32,
    pub capacity: Option<u32>,
}

#[derive(Debug)]
pub(super) struct OverflowElement {
    pub after: Option<Duration>,
    pub to: Option<Name>,
}

#[derive(Debug)]
pub(super) struct GroupElement {
    pub place: Place,
    pub id: Option<Name>,
    pub name: Option<Arc<str>>,
    pub members: Vec<MemberElement>,
    pub overflow: Vec<OverflowElement>,
    pub settings: GroupSettings,
}

/// Settings of a group that were given; what was not given has its default.
#[derive(Debug, Default)]
pub(super) struct GroupSettings {
    pub strategy: Option<Strategy>,
    pub recent_agent: Option<Option<Duration>>,
    pub recent_agent_even_if_away: Option<bool>,
    pub recent_agent_when_full: Option<RecentWhenFull>,
    pub assignment: Option<Assignment>,
    pub offer_timeout: Option<Duration>,
    pub missed_offers: Option<u32>,
    pub queue_limit: Option<u32>,
    pub max_wait: Option<Option<Duration>>,
    pub abandon_after: Option<Duration>,
    pub overdue_warning: Option<Placed<Duration>>,
    pub reply_within: Option<Duration>,
    pub reassign_unanswered: Option<Option<Duration>>,
    pub close_idle: Option<Duration>,
    pub wrap_up: Option<Duration>,
    pub reopen_within: Option<Duration>,
    pub when_agent_lost: Option<WhenLost>,
    pub when_all_away: Option<WhenAllAway>,
    pub pickup_left_messages: Option<bool>,
    pub left_message_age: Option<Duration>,
    pub priority_step: Option<PriorityStep>,
    pub spacing: Option<Duration>,
    pub buyer_gone_after: Option<Duration>,
    pub welcome_text: Option<Arc<str>>,
    pub offline_text: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct BindingElement {
    pub place: Place,
    pub id: Option<Name>,
    pub when: Vec<MatcherElement>,
    pub to: Option<TargetElement>,
    pub otherwise: Option<Otherwise>,
    pub priority: u32,
    pub group: Option<Name>,
    /// Whether all of it could be read, so that it can be compared with others.
    pub sound: bool,
}

#[derive(Debug)]
pub(super) enum MatcherElement {
    Value { field: Field, any: Vec<Placed<Pattern>> },
    Hours(Vec<Name>),
}

#[derive(Debug)]
pub(super) enum TargetElement {
    Group(Name),
    Agent(Name),
    LeaveMessage(Arc<str>),
}
