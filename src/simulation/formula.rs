//! The closed forms: Erlang's B, C and A, as one birth and death of a queue, and whether a configuration is one.

use std::collections::BTreeSet;

use serde::Serialize;

use super::figures::Named;
use super::random::Law;
use super::traffic::{HOUR, Stream};
use super::world::World;
use crate::directory::{Binding, Field, Group, Matcher, Otherwise, Pattern, RecentWhenFull, Seller, Target};
use crate::model::GroupId;
use crate::policy::Scope;

/// Seconds in a microsecond.
const MICRO: f64 = 1e-6;
/// States less likely than this are not looked at.
const RARE: f64 = 1e-13;
/// The most states.
const STATES_MAX: usize = 2_000_000;
/// So many buyers more or less that are picked up later change nothing.
const FEW: f64 = 1e-3;

/// A queue with Poisson arrivals, equal servers, and exponential times. Rates are per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// How often somebody comes.
    pub arrivals: f64,
    /// How often a server is done.
    pub service: f64,
    /// How often somebody who waits leaves; 0: never.
    pub impatience: f64,
    /// How many servers.
    pub servers: u32,
    /// How many may wait; none: any number.
    pub places: Option<u32>,
    /// Within which one should be served, in seconds.
    pub target: f64,
}

/// What the closed form says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Formula {
    /// Which: `erlang_b`, `erlang_c` or `erlang_a`.
    pub name: &'static str,
    /// Its figures, by the names of the simulated ones.
    #[serde(flatten)]
    pub figures: Named<f64>,
}

impl Model {
    /// Which closed form it is.
    pub fn name(&self) -> &'static str {
        match (self.places, self.impatience > 0.0) {
            (Some(0), _) => "erlang_b",
            (_, true) => "erlang_a",
            (_, false) => "erlang_c",
        }
    }

    /// The closed form; none if the queue grows without end.
    pub fn solve(&self) -> Option<Formula> {
        let states = self.states()?;
        let servers = self.servers as usize;
        let tail = &states[servers.min(states.len())..];
        let places = self.places.map_or(usize::MAX, |places| places as usize);
        let blocked: f64 = tail.iter().skip(places).fold(0.0, |sum, share| sum + share);
        let queued = &tail[..tail.len().min(places)];
        let length: f64 = tail.iter().enumerate().map(|(waiting, share)| waiting as f64 * share).sum();
        let accepted = 1.0 - blocked;
        let waiting: f64 = queued.iter().sum();
        let at_once: f64 = states[..servers.min(states.len())].iter().sum();
        let wait = length / (self.arrivals * accepted);
        let (served, served_wait) = self.served(queued);
        let busy: f64 = states.iter().enumerate().map(|(n, share)| n.min(servers) as f64 * share).sum();
        let mut figures = vec![
            ("p_wait", waiting / accepted),
            ("mean_wait", wait),
            ("mean_wait_all", wait),
            ("asa_served", served_wait / (at_once + served)),
            ("sl", at_once + self.in_time(queued)),
            ("p_abandon", self.impatience * length / self.arrivals),
            ("p_block", blocked),
            ("mean_queue_len", length),
            ("occupancy", busy / f64::from(self.servers)),
        ];
        if waiting > 0.0 {
            figures.push(("mean_wait_delayed", length / (self.arrivals * waiting)));
        }
        let figures = figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Some(Formula { name: self.name(), figures: Named(figures) })
    }

    /// How likely each number of buyers in the system is.
    fn states(&self) -> Option<Vec<f64>> {
        let endless = self.places.is_none() && self.impatience <= 0.0;
        if endless && self.arrivals >= f64::from(self.servers) * self.service {
            return None;
        }
        let last = self.places.map_or(STATES_MAX, |places| (self.servers as usize).saturating_add(places as usize));
        let mut weights = vec![1.0_f64];
        let mut sum = 1.0;
        for n in 1..=last.min(STATES_MAX) {
            let ratio = self.arrivals / self.leaving(n);
            if weights[n - 1] * ratio > 1e250 {
                // Only their proportions matter.
                weights.iter_mut().for_each(|weight| *weight /= 1e250);
                sum /= 1e250;
            }
            let weight = weights[n - 1] * ratio;
            weights.push(weight);
            sum += weight;
            if ratio < 1.0 && n > self.servers as usize && weight / (1.0 - ratio) < RARE * sum {
                break;
            }
            if n == STATES_MAX {
                return None;
            }
        }
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Some(weights)
    }

    /// How often somebody goes where so many are.
    fn leaving(&self, n: usize) -> f64 {
        let working = n.min(self.servers as usize) as f64;
        let waiting = n.saturating_sub(self.servers as usize) as f64;
        working * self.service + waiting * self.impatience
    }

    /// How often one with so many before it goes forward, once all servers are busy.
    fn forward(&self, before: usize) -> f64 {
        f64::from(self.servers) * self.service + before as f64 * self.impatience
    }

    /// Of those who have to wait: how many are served in the end, and the sum of their waits.
    fn served(&self, queued: &[f64]) -> (f64, f64) {
        let (mut share, mut time) = (1.0, 0.0);
        let (mut served, mut waits) = (0.0, 0.0);
        for (before, weight) in queued.iter().enumerate() {
            let forward = self.forward(before);
            let rate = forward + self.impatience;
            let goes = forward / rate;
            time = goes * (time + share / rate);
            share *= goes;
            served += weight * share;
            waits += weight * time;
        }
        (served, waits)
    }

    /// Of those who have to wait: how many are served within the target. By uniformisation: the steps of a chain that
    /// moves at one rate, weighed by how likely so many steps are in that time.
    fn in_time(&self, queued: &[f64]) -> f64 {
        if queued.is_empty() || self.target <= 0.0 {
            return 0.0;
        }
        let rate = self.forward(queued.len()) + self.impatience;
        let mean = rate * self.target;
        let steps = (mean + 8.0 * mean.sqrt() + 30.0) as usize;
        // How likely one with so many before it has been served after so many steps.
        let mut done = vec![0.0; queued.len()];
        let mut total = 0.0;
        for step in 0..=steps {
            let chance = libm::exp(step as f64 * libm::log(mean) - mean - libm::lgamma(step as f64 + 1.0));
            total += chance * queued.iter().zip(&done).map(|(weight, done)| weight * done).sum::<f64>();
            for before in (0..done.len()).rev() {
                let forward = self.forward(before);
                let ahead = if before == 0 { 1.0 } else { done[before - 1] };
                let stays = rate - forward - self.impatience;
                done[before] = (forward * ahead + stays * done[before]) / rate;
            }
        }
        total
    }
}

/// A world that is a closed form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The group that it is about, as its place in the world.
    pub group: usize,
    /// The closed form.
    pub model: Model,
    /// Whether buyers who were refused are picked up later, which no closed form knows.
    picks_up: bool,
}

impl Fit {
    /// What the closed form says of as many servers as there are, so many times over; none if it does not fit those.
    pub fn solve(&self, times: u32) -> Option<Formula> {
        let model = Model { servers: self.model.servers.saturating_mul(times), ..self.model };
        let formula = model.solve()?;
        let blocked = formula.figures.find("p_block").copied().unwrap_or(0.0);
        (!self.picks_up || blocked < FEW).then_some(formula)
    }
}

/// The closed form that a world is, if it is one.
pub fn fit(world: &World) -> Option<Fit> {
    let traffic = &world.traffic;
    let first = traffic.streams.first()?;
    let seller = world.directory.sellers.get(&first.seller)?;
    let (group, loses) = way(seller, first)?;
    let alike = |stream: &Stream| {
        stream.seller == first.seller
            && stream.work == first.work
            && stream.patience == first.patience
            && way(seller, stream).as_ref() == Some(&(group.clone(), loses))
            && priority(seller, stream) == priority(seller, first)
            && stream.profile.iter().all(|rate| *rate == stream.profile[0])
    };
    if !traffic.agents.shifts.is_empty() || !traffic.agents.slowdown.is_empty() || !traffic.streams.iter().all(alike) {
        return None;
    }
    let at = world.group_at(&seller.id, &group)?;
    let config = seller.group(&group)?;
    let (servers, speed) = servers(world, seller, config)?;
    let work = match first.work {
        Law::Exponential { mean } => mean,
        // A loss system does not mind how long is long.
        law if loses => law.mean(),
        _ => return None,
    };
    let impatience = match first.patience {
        None => 0.0,
        Some(_) if loses => 0.0,
        Some(Law::Exponential { mean }) => 1.0 / (mean * MICRO),
        Some(_) => return None,
    };
    let per_hour: f64 = traffic.streams.iter().map(|stream| stream.profile[0]).sum();
    let places = if loses { Some(0) } else { Some(config.queue_limit).filter(|limit| *limit > 0) };
    let model = Model {
        arrivals: per_hour / (HOUR as f64 * MICRO),
        service: speed / (work * MICRO),
        impatience,
        servers,
        places,
        target: traffic.span.sl_target.as_secs_f64(),
    };
    let returns = traffic.streams.iter().any(|stream| stream.returning > 0.0);
    let plain = config.overflow.is_empty()
        && config.wrap_up.is_zero()
        && config.spacing.is_zero()
        && config.max_wait.is_none()
        && (!returns || config.recent_agent.is_none() || config.recent_agent_when_full == RecentWhenFull::Skip)
        && (!config.pickup_left_messages || !loses);
    plain.then_some(Fit { group: at, model, picks_up: config.pickup_left_messages })
}

/// How many conversations the members of a group can have at once, and how fast each goes on; none if they differ.
fn servers(world: &World, seller: &Seller, group: &Group) -> Option<(u32, f64)> {
    let mut servers = 0_u32;
    let mut speeds = BTreeSet::new();
    for member in &group.members {
        let authorization = seller.agents.get(&member.account)?;
        if !authorization.scopes.has(Scope::Receive) || authorization.in_force_until <= world.start {
            continue;
        }
        let limits = [authorization.capacity, member.capacity, Some(world.directory.capacity_of(&member.account))];
        servers = servers.saturating_add(limits.into_iter().flatten().min()?);
        speeds.insert(world.traffic.agents.speed.get(&member.account).copied().unwrap_or(1.0).to_bits());
    }
    let speed = speeds.pop_first().filter(|_| speeds.is_empty())?;
    (servers > 0).then_some((servers, f64::from_bits(speed)))
}

/// The group to which every buyer of a stream goes, and whether one who finds it full is refused; none if that depends
/// on more than the stream.
fn way(seller: &Seller, stream: &Stream) -> Option<(GroupId, bool)> {
    let mut tried: Option<&GroupId> = None;
    for binding in &seller.bindings {
        if !matches(binding, stream)? {
            continue;
        }
        match (&binding.to, tried) {
            (Target::Group(group), None) if binding.otherwise == Otherwise::Wait => {
                return Some((group.clone(), false));
            }
            (Target::Group(group), None) => tried = Some(group),
            (Target::LeaveMessage(_), Some(group)) => return Some((group.clone(), true)),
            _ => return None,
        }
    }
    let default = &seller.default_group;
    tried.is_none_or(|group| group == default).then(|| (default.clone(), false))
}

fn priority(seller: &Seller, stream: &Stream) -> u32 {
    let matched = seller.bindings.iter().filter(|binding| matches(binding, stream) == Some(true));
    matched.map(|binding| binding.priority).max().unwrap_or(0)
}

/// Whether a binding matches every buyer of a stream, or none; `None` if that depends.
fn matches(binding: &Binding, stream: &Stream) -> Option<bool> {
    let mut all = true;
    for matcher in &binding.when {
        let Matcher::Value { field, any } = matcher else { return None };
        let fits = |value: &str| any.iter().any(|pattern| Pattern::fits(pattern, value));
        let holds = match field {
            Field::Buyer => return None,
            Field::Keyword => false,
            Field::Entry => fits(stream.entry.as_str()),
            Field::Context(name) => stream.context.iter().any(|(key, value)| key == name && fits(value)),
            Field::Attribute(name) => {
                stream.attributes.iter().any(|(key, values)| key == name && values.iter().any(|value| fits(value)))
            }
        };
        all &= holds;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(model: &Model, name: &str) -> f64 {
        *model.solve().unwrap().figures.find(name).unwrap()
    }

    const TEN: Model =
        Model { arrivals: 0.1, service: 0.0125, impatience: 0.0, servers: 10, places: None, target: 20.0 };

    #[test]
    fn erlang_b_is_that_of_the_tables() {
        let model = Model { places: Some(0), ..TEN };

        assert_eq!(model.name(), "erlang_b");
        assert!((value(&model, "p_block") - 0.121_661).abs() < 1e-6, "{}", value(&model, "p_block"));
    }

    #[test]
    fn erlang_c_is_that_of_the_tables() {
        let wait = value(&TEN, "p_wait");
        let rate = 10.0 * 0.0125 - 0.1;

        assert!((wait - 0.409_180).abs() < 1e-6, "{wait}");
        assert!((value(&TEN, "mean_wait") - wait / rate).abs() < 1e-6);
        assert!((value(&TEN, "sl") - (1.0 - wait * (-rate * 20.0_f64).exp())).abs() < 1e-6);
        assert!((value(&TEN, "occupancy") - 0.8).abs() < 1e-9);
        assert_eq!(Model { arrivals: 0.2, ..TEN }.solve(), None);
    }

    #[test]
    fn with_patience_as_long_as_service_nobody_waits_beyond_a_queue_without_end() {
        // With equal rates the number in the system is that of an endless row of servers.
        let model = Model { impatience: 0.0125, ..TEN };
        let poisson: f64 = {
            let mut weight = (-8.0_f64).exp();
            let mut above = 1.0;
            for n in 0..10_u32 {
                above -= weight;
                weight *= 8.0 / f64::from(n + 1);
            }
            above
        };

        assert!((value(&model, "p_wait") - poisson).abs() < 1e-9);
        let kept = 1.0 - value(&model, "p_abandon");
        assert!((value(&model, "occupancy") - 0.8 * kept).abs() < 1e-9);
        assert!(value(&model, "asa_served") < value(&model, "mean_wait_delayed"));
    }

    #[test]
    fn waits_of_all_are_those_of_the_served_and_of_those_who_left() {
        let model = Model { impatience: 0.02, arrivals: 0.15, ..TEN };
        let states = model.states().unwrap();

        let (served, served_wait) = model.served(&states[10..]);

        let left: f64 = states[10..].iter().sum::<f64>() - served;
        assert!((left - value(&model, "p_abandon")).abs() < 1e-9);
        assert!(served_wait < value(&model, "mean_wait"));
    }
}
