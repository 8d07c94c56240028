//! The command line of the lab.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use lab::demo::Console;
use lab::{Fault, Lab, Options, Record};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

/// Slipway's proving ground: local hosts, a Datadog-compatible endpoint, an identity provider, faults.
#[derive(Parser)]
#[command(name = "slipway-lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a lab and run it until Ctrl-C or SIGTERM. Every port may be 0 for any free one.
    Up(Up),
    /// Roll a good and a bad release out through a console on a lab, and leave both running.
    Demo(lab::demo::Arguments),
    /// Measure Slipway's speed as ratios of one run, on a lab of its own. Exit code 0 says that it was measured.
    Bench(lab::bench::Arguments),
    /// Kill the console and its supervisors again and again, and prove that nothing ran twice and nothing was lost.
    Torture(lab::torture::Arguments),
    /// Make a host of a running lab misbehave, or well again.
    Fault {
        /// The running lab's folder.
        #[arg(long, default_value = ".demo/lab")]
        dir: PathBuf,
        /// The host's name, such as prod-1.
        host: String,
        fault: Fault,
    },
}

#[derive(clap::Args)]
struct Up {
    /// Everything the lab writes goes here.
    #[arg(long, default_value = ".demo/lab")]
    dir: PathBuf,
    /// Number of dev hosts.
    #[arg(long, default_value_t = 3)]
    dev: u16,
    /// Number of production hosts.
    #[arg(long, default_value_t = 6)]
    production: u16,
    /// Address of a console that may sign people in; may be given again.
    #[arg(long, default_value = "http://127.0.0.1:8400")]
    console: Vec<Url>,
    /// SSH port of every host.
    #[arg(long, default_value_t = 2222)]
    ssh_port: u16,
    /// The demo service's port on every host.
    #[arg(long, default_value_t = 8480)]
    health_port: u16,
    /// Port of the Datadog-compatible endpoint.
    #[arg(long, default_value_t = 8403)]
    datadog_port: u16,
    /// Port of the identity provider.
    #[arg(long, default_value_t = 8402)]
    oidc_port: u16,
    /// Seconds of past traffic to begin with.
    #[arg(long, default_value_t = 900)]
    history: u32,
    /// Put every host back to the baseline release first.
    #[arg(long)]
    fresh: bool,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    if lab::torture::is_playbook() {
        return ended(lab::torture::playbook::run());
    }
    let done = match Arguments::parse().command {
        Command::Up(arguments) => up(arguments).await,
        Command::Demo(arguments) => lab::demo::run(arguments).await,
        Command::Bench(arguments) => lab::bench::run(arguments).await,
        Command::Torture(arguments) => lab::torture::run(arguments).await,
        Command::Fault { dir, host, fault } => ask_for_fault(dir, host, fault).await,
    };
    ended(done)
}

fn ended(done: Result<()>) -> std::process::ExitCode {
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("slipway-lab: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn up(arguments: Up) -> Result<()> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let console = arguments.console.first().cloned();
    let start = Lab::start(arguments.options());
    let mut lab = tokio::select! {
        lab = start => lab?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    print_record(lab.record());
    println!("record     {}", Record::path(lab.dir()).display());
    if let Some(address) = console {
        let console = Console {
            address,
            data_dir: lab.dir().join("data"),
            site: None,
            ansible_playbook: ".venv/bin/ansible-playbook".into(),
            project: None,
            database: None,
            at_once: None,
        };
        let config = lab::demo::configure(lab.dir(), lab.record(), &console)?;
        println!("console    slipway --config {} serve", config.display());
    }
    println!("The lab is up. Ctrl-C ends it.");
    let broken = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        sentence = lab.broken() => Some(sentence),
    };
    lab.stop()?;
    match broken {
        None => {
            println!("The lab has ended.");
            Ok(())
        }
        Some(sentence) => Err(anyhow::anyhow!(sentence)),
    }
}

async fn ask_for_fault(dir: PathBuf, host: String, fault: Fault) -> Result<()> {
    lab::faults::ask(&dir, &host, fault).await?;
    match fault {
        Fault::Clear => println!("{host} is well again."),
        fault => println!("{host} is {} now.", fault.word()),
    }
    Ok(())
}

fn print_record(record: &Record) {
    for host in &record.hosts {
        println!(
            "host       {:8} {}:{} ({})",
            host.name, host.address, host.port, host.environment
        );
    }
    println!(
        "service    {} on port {}",
        record.service.slug, record.service.health_port
    );
    let artifacts = &record.artifacts;
    for (what, artifact) in [
        ("baseline", &artifacts.baseline),
        ("good", &artifacts.good),
        ("bad", &artifacts.bad),
    ] {
        println!("release    {:8} {}", artifact.version, what);
    }
    println!("datadog    {}", record.datadog.url);
    println!("identity   {}", record.oidc.issuer);
    for person in &record.oidc.people {
        println!(
            "person     {:8} {} ({})",
            person.login,
            person.name,
            person.groups.join(", ")
        );
    }
}

impl Up {
    fn options(self) -> Options {
        let Self {
            dir,
            dev,
            production,
            console,
            ssh_port,
            health_port,
            datadog_port,
            oidc_port,
            history,
            fresh,
        } = self;
        Options {
            dev,
            production,
            consoles: console,
            ssh_port,
            health_port,
            datadog_port,
            oidc_port,
            history,
            fresh,
            ..Options::new(dir)
        }
    }
}
