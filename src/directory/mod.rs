//! The routing configuration as one immutable, checked snapshot: sellers, accounts, authorizations, groups, bindings,
//! and the domains they fall into. It reads no file: `config` hands it texts.

mod account;
mod group;
mod hours;
mod seller;
mod snapshot;

pub use account::{Account, AccountKind, AccountStatus, Platform, SubAccount, SubAccountKind};
pub use group::{Assignment, Group, Member, Overflow, PriorityStep, RecentWhenFull, Strategy, WhenAllAway, WhenLost};
pub use hours::Hours;
pub use seller::{Authorization, Binding, Entry, Field, Matcher, Otherwise, Pattern, Seller, ShopStatus, Target, Via};
pub use snapshot::{Directory, Domain, DomainId};
