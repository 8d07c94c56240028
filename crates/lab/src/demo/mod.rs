//! `slipway-lab demo`: a console on a lab, a good release that goes out, and a bad one that is rolled back by itself.

mod baseline;
mod browser;
mod form;
mod health;
mod inventory;
mod journey;
mod report;
mod rollout;
mod settings;
mod slipway;

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use crate::lab::{Lab, Options};
use crate::ports;
use crate::record::Record;
use journey::Journey;
use report::invitation;
pub use settings::Console;
use slipway::{Slipway, last_lines};

/// How much of the console's log is shown when the demo fails.
const LOG_LINES: usize = 30;

/// The demo's command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print the report as one JSON document.
    #[arg(long)]
    json: bool,
    /// End when the report is printed, instead of leaving the console running.
    #[arg(long)]
    exit: bool,
    /// Everything the demo writes goes here.
    #[arg(long, default_value = ".demo")]
    dir: PathBuf,
    /// Number of production hosts, which are cut into three batches; there are three development hosts besides.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(3..))]
    hosts: u16,
    /// Port of the console; 0 takes a free one.
    #[arg(long, default_value_t = 8400)]
    console_port: u16,
    /// The console's program; beside this one unless named.
    #[arg(long)]
    slipway: Option<PathBuf>,
    /// The `ansible-playbook` the console runs.
    #[arg(long, default_value = ".venv/bin/ansible-playbook")]
    ansible_playbook: PathBuf,
    /// The folder with the browser's files.
    #[arg(long, default_value = "target/site")]
    site: PathBuf,
    /// Go on with the database and the hosts of the demo before.
    #[arg(long)]
    keep_data: bool,
    /// Only start the lab and the console, with environments and hosts but without a rollout.
    #[arg(long, conflicts_with_all = ["json", "exit"])]
    serve_only: bool,
}

/// Tells on standard error what happens, with the seconds since the start.
#[derive(Clone, Copy)]
struct Narrator {
    started: Instant,
}

impl Narrator {
    fn begin() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    fn say(self, who: &str, what: &str) {
        eprintln!("{:6.1} s  {who:<8} {what}", self.elapsed().as_secs_f64());
    }

    fn elapsed(self) -> Duration {
        self.started.elapsed()
    }
}

/// Runs the demo until it is over, or until Ctrl-C or SIGTERM. Everything it started has ended when it returns.
pub async fn run(arguments: Arguments) -> Result<()> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let mut stage = Stage::new(arguments)?;
    let played = tokio::select! {
        played = stage.play() => played,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    let log = if played.is_err() {
        stage.log()
    } else {
        Vec::new()
    };
    let ended = stage.end();
    if !log.is_empty() {
        eprintln!("\nThe end of {}:", stage.dir.join("slipway.log").display());
        for line in log {
            eprintln!("  {line}");
        }
    }
    played.and(ended)
}

/// The lab and the console, as far as they run.
struct Stage {
    arguments: Arguments,
    narrator: Narrator,
    /// Absolute.
    dir: PathBuf,
    lab: Option<Lab>,
    slipway: Option<Slipway>,
}

impl Stage {
    fn new(arguments: Arguments) -> Result<Self> {
        let dir = std::path::absolute(&arguments.dir)?;
        Ok(Self {
            arguments,
            narrator: Narrator::begin(),
            dir,
            lab: None,
            slipway: None,
        })
    }

    async fn play(&mut self) -> Result<()> {
        let program = self.program()?;
        let address = self.console_address()?;
        let production = self.arguments.hosts;
        self.narrator.say("lab", &format!("starts 3 development and {production} production hosts, a sign-in page and a Datadog"));
        let lab = Lab::start(self.options(&address)).await?;
        let (record, lab_dir) = (lab.record().clone(), lab.dir().to_owned());
        // A part of the lab from the start, so that the console's processes end with it.
        self.lab = Some(lab);
        let config = self.configure(&record, &address)?;
        let log = self.dir.join("slipway.log");
        self.slipway = Some(Slipway::start(&program, &config, &lab_dir, &log)?);
        let (Some(lab), Some(slipway)) = (&mut self.lab, &mut self.slipway) else {
            return Ok(());
        };
        slipway.until_ready(&address).await?;
        self.narrator.say(
            "Slipway",
            &format!("is at {}", address.origin().ascii_serialization()),
        );

        let acts = act(&self.arguments, &record, &address, &lab_dir, self.narrator);
        tokio::select! {
            done = acts => done,
            sentence = slipway.ended() => bail!("{sentence}"),
            sentence = lab.broken() => bail!("{sentence}"),
        }
    }

    /// The console's program, and whether everything else is there that only shows to be missing later.
    fn program(&self) -> Result<PathBuf> {
        let program = match &self.arguments.slipway {
            Some(program) => program.clone(),
            None => std::env::current_exe()?.with_file_name("slipway"),
        };
        if !program.is_file() {
            bail!(
                "there is no console at {}: build it with `make build`, or name it with --slipway",
                program.display()
            );
        }
        let ansible = &self.arguments.ansible_playbook;
        if ansible.components().count() > 1 && !ansible.is_file() {
            bail!(
                "there is no ansible-playbook at {}: install it with `scripts/setup demo`, or name one with --ansible-playbook",
                ansible.display()
            );
        }
        Ok(program)
    }

    /// The lab has to know the console's address before the console runs.
    fn console_address(&self) -> Result<Url> {
        let port = match self.arguments.console_port {
            0 => ports::free(Ipv4Addr::LOCALHOST, 0, "--console-port")?,
            port => port,
        };
        Ok(Url::parse(&format!(
            "http://{}:{port}",
            Ipv4Addr::LOCALHOST
        ))?)
    }

    fn options(&self, console: &Url) -> Options {
        let Arguments {
            hosts, keep_data, ..
        } = self.arguments;
        let dir = self.dir.join("lab");
        // What the database remembers has to stay where it is: the service's port and who signed in where.
        let kept = if keep_data {
            Record::read(&dir).ok()
        } else {
            None
        };
        let health_port = kept.as_ref().map_or(0, |record| record.service.health_port);
        let oidc_port = kept
            .and_then(|record| Url::parse(&record.oidc.issuer).ok()?.port())
            .unwrap_or(0);
        Options {
            production: hosts,
            consoles: vec![console.clone()],
            health_port,
            oidc_port,
            fresh: !keep_data,
            ..Options::new(dir).on_free_ports()
        }
    }

    /// Clears what the demo before left, and writes `slipway.toml`.
    fn configure(&self, record: &Record, address: &Url) -> Result<PathBuf> {
        // Only now: what a killed demo left running has ended with the start of the lab.
        if let Some(port) = address.port() {
            ports::free(Ipv4Addr::LOCALHOST, port, "--console-port")?;
        }
        let data_dir = self.dir.join("data");
        if !self.arguments.keep_data {
            match fs::remove_dir_all(&data_dir) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error)
                        .with_context(|| format!("{} could not be removed", data_dir.display()));
                }
                _ => {}
            }
        }
        let console = Console {
            address: address.clone(),
            data_dir,
            site: Some(self.arguments.site.clone()),
            ansible_playbook: self.arguments.ansible_playbook.clone(),
        };
        settings::write(&self.dir, record, &console)
    }

    fn log(&self) -> Vec<String> {
        self.slipway
            .as_ref()
            .map(|slipway| last_lines(slipway.log(), LOG_LINES))
            .unwrap_or_default()
    }

    /// Ends the console with the playbooks under it, and the lab.
    fn end(&mut self) -> Result<()> {
        let ended = self.lab.take().map_or(Ok(()), Lab::stop);
        self.slipway = None;
        ended
    }
}

/// What is shown once the console answers. Without `--exit` it goes on until it is ended.
async fn act(
    arguments: &Arguments,
    record: &Record,
    address: &Url,
    lab: &Path,
    narrator: Narrator,
) -> Result<()> {
    let journey = Journey::begin(record, address, narrator).await?;
    journey.import().await?;
    if arguments.serve_only {
        let ready = json!({
            "console": address.origin().ascii_serialization(),
            "people": report::people(&record.oidc.people),
            "service": &record.service,
            "artifacts": &record.artifacts,
            "lab": lab,
        });
        println!("ready {ready}");
        eprint!(
            "{}",
            invitation(
                &address.origin().ascii_serialization(),
                &report::people(&record.oidc.people)
            )
        );
        eprintln!("\nCtrl-C ends everything.");
    } else {
        let report = journey.run().await?;
        if arguments.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print!(
                "{}{}",
                report.text(),
                invitation(&report.console, &report.people)
            );
        }
        report.check(record)?;
        if arguments.exit {
            return Ok(());
        }
        eprintln!("\nThe console runs on. Ctrl-C ends it with everything else.");
    }
    std::future::pending().await
}

/// Writes a `slipway.toml` for `console` into `dir`: the settings of a console that somebody else starts.
pub fn configure(dir: &Path, record: &Record, console: &Console) -> Result<PathBuf> {
    settings::write(dir, record, console)
}
