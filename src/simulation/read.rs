//! Reads a traffic file against the routing configuration that it is meant for: all faults at once, with their places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use super::random::Law;
use super::traffic::{Agents, Extent, Span, Stream, Traffic};
use crate::directory::{self, Diagnostic, Directory, Fault, Fields, Ledger, Place, Placed, ShopStatus, Source, Value};
use crate::model::{AccountId, EntryId, SellerId};

/// The most streams, and hours of a profile, and steps of a slowdown.
const MANY: usize = 10_000;
/// The highest rate of arrivals an hour.
const RATE_MAX: f64 = 1e9;
/// The keys of a context, at most.
const CONTEXT_MAX: usize = 16;

/// Reads a traffic file. The traffic is there if nothing is wrong. Without a routing configuration names are not
/// looked up.
pub fn read(name: &str, text: &str, directory: Option<&Directory>) -> (Option<Traffic>, Vec<Diagnostic>) {
    let mut ledger = Ledger::new(vec![Source::new(0, name, text)]);
    let reader = Reader { directory, agents: directory.map(agents_of).unwrap_or_default() };
    let mut traffic = Traffic::default();
    let mut first_of: BTreeMap<Arc<str>, Place> = BTreeMap::new();
    let (tops, _) = directory::tops(&mut ledger, 0, "the traffic");
    for mut top in tops {
        if let Some(mut fields) = table_of(&mut ledger, &mut top, "run", "[run]") {
            traffic.span = span(&mut ledger, &mut fields);
            fields.finish(&mut ledger);
        }
        for fields in top.elements(&mut ledger, "stream", "[[stream]]") {
            traffic.streams.extend(reader.stream(&mut ledger, fields, &mut first_of));
        }
        if let Some(mut fields) = table_of(&mut ledger, &mut top, "agents", "[agents]") {
            traffic.agents = reader.agents(&mut ledger, &mut fields);
            fields.finish(&mut ledger);
        }
        top.finish(&mut ledger);
    }
    if first_of.is_empty() && ledger.errors() == 0 {
        ledger.error(Place::default(), "there is no buyer").expecting("a [[stream]]");
    }
    let sound = ledger.errors() == 0;
    (sound.then_some(traffic), ledger.into_diagnostics())
}

/// Everybody who acts for a seller.
fn agents_of(directory: &Directory) -> BTreeSet<AccountId> {
    directory.sellers.values().flat_map(|seller| seller.agents.keys().cloned()).collect()
}

fn span(ledger: &mut Ledger<'_>, fields: &mut Fields<'_>) -> Span {
    let default = Span::default();
    let arrivals = fields.get(ledger, "arrivals", count);
    let duration = fields.get(ledger, "duration", directory::some_duration);
    if let (Some(arrivals), Some(_)) = (&arrivals, &duration) {
        ledger.error(arrivals.place, "a run ends by arrivals or by time, not by both").expecting("one of the two");
    }
    let counted = match (arrivals, duration) {
        (_, Some(duration)) => Extent::Time(micros(duration.value)),
        (Some(arrivals), None) => Extent::Arrivals(arrivals.value),
        (None, None) => default.counted,
    };
    let warm_up = fields.get(ledger, "warm_up", |value| match value {
        DeValue::Integer(_) => whole(value, 0).map(Extent::Arrivals),
        DeValue::String(_) => directory::duration(value).map(|duration| Extent::Time(micros(duration))),
        other => {
            let found = Fault::new(format!("this is {}", directory::kind(other)));
            Err(found.expecting("a number of arrivals, or a duration such as \"30m\""))
        }
    });
    let replications = fields.get(ledger, "replications", directory::whole(1, 100_000));
    let seed = fields.get(ledger, "seed", |value| whole(value, 0));
    let target = fields.get(ledger, "sl_target", directory::duration);
    Span {
        counted,
        warm_up: warm_up.map_or(default.warm_up, |warm_up| warm_up.value),
        replications: replications.map_or(default.replications, |count| count.value),
        seed: seed.map_or(default.seed, |seed| seed.value),
        sl_target: target.map_or(default.sl_target, |target| target.value),
    }
}

/// What names are looked up in.
struct Reader<'d> {
    directory: Option<&'d Directory>,
    agents: BTreeSet<AccountId>,
}

impl Reader<'_> {
    fn stream(
        &self,
        ledger: &mut Ledger<'_>,
        mut fields: Fields<'_>,
        first_of: &mut BTreeMap<Arc<str>, Place>,
    ) -> Option<Stream> {
        let id = fields.need(ledger, "id", directory::id);
        if let Some(id) = &id {
            match first_of.get(&id.value) {
                Some(first) => {
                    let first = ledger.locate(*first);
                    let message = format!("the stream `{}` stands at {first} already", id.value);
                    ledger.error(id.place, message).expecting("another id");
                }
                None => {
                    first_of.insert(Arc::clone(&id.value), id.place);
                }
            }
        }
        let way = self.way(ledger, &mut fields);
        let context = pairs(ledger, &mut fields, "context", directory::string);
        let attributes = pairs(ledger, &mut fields, "attrs", words);
        if let Some((_, place)) = context.get(CONTEXT_MAX) {
            ledger.error(*place, "a context has no more keys").expecting(format!("at most {CONTEXT_MAX} keys"));
        }
        let (profile, by_hour) = rates(ledger, &mut fields);
        let work = need_law(ledger, &mut fields, "work");
        let patience = fields.has("patience").then(|| need_law(ledger, &mut fields, "patience"));
        let returning = fields.get(ledger, "returning", |value| fraction(value, 0.0, 1.0));
        fields.finish(ledger);
        let (seller, entry) = way?;
        Some(Stream {
            id: id?.value,
            seller,
            entry,
            context: context.into_iter().map(|(pair, _)| pair).collect(),
            attributes: attributes.into_iter().map(|(pair, _)| pair).collect(),
            profile: profile?,
            by_hour,
            work: work?,
            patience: patience.flatten(),
            returning: returning.map_or(0.0, |share| share.value),
        })
    }

    /// The seller, and where the buyer comes in.
    fn way(&self, ledger: &mut Ledger<'_>, fields: &mut Fields<'_>) -> Option<(SellerId, EntryId)> {
        let place = fields.place;
        let seller = fields.get(ledger, "seller", directory::id);
        let shop = fields.get(ledger, "shop", directory::id);
        let entry = fields.get(ledger, "entry", directory::id);
        let given: Vec<_> = [&seller, &shop, &entry].into_iter().flatten().collect();
        match given[..] {
            [] => {
                if !fields.has("seller") && !ledger.is_incomplete(place.file) {
                    ledger.error(place, "a stream says with whom").expecting("seller, shop or entry");
                }
                return None;
            }
            [_] => {}
            [_, second, ..] => {
                ledger.error(second.place, "a stream comes in one way").expecting("one of seller, shop and entry");
                return None;
            }
        }
        let Some(directory) = self.directory else { return Some((SellerId::from(""), EntryId::from(""))) };
        let found = if let Some(name) = &seller {
            let found = directory.sellers.get(&*name.value);
            let valid = directory.sellers.keys().map(SellerId::as_str);
            found.or_else(|| refused(ledger, name, "seller", valid)).map(|seller| (seller, seller.shop.clone()))
        } else {
            let (name, what) = shop.as_ref().map(|name| (name, "shop")).or(entry.as_ref().map(|e| (e, "entry")))?;
            let of_shop = |id: &EntryId| what == "entry" || directory.sellers.values().any(|seller| seller.shop == *id);
            let valid = directory.entries.keys().filter(|id| of_shop(id));
            let found = valid.clone().find(|id| id.as_str() == &*name.value);
            let seller = found.and_then(|id| directory.sellers.get(directory.entries.get(id)?));
            seller
                .or_else(|| refused(ledger, name, what, valid.map(EntryId::as_str)))
                .map(|seller| (seller, EntryId::from(&*name.value)))
        };
        let (seller, entry) = found?;
        if seller.status == ShopStatus::Closed {
            ledger.error(given[0].place, format!("the shop of `{}` is closed", seller.id)).expecting("an open shop");
        }
        Some((seller.id.clone(), entry))
    }

    fn agents(&self, ledger: &mut Ledger<'_>, fields: &mut Fields<'_>) -> Agents {
        let mut shifts: BTreeMap<AccountId, Vec<(i64, i64)>> = BTreeMap::new();
        for mut fields in fields.elements(ledger, "shifts", "a shift") {
            let who = fields.need(ledger, "sub_account", directory::id);
            let from = fields.need(ledger, "from", directory::duration);
            let to = fields.need(ledger, "to", directory::duration);
            fields.finish(ledger);
            let who = who.and_then(|who| self.agent(ledger, &who));
            let (Some(from), Some(to)) = (from, to) else { continue };
            if to.value <= from.value {
                ledger.error(to.place, "a shift ends after it begins").expecting("`to` later than `from`");
            }
            let Some(who) = who else { continue };
            shifts.entry(who).or_default().push((micros(from.value), micros(to.value)));
        }
        shifts.values_mut().for_each(join);
        let mut speed = BTreeMap::new();
        if let Some(mut table) = table_of(ledger, fields, "speed", "speed") {
            for (who, value) in table.rest() {
                let who = Placed { value: Arc::from(&*who.value), place: who.place };
                let factor = directory::read_value(ledger, &value, |value| fraction(value, 1e-6, 1e6));
                let who = self.agent(ledger, &who);
                speed.extend(who.zip(factor.map(|factor| factor.value)));
            }
        }
        let place = fields.place;
        let given = fields.has("slowdown");
        let slowdown = fields.list(ledger, "slowdown", |ledger, value| {
            directory::read_value(ledger, &value, |value| fraction(value, 1e-6, 1e6)).map(|speed| speed.value)
        });
        if slowdown.len() > MANY || (given && slowdown.is_empty() && ledger.errors() == 0) {
            ledger.error(place, "`slowdown` has no fitting length").expecting(format!("1 to {MANY} speeds"));
        }
        Agents { shifts, speed, slowdown: slowdown.into() }
    }

    fn agent(&self, ledger: &mut Ledger<'_>, name: &Placed<Arc<str>>) -> Option<AccountId> {
        if self.directory.is_none() || self.agents.contains(&*name.value) {
            return Some(AccountId::from(&*name.value));
        }
        ledger.unknown(name.place, "agent", &name.value, self.agents.iter().map(AccountId::as_str));
        None
    }
}

fn refused<'n, T>(
    ledger: &mut Ledger<'_>,
    name: &Placed<Arc<str>>,
    what: &str,
    valid: impl IntoIterator<Item = &'n str>,
) -> Option<T> {
    ledger.unknown(name.place, what, &name.value, valid);
    None
}

/// Shifts that touch are one.
pub(super) fn join(shifts: &mut Vec<(i64, i64)>) {
    shifts.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::with_capacity(shifts.len());
    for (from, to) in shifts.drain(..) {
        match joined.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => joined.push((from, to)),
        }
    }
    *shifts = joined;
}

/// A table within another.
fn table_of<'i>(
    ledger: &mut Ledger<'_>,
    fields: &mut Fields<'i>,
    key: &'static str,
    what: &'static str,
) -> Option<Fields<'i>> {
    let value = fields.take(key)?;
    directory::table(ledger, value, what)
}

/// Names and values of a table, sorted by name.
fn pairs<T>(
    ledger: &mut Ledger<'_>,
    fields: &mut Fields<'_>,
    key: &'static str,
    read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
) -> Vec<((Arc<str>, T), Place)> {
    let Some(mut table) = table_of(ledger, fields, key, key) else { return Vec::new() };
    let mut pairs: Vec<((Arc<str>, T), Place)> = table
        .rest()
        .into_iter()
        .filter_map(|(name, value)| {
            let value = directory::read_value(ledger, &value, &read)?;
            Some(((Arc::from(&*name.value), value.value), name.place))
        })
        .collect();
    pairs.sort_by(|((a, _), _), ((b, _), _)| a.cmp(b));
    pairs
}

/// Arrivals an hour, and whether they are given by hour.
fn rates(ledger: &mut Ledger<'_>, fields: &mut Fields<'_>) -> (Option<Vec<f64>>, bool) {
    let by_hour = fields.has("profile");
    if by_hour == fields.has("rate") {
        if by_hour {
            ledger.error(fields.place, "a stream has a rate or a profile, not both").expecting("one of the two");
        } else if !ledger.is_incomplete(fields.place.file) {
            ledger.error(fields.place, "[[stream]] has no `rate`").expecting("`rate = …` or `profile = […]`");
        }
    }
    let rate = fields.get(ledger, "rate", |value| fraction(value, 0.0, RATE_MAX));
    let place = fields.place;
    let profile = fields.list(ledger, "profile", |ledger, value| {
        directory::read_value(ledger, &value, |value| fraction(value, 0.0, RATE_MAX)).map(|rate| rate.value)
    });
    let profile = if by_hour { profile } else { rate.into_iter().map(|rate| rate.value).collect() };
    if profile.is_empty() {
        return (None, by_hour);
    }
    if profile.len() > MANY || profile.iter().all(|rate| *rate <= 0.0) {
        let found = ledger.error(place, "nobody ever comes");
        found.expecting(format!("at most {MANY} hours, of which one has a rate above 0"));
        return (None, by_hour);
    }
    (Some(profile), by_hour)
}

fn need_law(ledger: &mut Ledger<'_>, fields: &mut Fields<'_>, key: &'static str) -> Option<Law> {
    const KINDS: &[(&str, u8)] = &[("exponential", 0), ("lognormal", 1), ("fixed", 2)];

    if !fields.has(key) {
        fields.lacks(ledger, key);
        return None;
    }
    let value: Value<'_> = fields.take(key)?;
    let mut law = directory::table(ledger, value, key)?;
    let kind = law.need(ledger, "kind", directory::choice(KINDS));
    let mean = law.need(ledger, "mean", directory::duration);
    let cv = law.take("cv");
    if let (Some(cv), Some(Placed { value: 0 | 2, .. })) = (&cv, &kind) {
        ledger.error(cv.place, "only a lognormal time has a `cv`").expecting("kind = \"lognormal\", or no `cv`");
    } else if cv.is_none() && kind.is_some_and(|kind| kind.value == 1) {
        law.lacks(ledger, "cv");
    }
    let cv = cv.and_then(|cv| directory::read_value(ledger, &cv, |value| fraction(value, 0.0, 100.0)));
    law.finish(ledger);
    let (kind, mean) = (kind?, mean?);
    if mean.value.is_zero() && kind.value != 2 {
        ledger.error(mean.place, "this is no time at all").expecting("a duration of more than 0s");
        return None;
    }
    let mean = micros(mean.value) as f64;
    match kind.value {
        0 => Some(Law::Exponential { mean }),
        1 => Some(Law::Lognormal { mean, cv: cv?.value }),
        _ => Some(Law::Fixed { mean }),
    }
}

/// A word, or a list of them.
fn words(value: &DeValue<'_>) -> Result<Vec<Arc<str>>, Fault> {
    match value {
        DeValue::Array(items) => items.iter().map(|item| directory::string(item.get_ref())).collect(),
        value => directory::string(value).map(|word| vec![word]),
    }
}

/// A number, whole or not, within bounds.
fn fraction(value: &DeValue<'_>, least: f64, most: f64) -> Result<f64, Fault> {
    let expected = format!("a number from {least} to {most}");
    let text = match value {
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        other => return Err(Fault::new(format!("this is {}", directory::kind(other))).expecting(expected)),
    };
    match text.replace('_', "").parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(Fault::new("this number is out of range").expecting(expected)),
    }
}

fn count(value: &DeValue<'_>) -> Result<u64, Fault> {
    whole(value, 1)
}

fn whole(value: &DeValue<'_>, least: i64) -> Result<u64, Fault> {
    let expected = format!("a whole number of at least {least}");
    let DeValue::Integer(number) = value else {
        return Err(Fault::new(format!("this is {}", directory::kind(value))).expecting(expected));
    };
    let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok().filter(|number| *number >= least);
    let parsed = parsed.and_then(|number| u64::try_from(number).ok());
    parsed.ok_or_else(|| Fault::new("this number is out of range").expecting(expected))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
