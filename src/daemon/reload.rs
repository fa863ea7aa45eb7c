//! Reloads that nobody waits for: because of a signal, or because the files are others. What is wrong is logged.

use std::path::PathBuf;
use std::sync::Arc;

use super::watch::Watch;
use crate::directory::{self, Diagnostic};
use crate::protocol::RpcError;
use crate::session::Site;

/// How many faults of a configuration the log names; `fenliu check` names all.
const NAMED: usize = 3;

/// Reloads the configuration; what is wrong with it is logged.
pub(super) async fn reload(site: &Site, by: &str) {
    let Err(error) = site.dispatch.reload(by, false).await else { return };
    let Faults { errors, first } = Faults::of(&error);
    let error = error.message();
    tracing::error!(by, error, errors, first, "the configuration was not reloaded; the old one stays");
}

/// Reloads the configuration whenever its files say something else, until the daemon stops.
pub(super) async fn follow_files(site: Arc<Site>, path: PathBuf) {
    let mut watch = match Watch::new(path) {
        Ok(watch) => watch,
        Err(error) => return tracing::error!(%error, "the configuration cannot be watched"),
    };
    loop {
        tokio::select! {
            () = watch.changed() => reload(&site, "watch").await,
            () = site.lifecycle.stopped() => return,
        }
    }
}

/// What is wrong with a configuration, in a line: how much, and the first of it with its places.
#[derive(Debug, Default, PartialEq, Eq)]
struct Faults {
    errors: usize,
    /// `FILE:LINE:COLUMN: error: what`, several with ` | ` between; nothing if no place is at fault.
    first: Option<String>,
}

impl Faults {
    fn of(error: &RpcError) -> Self {
        let found = error.diagnostics().and_then(|json| serde_json::from_str::<Vec<Diagnostic>>(json).ok());
        let mut faults: Vec<_> = found.unwrap_or_default().into_iter().filter(Diagnostic::is_error).collect();
        let errors = faults.len();
        faults.truncate(NAMED);
        Self { errors, first: (errors > 0).then(|| directory::summary(&faults).replace('\n', " | ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Unbound;
    use crate::model::Timestamp;
    use crate::protocol;

    #[test]
    fn the_log_names_the_first_faults_of_a_configuration_with_their_places() {
        let text = "[[role]]\nid = \"a\"\nscopes = []\ncolour = 1\n".repeat(3) + "[[seller]]\nid = 7\n";
        let (_, found) = directory::parse(&[("a.toml".into(), text.into())], Timestamp::ZERO, None, &Unbound::new());
        let errors = found.iter().filter(|found| found.is_error()).count();

        let faults = Faults::of(&protocol::refused(&found));

        let first = faults.first.unwrap();
        assert_eq!(faults.errors, errors);
        assert!(errors > NAMED && first.split(" | ").count() == NAMED, "{first}");
        assert!(first.starts_with("a.toml:4:1: error: ") && !first.contains(['\n', '{']), "{first}");
    }

    #[test]
    fn a_reload_that_failed_for_another_reason_names_no_place() {
        assert_eq!(Faults::of(&RpcError::not_found()), Faults::default());
    }
}
