//! A scenario: who takes part, how the load rises and falls, and of what it is made. It is read from TOML.
//! What becomes of it is not here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most stages a scenario may have.
const STAGES_MAX: usize = 100;
/// The most sessions of one kind: beyond it one process cannot have that many files anyway.
const SESSIONS_MAX: usize = 1_000_000;

/// What is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called in reports.
    pub name: String,
    /// What chance is drawn from: the same seed makes the same orders at the same times.
    #[serde(default = "one")]
    pub seed: u64,
    /// Characters of a message's text, at least 48.
    #[serde(default = "text_characters")]
    pub text: usize,
    /// Who takes part.
    #[serde(default)]
    pub people: People,
    /// Of what the load is made: weights of what is done.
    #[serde(default)]
    pub mix: Mix,
    /// 0: open loop, everything is due at a time of its own. Otherwise every talking buyer keeps so many messages
    /// unanswered and nothing else is done; stages then only last.
    #[serde(default)]
    pub closed_loop: usize,
    /// How the load rises and falls, one stage after the other.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
    /// Sudden losses of many connections, all of which come back at once.
    #[serde(default, rename = "storm")]
    pub storms: Vec<Storm>,
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct People {
    /// How many sellers of the routing configuration, in order of their ids; 0: all that are open.
    pub sellers: usize,
    /// How many agents of these sellers, in order of their ids; 0: all who may receive conversations.
    pub agents: usize,
    /// Buyers, spread evenly over the sellers.
    pub buyers: usize,
    /// How many buyers begin with a conversation; the others wait for a `start`.
    pub talking: usize,
    /// Sessions that only stay.
    pub idle: usize,
    /// Buyers that have a conversation and do not read what they are sent until the end.
    pub slow_readers: usize,
}

impl Default for People {
    fn default() -> Self {
        Self { sellers: 0, agents: 0, buyers: 100, talking: usize::MAX, idle: 0, slow_readers: 0 }
    }
}

/// Weights of what is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mix {
    /// A buyer writes.
    pub talk: u32,
    /// An agent writes.
    pub answer: u32,
    /// A buyer without a conversation starts one.
    pub start: u32,
    /// A buyer closes its conversation.
    pub close: u32,
    /// An agent hands a conversation to the group again.
    pub transfer: u32,
    /// Somebody connects, opens a session and goes.
    pub connect: u32,
}

impl Default for Mix {
    fn default() -> Self {
        Self { talk: 1, answer: 0, start: 0, close: 0, transfer: 0, connect: 0 }
    }
}

/// A stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What it is called in reports and thresholds.
    pub name: String,
    /// How long it lasts.
    #[serde(with = "humantime_serde")]
    pub lasts: Duration,
    /// Orders a second at its end; it begins with the rate of the stage before, the first one with 0 …
    #[serde(default)]
    pub rate: f64,
    /// … unless this says otherwise.
    #[serde(default)]
    pub from: Option<f64>,
}

/// Many connections break at once, and come back at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// When, from the beginning of the first stage.
    #[serde(with = "humantime_serde")]
    pub at: Duration,
    /// How many buyers.
    #[serde(default)]
    pub buyers: usize,
    /// How many agents.
    #[serde(default)]
    pub agents: usize,
    /// How many of the idle.
    #[serde(default)]
    pub idle: usize,
}

/// What is wrong with a scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It cannot be read as one.
    #[error("the scenario is not valid:\n{0}")]
    Unreadable(#[from] Box<toml::de::Error>),
    /// It can be read and makes no sense.
    #[error("the scenario is not valid: {0}")]
    Senseless(String),
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(Box::new)?;
        scenario.checked()
    }

    /// The same, if it makes sense.
    ///
    /// # Errors
    /// The first thing that makes none.
    pub fn checked(mut self) -> Result<Self, ScenarioError> {
        let senseless = |why: String| Err(ScenarioError::Senseless(why));
        if self.stages.is_empty() || self.stages.len() > STAGES_MAX {
            return senseless(format!("expected 1 to {STAGES_MAX} stages"));
        }
        for stage in &self.stages {
            if stage.lasts.is_zero() {
                return senseless(format!("stage `{}` lasts no time", stage.name));
            }
            let rates = [Some(stage.rate), stage.from];
            if rates.into_iter().flatten().any(|rate| !(0.0..=10_000_000.0).contains(&rate)) {
                return senseless(format!("stage `{}`: a rate is 0 to 10 million orders a second", stage.name));
            }
        }
        let people = &mut self.people;
        people.talking = people.talking.min(people.buyers);
        if people.buyers.max(people.idle) > SESSIONS_MAX {
            return senseless(format!("at most {SESSIONS_MAX} buyers and idle sessions"));
        }
        if people.slow_readers > people.talking {
            return senseless("slow readers are among the talking buyers: there are more of them".into());
        }
        if self.mix.total() == 0 && self.closed_loop == 0 && self.storms.is_empty() && people.idle == 0 {
            return senseless("nothing is done: every weight of the mix is 0".into());
        }
        let total = self.lasts();
        if let Some(storm) = self.storms.iter().find(|storm| storm.at >= total) {
            return senseless(format!("the storm at {:?} comes after the end", storm.at));
        }
        self.text = self.text.clamp(48, 8000);
        Ok(self)
    }

    /// How long all stages last together.
    pub fn lasts(&self) -> Duration {
        self.stages.iter().map(|stage| stage.lasts).sum()
    }
}

impl Mix {
    /// The sum of the weights.
    pub fn total(&self) -> u32 {
        [self.talk, self.answer, self.start, self.close, self.transfer, self.connect]
            .into_iter()
            .fold(0, u32::saturating_add)
    }
}

fn one() -> u64 {
    1
}

fn text_characters() -> usize {
    95
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_scenarios_are_valid() {
        for text in [
            include_str!("../../config/load/relay.toml"),
            include_str!("../../config/load/day.toml"),
            include_str!("../../config/load/storm.toml"),
        ] {
            Scenario::parse(text).unwrap();
        }
    }

    #[test]
    fn a_typo_never_passes_silently() {
        let error = Scenario::parse("name = 'x'\n[[stage]]\nname = 'a'\nlast = '1s'").unwrap_err();

        assert!(error.to_string().contains("last"), "{error}");
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (text, said) in [
            ("name = 'x'\nstage = []", "1 to 100 stages"),
            ("name = 'x'\n[[stage]]\nname = 'a'\nlasts = '0s'", "lasts no time"),
            ("name = 'x'\n[[stage]]\nname = 'a'\nlasts = '1s'\nrate = -1.0", "a rate is"),
            ("name = 'x'\n[mix]\ntalk = 0\n[[stage]]\nname = 'a'\nlasts = '1s'", "nothing is done"),
            ("name = 'x'\n[[stage]]\nname = 'a'\nlasts = '1s'\n[[storm]]\nat = '2s'", "after the end"),
        ] {
            let error = Scenario::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
