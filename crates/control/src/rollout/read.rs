//! Reading rollouts.

use std::collections::BTreeMap;

use domain::{
    SignedDuration,
    attempt::AttemptState,
    batch::{BakeClock, Batch, BatchState},
    change_request::ChangeRequestState,
    host::HostPhase,
    id::RolloutId,
    rollout::{Rollout, RolloutState},
};
use policy::{Action, Kind, Resource};
use store::{AuditFilter, Loaded, RolloutFilter, Standing};
use view::{
    error::ApiError,
    input::RolloutQuery,
    job::JobRow,
    page::Page,
    rollout::{
        BakeView, BatchActions, BatchDot, BatchView, HostCell, RolloutList, RolloutRow, RolloutView,
    },
};

use super::NOBODY;
use crate::{Ctx, Error, service::given};

const PAGE: u32 = 30;
/// Hosts the form for excluding some suggests at most.
const SUGGESTED: u32 = 20;
/// Lines of the audit trail one page shows.
const EVENTS: u32 = 50;
/// In which a job starts that waits for nothing.
const STARTING: SignedDuration = SignedDuration::from_secs(2);
/// Host cells one page shows.
const CELLS: u32 = 500;

impl Ctx {
    /// A page of rollouts, newest first.
    pub async fn rollouts(&self, query: RolloutQuery) -> Result<RolloutList, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let standing = match given(&query.state) {
                None => None,
                Some(RolloutQuery::OPEN) => Some(Standing::Open),
                Some(RolloutQuery::WAITING) => Some(Standing::Waiting),
                Some(word) if RolloutState::WORDS.contains(&word) => {
                    Some(Standing::In(word.to_owned()))
                }
                Some(_) => {
                    return Err(domain::text::FieldError::new(
                        "state",
                        format!(
                            "There is no rollout state of that name. Choose one of: {}, {}, {}.",
                            RolloutQuery::OPEN,
                            RolloutQuery::WAITING,
                            RolloutState::WORDS.join(", ")
                        ),
                    )
                    .into());
                }
            };
            let (service, environment) = self.narrowed(&query.service, &query.environment).await?;
            let filter = RolloutFilter {
                service,
                environment,
                standing,
            };
            let page = self
                .store()
                .rollouts(&scope, &filter, query.cursor.as_deref(), PAGE)
                .await?;
            let may_request = self.may_request().await?;
            Ok(RolloutList { page, may_request })
        })
        .await
    }

    /// A person may request a rollout if they may for any service they see.
    async fn may_request(&self) -> Result<view::access::Allowance, Error> {
        let everywhere =
            self.allowance(Action::RequestRollout, Resource::new(Kind::Rollout, "", ""));
        if everywhere.allowed() {
            return Ok(everywhere);
        }
        let teams = self.store().teams(&self.scope()?).await?;
        Ok(teams
            .into_iter()
            .map(|team| {
                self.allowance(
                    Action::RequestRollout,
                    Resource::new(Kind::Rollout, "", "").of_team(team.id),
                )
            })
            .find(view::access::Allowance::allowed)
            .unwrap_or(everywhere))
    }

    /// One rollout, whole.
    pub async fn rollout(&self, id: RolloutId) -> Result<RolloutView, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let loaded = self.store().rollout(&scope, id).await?;
            let counts = self.store().host_counts(&scope, id).await?;
            let mut by_batch: BTreeMap<u32, Vec<(HostPhase, u32)>> = BTreeMap::new();
            for (batch, phase, count) in counts {
                by_batch.entry(batch).or_default().push((phase, count));
            }
            let jobs = self.store().jobs(&scope, id).await?;
            let filter = AuditFilter {
                object: Some(("rollout".to_owned(), id.to_string())),
                with_jobs: true,
                ..AuditFilter::default()
            };
            let events = self
                .store()
                .audit(&scope, &filter, None, EVENTS)
                .await?
                .items;
            let rollout = &loaded.rollout;
            let left_out: u32 = by_batch
                .values()
                .flatten()
                .filter(|(phase, _)| matches!(phase, HostPhase::Excluded | HostPhase::Gone))
                .map(|(_, count)| count)
                .sum();
            let stuck = self.stuck(rollout).await?;
            let mut sentence = sentence(rollout, left_out);
            if let Some(waiting) = self.waiting(&jobs).await? {
                sentence = format!("{sentence} {waiting}");
            }
            let held = match rollout.state {
                RolloutState::AwaitingApproval | RolloutState::Scheduled => {
                    self.store().held_elsewhere(&scope, rollout).await?
                }
                _ => None,
            };
            let plan = &rollout.plan;
            let running = matches!(rollout.state, RolloutState::Running);
            let batches = rollout
                .batches
                .iter()
                .map(|batch| {
                    let counts = by_batch.remove(&batch.number).unwrap_or_default();
                    BatchView {
                        actions: self.batch_actions(&loaded, batch, &counts),
                        ..batch_view(batch, running, counts)
                    }
                })
                .collect();
            let request = loaded.change_request.as_ref();
            let artifact = plan.release.artifact.as_ref();
            Ok(RolloutView {
                row: row(&loaded),
                service_name: loaded.service_name.clone(),
                environment_name: loaded.environment_name.clone(),
                sentence,
                stuck,
                held,
                artifact: artifact.map_or_else(String::new, |artifact| artifact.source.shown()),
                sha256: artifact.map_or_else(String::new, |artifact| artifact.sha256.to_string()),
                commit: plan.release.commit.clone(),
                digest: rollout.digest.to_string(),
                reason: request
                    .map(|request| request.reason.to_string())
                    .unwrap_or_default(),
                change_request: request.map(|request| request.state.word().to_owned()),
                decided: request.and_then(|request| decided(&request.state)),
                decided_at: request.and_then(|request| decided_at(&request.state)),
                decision_version: rollout.decision_version,
                gate: plan.strategy.gate,
                split: plan.strategy.split.to_string(),
                tolerance: plan.strategy.tolerance,
                failures: plan.strategy.failures,
                playbooks: (&plan.playbooks).into(),
                selection: (&plan.selection).into(),
                variables: plan.variables.iter().map(Into::into).collect(),
                time_scale: self.console.settings().time_scale,
                now: self.console.now(),
                released_at: rollout.released_at,
                batches,
                actions: self.rollout_actions(&loaded).await?,
                jobs,
                events,
            })
        })
        .await
    }

    /// What its first job waits for that has been queued for longer than starting takes.
    async fn waiting(&self, jobs: &[JobRow]) -> Result<Option<String>, Error> {
        let now = self.console.now();
        let waits = |job: &&JobRow| {
            job.state == AttemptState::Queued && now.duration_since(job.queued_at) > STARTING
        };
        let Some(job) = jobs.iter().find(waits) else {
            return Ok(None);
        };
        let what = self.waits_for(job).await?;
        Ok(Some(format!("Its {} is queued. {what}", job.kind.noun())))
    }

    /// Names of the first hosts that keep a batch of it waiting.
    pub(super) async fn stuck(&self, rollout: &Rollout) -> Result<Vec<String>, Error> {
        let waits =
            |batch: &Batch| batch.state.excludes() && !matches!(batch.state, BatchState::Pending);
        // Most rollouts wait for no host, and then nobody is asked.
        if !rollout.batches.iter().any(waits) {
            return Ok(Vec::new());
        }
        Ok(self
            .store()
            .stuck(&self.scope()?, rollout.id, SUGGESTED)
            .await?)
    }

    /// Hosts of a rollout, or of one of its batches.
    pub async fn host_cells(
        &self,
        id: RolloutId,
        batch: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Page<HostCell>, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let page = self
                .store()
                .host_cells(&scope, id, batch, cursor.as_deref(), CELLS)
                .await?;
            if page.items.is_empty() {
                // Tells a rollout without such hosts from one that is not there for this person.
                self.store().rollout_state(&scope, id).await?;
            }
            Ok(page)
        })
        .await
    }
}

pub(super) fn row(loaded: &Loaded) -> RolloutRow {
    let rollout = &loaded.rollout;
    RolloutRow {
        id: rollout.id,
        service: rollout.plan.service_slug.to_string(),
        environment: rollout.plan.environment_slug.to_string(),
        version: rollout.plan.release.version.to_string(),
        state: rollout.state.word().to_owned(),
        requested_by: loaded.requested_by_name.clone(),
        created_at: loaded.created_at,
        batches: rollout
            .batches
            .iter()
            .map(|batch| BatchDot {
                number: batch.number,
                state: batch.state.word().to_owned(),
                hosts: batch.host_count,
            })
            .collect(),
    }
}

fn decided(state: &ChangeRequestState) -> Option<String> {
    match state {
        ChangeRequestState::Rejected { by, reason, .. } => {
            Some(format!("Rejected by {by}: {reason}"))
        }
        ChangeRequestState::Withdrawn { by, reason, .. } => {
            Some(format!("Withdrawn by {by}: {reason}"))
        }
        state => state.approval().map(|(by, _)| {
            if by == NOBODY {
                "No approval required".to_owned()
            } else {
                format!("Approved by {by}")
            }
        }),
    }
}

fn decided_at(state: &ChangeRequestState) -> Option<domain::Timestamp> {
    match state {
        ChangeRequestState::Rejected { at, .. } | ChangeRequestState::Withdrawn { at, .. } => {
            Some(*at)
        }
        state => state.approval().map(|(_, at)| at),
    }
}

pub(super) fn batch_view(batch: &Batch, running: bool, counts: Vec<(HostPhase, u32)>) -> BatchView {
    let bake = match &batch.state {
        BatchState::Baking { since, clock, .. } => Some(match clock {
            BakeClock::Running { until } => BakeView {
                since: *since,
                until: Some(*until),
                left_ms: None,
            },
            BakeClock::Stopped { left_ms } => BakeView {
                since: *since,
                until: None,
                left_ms: Some(*left_ms),
            },
        }),
        _ => None,
    };
    let (message, ended_at) = match &batch.state {
        BatchState::Held { message, .. }
        | BatchState::BackingOff { message, .. }
        | BatchState::RollbackFailed { message } => (message.clone(), None),
        BatchState::Promoted { at, by } => (format!("Promoted by {by}"), Some(*at)),
        BatchState::RolledBack { at } => (String::new(), Some(*at)),
        _ => (String::new(), None),
    };
    BatchView {
        number: batch.number,
        host_count: batch.host_count,
        state: batch.state.word().to_owned(),
        message,
        bake_seconds: batch.bake_seconds,
        bake,
        retry_at: match batch.state {
            // Nothing is tried again while its rollout is paused.
            BatchState::BackingOff { until, .. } if running => Some(until),
            _ => None,
        },
        gate_expires: match batch.state {
            BatchState::Gate { expires, .. } => Some(expires),
            _ => None,
        },
        started_at: batch.started_at,
        verified_at: batch.verified_at,
        ended_at,
        counts,
        verdict: batch.verdict.clone(),
        actions: BatchActions::NONE,
    }
}

/// Where a rollout stands, in a sentence or two; `left_out` hosts are excluded or gone.
fn sentence(rollout: &Rollout, left_out: u32) -> String {
    let except = match left_out {
        0 => String::new(),
        1 => " One host was left out.".to_owned(),
        many => format!(" {many} hosts were left out."),
    };
    match &rollout.state {
        RolloutState::Draft => "Not submitted yet.".to_owned(),
        RolloutState::AwaitingApproval => {
            "Waits for somebody other than the requester to approve the plan.".to_owned()
        }
        RolloutState::Scheduled => "Ready: an operator can release the first batch.".to_owned(),
        RolloutState::Running => running(rollout),
        RolloutState::Paused { by, reason, .. } => format!("Paused by {by}: {reason}"),
        RolloutState::Succeeded { .. } => format!("Every batch was promoted.{except}"),
        RolloutState::RollingBack { reason, .. } => {
            format!("Hosts are being brought back to what they ran before. {reason}")
        }
        RolloutState::RolledBack { reason, .. } => {
            format!("Every touched host runs its old version again.{except} {reason}")
        }
        RolloutState::RollbackFailed { reason, .. } => {
            format!("Some hosts could not be brought back. {reason}")
        }
        RolloutState::Recovered { by, evidence, .. } => format!("Recovered by {by}: {evidence}"),
        RolloutState::Aborting { reason, .. } => format!("Being stopped: {reason}"),
        RolloutState::Aborted { reason, .. } => {
            format!("Stopped; hosts stay as they are. {reason}")
        }
        RolloutState::Rejected { reason, .. } => format!("Rejected: {reason}"),
        RolloutState::Withdrawn { reason, .. } => format!("Withdrawn: {reason}"),
    }
}

fn running(rollout: &Rollout) -> String {
    let current = rollout
        .batches
        .iter()
        .find(|batch| !matches!(batch.state, BatchState::Promoted { .. }));
    let Some(batch) = current else {
        return "Running.".to_owned();
    };
    let (number, of) = (batch.number, rollout.batches.len());
    match &batch.state {
        BatchState::Deploying { .. } => format!("Batch {number} of {of} is being deployed."),
        BatchState::Validating { .. } => {
            format!("Batch {number} of {of}: hosts are asked which version they run.")
        }
        BatchState::Baking { .. } => format!("Batch {number} of {of} is baking and being judged."),
        BatchState::Gate { .. } => {
            format!("Batch {number} of {of} waits at its gate for a decision.")
        }
        BatchState::Held { .. } => {
            format!("Batch {number} of {of} is held and waits for a person.")
        }
        BatchState::BackingOff { .. } => {
            format!(
                "Batch {number} of {of}: hosts that could not be reached are tried again by themselves."
            )
        }
        BatchState::Probing { .. } => {
            format!("Batch {number} of {of}: hosts whose state is unknown are asked what they run.")
        }
        _ => format!(
            "Batch {number} of {of} is {}.",
            batch.state.word().replace('_', " ")
        ),
    }
}
