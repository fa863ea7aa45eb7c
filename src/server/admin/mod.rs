//! The admin listener: health, and what an operator asks. No web page can reach it.

mod call;
mod figures;
mod guard;
mod keep;
mod query;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::listener::{self, AdminListener, Bounds};
use super::reply::{self, Reply, json, later, plain};
use crate::journal::Sqlite;
use crate::lifecycle::Lifecycle;
use crate::model::Timestamp;
use crate::policy;
use crate::session::Site;
use guard::Way;

/// What an admin request may take.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), headers: 16 * 1024 };
/// How long the body of a request may be, and how long it may take.
const BODY: usize = 1 << 20;
const BODY_TIME: Duration = Duration::from_secs(10);

/// What the admin listener stands on: little before the daemon has started, all of it then.
#[derive(Clone)]
pub struct Admin {
    lifecycle: Lifecycle,
    started: Arc<OnceLock<Started>>,
}

/// A daemon that has started, as operators see it.
pub struct Started {
    /// What sessions stand on.
    pub site: Arc<Site>,
    /// The store on a disk, if there is one.
    pub sqlite: Option<Arc<Sqlite>>,
    /// The folder of the store.
    pub folder: PathBuf,
    /// What keeps what was acknowledged, in words.
    pub store: String,
    /// Where sessions come in.
    pub listen: SocketAddr,
    /// Since when.
    pub at: Timestamp,
}

impl Admin {
    /// That of a daemon that is starting.
    pub fn new(lifecycle: Lifecycle) -> Self {
        Self { lifecycle, started: Arc::default() }
    }

    /// The daemon has started.
    pub fn started(&self, started: Started) {
        let _ = self.started.set(started);
    }
}

/// Serves the admin listener until the daemon stops.
pub async fn admin(listener: AdminListener, admin: Admin) {
    match listener {
        AdminListener::Tcp(listener) => {
            let Ok(configured) = listener.local_addr() else { return };
            while let Some((stream, _)) = listener::accept(&listener, &admin.lifecycle).await {
                let local = stream.local_addr().unwrap_or(configured);
                tokio::spawn(admin.clone().attend(stream, Way::Tcp { configured, local }));
            }
        }
        AdminListener::Unix(listener) => {
            while let Some(stream) = listener::accept_unix(&listener, &admin.lifecycle).await {
                tokio::spawn(admin.clone().attend(stream, Way::Unix));
            }
        }
    }
}

impl Admin {
    async fn attend<S>(self, stream: S, way: Way)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        listener::serve(stream, BOUNDS, &self.lifecycle, |request| self.answer(request, way)).await;
    }

    async fn answer(&self, request: Request<Incoming>, way: Way) -> Reply {
        let started = self.started.get();
        let site = started.map(|started| &started.site);
        let now = site.map(|site| site.dispatch.clock.now()).unwrap_or_default();
        let by = match guard::admit(way, request.headers(), site.map(|site| &*site.keys), now) {
            Ok(by) => by,
            Err(refusal) => return *refusal,
        };
        let path = request.uri().path();
        let reads = matches!(path, "/livez" | "/readyz" | "/metrics" | "/status" | "/stats" | "/connections")
            || matches!(path, "/tap" | "/audit" | "/routing");
        let acts = matches!(path, "/reload" | "/explain" | "/drain" | "/backup" | "/erase");
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        match (started, path) {
            _ if !reads && !acts => reply::nothing(),
            _ if reads && !is_read => reply::only("GET, HEAD"),
            _ if acts && *request.method() != Method::POST => reply::only("POST"),
            (_, "/livez") => plain(StatusCode::OK, "alive\n"),
            (_, "/readyz") => self.readiness(),
            (None, _) => later(StatusCode::SERVICE_UNAVAILABLE, "the daemon is starting\n"),
            (Some(started), _) if reads => self.look(started, &by, &request).await,
            (Some(started), _) => act(started, &by, request).await,
        }
    }

    async fn look(&self, started: &Started, by: &Arc<str>, request: &Request<Incoming>) -> Reply {
        let (site, uri) = (&started.site, request.uri());
        match uri.path() {
            "/metrics" => figures::metrics(site, self.unready().is_empty(), request.headers()),
            "/status" => figures::status(started, &self.unready()),
            "/stats" => call::answer(call::call(site, by, policy::Method::ServerStats, &json!({})).await),
            "/connections" => figures::connections(site, uri),
            "/routing" => figures::routing(site, uri),
            "/audit" => keep::audit(started, uri).await,
            _ => keep::tap(started, by, uri).await,
        }
    }

    fn unready(&self) -> Vec<&'static str> {
        let mut reasons = self.lifecycle.unready();
        let journal = self.started.get().is_some_and(|started| started.site.dispatch.writer.failure().is_some());
        reasons.extend(journal.then_some("journal"));
        reasons
    }

    fn readiness(&self) -> Reply {
        let reasons = self.unready();
        let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json(status, json!({ "ready": reasons.is_empty(), "reasons": reasons }).to_string())
    }
}

/// Does what an operator asks for.
async fn act(started: &Started, by: &Arc<str>, request: Request<Incoming>) -> Reply {
    let (site, uri) = (&started.site, request.uri().clone());
    match uri.path() {
        "/reload" => {
            let params = json!({ "dry_run": query::flag(&uri, "dry_run") });
            call::answer(call::call(site, by, policy::Method::ConfigReload, &params).await)
        }
        "/drain" => {
            let params = match query::number(&uri, "deadline_s") {
                Ok(Some(deadline)) => json!({ "deadline_s": deadline }),
                Ok(None) => json!({}),
                Err(name) => return call::invalid(name, "expected a number of seconds"),
            };
            call::answer(call::call(site, by, policy::Method::ServerDrain, &params).await)
        }
        "/explain" => match body(request).await {
            Ok(params) => call::answer(call::call(site, by, policy::Method::RoutingExplain, &params).await),
            Err(refusal) => refusal,
        },
        "/backup" => keep::backup(started, by).await,
        _ => keep::erase(started, by, &uri).await,
    }
}

/// The JSON that a request carries.
async fn body(request: Request<Incoming>) -> Result<Value, Reply> {
    let reading = Limited::new(request.into_body(), BODY).collect();
    let Ok(Ok(body)) = tokio::time::timeout(BODY_TIME, reading).await else {
        return Err(call::invalid("", "expected a body, complete and of at most 1 MiB"));
    };
    serde_json::from_slice(&body.to_bytes()).map_err(|_| call::invalid("", "expected a body that is JSON"))
}
