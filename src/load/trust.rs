//! Whom a run believes over TLS: a certificate that is given, or whoever it has signed. Nobody else.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Whom it believes, and as whom the daemon has to show itself.
#[derive(Clone)]
pub struct Trust {
    connector: TlsConnector,
    host: ServerName<'static>,
}

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no certificate.
    #[error("expected a certificate in PEM")]
    NoCertificate,
    /// The host has no name.
    #[error("`{0}` is no name of a host")]
    NoName(String),
    /// What TLS says of it.
    #[error(transparent)]
    Unfit(#[from] tokio_rustls::rustls::Error),
}

impl Trust {
    /// Trust in the certificates of a PEM text, for a host of this name.
    ///
    /// # Errors
    /// [`TrustError`]
    pub fn new(pem: &[u8], host: &str) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(|_| TrustError::NoCertificate)?)?;
        }
        if roots.is_empty() {
            return Err(TrustError::NoCertificate);
        }
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let host = ServerName::try_from(name.to_owned()).map_err(|_| TrustError::NoName(host.to_owned()))?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), host })
    }

    pub(super) async fn connect(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.host.clone(), stream).await
    }
}
