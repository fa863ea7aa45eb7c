//! Opening hours: `DAYS HH:MM-HH:MM [ZONE]`, in civil time, so that daylight saving is right.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::zone::Zones;
use crate::model::Timestamp;

/// Hours of some days of the week, `[start, end)`, possibly past midnight.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    /// Which days, Monday first; the day on which the hours begin.
    pub days: [bool; 7],
    /// Minutes after midnight at which they begin.
    pub start: u16,
    /// Minutes after midnight at which they end, up to 1440; before or at `start`: on the next day.
    pub end: u16,
    /// Whose clock.
    pub zone: TimeZone,
}

/// Why a text is no [`Hours`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// There is no range, or there are too many words.
    #[error("these are no hours")]
    Shape,
    /// A day is none.
    #[error("days are mon, tue, wed, thu, fri, sat, sun")]
    Days,
    /// A time of day is none.
    #[error("a time of day is HH:MM, from 00:00 to 24:00")]
    Time,
    /// The hours begin where no day has a time.
    #[error("hours begin before 24:00")]
    Start,
    /// The zone is not known.
    #[error("there is no such time zone")]
    Zone,
}

impl Hours {
    /// Parses `[DAYS] HH:MM-HH:MM [ZONE]`; days default to all, the zone to that given.
    ///
    /// # Errors
    /// The first part that is wrong.
    pub(super) fn parse(text: &str, default_zone: &TimeZone, zones: &mut Zones) -> Result<Self, HoursError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_range = |word: &str| word.contains(':');
        let (days, range, zone) = match *words.as_slice() {
            [range] => (None, range, None),
            [range, zone] if is_range(range) => (None, range, Some(zone)),
            [days, range] => (Some(days), range, None),
            [days, range, zone] => (Some(days), range, Some(zone)),
            _ => return Err(HoursError::Shape),
        };
        let days = days.map_or(Ok([true; 7]), parse_days)?;
        let (start, end) = range.split_once('-').ok_or(HoursError::Shape)?;
        let (start, end) = (parse_minute(start)?, parse_minute(end)?);
        if start >= MINUTES_OF_DAY {
            return Err(HoursError::Start);
        }
        let zone = match zone {
            Some(name) => zones.find(name).ok_or(HoursError::Zone)?,
            None => default_zone.clone(),
        };
        Ok(Self { days, start, end, zone })
    }

    /// Whether the time is within them.
    pub fn hold(&self, now: Timestamp) -> bool {
        let local = self.zone.to_datetime(now.to_jiff());
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let today = self.on(local.weekday());
        let yesterday = self.on(local.weekday().previous());
        if self.start < self.end {
            today && (self.start..self.end).contains(&minute)
        } else {
            (today && minute >= self.start) || (yesterday && minute < self.end)
        }
    }

    fn on(&self, day: Weekday) -> bool {
        self.days[usize::from(day.to_monday_zero_offset().unsigned_abs())]
    }
}

const MINUTES_OF_DAY: u16 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `mon-fri`, `sat,sun`, `fri-mon,wed`.
fn parse_days(text: &str) -> Result<[bool; 7], HoursError> {
    let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name)).ok_or(HoursError::Days);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        let span = (last + 7 - first) % 7;
        for step in 0..=span {
            days[(first + step) % 7] = true;
        }
    }
    Ok(days)
}

/// `HH:MM`, as minutes after midnight, up to `24:00`.
fn parse_minute(text: &str) -> Result<u16, HoursError> {
    let two = |digits: &str| {
        let sound = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if sound { digits.parse::<u16>().map_err(|_| HoursError::Time) } else { Err(HoursError::Time) }
    };
    let (hour, minute) = text.split_once(':').ok_or(HoursError::Time)?;
    let (hour, minute) = (two(hour)?, two(minute)?);
    let after_midnight = hour * 60 + minute;
    if minute < 60 && after_midnight <= MINUTES_OF_DAY { Ok(after_midnight) } else { Err(HoursError::Time) }
}
