//! What is aimed at, and how far a measurement is from it: a line for each, in one form for all benchmarks, so that
//! `cargo bench --quiet | grep '^goal'` is the table of those benchmarks that have such.

/// What a ratio has to be, and what it had better be.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "not every benchmark has both kinds")]
pub enum Goal {
    /// The more, the better.
    AtLeast(f64, f64),
    /// The less, the better.
    AtMost(f64, f64),
}

/// Prints a ratio beside its goal.
pub fn goal(what: &str, ratio: f64, goal: Goal) {
    let (sign, must, aim, is_held) = match goal {
        Goal::AtLeast(must, aim) => ('≥', must, aim, ratio >= must),
        Goal::AtMost(must, aim) => ('≤', must, aim, ratio <= must),
    };
    let held = if is_held { "held" } else { "missed" };
    println!("goal  {what:<56} {ratio:>6.2}  must {sign} {must:<5} aim {sign} {aim:<5} {held}");
}
