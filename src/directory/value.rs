//! Single values of the configuration: ids, texts, numbers, durations, dates, hours.
//! What they refer to is not looked up here.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use toml::de::DeValue;

use super::fields::{Fault, kind};

/// The longest id, in characters.
pub const ID_MAX: usize = 64;
/// The longest name of a person, shop or group, in characters.
pub const NAME_MAX: usize = 100;
/// The longest text that buyers are sent, in characters.
pub const TEXT_MAX: usize = 2_000;
/// The longest duration.
pub const DURATION_MAX: Duration = Duration::from_secs(3_650 * 24 * 3600);

const NAMELY_DURATION: &str = "a duration such as \"30s\", \"10m\" or \"72h\"";

fn other(value: &DeValue<'_>, expected: &str) -> Fault {
    Fault::new(format!("this is {}", kind(value))).expecting(expected)
}

/// Any string.
pub(crate) fn string(value: &DeValue<'_>) -> Result<Arc<str>, Fault> {
    match value {
        DeValue::String(text) => Ok(text.as_ref().into()),
        value => Err(other(value, "a string")),
    }
}

/// An id: of letters, digits and `-_.:@`, beginning with a letter or digit.
pub(crate) fn id(value: &DeValue<'_>) -> Result<Arc<str>, Fault> {
    const EXPECTED: &str = "1 to 64 letters, digits and `-_.:@`, a letter or digit first";
    let text = string(value).map_err(|fault| fault.expecting(format!("a string: {EXPECTED}")))?;
    let fault = |message: &str| Err(Fault::new(message).expecting(EXPECTED));
    if text.is_empty() {
        return fault("an id is not empty");
    }
    if text.chars().count() > ID_MAX {
        return fault("this id is too long");
    }
    if !text.starts_with(char::is_alphanumeric) {
        return fault("an id begins with a letter or a digit");
    }
    match text.chars().find(|letter| !letter.is_alphanumeric() && !"-_.:@".contains(*letter)) {
        Some(letter) => fault(&format!("an id has no {letter:?}")),
        None => Ok(text),
    }
}

/// A text of one line that people read.
pub(crate) fn name(value: &DeValue<'_>) -> Result<Arc<str>, Fault> {
    let text = string(value)?;
    let expected = format!("1 to {NAME_MAX} characters in one line");
    if text.trim().is_empty() {
        return Err(Fault::new("a name is not empty").expecting(expected));
    }
    if text.chars().count() > NAME_MAX {
        return Err(Fault::new("this name is too long").expecting(expected));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::new("a name has no control characters").expecting(expected));
    }
    Ok(text)
}

/// A text that buyers are sent.
pub(crate) fn text(value: &DeValue<'_>) -> Result<Arc<str>, Fault> {
    let text = string(value)?;
    if text.trim().is_empty() {
        return Err(Fault::new("a text is not empty").expecting("a text, or no such key"));
    }
    if text.chars().count() > TEXT_MAX {
        return Err(Fault::new("this text is too long").expecting(format!("at most {TEXT_MAX} characters")));
    }
    Ok(text)
}

/// `true` or `false`.
pub(crate) fn truth(value: &DeValue<'_>) -> Result<bool, Fault> {
    match value {
        DeValue::Boolean(truth) => Ok(*truth),
        value => Err(other(value, "true or false")),
    }
}

/// A whole number within bounds.
pub(crate) fn whole(least: u32, most: u32) -> impl Fn(&DeValue<'_>) -> Result<u32, Fault> {
    move |value| {
        let expected = format!("a whole number from {least} to {most}");
        let DeValue::Integer(number) = value else { return Err(other(value, &expected)) };
        let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok();
        let parsed = parsed.and_then(|number| u32::try_from(number).ok());
        match parsed.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(number),
            None => Err(Fault::new("this number is out of range").expecting(expected)),
        }
    }
}

/// One of a few names.
pub(crate) fn choice<T: Copy>(names: &[(&'static str, T)]) -> impl Fn(&DeValue<'_>) -> Result<T, Fault> {
    move |value| {
        let list = names.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let expected = format!("one of {list}");
        let DeValue::String(text) = value else { return Err(other(value, &expected)) };
        if let Some((_, chosen)) = names.iter().find(|(name, _)| name == text) {
            return Ok(*chosen);
        }
        let alike = names.iter().map(|(name, _)| (strsim::jaro_winkler(name, text), *name));
        let nearest = alike.filter(|(alike, _)| *alike >= 0.8).max_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut fault = Fault::new(format!("`{}` is none of the choices", super::ledger::shown(text)));
        fault.nearest = nearest.map(|(_, name)| name.to_owned());
        Err(fault.expecting(expected))
    }
}

/// A day.
pub(crate) fn date(value: &DeValue<'_>) -> Result<Date, Fault> {
    const EXPECTED: &str = "a day, without quotes: 2027-05-31";
    let DeValue::Datetime(written) = value else { return Err(other(value, EXPECTED)) };
    let (Some(date), None, None) = (written.date, written.time, written.offset) else {
        return Err(other(value, EXPECTED));
    };
    let parts = (i16::try_from(date.year), i8::try_from(date.month), i8::try_from(date.day));
    let (Ok(year), Ok(month), Ok(day)) = parts else { return Err(other(value, EXPECTED)) };
    Date::new(year, month, day).map_err(|_| Fault::new("there is no such day").expecting(EXPECTED))
}

/// How long; zero included.
pub(crate) fn duration(value: &DeValue<'_>) -> Result<Duration, Fault> {
    let DeValue::String(text) = value else { return Err(other(value, NAMELY_DURATION)) };
    match humantime_serde::re::humantime::parse_duration(text) {
        Ok(duration) if duration <= DURATION_MAX => Ok(duration),
        Ok(_) => Err(Fault::new("this is too long a time").expecting("at most ten years")),
        Err(_) => Err(Fault::new("this is no duration").expecting(NAMELY_DURATION)),
    }
}

/// How long; more than nothing.
pub(crate) fn some_duration(value: &DeValue<'_>) -> Result<Duration, Fault> {
    match duration(value)? {
        Duration::ZERO => Err(Fault::new("this is no time at all").expecting("a duration of more than 0s")),
        duration => Ok(duration),
    }
}

/// How long, more than nothing, or `"off"`.
pub(crate) fn switched_duration(value: &DeValue<'_>) -> Result<Option<Duration>, Fault> {
    match value {
        DeValue::String(text) if text == "off" => Ok(None),
        value => some_duration(value)
            .map(Some)
            .map_err(|fault| fault.expecting("a duration of more than 0s such as \"10m\", or \"off\"")),
    }
}

/// The origin of a page: scheme, host and perhaps a port, as browsers send it.
pub(crate) fn origin(value: &DeValue<'_>) -> Result<String, Fault> {
    const EXPECTED: &str = "an origin such as \"https://tea.example\": scheme and host, no path";
    let text = string(value).map_err(|fault| fault.expecting(EXPECTED))?;
    let fault = || Fault::new("this is no origin").expecting(EXPECTED);
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(fault)?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let sound_host = match literal {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let sound = |label: &str| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            };
            host.split('.').all(sound)
        }
    };
    let sound_port = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if sound_host && sound_port { Ok(text.as_ref().to_owned()) } else { Err(fault()) }
}
