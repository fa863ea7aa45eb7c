//! The built-in roles. Configuration adds others, as named sets of scopes.

use super::scope::{Scope, ScopeSet};

const AGENT: ScopeSet =
    ScopeSet::of(&[Scope::Receive, Scope::Send, Scope::ReadOwn, Scope::Close, Scope::Transfer, Scope::Presence]);
const LEAD: ScopeSet =
    AGENT.union(ScopeSet::of(&[Scope::ReadGroup, Scope::Claim, Scope::Monitor, Scope::Desk, Scope::Explain]));
const MANAGER: ScopeSet = LEAD.without(Scope::Receive).union(ScopeSet::of(&[
    Scope::ReadSeller,
    Scope::Assign,
    Scope::Exceed,
    Scope::PresenceOthers,
]));

/// The built-in roles by name.
pub const fn built_in() -> [(&'static str, ScopeSet); 3] {
    [("agent", AGENT), ("lead", LEAD), ("manager", MANAGER)]
}

/// What a seller may do within its own shop: everything but what is the operator's.
pub const fn seller_scopes() -> ScopeSet {
    ScopeSet::ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_a_lead_who_gets_no_conversations() {
        assert!(LEAD.has(Scope::Receive));
        assert!(!MANAGER.has(Scope::Receive));
        assert_eq!(LEAD.without(Scope::Receive).intersection(MANAGER), LEAD.without(Scope::Receive));
    }
}
