//! Who a session is, as the reply to `session.open` says it.

use schemars::JsonSchema;
use serde::Serialize;

/// Who a session is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the protocol's own names")]
pub struct Identity {
    pub role: &'static str,
    pub id: String,
    /// What people call it; where nobody has said, its id.
    pub name: String,
    /// Whoever is staff: how many conversations it may hold at once, over all sellers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Whoever is staff: the sellers that authorise it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sellers: Option<Vec<Membership>>,
}

/// What an account is for one seller.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the protocol's own names")]
pub struct Membership {
    pub seller: String,
    pub name: String,
    pub role: String,
    pub scopes: Vec<&'static str>,
    pub groups: Vec<String>,
    pub in_force: bool,
    /// By name, the groups that it may hand conversations on to; absent where it may not. Which people there are, and who of
    /// them is free, `conversation.targets` tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_to: Option<Targets>,
}

/// The groups of a seller.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the protocol's own names")]
pub struct Targets {
    pub groups: Vec<TargetGroup>,
}

/// A group that may be given conversations.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the protocol's own names")]
pub struct TargetGroup {
    pub group: String,
    pub name: String,
}
