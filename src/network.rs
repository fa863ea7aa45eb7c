//! Addresses: where to listen, which networks are trusted, and who stands behind a proxy.
//! Nothing is opened here.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where to listen: an address with its port, or the path of a socket.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum Address {
    /// `127.0.0.1:8081`
    Tcp(SocketAddr),
    /// `unix:PATH`
    Unix(PathBuf),
}

/// What is no address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address with a port, as in 127.0.0.1:8081, or unix:PATH")]
pub struct NoAddress;

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        match text.strip_prefix("unix:") {
            Some("") => Err(NoAddress),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| NoAddress),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A range of addresses: `10.0.0.0/8`, or one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

/// What is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a network, as in 10.0.0.0/8")]
pub struct NoNetwork;

impl Network {
    /// Whether an address is in it.
    pub fn has(&self, ip: IpAddr) -> bool {
        match (self.first, ip.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(ip)) => {
                let shift = 32 - u32::from(self.bits);
                first.to_bits().checked_shr(shift) == ip.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(first), IpAddr::V6(ip)) => {
                let shift = 128 - u32::from(self.bits);
                first.to_bits().checked_shr(shift) == ip.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (first, bits) = text.split_once('/').map_or((text, None), |(first, bits)| (first, Some(bits)));
        let first = first.parse::<IpAddr>().map_err(|_| NoNetwork)?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| NoNetwork)?;
        if bits > most { Err(NoNetwork) } else { Ok(Self { first, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text!(Address, Network);

/// What is counted as one: an address, or a whole /64 of IPv6, since anybody may have one.
pub fn counted_as(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        ip => ip,
    }
}

/// Who stands behind a trusted proxy: the last address of a chain that is not a trusted proxy itself. `chain` is what
/// the headers say, the nearest last. Where the chain is no address any more, the last one known counts.
pub fn behind(peer: IpAddr, chain: &[Option<IpAddr>], trusted: &[Network]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.has(ip));
    let mut known = peer;
    for ip in chain.iter().rev() {
        if !is_trusted(known) {
            break;
        }
        let Some(ip) = ip else { break };
        known = *ip;
    }
    known.to_canonical()
}

/// The address in one element of `X-Forwarded-For`, or in the `for` of a `Forwarded` header: with or without a port,
/// brackets, quotes.
pub fn forwarded(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"').trim();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_one_with_a_port_or_the_path_of_a_socket() {
        assert_eq!("unix:/run/a.sock".parse(), Ok(Address::Unix("/run/a.sock".into())));
        assert_eq!("[::1]:80".parse::<Address>().unwrap().to_string(), "[::1]:80");
        for text in ["unix:", "127.0.0.1", "localhost:80", ""] {
            assert_eq!(text.parse::<Address>(), Err(NoAddress), "{text}");
        }
    }

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        let network = |text: &str| text.parse::<Network>().unwrap();

        assert!(network("10.0.0.0/8").has(ip("10.255.0.1")) && !network("10.0.0.0/8").has(ip("11.0.0.1")));
        assert!(network("10.0.0.0/8").has(ip("::ffff:10.0.0.1")));
        assert!(network("192.0.2.7").has(ip("192.0.2.7")) && !network("192.0.2.7").has(ip("192.0.2.8")));
        assert!(network("2001:db8::/32").has(ip("2001:db8:1::1")) && !network("2001:db8::/32").has(ip("2001:db9::")));
        assert!(network("0.0.0.0/0").has(ip("8.8.8.8")) && !network("0.0.0.0/0").has(ip("::1")));
        for text in ["10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "all"] {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork), "{text}");
        }
    }

    #[test]
    fn forwarded_addresses_have_ports_brackets_and_quotes_or_not() {
        for (text, expected) in [
            ("203.0.113.4", Some("203.0.113.4")),
            (" 203.0.113.4:5123 ", Some("203.0.113.4")),
            ("\"[2001:db8::7]:4711\"", Some("2001:db8::7")),
            ("[2001:db8::7]", Some("2001:db8::7")),
            ("2001:db8::7", Some("2001:db8::7")),
            ("unknown", None),
            ("_hidden", None),
            ("", None),
        ] {
            assert_eq!(forwarded(text), expected.map(ip), "{text}");
        }
    }

    #[test]
    fn what_a_client_writes_into_the_chain_is_not_believed() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let chain = |texts: &[&str]| texts.iter().map(|text| forwarded(text)).collect::<Vec<_>>();
        let proxy = ip("10.0.0.1");

        assert_eq!(behind(proxy, &chain(&["6.6.6.6", "203.0.113.4"]), &trusted), ip("203.0.113.4"));
        assert_eq!(behind(proxy, &chain(&["203.0.113.4", "10.0.0.2"]), &trusted), ip("203.0.113.4"));
        assert_eq!(behind(ip("203.0.113.9"), &chain(&["6.6.6.6"]), &trusted), ip("203.0.113.9"));
        assert_eq!(behind(proxy, &chain(&["6.6.6.6", "junk", "10.0.0.2"]), &trusted), ip("10.0.0.2"));
        assert_eq!(behind(proxy, &[], &trusted), proxy);
    }

    #[test]
    fn addresses_of_one_64_are_one() {
        assert_eq!(counted_as(ip("2001:db8:1:2:3::9")), counted_as(ip("2001:db8:1:2:ffff::1")));
        assert_ne!(counted_as(ip("2001:db8:1:2::1")), counted_as(ip("2001:db8:1:3::1")));
        assert_eq!(counted_as(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }
}
