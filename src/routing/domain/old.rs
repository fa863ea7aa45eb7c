//! Left messages that grow too old to be handed out: whoever looks for something to give does not pass them.
//! Who may have one that is young enough is said in `place`.

use std::time::Duration;

use super::Domain;
use crate::model::{ConversationId, Timestamp};
use crate::routing::deadline::Due;
use crate::routing::fronts::{Since, Way};

/// One is young enough up to its age, that included.
const AFTER: Duration = Duration::from_micros(1);

impl Domain {
    /// The fronts of those who may take a left message, which may go every way or will, follow the oldest of a group
    /// that is handed out, and when it is not any more is noted.
    pub(super) fn follow_left(&mut self, at: usize, group: usize) {
        let config = self.desks[at].config(group);
        let (age, hands_out) = (config.left_message_age, config.pickup_left_messages);
        let state = &mut self.desks[at].groups[group];
        let stands = state.left.range((state.left_from, ConversationId(0))..).next().copied().filter(|_| hands_out);
        let stood = std::mem::replace(&mut state.left_stands, stands);
        if stood == stands {
            return;
        }
        for way in 0..self.desks[at].groups[group].stands.len() {
            let pool = self.pool_of(at, group, way);
            self.pools[pool].lefts.follow(Way { desk: at, group, way }, stood, stands);
        }
        if let Some((since, _)) = stands {
            self.arm(Due::Lefts(at), since + age + AFTER);
        }
    }

    /// Whether something left at a group is not known to be too old to be handed out.
    pub(super) fn is_young(&self, at: usize, group: usize, (queued_at, _): Since) -> bool {
        self.desks[at].config(group).pickup_left_messages && queued_at >= self.desks[at].groups[group].left_from
    }

    /// What has grown too old at a desk is taken out of the fronts, and from those for whom alone it waits.
    pub(super) fn grow_old(&mut self, at: usize, now: Timestamp) {
        for group in 0..self.desks[at].groups.len() {
            let (age, state) = (self.desks[at].config(group).left_message_age, &self.desks[at].groups[group]);
            let Some((oldest, _)) = state.left_stands else { continue };
            let from = now - age;
            if from <= oldest {
                self.arm(Due::Lefts(at), oldest + age + AFTER);
                continue;
            }
            let old = (state.left_from, ConversationId(0))..(from, ConversationId(0));
            for since in state.left.range(old).copied().collect::<Vec<_>>() {
                let kept_for = self.conversations.get(&since.1).and_then(|entry| self.kept_for(entry));
                if let Some(agent) = kept_for {
                    self.agents[agent].young_left.remove(&since);
                }
            }
            self.desks[at].groups[group].left_from = from;
            self.follow_left(at, group);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::directory::Directory;
    use crate::journal::conformance::conversation;
    use crate::model::{AccountId, State, Status};
    use crate::routing::conversation::Rare;
    use crate::routing::domain::Parts;
    use crate::routing::event::AgentRow;
    use crate::routing::{Actor, Command, Settings};

    const SELLERS: usize = 40;
    const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    /// Sellers that `mei` serves, each with a message left for anybody and one for her alone; she is not there.
    fn left() -> Domain {
        let mut text = String::from("[[sub_account]]\nid = \"mei\"\nkind = \"certified\"\n");
        for id in (0..SELLERS).map(|at| format!("m{at}")).chain(["mei".to_owned()]) {
            let _ =
                writeln!(text, "[[account]]\nid = \"{id}\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"");
            let _ = writeln!(text, "certified_until = 2099-12-31");
        }
        for at in 0..SELLERS {
            let _ =
                writeln!(text, "[[seller]]\nid = \"s{at}\"\nname = \"S\"\nlicence_name = \"S\"\naccount = \"m{at}\"");
            let _ = writeln!(text, "shop = \"p{at}\"\ndefault_group = \"all\"");
            let _ = writeln!(text, "[[seller.authorization]]\nsub_account = \"mei\"\nrole = \"agent\"");
            let _ = writeln!(text, "[[seller.group]]\nid = \"all\"\nmembers = [\"mei\"]\nleft_message_age = \"1h\"");
            let _ = writeln!(text, "recent_agent_even_if_away = true");
        }
        let directory = Arc::new(Directory::from_toml(&text, START).unwrap());
        let mei = AccountId::from("mei");
        let mut parts = Parts::default();
        for id in 0..2 * SELLERS {
            let mut left = conversation(id as u128 + 1, &format!("b{id}"));
            (left.seller, left.group) = (format!("s{}", id % SELLERS).as_str().into(), "all".into());
            (left.state, left.queued_at, left.waiting_since) = (State::LeftMessage, START, START);
            left.rare = Rare::default();
            left.recent = (id >= SELLERS).then(|| (mei.clone(), START));
            parts.conversations.push(left);
        }
        let status = Status::Online;
        let (last_given, last_ended) = (Timestamp::ZERO, Timestamp::ZERO);
        let (missed_offers, paused) = (0, Vec::new());
        parts.agents.push(AgentRow {
            account: mei,
            status,
            since: START,
            last_given,
            last_ended,
            missed_offers,
            paused,
        });
        let plan = directory.domains[0].clone();
        Domain::build(&directory, &plan, Settings::default(), &std::hash::RandomState::new(), parts, START)
    }

    /// How many left messages an agent who can take one looks at before it finds that it may have none.
    fn passed(domain: &Domain) -> usize {
        let fronts = domain.pools.iter().map(|pool| pool.lefts.iter().count());
        fronts.sum::<usize>() + domain.agents.iter().map(|agent| agent.young_left.len()).sum::<usize>()
    }

    #[test]
    fn what_was_left_and_has_grown_old_is_passed_by_nobody_who_looks_for_something() {
        let mut domain = left();
        let tick = |domain: &mut Domain, at| while domain.act(&Actor::default(), Command::Tick, at).more {};
        tick(&mut domain, START);
        assert_eq!(passed(&domain), 2 * SELLERS);

        tick(&mut domain, START + HOUR);
        assert_eq!(passed(&domain), 2 * SELLERS, "an age is reached when it is over");
        tick(&mut domain, START + HOUR + AFTER);

        assert_eq!(passed(&domain), 0);
        assert_eq!(domain.conversations.len(), 2 * SELLERS);
    }
}
