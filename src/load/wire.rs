//! A client's connection: the upgrade, requests with their numbers, frames in both directions.
//! What a frame means for whoever receives it is not here.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::trust::Trust;

/// How long a connection may take, its upgrade included.
const CONNECT_WAIT: Duration = Duration::from_secs(20);
/// Connections from one source address: there are about 28 000 ports.
const PORTS: usize = 20_000;
const READ_BUFFER: usize = 4096;
/// What a slow reader lets the system keep for it, in bytes.
const SLOW_BUFFER: u32 = 4096;

/// Where the daemon listens.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) url: String,
    pub(super) trust: Option<Trust>,
}

/// Why a connection is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("no connection: {0}")]
    Unreachable(#[source] std::io::Error),
    #[error("no upgrade: {0}")]
    NotUpgraded(#[source] Box<Error>),
    #[error("no answer in {0:?}")]
    Slow(Duration),
    #[error("refused: {0}")]
    Refused(String),
    #[error("closed with {0}")]
    Closed(u16),
    #[error("the connection broke")]
    Broken,
}

impl WireError {
    /// Its name among the errors of a report.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Unreachable(_) | Self::NotUpgraded(_) | Self::Slow(_) | Self::Broken => "connection".to_owned(),
            Self::Refused(kind) => kind.clone(),
            Self::Closed(code) => format!("closed/{code}"),
        }
    }
}

/// A frame from the daemon.
#[derive(Debug, Deserialize)]
pub(super) struct Frame<'a> {
    pub(super) id: Option<u64>,
    #[serde(borrow)]
    pub(super) method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) params: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) result: Option<&'a RawValue>,
    pub(super) error: Option<Fault>,
}

/// An error of the protocol.
#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    #[serde(default)]
    pub(super) data: FaultData,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct FaultData {
    #[serde(default)]
    kind: String,
    reason: Option<String>,
    pub(super) retry_after_ms: Option<u64>,
}

impl Fault {
    /// Its name among the errors of a report.
    pub(super) fn kind(&self) -> String {
        match &self.data.reason {
            Some(reason) => format!("{}/{reason}", self.data.kind),
            None => self.data.kind.clone(),
        }
    }
}

/// Bytes both ways, over TLS or not.
trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection.
pub(super) struct Wire {
    socket: WebSocketStream<Box<dyn Io>>,
    last: u64,
    fed: bool,
    /// What came while a reply was waited for.
    behind: VecDeque<Utf8Bytes>,
}

impl Wire {
    /// Connects; `number` spreads connections to this machine over source addresses, which have only so many ports.
    pub(super) async fn connect(target: &Target, number: usize, slow: Slow) -> Result<Self, WireError> {
        let connecting = Self::connect_patiently(target, number, slow);
        tokio::time::timeout(CONNECT_WAIT, connecting).await.unwrap_or(Err(WireError::Slow(CONNECT_WAIT)))
    }

    async fn connect_patiently(target: &Target, number: usize, slow: Slow) -> Result<Self, WireError> {
        let socket = if target.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(WireError::Unreachable)?;
        if slow == Slow::Yes {
            let _ = socket.set_recv_buffer_size(SLOW_BUFFER);
        }
        let source = u8::try_from(number / PORTS).unwrap_or(u8::MAX);
        if source > 0 && matches!(target.address.ip(), IpAddr::V4(ip) if ip.is_loopback()) {
            let ip = IpAddr::from(Ipv4Addr::new(127, 0, 0, source.saturating_add(1)));
            socket.bind(SocketAddr::new(ip, 0)).map_err(WireError::Unreachable)?;
        }
        let stream = socket.connect(target.address).await.map_err(WireError::Unreachable)?;
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Io> = match &target.trust {
            None => Box::new(stream),
            Some(trust) => Box::new(trust.connect(stream).await.map_err(WireError::Unreachable)?),
        };
        let unfit = |error| WireError::NotUpgraded(Box::new(error));
        let mut request = target.url.as_str().into_client_request().map_err(unfit)?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("fenliu.v1"));
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(READ_BUFFER);
        let upgraded = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
        let (socket, _) = upgraded.map_err(unfit)?;
        Ok(Self { socket, last: 0, fed: false, behind: VecDeque::new() })
    }

    /// Writes a request into the buffer; its number.
    pub(super) async fn ask(&mut self, method: &str, params: &str) -> Result<u64, WireError> {
        self.last += 1;
        let id = self.last;
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        self.socket.feed(Message::text(text)).await.map_err(|error| broken(&error))?;
        self.fed = true;
        Ok(id)
    }

    /// Sends what is in the buffer.
    pub(super) async fn flush(&mut self) -> Result<(), WireError> {
        if std::mem::take(&mut self.fed) {
            self.socket.flush().await.map_err(|error| broken(&error))?;
        }
        Ok(())
    }

    /// The next text. It may be given up while it waits.
    pub(super) async fn next(&mut self) -> Result<Utf8Bytes, WireError> {
        match self.behind.pop_front() {
            Some(text) => Ok(text),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Result<Utf8Bytes, WireError> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => {
                    return Err(WireError::Closed(frame.map_or(1005, |frame| frame.code.into())));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(broken(&error)),
                None => return Err(WireError::Broken),
            }
        }
    }

    /// Asks and waits for the reply; what comes before it is kept for [`Wire::next`]. The daemon's pace is kept.
    pub(super) async fn call(&mut self, method: &str, params: &str) -> Result<String, WireError> {
        loop {
            let id = self.ask(method, params).await?;
            self.flush().await?;
            let text = loop {
                let text = self.read().await?;
                if frame(&text)?.id == Some(id) {
                    break text;
                }
                self.behind.push_back(text);
            };
            let frame = frame(&text)?;
            let Some(fault) = frame.error else {
                return Ok(frame.result.map_or("{}", RawValue::get).to_owned());
            };
            match fault.data.retry_after_ms {
                Some(wait) => tokio::time::sleep(Duration::from_millis(wait)).await,
                None => return Err(WireError::Refused(fault.kind())),
            }
        }
    }

    /// Opens the session: the result of `session.open`.
    pub(super) async fn open(&mut self, token: &str, status: Option<&str>) -> Result<String, WireError> {
        let status = status.map(|status| format!(r#","status":"{status}""#)).unwrap_or_default();
        let client = concat!(r#","client":{"name":"fenliu load","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
        let params = format!(r#"{{"token":"{token}"{status}{client}}}"#);
        self.call("session.open", &params).await
    }

    /// Says goodbye as WebSocket does.
    pub(super) async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.socket.close(None)).await;
    }
}

/// Whether a connection takes what it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slow {
    Yes,
    No,
}

/// A text as a frame.
pub(super) fn frame(text: &str) -> Result<Frame<'_>, WireError> {
    serde_json::from_str(text).map_err(|_| WireError::Refused("unreadable".to_owned()))
}

fn broken(_: &Error) -> WireError {
    WireError::Broken
}
