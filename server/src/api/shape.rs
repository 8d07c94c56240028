//! What the API sends and takes. The command line reads the same types.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Some items, newest first, and the cursor that continues them; null at the end.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Items<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// A service.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Service {
    pub id: Uuid,
    /// Short name, used in addresses.
    pub slug: String,
    pub name: String,
    pub team: String,
    pub description: String,
    /// Newest version that was rolled out, by environment.
    pub versions: BTreeMap<String, String>,
}

/// A service with its newest rollouts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServiceDetail {
    pub service: Service,
    pub repository: String,
    pub rollouts: Vec<Rollout>,
}

/// A rollout in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rollout {
    pub id: Uuid,
    pub service: String,
    pub environment: String,
    pub version: String,
    /// draft, awaiting_approval, scheduled, running, paused, succeeded, rolling_back, rolled_back, rollback_failed,
    /// recovered, aborting, aborted, rejected or withdrawn.
    pub state: String,
    pub requested_by: String,
    pub created_at: Timestamp,
    pub batches: Vec<BatchState>,
}

/// How far a batch is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchState {
    pub number: u32,
    pub state: String,
    pub hosts: u32,
}

/// A rollout, whole.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RolloutDetail {
    pub rollout: Rollout,
    /// The state in one sentence, with who and why.
    pub sentence: String,
    /// Why the change is made.
    pub reason: String,
    /// Digest of the plan that was approved.
    pub digest: String,
    pub artifact: String,
    pub sha256: String,
    pub commit: Option<String>,
    /// State of the change request; null where no approval is required.
    pub change_request: Option<String>,
    pub decided: Option<String>,
    pub released_at: Option<Timestamp>,
    pub batches: Vec<Batch>,
    pub jobs: Vec<Job>,
}

/// A batch of a rollout.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Batch {
    pub number: u32,
    pub state: String,
    /// Why it is held or failed, or who promoted it; may be empty.
    pub message: String,
    pub hosts: u32,
    /// How many hosts are in which phase.
    pub phases: BTreeMap<String, u32>,
    pub bake_seconds: u64,
    pub started_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub verdict: Option<Verdict>,
}

/// What telemetry said of a batch.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// pass, marginal, fail, no_data, insufficient_samples or provider_error; only pass passes.
    pub outcome: String,
    pub at: Timestamp,
    pub measurements: Vec<Measurement>,
}

/// One dimension of a verdict.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Measurement {
    /// error_rate, latency or liveness.
    pub dimension: String,
    pub outcome: String,
    pub unit: String,
    pub baseline: Option<f64>,
    pub measured: Option<f64>,
    pub limit: Option<f64>,
    pub explanation: String,
}

/// A job with its newest attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    pub id: Uuid,
    pub rollout: Uuid,
    pub service: String,
    pub environment: String,
    pub version: String,
    /// deploy, probe or roll_back.
    pub kind: String,
    pub batch: u32,
    /// queued, starting, running, cancelling, succeeded, failed, timed_out, cancelled, unknown or resolved.
    pub state: String,
    pub queued_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Why it ended badly; may be empty.
    pub message: String,
}

/// A range of a job's output.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Log {
    pub job: Uuid,
    pub lines: Vec<Line>,
    /// Ask from this line to go on.
    pub next: u64,
    /// No more lines will come.
    pub ended: bool,
}

/// One line of output, numbered from 1, colours kept as ANSI codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    pub number: u64,
    pub text: String,
}

/// Asks for a job to be stopped.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Cancel {
    /// Why; kept in the audit trail.
    pub reason: String,
}

/// Why a request was not served (RFC 9457).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProblemBody {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// A sentence with the next step.
    pub detail: String,
    /// The refused field, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Finds a defect in Slipway's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl<T> Items<T> {
    pub fn of<R>(page: view::page::Page<R>) -> Self
    where
        T: From<R>,
    {
        Self {
            items: page.items.into_iter().map(T::from).collect(),
            next: page.next,
        }
    }
}

impl From<view::service::ServiceRow> for Service {
    fn from(row: view::service::ServiceRow) -> Self {
        Self {
            id: row.id.0,
            slug: row.slug,
            name: row.name,
            team: row.team,
            description: row.description,
            versions: row.versions.into_iter().collect(),
        }
    }
}

impl From<view::service::ServiceView> for ServiceDetail {
    fn from(view: view::service::ServiceView) -> Self {
        Self {
            service: view.service.into(),
            repository: view.repository,
            rollouts: view.rollouts.into_iter().map(Rollout::from).collect(),
        }
    }
}

impl From<view::rollout::RolloutRow> for Rollout {
    fn from(row: view::rollout::RolloutRow) -> Self {
        Self {
            id: row.id.0,
            service: row.service,
            environment: row.environment,
            version: row.version,
            state: row.state,
            requested_by: row.requested_by,
            created_at: row.created_at,
            batches: row
                .batches
                .into_iter()
                .map(|dot| BatchState {
                    number: dot.number,
                    state: dot.state,
                    hosts: dot.hosts,
                })
                .collect(),
        }
    }
}

impl From<view::rollout::RolloutView> for RolloutDetail {
    fn from(view: view::rollout::RolloutView) -> Self {
        Self {
            rollout: view.row.into(),
            sentence: view.sentence,
            reason: view.reason,
            digest: view.digest,
            artifact: view.artifact,
            sha256: view.sha256,
            commit: view.commit,
            change_request: view.change_request,
            decided: view.decided,
            released_at: view.released_at,
            batches: view.batches.into_iter().map(Batch::from).collect(),
            jobs: view.jobs.into_iter().map(Job::from).collect(),
        }
    }
}

impl From<view::rollout::BatchView> for Batch {
    fn from(batch: view::rollout::BatchView) -> Self {
        Self {
            number: batch.number,
            state: batch.state,
            message: batch.message,
            hosts: batch.host_count,
            phases: batch
                .counts
                .into_iter()
                .map(|(phase, count)| (phase.to_string(), count))
                .collect(),
            bake_seconds: batch.bake_seconds,
            started_at: batch.started_at,
            verified_at: batch.verified_at,
            ended_at: batch.ended_at,
            verdict: batch.verdict.map(Verdict::from),
        }
    }
}

impl From<domain::verdict::Verdict> for Verdict {
    fn from(verdict: domain::verdict::Verdict) -> Self {
        let measurement = |one: domain::verdict::Measurement| Measurement {
            dimension: one.dimension.to_string(),
            outcome: one.outcome.to_string(),
            unit: one.unit,
            baseline: one.baseline,
            measured: one.measured,
            limit: one.limit,
            explanation: one.explanation,
        };
        Self {
            outcome: verdict.outcome.to_string(),
            at: verdict.at,
            measurements: verdict.measurements.into_iter().map(measurement).collect(),
        }
    }
}

impl From<view::job::JobRow> for Job {
    fn from(row: view::job::JobRow) -> Self {
        Self {
            id: row.id.0,
            rollout: row.rollout.0,
            service: row.service,
            environment: row.environment,
            version: row.version,
            kind: row.kind.to_string(),
            batch: row.batch,
            state: row.state.to_string(),
            queued_at: row.queued_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            message: row.message,
        }
    }
}

impl From<view::job::LogPage> for Log {
    fn from(page: view::job::LogPage) -> Self {
        let lines = page
            .lines
            .into_iter()
            .map(|line| Line {
                number: line.number,
                text: line.text,
            })
            .collect();
        Self {
            job: page.job.0,
            lines,
            next: page.next,
            ended: page.ended,
        }
    }
}
