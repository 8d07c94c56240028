//! How soon a queued job starts, and how fast a long queue empties: through the whole console, on either database.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Connection as _, Row as _};
use view::job::JobRow;
use view::rollout::RolloutView;

use super::execution::soon;
use crate::demo::journey::{Journey, PRODUCTION};
use crate::demo::stage::Scene;
use crate::disk;

/// Never reached: each rollout is rolled back as soon as it bakes.
const BAKE: &str = "48h";
/// Jobs of the long queue.
pub const JOBS: u32 = 10_000;
/// Jobs the console may run at once. Its own measure is for playbooks, of which each takes a process and memory.
pub const AT_ONCE: u32 = 64;
const WAITING: &str = "SELECT COUNT(*) AS n FROM jobs WHERE stage IN ('queued', 'claimed')";
const ENDED: &str = "SELECT COUNT(*) AS n FROM jobs WHERE stage = 'finished'";
/// Seldom, because counting takes from what is measured; a twentieth of the time it takes.
const COUNT_EVERY: Duration = Duration::from_millis(100);
const DRAINED_WITHIN: Duration = Duration::from_secs(300);

/// What was seen on one database.
#[derive(Debug, Serialize)]
pub struct Queue {
    pub database: &'static str,
    /// Milliseconds from `queued_at` until the playbook's process had been started, of idle jobs one after the other.
    pub starts_ms: Vec<f64>,
    /// From the first that ended to the last.
    pub jobs_per_second: f64,
    /// Until their rollout had taken the last one into account.
    pub taken_in_per_second: f64,
}

impl Queue {
    pub fn percentile(&self, share: f64) -> f64 {
        percentile(&self.starts_ms, share)
    }
}

/// The value that this share of all stays below.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

/// Carries rollouts to their bake and back, then queues many jobs at once. The console has `url` as its database.
pub async fn measure(
    scene: &Scene,
    journey: &Journey<'_>,
    database: &'static str,
    url: &str,
    rollouts: usize,
) -> Result<Queue> {
    let mut jobs = Vec::new();
    let mut last = String::new();
    for number in 1..=rollouts {
        let page = journey
            .request(&scene.record.artifacts.good, PRODUCTION, "100%", BAKE)
            .await?;
        journey.press(&journey.ada, &page, "approve").await?;
        journey.press(&journey.omar, &page, "release").await?;
        let ended = back_and_forth(journey, &page).await?;
        scene.narrator.say(
            "bench",
            &format!("{database}: {number} of {rollouts} rollouts there and back"),
        );
        last = ended.row.id.to_string();
        jobs.extend(ended.jobs);
    }
    let starts_ms = starts(&scene.data, &jobs)?;
    scene.narrator.say(
        "bench",
        &format!("{database}: queues {JOBS} jobs that have nothing to do"),
    );
    let (jobs_per_second, taken_in_per_second) = drain(url, &last).await?;
    Ok(Queue {
        database,
        starts_ms,
        jobs_per_second,
        taken_in_per_second,
    })
}

/// Waits for the bake and rolls back.
pub async fn back_and_forth(journey: &Journey<'_>, page: &str) -> Result<RolloutView> {
    soon(journey, page, "baking", |view| {
        view.batches.iter().all(|batch| batch.state == "baking")
    })
    .await?;
    journey
        .omar
        .fill(
            page,
            "/api/rollout/roll_back",
            &[("reason", "The bench has seen what it wanted.")],
        )
        .await?;
    soon(journey, page, "rolled back", |view| {
        view.row.state == "rolled_back"
    })
    .await
}

/// What the bench reads of an attempt's `vars.json`.
#[derive(Deserialize)]
struct Variables {
    slipway_rollout_id: String,
    slipway_kind: String,
}

/// How long each job waited, in milliseconds.
fn starts(data: &Path, jobs: &[JobRow]) -> Result<Vec<f64>> {
    let mut waits = Vec::new();
    for entry in fs::read_dir(data.join("attempts"))?.flatten() {
        let text = disk::read(&entry.path().join("vars.json"))?;
        let variables: Variables = serde_json::from_str(&text)?;
        let Some(job) = jobs.iter().find(|job| {
            job.rollout.to_string() == variables.slipway_rollout_id
                && job.kind.playbook() == variables.slipway_kind
        }) else {
            continue;
        };
        // Written for the second time right after the playbook's process was started.
        let started = fs::metadata(entry.path().join("begun"))?.modified()?;
        let started = domain::Timestamp::try_from(started)?;
        waits.push(started.duration_since(job.queued_at).as_secs_f64() * 1000.0);
    }
    if waits.len() < jobs.len() {
        bail!(
            "{} of {} jobs left no folder",
            jobs.len() - waits.len(),
            jobs.len()
        );
    }
    Ok(waits)
}

/// Queues jobs without hosts for a rollout that has ended: they are claimed, found to have nothing to run, ended, and
/// taken into account, each with its lines in the audit trail, but no process is started for them.
async fn drain(url: &str, rollout: &str) -> Result<(f64, f64)> {
    sqlx::any::install_default_drivers();
    let mut database = AnyConnection::connect(url).await?;
    // 12 digits, as the last part of an id has them.
    sqlx::query(
        "INSERT INTO jobs (id, rollout_id, environment_id, team_id, batch, kind, stage, state, fencing, queued_at, cancel_reason, message)
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
         SELECT '01900000-0000-7000-8000-' || (100000000000 + numbers.n), r.id, r.environment_id, r.team_id, 1, 'probe', 'queued', 'queued', 0, r.created_at, '', ''
         FROM numbers, rollouts r WHERE r.id = $2",
    )
    .bind(i64::from(JOBS))
    .bind(rollout.to_owned())
    .execute(&mut database)
    .await?;
    let began = Instant::now();
    let (mut first, mut drained) = (None, None);
    loop {
        if began.elapsed() > DRAINED_WITHIN {
            bail!(
                "{JOBS} jobs were not done within {} s",
                DRAINED_WITHIN.as_secs()
            );
        }
        tokio::time::sleep(COUNT_EVERY).await;
        let waiting = count(&mut database, WAITING).await?;
        if waiting < i64::from(JOBS) {
            first.get_or_insert((Instant::now(), i64::from(JOBS) - waiting));
        }
        if waiting == 0 {
            drained.get_or_insert_with(Instant::now);
            if count(&mut database, ENDED).await? == 0 {
                break;
            }
        }
    }
    let (began, before) = first.context("nothing was drained")?;
    let drained = drained.context("nothing was drained")?;
    let jobs = (i64::from(JOBS) - before) as f64;
    Ok((
        jobs / (drained - began).as_secs_f64(),
        jobs / began.elapsed().as_secs_f64(),
    ))
}

async fn count(database: &mut AnyConnection, sql: &'static str) -> Result<i64> {
    Ok(sqlx::query(sql).fetch_one(database).await?.try_get("n")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), 51.0);
        assert_eq!(percentile(&values, 0.99), 100.0);
        assert_eq!(percentile(&[7.0], 0.99), 7.0);
    }
}
