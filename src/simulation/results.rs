//! The results, as programs read them: every figure by its name.

use serde::Serialize;

use super::figures::{Cut, Figures, Named, differences, figures};
use super::formula::{Formula, fit};
use super::part::{AGENT_METRICS, METRICS, Part};
use super::staff::Staffing;
use super::tally::Gathered;
use super::trial::cut;
use super::world::World;

/// What was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Buyers counted, over all replications.
    pub arrivals: u64,
    /// Buyers who came before.
    pub warm_up: u64,
    /// How often from the start.
    pub replications: u32,
    /// Which chance.
    pub seed: u64,
    /// Arrivals, completions and abandonments.
    pub events: u64,
}

/// All figures of one configuration, or of the difference between two.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct All {
    /// Of all.
    pub total: Figures,
    /// By stream.
    pub streams: Named<Figures>,
    /// By `seller/group`.
    pub groups: Named<Figures>,
    /// By agent.
    pub agents: Named<Figures>,
    /// By hour of the profile.
    pub hours: Vec<Figures>,
    /// With one pool of all the agents.
    pub bound: Figures,
}

/// The results.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// What was run.
    pub run: Run,
    /// What came of it.
    #[serde(flatten)]
    pub all: All,
    /// What the closed form says, where one fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<Formula>,
    /// How many agents reach a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staff: Option<Staffing>,
    /// What came of the other configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<Box<All>>,
    /// What differs from what happened, where a recording was replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<super::replay::Difference>,
    /// The other's figures less these, buyer by buyer the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Box<All>>,
}

/// A world and what was gathered in it, and in its pool.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The world.
    pub world: World,
    /// What was gathered.
    pub gathered: Gathered,
    /// What was gathered with one pool.
    pub pooled: Gathered,
}

impl Tried {
    /// The results of this world.
    pub fn results(&self) -> Results {
        let traffic = &self.world.traffic;
        let run = Run {
            arrivals: self.gathered.total.iter().map(|part| part.offered).sum(),
            warm_up: self.gathered.warm_up,
            replications: traffic.span.replications,
            seed: traffic.span.seed,
            events: self.gathered.events,
        };
        let formula = fit(&self.world).and_then(|fit| fit.solve(1));
        Results { run, all: self.all(), formula, staff: None, compare: None, replay: None, difference: None }
    }

    /// All figures.
    pub fn all(&self) -> All {
        let cut = cut(&self.world);
        let of = |parts: &Vec<Part>| figures(&METRICS, parts, cut);
        let gathered = &self.gathered;
        let agents = self.world.agents.iter().zip(&gathered.agents);
        let agents = agents
            .filter(|(agent, parts)| agent.regular || parts.iter().any(|part| part.assigned > 0))
            .map(|(agent, parts)| (agent.account.to_string(), figures(&AGENT_METRICS, parts, cut)));
        All {
            total: of(&gathered.total),
            streams: Named(self.stream_names().zip(gathered.streams.iter().map(of)).collect()),
            groups: Named(self.group_names().zip(gathered.groups.iter().map(of)).collect()),
            agents: Named(agents.collect()),
            hours: gathered.hours.iter().map(of).collect(),
            bound: of(&self.pooled.total),
        }
    }

    /// The figures of another less those of this one, for everything that both have.
    pub fn difference(&self, other: &Self) -> All {
        let cut = cut(&self.world);
        let of = |before: &Vec<Part>, after: &Vec<Part>| differences(&METRICS, before, after, cut);
        let pairs = self.gathered.streams.iter().zip(&other.gathered.streams);
        let streams = self.stream_names().zip(pairs.map(|(before, after)| of(before, after))).collect();
        let groups = self.world.groups.iter().enumerate().filter_map(|(at, group)| {
            let there = other.world.group_at(&group.seller, &group.group)?;
            Some((group.name(), of(&self.gathered.groups[at], &other.gathered.groups[there])))
        });
        let agents =
            self.world.agents.iter().enumerate().filter(|(_, agent)| agent.regular).filter_map(|(at, agent)| {
                let there = other.world.agents.iter().position(|there| there.account == agent.account)?;
                let (before, after) = (&self.gathered.agents[at], &other.gathered.agents[there]);
                Some((agent.account.to_string(), differences(&AGENT_METRICS, before, after, cut)))
            });
        let hours = self.gathered.hours.iter().zip(&other.gathered.hours);
        All {
            total: of(&self.gathered.total, &other.gathered.total),
            streams: Named(streams),
            groups: Named(groups.collect()),
            agents: Named(agents.collect()),
            hours: hours.map(|(before, after)| of(before, after)).collect(),
            bound: of(&self.pooled.total, &other.pooled.total),
        }
    }

    /// What its parts are.
    pub fn cut(&self) -> Cut {
        cut(&self.world)
    }

    fn stream_names(&self) -> impl Iterator<Item = String> + '_ {
        self.world.traffic.streams.iter().map(|stream| stream.id.to_string())
    }

    fn group_names(&self) -> impl Iterator<Item = String> + '_ {
        self.world.groups.iter().map(super::world::GroupPlan::name)
    }
}
