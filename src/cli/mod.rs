//! The command line: what can be asked of the program, and with which exit code it answers.

pub mod check;
mod client;
mod config;
mod ctl;
mod explain;
mod load;
pub mod output;
mod recording;
mod simulate;
mod token;
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::clock::Clock;
use crate::model::Timestamp;
use crate::{daemon, logs};

pub use output::{Format, Globals, Printing};

/// The configuration is invalid.
pub const INVALID: u8 = 78;
/// What was asked for makes no sense.
pub const WRONG_USE: u8 = 2;

/// Routes customer-service chats to the right person and delivers them.
#[derive(Debug, Parser)]
#[command(name = "fenliu", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Serve {
        /// For trying it out on one's own machine: says how to get in
        #[arg(long)]
        dev: bool,
    },
    /// Say everything that is wrong with a configuration
    Check(check::Args),
    /// Say what would become of a hypothetical buyer, and why
    Explain(explain::Args),
    /// Try a routing configuration under traffic, in virtual time
    Simulate(simulate::Args),
    /// Print a token, or say what is wrong with one
    Token(token::Args),
    /// Drive a daemon over real sockets and say how it did
    Load(load::Args),
    /// Ask a running daemon, or tell it what to do
    Ctl(ctl::Args),
    /// Print the settings: their defaults, their schema, their names, their values
    #[command(subcommand)]
    Config(config::What),
    /// Print the completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Runs the command line, and says with which code the program ends.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match carry_out(cli) {
        Ok(code) => code,
        Err(error) if is_nobody_reading(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fenliu: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(Cli { globals, command }: Cli) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(args) => Ok(ExitCode::from(check::run(&args, &globals)?)),
        Command::Explain(args) => explain::run(&args, &globals),
        Command::Simulate(args) => simulate::run(&args, &globals),
        Command::Config(what) => config::run(what, &globals),
        Command::Ctl(args) => ctl::run(&args, &globals),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "fenliu", &mut script);
            output::print(&script)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Token(args) => match globals.settings() {
            Some(settings) => token::run(&args, &settings, &globals),
            None => Ok(ExitCode::from(INVALID)),
        },
        Command::Load(args) => load::run(args, &globals),
        Command::Serve { dev } => {
            let now = Clock::new(Timestamp::ZERO).now();
            let Some(settings) = globals.settings_for_use(now) else { return Ok(ExitCode::from(INVALID)) };
            if dev && !settings.server.listen.ip().is_loopback() {
                eprintln!("fenliu: --dev is for this machine alone: `server.listen` is {}", settings.server.listen);
                return Ok(ExitCode::from(INVALID));
            }
            logs::start(&settings.log, globals.log_is_coloured())?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let auth = Box::new(move || match globals.try_settings() {
                Ok(loaded) => Ok(loaded.settings.auth),
                Err(faults) => Err(faults.to_string()),
            });
            runtime.block_on(daemon::run(settings, dev, auth))
        }
    }
}

/// `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Whether the reader of the output has gone, as `head` does: no failure of ours.
fn is_nobody_reading(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
