//! What operators ask of the daemon as a whole.

use serde_json::json;

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
        let json = self.figures();
        now(move |to| protocol::raw(&to.id, &json.to_string()))
    }

    /// What `server.stats` and `/stats` say: sums, who stands out, how long the steps of a request take.
    pub fn figures(&self) -> serde_json::Value {
        let now = self.clock.now();
        let tally = self.table.tally(now);
        let metrics = &self.metrics;
        let sessions = |role| metrics.open_sessions(role);
        let seconds = |duration: std::time::Duration| duration.as_secs_f64();
        let phases: serde_json::Map<_, _> = metrics
            .phases()
            .into_iter()
            .map(|(name, steps)| {
                let (p50, p99) = (steps.quantile(0.5).map(seconds), steps.quantile(0.99).map(seconds));
                let step = json!({ "count": steps.total(), "sum_s": seconds(steps.sum()), "p50_s": p50, "p99_s": p99 });
                (name.to_owned(), step)
            })
            .collect();
        let sellers: Vec<_> = tally
            .sellers
            .iter()
            .map(|seller| {
                json!({
                    "seller": seller.seller,
                    "waiting": seller.waiting,
                    "left_messages": seller.left_messages,
                    "longest_wait_s": seller.longest_wait.as_secs(),
                })
            })
            .collect();
        let agents: Vec<_> = tally
            .agents
            .iter()
            .map(|agent| {
                json!({
                    "sub_account": agent.account,
                    "status": agent.status,
                    "held": agent.held,
                    "capacity": agent.capacity,
                })
            })
            .collect();
        json!({
            "time": now,
            "generation": self.table.directory().generation,
            "sessions": {
                "total": self.registry.count(),
                "buyer": sessions("buyer"),
                "staff": sessions("staff"),
                "operator": sessions("operator"),
            },
            "conversations": {
                "queued": tally.queued,
                "offered": tally.offered,
                "active": tally.active,
                "left_message": tally.left_messages,
            },
            "agents": { "online": tally.online, "away": tally.away, "offline": tally.offline },
            "slots": { "taken": tally.slots_taken, "free": tally.slots_free },
            "journal": { "pending": self.writer.pending(), "failed": self.writer.failure().is_some() },
            "messages": metrics.messages.get(),
            "requests": metrics.requests(),
            "queued_frames": self.registry.queued_frames(),
            "phases": phases,
            "busiest_sellers": sellers,
            "busiest_agents": agents,
        })
    }
}

/// The name of an operator, for the audit log.
fn operator(peer: &Peer) -> Result<&str, Refused> {
    match &peer.caller {
        Caller::Operator { sub } => Ok(sub),
        _ => Err(Denied::Role.into()),
    }
}
