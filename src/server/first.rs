//! The first request of a connection: if it is for a WebSocket and may be one, it is answered here, without a server of
//! HTTP around it. Every other, and whoever is refused, is handed on to that with what has been read.

use hyper::header;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::Request;

use super::listener::{Bounds, HEADERS_MAX, header_bytes};

/// How such a request begins.
const BEGINNING: &[u8] = b"GET /ws";
/// What most of them fit in.
const ROOM: usize = 1024;

/// What a connection begins with.
pub(super) enum First {
    /// A request for a WebSocket within the bounds; how many bytes it has.
    Asked(Request, usize),
    /// Anything else.
    Other,
    /// Nothing that is a whole request.
    Gone,
}

/// Reads until it is known what it is. What has been read is in `read` then.
pub(super) async fn first<S: AsyncRead + Unpin>(stream: &mut S, read: &mut Vec<u8>, bounds: Bounds) -> First {
    if bounds.time.is_zero() {
        return begin(stream, read, bounds).await;
    }
    tokio::time::timeout(bounds.time, begin(stream, read, bounds)).await.unwrap_or(First::Gone)
}

async fn begin<S: AsyncRead + Unpin>(stream: &mut S, read: &mut Vec<u8>, bounds: Bounds) -> First {
    read.reserve(ROOM);
    loop {
        // What ends a head may have begun in the piece before.
        let new = read.len().saturating_sub(2);
        match stream.read_buf(read).await {
            Ok(0) | Err(_) => return First::Gone,
            Ok(_) => {}
        }
        let seen = read.len().min(BEGINNING.len());
        if read[..seen] != BEGINNING[..seen] || read.len() > bounds.buffer() {
            return First::Other;
        }
        if !ends_a_head(&read[new..]) {
            continue;
        }
        match Request::try_parse(read) {
            Ok(None) => {}
            Ok(Some((bytes, request))) if is_plain(&request, bounds) => return First::Asked(request, bytes),
            _ => return First::Other,
        }
    }
}

/// Whether an empty line is in it: before that, a head that comes byte by byte is not parsed again and again.
fn ends_a_head(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|bytes| bytes == b"\n\r\n") || bytes.windows(2).any(|bytes| bytes == b"\n\n")
}

/// Whether it is a request for a WebSocket of which nothing more comes.
fn is_plain(request: &Request, bounds: Bounds) -> bool {
    let headers = request.headers();
    let has_body = headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING);
    let is_within = headers.len() <= HEADERS_MAX && !bounds.are_passed_by(header_bytes(request));
    request.uri().path() == "/ws" && !has_body && is_within
}
