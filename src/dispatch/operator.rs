//! What operators ask of the daemon as a whole.

use super::{Answer, Dispatch, now};
use crate::protocol;

impl Dispatch {
    pub(super) fn config_status(&self) -> Answer {
        let directory = self.table.directory();
        let sellers = directory.sellers.values();
        let json = serde_json::json!({
            "generation": directory.generation,
            "sellers": directory.sellers.len(),
            "sub_accounts": directory.sub_accounts.len(),
            "groups": sellers.clone().map(|seller| seller.groups.len()).sum::<usize>(),
            "bindings": sellers.map(|seller| seller.bindings.len()).sum::<usize>(),
            "warnings": [],
        });
        now(move |to| protocol::raw(&to.id, &json.to_string()))
    }

    pub(super) fn stats(&self) -> Answer {
        let json = serde_json::json!({
            "connections": self.registry.count(),
            "conversations": self.table.open(),
        });
        now(move |to| protocol::raw(&to.id, &json.to_string()))
    }
}
