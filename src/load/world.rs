//! Routing configurations of any size, for measurements: so many sellers, so many agents, all alike.

use std::fmt::Write as _;

/// How large.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Sellers, each with one group.
    pub sellers: usize,
    /// Agents over all sellers.
    pub agents: usize,
    /// Conversations at once of each.
    pub capacity: u32,
    /// Whether every agent serves every seller, so that all are one domain.
    pub shared: bool,
}

/// Sellers of one file.
const SELLERS_A_FILE: usize = 500;

/// The files of a routing configuration: names and texts.
pub fn world(world: World) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut next_agent = 0;
    if world.shared {
        let mut text = String::new();
        for agent in 0..world.agents {
            account(&mut text, &format!("agent-{agent}"));
            sub_account(&mut text, agent, "certified", world.capacity);
        }
        files.push(("00-agents.toml".to_owned(), text));
    }
    for first in (0..world.sellers).step_by(SELLERS_A_FILE) {
        let mut text = String::new();
        for number in first..world.sellers.min(first + SELLERS_A_FILE) {
            let last = if world.shared { world.agents } else { world.agents * (number + 1) / world.sellers.max(1) };
            let agents = if world.shared { 0..last } else { next_agent..last };
            if !world.shared {
                agents.clone().for_each(|agent| sub_account(&mut text, agent, "staff", world.capacity));
                next_agent = last;
            }
            seller(&mut text, number, agents);
        }
        files.push((format!("{:02}-sellers.toml", 10 + first / SELLERS_A_FILE), text));
    }
    files
}

fn account(text: &mut String, id: &str) {
    let _ = writeln!(
        text,
        "[[account]]\nid = \"{id}\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"\nstatus = \"normal\"\n\
         certified_until = 2099-12-31"
    );
}

fn sub_account(text: &mut String, agent: usize, kind: &str, capacity: u32) {
    let _ = writeln!(
        text,
        "[[sub_account]]\nid = \"agent-{agent}\"\nname = \"Agent {agent}\"\nkind = \"{kind}\"\ncapacity = {capacity}"
    );
}

fn seller(text: &mut String, number: usize, agents: std::ops::Range<usize>) {
    account(text, &format!("main-{number}"));
    let _ = writeln!(
        text,
        "[[seller]]\nid = \"seller-{number}\"\nname = \"Seller {number}\"\naccount = \"main-{number}\"\n\
         status = \"open\"\nshop = \"shop-{number}\"\nlicence_name = \"Seller {number}\"\ndefault_group = \"all\""
    );
    for agent in agents.clone() {
        let _ = writeln!(text, "[[seller.authorization]]\nsub_account = \"agent-{agent}\"\nrole = \"agent\"");
    }
    let members: Vec<_> = agents.map(|agent| format!("\"agent-{agent}\"")).collect();
    let _ = writeln!(text, "[[seller.group]]\nid = \"all\"\nmembers = [{}]\n", members.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Directory;
    use crate::model::Timestamp;

    fn loaded(wanted: World) -> Directory {
        let text: String = world(wanted).into_iter().map(|(_, text)| text).collect();
        Directory::from_toml(&text, Timestamp::from_micros(1_800_000_000_000_000)).unwrap()
    }

    #[test]
    fn a_world_is_a_valid_configuration() {
        let directory = loaded(World { sellers: 7, agents: 20, capacity: 3, shared: false });

        assert_eq!((directory.sellers.len(), directory.sub_accounts.len(), directory.domains.len()), (7, 20, 7));
    }

    #[test]
    fn a_shared_world_is_one_domain() {
        let directory = loaded(World { sellers: 5, agents: 4, capacity: 3, shared: true });

        assert_eq!((directory.sellers.len(), directory.domains.len()), (5, 1));
    }
}
