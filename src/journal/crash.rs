//! For the crash tests: the process ends at a named point of a commit, as it would if the power failed there.
//! Only a debug build can be told so, by `CRASH_AT=POINT:COMMIT`; in any other nothing of this is left.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long everybody else goes on after the point has been reached.
const WHILE: Duration = Duration::from_millis(50);

/// A point of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// Nothing of it is written.
    Unwritten,
    /// It is written and not synced.
    Unsynced,
    /// It is durable, and nobody knows.
    Unreleased,
    /// What waited for it is let go.
    Released,
}

const NAMES: [(Point, &str); 4] = [
    (Point::Unwritten, "unwritten"),
    (Point::Unsynced, "unsynced"),
    (Point::Unreleased, "unreleased"),
    (Point::Released, "released"),
];

/// Ends the process if this is the point. The last one is the same commit's, the first one begins the next.
pub(super) fn at(point: Point) {
    if is_due(point) {
        end();
    }
}

/// Ends the process, after a while: whoever was told too early has heard it by then.
pub(super) fn end() -> ! {
    std::thread::sleep(WHILE);
    std::process::abort()
}

/// Whether the process ends at this point of the commit under way.
pub(super) fn is_due(point: Point) -> bool {
    static ASKED: OnceLock<Option<(Point, u64)>> = OnceLock::new();
    static COMMITS: AtomicU64 = AtomicU64::new(0);
    if !cfg!(debug_assertions) {
        return false;
    }
    let asked = ASKED.get_or_init(|| {
        let asked = std::env::var("CRASH_AT").ok()?;
        let (name, commit) = asked.split_once(':')?;
        let (point, _) = NAMES.iter().find(|(_, known)| *known == name)?;
        Some((*point, commit.parse().ok()?))
    });
    let Some((wanted, commit)) = asked else { return false };
    let begun = u64::from(point == Point::Unwritten);
    let commits = COMMITS.fetch_add(begun, Ordering::Relaxed) + begun;
    *wanted == point && commits == *commit
}
