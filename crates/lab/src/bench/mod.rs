//! `slipway-lab bench`: Slipway's speed as ratios, all from one run on a lab of its own.

mod bare;
mod execution;
mod load;
mod project;
mod report;
mod weight;

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::demo::baseline;
use crate::demo::journey::{Journey, PRODUCTION};
use crate::demo::rollout::{End, SPLIT};
use crate::demo::stage::{Scene, Setup, staged};
use crate::disk;
use report::Report;

/// Hosts that a playbook runs on.
const HOSTS: u16 = 20;
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
    /// How often the playbook runs through Slipway and without it.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Everything the bench writes goes here.
    #[arg(long, default_value = ".bench")]
    dir: PathBuf,
}

/// Measures, and prints what was found. A ratio that misses its aim is no error.
pub async fn run(arguments: Arguments) -> Result<()> {
    let machine = Machine::look()?;
    let setup = Setup {
        project: Some(project::write(arguments.dir.join("project"))?),
        dir: arguments.dir,
        dev: 0,
        production: HOSTS,
        console_port: 0,
        slipway: None,
        ansible_playbook: ".venv/bin/ansible-playbook".into(),
        site: "target/site".into(),
        keep_data: false,
        keep_up: None,
    };
    let pairs = usize::from(arguments.pairs);
    let Some(report) = staged(setup, async |scene| measure(scene, machine, pairs).await).await?
    else {
        return Ok(());
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    Ok(())
}

async fn measure(scene: &Scene, machine: Machine, pairs: usize) -> Result<Report> {
    let Scene {
        record, narrator, ..
    } = scene;
    let journey = Journey::begin(scene).await?;
    journey.import().await?;
    journey.onboard().await?;
    baseline::known(record, PRODUCTION).await?;
    let page = journey
        .request(&record.artifacts.good, PRODUCTION, SPLIT, BAKE)
        .await?;
    journey.press(&journey.ada, &page, "approve").await?;
    journey.press(&journey.omar, &page, "release").await?;
    journey.follow(&page, End::Succeeded).await?;

    let weight = weight::measure(scene, &journey.lena, &["/rollouts", &page]).await?;
    let load = load::measure(scene, &journey.lena, &page, EMPTY).await?;
    let execution = execution::measure(scene, &journey, pairs).await?;
    let seconds = narrator.elapsed().as_secs_f64().round();
    Ok(Report::new(
        machine, execution, load, EMPTY, weight, seconds,
    ))
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
