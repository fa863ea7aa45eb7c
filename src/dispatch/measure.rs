//! What is counted of a command: how long it waited and was decided, and what came of it.

use crate::metrics::{Cause, Metrics, Reason};
use crate::model::ConversationId;
use crate::routing::{Batch, Event, Row};

/// Counts what has happened.
pub(super) fn count(metrics: &Metrics, batch: &Batch) {
    for event in &batch.events {
        match event {
            Event::Messaged { .. } => {
                metrics.messages.inc();
            }
            Event::Left { reason, .. } => {
                metrics.queue_overflows.get_or_create(&Reason { reason: reason.name() }).inc();
            }
            Event::Assigned { conversation, at, .. } => {
                let cause = cause(batch, *conversation);
                metrics.assignments.get_or_create(&Cause { cause }).inc();
                let since = batch.rows.iter().find_map(|row| match row {
                    Row::Conversation(row) if row.id == *conversation => Some(row.waiting_since),
                    _ => None,
                });
                if let Some(since) = since {
                    metrics.assignment_wait.observe(at.since(since));
                }
            }
            _ => {}
        }
    }
}

/// Why somebody got a conversation: the last decision about it.
fn cause(batch: &Batch, id: ConversationId) -> &'static str {
    let decided = batch.events.iter().rev().find_map(|event| match event {
        Event::Decided { conversation, decision } if *conversation == id => Some(decision.cause.name()),
        _ => None,
    });
    decided.unwrap_or("accepted")
}
