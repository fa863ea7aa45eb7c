//! How many anonymous buyers come from one address: so many at once, then one every few seconds.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::rate::Rate;

/// How many may come from one address at once.
const BURST: u32 = 20;
/// And then so many a second.
const PER_SECOND: u32 = 1;
/// How many addresses are remembered: when there are more, those that have been quiet are forgotten.
const ADDRESSES_MAX: usize = 10_000;
/// After so long a quiet address is as good as new.
const QUIET: Duration = Duration::from_secs((BURST / PER_SECOND) as u64);

/// The addresses that anonymous buyers come from.
#[derive(Default)]
pub struct Visitors {
    addresses: Mutex<HashMap<IpAddr, (Rate, Instant)>>,
}

impl Visitors {
    /// Whether one more may come from this address.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn admit(&self, ip: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut addresses = self.addresses.lock();
        if addresses.len() >= ADDRESSES_MAX {
            addresses.retain(|_, (_, last)| now.saturating_duration_since(*last) < QUIET);
        }
        let network = network(ip);
        if addresses.len() >= ADDRESSES_MAX && !addresses.contains_key(&network) {
            return Err(QUIET);
        }
        let (rate, last) = addresses.entry(network).or_insert_with(|| (Rate::new(PER_SECOND, BURST), now));
        *last = now;
        rate.admit(now)
    }
}

/// Whoever has one address of IPv6 has 2⁶⁴ of them.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_no_other_pays_for_it() {
        let (visitors, now) = (Visitors::default(), Instant::now());
        let [greedy, neighbour, other] = ["2001:db8::1", "2001:db8::2", "10.0.0.1"].map(|ip| ip.parse().unwrap());

        assert!((0..BURST).all(|_| visitors.admit(greedy, now).is_ok()));

        assert_eq!(visitors.admit(neighbour, now), Err(Duration::from_secs(1)));
        assert_eq!(visitors.admit(other, now), Ok(()));
        assert_eq!(visitors.admit(greedy, now + Duration::from_secs(1)), Ok(()));
    }
}
