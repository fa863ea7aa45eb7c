//! One look over a frame before it is parsed: how deep it is nested, and whether its escapes make characters.
//! Whether it is JSON otherwise is left to the parser.

/// Why a frame is not worth parsing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nested deeper than this.
    #[error("arrays and objects may be nested {0} deep")]
    TooDeep(usize),
    /// Half of a surrogate pair.
    #[error("an escape must make a character: a surrogate stands alone")]
    LoneSurrogate,
}

/// Scans a frame once.
///
/// # Errors
/// [`Fault`] for what the parser would not notice, or only after much work.
pub fn scan(text: &str, depth_max: usize) -> Result<(), Fault> {
    let bytes = text.as_bytes();
    if is_harmless(bytes, depth_max) {
        return Ok(());
    }
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at + 1)?,
            b'[' | b'{' => {
                depth += 1;
                if depth > depth_max {
                    return Err(Fault::TooDeep(depth_max));
                }
                at += 1;
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// Whether one look without a branch shows it: no escapes, and fewer brackets in all than may be nested.
fn is_harmless(bytes: &[u8], depth_max: usize) -> bool {
    const CHUNK: usize = 128;
    let (mut openings, mut escapes) = (0_usize, 0_u8);
    for chunk in bytes.chunks(CHUNK) {
        // `[` and `{` differ in one bit. A chunk has fewer bytes than a byte can count.
        let opening = chunk.iter().fold(0_u8, |sum, byte| sum.wrapping_add(u8::from(byte | 0x20 == b'{')));
        openings += usize::from(opening);
        escapes |= chunk.iter().fold(0, |any, byte| any | u8::from(*byte == b'\\'));
    }
    escapes == 0 && openings <= depth_max
}

/// The place after the closing quote.
fn end_of_string(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    loop {
        match bytes.get(at) {
            None => return Ok(at),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') if bytes.get(at + 1) == Some(&b'u') => at = end_of_escape(bytes, at)?,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

/// The place after `\uXXXX`, and after its second half if it is the first half of a pair.
fn end_of_escape(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match unit(bytes, at) {
        Some(0xD800..=0xDBFF) => match unit(bytes, at + 6) {
            Some(0xDC00..=0xDFFF) => Ok(at + 12),
            _ => Err(Fault::LoneSurrogate),
        },
        Some(0xDC00..=0xDFFF) => Err(Fault::LoneSurrogate),
        _ => Ok(at + 2),
    }
}

fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0_u16, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_only_outside_strings() {
        assert_eq!(scan(r#"{"a":["[[[[\"[[["]}"#, 2), Ok(()));
        assert_eq!(scan("[[[]]]", 2), Err(Fault::TooDeep(2)));
        assert_eq!(scan(&"[".repeat(20_000), 64), Err(Fault::TooDeep(64)));
        assert_eq!(scan(&"[]".repeat(20_000), 1), Ok(()));
    }

    #[test]
    fn a_surrogate_needs_its_other_half() {
        assert_eq!(scan(r#""\ud83d\ude00""#, 1), Ok(()));
        assert_eq!(scan(r#""\ud83d""#, 1), Err(Fault::LoneSurrogate));
        assert_eq!(scan(r#""\ude00""#, 1), Err(Fault::LoneSurrogate));
        assert_eq!(scan(r#""\ud83d\n""#, 1), Err(Fault::LoneSurrogate));
        assert_eq!(scan(r#""\\ud83d""#, 1), Ok(()));
    }

    #[test]
    fn what_ends_early_is_left_to_the_parser() {
        for text in ["\"", "\"\\", "\"\\u", "\"\\u12", "}", ""] {
            assert_eq!(scan(text, 1), Ok(()));
        }
    }
}
