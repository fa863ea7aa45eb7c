//! The certificate of the public listener: read at the start and with every reload. One that is no good changes nothing.
//! Connections are not known here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use x509_parser::parse_x509_certificate;

use crate::model::Timestamp;

/// A certificate with its key.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<Shown>,
}

/// What is shown to whoever connects.
struct Shown {
    config: Arc<ServerConfig>,
    validity: Option<Validity>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {}", .0.display(), .1)]
    Unreadable(PathBuf, io::Error),
    /// A file has nothing of the kind.
    #[error("{} has no {} in PEM", .0.display(), .1)]
    Without(PathBuf, &'static str),
    /// They do not fit together.
    #[error("the certificate in {} is not one for the key in {}", .0.display(), .1.display())]
    Mismatch(PathBuf, PathBuf),
    /// They are of a kind that is not known.
    #[error("the certificate in {} and the key in {} cannot be used: {}", .0.display(), .1.display(), .2)]
    Unfit(PathBuf, PathBuf, rustls::Error),
}

impl TlsError {
    /// The file that has to be looked at.
    pub fn file(&self) -> &Path {
        match self {
            Self::Unreadable(file, _) | Self::Without(file, _) | Self::Mismatch(_, file) | Self::Unfit(_, file, _) => {
                file
            }
        }
    }
}

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub first: Timestamp,
    /// The last one.
    pub last: Timestamp,
}

impl Validity {
    /// That of a certificate; `None` if it cannot be read.
    fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(certificate).ok()?;
        let moment =
            |time: x509_parser::time::ASN1Time| Some(Timestamp::from_micros(time.timestamp().checked_mul(1_000_000)?));
        let validity = certificate.validity();
        Some(Self { first: moment(validity.not_before)?, last: moment(validity.not_after)? })
    }
}

/// Whether a certificate and its key can be used, and from when until when those who connect will take it; `None` if
/// that cannot be read.
///
/// # Errors
/// Why they cannot be used.
pub fn look(certificate: &Path, key: &Path) -> Result<Option<Validity>, TlsError> {
    Ok(read(certificate, key)?.validity)
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(read(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), current })
    }

    /// Whether they could be read anew now.
    ///
    /// # Errors
    /// Why not.
    pub fn look(&self) -> Result<(), TlsError> {
        read(&self.certificate, &self.key).map(drop)
    }

    /// Reads them anew: whoever connects from here on sees the new certificate.
    ///
    /// # Errors
    /// Why they cannot be used; what was there before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.current.store(Arc::new(read(&self.certificate, &self.key)?));
        Ok(())
    }

    /// What shakes hands with whoever connects now.
    pub fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.current.load().config).into()
    }

    /// From when until when those who connect now will take it; `None` if that cannot be read.
    pub fn validity(&self) -> Option<Validity> {
        self.current.load().validity
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Shown, TlsError> {
    let failed = |path: &Path, what, error| match error {
        pem::Error::Io(error) => TlsError::Unreadable(path.to_owned(), error),
        _ => TlsError::Without(path.to_owned(), what),
    };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| failed(certificate, "certificate", error))?;
    if chain.is_empty() {
        return Err(TlsError::Without(certificate.to_owned(), "certificate"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, "private key", error))?;
    let unfit = |error| {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch(certificate, key),
            error => TlsError::Unfit(certificate, key, error),
        }
    };
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?;
    let validity = chain.first().and_then(|leaf| Validity::of(leaf));
    let mut config = config.with_no_client_auth().with_single_cert(chain, secret).map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Shown { config: Arc::new(config), validity })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    #[test]
    fn both_ways_in_which_a_certificate_writes_its_days_are_read() {
        let day = |year, month, day| rcgen::date_time_ymd(year, month, day);
        let micros = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (parameters.not_before, parameters.not_after) = (day(2049, 1, 1), day(2051, 2, 28));
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();

        let found = Validity::of(certificate.der()).unwrap();

        let days = ["2049-01-01T00:00:00Z", "2051-02-28T00:00:00Z"].map(|day| Timestamp::from_micros(micros(day)));
        assert_eq!([found.first, found.last], days);
        assert_eq!(Validity::of(&certificate.der()[..40]), None);
    }

    #[test]
    fn a_certificate_that_is_no_good_keeps_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = pair(folder.path(), "a");
        let (_, other_key) = pair(folder.path(), "b");
        let tls = Tls::load(&certificate, &key).unwrap();
        let before = tls.current.load_full();

        std::fs::copy(&other_key, &key).unwrap();
        assert!(matches!(tls.reload(), Err(TlsError::Mismatch(..))));
        std::fs::write(&key, "no key").unwrap();
        assert!(matches!(tls.reload(), Err(TlsError::Without(..))));
        std::fs::remove_file(&certificate).unwrap();
        assert!(matches!(tls.reload(), Err(TlsError::Unreadable(..))));

        assert!(Arc::ptr_eq(&before, &tls.current.load_full()));
        pair(folder.path(), "a");
        tls.reload().unwrap();
        assert!(!Arc::ptr_eq(&before, &tls.current.load_full()));
    }
}
