//! `slipway-lab bench`: Slipway's speed as ratios, all from one run on a lab of its own.

mod bare;
mod decision;
mod execution;
mod load;
mod output;
mod parts;
mod peers;
mod project;
mod queue;
mod report;
mod weight;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::demo::browser::Browser;
use crate::demo::stage::{Scene, Setup};
use crate::disk;
use parts::{of_decisions, of_playbooks, of_postgres, of_sqlite};
use report::Report;

/// 20 s here, which is enough to be judged on a busy machine, too.
const BAKE: &str = "48h";
/// On the route of the rollout page, with an id that none has: nothing is read for it but the frame.
const EMPTY: &str = "/rollouts/none";

/// The bench's command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print the report as one JSON document.
    #[arg(long)]
    json: bool,
    /// Measure only these parts.
    #[arg(long, value_delimiter = ',', default_values = ["decisions", "pages", "execution", "queue", "output"])]
    only: Vec<Part>,
    /// How often the playbook runs through Slipway and without it.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Hosts that the playbook runs on. 200 take a while, and a machine that has room for them.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    hosts: u16,
    /// Rollouts whose jobs are timed on each database; three jobs each.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..))]
    rollouts: u16,
    /// Everything the bench writes goes here.
    #[arg(long, default_value = ".bench")]
    dir: PathBuf,
}

/// The labs that are built one after the other.
enum Stage {
    /// Needs none.
    Decisions,
    Playbooks,
    Sqlite,
    Postgres,
}

/// What can be measured on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Whether somebody may do something.
    Decisions,
    /// Pages under load, and what a browser loads.
    Pages,
    /// A playbook through Slipway and without it.
    Execution,
    /// Queued jobs, on SQLite and PostgreSQL, and peers.
    Queue,
    /// Events and a long log.
    Output,
}

/// Measures, and prints what was found. A ratio that misses its aim is no error.
pub async fn run(arguments: Arguments) -> Result<()> {
    let mut report = Report::new(Machine::look()?);
    let began = Instant::now();
    for stage in [
        Stage::Decisions,
        Stage::Playbooks,
        Stage::Sqlite,
        Stage::Postgres,
    ] {
        let done = match stage {
            Stage::Decisions => of_decisions(&arguments, &mut report),
            Stage::Playbooks => of_playbooks(&arguments, &mut report).await,
            Stage::Sqlite => of_sqlite(&arguments, &mut report).await,
            Stage::Postgres => of_postgres(&arguments, &mut report).await,
        };
        // What was measured before and what is measured after it are told all the same.
        match done {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(why) => report.failed.push(format!("{why:#}")),
        }
    }
    report.seconds = began.elapsed().as_secs_f64().round();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    if !report.failed.is_empty() {
        bail!("{} of the bench's parts failed", report.failed.len());
    }
    Ok(())
}

impl Arguments {
    fn measures(&self, part: Part) -> bool {
        self.only.contains(&part)
    }

    /// A lab of its own for one part of the bench.
    fn setup(&self, name: &str) -> Setup {
        Setup {
            dir: self.dir.join(name),
            dev: 0,
            production: 2,
            console_port: 0,
            slipway: None,
            ansible_playbook: ".venv/bin/ansible-playbook".into(),
            project: None,
            database: None,
            at_once: None,
            site: "target/site".into(),
            keep_data: false,
            keep_up: None,
        }
    }
}

/// The machine before anything was started.
#[derive(Debug, Serialize)]
struct Machine {
    cores: usize,
    /// Processes that ran or waited to run, over the last minute.
    load_before: f64,
}

impl Machine {
    fn look() -> Result<Self> {
        let text = disk::read("/proc/loadavg".as_ref())?;
        let first = text.split_whitespace().next().unwrap_or_default();
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            load_before: first
                .parse()
                .with_context(|| format!("/proc/loadavg says {text}"))?,
        })
    }

    fn sentence(&self) -> String {
        let Self { cores, load_before } = self;
        // A quarter of a core is what an idle machine with a desktop needs.
        let verdict = if *load_before > 0.25 {
            "Something else was running: run it again when the machine is idle."
        } else {
            "It was idle."
        };
        format!("Machine: {cores} cores, load {load_before} in the minute before. {verdict}")
    }
}

/// Runs a script of `end2end` with a browser signed in as this person; gives what it prints.
async fn in_browser<T: DeserializeOwned>(
    scene: &Scene,
    person: &Browser,
    script: &str,
    arguments: &[&str],
) -> Result<T> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../end2end")
        .join(script);
    let said = Command::new("node")
        .arg(&script)
        .args(["--console", &scene.console.origin().ascii_serialization()])
        .args(["--as", &person.who])
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("node could not be started")?;
    if !said.status.success() {
        bail!(
            "{} {} saw nothing: {}",
            script.display(),
            arguments.join(" "),
            String::from_utf8_lossy(&said.stderr).trim()
        );
    }
    serde_json::from_slice(&said.stdout)
        .with_context(|| format!("{} was not understood", script.display()))
}

/// The middle value; the mean of the two in the middle when their number is even.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle) {
        None => 0.0,
        Some(value) if values.len() % 2 == 1 => *value,
        Some(value) => f64::midpoint(values[middle - 1], *value),
    }
}

fn ratio(ours: f64, against: f64) -> f64 {
    if against > 0.0 { ours / against } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_what_was_measured() {
        for (values, expected) in [
            (vec![3.0, 1.0, 2.0], 2.0),
            (vec![4.0, 1.0, 2.0, 3.0], 2.5),
            (vec![7.0], 7.0),
        ] {
            assert_eq!(median(values.into_iter()), expected);
        }
    }
}
