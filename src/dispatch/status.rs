//! Whose status a call sets, and for which seller, where it leaves that open.

use super::past::rights_of;
use super::{Dispatch, Refused};
use crate::delivery::Peer;
use crate::model::{AccountId, Caller, SellerId};
use crate::policy::{Denied, Scope};
use crate::protocol::RpcError;
use crate::routing::{Command, Refusal};

impl Dispatch {
    /// The command with the account and the seller that are meant: one's own status is that of every seller; another's
    /// may be set without naming the seller where there is only one for whom the caller may.
    pub(super) fn of_whom(&self, peer: &Peer, command: Command) -> Result<Command, Refused> {
        let (Command::SetStatus { agent, seller, status, reroute }, Caller::Staff { account, .. }) =
            (&command, &peer.caller)
        else {
            return Ok(command);
        };
        let (status, reroute) = (*status, *reroute);
        let Some(other) = agent.as_ref().filter(|agent| *agent != account) else {
            if let Some(seller) = seller {
                self.acts_for(peer, seller)?;
            }
            return Ok(Command::SetStatus { agent: None, seller: None, status, reroute });
        };
        let seller = match seller {
            Some(seller) => seller.clone(),
            None => self.only_seller(peer, account, other)?,
        };
        Ok(Command::SetStatus { agent: Some(other.clone()), seller: Some(seller), status, reroute })
    }

    fn acts_for(&self, peer: &Peer, seller: &SellerId) -> Result<(), Refused> {
        let (rights, _) = rights_of(&self.table.directory(), &peer.caller, seller, self.clock.now());
        if rights.authorised && peer.speaks_for(seller) { Ok(()) } else { Err(Refusal::NotFound.into()) }
    }

    fn only_seller(&self, peer: &Peer, account: &AccountId, other: &AccountId) -> Result<SellerId, Refused> {
        let directory = self.table.directory();
        let mut scoped = false;
        let mut found: Option<&SellerId> = None;
        for seller in directory.sellers_of(account).filter(|seller| peer.speaks_for(&seller.id)) {
            let (rights, _) = rights_of(&directory, &peer.caller, &seller.id, self.clock.now());
            if !rights.scopes.has(Scope::PresenceOthers) {
                continue;
            }
            scoped = true;
            if seller.agents.contains_key(other) && found.replace(&seller.id).is_some() {
                let message = "expected a seller: there are several for whom you may";
                return Err(RpcError::invalid_params("seller", message).into());
            }
        }
        match found {
            Some(seller) => Ok(seller.clone()),
            None if scoped => Err(Refusal::Unknown { path: "sub_account" }.into()),
            None => Err(Denied::Scope(Scope::PresenceOthers).into()),
        }
    }
}
