//! Worlds that are tried: their runs, side by side on the machine's cores, and what was gathered in each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;

use super::engine::{Fault, Progress, run};
use super::figures::Cut;
use super::tally::Gathered;
use super::world::World;

/// Runs every replication of these worlds. What comes out depends on nothing but the worlds.
///
/// # Errors
/// The first fault of a run.
pub fn run_all(worlds: &[&World], progress: &Progress) -> Result<Vec<Gathered>, Fault> {
    let replications = |world: &World| 0..u64::from(world.traffic.span.replications);
    let jobs: Vec<(usize, u64)> =
        (0..worlds.len()).flat_map(|at| replications(worlds[at]).map(move |run| (at, run))).collect();
    let done: Vec<Mutex<Option<Result<Gathered, Fault>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((world, replication)) = jobs.get(at) else { return };
                    let outcome = run(worlds[*world], *replication, progress);
                    if outcome.is_err() {
                        progress.stop.store(true, Ordering::Relaxed);
                    }
                    *done[at].lock() = Some(outcome);
                }
            });
        }
    });

    let mut outcomes = Vec::with_capacity(jobs.len());
    let mut stopped = None;
    for place in done {
        match place.into_inner() {
            Some(Ok(gathered)) => outcomes.push(gathered),
            // What stopped the others comes before those who were stopped.
            Some(Err(Fault::Stopped)) | None => stopped = Some(Fault::Stopped),
            Some(Err(fault)) => return Err(fault),
        }
    }
    if let Some(fault) = stopped {
        return Err(fault);
    }
    let mut runs = outcomes.into_iter();
    let mut all = Vec::with_capacity(worlds.len());
    for world in worlds {
        let mut gathered = runs.next().unwrap_or_default();
        runs.by_ref().take(world.traffic.span.replications as usize - 1).for_each(|run| gathered.append(run));
        all.push(gathered);
    }
    Ok(all)
}

/// What the parts of a world's run are.
pub fn cut(world: &World) -> Cut {
    if world.traffic.span.replications > 1 { Cut::Replications } else { Cut::Batches }
}
