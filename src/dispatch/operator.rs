//! What operators ask of the daemon as a whole.

use super::{Answer, Dispatch, Refused, now};
use crate::delivery::Peer;
use crate::model::{AccountId, Caller, SellerId};
use crate::policy::Denied;
use crate::protocol;

impl Dispatch {
    pub(super) fn config_status(&self) -> Answer {
        let (directory, in_force) = (self.table.directory(), self.configuration.in_force());
        now(move |to| protocol::config_status(&to.id, &directory, &in_force))
    }

    pub(super) async fn config_reload(&self, peer: &Peer, dry_run: bool) -> Result<Answer, Refused> {
        let reloaded = self.reload(operator(peer)?, dry_run).await?;
        Ok(now(move |to| protocol::raw(&to.id, &reloaded.json())))
    }

    pub(super) async fn change_binding(
        &self,
        peer: &Peer,
        seller: SellerId,
        account: AccountId,
        binds: bool,
    ) -> Result<Answer, Refused> {
        let by = operator(peer)?;
        if binds {
            self.bind(by, seller, account).await?;
        } else {
            self.unbind(by, seller, account).await?;
        }
        Ok(now(|to| protocol::done(&to.id)))
    }

    pub(super) fn stats(&self) -> Answer {
        let json = serde_json::json!({
            "connections": self.registry.count(),
            "conversations": self.table.open(),
        });
        now(move |to| protocol::raw(&to.id, &json.to_string()))
    }
}

/// The name of an operator, for the audit log.
fn operator(peer: &Peer) -> Result<&str, Refused> {
    match &peer.caller {
        Caller::Operator { sub } => Ok(sub),
        _ => Err(Denied::Role.into()),
    }
}
