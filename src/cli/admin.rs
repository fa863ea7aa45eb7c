//! Asks a running daemon over its admin listener: one request, one answer.
//! What is asked, and how the answer is shown, is its callers'.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::output::Globals;
use crate::auth::{Claims, Keys, Role};
use crate::clock::Clock;
use crate::model::Timestamp;

/// The daemon is not reachable.
pub const UNREACHABLE: u8 = 69;

/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long an answer may take: a reload waits until all has settled.
const ANSWERING: Duration = Duration::from_secs(120);
/// The longest answer that is read, in bytes.
const ANSWER_MAX: usize = 256 * 1024 * 1024;
/// For how long a token for one request is valid.
const TOKEN_TTL: Duration = Duration::from_secs(120);

/// A daemon's admin listener.
#[derive(Clone, Debug)]
pub struct Admin {
    way: Way,
    host: String,
    token: Option<String>,
}

#[derive(Clone, Debug)]
enum Way {
    Tcp(String),
    Unix(String),
}

/// Nobody answers there.
#[derive(Debug, thiserror::Error)]
#[error("no daemon is reachable at {at}: {error}")]
pub struct Unreachable {
    at: String,
    error: io::Error,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The answer as JSON; null if it is none.
    pub json: Value,
    /// The answer as it came.
    pub text: String,
}

impl Admin {
    /// The listener at `http://HOST:PORT`, `HOST:PORT` or `unix:PATH`. On an address that others can reach a token is
    /// sent, if the settings here have the secret for one.
    ///
    /// # Errors
    /// What is no such address.
    pub fn at(url: &str, globals: &Globals) -> anyhow::Result<Self> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Ok(Self {
                way: Way::Unix(path.trim_start_matches("//").into()),
                host: "localhost".into(),
                token: None,
            });
        }
        anyhow::ensure!(!url.starts_with("https:"), "the admin listener speaks http, or is a socket (unix:PATH)");
        let address = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        let (host, port) = address.rsplit_once(':').context("expected http://HOST:PORT or unix:PATH")?;
        anyhow::ensure!(
            !host.is_empty() && port.parse::<u16>().is_ok() && !address.contains('/'),
            "expected http://HOST:PORT or unix:PATH"
        );
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let is_here = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let token = if is_here { None } else { token(globals) };
        Ok(Self { way: Way::Tcp(address.into()), host: address.into(), token })
    }

    /// Asks for what `path` names; `body` is JSON.
    ///
    /// # Errors
    /// [`Unreachable`], or what went wrong after that.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        match &self.way {
            Way::Tcp(address) => {
                let stream = within(CONNECTING, TcpStream::connect(address)).await;
                let stream = stream.map_err(|error| Unreachable { at: address.clone(), error })?;
                self.exchange(stream, method, path, body).await
            }
            Way::Unix(socket) => {
                let stream = within(CONNECTING, UnixStream::connect(Path::new(socket))).await;
                let stream = stream.map_err(|error| Unreachable { at: format!("unix:{socket}"), error })?;
                self.exchange(stream, method, path, body).await
            }
        }
    }

    async fn exchange<S>(&self, stream: S, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Answer>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::new(body))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?.to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            Ok(Answer { status, json: serde_json::from_str(&text).unwrap_or(Value::Null), text })
        };
        tokio::time::timeout(ANSWERING, exchange).await.context("the daemon does not answer")?
    }
}

/// A token for one request, if there is a secret to sign it with; none is made for this.
fn token(globals: &Globals) -> Option<String> {
    let settings = globals.try_settings().ok()?.settings;
    let given = settings.auth.hs256_secret.is_some() || settings.auth.hs256_secret_file.is_some();
    if !given && !settings.store.path.join("secret").exists() {
        return None;
    }
    let keys = Keys::load(&settings.auth, &settings.store.path).ok()?;
    let now = Clock::new(Timestamp::ZERO).now();
    keys.mint(&Claims::new(Role::Operator, "fenliu", now + TOKEN_TTL)).ok()
}

async fn within<T>(limit: Duration, doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, doing).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
