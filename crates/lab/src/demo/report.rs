//! What the demo found, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, bail};
use domain::verdict::{Dimension, Measurement};
use serde::Serialize;
use url::Url;
use view::delivery::{DeliveryView, DeploymentRow};
use view::rollout::{BatchView, HostCell, RolloutView};

use super::health::Running;
use super::journey::spoken;
use super::settings;
use crate::record::{Person, Record};

/// A rollout that came to its end.
pub struct RolledOut {
    pub view: RolloutView,
    pub hosts: Vec<HostCell>,
    pub version_before: String,
    /// What the requester was told who wanted to approve.
    pub refused_to_requester: String,
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
    pub version_before: String,
    pub environment: String,
    pub outcome: String,
    pub batches: Vec<BatchReport>,
    pub seconds: Option<f64>,
    pub rollback_seconds: Option<f64>,
    pub requested_by: String,
    pub refused_to_requester: String,
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

    /// The report as aligned text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for rollout in &self.rollouts {
            self.rollout_text(&mut text, rollout);
        }
        let mut versions: Vec<(&str, &str, Vec<&str>)> = Vec::new();
        for host in &self.hosts {
            match versions.iter_mut().find(|(environment, version, _)| {
                (*environment, *version) == (host.environment.as_str(), host.version.as_str())
            }) {
                Some((.., names)) => names.push(&host.name),
                None => versions.push((&host.environment, &host.version, vec![&host.name])),
            }
        }
        let mut facts: Vec<(&str, String)> = Vec::new();
        for (at, (environment, version, names)) in versions.into_iter().enumerate() {
            let name = if at == 0 { "hosts say" } else { "" };
            facts.push((
                name,
                format!("{version} runs in {environment}: {}", list(&names)),
            ));
        }
        let failed = match self.failed_deployments {
            0 => String::new(),
            failed => format!(", {failed} of them failed"),
        };
        let back = self.rollback_seconds.map(|seconds| {
            format!(
                "; {} from the breach to the verified roll back",
                spell(seconds)
            )
        });
        facts.push((
            "deployments",
            format!("{}{failed}{}", self.deployments, back.unwrap_or_default()),
        ));
        facts.push(("audit", format!("{} events", self.audit_events)));
        facts.push(("took", spell(self.seconds)));
        text.push('\n');
        for (name, value) in facts {
            let _ = writeln!(text, "  {name:<12}{value}");
        }
        text
    }

    fn rollout_text(&self, text: &mut String, rollout: &RolloutReport) {
        let RolloutReport {
            version,
            version_before,
            environment,
            ..
        } = rollout;
        let took = rollout
            .seconds
            .map(|seconds| format!(" after {}", spell(seconds)))
            .unwrap_or_default();
        let by_itself = if rollout.outcome == "rolled_back" {
            " by itself"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "\n{} {version_before} → {version} in {environment}: {}{by_itself}{took}",
            self.service,
            spoken(&rollout.outcome)
        );
        let head = [
            "batch",
            "hosts",
            "state",
            "verdict",
            "seconds",
            "error rate %",
            "latency ms",
            "alive",
        ];
        let rows = rollout.batches.iter().map(|batch| {
            let measured = |dimension| {
                batch
                    .measurements
                    .iter()
                    .find(|one| one.dimension == dimension)
                    .map_or_else(|| "–".to_owned(), figures)
            };
            [
                batch.number.to_string(),
                list(
                    &batch
                        .host_names
                        .iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>(),
                ),
                spoken(&batch.state),
                batch
                    .verdict
                    .as_deref()
                    .map_or_else(|| "–".to_owned(), spoken),
                batch
                    .seconds
                    .map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1}")),
                measured(Dimension::ErrorRate),
                measured(Dimension::Latency),
                measured(Dimension::Liveness),
            ]
        });
        let rows: Vec<[String; 8]> = std::iter::once(head.map(str::to_owned))
            .chain(rows)
            .collect();
        text.push_str(&table(&rows));
        let _ = writeln!(
            text,
            "  {} asked; told when approving alone: “{}”",
            rollout.requested_by, rollout.refused_to_requester
        );
        let _ = writeln!(text, "  {}", rollout.sentence);
    }
}

/// Where the console is and who there is, for whoever goes on from here.
pub fn invitation(console: &str, people: &[PersonReport]) -> String {
    let mut text = format!("\n  {:<12}{console}\n", "console");
    for (at, person) in people.iter().enumerate() {
        let name = if at == 0 { "sign in as" } else { "" };
        let _ = writeln!(
            text,
            "  {name:<12}{:<8}{:<16}{}",
            person.login, person.name, person.role
        );
    }
    text
}

fn rollout(rolled_out: RolledOut, deployments: &[DeploymentRow]) -> RolloutReport {
    let RolledOut {
        view,
        hosts,
        version_before,
        refused_to_requester,
    } = rolled_out;
    let deployment = deployments
        .iter()
        .find(|deployment| deployment.rollout == view.row.id);
    RolloutReport {
        id: view.row.id.to_string(),
        version: view.row.version,
        version_before,
        environment: view.row.environment,
        outcome: view.row.state,
        batches: view
            .batches
            .into_iter()
            .map(|one| batch(one, &hosts))
            .collect(),
        seconds: deployment
            .map(|one| tenths(one.finished_at.duration_since(one.started_at).as_secs_f64())),
        rollback_seconds: deployment
            .and_then(|one| one.recovery_seconds)
            .map(|seconds| seconds as f64),
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

/// “0.41 → 0.35 (≤ 1.41)”: before, now, and what would still have passed.
fn figures(one: &Measurement) -> String {
    let digits = match one.dimension {
        Dimension::ErrorRate => 2,
        Dimension::Latency => 1,
        Dimension::Liveness => 0,
    };
    let figure = |value: Option<f64>| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    let bound = if one.dimension == Dimension::Liveness {
        "≥"
    } else {
        "≤"
    };
    let limit = one
        .limit
        .map(|limit| format!(" ({bound} {limit:.digits$})"))
        .unwrap_or_default();
    format!("{} → {}{limit}", figure(one.baseline), figure(one.measured))
}

/// Columns as wide as their widest cell.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let line: String = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("  {cell:<width$}"))
            .collect();
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Names; of many the first and the last.
fn list(names: &[&str]) -> String {
    match names {
        [first, _, _, _, _, .., last] if names.len() > 6 => {
            format!("{first} … {last} ({})", names.len())
        }
        _ => names.join(" "),
    }
}

fn spell(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else {
        format!(
            "{:.0} min {:02.0} s",
            (seconds / 60.0).floor(),
            seconds % 60.0
        )
    }
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
