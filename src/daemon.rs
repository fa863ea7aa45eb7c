//! The daemon: everything put together, from the settings to the last session.

mod drain;
mod keeper;
mod reload;
mod renewal;
mod retention;
mod routing;
mod signals;
mod store;
mod vital;
mod watch;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::auth::{self, Keys};
use crate::clock::Clock;
use crate::config::settings::{Settings, StoreKind};
use crate::delivery::{self, Lanes, Registry, Taps};
use crate::directory::{self, Accepted};
use crate::dispatch::Dispatch;
use crate::lifecycle::{Drain, Lifecycle};
use crate::model::Timestamp;
use crate::routing::Table;
use crate::server::{Admin, AdminListener, Started};
use crate::session::{self, Site};
use crate::systemd::Systemd;
use crate::tls::Tls;
use crate::{policy, protocol, server};
use signals::{Asked, Signals};

pub use keeper::keep_time;
pub use routing::Loaded;
pub use store::Store;

/// The exit code of an invalid configuration.
const INVALID: u8 = 78;
/// How long those who listen to a tap may take to read their last line.
const LAST_LINE: Duration = Duration::from_secs(1);

/// Serves until a signal or an operator ends it. `auth` reads the settings of keys again, with every reload.
///
/// # Errors
/// What kept it from starting.
pub async fn run(mut settings: Settings, dev: bool, auth: auth::Source) -> anyhow::Result<ExitCode> {
    settings.auth.dev_tokens |= dev;
    let mut signals = Signals::listen()?;
    let systemd = Systemd::from_environment();
    let started = tokio::select! {
        started = Daemon::start(&settings, Lifecycle::default()) => started?,
        () = signals.stop() => return Ok(ExitCode::SUCCESS),
    };
    let Some(daemon) = started else { return Ok(ExitCode::from(INVALID)) };
    daemon.site.keys.follow(auth);
    daemon.announce(&settings, dev);
    systemd.ready();
    Ok(tokio::select! {
        code = daemon.live(&mut signals, &systemd) => code,
        () = systemd.stay_alive() => ExitCode::FAILURE,
    })
}

/// A daemon that serves.
pub struct Daemon {
    /// What its sessions stand on.
    pub site: Arc<Site>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it listens for operators, if that is an address.
    pub admin_address: Option<SocketAddr>,
    sessions: TaskTracker,
    writing: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts everything. `None` if the routing configuration is invalid; what is wrong with it has been printed.
    ///
    /// # Errors
    /// What kept it from starting.
    pub async fn start(settings: &Settings, life: Lifecycle) -> anyhow::Result<Option<Self>> {
        let listener = server::bind(settings.server.listen).context("server.listen")?;
        let admin_listener = AdminListener::bind(&settings.server.admin_listen).context("server.admin_listen")?;
        let address = listener.local_addr()?;
        let admin_address = admin_listener.address();
        let admin = Admin::new(life.clone());
        vital::spawn("admin listener", &life, server::admin(admin_listener, admin.clone()));

        let tls = match settings.server.tls.as_ref().map(|files| Tls::load(&files.cert, &files.key)).transpose() {
            Ok(tls) => tls.map(Arc::new),
            Err(error) => {
                eprintln!("fenliu: server.tls: {error}");
                return Ok(None);
            }
        };
        let mut store = Store::open(&settings.store).await?;
        let clock = Arc::new(Clock::new(store.recovered.last_time));
        let loaded = read_routing(settings, store.recovered.accepted.as_ref(), clock.now());
        let Some(mut loaded) = loaded else { return Ok(None) };
        loaded.record(&store.writer).await?;
        let keys = Arc::new(Keys::load(&settings.auth, &settings.store.path)?);
        let (writing, sessions) = (store.thread.take(), TaskTracker::new());
        let sqlite = store.sqlite.take();
        let (site, wake) = assemble(settings, loaded, keys, clock, store, life);
        if let Some(tls) = tls.clone() {
            site.dispatch.renewals.add(renewal::certificate(tls, Arc::clone(&site.dispatch.metrics)));
        }
        let life = &site.lifecycle;
        vital::watch_writer(life, &site.dispatch.writer);
        vital::spawn("time", life, keep_time(Arc::clone(&site), wake));
        let public = server::Settings { tls, ..listener_settings(settings) };
        vital::spawn("public listener", life, server::public(listener, public, Arc::clone(&site), sessions.clone()));
        if settings.routing.watch {
            vital::spawn("watch", life, reload::follow_files(Arc::clone(&site), settings.routing.path.clone()));
        }
        if let Some(sqlite) = sqlite.clone().filter(|_| !settings.store.retention.is_zero()) {
            tokio::spawn(retention::keep_to(settings.store.retention, sqlite, Arc::clone(&site)));
        }
        admin.started(Started {
            site: Arc::clone(&site),
            sqlite,
            folder: settings.store.path.clone(),
            store: store_name(settings),
            listen: address,
            at: site.dispatch.clock.now(),
        });
        site.dispatch.metrics.reloaded(true, site.dispatch.clock.now().micros());
        site.lifecycle.start();
        Ok(Some(Self { site, address, admin_address, sessions, writing }))
    }

    fn announce(&self, settings: &Settings, dev: bool) {
        let sellers = self.site.dispatch.table.directory().sellers.len();
        let store = store_name(settings);
        let admin = self.admin_address.map_or(settings.server.admin_listen.to_string(), |admin| admin.to_string());
        let address = self.address;
        eprintln!("fenliu listens on {address} (admin {admin}) for {sellers} sellers, store in {store}");
        let (version, generation) = (env!("CARGO_PKG_VERSION"), self.site.dispatch.table.directory().generation);
        let (connections, frame) = (settings.limits.connections, settings.limits.frame);
        let tls = settings.server.tls.is_some();
        tracing::info!(version, %address, admin, tls, sellers, generation, store, connections, frame, "started");
        if dev {
            let scheme = if settings.server.tls.is_some() { "https" } else { "http" };
            eprintln!("open {scheme}://{address}/ to try it out");
        }
    }

    /// Lives until it has been told to end and has done so. A second signal to stop ends it at once.
    async fn live(self, signals: &mut Signals, systemd: &Systemd) -> ExitCode {
        let site = Arc::clone(&self.site);
        let life = self.site.lifecycle.clone();
        let mut ended = std::pin::pin!(self.end());
        let mut stopping = false;
        loop {
            tokio::select! {
                () = life.failed() => return ExitCode::FAILURE,
                in_time = &mut ended => return if in_time { ExitCode::SUCCESS } else { ExitCode::FAILURE },
                asked = signals.next() => match asked {
                    Asked::Reload => {
                        let site = Arc::clone(&site);
                        tokio::spawn(async move { reload::reload(&site, "signal").await });
                    }
                    Asked::Empty => life.drain(Drain::Wait),
                    Asked::Stop if stopping => return ExitCode::FAILURE,
                    Asked::Stop => {
                        stopping = true;
                        life.drain(Drain::Close(None));
                    }
                },
            }
            if life.is_draining() {
                systemd.stopping();
            }
        }
    }

    /// Waits for the order to drain, carries it out and stops. Whether everybody had gone in time and everything that
    /// was taken is kept.
    pub async fn end(self) -> bool {
        let in_time = drain::drain(&self.site.lifecycle, &self.site.dispatch.registry, &self.sessions).await;
        let last = protocol::draining(session::RECONNECT_AFTER);
        let _ = tokio::time::timeout(LAST_LINE, self.site.dispatch.taps.end(&last)).await;
        let kept = store::finish(&self.site.dispatch.writer, self.writing).await;
        self.site.lifecycle.stop();
        tracing::info!(in_time, kept, "stopped");
        in_time && kept
    }
}

fn store_name(settings: &Settings) -> String {
    match settings.store.kind {
        StoreKind::Sqlite => settings.store.path.display().to_string(),
        StoreKind::Memory => "memory".into(),
    }
}

/// The checked configuration; what is wrong with it is printed.
fn read_routing(settings: &Settings, recorded: Option<&Accepted>, now: Timestamp) -> Option<Loaded> {
    let loaded = Loaded::read(settings.routing.path.clone(), recorded, now);
    let found = loaded.as_ref().map_or_else(|faults| faults, |loaded| &loaded.warnings);
    if !found.is_empty() {
        eprintln!("{}", directory::summary(found));
    }
    loaded.ok()
}

/// Puts the parts together around the table.
pub fn assemble(
    settings: &Settings,
    loaded: Loaded,
    keys: Arc<Keys>,
    clock: Arc<Clock>,
    store: Store,
    lifecycle: Lifecycle,
) -> (Arc<Site>, Arc<Notify>) {
    let Store { writer, journal, recovered, metrics, .. } = store;
    let Loaded { directory, configuration, .. } = loaded;
    let taps = Arc::<Taps>::default();
    let (lanes, tasks) = Lanes::watched(delivery::Settings::default(), &writer, &metrics, &taps);
    vital::watch("delivery", &lifecycle, tasks);
    let wake = Arc::new(Notify::new());
    let limits = &settings.limits;
    let core = crate::routing::Settings {
        presence_grace: settings.routing.presence_grace,
        conversations_per_buyer: limits.conversations_per_buyer,
        ..crate::routing::Settings::default()
    };
    metrics.await_faults(policy::Method::ALL.iter().map(|method| method.name()));
    let woken = Arc::clone(&wake);
    let table = Table::new(directory, core, recovered.table, clock.now(), move || woken.notify_one());
    let dispatch = Dispatch {
        table: Arc::new(table),
        journal,
        writer,
        lanes,
        registry: Arc::new(Registry::default()),
        clock,
        lifecycle: lifecycle.clone(),
        configuration,
        renewals: Arc::default(),
        metrics,
        taps,
    };
    let settings = session::Settings {
        protocol: protocol::Limits {
            depth: bounded(limits.depth),
            batch: bounded(limits.batch),
            text: bounded(limits.text),
        },
        frame: bounded(limits.frame),
        in_flight: bounded(limits.in_flight),
        requests_per_second: limits.requests_per_second,
        burst: if limits.burst == 0 { u32::MAX } else { limits.burst },
        open_timeout: limits.open_timeout,
        heartbeat: limits.heartbeat,
        mailbox: delivery::Limits { frames: limits.outbound_queue, bytes: limits.outbound_bytes },
        operators: settings.auth.operators_on_public,
        visitors: settings.auth.visitors,
        dev_tokens: settings.auth.dev_tokens,
    };
    dispatch.renewals.add(renewal::keys(Arc::clone(&keys)));
    let site = Arc::new(Site { dispatch, keys, settings, visitors: session::Visitors::default(), lifecycle });
    let restored = Arc::downgrade(&site);
    site.dispatch.writer.rebuild_with(Box::new(move |store, rebuilt| {
        if let Some(site) = restored.upgrade() {
            site.dispatch.restore(store, rebuilt);
        }
    }));
    (site, wake)
}

/// A limit as it is compared with: 0 is none.
fn bounded(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

fn listener_settings(settings: &Settings) -> server::Settings {
    server::Settings {
        allowed_origins: settings.server.allowed_origins.clone(),
        handshake_timeout: settings.limits.handshake_timeout,
        headers: settings.limits.headers,
        connections: settings.limits.connections,
        connections_per_ip: settings.limits.connections_per_ip,
        trusted_proxies: settings.limits.trusted_proxies.clone(),
        tls: None,
    }
}
