//! Who may ask at the admin listener: no browser, nobody who means another host, and from elsewhere only an operator.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderValue};

use crate::auth::Keys;
use crate::model::{Caller, Timestamp};
use crate::server::client;
use crate::server::reply::{Reply, plain};

/// Whoever comes in without a token, as the audit log calls them.
const LOCAL: &str = "local";

/// How an admin connection came in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// Through a socket in the file system, which only the daemon's user may open.
    Unix,
    /// Through an address: the one that was configured, and the one that it really is.
    Tcp {
        /// As configured.
        configured: SocketAddr,
        /// Where this connection has come in.
        local: SocketAddr,
    },
}

impl Way {
    /// Whether everybody who comes this way is on this machine.
    fn is_local(self) -> bool {
        match self {
            Self::Unix => true,
            Self::Tcp { configured, .. } => configured.ip().is_loopback(),
        }
    }

    fn is_own(self, host: &str) -> bool {
        let Self::Tcp { configured, local } = self else { return false };
        let meant = host.parse::<SocketAddr>().map(|address| address.ip()).ok();
        let meant = meant.or_else(|| client::name_of(host).parse().ok());
        host == configured.to_string() || meant.is_some_and(|ip| ip == local.ip() || ip == configured.ip())
    }
}

/// Who asks.
///
/// # Errors
/// The refusal of one who may not. `keys` are not there before the daemon has started.
pub(super) fn admit(
    way: Way,
    headers: &HeaderMap,
    keys: Option<&Keys>,
    now: Timestamp,
) -> Result<Arc<str>, Box<Reply>> {
    let meant = client::is_loopback_host(headers) || client::host(headers).is_some_and(|host| way.is_own(host));
    if !client::is_no_browser(headers) || !meant {
        return Err(Box::new(plain(StatusCode::FORBIDDEN, "this is not for browsers, and for no other host\n")));
    }
    if way.is_local() {
        return Ok(LOCAL.into());
    }
    let identity = client::bearer(headers).and_then(|token| keys?.verify(token, now).ok());
    if let Some(Caller::Operator { sub }) = identity.map(|identity| identity.caller) {
        return Ok(sub);
    }
    let mut reply = plain(StatusCode::UNAUTHORIZED, "expected the token of an operator\n");
    reply.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Err(Box::new(reply))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::{Claims, Role};

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn tcp(address: &str) -> Way {
        let address = address.parse().unwrap();
        Way::Tcp { configured: address, local: address }
    }

    fn status(way: Way, pairs: &[(&'static str, &str)]) -> Option<StatusCode> {
        admit(way, &headers(pairs), None, NOW).err().map(|reply| reply.status())
    }

    #[test]
    fn no_browser_and_no_other_host_comes_in() {
        let own = tcp("127.0.0.1:8081");
        let host = ("host", "127.0.0.1:8081");

        assert_eq!(status(own, &[host]), None);
        assert_eq!(status(own, &[("host", "localhost")]), None);
        assert_eq!(status(own, &[host, ("sec-fetch-site", "none")]), None);
        for pairs in [
            &[][..],
            &[("host", "evil.example")],
            &[("host", "10.0.0.1:8081")],
            &[host, ("origin", "http://127.0.0.1:8081")],
            &[host, ("origin", "null")],
            &[host, ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "cross-site")],
        ] {
            assert_eq!(status(own, pairs), Some(StatusCode::FORBIDDEN), "{pairs:?}");
        }
        assert_eq!(status(Way::Unix, &[("host", "localhost")]), None);
        assert_eq!(status(Way::Unix, &[("host", "evil.example")]), Some(StatusCode::FORBIDDEN));
    }

    #[test]
    fn from_elsewhere_only_an_operator_comes_in() {
        let data = tempfile::tempdir().unwrap();
        let keys = Keys::load(&crate::auth::Settings::default(), data.path()).unwrap();
        let token = |role| {
            let claims = Claims::new(role, "ops", NOW + Duration::from_secs(60));
            format!("Bearer {}", keys.mint(&claims).unwrap())
        };
        let asked = |bearer: Option<&str>| {
            let mut pairs = vec![("host", "10.0.0.5:8081")];
            pairs.extend(bearer.map(|bearer| ("authorization", bearer)));
            admit(tcp("10.0.0.5:8081"), &headers(&pairs), Some(&keys), NOW).err().map(|reply| reply.status())
        };

        assert_eq!(asked(Some(&token(Role::Operator))), None);
        assert_eq!(asked(Some(&token(Role::Staff))), Some(StatusCode::UNAUTHORIZED));
        assert_eq!(asked(Some("Bearer junk")), Some(StatusCode::UNAUTHORIZED));
        assert_eq!(asked(None), Some(StatusCode::UNAUTHORIZED));
    }
}
