//! What a daemon's store has recorded, as the simulation takes it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use crate::journal;
use crate::model::Timestamp;
use crate::routing::Conversation;
use crate::simulation::{Recorded, Recording};

/// Reads what the store in a data directory has recorded; a daemon may be using it.
///
/// # Errors
/// That there is no store, or that it cannot be read.
pub fn read(directory: &Path) -> anyhow::Result<Recording> {
    let found = journal::recorded(directory, |conversation, first| of(conversation, first.as_deref()));
    let found = found.with_context(|| format!("the store in {}", directory.display()))?;
    let mut recording = Recording { conversations: found.conversations, presence: found.presence };
    recording.conversations.sort_by_key(|recorded| (recorded.started_at, recorded.conversation));
    Ok(recording)
}

fn of(conversation: Conversation, first: Option<&str>) -> Recorded {
    // One that was opened again has had more than its first stretch: only that is known to the moment.
    let held = conversation.held.first().or(conversation.agent.as_ref()).cloned();
    Recorded {
        conversation: conversation.id,
        seller: conversation.seller,
        entry: conversation.entry,
        context: conversation.context.to_vec(),
        attributes: conversation.profile.attributes.clone(),
        text: first.and_then(text),
        recent: conversation.recent,
        started_at: conversation.started_at,
        agent: held.filter(|_| conversation.first_assigned_at.is_some()),
        assigned_at: conversation.first_assigned_at,
        closed_at: conversation.rare.closed_at.filter(|at| *at > Timestamp::ZERO),
        left: conversation.left.is_some(),
    }
}

/// The text of a body, in lower case, as keywords are sought in it.
fn text(body: &str) -> Option<Arc<str>> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(body.get("text")?.as_str()?.to_lowercase().into())
}
