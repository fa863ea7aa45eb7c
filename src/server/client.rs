//! Who asks, and from which page: the address behind proxies, the origin of a browser, the host that is meant.

use std::net::IpAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::network::{Network, behind, forwarded};

/// The address of a client. Headers are believed of trusted proxies alone; two that say different things, of nobody.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    if !trusted.iter().any(|network| network.has(peer)) {
        return peer.to_canonical();
    }
    let chain: Vec<_> = values(headers, HeaderName::from_static("x-forwarded-for")).map(forwarded).collect();
    let standard: Vec<_> = values(headers, header::FORWARDED).map(forwarded_for).collect();
    if chain.is_empty() || standard.is_empty() {
        let chain = if chain.is_empty() { standard } else { chain };
        return behind(peer, &chain, trusted);
    }
    let (one, other) = (behind(peer, &chain, trusted), behind(peer, &standard, trusted));
    if one == other { one } else { peer.to_canonical() }
}

fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| forwarded(value)).flatten()
    })
}

/// The values of a header that is a list.
pub(super) fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|value| !value.is_empty())
}

/// The token of an `Authorization` header, if there is one; what is none of ours is an empty one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or("");
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    Some(if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" })
}

/// Whether a page of this origin may connect: the daemon's own always, others if they are listed.
pub(super) fn is_from_allowed_origin(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    if allowed.iter().any(|allowed| allowed == "*") {
        return true;
    }
    let Ok(origin) = origin.to_str() else { return false };
    if allowed.iter().any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
        return true;
    }
    let Some((scheme, of_origin)) = origin.split_once("://") else { return false };
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let bare = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    host(headers).is_some_and(|host| bare(host) == bare(of_origin))
}

/// The host that is meant.
pub(super) fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

/// The host without its port.
pub(super) fn name_of(host: &str) -> &str {
    let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = port.filter(|(name, _)| !name.contains(':') || name.ends_with(']')).map_or(host, |(name, _)| name);
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
}

/// Whether the host that is asked for is this machine by a name that no web page can point elsewhere.
pub(super) fn is_loopback_host(headers: &HeaderMap) -> bool {
    let Some(host) = host(headers) else { return false };
    let name = name_of(host);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Whether a header says that the request came through a proxy.
pub(super) fn is_through_proxy(headers: &HeaderMap) -> bool {
    headers.keys().any(|name: &HeaderName| {
        let name = name.as_str();
        name == "forwarded" || name == "via" || name.starts_with("x-forwarded-")
    })
}

/// Whether no browser has sent this: it would give the page's origin, or say that a page asks.
pub(super) fn is_no_browser(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    !headers.contains_key(header::ORIGIN) && site.is_none_or(|site: &HeaderValue| site == "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_trusted_proxy_says_who_asks_in_either_header() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        for pairs in [
            &[("x-forwarded-for", "6.6.6.6, 203.0.113.4:812")][..],
            &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.4")],
            &[("forwarded", "for=6.6.6.6, For=\"203.0.113.4:812\";proto=https;by=10.0.0.1")],
            &[("forwarded", "for=203.0.113.4"), ("x-forwarded-for", "203.0.113.4")],
        ] {
            assert_eq!(address(ip("10.0.0.1"), &headers(pairs), &trusted), ip("203.0.113.4"), "{pairs:?}");
        }
    }

    #[test]
    fn headers_of_others_and_contradictions_are_not_believed() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let both = headers(&[("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "203.0.113.4")]);

        assert_eq!(address(ip("203.0.113.9"), &both, &trusted), ip("203.0.113.9"));
        assert_eq!(address(ip("10.0.0.1"), &both, &trusted), ip("10.0.0.1"));
        assert_eq!(address(ip("::ffff:10.0.0.1"), &headers(&[("forwarded", "for=unknown")]), &trusted), ip("10.0.0.1"));
    }

    #[test]
    fn the_daemons_own_pages_are_never_refused() {
        let listed = ["https://shop.example".to_owned()];
        let from = |origin: &str, host: &str| headers(&[("origin", origin), ("host", host)]);

        assert!(is_from_allowed_origin(&from("http://chat.example:8080", "chat.example:8080"), &listed));
        assert!(is_from_allowed_origin(&from("https://chat.example", "Chat.example:443"), &listed));
        assert!(is_from_allowed_origin(&from("https://shop.example", "chat.example"), &listed));
        assert!(!is_from_allowed_origin(&from("https://evil.example", "chat.example"), &listed));
        assert!(!is_from_allowed_origin(&from("null", "chat.example"), &listed));
        assert!(is_from_allowed_origin(&from("null", "chat.example"), &["*".to_owned()]));
        assert!(!is_from_allowed_origin(&from("https://evil.example", "chat.example"), &[]));
        assert!(is_from_allowed_origin(&headers(&[("host", "chat.example")]), &[]));
    }

    #[test]
    fn only_names_that_no_page_can_point_elsewhere_are_this_machine() {
        for host in ["localhost", "LOCALHOST:8081", "127.0.0.1:1", "127.9.9.9", "[::1]:8081", "[::1]"] {
            assert!(is_loopback_host(&headers(&[("host", host)])), "{host}");
        }
        for host in ["localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "evil.example:8081", ""] {
            assert!(!is_loopback_host(&headers(&[("host", host)])), "{host}");
        }
        assert!(!is_loopback_host(&HeaderMap::new()));
    }

    #[test]
    fn a_token_is_a_bearers() {
        assert_eq!(bearer(&headers(&[("authorization", "bearer  a.b.c")])), Some("a.b.c"));
        assert_eq!(bearer(&headers(&[("authorization", "Basic YTpi")])), Some(""));
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
