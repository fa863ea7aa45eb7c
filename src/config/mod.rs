//! What the daemon is told from outside: settings, the routing configuration's files, and how faults are shown.

pub mod diagnostics;
pub mod load;
pub mod settings;
