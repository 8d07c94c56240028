//! Rollouts, their batches and hosts.

use domain::{
    Timestamp,
    batch::BatchState,
    budget::FailureBudget,
    host::{Criticality, HostPhase},
    id::{JobId, RolloutId},
    rollout::RolloutState,
    selection::Selection,
    strategy::{GateRule, Tolerance},
    verdict::{Dimension, Verdict},
};
use serde::{Deserialize, Serialize};

use crate::{
    access::Allowance, audit::AuditRow, job::JobRow, page::Page, project::PlaybooksShown,
    variable::GivenVariable,
};

/// One rollout in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutRow {
    pub id: RolloutId,
    pub service: String,
    pub environment: String,
    pub version: String,
    /// Word of `domain::rollout::RolloutState`.
    pub state: String,
    pub requested_by: String,
    #[serde(with = "domain::moment")]
    pub created_at: Timestamp,
    pub batches: Vec<BatchDot>,
}

impl RolloutRow {
    /// It goes no further before a person has done something.
    pub fn waits_for_person(&self) -> bool {
        let any_batch = || {
            let mut states = self.batches.iter().map(|batch| batch.state.as_str());
            states.any(|state| BatchState::WAITING.contains(&state))
        };
        let state = self.state.as_str();
        RolloutState::WAITING.contains(&state) || state == "running" && any_batch()
    }
}

/// A batch as a dot in a list: its word and its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchDot {
    pub number: u32,
    /// Word of `domain::batch::BatchState`.
    pub state: String,
    pub hosts: u32,
}

/// The list of rollouts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutList {
    pub page: Page<RolloutRow>,
    pub may_request: Allowance,
}

/// One rollout, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutView {
    pub row: RolloutRow,
    pub service_name: String,
    pub environment_name: String,
    /// The state in a sentence or two, with who and why.
    pub sentence: String,
    /// Names of hosts that keep a batch from going on; the first of them.
    pub stuck: Vec<String>,
    /// Why it cannot be released yet.
    pub held: Option<HeldElsewhere>,
    /// Both empty where the playbooks bring the version without an artefact.
    pub artifact: String,
    pub sha256: String,
    pub commit: Option<String>,
    pub digest: String,
    /// Why the change is made.
    pub reason: String,
    /// Word of `domain::change_request::ChangeRequestState`; `None` where no approval is required.
    pub change_request: Option<String>,
    /// “Approved by Ada Approver”.
    pub decided: Option<String>,
    #[serde(with = "domain::moment::maybe")]
    pub decided_at: Option<Timestamp>,
    pub decision_version: i64,
    pub gate: GateRule,
    pub split: String,
    pub tolerance: Tolerance,
    pub failures: FailureBudget,
    pub playbooks: PlaybooksShown,
    pub selection: SelectionShown,
    pub variables: Vec<GivenVariable>,
    /// How much faster than planned bakes run here; 1 in earnest.
    pub time_scale: u64,
    /// The server's clock when this was read, for countdowns.
    #[serde(with = "domain::moment")]
    pub now: Timestamp,
    #[serde(with = "domain::moment::maybe")]
    pub released_at: Option<Timestamp>,
    pub batches: Vec<BatchView>,
    pub actions: RolloutActions,
    pub jobs: Vec<JobRow>,
    pub events: Vec<AuditRow>,
}

/// A host that a rollout needs and another rollout of the same service holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldElsewhere {
    pub host: String,
    pub rollout: RolloutId,
    /// Name of that rollout.
    pub name: String,
}

/// Hosts of a rollout that did not take its change, with what helps to decide on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TroubledView {
    pub row: RolloutRow,
    pub service_name: String,
    pub environment_name: String,
    pub decision_version: i64,
    /// Batches that a person can decide on: number, state, message, what may be pressed.
    pub batches: Vec<(u32, String, String, BatchActions)>,
    /// Names of hosts that keep a batch from going on; the first of them.
    pub stuck: Vec<String>,
    pub exclude: Allowance,
    pub roll_back: Allowance,
    pub hosts: Page<TroubledHost>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubledHost {
    pub name: String,
    pub batch: u32,
    pub phase: HostPhase,
    pub message: String,
    /// What it ran before this rollout.
    pub version_before: Option<String>,
    /// What it said last, in this rollout.
    pub version_observed: Option<String>,
    /// The newest job that was to change it.
    pub job: Option<TroubledJob>,
    /// When it was last asked which version runs.
    #[serde(with = "domain::moment::maybe")]
    pub asked_at: Option<Timestamp>,
}

/// How far a job came on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubledJob {
    pub id: JobId,
    /// Word of `domain::attempt::AttemptState`.
    pub state: String,
    /// The last task that told of its end; `None` where none did.
    pub task: Option<String>,
    #[serde(with = "domain::moment::maybe")]
    pub task_at: Option<Timestamp>,
}

/// What may be pressed on a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutActions {
    pub approve: Allowance,
    pub reject: Allowance,
    pub dry_run: Allowance,
    pub withdraw: Allowance,
    pub release: Allowance,
    pub pause: Allowance,
    pub resume: Allowance,
    pub exclude: Allowance,
    pub abort: Allowance,
    pub roll_back: Allowance,
    pub recover: Allowance,
}

/// One batch on the rollout page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchView {
    pub number: u32,
    pub host_count: u32,
    /// Word of `domain::batch::BatchState`.
    pub state: String,
    /// Why it is held or failed, who promoted it; empty when there is nothing to say.
    pub message: String,
    pub bake_seconds: u64,
    pub bake: Option<BakeView>,
    /// When hosts that could not be reached are tried again.
    #[serde(with = "domain::moment::maybe")]
    pub retry_at: Option<Timestamp>,
    #[serde(with = "domain::moment::maybe")]
    pub gate_expires: Option<Timestamp>,
    #[serde(with = "domain::moment::maybe")]
    pub started_at: Option<Timestamp>,
    #[serde(with = "domain::moment::maybe")]
    pub verified_at: Option<Timestamp>,
    #[serde(with = "domain::moment::maybe")]
    pub ended_at: Option<Timestamp>,
    /// Hosts by phase, only phases that occur.
    pub counts: Vec<(HostPhase, u32)>,
    pub verdict: Option<Verdict>,
    pub actions: BatchActions,
}

/// What may be decided on one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchActions {
    pub decide: Allowance,
    pub retry: Allowance,
    pub ask: Allowance,
    pub extend: Allowance,
}

impl BatchActions {
    /// Nothing is decided on it now.
    pub const NONE: Self = Self {
        decide: Allowance::NotOffered,
        retry: Allowance::NotOffered,
        ask: Allowance::NotOffered,
        extend: Allowance::NotOffered,
    };

    /// Something can be pressed, or is refused with a reason.
    pub fn offered(&self) -> bool {
        let Self {
            decide,
            retry,
            ask,
            extend,
        } = self;
        [decide, retry, ask, extend].iter().any(|one| one.offered())
    }
}

/// The clock of a bake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BakeView {
    #[serde(with = "domain::moment")]
    pub since: Timestamp,
    /// `None` while the clock stands.
    #[serde(with = "domain::moment::maybe")]
    pub until: Option<Timestamp>,
    /// Milliseconds left when the clock stands.
    pub left_ms: Option<i64>,
}

/// One host in the host grid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCell {
    pub name: String,
    pub batch: u32,
    pub phase: HostPhase,
    /// What it ran before; what it was last seen to run, while the rollout has not asked it.
    pub version_before: Option<String>,
    pub version_observed: Option<String>,
    pub message: String,
}

/// A chart of one dimension over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChartView {
    pub dimension: Dimension,
    pub unit: String,
    pub lines: Vec<ChartLine>,
    pub markers: Vec<ChartMarker>,
    #[serde(with = "domain::moment")]
    pub from: Timestamp,
    #[serde(with = "domain::moment")]
    pub to: Timestamp,
    /// Why there is nothing to draw; empty otherwise.
    pub missing: String,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChartLine {
    pub name: String,
    /// Unix milliseconds and value; `None` is a gap.
    pub points: Vec<(i64, Option<f64>)>,
}

/// A moment marked on a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartMarker {
    #[serde(with = "domain::moment")]
    pub at: Timestamp,
    pub label: String,
}

/// What the form for a new rollout offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutForm {
    /// Slug and name of services the person may request a rollout of.
    pub services: Vec<(String, String)>,
    /// Slug and name of environments.
    pub environments: Vec<(String, String)>,
    /// Files in the artefact folder, newest first.
    pub artifacts: Vec<String>,
    /// Sent back with the form, so that a form sent twice makes one rollout.
    pub idempotency_key: String,
    pub may_request: Allowance,
}

/// What a new rollout would do, before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPreview {
    pub digest: String,
    pub service: String,
    pub environment: String,
    pub version: String,
    /// What the hosts were last seen to run, as [`spread`] says it.
    pub runs: String,
    pub approval: bool,
    /// Rollouts of the same service to the same environment that have not ended, newest first; at most five.
    pub open: Vec<RolloutRow>,
    pub playbooks: PlaybooksShown,
    pub selection: SelectionShown,
    pub variables: Vec<GivenVariable>,
    pub batches: Vec<PreviewBatch>,
}

/// What a plan takes of hosts and tasks, as one reads it; empty where it takes all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectionShown {
    pub limit: String,
    pub tags: String,
    pub skip_tags: String,
}

impl From<&Selection> for SelectionShown {
    fn from(selection: &Selection) -> Self {
        Self {
            limit: selection.limit.to_string(),
            tags: selection.tags.to_string(),
            skip_tags: selection.skip_tags.to_string(),
        }
    }
}

/// A batch of a preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewBatch {
    pub number: u32,
    pub bake_seconds: u64,
    pub hosts: Vec<PreviewHost>,
}

/// A host of a preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewHost {
    pub name: String,
    pub criticality: Criticality,
    pub failure_domain: String,
    /// What it was last seen to run.
    pub runs: Option<String>,
}

/// Versions and where they run: “1.4.1”, “1.4.1 on 5, 1.4.0 on 1”; empty where none is known.
pub fn spread<'a>(versions: impl Iterator<Item = Option<&'a str>>) -> String {
    let mut hosts: Vec<(&str, u32)> = Vec::new();
    for version in versions {
        let version = version.unwrap_or("not known");
        match hosts.iter_mut().find(|(known, _)| *known == version) {
            Some((_, count)) => *count += 1,
            None => hosts.push((version, 1)),
        }
    }
    match hosts.as_slice() {
        [] | [("not known", _)] => String::new(),
        [(version, _)] => (*version).to_owned(),
        many => {
            let on = |(version, count): &(&str, u32)| format!("{version} on {count}");
            many.iter().map(on).collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn versions_are_told_with_their_hosts() {
        for (versions, said) in [
            (&[][..], ""),
            (&[None, None], ""),
            (&[Some("1.4.1"), Some("1.4.1")], "1.4.1"),
            (
                &[Some("1.4.0"), Some("1.4.1"), Some("1.4.1")],
                "1.4.0 on 1, 1.4.1 on 2",
            ),
            (&[Some("1.4.1"), None, None], "1.4.1 on 1, not known on 2"),
        ] {
            assert_eq!(spread(versions.iter().copied()), said);
        }
    }
}
