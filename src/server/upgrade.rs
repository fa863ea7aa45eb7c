//! The upgrade of a request to a WebSocket: origin, subprotocol, token, handshake. What is said then is `session`'s.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::server::{create_response_with_body, write_response};

use super::client::{self, values};
use super::gate::Seat;
use super::public::{Connection, Public};
use super::reply::{Content, Reply, plain};
use crate::auth::Identity;
use crate::session;

const SUBPROTOCOL: &str = "fenliu.v1";
/// What an answer fits in.
const ANSWER_ROOM: usize = 256;

/// Who may come in.
pub(super) struct Welcome {
    answer: Reply,
    ip: IpAddr,
    identity: Option<Identity>,
    seats: (Arc<Seat>, Option<Seat>),
}

/// Why an upgrade is refused.
pub(super) enum Refused {
    Origin,
    Subprotocol,
    /// Its address has as many connections as it may.
    Address,
    Token(String),
    Handshake,
}

/// Whether somebody who asks for a WebSocket may have one.
pub(super) fn judge<B>(
    request: &Request<B>,
    connection: &Connection,
    public: &Arc<Public>,
) -> Result<Welcome, Refused> {
    let headers = request.headers();
    if !client::is_from_allowed_origin(headers, &public.settings.allowed_origins) {
        return Err(Refused::Origin);
    }
    let mut offered = values(headers, header::SEC_WEBSOCKET_PROTOCOL).peekable();
    let offers = offered.peek().is_some();
    let selected = offered.any(|offered| offered == SUBPROTOCOL);
    if offers && !selected {
        return Err(Refused::Subprotocol);
    }
    let ip = client::address(connection.peer, headers, &public.settings.trusted_proxies);
    let seat = if connection.is_direct { None } else { public.gate.of(ip).map_err(|_| Refused::Address)? };
    let token = client::bearer(headers);
    let identity = token.map(|token| public.site.identify(token)).transpose().map_err(Refused::Token)?;
    let mut answer = create_response_with_body(request, Content::default).map_err(|_| Refused::Handshake)?;
    if selected {
        answer.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    Ok(Welcome { answer, ip, identity, seats: (Arc::clone(&connection.seat), seat) })
}

/// Answers a request for a WebSocket that came by HTTP, and lets a session begin on it.
pub(super) fn upgrade(mut request: Request<Incoming>, connection: &Connection, public: &Arc<Public>) -> Reply {
    let welcome = match judge(&request, connection, public) {
        Ok(welcome) => welcome,
        Err(refused) => return refused.reply(public),
    };
    let upgraded = hyper::upgrade::on(&mut request);
    let Welcome { answer, ip, identity, seats } = welcome;
    let site = Arc::clone(&public.site);
    public.sessions.spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            session::run(site, TokioIo::new(upgraded), &[], ip, identity).await;
        }
        drop(seats);
    });
    answer
}

impl Welcome {
    /// Says so, and lets a session begin, of which some bytes may have come already.
    pub(super) async fn begin<S>(self, mut stream: S, early: Vec<u8>, public: &Public)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { answer, ip, identity, seats } = self;
        let mut text = Vec::with_capacity(ANSWER_ROOM);
        if write_response(&mut text, &answer).is_err() || stream.write_all(&text).await.is_err() {
            return;
        }
        let site = Arc::clone(&public.site);
        public.sessions.spawn(async move {
            session::run(site, stream, &early, ip, identity).await;
            drop(seats);
        });
    }
}

impl Refused {
    /// The refusal, which is counted.
    pub(super) fn reply(self, public: &Public) -> Reply {
        let (reason, reply) = match self {
            Self::Origin => ("origin", plain(StatusCode::FORBIDDEN, "this origin is not allowed\n")),
            Self::Subprotocol => {
                ("subprotocol", plain(StatusCode::BAD_REQUEST, "expected the subprotocol fenliu.v1, or none\n"))
            }
            Self::Address => return public.too_many_of_one(),
            Self::Token(why) => {
                let mut reply = plain(StatusCode::UNAUTHORIZED, format!("{why}\n"));
                reply.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                ("token", reply)
            }
            Self::Handshake => ("handshake", plain(StatusCode::BAD_REQUEST, "expected a WebSocket upgrade\n")),
        };
        public.refuse(reason, reply)
    }
}
