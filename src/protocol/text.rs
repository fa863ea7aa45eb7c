//! JSON written by hand where it is hot: strings, numbers and times straight into one text.

use std::fmt::Write as _;

use crate::model::{ConversationId, Timestamp};

const MICROS_A_DAY: i64 = 86_400_000_000;

/// Writes a string with its quotes.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// Writes a whole number.
pub fn write_number(out: &mut String, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = digit(number % 10);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.push_str(ascii(&digits[at..]));
}

/// Writes an id with its quotes.
pub fn write_id(out: &mut String, id: ConversationId) {
    let mut text = uuid::Uuid::encode_buffer();
    out.push('"');
    out.push_str(uuid::Uuid::from_u128(id.0).as_hyphenated().encode_lower(&mut text));
    out.push('"');
}

/// Writes a time with its quotes: RFC 3339, UTC, milliseconds.
pub fn write_time(out: &mut String, at: Timestamp) {
    let micros = at.micros();
    let Some((year, month, day)) = date(micros.div_euclid(MICROS_A_DAY)) else {
        let _ = write!(out, "\"{at}\"");
        return;
    };
    let millis = u64::try_from(micros.rem_euclid(MICROS_A_DAY)).unwrap_or(0) / 1000;
    let mut text = *b"\"0000-00-00T00:00:00.000Z\"";
    let mut put = |at: usize, number: u64| {
        (text[at], text[at + 1]) = (digit(number / 10), digit(number));
    };
    put(1, year / 100);
    put(3, year);
    put(6, month);
    put(9, day);
    put(12, millis / 3_600_000);
    put(15, millis / 60_000 % 60);
    put(18, millis / 1000 % 60);
    put(21, millis % 1000 / 10);
    text[23] = digit(millis);
    out.push_str(ascii(&text));
}

fn ascii(digits: &[u8]) -> &str {
    std::str::from_utf8(digits).unwrap_or_default()
}

fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}

/// Year, month and day of a count of days since 1970; only for the years 1970 to 9999, which need no sign.
///
/// The civil calendar repeats every 146 097 days; years are taken to begin in March, so that leap days come last.
fn date(days: i64) -> Option<(u64, u64, u64)> {
    let days = u64::try_from(days).ok()? + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year <= 9999).then_some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn a_time_is_written_as_the_model_writes_it() {
        for micros in [0, 951_782_399_999_999, 951_782_400_000_000, 1_709_164_800_123_456, 4_107_542_400_000_000] {
            for days in -2..800 {
                let at = Timestamp::from_micros(micros + days * (MICROS_A_DAY + 61_001_000));
                assert_eq!(written(|out| write_time(out, at)), format!("\"{at}\""));
            }
        }
    }

    #[test]
    fn a_string_is_written_as_serde_writes_it() {
        let everything: String = (0..0x300).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"", "分流 \\ \u{7f} \u{2028}", "a\u{8}\u{c}b", &everything] {
            let ours = written(|out| write_string(out, text));
            assert_eq!(serde_json::from_str::<String>(&ours).unwrap(), text);
        }
    }

    #[test]
    fn numbers_and_ids_are_written_whole() {
        assert_eq!(written(|out| write_number(out, 0)), "0");
        assert_eq!(written(|out| write_number(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(written(|out| write_id(out, ConversationId(7))), "\"00000000-0000-0000-0000-000000000007\"");
    }
}
