//! Back to what the store has, after a commit that failed: nothing void has left, so sessions stay.

use std::sync::Arc;

use super::Dispatch;
use crate::directory::{Accepted, Directory};
use crate::journal::Restored;
use crate::model::Timestamp;
use crate::routing::{Here, Recipient};

impl Dispatch {
    /// Builds the table again. `rebuilt` is called before anybody can use it.
    pub fn restore(&self, restored: Restored, rebuilt: &dyn Fn()) {
        let now = self.clock.now();
        let directory = self.recorded(restored.recovered.accepted.as_ref(), now);
        let here = Here {
            session: &|session| self.registry.peer(session).is_some(),
            buyer: &|buyer| self.registry.count_of(&Recipient::Buyer(buyer.clone())) > 0,
        };
        self.table.restore(directory, restored.recovered.table, now, &here, rebuilt);
        if restored.kept {
            // Nobody knows what it was, so everybody has to look anew.
            for peer in self.registry.peers() {
                peer.mailbox.close(1011, "something was kept of which nobody was told");
            }
        }
    }

    /// The configuration that is recorded: the one in force, unless that could not be written.
    fn recorded(&self, accepted: Option<&Accepted>, now: Timestamp) -> Arc<Directory> {
        let in_force = self.table.directory();
        let other = accepted.filter(|accepted| accepted.generation != in_force.generation);
        match other.map(|accepted| accepted.directory(now)) {
            Some(Ok(directory)) => Arc::new(directory),
            Some(Err(_)) | None => in_force,
        }
    }
}
