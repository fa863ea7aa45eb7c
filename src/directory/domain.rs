//! Which sellers and sub-accounts hang together: connected components over recorded authorizations.

use std::collections::{BTreeMap, HashMap};

use super::{Directory, Domain, Via};
use crate::model::{AccountId, SellerId};

/// The domains, by their first seller; sub-accounts that nobody authorises are in none.
pub(super) fn domains(directory: &Directory) -> Vec<Domain> {
    let mut forest = Forest::default();
    for seller in directory.sellers.values() {
        let root = forest.node(&seller.account);
        for authorization in seller.agents.values().filter(|authorization| authorization.via != Via::Main) {
            let agent = forest.node(&authorization.account);
            forest.join(root, agent);
        }
    }
    let employed = directory.sub_accounts.values().filter_map(|person| Some((person, person.employer.as_ref()?)));
    for (person, employer) in employed {
        let (person, employer) = (forest.node(&person.id), forest.node(employer));
        forest.join(employer, person);
    }

    let mut domains: BTreeMap<usize, Domain> = BTreeMap::new();
    for seller in directory.sellers.values() {
        let root = forest.nodes.get(&seller.account).map_or(0, |node| *node);
        let domain = domains.entry(forest.root(root)).or_insert_with(|| Domain { sellers: vec![], agents: vec![] });
        domain.sellers.push(seller.id.clone());
    }
    let nodes: Vec<(AccountId, usize)> = forest.nodes.iter().map(|(id, node)| ((*id).clone(), *node)).collect();
    for (account, node) in nodes {
        if let Some(domain) = domains.get_mut(&forest.root(node)) {
            domain.agents.push(account);
        }
    }
    sorted(domains.into_values())
}

fn sorted(domains: impl Iterator<Item = Domain>) -> Vec<Domain> {
    let mut domains: Vec<Domain> = domains
        .map(|mut domain| {
            domain.sellers.sort_unstable();
            domain.agents.sort_unstable();
            domain
        })
        .collect();
    domains.sort_unstable_by(|a, b| first(a).cmp(&first(b)));
    domains
}

fn first(domain: &Domain) -> Option<&SellerId> {
    domain.sellers.first()
}

/// Disjoint sets of accounts; a seller is where its main account is.
#[derive(Default)]
struct Forest<'a> {
    nodes: HashMap<&'a AccountId, usize>,
    parents: Vec<usize>,
}

impl<'a> Forest<'a> {
    fn node(&mut self, account: &'a AccountId) -> usize {
        let parents = &mut self.parents;
        *self.nodes.entry(account).or_insert_with(|| {
            parents.push(parents.len());
            parents.len() - 1
        })
    }

    fn root(&mut self, node: usize) -> usize {
        let mut at = node;
        while self.parents[at] != at {
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }
}
