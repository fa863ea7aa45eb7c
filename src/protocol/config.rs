//! The configuration on the wire: what is in force, and what came of a reload. The admin listener says the same.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::object::At;
use super::{RpcError, reply};
use crate::directory::{Change, Diagnostic, Directory};
use crate::model::Timestamp;
use crate::routing;

/// What came of a reload, or would come of it.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// The generation in force, or the one that would be.
    pub generation: u64,
    /// Whether it is in force.
    pub applied: bool,
    /// What differs.
    pub changes: Vec<Change>,
    /// Who is affected.
    pub affected: routing::Affected,
    /// What is not wrong and somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

impl Reloaded {
    /// The result of `config.reload` as JSON.
    pub fn json(&self) -> String {
        let affected = &self.affected;
        let conversations = affected.conversations.iter().map(|moved| MovedConversation {
            conversation: moved.conversation.to_string(),
            seller: moved.seller.as_str(),
            from: moved.from.as_deref(),
            to: moved.to.as_deref(),
        });
        let agents = affected.agents.iter().map(|agent| agent.as_str()).collect();
        json(&ReloadResult {
            generation: self.generation,
            applied: self.applied,
            changes: &self.changes,
            affected: AffectedObject {
                conversations: conversations.collect(),
                conversation_count: affected.number,
                agents,
            },
            warnings: &self.warnings,
        })
    }
}

/// What is in force, beside the snapshot.
#[derive(Clone, Debug)]
pub struct InForce {
    /// Since when.
    pub loaded_at: Timestamp,
    /// The files by name, in the order in which they were read.
    pub files: Vec<Arc<str>>,
    /// What was said of them.
    pub warnings: Arc<[Diagnostic]>,
}

/// The result of `config.status` as JSON.
pub fn status_json(directory: &Directory, in_force: &InForce) -> String {
    let sellers = directory.sellers.values();
    json(&StatusResult {
        generation: directory.generation,
        loaded_at: At(in_force.loaded_at),
        files: in_force.files.iter().map(|name| &**name).collect(),
        sellers: directory.sellers.len(),
        sub_accounts: directory.sub_accounts.len(),
        groups: sellers.clone().map(|seller| seller.groups.len()).sum(),
        bindings: sellers.map(|seller| seller.bindings.len()).sum(),
        warnings: &in_force.warnings,
    })
}

/// The reply to `config.status`.
pub fn config_status(id: &RawValue, directory: &Directory, in_force: &InForce) -> Utf8Bytes {
    reply::raw(id, &status_json(directory, in_force))
}

/// Diagnostics as JSON.
pub fn diagnostics_json(diagnostics: &[Diagnostic]) -> String {
    json(&diagnostics)
}

/// That the configuration is refused, and why.
pub fn refused(diagnostics: &[Diagnostic]) -> RpcError {
    RpcError::invalid_configuration(RawValue::from_string(diagnostics_json(diagnostics)).unwrap_or_default())
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Of `config.reload`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ReloadResult<'a> {
    generation: u64,
    applied: bool,
    changes: &'a [Change],
    affected: AffectedObject<'a>,
    warnings: &'a [Diagnostic],
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Affected")]
struct AffectedObject<'a> {
    /// At most 100.
    conversations: Vec<MovedConversation<'a>>,
    conversation_count: usize,
    agents: Vec<&'a str>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct MovedConversation<'a> {
    conversation: String,
    seller: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
}

/// Of `config.status`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StatusResult<'a> {
    generation: u64,
    loaded_at: At,
    files: Vec<&'a str>,
    sellers: usize,
    sub_accounts: usize,
    groups: usize,
    bindings: usize,
    warnings: &'a [Diagnostic],
}
