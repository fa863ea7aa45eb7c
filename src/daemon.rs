//! The daemon: everything put together, from the settings to the last session.

use std::os::unix::fs::DirBuilderExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Keys;
use crate::clock::Clock;
use crate::config::load;
use crate::config::settings::{self, Settings, StoreKind};
use crate::delivery::{self, Lanes, Registry};
use crate::directory::{self, Directory, Unbound};
use crate::dispatch::Dispatch;
use crate::journal::{self, Durability, Journal, Memory, Sqlite, Writer};
use crate::model::Timestamp;
use crate::routing::{self, Table};
use crate::session::{self, Site};
use crate::{protocol, server};

/// How long sessions are given to end.
const DRAIN: Duration = Duration::from_secs(30);
/// The exit code of an invalid configuration.
const INVALID: u8 = 78;

/// Serves until a signal ends it.
///
/// # Errors
/// What kept it from starting.
pub async fn run(mut settings: Settings, dev: bool) -> anyhow::Result<ExitCode> {
    if dev {
        anyhow::ensure!(
            settings.server.listen.ip().is_loopback(),
            "--dev needs server.listen to be a loopback address"
        );
        settings.auth.dev_tokens = true;
    }
    let store = Store::open(&settings.store).await?;
    let clock = Arc::new(Clock::new(store.recovered.last_time));
    let Some(directory) = read_directory(&settings, clock.now()) else { return Ok(ExitCode::from(INVALID)) };
    let keys = Arc::new(Keys::load(&settings.auth, &settings.store.path)?);
    let listener = server::bind(settings.server.listen).context("server.listen")?;
    let admin = server::bind(settings.server.admin_listen).context("server.admin_listen")?;
    announce(&settings, &listener, &directory, dev);

    let (stop, draining, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
    let (site, wake) = assemble(&settings, directory, keys, clock, store, draining.clone());
    tokio::spawn(keep_time(Arc::clone(&site), wake, stop.clone()));
    tokio::spawn(server::admin(admin, draining.clone(), stop.clone()));
    tokio::spawn(server::public(
        listener,
        listener_settings(&settings),
        Arc::clone(&site),
        stop.clone(),
        tasks.clone(),
    ));

    let code = wait_for_the_end(&draining, &tasks, &stop).await?;
    site.dispatch.writer.stop();
    Ok(code)
}

/// The checked configuration; what is wrong with it is printed.
fn read_directory(settings: &Settings, now: Timestamp) -> Option<Arc<Directory>> {
    let files = match load::routing(&settings.routing.path) {
        Ok(files) => files,
        Err(faults) => {
            eprint!("{}", directory::summary(&faults));
            return None;
        }
    };
    let (directory, faults) = directory::parse(&files, now, None, &Unbound::new());
    if !faults.is_empty() {
        eprintln!("{}", directory::summary(&faults));
    }
    directory.map(|mut directory| {
        directory.generation = 1;
        Arc::new(directory)
    })
}

fn announce(settings: &Settings, listener: &tokio::net::TcpListener, directory: &Directory, dev: bool) {
    let address = listener.local_addr().unwrap_or(settings.server.listen);
    let sellers = directory.sellers.len();
    let store = match settings.store.kind {
        StoreKind::Sqlite => settings.store.path.display().to_string(),
        StoreKind::Memory => "memory".into(),
    };
    eprintln!("fenliu listens on {address} for {sellers} sellers, store in {store}");
    if dev {
        eprintln!("open http://{address}/ to try it out");
    }
}

/// What is written to and read from, and what was in it.
pub struct Store {
    writer: Writer,
    journal: Arc<dyn Journal>,
    recovered: journal::Recovered,
}

impl Store {
    /// One that keeps nothing over a restart.
    pub fn memory() -> Self {
        let memory = Arc::new(Memory::default());
        let writer = Writer::inline(Arc::clone(&memory));
        Self { writer, journal: memory, recovered: journal::Recovered::default() }
    }

    /// The store that the settings name.
    ///
    /// # Errors
    /// It is damaged, in use, or cannot be had.
    pub async fn open(settings: &settings::Store) -> anyhow::Result<Self> {
        if settings.kind == StoreKind::Memory {
            return Ok(Self::memory());
        }
        let durability = match settings.durability {
            settings::Durability::Full => Durability::Full,
            settings::Durability::Normal => Durability::Normal,
        };
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true).mode(0o700).create(&settings.path).context("store.path")?;
        let (sqlite, sink) = Sqlite::open(&settings.path, durability)?;
        tracing::info!(sqlite = Sqlite::version(), path = %settings.path.display(), "the store is open");
        let recovered = Journal::open(&sqlite).await?;
        let limits = journal::Settings { slot_wait: settings.slot_wait, ..journal::Settings::default() };
        // What was void cannot be taken out of the running table: a start from the store is the way back.
        let stop = Box::new(|_: journal::Recovered, _: &dyn Fn()| {
            tracing::error!("a record could not be written: stopping, so that a start recovers what is kept");
            std::process::exit(1);
        });
        let (writer, _thread) = Writer::threaded(sink, limits, stop)?;
        Ok(Self { writer, journal: Arc::new(sqlite), recovered })
    }
}

/// Puts the parts together around the table.
pub fn assemble(
    settings: &Settings,
    directory: Arc<Directory>,
    keys: Arc<Keys>,
    clock: Arc<Clock>,
    store: Store,
    draining: CancellationToken,
) -> (Arc<Site>, Arc<Notify>) {
    let Store { writer, journal, recovered } = store;
    let (lanes, _) = Lanes::start(delivery::Settings::default(), &writer);
    let wake = Arc::new(Notify::new());
    let limits = &settings.limits;
    let core = routing::Settings {
        presence_grace: settings.routing.presence_grace,
        conversations_per_buyer: limits.conversations_per_buyer,
    };
    let woken = Arc::clone(&wake);
    let table = Table::new(directory, core, recovered.table, clock.now(), move || woken.notify_one());
    let dispatch =
        Dispatch { table: Arc::new(table), journal, writer, lanes, registry: Arc::new(Registry::default()), clock };
    let settings = session::Settings {
        protocol: protocol::Limits { depth: limits.depth, batch: limits.batch, text: limits.text },
        frame: limits.frame,
        in_flight: limits.in_flight,
        requests_per_second: limits.requests_per_second,
        burst: limits.burst,
        open_timeout: limits.open_timeout,
        heartbeat: limits.heartbeat,
        mailbox: delivery::Limits { frames: limits.outbound_queue, bytes: limits.outbound_bytes },
        operators: settings.auth.operators_on_public,
        visitors: settings.auth.visitors,
        dev_tokens: settings.auth.dev_tokens,
    };
    (Arc::new(Site { dispatch, keys, settings, draining }), wake)
}

fn listener_settings(settings: &Settings) -> server::Settings {
    server::Settings {
        allowed_origins: settings.server.allowed_origins.clone(),
        handshake_timeout: settings.limits.handshake_timeout,
        headers: settings.limits.headers,
        connections: settings.limits.connections,
    }
}

/// Lets what is due act: one task that sleeps until the head of all deadlines.
pub async fn keep_time(site: Arc<Site>, wake: Arc<Notify>, stop: CancellationToken) {
    let dispatch = &site.dispatch;
    loop {
        let now = dispatch.clock.now();
        for domain in dispatch.table.due(now) {
            dispatch.go_on(domain).await;
        }
        let next = dispatch.table.next_deadline();
        let until = next.map_or(DRAIN, |next| next.since(dispatch.clock.now()).max(Duration::from_millis(1)));
        tokio::select! {
            () = tokio::time::sleep(until) => {}
            () = wake.notified() => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Waits for a signal, lets the sessions end, and says how it went. A second signal ends it at once.
async fn wait_for_the_end(
    draining: &CancellationToken,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let _file_too_long = signal(SignalKind::from_raw(25))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    draining.cancel();
    stop.cancel();
    tasks.close();
    let ended = tokio::select! {
        ended = tokio::time::timeout(DRAIN, tasks.wait()) => ended.is_ok(),
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
    };
    Ok(if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
