//! A client of the admin listener: one request a connection, over TCP or a socket in the file system.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use crate::auth::{Claims, Keys, Role};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::model::Timestamp;
use crate::network::Address;

/// The exit code where the daemon cannot be reached.
pub(super) const UNREACHABLE: u8 = 69;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a token is valid that is made for one command.
const TOKEN: Duration = Duration::from_secs(60);

/// Where the admin listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A host and its port.
    Tcp(String),
    /// The path of a socket.
    Unix(PathBuf),
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected http://HOST:PORT, HOST:PORT or unix:PATH";
        if let Some(path) = text.strip_prefix("unix:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
            return if path.is_empty() { Err(EXPECTED) } else { Ok(Self::Unix(path.into())) };
        }
        let host = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() || host.contains('/') { Err(EXPECTED) } else { Ok(Self::Tcp(host.to_owned())) }
    }
}

impl Target {
    /// Whether it is on this machine: then it asks for no token.
    fn is_here(&self) -> bool {
        let Self::Tcp(host) = self else { return true };
        let name = host.rsplit_once(':').map_or(&**host, |(name, _)| name);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl From<&Address> for Target {
    fn from(address: &Address) -> Self {
        match address {
            Address::Unix(path) => Self::Unix(path.clone()),
            Address::Tcp(address) if address.ip().is_unspecified() => {
                Self::Tcp(SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), address.port()).to_string())
            }
            Address::Tcp(address) => Self::Tcp(address.to_string()),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(host) => f.write_str(host),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody listens there.
    #[error("the daemon cannot be reached at {0}: {1}")]
    Unreachable(Target, String),
    /// It has refused.
    #[error("{1} ({0})")]
    Refused(StatusCode, String),
    /// The configuration that it was to load is invalid.
    #[error("the configuration is invalid")]
    Invalid(Value),
    /// Whoever waited for it does no longer.
    #[error("interrupted")]
    Interrupted,
}

/// A client.
pub(super) struct Client {
    pub(super) target: Target,
    pub(super) token: Option<String>,
}

impl Client {
    /// A client of a listener. Where that asks for a token, it is signed with the secret that these settings have; none
    /// is made for it.
    pub(super) fn new(target: Target, settings: Option<&Settings>) -> Self {
        let token = settings.filter(|_| !target.is_here()).and_then(token);
        Self { target, token }
    }

    /// What a path shows.
    pub(super) async fn read(&self, path: &str) -> Result<Value, Failure> {
        self.value(self.send(Method::GET, path, None).await?).await
    }

    /// What comes of doing something.
    pub(super) async fn act(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.value(self.send(Method::POST, path, body).await?).await
    }

    /// Sends a request; an answer that is a refusal is one too.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, Failure> {
        match &self.target {
            Target::Unix(socket) => {
                let stream = self.in_time(UnixStream::connect(socket)).await?;
                self.exchange(stream, "localhost", method, path, body).await
            }
            Target::Tcp(host) => {
                let found = self.in_time(lookup_host(host)).await?;
                let addresses: Vec<_> = found.collect();
                let stream = self.in_time(TcpStream::connect(&*addresses)).await?;
                // The listener knows itself by its address, by no other name.
                let host = stream.peer_addr().map_or_else(|_| host.clone(), |address| address.to_string());
                self.exchange(stream, &host, method, path, body).await
            }
        }
    }

    /// The value of an answer.
    pub(super) async fn value(&self, answer: Response<Incoming>) -> Result<Value, Failure> {
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| self.unreachable(&error))?.to_bytes();
        let value: Option<Value> = serde_json::from_slice(&body).ok();
        if status.is_success() {
            return Ok(value.unwrap_or_else(|| String::from_utf8_lossy(&body).trim().into()));
        }
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            return Err(Failure::Invalid(value.unwrap_or_default()));
        }
        let message = value.as_ref().and_then(|value| value["message"].as_str().map(str::to_owned));
        Err(Failure::Refused(status, message.unwrap_or_else(|| String::from_utf8_lossy(&body).trim().to_owned())))
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        host: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, Failure> {
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let mut request = Request::builder().method(method).uri(path).header(HOST, host);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).map_err(|error| self.unreachable(&error))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.unreachable(&error))?;
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|error| self.unreachable(&error))
    }

    async fn in_time<T>(&self, wait: impl Future<Output = std::io::Result<T>>) -> Result<T, Failure> {
        match tokio::time::timeout(CONNECT, wait).await {
            Ok(done) => done.map_err(|error| self.unreachable(&error)),
            Err(late) => Err(self.unreachable(&late)),
        }
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::Unreachable(self.target.clone(), error.to_string())
    }
}

fn token(settings: &Settings) -> Option<String> {
    let given = settings.auth.hs256_secret.is_some() || settings.auth.hs256_secret_file.is_some();
    if !given && !settings.store.path.join("secret").exists() {
        return None;
    }
    let keys = Keys::load(&settings.auth, &settings.store.path).ok()?;
    let expires_at = Clock::new(Timestamp::ZERO).now() + TOKEN;
    keys.mint(&Claims::new(Role::Operator, "ctl", expires_at)).ok()
}

/// A value as it stands in a query.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_address_or_a_socket() {
        assert_eq!("http://127.0.0.1:8081/".parse(), Ok(Target::Tcp("127.0.0.1:8081".into())));
        assert_eq!("[::1]:8081".parse(), Ok(Target::Tcp("[::1]:8081".into())));
        assert_eq!("unix:/run/a.sock".parse(), Ok(Target::Unix("/run/a.sock".into())));
        for text in ["https://a:1", "localhost", "http://a:1/b", "unix:", ""] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
        let here = |text: &str| text.parse::<Target>().is_ok_and(|target| target.is_here());
        assert!(here("localhost:81") && here("[::1]:81") && here("unix:/a") && !here("10.0.0.1:81"));
        assert_eq!(Target::from(&"0.0.0.0:81".parse().unwrap()), Target::Tcp("127.0.0.1:81".into()));
    }

    #[test]
    fn what_stands_in_a_query_is_encoded() {
        assert_eq!(encoded("tea 茶&x=1"), "tea%20%E8%8C%B6%26x%3D1");
    }
}
