//! Groups and bindings as they were written.

use std::sync::Arc;

use toml::de::DeValue;

use super::document::{BindingElement, GroupElement, GroupSettings, MatcherElement, Name, TargetElement};
use super::fields::{Fault, Fields, Value, mistyped, read_value, table, unknown_key};
use super::ledger::Ledger;
use super::source::Placed;
use super::{
    Assignment, Field, Otherwise, Pattern, PriorityStep, RecentWhenFull, Strategy, WhenAllAway, WhenLost, read, value,
};

/// The keys of a context that a matcher may look at.
pub const CONTEXT_KEYS: [&str; 7] = ["product", "category", "order", "order_stage", "source", "language", "region"];

const STRATEGIES: [(&str, Strategy); 5] = [
    ("least_loaded", Strategy::LeastLoaded),
    ("least_active", Strategy::LeastActive),
    ("longest_idle", Strategy::LongestIdle),
    ("round_robin", Strategy::RoundRobin),
    ("weighted", Strategy::Weighted),
];
const ASSIGNMENTS: [(&str, Assignment); 2] = [("auto", Assignment::Auto), ("offer", Assignment::Offer)];
const WHEN_LOST: [(&str, WhenLost); 2] = [("reroute", WhenLost::Reroute), ("keep", WhenLost::Keep)];
const WHEN_ALL_AWAY: [(&str, WhenAllAway); 3] =
    [("queue", WhenAllAway::Queue), ("assign", WhenAllAway::Assign), ("leave_message", WhenAllAway::LeaveMessage)];

pub(super) fn group(ledger: &mut Ledger<'_>, mut fields: Fields<'_>) -> GroupElement {
    let place = fields.place;
    let id = fields.need(ledger, "id", value::id);
    let name = fields.get(ledger, "name", value::name).map(|name| name.value);
    let members = fields.list(ledger, "members", read::member);
    let overflow = fields.elements(ledger, "overflow", "an overflow step");
    let overflow = overflow.into_iter().map(|step| read::overflow(ledger, step)).collect();
    let settings = settings(ledger, &mut fields);
    fields.finish(ledger);
    GroupElement { place, id, name, members, overflow, settings }
}

fn settings(ledger: &mut Ledger<'_>, fields: &mut Fields<'_>) -> GroupSettings {
    macro_rules! get {
        ($key:literal, $read:expr) => {
            fields.get(ledger, $key, $read).map(|given| given.value)
        };
    }

    GroupSettings {
        strategy: get!("strategy", value::choice(&STRATEGIES)),
        recent_agent: get!("recent_agent", value::switched_duration),
        recent_agent_even_if_away: get!("recent_agent_even_if_away", value::truth),
        recent_agent_when_full: get!("recent_agent_when_full", recent_when_full),
        assignment: get!("assignment", value::choice(&ASSIGNMENTS)),
        offer_timeout: get!("offer_timeout", value::some_duration),
        missed_offers: get!("missed_offers", value::whole(1, 1_000)),
        queue_limit: get!("queue_limit", value::whole(0, 1_000_000)),
        max_wait: get!("max_wait", value::switched_duration),
        abandon_after: get!("abandon_after", value::duration),
        overdue_warning: fields.get(ledger, "overdue_warning", value::some_duration),
        reply_within: get!("reply_within", value::some_duration),
        reassign_unanswered: get!("reassign_unanswered", value::switched_duration),
        close_idle: get!("close_idle", value::some_duration),
        wrap_up: get!("wrap_up", value::duration),
        reopen_within: get!("reopen_within", value::duration),
        when_agent_lost: get!("when_agent_lost", value::choice(&WHEN_LOST)),
        when_all_away: get!("when_all_away", value::choice(&WHEN_ALL_AWAY)),
        pickup_left_messages: get!("pickup_left_messages", value::truth),
        left_message_age: get!("left_message_age", value::duration),
        priority_step: get!("priority_step", priority_step),
        spacing: get!("spacing", value::duration),
        buyer_gone_after: get!("buyer_gone_after", value::duration),
        welcome_text: get!("welcome_text", value::text),
        offline_text: get!("offline_text", value::text),
    }
}

fn recent_when_full(value: &DeValue<'_>) -> Result<RecentWhenFull, Fault> {
    const EXPECTED: &str = "\"skip\", \"exceed\" or a duration such as \"20s\"";
    match value {
        DeValue::String(text) if text == "skip" => Ok(RecentWhenFull::Skip),
        DeValue::String(text) if text == "exceed" => Ok(RecentWhenFull::Exceed),
        DeValue::String(_) => {
            value::some_duration(value).map(RecentWhenFull::Wait).map_err(|fault| fault.expecting(EXPECTED))
        }
        value => Err(read::neither(value, EXPECTED)),
    }
}

fn priority_step(value: &DeValue<'_>) -> Result<PriorityStep, Fault> {
    const EXPECTED: &str = "\"strict\" or a duration such as \"60s\"";
    match value {
        DeValue::String(text) if text == "strict" => Ok(PriorityStep::Strict),
        DeValue::String(_) => {
            value::some_duration(value).map(PriorityStep::Worth).map_err(|fault| fault.expecting(EXPECTED))
        }
        value => Err(read::neither(value, EXPECTED)),
    }
}

pub(super) fn binding(ledger: &mut Ledger<'_>, mut fields: Fields<'_>) -> BindingElement {
    let place = fields.place;
    let id = fields.need(ledger, "id", value::id);
    let (when, when_is_sound) = match fields.take("when") {
        Some(value) => matchers(ledger, value),
        None => (Vec::new(), true),
    };
    let to = match fields.take("to") {
        Some(value) => target(ledger, value),
        None => {
            fields.lacks(ledger, "to");
            None
        }
    };
    let otherwise = [("wait", Otherwise::Wait), ("next", Otherwise::Next)];
    let otherwise = fields.get(ledger, "otherwise", value::choice(&otherwise)).map(|otherwise| otherwise.value);
    let priority = fields.get(ledger, "priority", value::whole(0, 1_000)).map_or(0, |priority| priority.value);
    let group = fields.get(ledger, "group", value::id);
    if let (Some(TargetElement::Group(_)), Some(group)) = (&to, &group) {
        ledger
            .error(group.place, "`group` goes with a binding to an agent or to a left message")
            .expecting("no such key");
    }
    fields.finish(ledger);
    let sound = when_is_sound && to.is_some();
    BindingElement { place, id, when, to, otherwise, priority, group, sound }
}

/// The matchers, in file order, and whether all of them could be read.
fn matchers(ledger: &mut Ledger<'_>, value: Value<'_>) -> (Vec<MatcherElement>, bool) {
    let mut matchers = Vec::new();
    let Some(mut fields) = table(ledger, value, "`when`") else { return (matchers, false) };
    let mut sound = true;
    for (key, value) in fields.rest() {
        if key.value == "attr" {
            let Some(mut attributes) = table(ledger, value, "`attr`") else {
                sound = false;
                continue;
            };
            for (name, value) in attributes.rest() {
                let read = values(ledger, value, Field::Attribute(name.value.into()));
                sound &= read.is_some();
                matchers.extend(read);
            }
            continue;
        }
        let read = matcher(ledger, &key, value);
        sound &= read.is_some();
        matchers.extend(read);
    }
    (matchers, sound)
}

fn matcher(ledger: &mut Ledger<'_>, key: &Placed<String>, value: Value<'_>) -> Option<MatcherElement> {
    let field = match key.value.as_str() {
        "buyer" => Field::Buyer,
        "entry" => Field::Entry,
        "keyword" => Field::Keyword,
        "hours" => return strings(ledger, value).map(MatcherElement::Hours),
        name if CONTEXT_KEYS.contains(&name) => Field::Context(name.into()),
        _ => {
            let mut known = vec!["buyer", "entry", "attr", "hours", "keyword"];
            known.extend(CONTEXT_KEYS);
            unknown_key(ledger, key, "`when`", &known);
            return None;
        }
    };
    values(ledger, value, field)
}

fn values(ledger: &mut Ledger<'_>, value: Value<'_>, field: Field) -> Option<MatcherElement> {
    let texts = strings(ledger, value)?;
    let any = texts.into_iter().map(|text| Placed { value: pattern(&field, &text.value), place: text.place }).collect();
    Some(MatcherElement::Value { field, any })
}

/// A trailing `*` is any rest. A keyword is sought anywhere, so that a rest makes no difference.
fn pattern(field: &Field, text: &str) -> Pattern {
    let prefix = text.strip_suffix('*');
    match field {
        Field::Keyword => Pattern::Exactly(prefix.unwrap_or(text).to_lowercase().into()),
        _ => match prefix {
            Some(prefix) => Pattern::Prefix(prefix.into()),
            None => Pattern::Exactly(text.into()),
        },
    }
}

/// A string or a list of strings, none of them empty.
fn strings(ledger: &mut Ledger<'_>, value: Value<'_>) -> Option<Vec<Name>> {
    const EXPECTED: &str = "a string or a list of strings";

    let full = |value: &DeValue<'_>| -> Result<Arc<str>, Fault> {
        match value {
            DeValue::String(text) if text.is_empty() => {
                Err(Fault::new("an empty text matches nothing").expecting(EXPECTED))
            }
            DeValue::String(text) => Ok(text.as_ref().into()),
            value => Err(read::neither(value, EXPECTED)),
        }
    };
    match value.value {
        DeValue::String(_) => read_value(ledger, &value, full).map(|text| vec![text]),
        DeValue::Array(items) if items.is_empty() => {
            ledger.error(value.place, "an empty list matches nothing").expecting("at least one string");
            None
        }
        DeValue::Array(items) => {
            let count = items.len();
            let values = items.into_iter().map(|item| {
                let place = super::ledger::place(value.place.file, &item.span());
                Placed { value: item.into_inner(), place }
            });
            let texts: Vec<Name> = values.filter_map(|item| read_value(ledger, &item, full)).collect();
            (texts.len() == count).then_some(texts)
        }
        other => {
            mistyped(ledger, value.place, &other, EXPECTED);
            None
        }
    }
}

fn target(ledger: &mut Ledger<'_>, value: Value<'_>) -> Option<TargetElement> {
    const EXPECTED: &str = "one of { group = … }, { sub_account = … }, { leave_message = … }";

    let place = value.place;
    let DeValue::Table(_) = value.value else {
        mistyped(ledger, place, &value.value, EXPECTED);
        return None;
    };
    let mut fields = table(ledger, value, "`to`")?;
    let given = ["group", "sub_account", "leave_message"].iter().filter(|key| fields.has(key)).count();
    let group = fields.get(ledger, "group", value::id).map(TargetElement::Group);
    let agent = fields.get(ledger, "sub_account", value::id).map(TargetElement::Agent);
    let text = fields.get(ledger, "leave_message", value::text).map(|text| TargetElement::LeaveMessage(text.value));
    fields.finish(ledger);
    if given != 1 {
        ledger.error(place, "a binding has exactly one target").expecting(EXPECTED);
        return None;
    }
    group.or(agent).or(text)
}
