//! Permission as data: who may call what, and on what.
//! It decides from what it is shown and looks nothing up; it is the only maker of a [`Permit`].

mod permit;
mod role;
mod rules;
mod scope;

pub use permit::{Basis, Denied, Permit, Rights, permit, permit_role, sees};
pub use role::{built_in, seller_scopes};
pub use rules::{Action, May, Method, Object, Roles, Rule, rule};
pub use scope::{Scope, ScopeSet};

#[cfg(test)]
mod tests;
