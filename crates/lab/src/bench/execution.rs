//! What running a playbook through Slipway takes longer than running it alone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::Timestamp;
use domain::attempt::AttemptState;
use domain::job::JobKind;
use serde::{Deserialize, Serialize};
use view::job::JobRow;
use view::rollout::RolloutView;

use super::bare::Watch;
use super::{BAKE, bare, median};
use crate::demo::journey::{Journey, PRODUCTION};
use crate::demo::rollout::{is_over, spoken};
use crate::demo::stage::Scene;
use crate::disk;

/// Seldom, because what is asked of the console is taken from the playbook that is measured.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(300);
/// Where what is measured is short: a look takes as long as it, and must seldom meet it.
const SOON: Duration = Duration::from_millis(400);

/// Every pair. Times are in seconds.
#[derive(Debug, Serialize)]
pub struct Execution {
    pub hosts: usize,
    pub tasks: usize,
    pub pairs: Vec<Pair>,
    /// Under others that watch playbooks, once each: who, and seconds.
    pub peers: Vec<(&'static str, f64)>,
}

/// One run through Slipway and one without it, next to each other.
#[derive(Debug, Serialize)]
pub struct Pair {
    pub slipway: Run,
    pub bare_seconds: f64,
}

/// One deploy job.
#[derive(Debug, Serialize)]
pub struct Run {
    /// From `queued_at` to `ended_at`.
    pub seconds: f64,
    /// From `queued_at` until the playbook's process had been started.
    pub before_seconds: f64,
    /// From the supervisor's exit record to `ended_at`.
    pub after_seconds: f64,
    #[serde(skip)]
    folder: PathBuf,
}

impl Execution {
    pub fn slipway(&self) -> f64 {
        median(self.pairs.iter().map(|pair| pair.slipway.seconds))
    }

    pub fn bare(&self) -> f64 {
        median(self.pairs.iter().map(|pair| pair.bare_seconds))
    }

    /// What Slipway does for certain before the playbook's start and after its end, in seconds.
    pub fn around(&self) -> (f64, f64) {
        (
            median(self.pairs.iter().map(|pair| pair.slipway.before_seconds)),
            median(self.pairs.iter().map(|pair| pair.slipway.after_seconds)),
        )
    }
}

/// Runs `pairs` pairs. Who goes first alternates, so that a machine that grows slower is no one's fault.
pub async fn measure(scene: &Scene, journey: &Journey<'_>, pairs: usize) -> Result<Execution> {
    let mark = scene.data.with_file_name("bare");
    let through_slipway = async || deploy(scene, journey).await;
    scene
        .narrator
        .say("bench", "runs the playbook once for each side, uncounted");
    let mut latest = through_slipway().await?;
    bare::run(&latest.folder, &mark, Watch::Nobody).await?;
    let mut done = Vec::new();
    for number in 1..=pairs {
        let (slipway, bare) = if number % 2 == 1 {
            let slipway = through_slipway().await?;
            let bare = bare::run(&slipway.folder, &mark, Watch::Nobody).await?;
            (slipway, bare)
        } else {
            let bare = bare::run(&latest.folder, &mark, Watch::Nobody).await?;
            (through_slipway().await?, bare)
        };
        scene.narrator.say(
            "bench",
            &format!(
                "pair {number} of {pairs}: {:.2} s through Slipway, {:.2} s without",
                slipway.seconds,
                bare.as_secs_f64()
            ),
        );
        latest = Run {
            folder: slipway.folder.clone(),
            ..slipway
        };
        done.push(Pair {
            slipway,
            bare_seconds: bare.as_secs_f64(),
        });
    }
    let mut peers = Vec::new();
    for watch in [Watch::AnsibleRunner, Watch::Ara] {
        let took = bare::run(&latest.folder, &mark, watch).await?.as_secs_f64();
        let said = format!("{took:.2} s under {}", watch.name());
        scene.narrator.say("bench", &said);
        peers.push((watch.name(), took));
    }
    Ok(Execution {
        peers,
        hosts: scene.record.hosts.len(),
        tasks: super::project::TASKS,
        pairs: done,
    })
}

/// Rolls out to all hosts in one batch, and back again, so that nothing goes on when it returns.
async fn deploy(scene: &Scene, journey: &Journey<'_>) -> Result<Run> {
    let path = journey
        .request(&scene.record.artifacts.good, PRODUCTION, "100%", BAKE)
        .await?;
    journey.press(&journey.ada, &path, "approve").await?;
    journey.press(&journey.omar, &path, "release").await?;
    let baked = until(journey, &path, "baking", |view| {
        view.batches.iter().all(|batch| batch.state == "baking")
    })
    .await?;
    journey
        .omar
        .fill(
            &path,
            "/api/rollout/roll_back",
            &[("reason", "The bench has seen what it wanted.")],
        )
        .await?;
    until(journey, &path, "rolled back", |view| {
        view.row.state == "rolled_back"
    })
    .await?;
    let job = baked
        .jobs
        .iter()
        .find(|job| job.kind == JobKind::Deploy && job.state == AttemptState::Succeeded)
        .with_context(|| format!("the rollout {path} has no deploy that succeeded"))?;
    measured(job, attempt_of(&scene.data, job)?)
}

/// Looks at a rollout until `reached`.
async fn until(
    journey: &Journey<'_>,
    path: &str,
    what: &str,
    reached: impl Fn(&RolloutView) -> bool,
) -> Result<RolloutView> {
    looking(journey, path, what, LOOK_EVERY, reached).await
}

/// As `until`, looking more often.
pub(super) async fn soon(
    journey: &Journey<'_>,
    path: &str,
    what: &str,
    reached: impl Fn(&RolloutView) -> bool,
) -> Result<RolloutView> {
    looking(journey, path, what, SOON, reached).await
}

async fn looking(
    journey: &Journey<'_>,
    path: &str,
    what: &str,
    every: Duration,
    reached: impl Fn(&RolloutView) -> bool,
) -> Result<RolloutView> {
    let id = path.rsplit('/').next().unwrap_or_default();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let view: RolloutView = journey.lena.read("rollout/show", &[("id", id)]).await?;
        if reached(&view) {
            return Ok(view);
        }
        if is_over(&view.row.state) || Instant::now() > deadline {
            bail!(
                "the rollout {path} was to be {what}, but is {}: {}",
                spoken(&view.row.state),
                view.sentence
            );
        }
        tokio::time::sleep(every).await;
    }
}

/// What the bench reads of an attempt's `vars.json`.
#[derive(Deserialize)]
struct Variables {
    slipway_rollout_id: String,
    slipway_kind: String,
}

/// The folder of the attempt that did the deploy `job`.
pub(super) fn attempt_of(data: &Path, job: &JobRow) -> Result<PathBuf> {
    let attempts = data.join("attempts");
    let folders = std::fs::read_dir(&attempts)
        .with_context(|| format!("{} could not be read", attempts.display()))?;
    folders
        .flatten()
        .map(|entry| entry.path())
        .find(|folder| {
            let text = disk::read(&folder.join("vars.json")).unwrap_or_default();
            serde_json::from_str(&text).is_ok_and(|variables: Variables| {
                variables.slipway_rollout_id == job.rollout.to_string()
                    && variables.slipway_kind == "deploy"
            })
        })
        .with_context(|| format!("no attempt of job {} is in {}", job.id, attempts.display()))
}

/// What the bench reads of an attempt's `exit.json`.
#[derive(Deserialize)]
struct Exit {
    /// Unix milliseconds.
    at: i64,
}

fn measured(job: &JobRow, folder: PathBuf) -> Result<Run> {
    let ended = job
        .ended_at
        .with_context(|| format!("job {} has no end", job.id))?;
    // Written for the second time right after the playbook's process was started.
    let begun = folder.join("begun");
    let started = std::fs::metadata(&begun)
        .and_then(|begun| begun.modified())
        .with_context(|| format!("{} could not be read", begun.display()))?;
    let exit = folder.join("exit.json");
    let Exit { at } = serde_json::from_str(&disk::read(&exit)?)
        .with_context(|| format!("{} is no exit record", exit.display()))?;
    let between = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    Ok(Run {
        seconds: between(job.queued_at, ended),
        before_seconds: between(job.queued_at, Timestamp::try_from(started)?),
        after_seconds: between(Timestamp::from_millisecond(at)?, ended),
        folder,
    })
}
