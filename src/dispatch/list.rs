//! Lists of conversations: what the store finds, shown as it is now, and only what the caller may see.

use std::sync::Arc;

use super::past::{rights_of, subject};
use super::{Answer, Dispatch, Refused, now};
use crate::delivery::Peer;
use crate::journal::Filter;
use crate::model::{BuyerKey, Caller, SellerId, State};
use crate::policy::{self, Action, Rights, Scope};
use crate::protocol::{self, ListCall};
use crate::routing::{Conversation, View};

/// How many pages of the store one page of an answer is made of, at most.
const PAGES: usize = 16;

/// What is looked for.
struct Asked {
    filter: Filter,
    /// Whether all of it is for the caller's eyes: one who holds a buyer's conversation may see the earlier ones.
    judged: bool,
}

impl Dispatch {
    pub(super) async fn list(&self, peer: &Peer, call: ListCall) -> Result<Answer, Refused> {
        let Asked { filter, judged } = self.filter(peer, &call)?;
        self.settled().await?;
        let (mut views, mut next) = (Vec::new(), call.before);
        for _ in 0..PAGES {
            let missing = call.limit as usize - views.len();
            let listed = self.journal.list(filter.clone(), next, missing).await.map_err(|error| self.fault(&error))?;
            next = listed.next;
            let seen = listed.conversations.iter().filter(|conversation| judged || self.sees(peer, conversation));
            views.extend(seen.filter_map(|conversation| self.as_it_is(conversation, call.state)));
            if next.is_none() || views.len() >= call.limit as usize {
                break;
            }
        }
        // What is open was shown as the table has it.
        self.settled().await?;
        Ok(now(move |to| protocol::list(&to.id, to.class, &views, next)))
    }

    /// What is looked for, if the caller may.
    fn filter(&self, peer: &Peer, call: &ListCall) -> Result<Asked, Refused> {
        let mut judged = false;
        let mut filter = Filter { state: call.state, buyer_sub: call.buyer.clone(), ..Filter::default() };
        match (&peer.caller, &call.seller) {
            (Caller::Buyer { key, .. }, _) => filter.buyer = Some(key.clone()),
            (Caller::Staff { account, .. }, None) => filter.holder = Some(account.clone()),
            (caller, Some(seller)) => {
                let directory = self.table.directory();
                let (rights, groups) = rights_of(&directory, caller, seller, self.clock.now());
                let rights = Rights { groups: &groups, ..rights };
                match policy::permit(caller, Action::ListSeller, &rights, None, Some(seller)) {
                    Ok(_) if matches!(caller, Caller::Operator { .. }) || rights.scopes.has(Scope::ReadSeller) => {}
                    permitted => match self.held_of(peer, seller, call.buyer.as_deref()) {
                        Some(buyer) => (filter.buyer, judged) = (Some(buyer), true),
                        None => filter.groups = permitted.map(|_| Some(groups.clone()))?,
                    },
                }
            }
            (Caller::Operator { .. }, None) => {}
        }
        filter.seller.clone_from(&call.seller);
        Ok(Asked { filter, judged })
    }

    /// The buyer of this name of whom the caller holds a conversation with the seller.
    fn held_of(&self, peer: &Peer, seller: &SellerId, buyer: Option<&str>) -> Option<BuyerKey> {
        let (Caller::Staff { account, .. }, Some(buyer)) = (&peer.caller, buyer) else { return None };
        let held = self.table.held_by(account, self.clock.now());
        let held = held.into_iter().filter(|view| view.seller == *seller && peer.speaks_for(seller));
        held.map(|view| view.buyer.key.clone()).find(|key| &*key.sub == buyer)
    }

    /// Whether a listed conversation is for the caller's eyes: the store knows nothing of keys and authorizations.
    fn sees(&self, peer: &Peer, conversation: &Conversation) -> bool {
        let directory = self.table.directory();
        let (rights, groups) = rights_of(&directory, &peer.caller, &conversation.seller, self.clock.now());
        let rights = Rights { groups: &groups, ..rights };
        policy::sees(&peer.caller, &rights, &subject(conversation))
    }

    /// A listed conversation as the table has it if it is open, with its place in the queue.
    fn as_it_is(&self, conversation: &Conversation, state: Option<State>) -> Option<Arc<View>> {
        let open = self.table.view(conversation.id, self.clock.now());
        let view = open.unwrap_or_else(|| self.shown(conversation));
        state.is_none_or(|state| state == view.state).then_some(view)
    }
}
