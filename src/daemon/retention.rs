//! How long what is over is kept: now and then what is too old is deleted, a little at a time, with rests in between.
//! What a little is, the store knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::directory::Directory;
use crate::journal::{Sqlite, StoreError};
use crate::model::Timestamp;
use crate::session::Site;

/// How long after one look the next one is.
const EVERY: Duration = Duration::from_secs(600);
/// A rest is so many times as long as the work before it, and not shorter than this.
const REST: (u32, Duration) = (9, Duration::from_millis(2));

/// Keeps what is closed for so long, until the daemon ends.
pub(super) async fn keep_to(retention: Duration, sqlite: Arc<Sqlite>, site: Arc<Site>) {
    let dispatch = &site.dispatch;
    let oldest = || dispatch.clock.now() - kept(retention, &dispatch.table.directory());
    tokio::select! {
        () = keep(&sqlite, oldest, tokio::time::sleep) => {}
        () = site.lifecycle.ending() => {}
    }
}

/// What may be opened again is kept, whatever else is said.
fn kept(retention: Duration, directory: &Directory) -> Duration {
    let groups = directory.sellers.values().flat_map(|seller| &seller.groups);
    groups.map(|group| group.reopen_within).fold(retention, Duration::max)
}

/// Deletes what closed before `oldest`, as it is at each look. It ends only where it is left.
async fn keep(sqlite: &Sqlite, oldest: impl Fn() -> Timestamp, rest: impl AsyncFn(Duration)) {
    loop {
        match forget(sqlite, oldest(), &rest).await {
            Ok(0) => {}
            Ok(conversations) => tracing::info!(conversations, "what was old enough has been deleted"),
            Err(error) => tracing::warn!(%error, "what is old enough could not be deleted; it is tried again"),
        }
        rest(EVERY).await;
    }
}

async fn forget(sqlite: &Sqlite, before: Timestamp, rest: &impl AsyncFn(Duration)) -> Result<u64, StoreError> {
    let mut conversations = 0;
    loop {
        let begun = Instant::now();
        let forgotten = sqlite.forget_some(before).await?;
        conversations += forgotten.conversations;
        if !forgotten.more {
            return Ok(conversations);
        }
        rest((begun.elapsed() * REST.0).max(REST.1)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::journal::conformance::conversation;
    use crate::journal::{Durability, Filter, Journal, Position, Sink, Write};
    use crate::model::State;
    use crate::routing::{Batch, Conversation, Row};

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn what_may_be_opened_again_is_kept() {
        let text = "[[account]]\nid = \"lin\"\nplatform = \"douyin\"\nkind = \"certified_enterprise\"\n\
            certified_until = 2099-12-31\n[[seller]]\nid = \"tea\"\nname = \"Tea\"\naccount = \"lin\"\nshop = \"s\"\n\
            licence_name = \"Tea\"\ndefault_group = \"g\"\n[[seller.group]]\nid = \"g\"\nreopen_within = \"72h\"\n";
        let directory = Directory::from_toml(text, Timestamp::ZERO).unwrap();

        assert_eq!(kept(24 * HOUR, &directory), 72 * HOUR);
        assert_eq!(kept(100 * HOUR, &directory), 100 * HOUR);
    }

    /// Time passes in the rests; a conversation closes in each of the first three hours, and is kept for ten.
    #[tokio::test]
    async fn what_is_old_enough_goes_in_its_hour() {
        let directory = tempfile::tempdir().unwrap();
        let (sqlite, mut sink) = Sqlite::open(directory.path(), Durability::Normal).unwrap();
        let closed = (1..=3).map(|hour| {
            let closed_at = Some(Timestamp::ZERO + hour * HOUR - Duration::from_secs(1));
            let mut closed = Conversation { state: State::Closed, ..conversation(hour.into(), "b") };
            closed.rare.change(|rare| rare.closed_at = closed_at);
            let rows = vec![Row::Conversation(Box::new(closed))];
            Write::Batch(Batch { at: Timestamp::ZERO, events: Vec::new(), rows })
        });
        sink.commit(&closed.collect::<Vec<_>>(), Position(3)).unwrap();
        let (now, seen) = (Cell::new(Timestamp::ZERO), RefCell::new(Vec::new()));
        let rest = async |span| {
            let left = sqlite.list(Filter::default(), None, 9).await.unwrap().conversations.len();
            if seen.borrow().last().is_none_or(|(_, before)| *before != left) {
                seen.borrow_mut().push((now.get().since(Timestamp::ZERO).as_secs() / HOUR.as_secs(), left));
            }
            now.set(now.get() + span);
            if left == 0 {
                std::future::pending().await
            }
        };

        tokio::select! {
            () = keep(&sqlite, || now.get() - 10 * HOUR, rest) => {}
            () = async {
                while seen.borrow().last().is_none_or(|(_, left)| *left > 0) {
                    tokio::task::yield_now().await;
                }
            } => {}
        }

        assert_eq!(seen.into_inner(), [(0, 3), (11, 2), (12, 1), (13, 0)]);
    }
}
