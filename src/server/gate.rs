//! The gate: how many connections there may be, in all and from one address. Who comes too much is told so, as long as
//! only a few have to be told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::network::counted_as;

/// How many connections over the limit are let in, to be told that they are too many. The rest is dropped.
const SPARE: usize = 256;

/// Counts connections.
#[derive(Debug)]
pub(super) struct Gate {
    all_max: usize,
    per_ip_max: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    spare: usize,
    per_ip: HashMap<IpAddr, usize>,
}

/// A place in the count; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    gate: Arc<Gate>,
    counted: Counted,
    ip: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug)]
enum Counted {
    All,
    Spare,
    Not,
}

/// What is over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The connections of the whole daemon.
    All,
    /// Those of one address.
    Ip,
}

impl Gate {
    /// A gate with these limits; 0: none.
    pub(super) fn new(all_max: usize, per_ip_max: usize) -> Arc<Self> {
        Arc::new(Self { all_max, per_ip_max, counts: Mutex::default() })
    }

    /// Lets a connection in, and counts it for its address if that is known. With `Over` it is only to be told;
    /// `None`: there is no time even for that.
    pub(super) fn enter(self: &Arc<Self>, ip: Option<IpAddr>) -> Option<(Seat, Option<Over>)> {
        let mut counts = self.counts.lock();
        let ip = ip.filter(|_| self.per_ip_max > 0).map(counted_as);
        let over = if self.all_max > 0 && counts.all >= self.all_max {
            Some(Over::All)
        } else {
            ip.filter(|ip| counts.of(ip) >= self.per_ip_max).map(|_| Over::Ip)
        };
        if over.is_some() {
            if counts.spare >= SPARE {
                return None;
            }
            counts.spare += 1;
            return Some((self.seat(Counted::Spare, None), over));
        }
        counts.all += 1;
        if let Some(ip) = ip {
            *counts.per_ip.entry(ip).or_default() += 1;
        }
        Some((self.seat(Counted::All, ip), None))
    }

    /// Counts one more of an address, of a connection that has been let in.
    ///
    /// # Errors
    /// It has as many as it may.
    pub(super) fn of(self: &Arc<Self>, ip: IpAddr) -> Result<Option<Seat>, Over> {
        if self.per_ip_max == 0 {
            return Ok(None);
        }
        let ip = counted_as(ip);
        let mut counts = self.counts.lock();
        if counts.of(&ip) >= self.per_ip_max {
            return Err(Over::Ip);
        }
        *counts.per_ip.entry(ip).or_default() += 1;
        Ok(Some(self.seat(Counted::Not, Some(ip))))
    }

    fn seat(self: &Arc<Self>, counted: Counted, ip: Option<IpAddr>) -> Seat {
        Seat { gate: Arc::clone(self), counted, ip }
    }
}

impl Counts {
    fn of(&self, ip: &IpAddr) -> usize {
        self.per_ip.get(ip).copied().unwrap_or(0)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.gate.counts.lock();
        match self.counted {
            Counted::All => counts.all -= 1,
            Counted::Spare => counts.spare -= 1,
            Counted::Not => {}
        }
        let Some(ip) = self.ip else { return };
        let Some(count) = counts.per_ip.get_mut(&ip) else { return };
        *count -= 1;
        if *count == 0 {
            counts.per_ip.remove(&ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_over_the_limit_is_told_and_then_not_even_that() {
        let gate = Gate::new(1, 0);

        let first = gate.enter(None).unwrap();
        let told: Vec<_> = (0..SPARE).map(|_| gate.enter(None).unwrap()).collect();

        assert_eq!(first.1, None);
        assert!(told.iter().all(|(_, over)| *over == Some(Over::All)));
        assert!(gate.enter(None).is_none());

        drop(first);
        assert_eq!(gate.enter(None).unwrap().1, None);
    }

    #[test]
    fn an_address_has_its_own_limit_and_a_64_is_one() {
        let gate = Gate::new(0, 1);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();

        let seat = gate.of(ip("2001:db8::1")).unwrap();

        assert_eq!(gate.of(ip("2001:db8::2")).unwrap_err(), Over::Ip);
        assert_eq!(gate.enter(Some(ip("2001:db8::3"))).unwrap().1, Some(Over::Ip));
        assert!(gate.of(ip("2001:db8:0:1::1")).is_ok());
        drop(seat);
        assert!(gate.of(ip("2001:db8::2")).is_ok());
        assert_eq!(gate.counts.lock().per_ip.len(), 0);
    }
}
