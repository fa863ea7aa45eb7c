//! Who takes part: sellers and agents from the routing configuration, buyers invented for this run, a token for each.

use std::collections::BTreeMap;
use std::time::Duration;

use super::part::Role;
use super::scenario::People;
use crate::auth::{self, Claims, Keys, MintError};
use crate::directory::{Directory, RecentWhenFull, Seller, ShopStatus};
use crate::model::{AccountId, Timestamp};
use crate::policy::Scope;

/// How long the tokens of a run are valid beyond it.
const VALID: Duration = Duration::from_secs(6 * 3600);

/// Somebody before it is connected.
pub(super) struct Player {
    pub(super) name: String,
    pub(super) token: String,
    pub(super) role: Role,
}

/// Everybody.
pub(super) struct Cast {
    pub(super) sellers: usize,
    pub(super) agents: Vec<Player>,
    pub(super) buyers: Vec<Player>,
    pub(super) idle: Vec<Player>,
}

/// Why a scenario has no cast.
#[derive(Debug, thiserror::Error)]
pub enum CastError {
    /// No shop is open.
    #[error("the routing configuration has no open seller")]
    NoSellers,
    /// Nobody may receive conversations.
    #[error("nobody may receive conversations of these sellers: no group has a member in force")]
    NoAgents,
    /// There is no secret to sign with.
    #[error("no token can be made: {0}")]
    NoToken(#[from] MintError),
}

/// What a cast is made from.
pub(super) struct Casting<'a> {
    pub(super) directory: &'a Directory,
    pub(super) keys: &'a Keys,
    pub(super) now: Timestamp,
    /// Part of every buyer's name, so that a run meets no conversation of an earlier one.
    pub(super) run: &'a str,
}

impl Casting<'_> {
    pub(super) fn cast(&self, people: People) -> Result<Cast, CastError> {
        let open = self.directory.sellers.values().filter(|seller| seller.status != ShopStatus::Closed);
        let wanted = if people.sellers == 0 { usize::MAX } else { people.sellers };
        let sellers: Vec<&Seller> = open.take(wanted).map(AsRef::as_ref).collect();
        if sellers.is_empty() {
            return Err(CastError::NoSellers);
        }
        let agents = self.agents(&sellers, people.agents)?;
        if agents.is_empty() && people.talking > 0 {
            return Err(CastError::NoAgents);
        }
        let buyers = (0..people.buyers).map(|number| {
            let seller = sellers[number % sellers.len()].id.to_string();
            let slow = number < people.slow_readers;
            self.player(auth::Role::Buyer, format!("load-{}-{number}", self.run), Role::Buyer { seller, slow })
        });
        let idle = (0..people.idle)
            .map(|number| self.player(auth::Role::Buyer, format!("load-{}-idle-{number}", self.run), Role::Idle));
        let (buyers, idle) = (buyers.collect::<Result<_, _>>()?, idle.collect::<Result<_, _>>()?);
        Ok(Cast { sellers: sellers.len(), agents, buyers, idle })
    }

    fn agents(&self, sellers: &[&Seller], wanted: usize) -> Result<Vec<Player>, CastError> {
        // Some settings let an agent hold up to twice what it may.
        let exceeds = |seller: &Seller| {
            let exceeds = |group: &crate::directory::Group| group.recent_agent_when_full == RecentWhenFull::Exceed;
            if seller.groups.iter().any(exceeds) { 2 } else { 1 }
        };
        let factor = sellers.iter().map(|seller| exceeds(seller)).max().unwrap_or(1);
        let mut found: BTreeMap<AccountId, BTreeMap<String, u32>> = BTreeMap::new();
        for seller in sellers {
            for member in seller.groups.iter().flat_map(|group| &group.members) {
                let Some(authorization) = seller.agents.get(&member.account) else { continue };
                if !authorization.scopes_at(self.now).has(Scope::Receive) {
                    continue;
                }
                let limits = found.entry(member.account.clone()).or_default();
                if let Some(capacity) = authorization.capacity {
                    limits.insert(seller.id.to_string(), capacity * exceeds(seller));
                }
            }
        }
        let wanted = if wanted == 0 { usize::MAX } else { wanted };
        let agents = found.into_iter().take(wanted).map(|(account, by_seller)| {
            let capacity = self.directory.capacity_of(&account) * factor;
            self.player(auth::Role::Staff, account.to_string(), Role::Agent { capacity, by_seller })
        });
        Ok(agents.collect::<Result<_, _>>()?)
    }

    fn player(&self, role: auth::Role, name: String, part: Role) -> Result<Player, MintError> {
        let token = self.keys.mint(&Claims::new(role, name.as_str(), self.now + VALID))?;
        Ok(Player { name, token, role: part })
    }

    /// A token for somebody who only comes and goes.
    pub(super) fn visitor(&self, number: usize) -> Result<String, CastError> {
        let name = format!("load-{}-visitor-{number}", self.run);
        Ok(self.keys.mint(&Claims::new(auth::Role::Buyer, name, self.now + VALID))?)
    }
}
