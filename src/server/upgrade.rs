//! The upgrade of a request to a WebSocket: origin, subprotocol, token, handshake. What is said then is `session`'s.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;

use super::client::{self, values};
use super::public::{Connection, Public};
use super::reply::{Content, Reply, plain};
use crate::session;

const SUBPROTOCOL: &str = "fenliu.v1";

/// Answers a request for a WebSocket, and lets a session begin on it.
pub(super) fn upgrade(mut request: Request<Incoming>, connection: &Connection, public: &Arc<Public>) -> Reply {
    let headers = request.headers();
    if !client::is_from_allowed_origin(headers, &public.settings.allowed_origins) {
        return public.refuse("origin", plain(StatusCode::FORBIDDEN, "this origin is not allowed\n"));
    }
    let offered: Vec<&str> = values(headers, header::SEC_WEBSOCKET_PROTOCOL).collect();
    let selected = offered.contains(&SUBPROTOCOL);
    if !offered.is_empty() && !selected {
        let reply = plain(StatusCode::BAD_REQUEST, "expected the subprotocol fenliu.v1, or none\n");
        return public.refuse("subprotocol", reply);
    }
    let ip = client::address(connection.peer, headers, &public.settings.trusted_proxies);
    let seat = if connection.is_direct { Ok(None) } else { public.gate.of(ip) };
    let Ok(seat) = seat else {
        return public.too_many_of_one();
    };
    let site = &public.site;
    let identity = match client::bearer(headers) {
        None => None,
        Some(token) => match site.identify(token) {
            Ok(identity) => Some(identity),
            Err(why) => {
                let mut reply = plain(StatusCode::UNAUTHORIZED, format!("{why}\n"));
                reply.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                return public.refuse("token", reply);
            }
        },
    };
    let Some(answer) = handshake(&request, selected) else {
        return public.refuse("handshake", plain(StatusCode::BAD_REQUEST, "expected a WebSocket upgrade\n"));
    };
    let (site, upgraded) = (Arc::clone(site), hyper::upgrade::on(&mut request));
    let seats = (Arc::clone(&connection.seat), seat);
    public.sessions.spawn(async move {
        match upgraded.await.map(Upgraded::downcast::<TokioIo<TcpStream>>) {
            // Without the layers of HTTP, which every frame would have to pass.
            Ok(Ok(plain)) => {
                // Copied, so that the whole buffer of the request does not stay for the few bytes behind it.
                let (io, early) = (plain.io.into_inner(), plain.read_buf.to_vec());
                drop(plain.read_buf);
                session::run(site, io, &early, ip, identity).await;
            }
            Ok(Err(other)) => session::run(site, TokioIo::new(other), &[], ip, identity).await,
            Err(_) => {}
        }
        drop(seats);
    });
    answer
}

/// The answer that makes it a WebSocket, if that is what was asked for.
fn handshake(request: &Request<Incoming>, selected: bool) -> Option<Reply> {
    let mut asked = Request::builder().method(request.method()).uri(request.uri()).version(request.version());
    if let Some(headers) = asked.headers_mut() {
        headers.clone_from(request.headers());
    }
    let (mut parts, ()) = asked.body(()).ok().and_then(|asked| create_response(&asked).ok())?.into_parts();
    if selected {
        parts.headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    Some(Response::from_parts(parts, Content::default()))
}
