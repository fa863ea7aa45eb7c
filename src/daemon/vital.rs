//! The tasks without which nothing goes on: the lanes, the keeper of time, the listeners, the thread that writes. Where one
//! breaks off, the daemon ends, and whoever started it starts it again from what is written.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::task::JoinHandle;

use crate::journal::Writer;
use crate::lifecycle::Lifecycle;

/// Runs a task without which nothing goes on.
pub(super) fn spawn(what: &'static str, life: &Lifecycle, task: impl Future<Output = ()> + Send + 'static) {
    let life = life.clone();
    tokio::spawn(async move {
        if AssertUnwindSafe(task).catch_unwind().await.is_err() {
            end(what, &life);
        }
    });
}

/// Watches tasks that others have started.
pub(super) fn watch(what: &'static str, life: &Lifecycle, tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        let life = life.clone();
        tokio::spawn(async move {
            if task.await.is_err_and(|error| error.is_panic()) {
                end(what, &life);
            }
        });
    }
}

/// Watches the thread that writes.
pub(super) fn watch_writer(life: &Lifecycle, writer: &Writer) {
    let (life, writer) = (life.clone(), writer.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = writer.died() => end("journal", &life),
            () = life.stopped() => {}
        }
    });
}

fn end(what: &str, life: &Lifecycle) {
    tracing::error!(what, "nothing goes on without this, and it has broken off: the daemon ends");
    life.fail();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Position, Restored, Settings, Sink, StoreError, Uncommitted, Write};

    struct Breaking;

    impl Sink for Breaking {
        fn commit(&mut self, _: &[Write], _: Position) -> Result<(), Uncommitted> {
            panic!("a fault of the test")
        }

        fn restore(&mut self) -> Result<Restored, StoreError> {
            Ok(Restored::default())
        }

        fn probe(&mut self) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_task_that_breaks_off_ends_the_daemon_and_one_that_ends_does_not() {
        let (well, broken) = (Lifecycle::default(), Lifecycle::default());

        spawn("one that ends", &well, async {});
        spawn("one that breaks off", &broken, async { panic!("a fault of the test") });

        broken.failed().await;
        assert!(well.failed().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_thread_that_breaks_off_while_it_writes_leaves_nobody_waiting() {
        let (writer, thread) = Writer::threaded(Breaking, Settings::default()).unwrap();
        let life = Lifecycle::default();
        watch_writer(&life, &writer);

        let position = writer.slot().await.unwrap().write(Write::All(Vec::new()));

        assert!(writer.durable(position).await.is_err());
        life.failed().await;
        assert!(writer.slot().await.is_err());
        thread.join().unwrap();
    }
}
