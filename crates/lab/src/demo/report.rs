//! What the demo found, for people and for programs.

mod text;

use std::time::Duration;

use anyhow::{Result, bail};
use domain::verdict::Measurement;
use serde::Serialize;
use url::Url;
use view::delivery::{DeliveryView, DeploymentRow};
use view::rollout::{BatchView, HostCell, RolloutView};

use super::health::Running;
use super::settings;
use crate::record::{Person, Record};

pub use text::{invitation, table};

/// A rollout that came to its end.
pub struct RolledOut {
    pub view: RolloutView,
    pub hosts: Vec<HostCell>,
    /// What the requester was told who wanted to approve; none where no approval is asked for.
    pub refused_to_requester: Option<String>,
}

/// The demo's result. Times are in seconds.
#[derive(Debug, Serialize)]
pub struct Report {
    pub rollouts: Vec<RolloutReport>,
    /// From the detection of the failure to the verified roll back.
    pub rollback_seconds: Option<f64>,
    pub deployments: u32,
    pub failed_deployments: u32,
    pub audit_events: usize,
    /// What each host says it runs, after everything.
    pub hosts: Vec<Running>,
    pub seconds: f64,
    pub console: String,
    pub people: Vec<PersonReport>,
    #[serde(skip)]
    service: String,
}

#[derive(Debug, Serialize)]
pub struct RolloutReport {
    pub id: String,
    pub version: String,
    /// What the first host ran before; null where none was touched.
    pub version_before: Option<String>,
    pub environment: String,
    pub outcome: String,
    pub batches: Vec<BatchReport>,
    pub seconds: Option<f64>,
    pub rollback_seconds: Option<f64>,
    pub requested_by: String,
    pub refused_to_requester: Option<String>,
    /// The end in one sentence.
    pub sentence: String,
}

#[derive(Debug, Serialize)]
pub struct BatchReport {
    pub number: u32,
    pub hosts: u32,
    pub host_names: Vec<String>,
    pub state: String,
    /// Null where nothing was judged.
    pub verdict: Option<String>,
    pub measurements: Vec<Measurement>,
    /// From the start of its deployment to its end; null for a batch that never started.
    pub seconds: Option<f64>,
}

/// Somebody to sign in as.
#[derive(Debug, Serialize)]
pub struct PersonReport {
    pub login: String,
    pub name: String,
    pub role: String,
}

/// Everybody the lab's identity provider knows.
pub fn people(people: &[Person]) -> Vec<PersonReport> {
    people
        .iter()
        .map(|person| PersonReport {
            login: person.login.clone(),
            name: person.name.clone(),
            role: settings::roles(&person.groups),
        })
        .collect()
}

impl Report {
    pub fn new(
        record: &Record,
        console: &Url,
        rolled_out: Vec<RolledOut>,
        delivery: &DeliveryView,
        audit_events: usize,
        hosts: Vec<Running>,
        took: Duration,
    ) -> Self {
        let rollouts: Vec<RolloutReport> = rolled_out
            .into_iter()
            .map(|one| rollout(one, &delivery.deployments))
            .collect();
        Self {
            rollback_seconds: rollouts
                .iter()
                .rev()
                .find_map(|rollout| rollout.rollback_seconds),
            rollouts,
            deployments: delivery.overall.deployments,
            failed_deployments: delivery.overall.failed,
            audit_events,
            hosts,
            seconds: tenths(took.as_secs_f64()),
            console: console.origin().ascii_serialization(),
            people: people(&record.oidc.people),
            service: record.service.slug.clone(),
        }
    }

    /// Refuses a demo that did not show what it is there to show: a good release in its batches, a bad one rolled back,
    /// and hosts that run the good one.
    pub fn check(&self, record: &Record) -> Result<()> {
        let [good, bad] = self.rollouts.as_slice() else {
            bail!("{} rollouts were made, not two", self.rollouts.len())
        };
        if let Some(batch) = good
            .batches
            .iter()
            .find(|batch| batch.state != "promoted" || batch.verdict.as_deref() != Some("pass"))
        {
            let verdict = batch.verdict.as_deref().unwrap_or("missing");
            bail!(
                "batch {} of {} is {} and its verdict {verdict}, not promoted and pass",
                batch.number,
                good.version,
                batch.state
            );
        }
        if !bad
            .batches
            .iter()
            .any(|batch| batch.state == "rolled_back" && batch.verdict.as_deref() == Some("fail"))
        {
            bail!(
                "no batch of {} was rolled back because of its verdict",
                bad.version
            );
        }
        let expected = |environment: &str| {
            let artifacts = &record.artifacts;
            let artifact = if environment == good.environment {
                &artifacts.good
            } else {
                &artifacts.baseline
            };
            artifact.version.as_str()
        };
        if let Some(host) = self
            .hosts
            .iter()
            .find(|host| host.version != expected(&host.environment))
        {
            bail!(
                "{} runs {}, not {}",
                host.name,
                host.version,
                expected(&host.environment)
            );
        }
        Ok(())
    }
}

fn rollout(rolled_out: RolledOut, deployments: &[DeploymentRow]) -> RolloutReport {
    let RolledOut {
        view,
        hosts,
        refused_to_requester,
    } = rolled_out;
    let deployment = deployments
        .iter()
        .find(|deployment| deployment.rollout == view.row.id);
    RolloutReport {
        id: view.row.id.to_string(),
        version: view.row.version,
        version_before: hosts.iter().find_map(|host| host.version_before.clone()),
        environment: view.row.environment,
        outcome: view.row.state,
        batches: view
            .batches
            .into_iter()
            .map(|one| batch(one, &hosts))
            .collect(),
        seconds: deployment
            .map(|one| tenths(one.finished_at.duration_since(one.started_at).as_secs_f64())),
        rollback_seconds: deployment.and_then(|one| one.recovery_seconds).map(tenths),
        requested_by: view.row.requested_by,
        refused_to_requester,
        sentence: view.sentence,
    }
}

fn batch(batch: BatchView, hosts: &[HostCell]) -> BatchReport {
    let took = batch
        .started_at
        .zip(batch.ended_at)
        .map(|(from, to)| tenths(to.duration_since(from).as_secs_f64()));
    let (verdict, measurements) = match batch.verdict {
        Some(verdict) => (
            Some(verdict.outcome.word().to_owned()),
            verdict.measurements,
        ),
        None => (None, Vec::new()),
    };
    BatchReport {
        number: batch.number,
        hosts: batch.host_count,
        host_names: hosts
            .iter()
            .filter(|host| host.batch == batch.number)
            .map(|host| host.name.clone())
            .collect(),
        state: batch.state,
        verdict,
        measurements,
        seconds: took,
    }
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
