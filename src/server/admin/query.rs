//! The query of a request.

use hyper::Uri;

/// The value of a name in the query, decoded; the first one counts.
pub(super) fn value(uri: &Uri, name: &str) -> Option<String> {
    let mut pairs = uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(of, _)| decoded(of) == name).map(|(_, value)| decoded(value))
}

/// The number of a name in the query.
///
/// # Errors
/// The name of what is no number.
pub(super) fn number(uri: &Uri, name: &'static str) -> Result<Option<u64>, &'static str> {
    value(uri, name).map(|text| text.parse().map_err(|_| name)).transpose()
}

/// Whether a name is there, and not to say no.
pub(super) fn flag(uri: &Uri, name: &str) -> bool {
    value(uri, name).is_some_and(|value| !matches!(value.as_str(), "0" | "false" | "no"))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let (byte, used) = match (first, hex) {
            (b'%', Some(byte)) => (byte, 3),
            (b'+', _) => (b' ', 1),
            (byte, _) => (*byte, 1),
        };
        bytes.push(byte);
        rest = &rest[used..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_the_first_one_counts() {
        let uri: Uri = "/tap?seller=%E8%8C%B6+1&seller=x&limit=5&dry_run=1&not=0&odd=%zz".parse().unwrap();

        assert_eq!(value(&uri, "seller").as_deref(), Some("茶 1"));
        assert_eq!(value(&uri, "odd").as_deref(), Some("%zz"));
        assert_eq!(value(&uri, "none"), None);
        assert_eq!(
            (number(&uri, "limit"), number(&uri, "after"), number(&uri, "seller")),
            (Ok(Some(5)), Ok(None), Err("seller"))
        );
        assert!(flag(&uri, "dry_run") && !flag(&uri, "not") && !flag(&uri, "none"));
    }
}
