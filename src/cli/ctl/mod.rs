//! `fenliu ctl`: talks to the admin listener of a running daemon.

mod show;
mod tap;
mod top;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Subcommand;
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::INVALID;
use super::client::{Client, Failure, Target, UNREACHABLE, encoded};
use super::output::{Format, Globals, print};

/// How often it is looked whether a daemon has gone.
const LOOK: Duration = Duration::from_millis(100);
/// The exit code of what was interrupted.
const INTERRUPTED: u8 = 130;

/// What `fenliu ctl` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the admin listener is [default: `server.admin_listen` of the settings]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<Target>,
    /// A file with the token of an operator, where the listener asks for one
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Whether the daemon is ready; fails if it is not
    Health,
    /// What runs, since when
    Status,
    /// Figures: sessions, conversations, agents, how long steps take
    Stats,
    /// Who is connected
    Connections {
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// After so many
        #[arg(long, default_value_t = 0)]
        offset: u32,
    },
    /// Load the routing configuration anew, and print what changes
    Reload {
        /// Only say what would change, and whom it would affect
        #[arg(long)]
        dry_run: bool,
    },
    /// Let everybody go and stop
    Drain {
        /// Close whoever is left after so many seconds
        #[arg(long, value_name = "SECONDS")]
        deadline: Option<u32>,
        /// Do not wait until the daemon has gone
        #[arg(long)]
        no_wait: bool,
    },
    /// Copy the store while it is in use
    Backup,
    /// What operators did
    Audit {
        /// After this entry
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// What goes on, again and again
    Top {
        /// Seconds from one look to the next
        #[arg(long, default_value_t = 1.0, value_parser = interval)]
        interval: f64,
    },
    /// The events of a seller, as they happen
    Tap {
        /// Whose
        #[arg(long)]
        seller: String,
    },
    /// Delete every closed conversation of a buyer
    Erase {
        /// The `sub` of its tokens
        #[arg(long)]
        buyer: String,
        /// The seller whose key speaks for it, if it is one seller's
        #[arg(long)]
        within: Option<String>,
    },
}

fn interval(text: &str) -> Result<f64, &'static str> {
    let seconds = text.parse().map_err(|_| "expected seconds")?;
    if (0.1..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("expected 0.1 to 3600 seconds") }
}

/// Carries out a command.
///
/// # Errors
/// What it prints cannot be written.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let Some(settings) = globals.settings() else { return Ok(ExitCode::from(INVALID)) };
    let target = args.url.clone().unwrap_or_else(|| (&settings.server.admin_listen).into());
    let mut client = Client::new(target, Some(&settings));
    if let Some(file) = &args.token_file {
        let token = std::fs::read_to_string(file)
            .map_err(|error| anyhow::anyhow!("the token in {} cannot be read: {error}", file.display()))?;
        client.token = Some(token.trim().to_owned());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(carry_out(&client, &args.what, globals.format));
    let Err(error) = done else { return Ok(ExitCode::SUCCESS) };
    match error.downcast::<Failure>()? {
        Failure::Invalid(refusal) => {
            match globals.format {
                Format::Json => print(format!("{refusal}\n").as_bytes())?,
                Format::Text => eprint!("{}", show::diagnostics(&refusal)),
            }
            Ok(ExitCode::from(INVALID))
        }
        Failure::Interrupted => Ok(ExitCode::from(INTERRUPTED)),
        failure => {
            eprintln!("fenliu: {failure}");
            let unreachable = matches!(failure, Failure::Unreachable(..));
            Ok(if unreachable { ExitCode::from(UNREACHABLE) } else { ExitCode::FAILURE })
        }
    }
}

async fn carry_out(client: &Client, what: &What, format: Format) -> anyhow::Result<()> {
    let shown = match what {
        What::Health => return health(client, format).await,
        What::Top { interval } => return watch(client, Duration::from_secs_f64(*interval), format).await,
        What::Tap { seller } => return tap::tap(client, seller, format).await,
        What::Drain { deadline, no_wait } => return drain(client, *deadline, !no_wait, format).await,
        What::Status => client.read("/status").await?,
        What::Stats => client.read("/stats").await?,
        What::Connections { limit, offset } => {
            client.read(&format!("/connections?limit={limit}&offset={offset}")).await?
        }
        What::Audit { after, limit } => client.read(&format!("/audit?after={after}&limit={limit}")).await?,
        What::Reload { dry_run } => {
            let reloaded = client.act(if *dry_run { "/reload?dry_run=1" } else { "/reload" }, None).await?;
            match format {
                Format::Json => reloaded,
                Format::Text => return Ok(print(show::reload(&reloaded).as_bytes())?),
            }
        }
        What::Backup => client.act("/backup", None).await?,
        What::Erase { buyer, within } => {
            let within = within.as_ref().map(|within| format!("&within={}", encoded(within))).unwrap_or_default();
            client.act(&format!("/erase?buyer={}{within}", encoded(buyer)), None).await?
        }
    };
    put(&shown, format)
}

fn put(value: &Value, format: Format) -> anyhow::Result<()> {
    let text = match format {
        Format::Json => format!("{value}\n"),
        Format::Text => show::text(value),
    };
    Ok(print(text.as_bytes())?)
}

async fn health(client: &Client, format: Format) -> anyhow::Result<()> {
    let answer = client.send(Method::GET, "/readyz", None).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    let health: Value = serde_json::from_slice(&body).unwrap_or_default();
    if health["ready"].is_boolean() {
        put(&health, format)?;
    }
    if status.is_success() { Ok(()) } else { Err(Failure::Refused(status, "the daemon is not ready".into()).into()) }
}

async fn drain(client: &Client, deadline: Option<u32>, wait: bool, format: Format) -> anyhow::Result<()> {
    let query = deadline.map(|deadline| format!("?deadline_s={deadline}")).unwrap_or_default();
    client.act(&format!("/drain{query}"), None).await?;
    if !wait {
        return put(&json!({ "draining": true }), format);
    }
    loop {
        match client.read("/status").await {
            Err(Failure::Unreachable(..)) => return put(&json!({ "stopped": true }), format),
            Err(other) => return Err(other.into()),
            Ok(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// The other screen of the terminal: what was there before is there again behind it.
struct Screen;

impl Screen {
    fn enter() -> io::Result<Self> {
        print(b"\x1b[?1049h\x1b[?25l")?;
        Ok(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = print(b"\x1b[?25h\x1b[?1049l");
    }
}

/// On a terminal the screen is drawn anew each time; elsewhere one look follows another.
async fn watch(client: &Client, interval: Duration, format: Format) -> anyhow::Result<()> {
    let is_live = format == Format::Text && io::stdout().is_terminal();
    let mut interrupts = signal(SignalKind::interrupt())?;
    let _screen = is_live.then(Screen::enter).transpose()?;
    let (mut before, mut looked) = (None, Instant::now());
    loop {
        let now = client.read("/stats").await?;
        let passed = looked.elapsed();
        looked = Instant::now();
        let text = match format {
            Format::Json => format!("{now}\n"),
            Format::Text if is_live => {
                let height = terminal_size::terminal_size().map_or(usize::MAX, |(_, height)| height.0.into());
                let screen = top::screen(&now, before.as_ref(), passed, height);
                // Each line over the one that stands there: nothing flickers.
                format!("\x1b[H{}\x1b[J", screen.trim_end().replace('\n', "\x1b[K\r\n") + "\x1b[K")
            }
            Format::Text => format!("{}\n", top::screen(&now, before.as_ref(), passed, usize::MAX)),
        };
        print(text.as_bytes())?;
        before = Some(now);
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            _ = interrupts.recv() => return Err(Failure::Interrupted.into()),
        }
    }
}
