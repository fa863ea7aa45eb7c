//! A seller: its shop, who may act for it, its groups and its bindings.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::Group;
use super::hours::Hours;
use super::zone::{day_of, start_of};
use crate::model::{AccountId, BindingId, EntryId, GroupId, SellerId, Timestamp};
use crate::policy::{Scope, ScopeSet};

/// How a shop stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShopStatus {
    /// Open.
    #[default]
    Open,
    /// A closure notice is published; conversations still start.
    Closing,
    /// No conversation starts.
    Closed,
}

/// How somebody comes to act for a seller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// It is the seller itself.
    Main,
    /// By an authorization of its own.
    Direct,
    /// As a person of this authorised employer.
    Employer(AccountId),
}

/// What one account may do for one seller, and as long as both sides are fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorization {
    /// Who.
    pub account: AccountId,
    /// How.
    pub via: Via,
    /// The role's name, for people.
    pub role: Arc<str>,
    /// The role's scopes and the further ones, as written: what is in force is [`Authorization::scopes_at`].
    pub scopes: ScopeSet,
    /// How many conversations of this seller it holds at once, if limited.
    pub capacity: Option<u32>,
    /// It is in force before this time and suspended from it on; [`Timestamp::ZERO`] if a side is unfit already,
    /// [`Timestamp::MAX`] if nothing ends it.
    pub in_force_until: Timestamp,
}

impl Authorization {
    /// Whether both sides are fit.
    pub fn in_force(&self, now: Timestamp) -> bool {
        now < self.in_force_until
    }

    /// What it allows now: suspended, only to read what one held.
    pub fn scopes_at(&self, now: Timestamp) -> ScopeSet {
        if self.in_force(now) { self.scopes } else { self.scopes.intersection(ScopeSet::of(&[Scope::ReadOwn])) }
    }
}

/// A way in, besides the shop and its accounts.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id, in one name space with shops and accounts.
    pub id: EntryId,
    /// What it is: `live`, `page`.
    pub kind: Arc<str>,
}

/// What a matcher looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The buyer's id.
    Buyer,
    /// Where the buyer came in.
    Entry,
    /// A key of the context, the buyer's word: `source, product, category, order_stage, region, language`.
    Context(Arc<str>),
    /// An attribute of the signed token.
    Attribute(Arc<str>),
    /// The text of the first message, case-insensitively.
    Keyword,
}

/// What a value has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Just this.
    Exactly(Arc<str>),
    /// Anything that begins so.
    Prefix(Arc<str>),
}

impl Pattern {
    /// Whether the value fits.
    pub fn fits(&self, value: &str) -> bool {
        match self {
            Self::Exactly(text) => value == &**text,
            Self::Prefix(text) => value.starts_with(&**text),
        }
    }
}

/// One condition of a binding.
#[derive(Clone, Debug, PartialEq)]
pub enum Matcher {
    /// Any of the patterns fits. For [`Field::Keyword`] the patterns are in lower case and sought within the text.
    Value {
        /// What is looked at.
        field: Field,
        /// What it has to be.
        any: Vec<Pattern>,
    },
    /// It is one of these hours.
    Hours(Vec<Hours>),
}

impl Matcher {
    /// Its name in the configuration.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Hours(_) => Cow::Borrowed("hours"),
            Self::Value { field, .. } => match field {
                Field::Buyer => Cow::Borrowed("buyer"),
                Field::Entry => Cow::Borrowed("entry"),
                Field::Keyword => Cow::Borrowed("keyword"),
                Field::Context(name) => Cow::Borrowed(name),
                Field::Attribute(name) => Cow::Owned(format!("attr.{name}")),
            },
        }
    }
}

/// Where a binding sends conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To a group.
    Group(GroupId),
    /// To one agent.
    Agent(AccountId),
    /// To nobody: the text stands in the event.
    LeaveMessage(Arc<str>),
}

/// What happens if a binding's target cannot take the conversation now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// It waits for it.
    Wait,
    /// The next binding is looked at.
    Next,
}

/// A rule of a seller: conversations like this go there.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Its name.
    pub id: BindingId,
    /// All must hold.
    pub when: Vec<Matcher>,
    /// Where to.
    pub to: Target,
    /// If it cannot take it now.
    pub otherwise: Otherwise,
    /// What a conversation that matches is worth in the queue.
    pub priority: u32,
    /// The group whose settings a conversation has that is bound to an agent or left.
    pub group: Option<GroupId>,
}

/// A seller, checked: every name in it refers to something.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the members of `[[seller]]`, by their names there")]
pub struct Seller {
    pub id: SellerId,
    pub name: Arc<str>,
    pub account: AccountId,
    pub capacity: u32,
    pub time_zone: TimeZone,
    pub origins: Vec<String>,
    pub status: ShopStatus,
    pub closure_notice_on: Option<Date>,
    pub shop: EntryId,
    pub licence_name: Arc<str>,
    pub official_account: Option<AccountId>,
    pub channel_accounts: Vec<AccountId>,
    pub entries: Vec<Entry>,
    pub default_group: GroupId,
    pub main_account_fallback: bool,
    /// Everybody who may act for it, by account: the main account, the authorised, and those persons of an authorised
    /// employer who are members of a group here.
    pub agents: HashMap<AccountId, Authorization>,
    /// In file order.
    pub groups: Vec<Group>,
    /// In file order.
    pub bindings: Vec<Binding>,
}

impl Seller {
    /// What stands for a seller that is no longer configured while its conversations close.
    pub fn removed(id: SellerId) -> Self {
        let name: Arc<str> = id.as_str().into();
        let group = Group::with_defaults(GroupId::from("removed"), Arc::clone(&name));
        Self {
            account: AccountId::from(""),
            capacity: 0,
            time_zone: TimeZone::UTC,
            origins: Vec::new(),
            status: ShopStatus::Closed,
            closure_notice_on: None,
            shop: EntryId::from(""),
            licence_name: Arc::clone(&name),
            official_account: None,
            channel_accounts: Vec::new(),
            entries: Vec::new(),
            default_group: group.id.clone(),
            main_account_fallback: false,
            agents: HashMap::new(),
            groups: vec![group],
            bindings: Vec::new(),
            id,
            name,
        }
    }

    /// A group of it.
    pub fn group(&self, id: &GroupId) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == *id)
    }

    /// When the next of its authorizations ends by the clock alone.
    pub fn next_suspension(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.agents.values().map(|authorization| authorization.in_force_until);
        ends.filter(|until| *until > now && *until < Timestamp::MAX).min()
    }

    /// Which calendar day it is for the seller, when that day began, and when the next one does.
    pub fn day(&self, now: Timestamp) -> (Date, Range<Timestamp>) {
        let date = day_of(now, &self.time_zone);
        let next = date.tomorrow().map_or(Timestamp::MAX, |next| start_of(next, &self.time_zone));
        (date, start_of(date, &self.time_zone)..next)
    }

    /// How long a conversation of a removed or unknown group may be reopened.
    pub const REOPEN_WITHIN: Duration = Duration::from_secs(24 * 3600);
}
