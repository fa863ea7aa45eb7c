//! Conditions that results must meet, as in `wait_p95<=30s` or `groups.tea/presale.sl>=0.8`.

use super::figures::Figures;
use super::part::{AGENT_METRICS, METRICS};
use super::results::Results;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    written: String,
    scope: Scope,
    metric: String,
    test: Test,
    bound: f64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Total,
    Stream(String),
    Group(String),
    Agent(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    AtMost,
    AtLeast,
    Below,
    Above,
}

impl Threshold {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        const TESTS: [(&str, Test); 4] =
            [("<=", Test::AtMost), (">=", Test::AtLeast), ("<", Test::Below), (">", Test::Above)];

        let parts = TESTS.into_iter().find_map(|(sign, test)| Some((text.split_once(sign)?, test)));
        let ((name, bound), test) = parts.ok_or("expected a figure, <=, >=, < or >, and a bound: wait_p95<=30s")?;
        let (scope, metric) = match name.trim().rsplit_once('.') {
            None => (Scope::Total, name.trim()),
            Some((scope, metric)) => (Scope::parse(scope)?, metric),
        };
        let agents = matches!(scope, Scope::Agent(_));
        let known = || METRICS.iter().map(|metric| metric.name).filter(|_| !agents);
        let known = || known().chain(AGENT_METRICS.iter().map(|metric| metric.name).filter(|_| agents));
        if !known().any(|known| known == metric) {
            let alike = |name: &&str| strsim::jaro_winkler(name, metric) >= 0.8;
            let nearest = known()
                .filter(alike)
                .max_by(|a, b| strsim::jaro_winkler(a, metric).total_cmp(&strsim::jaro_winkler(b, metric)));
            let nearest = nearest.map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"));
            return Err(format!("there is no figure `{metric}`{nearest}"));
        }
        let bound = bound.trim();
        let seconds = || humantime_serde::re::humantime::parse_duration(bound).ok().map(|bound| bound.as_secs_f64());
        let bound = bound.parse().ok().or_else(seconds).ok_or_else(|| format!("`{bound}` is no number or duration"))?;
        Ok(Self { written: text.to_owned(), scope, metric: metric.to_owned(), test, bound })
    }

    /// What is said if the results do not meet it.
    pub fn crossed(&self, results: &Results) -> Option<String> {
        let all = &results.all;
        let figures: Option<&Figures> = match &self.scope {
            Scope::Total => Some(&all.total),
            Scope::Stream(name) => all.streams.find(name),
            Scope::Group(name) => all.groups.find(name),
            Scope::Agent(name) => all.agents.find(name),
        };
        let Some(value) = figures.and_then(|figures| figures.find(&self.metric)).map(|figure| figure.value) else {
            return Some(format!("the threshold {} has nothing to look at", self.written));
        };
        let holds = match self.test {
            Test::AtMost => value <= self.bound,
            Test::AtLeast => value >= self.bound,
            Test::Below => value < self.bound,
            Test::Above => value > self.bound,
        };
        (!holds).then(|| format!("the threshold {} is crossed: {value}", self.written))
    }
}

impl Scope {
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('.') {
            None if text == "total" => Ok(Self::Total),
            Some(("streams", name)) => Ok(Self::Stream(name.to_owned())),
            Some(("groups", name)) => Ok(Self::Group(name.to_owned())),
            Some(("agents", name)) => Ok(Self::Agent(name.to_owned())),
            _ => Err(format!("`{text}` is none of total, streams.ID, groups.SELLER/GROUP and agents.ID")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_names_a_figure_its_place_and_a_bound() {
        let found = Threshold::parse("groups.tea/presale.wait_p95 <= 1m").unwrap();

        assert_eq!(found.scope, Scope::Group("tea/presale".to_owned()));
        assert_eq!((found.metric.as_str(), found.test, found.bound), ("wait_p95", Test::AtMost, 60.0));
    }

    #[test]
    fn a_figure_that_is_none_is_refused_with_the_nearest() {
        let refused = Threshold::parse("p_abandom<30s").unwrap_err();

        assert_eq!(refused, "there is no figure `p_abandom`; did you mean `p_abandon`?");
        assert!(Threshold::parse("sl").is_err() && Threshold::parse("sl>=soon").is_err());
    }
}
