//! What the daemon is told from outside: the routing configuration's files, and how faults in them are shown.

pub mod diagnostics;
pub mod load;
