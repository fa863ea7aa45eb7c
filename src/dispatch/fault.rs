//! Our own faults: the caller is told a reference, and the log has what happened under it. A store that cannot be read
//! now is none: it may be read later.

use std::fmt::Display;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use super::Dispatch;
use crate::journal::StoreError;
use crate::protocol::{RpcError, Undone};

impl Dispatch {
    /// Waits for what may break off; whoever asked is told a reference then, and the daemon goes on. What it may have left
    /// behind in the table is built anew, by the slot that it held.
    pub(super) fn guarded<T, E: From<RpcError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        // No `async fn`: that would have room for the work twice.
        AssertUnwindSafe(work).catch_unwind().map(|done| {
            done.unwrap_or_else(|_| {
                let reference = self.clock.session_id().to_string();
                Err(fault(reference, &"it has broken off: the line before this one says where").into())
            })
        })
    }

    /// What could not be read, through no fault of the caller's.
    pub(super) fn fault(&self, error: &StoreError) -> RpcError {
        if let StoreError::Failed(_) = error {
            tracing::error!(%error, "a call could not be answered now");
            return RpcError::unavailable(Undone::NotDone);
        }
        fault(self.clock.session_id().to_string(), error)
    }
}

fn fault(reference: String, error: &dyn Display) -> RpcError {
    tracing::error!("ref" = reference, %error, "a call could not be answered");
    RpcError::internal(reference)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_reference_that_a_caller_is_told_is_found_in_the_log() {
        let page = Page::default();
        let writer = page.clone();
        let log = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();

        let error = tracing::subscriber::with_default(log, || fault("one-of-its-own".into(), &"the disk has gone"));

        let told = crate::protocol::error_reply(None, &error);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let line: serde_json::Value = serde_json::from_slice(&page.0.lock().unwrap()).unwrap();
        assert_eq!((&told["error"]["code"], &told["error"]["data"]["kind"]), (&(-32603).into(), &"internal".into()));
        assert_eq!(told["error"]["data"]["ref"], line["ref"]);
        assert_eq!(line["error"], "the disk has gone");
        assert!(!told.to_string().contains("disk"));
    }
}
