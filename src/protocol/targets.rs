//! To whom a conversation may be handed on, as `conversation.targets` says it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::Status;
use crate::routing;

/// To whom a conversation may be handed on, and who of them is free now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FreeTargets<'a> {
    pub groups: Vec<FreeGroup<'a>>,
    pub sub_accounts: Vec<FreeAgent<'a>>,
}

/// A group.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FreeGroup<'a> {
    pub group: &'a str,
    pub name: &'a str,
    /// How many of its members could take the conversation now; 0: it would wait there.
    pub free: u32,
}

/// An agent.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FreeAgent<'a> {
    pub sub_account: &'a str,
    pub name: &'a str,
    pub status: Status,
    /// Whether it would be given the conversation now.
    pub free: bool,
}

impl<'a> FreeTargets<'a> {
    /// Targets as they are written.
    pub fn of(targets: &'a routing::Targets) -> Self {
        let group = |group: &'a routing::TargetGroup| FreeGroup {
            group: group.group.as_str(),
            name: &group.name,
            free: group.free,
        };
        let agent = |agent: &'a routing::TargetAgent| FreeAgent {
            sub_account: agent.account.as_str(),
            name: &agent.name,
            status: agent.status,
            free: agent.free,
        };
        Self {
            groups: targets.groups.iter().map(group).collect(),
            sub_accounts: targets.agents.iter().map(agent).collect(),
        }
    }
}
