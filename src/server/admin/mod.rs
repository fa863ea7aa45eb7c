//! The admin listener: health, and what an operator asks. No web page can reach it.

mod guard;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use super::listener::{self, AdminListener, Bounds};
use super::reply::{self, Reply, json, plain};
use crate::lifecycle::Lifecycle;
use crate::session::Site;
use guard::Way;

/// What an admin request may take.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), headers: 16 * 1024 };

/// What the admin listener stands on: little before the daemon has started, all of it then.
#[derive(Clone)]
pub struct Admin {
    lifecycle: Lifecycle,
    site: Arc<OnceLock<Arc<Site>>>,
}

impl Admin {
    /// That of a daemon that is starting.
    pub fn new(lifecycle: Lifecycle) -> Self {
        Self { lifecycle, site: Arc::default() }
    }

    /// The daemon has started.
    pub fn started(&self, site: Arc<Site>) {
        let _ = self.site.set(site);
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
        let answer = |request| {
            let reply = self.route(&request, way);
            async move { reply }
        };
        listener::serve(stream, BOUNDS, &self.lifecycle, answer).await;
    }

    fn route(&self, request: &Request<Incoming>, way: Way) -> Reply {
        let site = self.site.get();
        let now = site.map(|site| site.dispatch.clock.now()).unwrap_or_default();
        if let Some(refusal) = guard::refuse(way, request.headers(), site.map(|site| &*site.keys), now) {
            return refusal;
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/livez") => plain(StatusCode::OK, "alive\n"),
            (&Method::GET | &Method::HEAD, "/readyz") => self.readiness(),
            (_, "/livez" | "/readyz") => reply::only("GET, HEAD"),
            _ => reply::nothing(),
        }
    }

    fn readiness(&self) -> Reply {
        let mut reasons = self.lifecycle.unready();
        let journal = self.site.get().is_some_and(|site| site.dispatch.writer.failure().is_some());
        reasons.extend(journal.then_some("journal"));
        let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json(status, json!({ "ready": reasons.is_empty(), "reasons": reasons }).to_string())
    }
}
