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
    /// Versions that hosts were last seen to run, by environment, each with how many of them.
    pub runs: BTreeMap<String, BTreeMap<String, u32>>,
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
    /// It goes no further before a person has done something, whatever its state: approved it, released it, decided at a
    /// gate or on a batch that is held.
    pub waits_for_person: bool,
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
    /// Both empty where the playbooks bring the version without an artefact.
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

/// A host of a rollout.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Host {
    pub name: String,
    pub batch: u32,
    /// pending, updating, updated, already_current, failed, unreachable, rolling_back, rolled_back, rollback_failed, gone,
    /// excluded or unknown.
    pub phase: String,
    /// What it ran before; null where nobody asked it.
    pub version_before: Option<String>,
    /// What it said it runs, when the rollout asked it last.
    pub version_observed: Option<String>,
    /// Why it failed; may be empty.
    pub message: String,
}

/// A host of an environment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InventoryHost {
    pub name: String,
    /// Cloud or agent id; the name when neither is known.
    pub identity: String,
    /// Address and port Ansible connects to.
    pub address: String,
    /// low, normal or high.
    pub criticality: String,
    pub failure_domain: String,
    pub groups: Vec<String>,
    /// Names of its variables; their values may be secret.
    pub variables: Vec<String>,
    /// Version that was seen last, by service.
    pub runs: BTreeMap<String, String>,
}

/// An inventory to be compared.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    /// Ansible inventory, INI or YAML.
    pub inventory: String,
    /// What becomes of hosts that it does not name: keep or remove; keep unless told.
    #[serde(default)]
    pub absent: String,
}

/// What an inventory would change.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InventoryDiff {
    pub added: Vec<String>,
    pub changed: Vec<HostDiff>,
    /// Known and not named; they are removed where `absent` is remove.
    pub gone: Vec<String>,
    /// keep or remove.
    pub absent: String,
    pub unchanged: u32,
}

/// What an inventory would change of one host.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HostDiff {
    pub name: String,
    pub renamed_from: Option<String>,
    pub groups_joined: Vec<String>,
    pub groups_left: Vec<String>,
    /// Variables, and what else a host has.
    pub values: Vec<ValueDiff>,
}

/// Something that an inventory would change.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ValueDiff {
    pub name: String,
    /// added, dropped or changed.
    pub change: String,
    /// What it was and what it will be; only of what can be no secret.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Whether somebody may do something, and why.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    pub person: String,
    pub action: String,
    /// Kind and name of what it is about.
    pub about: String,
    pub allowed: bool,
    /// The role and the policy that allow it; or what it takes, or what forbids it.
    pub why: String,
    pub roles: Vec<HeldRole>,
    /// Some who could give what is missing.
    pub givers: Vec<String>,
}

/// A role somebody holds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HeldRole {
    pub role: String,
    /// It holds where the question is about.
    pub reaches: bool,
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
    /// When hosts that could not be reached are tried again; null where none wait for it.
    pub retry_at: Option<Timestamp>,
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
    /// Who asked for it to be stopped; null where nobody did.
    pub cancelled: Option<Cancelled>,
}

/// A job, and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobDetail {
    #[serde(flatten)]
    pub job: Job,
    /// As a sentence, while it is queued; empty afterwards.
    pub waits_for: String,
}

/// Who asked for a job to be stopped, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cancelled {
    pub by: String,
    pub reason: String,
    pub at: Timestamp,
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
