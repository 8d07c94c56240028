//! The command line. `serve` is the console; most other commands ask a running one over its API.

/// Prints as the standard library does, but ends quietly when nobody reads any more, as behind `| head`.
macro_rules! print {
    ($($text:tt)*) => { $crate::cli::write_out(format_args!($($text)*)) };
}
macro_rules! println {
    ($($text:tt)*) => { $crate::cli::write_out(format_args!("{}\n", format_args!($($text)*))) };
}

mod access;
mod client;
mod inventory;
mod job;
mod rollout;
mod service;
mod table;
mod token;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand};
use domain::Timestamp;
use integrations::{ansible::check, supervisor};

use crate::{api::shape::Items, config, serve};
use client::Client;

/// Rolls releases out to hosts in batches, judged on telemetry.
#[derive(Debug, Parser)]
#[command(
    name = "slipway",
    version,
    after_help = "Exit codes: 0 done; 1 failed, or what was watched ended badly; 2 wrong usage or configuration; 3 not signed in or not allowed; 4 not found; 5 Slipway does not answer; 6 what is watched waits for a person, 7 an inventory would change something, where either was asked for."
)]
struct Cli {
    /// Configuration file; slipway.toml in the working folder unless named.
    #[arg(long, env = "SLIPWAY_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the console and work on rollouts (the default)
    Serve,
    /// Check the configuration and say what would be used
    CheckConfig,
    /// Ask whether the console answers and can reach its database
    Healthcheck,
    /// Tokens for the API and this command line
    #[command(subcommand)]
    Token(token::Command),
    /// Services
    #[command(subcommand)]
    Service(service::Command),
    /// Hosts of an environment, and what an inventory would change of them
    #[command(subcommand)]
    Inventory(inventory::Command),
    /// Rollouts
    #[command(subcommand)]
    Rollout(rollout::Command),
    /// Jobs
    #[command(subcommand)]
    Job(job::Command),
    /// Who may do what
    #[command(subcommand)]
    Access(access::Command),
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, Args)]
struct Output {
    /// Write JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Why a command failed, and what the shell is told.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// It failed, or what was watched ended badly.
    const FAILED: u8 = 1;
    const USAGE: u8 = 2;
    const NOT_ALLOWED: u8 = 3;
    const NOT_FOUND: u8 = 4;
    const NO_ANSWER: u8 = 5;
    /// What is watched waits for a person.
    const WAITS: u8 = 6;
    /// What was compared is not the same.
    const DIFFERS: u8 = 7;

    fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl From<config::ConfigError> for Failure {
    fn from(error: config::ConfigError) -> Self {
        Self::new(Self::USAGE, error.to_string())
    }
}

/// Runs the command given on the command line.
pub fn main() -> ExitCode {
    // A supervisor must be single-threaded, so it starts before there is a runtime. All the ways to call this program take
    // longer to set out than a supervisor takes to start, so they are not.
    let done = if to_supervise() {
        supervise()
    } else {
        let cli = Cli::parse();
        run(cli.config, cli.command.unwrap_or(Command::Serve))
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("slipway: {failure}");
            ExitCode::from(failure.code)
        }
    }
}

/// Whether this is `slipway supervise`, which watches over one attempt: the server calls it, and nobody waits for a command
/// line to be set out.
fn to_supervise() -> bool {
    std::env::args_os().skip(1).eq(["supervise"])
}

fn supervise() -> Result<(), Failure> {
    let clock = || control::Clock::now(&crate::clock::SystemClock);
    supervisor::supervise(clock).map_err(|error| Failure::new(Failure::FAILED, error.to_string()))
}

fn run(config: Option<PathBuf>, command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|why| {
            Failure::new(
                Failure::FAILED,
                format!("The runtime cannot be started: {why}."),
            )
        })?;
    runtime.block_on(async {
        let configuration = || config::load(config.as_deref());
        match command {
            Command::Serve => serve::serve(configuration()?).await.map_err(|error| {
                match error.downcast::<config::ConfigError>() {
                    Ok(error) => error.into(),
                    Err(error) => Failure::new(Failure::FAILED, error.to_string()),
                }
            }),
            Command::CheckConfig => check_config(configuration()?).await,
            Command::Healthcheck => client::healthcheck(configuration).await,
            Command::Token(command) => token::run(command, configuration()?).await,
            Command::Service(command) => service::run(command, &Client::from_environment()?).await,
            Command::Inventory(command) => {
                inventory::run(command, &Client::from_environment()?).await
            }
            Command::Rollout(command) => rollout::run(command, &Client::from_environment()?).await,
            Command::Job(command) => job::run(command, &Client::from_environment()?).await,
            Command::Access(command) => access::run(command, &Client::from_environment()?).await,
        }
    })
}

/// Takes turns at following something until it is over. A turn that ends without a result lost its connection: the
/// server restarts, or ends long streams on purpose. Once reached, a server may be away for a minute.
async fn persist<T>(
    mut turn: impl AsyncFnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let mut answered: Option<Instant> = None;
    loop {
        let waits = |answered: Instant| answered.elapsed() < PATIENCE;
        match turn().await {
            Ok(Some(result)) => return Ok(result),
            Ok(None) => answered = Some(Instant::now()),
            Err(failure) if failure.code == Failure::NO_ANSWER && answered.is_some_and(waits) => {}
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|why| {
        Failure::new(
            Failure::FAILED,
            format!("The answer cannot be written as JSON: {why}."),
        )
    })
}

fn write_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    println!("{}", json(value)?);
    Ok(())
}

/// A page of items, and below it how to go on.
fn write_page<T: serde::Serialize>(
    output: Output,
    page: &Items<T>,
    head: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<(), Failure> {
    if output.json {
        return write_json(page);
    }
    let rows: Vec<_> = page.items.iter().map(row).collect();
    print!("{}", table::aligned(head, &rows));
    if let Some(next) = &page.next {
        println!("\nThere is more: --cursor {next}");
    }
    Ok(())
}

/// To the second, in UTC.
fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(
        || "-".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

async fn check_config(configuration: config::Config) -> Result<(), Failure> {
    let checked = configuration.check()?;
    checked.installed()?;
    let ansible = check::version(&checked.settings.ansible)
        .await
        .map_err(|why| Failure::new(Failure::USAGE, why.to_string()))?;
    let telemetry = match &checked.settings.datadog {
        None => "none: gates cannot pass by themselves".to_owned(),
        Some(datadog) => {
            let answer = match serve::telemetry_answers(datadog).await {
                Ok(()) => "it accepts the API key".to_owned(),
                Err(why) => why.to_string(),
            };
            format!("{}: {answer}", datadog.base_url)
        }
    };
    let database = checked
        .settings
        .database_url
        .split_once("://")
        .map_or("", |(kind, _)| kind);
    let issuers: Vec<_> = checked.oidc.iter().map(|oidc| &*oidc.issuer_text).collect();
    let issuers = issuers.join(", ");
    println!("The configuration can be used.");
    print!(
        "{}",
        table::aligned(
            &[],
            &[
                vec!["listen".into(), checked.listen.to_string()],
                vec!["browsers".into(), checked.base_url.to_string()],
                vec![
                    "data folder".into(),
                    checked.settings.data_dir.display().to_string()
                ],
                vec!["database".into(), database.to_owned()],
                vec!["sign-on".into(), issuers],
                vec!["telemetry".into(), telemetry],
                vec!["ansible-core".into(), ansible],
                vec![
                    "role rules".into(),
                    checked.settings.role_rules.len().to_string()
                ],
            ],
        )
    );
    Ok(())
}

/// What a shell reports for a program that wrote to a closed pipe.
const CLOSED_PIPE: i32 = 141;

fn write_out(text: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    if std::io::stdout().write_fmt(text).is_err() {
        std::process::exit(CLOSED_PIPE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_server_is_waited_for_only_once_it_was_reached() {
        let lost = || Failure::new(Failure::NO_ANSWER, "away");
        let mut turns = 0;
        let never = persist(async || {
            turns += 1;
            Err::<Option<()>, _>(lost())
        })
        .await;
        assert_eq!((never.unwrap_err().code, turns), (Failure::NO_ANSWER, 1));

        let mut turns = 0;
        let found = persist(async || {
            turns += 1;
            match turns {
                1 => Ok(None),
                2..=9 => Err(lost()),
                _ => Ok(Some(turns)),
            }
        })
        .await;
        assert_eq!(found.unwrap(), 10);
    }
}
