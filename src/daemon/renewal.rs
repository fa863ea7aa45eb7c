//! What is read anew with every reload and is no part of the routing configuration: the certificate and the keys. Of one
//! that is no good a warning comes with the reload, and what was there before stays.

use std::sync::Arc;

use crate::auth::Keys;
use crate::directory::{Diagnostic, Severity};
use crate::dispatch::Renewal;
use crate::metrics::Metrics;
use crate::tls::Tls;

/// Renews the certificate; until when it is valid is measured.
pub(super) fn certificate(tls: Arc<Tls>, metrics: Arc<Metrics>) -> impl Fn(Renewal) -> Vec<Diagnostic> + Send {
    measure(&tls, &metrics);
    move |renewal| {
        let renewed = match renewal {
            Renewal::Rehearsed => tls.look(),
            Renewal::Taken => tls.reload().inspect(|()| measure(&tls, &metrics)),
        };
        let stays = |error: crate::tls::TlsError| {
            let file = error.file().display().to_string();
            warning(&file, &format!("{error}; the certificate from before stays"))
        };
        renewed.err().map(stays).into_iter().collect()
    }
}

fn measure(tls: &Tls, metrics: &Metrics) {
    metrics.certificate_expires(tls.validity().map(|validity| validity.last.micros()));
}

/// Renews the keys.
pub(super) fn keys(keys: Arc<Keys>) -> impl Fn(Renewal) -> Vec<Diagnostic> + Send {
    move |renewal| {
        let renewed = match renewal {
            Renewal::Rehearsed => keys.look(),
            Renewal::Taken => keys.reload(),
        };
        let stays = |error| warning("auth", &format!("{error}; the keys from before stay"));
        renewed.err().map(stays).into_iter().collect()
    }
}

fn warning(file: &str, message: &str) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..Diagnostic::of_file(file, message) }
}
