//! The command line: what can be asked of the program, and with which exit code it answers.

pub mod check;
mod token;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::model::Timestamp;
use crate::{daemon, logs};

/// The configuration is invalid.
const INVALID: u8 = 78;

/// Routes customer-service chats to the right person and delivers them.
#[derive(Debug, Parser)]
#[command(name = "fenliu", version, max_term_width = 100)]
struct Cli {
    /// The settings file
    #[arg(short, long, global = true, env = "FENLIU_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is logged: levels, by target if wished
    #[arg(long, global = true, env = "FENLIU_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How data is printed
    #[arg(long, global = true, env = "FENLIU_FORMAT", value_enum, default_value_t)]
    format: check::Format,
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
    /// Print a token, or say what is wrong with one
    Token(token::Args),
    /// Print the settings
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
    /// Print the completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// The documented default file
    Default,
}

/// Runs the command line, and says with which code the program ends.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match carry_out(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fenliu: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(cli: Cli) -> anyhow::Result<ExitCode> {
    let path = cli.config.clone().unwrap_or_else(|| "config/fenliu.toml".into());
    match cli.command {
        Command::Check(args) => check_files(args, cli.format, &path),
        Command::Config { what: ConfigCommand::Default } => {
            print!("{}", include_str!("../../config/fenliu.toml"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "fenliu", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Token(args) => match settings(&path, cli.config.is_some()) {
            Some(settings) => token::run(&args, &settings),
            None => Ok(ExitCode::from(INVALID)),
        },
        Command::Serve { dev } => {
            let Some(mut settings) = settings(&path, cli.config.is_some()) else { return Ok(ExitCode::from(INVALID)) };
            if let Some(filter) = cli.log {
                settings.log.filter = filter;
            }
            let coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            logs::start(&settings.log, coloured)?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(daemon::run(settings, dev))
        }
    }
}

fn settings(path: &Path, required: bool) -> Option<Settings> {
    Settings::load(path, required, std::env::vars()).map_err(|faults| eprintln!("{faults}")).ok()
}

fn check_files(mut args: check::Args, format: check::Format, path: &Path) -> anyhow::Result<ExitCode> {
    if args.paths.is_empty() {
        args.paths.push(path.to_owned());
    }
    let now = Clock::new(Timestamp::ZERO).now();
    let printing = check::Printing::to_stdout(format);
    let code = check::run(&args, now, checked, printing, &mut std::io::stdout())?;
    Ok(ExitCode::from(code))
}

/// A settings file, as `check` looks at it.
fn checked(path: &Path) -> check::CheckedSettings {
    match Settings::load(path, true, std::iter::empty()) {
        Ok(settings) => check::CheckedSettings { routing: Some(settings.routing.path), ..Default::default() },
        Err(faults) => {
            for fault in &faults.0 {
                eprintln!("{fault}");
            }
            let file = path.display().to_string();
            let diagnostics =
                faults.0.iter().map(|fault| crate::directory::Diagnostic::of_file(&file, fault)).collect();
            check::CheckedSettings { diagnostics, ..Default::default() }
        }
    }
}
