//! Opening hours: `DAYS HH:MM-HH:MM [ZONE]`, in civil time, so that daylight saving is right.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

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

impl Hours {
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
