//! `slipway-lab demo`: a console on a lab, a good release that goes out, and a bad one that is rolled back by itself.

pub(crate) mod baseline;
pub(crate) mod browser;
mod form;
mod health;
mod inventory;
pub(crate) mod journey;
pub(crate) mod report;
pub(crate) mod rollout;
pub(crate) mod settings;
pub(crate) mod slipway;
pub(crate) mod stage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::record::Record;
use journey::Journey;
use report::invitation;
pub use settings::Console;
use slipway::Restart;
pub(crate) use stage::Narrator;
use stage::{Scene, Setup, staged};

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
    /// Only start the lab and the console, with environments and hosts but without a rollout, and start the console again
    /// whenever it ends.
    #[arg(long, conflicts_with_all = ["json", "exit"])]
    serve_only: bool,
}

/// Runs the demo until it is over, or until Ctrl-C or SIGTERM. Everything it started has ended when it returns.
pub async fn run(arguments: Arguments) -> Result<()> {
    let setup = Setup {
        dir: arguments.dir.clone(),
        dev: 3,
        production: arguments.hosts,
        console_port: arguments.console_port,
        slipway: arguments.slipway.clone(),
        ansible_playbook: arguments.ansible_playbook.clone(),
        project: None,
        database: None,
        at_once: None,
        site: arguments.site.clone(),
        keep_data: arguments.keep_data,
        keep_up: arguments.serve_only.then_some(Restart {
            after: Duration::from_secs(1),
            quietly: false,
        }),
    };
    staged(setup, async |scene| act(&arguments, scene).await).await?;
    Ok(())
}

/// What is shown once the console answers. Without `--exit` it goes on until it is ended.
async fn act(arguments: &Arguments, scene: &Scene) -> Result<()> {
    let Scene {
        record,
        console,
        lab,
        ..
    } = scene;
    let journey = Journey::begin(scene).await?;
    journey.import().await?;
    if arguments.serve_only {
        let ready = json!({
            "console": console.origin().ascii_serialization(),
            "people": report::people(&record.oidc.people),
            "service": &record.service,
            "artifacts": &record.artifacts,
            "lab": lab,
        });
        println!("ready {ready}");
        eprint!(
            "{}",
            invitation(
                &console.origin().ascii_serialization(),
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
