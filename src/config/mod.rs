//! What the daemon is told from outside: settings, the routing configuration's files, and how faults are shown.

pub mod diagnostics;
pub mod load;
mod load_settings;
mod mask;
mod read;
pub mod settings;
mod shape;
#[cfg(test)]
mod tests;
mod variables;

pub use load_settings::{Faults, Loaded};
pub use shape::schema;
pub use variables::{Known, known};
