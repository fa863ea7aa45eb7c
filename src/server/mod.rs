//! The listeners: the public one, with the upgrade to WebSocket and what stands beside it, and the admin one.

mod pages;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::protocol;
use crate::session::{self, Site};

const BACKLOG: u32 = 4096;
const SUBPROTOCOL: &str = "fenliu.v1";
const NOTHING: &str = "there is nothing here\n";
/// How long accepting rests when there are no more files.
const REST: Duration = Duration::from_millis(50);

type Reply = Response<Full<Bytes>>;

/// What holds for the public listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Browsers' origins; empty: the same only; `*`: any.
    pub allowed_origins: Vec<String>,
    /// How long a peer may take for its request.
    pub handshake_timeout: Duration,
    /// Bytes of its headers.
    pub headers: usize,
    /// Connections at once; 0: no limit.
    pub connections: usize,
}

/// Binds a listener.
///
/// # Errors
/// The address cannot be had.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves the public listener until it is told to stop.
pub async fn public(
    listener: TcpListener,
    settings: Settings,
    site: Arc<Site>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let settings = Arc::new(settings);
    let open = Arc::new(AtomicUsize::new(0));
    while let Some((stream, peer)) = accept(&listener, &stop).await {
        if settings.connections > 0 && open.load(Ordering::Relaxed) >= settings.connections {
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (settings, site, sessions, open) =
            (Arc::clone(&settings), Arc::clone(&site), tasks.clone(), Arc::clone(&open));
        let stop = stop.clone();
        tasks.spawn(async move {
            let limits = (settings.handshake_timeout, settings.headers);
            let service = service_fn(|request| {
                let reply = route(request, peer.ip(), &settings, &site, &sessions);
                async move { Ok::<_, Infallible>(reply) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(limits.0).max_buf_size(limits.1.max(8192));
            let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
            tokio::select! {
                _ = connection => {}
                () = stop.cancelled() => {}
            }
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn accept(listener: &TcpListener, stop: &CancellationToken) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return None,
        };
        match accepted {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                return Some((stream, peer));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

fn route(
    request: Request<Incoming>,
    ip: IpAddr,
    settings: &Settings,
    site: &Arc<Site>,
    sessions: &TaskTracker,
) -> Reply {
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET, "/ws") => upgrade(request, ip, settings, site, sessions),
        (&Method::GET, "/livez") => plain(StatusCode::OK, "alive\n"),
        (&Method::GET, "/openrpc.json") => {
            let mut reply = plain(StatusCode::OK, protocol::document());
            reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            reply
        }
        (&Method::GET, "/dev.json") => {
            pages::dev(request.headers(), ip, site).unwrap_or_else(|| plain(StatusCode::NOT_FOUND, NOTHING))
        }
        (&Method::GET | &Method::HEAD, path) => pages::page(path, request.uri().query().unwrap_or(""), site)
            .unwrap_or_else(|| plain(StatusCode::NOT_FOUND, NOTHING)),
        _ => plain(StatusCode::METHOD_NOT_ALLOWED, "expected GET\n"),
    }
}

fn upgrade(
    mut request: Request<Incoming>,
    ip: IpAddr,
    settings: &Settings,
    site: &Arc<Site>,
    sessions: &TaskTracker,
) -> Reply {
    if !is_from_allowed_origin(request.headers(), &settings.allowed_origins) {
        return plain(StatusCode::FORBIDDEN, "this origin is not allowed\n");
    }
    let offered: Vec<&str> = values(request.headers(), header::SEC_WEBSOCKET_PROTOCOL).collect();
    let selected = offered.contains(&SUBPROTOCOL);
    if !offered.is_empty() && !selected {
        return plain(StatusCode::BAD_REQUEST, "expected the subprotocol fenliu.v1, or none\n");
    }
    let identity = match bearer(request.headers()) {
        None => None,
        Some(token) => match site.keys.verify(token, site.dispatch.clock.now()) {
            Ok(identity) => Some(identity),
            Err(rejected) => return plain(StatusCode::UNAUTHORIZED, format!("{rejected}\n")),
        },
    };
    let mut asked = Request::builder().method(request.method()).uri(request.uri()).version(request.version());
    if let Some(headers) = asked.headers_mut() {
        headers.clone_from(request.headers());
    }
    let answer = asked.body(()).ok().and_then(|asked| create_response(&asked).ok());
    let Some(answer) = answer else { return plain(StatusCode::BAD_REQUEST, "expected a WebSocket upgrade\n") };
    let (mut parts, ()) = answer.into_parts();
    if selected {
        parts.headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    let (site, upgraded) = (Arc::clone(site), hyper::upgrade::on(&mut request));
    sessions.spawn(async move {
        if let Ok(io) = upgraded.await {
            session::run(site, TokioIo::new(io), ip, identity).await;
        }
    });
    Response::from_parts(parts, Full::default())
}

fn values(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|value| !value.is_empty())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or("");
    Some(value.strip_prefix("Bearer ").unwrap_or("").trim())
}

fn is_from_allowed_origin(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if allowed.iter().any(|allowed| allowed == "*" || allowed == origin) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let of_origin = origin.split_once("://").map(|(_, host)| host);
    allowed.is_empty() && host.is_some() && host == of_origin
}

/// Serves the admin listener: health, and nothing to a browser.
pub async fn admin(listener: TcpListener, draining: CancellationToken, stop: CancellationToken) {
    let own = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
    let own: Arc<str> = own.into();
    while let Some((stream, _)) = accept(&listener, &stop).await {
        let (own, draining) = (Arc::clone(&own), draining.clone());
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let reply = admin_route(&request, &own, draining.is_cancelled());
                async move { Ok::<_, Infallible>(reply) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new());
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn admin_route(request: &Request<Incoming>, own: &str, draining: bool) -> Reply {
    if !is_no_browser(request.headers(), own) {
        return plain(StatusCode::FORBIDDEN, "this is not for browsers\n");
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/livez") => plain(StatusCode::OK, "alive\n"),
        (&Method::GET, "/readyz") if draining => {
            json(StatusCode::SERVICE_UNAVAILABLE, r#"{"ready":false,"reasons":["draining"]}"#)
        }
        (&Method::GET, "/readyz") => json(StatusCode::OK, r#"{"ready":true,"reasons":[]}"#),
        _ => plain(StatusCode::NOT_FOUND, NOTHING),
    }
}

/// No web page can reach the admin listener: it would send its origin, or a name that is not ours.
fn is_no_browser(headers: &HeaderMap, own: &str) -> bool {
    let site = headers.get("sec-fetch-site");
    if headers.contains_key(header::ORIGIN) || site.is_some_and(|site| site != "none") {
        return false;
    }
    let host = headers.get(header::HOST);
    host.is_none_or(|host| host == own) || is_loopback_host(headers)
}

/// Whether the host that is asked for is this machine by a name that no web page can point elsewhere.
fn is_loopback_host(headers: &HeaderMap) -> bool {
    let Some(Ok(host)) = headers.get(header::HOST).map(HeaderValue::to_str) else { return false };
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(text.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

fn json(status: StatusCode, text: &'static str) -> Reply {
    let mut reply = plain(status, text);
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}
