//! A routing configuration under traffic, in virtual time, before it goes live: the same core, the same table, the
//! same deadlines as in the daemon.

mod arrive;
mod count;
mod engine;
mod figures;
mod formula;
mod happen;
mod histogram;
mod level;
mod part;
mod random;
mod read;
mod replay;
mod report;
mod results;
mod staff;
mod tally;
mod text;
mod threshold;
mod traffic;
mod trial;
mod worker;
mod world;

pub use engine::{Fault, Progress};
pub use figures::{Figure, Figures, Named};
pub use formula::Formula;
pub use read::read;
pub use replay::{Difference, Recorded, Recording, difference as replay_difference, replayed};
pub use report::page;
pub use results::{All, Results, Run, Tried};
pub use staff::{Below, Staffing, Target, Unreached, staff};
pub use text::render;
pub use threshold::Threshold;
pub use traffic::{Extent, Traffic};
pub use trial::run_all;
pub use world::{GroupPlan, World, monday};
