//! Listeners: bound, accepted from until the end, each connection served as HTTP/1.1. What is answered is not here.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

use super::reply::{Reply, plain};
use crate::lifecycle::Lifecycle;
use crate::network::Address;

const BACKLOG: u32 = 4096;
/// How long accepting rests when there are no more files.
const REST: Duration = Duration::from_millis(50);
/// The smallest buffer in which a request is read.
const BUFFER_MIN: usize = 8192;
/// The buffer where headers have no limit.
const BUFFER_MAX: usize = 1 << 20;
/// How many headers a request may have.
pub(super) const HEADERS_MAX: usize = 100;

/// Binds a public listener.
///
/// # Errors
/// The address cannot be had.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Whatever it accepts has it from here.
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The admin listener: on an address, or on a socket that only the daemon's own user may open.
#[derive(Debug)]
pub enum AdminListener {
    /// On an address.
    Tcp(TcpListener),
    /// On a socket in the file system.
    Unix(UnixListener),
}

impl AdminListener {
    /// Binds it. A socket that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// The address cannot be had, or somebody listens there.
    pub fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => bind(*address).map(Self::Tcp),
            Address::Unix(path) => bind_unix(path).map(Self::Unix),
        }
    }

    /// Where it listens, if that is an address.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens on this socket"));
        }
        std::fs::remove_file(path)?;
    }
    // Nobody else may connect even before the mode is set: it appears at its name only when it is.
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let made = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let _ = std::fs::remove_file(&made);
    let listener = UnixListener::bind(&made)?;
    std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&made, path)?;
    Ok(listener)
}

/// The next connection; `None` at the end.
pub(super) async fn accept(listener: &TcpListener, life: &Lifecycle) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = life.stopped() => return None,
        };
        match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) => rest(&error).await,
        }
    }
}

/// The next connection on a socket; `None` at the end.
pub(super) async fn accept_unix(listener: &UnixListener, life: &Lifecycle) -> Option<UnixStream> {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = life.stopped() => return None,
        };
        match accepted {
            Ok((stream, _)) => return Some(stream),
            Err(error) => rest(&error).await,
        }
    }
}

async fn rest(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(REST).await;
}

/// What a request may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Time for its headers; zero: any.
    pub(super) time: Duration,
    /// Bytes of its headers; 0: any.
    pub(super) headers: usize,
}

impl Bounds {
    /// The buffer in which its headers are read.
    pub(super) fn buffer(&self) -> usize {
        if self.headers == 0 { BUFFER_MAX } else { self.headers.max(BUFFER_MIN) }
    }

    /// Whether so many bytes of headers are too many.
    pub(super) fn are_passed_by(&self, bytes: usize) -> bool {
        self.headers > 0 && bytes > self.headers
    }
}

/// Serves a connection until it ends or the daemon does.
pub(super) async fn serve<S, F>(stream: S, bounds: Bounds, life: &Lifecycle, answer: impl Fn(Request<Incoming>) -> F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Reply>,
{
    let service = service_fn(|request: Request<Incoming>| {
        let too_large = bounds.are_passed_by(header_bytes(&request));
        let answered = (!too_large).then(|| answer(request));
        async move {
            Ok::<_, Infallible>(match answered {
                Some(answered) => answered.await,
                None => plain(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too large\n"),
            })
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).max_buf_size(bounds.buffer()).max_headers(HEADERS_MAX);
    http.header_read_timeout((!bounds.time.is_zero()).then_some(bounds.time));
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::select! {
        _ = connection => {}
        () = life.stopped() => {}
    }
}

/// The bytes of a request's head, as they came.
pub(super) fn header_bytes<B>(request: &Request<B>) -> usize {
    let line = request.uri().path_and_query().map_or(0, |path| path.as_str().len()) + request.method().as_str().len();
    request.headers().iter().fold(line, |bytes, (name, value)| bytes + name.as_str().len() + value.len() + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_that_is_written_waits_for_more() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();

        let (stream, _) = accept(&listener, &Lifecycle::default()).await.unwrap();

        assert!(stream.nodelay().unwrap());
    }
}
