//! A lab with a console on it: started together, ended together, whoever acts on it.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use super::settings::{self, Console};
use super::slipway::{Restart, Slipway, last_lines};
use crate::disk;
use crate::lab::{Lab, Options};
use crate::ports;
use crate::record::Record;

/// How much of the console's log is shown when something fails.
const LOG_LINES: usize = 30;

/// What to start, and where.
pub struct Setup {
    /// Everything that is written goes here.
    pub dir: PathBuf,
    /// Number of development hosts.
    pub dev: u16,
    /// Number of production hosts.
    pub production: u16,
    /// Port of the console; 0 takes a free one.
    pub console_port: u16,
    /// The console's program; beside this one if `None`.
    pub slipway: Option<PathBuf>,
    pub ansible_playbook: PathBuf,
    /// The folder with the playbooks; those that Slipway ships if `None`.
    pub project: Option<PathBuf>,
    /// The address of the console's database; a file of its own if `None`.
    pub database: Option<String>,
    /// Jobs the console runs at once; as many as it does by itself if `None`.
    pub at_once: Option<u32>,
    /// The folder with the browser's files.
    pub site: PathBuf,
    /// Go on with the database and the hosts of the last time.
    pub keep_data: bool,
    /// Start the console again whenever it ends; otherwise its end is that of everything.
    pub keep_up: Option<Restart>,
}

/// What stands once lab and console answer.
pub struct Scene {
    pub record: Record,
    /// Where the console is.
    pub console: Url,
    /// The lab's folder; absolute, as the others are.
    pub lab: PathBuf,
    /// The console's `data_dir`.
    pub data: PathBuf,
    pub narrator: Narrator,
}

/// Tells on standard error what happens, with the seconds since the start.
#[derive(Clone, Copy)]
pub struct Narrator {
    started: Instant,
}

impl Narrator {
    fn begin() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    pub fn say(self, who: &str, what: &str) {
        eprintln!("{:6.1} s  {who:<8} {what}", self.elapsed().as_secs_f64());
    }

    pub fn elapsed(self) -> Duration {
        self.started.elapsed()
    }
}

/// Starts a lab with a console and lets `acts` play on it; `None` when Ctrl-C or SIGTERM came first. Everything that was
/// started has ended when it returns.
pub async fn staged<T>(
    setup: Setup,
    acts: impl AsyncFnOnce(&Scene) -> Result<T>,
) -> Result<Option<T>> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let mut stage = Stage::new(setup)?;
    let played = tokio::select! {
        played = stage.play(acts) => played.map(Some),
        _ = interrupt.recv() => Ok(None),
        _ = terminate.recv() => Ok(None),
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
    let played = played?;
    ended?;
    Ok(played)
}

/// The lab and the console, as far as they run.
struct Stage {
    setup: Setup,
    narrator: Narrator,
    /// Absolute.
    dir: PathBuf,
    lab: Option<Lab>,
    slipway: Option<Slipway>,
}

impl Stage {
    fn new(setup: Setup) -> Result<Self> {
        let dir = std::path::absolute(&setup.dir)?;
        Ok(Self {
            setup,
            narrator: Narrator::begin(),
            dir,
            lab: None,
            slipway: None,
        })
    }

    async fn play<T>(&mut self, acts: impl AsyncFnOnce(&Scene) -> Result<T>) -> Result<T> {
        let program = self.program()?;
        let address = self.console_address()?;
        let hosts = match (self.setup.dev, self.setup.production) {
            (0, production) => format!("{production} production hosts"),
            (dev, production) => format!("{dev} development and {production} production hosts"),
        };
        self.narrator.say(
            "lab",
            &format!("starts {hosts}, a sign-in page and a Datadog"),
        );
        let lab = Lab::start(self.options(&address)).await?;
        let scene = Scene {
            record: lab.record().clone(),
            console: address,
            lab: lab.dir().to_owned(),
            data: self.dir.join("data"),
            narrator: self.narrator,
        };
        // A part of the lab from the start, so that the console's processes end with it.
        self.lab = Some(lab);
        let config = self.configure(&scene)?;
        let log = self.dir.join("slipway.log");
        self.slipway = Some(Slipway::start(&program, &config, &scene.lab, &log)?);
        let (Some(lab), Some(slipway)) = (&mut self.lab, &mut self.slipway) else {
            bail!("the lab is gone before anything began");
        };
        slipway.until_ready(&scene.console).await?;
        self.narrator.say(
            "Slipway",
            &format!("is at {}", scene.console.origin().ascii_serialization()),
        );
        let console = async {
            match self.setup.keep_up {
                Some(restart) => slipway.keep_up(self.narrator, restart).await,
                None => slipway.ended().await,
            }
        };
        tokio::select! {
            done = acts(&scene) => done,
            sentence = console => bail!("{sentence}"),
            sentence = lab.broken() => bail!("{sentence}"),
        }
    }

    /// The console's program, and whether everything else is there that only shows to be missing later.
    fn program(&self) -> Result<PathBuf> {
        let program = match &self.setup.slipway {
            Some(program) => program.clone(),
            None => std::env::current_exe()?.with_file_name("slipway"),
        };
        if !program.is_file() {
            bail!(
                "there is no console at {}: build it with `make build`, or name it with --slipway",
                program.display()
            );
        }
        let ansible = &self.setup.ansible_playbook;
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
        let port = match self.setup.console_port {
            0 => ports::free(Ipv4Addr::LOCALHOST, 0, "--console-port")?,
            port => port,
        };
        Ok(Url::parse(&format!(
            "http://{}:{port}",
            Ipv4Addr::LOCALHOST
        ))?)
    }

    fn options(&self, console: &Url) -> Options {
        let Setup {
            dev,
            production,
            keep_data,
            ..
        } = self.setup;
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
            dev,
            production,
            consoles: vec![console.clone()],
            health_port,
            oidc_port,
            fresh: !keep_data,
            ..Options::new(dir).on_free_ports()
        }
    }

    /// Clears what the last time left, and writes `slipway.toml`.
    fn configure(&self, scene: &Scene) -> Result<PathBuf> {
        // Only now: what a killed run left running has ended with the start of the lab.
        if let Some(port) = scene.console.port() {
            ports::free(Ipv4Addr::LOCALHOST, port, "--console-port")?;
        }
        if !self.setup.keep_data {
            clear(&scene.data)?;
        }
        let console = Console {
            address: scene.console.clone(),
            data_dir: scene.data.clone(),
            site: Some(self.site()?),
            ansible_playbook: self.setup.ansible_playbook.clone(),
            project: self.setup.project.clone(),
            database: self.setup.database.clone(),
            at_once: self.setup.at_once,
        };
        settings::write(&self.dir, &scene.record, &console)
    }

    /// A copy of the browser's files: the demo goes on while somebody builds the next ones.
    fn site(&self) -> Result<PathBuf> {
        let site = self.dir.join("site");
        clear(&site)?;
        if self.setup.site.is_dir() {
            disk::copy_folder(&self.setup.site, &site)?;
        }
        Ok(site)
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

/// Removes a folder, if it is there, with everything in it.
pub fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} could not be removed", folder.display()))
        }
        _ => Ok(()),
    }
}
