//! From when until when a certificate is valid: so much is read of it here, and nothing is trusted for it. Who connects
//! judges the rest.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// The types of what stands in a certificate.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// What stands before the validity: the number, how it is signed, by whom.
const BEFORE: usize = 3;

/// The first and the last moment; `None` if that cannot be read.
pub(super) fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (inside, _) = part(certificate, SEQUENCE)?;
    let (mut signed, _) = part(inside, SEQUENCE)?;
    if let Some((_, rest)) = part(signed, VERSION) {
        signed = rest;
    }
    for _ in 0..BEFORE {
        (_, _, signed) = any(signed)?;
    }
    let (times, _) = part(signed, SEQUENCE)?;
    let (first, rest) = time(times)?;
    let (last, _) = time(rest)?;
    Some((first, last))
}

fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (kind, text, rest) = any(bytes)?;
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let century = |year: &str| if year < "50" { "20" } else { "19" };
    let digits = match kind {
        UTC_TIME => format!("{}{digits}", century(digits.get(..2)?)),
        GENERALIZED_TIME => digits.to_owned(),
        _ => return None,
    };
    let time = TimeZone::UTC.to_timestamp(DateTime::strptime("%Y%m%d%H%M%S", &digits).ok()?).ok()?;
    Some((Timestamp::from_micros(time.as_microsecond()), rest))
}

/// What stands in the first part, and what is behind it, if it is of this type.
fn part(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    any(bytes).filter(|(found, ..)| *found == kind).map(|(_, inside, rest)| (inside, rest))
}

/// The type of the first part, what stands in it, and what is behind it.
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*length) {
        length @ ..0x80 => (length, rest),
        long => {
            let (digits, rest) = rest.split_at_checked(long - 0x80).filter(|(digits, _)| digits.len() <= 4)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    let (inside, rest) = rest.split_at_checked(length)?;
    Some((*kind, inside, rest))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn certificate(first: (i32, u8, u8), last: (i32, u8, u8)) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(first.0, first.1, first.2);
        parameters.not_after = rcgen::date_time_ymd(last.0, last.1, last.2);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    fn day(text: &str) -> Timestamp {
        let midnight: jiff::Timestamp = format!("{text}T00:00:00Z").parse().unwrap();
        Timestamp::from_micros(midnight.as_microsecond())
    }

    #[test]
    fn both_ways_to_write_a_time_are_read() {
        let found = validity(&certificate((1999, 12, 31), (2026, 2, 28)));
        assert_eq!(found, Some((day("1999-12-31"), day("2026-02-28"))));

        let found = validity(&certificate((2049, 1, 1), (2051, 1, 1)));
        assert_eq!(found, Some((day("2049-01-01"), day("2051-01-01"))));
    }

    #[test]
    fn what_is_cut_off_or_changed_anywhere_is_read_or_not_and_nothing_more() {
        let whole = certificate((2020, 1, 1), (2030, 1, 1));

        for at in 0..whole.len() {
            let _ = validity(&whole[..at]);
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            let _ = validity(&changed);
        }

        assert_eq!(validity(&[]), None);
        assert_eq!(validity(&[0x30, 0xff, 1]), None);
        let (first, last) = validity(&whole).unwrap();
        assert!(last.since(first) > Duration::from_secs(9 * 365 * 24 * 3600));
    }
}
