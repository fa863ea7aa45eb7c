//! Time zones by name, from the tables that are built in: no file is read, and every machine gives the same answer.

use std::collections::HashMap;

use jiff::Timestamp as Instant;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::model::Timestamp;

/// The zone of a seller that names none.
pub const DEFAULT_ZONE: &str = "Asia/Shanghai";

/// Zones found so far.
#[derive(Debug)]
pub(super) struct Zones {
    tables: TimeZoneDatabase,
    found: HashMap<String, Option<TimeZone>>,
}

impl Zones {
    pub(super) fn new() -> Self {
        Self { tables: TimeZoneDatabase::bundled(), found: HashMap::new() }
    }

    /// The zone of this name.
    pub(super) fn find(&mut self, name: &str) -> Option<TimeZone> {
        if let Some(found) = self.found.get(name) {
            return found.clone();
        }
        let found = self.tables.get(name).ok();
        self.found.insert(name.to_owned(), found.clone());
        found
    }

    /// The zone of sellers that name none.
    pub(super) fn default_zone(&mut self) -> TimeZone {
        self.find(DEFAULT_ZONE).unwrap_or(TimeZone::UTC)
    }

    /// Every name there is.
    pub(super) fn names(&self) -> Vec<String> {
        self.tables.available().map(|name| name.as_str().to_owned()).collect()
    }
}

/// The first moment of a day there; later than anything if the calendar ends before.
pub(super) fn start_of(day: Date, zone: &TimeZone) -> Timestamp {
    // Midnight that a change of clocks leaves out is the moment of that change.
    let start = zone.to_timestamp(day.at(0, 0, 0, 0));
    start.map_or(Timestamp::MAX, |start| Timestamp::from_micros(start.as_microsecond()))
}

/// Which day it is there.
pub(super) fn day_of(now: Timestamp, zone: &TimeZone) -> Date {
    let instant: Instant = now.to_jiff();
    zone.to_datetime(instant).date()
}
