//! The public listener: the upgrade and what stands beside it.

use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::first::{First, first};
use super::gate::{Gate, Over, Seat};
use super::listener::{self, Bounds};
use super::reply::{self, Reply, json, later, plain};
use super::{pages, upgrade};
use crate::metrics::Reason;
use crate::network::Network;
use crate::protocol;
use crate::session::Site;
use crate::tls::Tls;

/// What holds for the public listener. 0 means no limit.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Browsers' origins beside the daemon's own; `*`: any.
    pub allowed_origins: Vec<String>,
    /// How long a peer may take for its request.
    pub handshake_timeout: Duration,
    /// Bytes of its headers.
    pub headers: usize,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address, or from one /64 of IPv6.
    pub connections_per_ip: usize,
    /// Proxies whose word on who asks is believed.
    pub trusted_proxies: Vec<Network>,
    /// Its certificate, if it speaks TLS.
    pub tls: Option<Arc<Tls>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            handshake_timeout: Duration::from_secs(10),
            headers: 8192,
            connections: 200_000,
            connections_per_ip: 0,
            trusted_proxies: Vec::new(),
            tls: None,
        }
    }
}

/// What all its connections stand on.
pub(super) struct Public {
    pub(super) settings: Settings,
    pub(super) site: Arc<Site>,
    pub(super) gate: Arc<Gate>,
    pub(super) sessions: TaskTracker,
}

/// A connection, as its requests see it.
pub(super) struct Connection {
    /// Who is at its other end.
    pub(super) peer: IpAddr,
    /// Whether that is the client itself rather than a proxy.
    pub(super) is_direct: bool,
    /// Its place, also for a session that it becomes.
    pub(super) seat: Arc<Seat>,
    over: Option<Over>,
}

/// Serves the public listener until the daemon stops. Sessions are tracked in `sessions`.
pub async fn public(listener: TcpListener, settings: Settings, site: Arc<Site>, sessions: TaskTracker) {
    let gate = Gate::new(settings.connections, settings.connections_per_ip);
    let public = Arc::new(Public { settings, site, gate, sessions });
    while let Some((stream, peer)) = listener::accept(&listener, &public.site.lifecycle).await {
        if let Some(connection) = public.let_in(peer) {
            tokio::spawn(Arc::clone(&public).attend(stream, connection));
        }
    }
}

impl Public {
    fn let_in(&self, peer: SocketAddr) -> Option<Connection> {
        let peer = peer.ip();
        let is_direct = !self.settings.trusted_proxies.iter().any(|network| network.has(peer));
        let (seat, over) = self.gate.enter(is_direct.then_some(peer))?;
        Some(Connection { peer, is_direct, seat: Arc::new(seat), over })
    }

    async fn attend(self: Arc<Self>, stream: TcpStream, connection: Connection) {
        match &self.settings.tls {
            None => self.serve(stream, connection).await,
            // What TLS needs is large, and would be moved with every connection that has none.
            Some(tls) => Box::pin(self.serve_over(tls, stream, connection)).await,
        }
    }

    async fn serve_over(self: &Arc<Self>, tls: &Tls, stream: TcpStream, connection: Connection) {
        let shaking = tls.acceptor().accept(stream);
        let time = self.settings.handshake_timeout;
        let stream = if time.is_zero() {
            shaking.await.ok()
        } else {
            tokio::time::timeout(time, shaking).await.ok().and_then(Result::ok)
        };
        match stream {
            Some(stream) => self.serve(stream, connection).await,
            None => drop(self.refuse("tls", Reply::default())),
        }
    }

    async fn serve<S>(self: &Arc<Self>, mut stream: S, connection: Connection)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let bounds = Bounds { time: self.settings.handshake_timeout, headers: self.settings.headers };
        let life = &self.site.lifecycle;
        let mut read = Vec::new();
        let begun = tokio::select! {
            biased;
            begun = first(&mut stream, &mut read, bounds) => begun,
            () = life.stopped() => return,
        };
        let refused = match begun {
            First::Gone => return,
            First::Asked(request, bytes) if connection.over.is_none() => {
                match upgrade::judge(&request, &connection, self) {
                    Ok(welcome) => return welcome.begin(stream, read.split_off(bytes), self).await,
                    Err(refused) => Some(refused),
                }
            }
            _ => None,
        };
        // What has been judged comes again as the first request.
        let refused = Mutex::new(refused);
        let answer = |request| {
            let reply = match refused.lock().take() {
                Some(refused) => refused.reply(self),
                None => self.route(request, &connection),
            };
            async move { reply }
        };
        // Most connections become sessions: only the others make room for a server of HTTP.
        let (rest, out) = tokio::io::split(stream);
        let again = tokio::io::join(Cursor::new(read).chain(rest), out);
        Box::pin(listener::serve(again, bounds, life, answer)).await;
    }

    /// Counts an upgrade that is refused.
    pub(super) fn refuse(&self, reason: &'static str, reply: Reply) -> Reply {
        tracing::debug!(reason, status = reply.status().as_u16(), "an upgrade is refused");
        self.site.dispatch.metrics.upgrades_refused.get_or_create(&Reason { reason }).inc();
        reply
    }

    fn too_many(&self) -> Reply {
        self.site.dispatch.metrics.limited("connections");
        self.refuse("connections", later(StatusCode::SERVICE_UNAVAILABLE, "too many connections\n"))
    }

    /// The refusal of an address that has as many connections as it may.
    pub(super) fn too_many_of_one(&self) -> Reply {
        self.site.dispatch.metrics.limited("connections_per_ip");
        let reply = later(StatusCode::TOO_MANY_REQUESTS, "too many connections from this address\n");
        self.refuse("connections_per_ip", reply)
    }

    fn route(self: &Arc<Self>, request: Request<Incoming>, connection: &Connection) -> Reply {
        match connection.over {
            Some(Over::All) => return self.too_many(),
            Some(Over::Ip) => return self.too_many_of_one(),
            None => {}
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return reply::only("GET, HEAD");
        }
        match request.uri().path() {
            "/ws" if request.method() == Method::GET => upgrade::upgrade(request, connection, self),
            "/ws" => reply::only("GET"),
            "/livez" => plain(StatusCode::OK, "alive\n"),
            "/openrpc.json" => json(StatusCode::OK, protocol::document()),
            "/dev.json" => pages::dev(request.headers(), connection.peer, &self.site).unwrap_or_else(reply::nothing),
            path => {
                let query = request.uri().query().unwrap_or("");
                pages::page(path, query, &self.site).unwrap_or_else(reply::nothing)
            }
        }
    }
}
