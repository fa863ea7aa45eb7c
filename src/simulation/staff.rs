//! How many agents a target takes: copies of a group's first member, as few as reach it.

use std::sync::Arc;

use serde::Serialize;

use super::engine::{Fault, Progress};
use super::figures::{Figures, Named, figures};
use super::formula::fit;
use super::part::METRICS;
use super::traffic::Traffic;
use super::trial::{cut, run_all};
use super::world::World;
use crate::directory::{Directory, Member};
use crate::model::{AccountId, GroupId, SellerId};

/// The most agents that are tried.
const AGENTS_MAX: u32 = 4_096;

/// What is to be reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// As it was written.
    pub written: String,
    /// The figure.
    pub metric: &'static str,
    /// Its bound.
    pub value: f64,
    /// Within which a buyer is served in time, if that was said.
    pub within: Option<std::time::Duration>,
}

impl Target {
    /// Reads `sl=0.8/20s`, `p_abandon=0.03` or `p_block=0.01`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected sl=0.8/20s, p_abandon=0.03 or p_block=0.01";
        let (name, bound) = text.split_once('=').ok_or(expected)?;
        let names = ["sl", "p_abandon", "p_block"];
        let metric = names.into_iter().find(|known| *known == name.trim()).ok_or(expected)?;
        let (bound, within) = match bound.split_once('/') {
            Some((bound, within)) if metric == "sl" => (bound, Some(within)),
            Some(_) => return Err(format!("only `sl` has a time; {expected}")),
            None => (bound, None),
        };
        let value: f64 = bound.trim().parse().map_err(|_| format!("`{bound}` is no number; {expected}"))?;
        if !(0.0..=1.0).contains(&value) {
            return Err(format!("`{bound}` is no share from 0 to 1"));
        }
        let duration = |text: &str| humantime_serde::re::humantime::parse_duration(text.trim());
        let within =
            within.map(|within| duration(within).map_err(|_| format!("`{within}` is no duration such as 20s")));
        Ok(Self { written: text.to_owned(), metric, value, within: within.transpose()? })
    }

    fn is_reached(&self, value: Option<f64>) -> bool {
        match self.metric {
            "sl" => value.is_some_and(|value| value >= self.value),
            _ => value.is_some_and(|value| value <= self.value),
        }
    }
}

/// How many agents reach the target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Staffing {
    /// `seller/group`.
    pub group: String,
    /// How many.
    pub agents: u32,
    /// The target, as it was written.
    pub target: String,
    /// What gave the number: a closed form, or simulation alone.
    pub method: &'static str,
    /// The group's figures with so many.
    pub at: Figures,
    /// The group's figures with one agent less; none for a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<Below>,
}

/// One agent less.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Below {
    /// How many.
    pub agents: u32,
    /// The group's figures with so many.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Why there is no number.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    /// A run failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The group has nobody to be copied.
    #[error("the group {0} has no member to copy")]
    Empty(String),
    /// So many do not do.
    #[error("{agents} agents do not reach {target}: the group {group} gives {metric} {value}")]
    TooMany {
        /// How many.
        agents: u32,
        /// What was to be reached.
        target: String,
        /// Where.
        group: String,
        /// The figure.
        metric: &'static str,
        /// Its value.
        value: f64,
    },
}

/// Finds the smallest number of agents of a group that reaches the target.
///
/// # Errors
/// No number does, or a run failed.
pub fn staff(
    directory: &Directory,
    traffic: &Arc<Traffic>,
    group: (&SellerId, &GroupId),
    target: &Target,
    progress: &Progress,
) -> Result<Staffing, Unreached> {
    let mut traffic = (**traffic).clone();
    traffic.span.sl_target = target.within.unwrap_or(traffic.span.sl_target);
    let search = Search { directory, traffic: Arc::new(traffic), group, target, progress };
    let name = format!("{}/{}", group.0, group.1);
    if search.first().is_none() {
        return Err(Unreached::Empty(name));
    }
    let (method, agents, at, below) = match search.formula() {
        Some((method, agents)) => {
            let below = if agents > 1 { Some(search.try_with(agents - 1)?.1) } else { None };
            (method, agents, search.try_with(agents)?.1, below)
        }
        None => {
            let (agents, at, below) = search.bisect()?;
            ("simulation", agents, at, below)
        }
    };
    let below = below.map(|figures| Below { agents: agents - 1, figures });
    Ok(Staffing { group: name, agents, target: target.written.clone(), method, at, below })
}

struct Search<'a> {
    directory: &'a Directory,
    traffic: Arc<Traffic>,
    group: (&'a SellerId, &'a GroupId),
    target: &'a Target,
    progress: &'a Progress,
}

impl Search<'_> {
    fn first(&self) -> Option<Member> {
        self.directory.sellers.get(self.group.0)?.group(self.group.1)?.members.first().cloned()
    }

    /// The number that the closed form gives, where one fits.
    fn formula(&self) -> Option<(&'static str, u32)> {
        let world = self.world(1);
        let fit = fit(&world)?;
        let group = &world.groups[fit.group];
        if group.group != *self.group.1 || group.seller != *self.group.0 {
            return None;
        }
        let reached = |agents: &u32| {
            let value = fit.solve(*agents).and_then(|formula| formula.figures.find(self.target.metric).copied());
            self.target.is_reached(value)
        };
        (1..=AGENTS_MAX).find(reached).map(|agents| (fit.model.name(), agents))
    }

    /// The world in which the group has so many copies of its first member, and nobody else.
    fn world(&self, agents: u32) -> World {
        let mut directory = self.directory.clone();
        let mut traffic = (*self.traffic).clone();
        let Some(member) = self.first() else { return World::new(&directory, Arc::new(traffic)) };
        let original = &member.account;
        let copies: Vec<AccountId> =
            (1..=agents).map(|at| if at == 1 { original.clone() } else { copy_of(original, at) }).collect();
        if let Some(seller) = directory.sellers.get_mut(self.group.0).map(Arc::make_mut) {
            let authorization = seller.agents.get(original).cloned();
            for copy in &copies {
                seller.agents.extend(authorization.clone().map(|mut authorization| {
                    authorization.account = copy.clone();
                    (copy.clone(), authorization)
                }));
            }
            if let Some(group) = seller.groups.iter_mut().find(|group| group.id == *self.group.1) {
                group.members = copies.iter().map(|copy| Member { account: copy.clone(), ..member.clone() }).collect();
            }
        }
        let capacity = self.directory.capacity_of(original);
        for copy in copies.iter().skip(1) {
            let kind = crate::directory::SubAccountKind::Staff;
            let sub_account = crate::directory::SubAccount {
                id: copy.clone(),
                name: copy.as_str().into(),
                kind,
                capacity,
                employer: None,
            };
            directory.sub_accounts.insert(copy.clone(), Arc::new(sub_account));
            if let Some(shifts) = traffic.agents.shifts.get(original).cloned() {
                traffic.agents.shifts.insert(copy.clone(), shifts);
            }
            if let Some(speed) = traffic.agents.speed.get(original).copied() {
                traffic.agents.speed.insert(copy.clone(), speed);
            }
        }
        for domain in &mut directory.domains {
            if domain.sellers.contains(self.group.0) {
                domain.agents.extend(copies.iter().skip(1).cloned());
                domain.agents.sort_unstable();
            }
        }
        World::new(&directory, Arc::new(traffic))
    }

    /// The group's figures with so many agents, and whether they reach the target.
    fn try_with(&self, agents: u32) -> Result<(bool, Figures), Fault> {
        let world = self.world(agents);
        let gathered = run_all(&[&world], self.progress)?;
        let at = world.group_at(self.group.0, self.group.1);
        let parts = gathered.first().zip(at).and_then(|(gathered, at)| gathered.groups.get(at));
        let found = parts.map_or_else(Named::default, |parts| figures(&METRICS, parts, cut(&world)));
        let value = found.find(self.target.metric).map(|figure| figure.value);
        Ok((self.target.is_reached(value), found))
    }

    /// The smallest number that reaches the target: each try has the same buyers.
    fn bisect(&self) -> Result<(u32, Figures, Option<Figures>), Unreached> {
        let mut high = 1;
        let mut low: Option<(u32, Figures)> = None;
        let mut at = loop {
            let (reached, found) = self.try_with(high)?;
            if reached {
                break found;
            }
            if high >= AGENTS_MAX {
                let value = found.find(self.target.metric).map_or(f64::NAN, |figure| figure.value);
                let (target, group) = (self.target.written.clone(), format!("{}/{}", self.group.0, self.group.1));
                return Err(Unreached::TooMany { agents: high, target, group, metric: self.target.metric, value });
            }
            low = Some((high, found));
            high = (high * 2).min(AGENTS_MAX);
        };
        loop {
            let from = low.as_ref().map_or(0, |(agents, _)| *agents);
            if high - from <= 1 {
                return Ok((high, at, low.map(|(_, figures)| figures)));
            }
            let middle = from + (high - from) / 2;
            let (reached, found) = self.try_with(middle)?;
            if reached {
                (high, at) = (middle, found);
            } else {
                low = Some((middle, found));
            }
        }
    }
}

fn copy_of(account: &AccountId, at: u32) -> AccountId {
    AccountId::from(format!("{account}#{at}"))
}
