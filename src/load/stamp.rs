//! The text of a message: when it was due and which one it is stand in it, so that whoever receives it can measure and
//! check without asking anybody.

use std::fmt::Write as _;
use std::time::Duration;

/// What stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// When it should have been sent, from the beginning of the run.
    pub(super) due: Duration,
    /// Which message of the run it is.
    pub(super) number: u64,
}

const FILLER: &str = "good morning, has my order left the warehouse already? ";

impl Stamp {
    /// A text of so many characters, or of the stamp alone if that is longer.
    pub(super) fn text(self, characters: usize) -> String {
        let mut text = String::with_capacity(characters.max(48));
        let _ = write!(text, "@{}#{};", self.due.as_micros(), self.number);
        while text.len() < characters {
            text.push_str(&FILLER[..FILLER.len().min(characters - text.len())]);
        }
        text
    }

    /// The stamp of a text, if it has one.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (due, rest) = text.strip_prefix('@')?.split_once('#')?;
        let (number, _) = rest.split_once(';')?;
        Some(Self { due: Duration::from_micros(due.parse().ok()?), number: number.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_from_its_text() {
        let stamp = Stamp { due: Duration::from_micros(1_234_567), number: 89 };

        let text = stamp.text(95);

        assert_eq!((Stamp::of(&text), text.len()), (Some(stamp), 95));
        assert_eq!(Stamp::of("hello"), None);
    }
}
