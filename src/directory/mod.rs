//! The routing configuration as one immutable, checked snapshot: sellers, accounts, authorizations, groups, bindings,
//! and the domains they fall into. It reads no file: `config` hands it texts.

mod accepted;
mod account;
mod change;
mod desk;
mod diagnostic;
mod document;
mod domain;
mod fields;
mod group;
mod hours;
mod judge;
mod ledger;
mod parse;
mod read;
mod read_routing;
mod rules;
mod seller;
mod shop;
mod snapshot;
mod source;
mod staffing;
mod value;
mod world;
mod zone;

pub use accepted::Accepted;
pub use account::{Account, AccountKind, AccountStatus, Platform, SubAccount, SubAccountKind};
pub use change::{Change, ChangeKind, ChangeWhat, changed_sellers, changes};
pub use diagnostic::{Diagnostic, Severity, summary};
pub use group::{Assignment, Group, Member, Overflow, PriorityStep, RecentWhenFull, Strategy, WhenAllAway, WhenLost};
pub use hours::Hours;
pub use judge::{Breach, judge};
pub use parse::{BYTES_MAX, parse};
pub use seller::{Authorization, Binding, Entry, Field, Matcher, Otherwise, Pattern, Seller, ShopStatus, Target, Via};
pub use snapshot::{Directory, Domain, DomainId, Unbound};

// What other files are read with too.
pub(crate) use fields::{Fault, Fields, Value, kind, read_value, table};
pub(crate) use ledger::{Ledger, shown};
pub(crate) use read::tops;
pub(crate) use source::{Place, Placed, Source};
pub(crate) use value::{choice, duration, id, some_duration, string, whole};

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod reload_tests;
#[cfg(test)]
mod tests;
