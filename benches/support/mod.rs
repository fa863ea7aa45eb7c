//! A conversation, as measurements need it.

use std::sync::Arc;

use fenliu::model::{BuyerKey, ConversationId, State, Timestamp};
use fenliu::routing::{Conversation, Profile, Rare, Tail};

/// One that `mei` of `tea` holds.
pub fn conversation(id: u128) -> Conversation {
    let at = Timestamp::from_micros(1);
    let key = BuyerKey { within: None, sub: format!("buyer-{id}").into() };
    Conversation {
        id: ConversationId(id),
        rev: 1,
        seller: "tea".into(),
        profile: Arc::new(Profile { key, name: None, attributes: Vec::new() }),
        context: Arc::new([]),
        entry: "shop".into(),
        state: State::Active,
        group: "presale".into(),
        via: None,
        agent: Some("mei".into()),
        recent: None,
        priority: 0,
        queued_at: at,
        waiting_since: at,
        counted: true,
        buyer_gone_since: None,
        asked: Vec::new(),
        held: vec!["mei".into()],
        started_at: at,
        assigned_at: Some(at),
        came_by: None,
        first_assigned_at: Some(at),
        first_reply_at: None,
        left: None,
        rare: Rare::default(),
        tail: Tail::default(),
    }
}
