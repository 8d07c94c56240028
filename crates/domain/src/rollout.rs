//! A rollout: the whole of carrying one plan to its hosts.
//!
//! `Rollout::apply` is the only way it changes. It consumes the rollout and gives the next one together with what has to
//! be done about it, which the store commits in one transaction.

mod findings;
mod machine;
mod reported;
mod step;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    audit::{Actor, AuditNote},
    batch::{Batch, BatchState},
    delivery::Deployment,
    host::HostMark,
    id::{HostId, JobId, RolloutId, UserId},
    job::{JobReport, NewJob},
    plan::Plan,
    text::{HostName, Reason, Sha256},
    verdict::Verdict,
};

/// How far a rollout has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum RolloutState {
    Draft,
    AwaitingApproval,
    /// Approved, or in no need of approval; waits for an operator to release the first batch.
    Scheduled,
    Running,
    Paused {
        by: String,
        reason: String,
        since: Timestamp,
    },
    Succeeded {
        at: Timestamp,
    },
    RollingBack {
        reason: String,
        since: Timestamp,
    },
    RolledBack {
        reason: String,
        at: Timestamp,
    },
    RollbackFailed {
        reason: String,
        since: Timestamp,
    },
    /// A person brought the hosts right by other means and says how that is known.
    Recovered {
        by: String,
        evidence: String,
        at: Timestamp,
    },
    Aborting {
        reason: String,
        since: Timestamp,
    },
    Aborted {
        reason: String,
        at: Timestamp,
    },
    Rejected {
        reason: String,
        at: Timestamp,
    },
    Withdrawn {
        reason: String,
        at: Timestamp,
    },
}

impl RolloutState {
    /// Every stored word, in the order of a rollout's life.
    pub const WORDS: &[&str] = &[
        "draft",
        "awaiting_approval",
        "scheduled",
        "running",
        "paused",
        "succeeded",
        "rolling_back",
        "rolled_back",
        "rollback_failed",
        "recovered",
        "aborting",
        "aborted",
        "rejected",
        "withdrawn",
    ];

    /// The words of states that have [`ended`](Self::ended).
    pub const ENDED: &[&str] = &[
        "succeeded",
        "rolled_back",
        "recovered",
        "aborted",
        "rejected",
        "withdrawn",
    ];

    /// The words of states in which a rollout goes no further before a person has done something; a running one waits
    /// with its batches, see [`BatchState::WAITING`].
    pub const WAITING: &[&str] = &[
        "awaiting_approval",
        "scheduled",
        "paused",
        "rollback_failed",
    ];

    /// The words of states before anybody released it.
    pub const UNRELEASED: &[&str] = &["draft", "awaiting_approval", "scheduled"];

    /// The stored word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Paused { .. } => "paused",
            Self::Succeeded { .. } => "succeeded",
            Self::RollingBack { .. } => "rolling_back",
            Self::RolledBack { .. } => "rolled_back",
            Self::RollbackFailed { .. } => "rollback_failed",
            Self::Recovered { .. } => "recovered",
            Self::Aborting { .. } => "aborting",
            Self::Aborted { .. } => "aborted",
            Self::Rejected { .. } => "rejected",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }

    /// The rollout holds its hosts: no other rollout may change them.
    pub const fn reserves_hosts(&self) -> bool {
        matches!(
            self,
            Self::Running
                | Self::Paused { .. }
                | Self::RollingBack { .. }
                | Self::RollbackFailed { .. }
                | Self::Aborting { .. }
        )
    }

    /// Nothing more will happen by itself.
    pub const fn ended(&self) -> bool {
        matches!(
            self,
            Self::Succeeded { .. }
                | Self::RolledBack { .. }
                | Self::Recovered { .. }
                | Self::Aborted { .. }
                | Self::Rejected { .. }
                | Self::Withdrawn { .. }
        )
    }
}

/// The whole of carrying one plan to its hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    pub id: RolloutId,
    pub plan: Plan,
    pub digest: Sha256,
    pub requested_by: UserId,
    pub state: RolloutState,
    pub batches: Vec<Batch>,
    /// Moves when there is something new to decide; people send back the one they saw.
    pub decision_version: i64,
    /// When the first batch was released.
    pub released_at: Option<Timestamp>,
    /// When the failure that nobody has put right yet was detected; recovery is measured from here.
    pub failed_at: Option<Timestamp>,
}

/// Whether the bake goes on while a rollout is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BakeWhilePaused {
    Stops,
    Runs,
}

/// A person's word at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Go,
    NoGo,
}

/// Hosts of one batch that are taken out of a rollout, with how the others stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// 1-based.
    pub batch: u32,
    /// None of them runs the planned version.
    pub hosts: Vec<(HostId, HostName)>,
    /// Hosts that stay and run the planned version.
    pub current: u32,
    /// Hosts that stay and do not.
    pub unfinished: u32,
}

/// What can happen to a rollout: first what people ask for, then what machines report.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Submit,
    /// Tells what a deploy would change on hosts that have not taken the change; changes nothing.
    DryRun,
    /// Goes straight to its release: the environment requires no approval.
    Schedule,
    Approve,
    Reject {
        reason: Reason,
    },
    Withdraw {
        reason: Reason,
    },
    Release,
    Decide {
        batch: u32,
        decision: Decision,
        reason: Reason,
    },
    /// Deploys again to the hosts of a held batch that did not take the change.
    Retry {
        batch: u32,
    },
    /// Asks the unknown hosts of a held batch again which version they run; `failed` others did not take the change.
    Ask {
        batch: u32,
        failed: u32,
    },
    /// Takes hosts out of the rollout for good; the rest of their batch goes on without them.
    Exclude {
        batches: Vec<Exclusion>,
        reason: Reason,
    },
    /// Watches a batch longer instead of deciding.
    ExtendBake {
        batch: u32,
        seconds: u64,
        reason: Reason,
    },
    Pause {
        reason: Reason,
        bake: BakeWhilePaused,
    },
    Resume,
    Abort {
        reason: Reason,
    },
    RollBack {
        reason: Reason,
    },
    Recover {
        evidence: Reason,
    },
    JobFinished {
        job: JobId,
        report: JobReport,
    },
    Judged {
        batch: u32,
        verdict: Verdict,
    },
    /// Time passed; gates may have expired.
    Tick,
}

/// When an event happens, where new ids come from, and how much faster than planned bakes run.
pub struct Moment<'a> {
    pub now: Timestamp,
    pub mint: &'a mut dyn FnMut() -> Uuid,
    /// 1 in earnest; larger in a rehearsal.
    pub time_scale: u64,
}

/// What has to be done about a change, in the same transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    QueueJob(NewJob),
    CancelJob(JobId),
    MarkHosts {
        batch: u32,
        marks: Vec<HostMark>,
    },
    Notify(Notice),
    /// How the rollout ended. A rollout is one deployment: this replaces what was recorded of it before.
    RecordDeployment(Box<Deployment>),
}

/// Something people and tools are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub kind: NoticeKind,
    pub title: String,
    pub text: String,
}

/// How a notice is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Info,
    Success,
    Warning,
    Error,
}

/// The next rollout, with what has to be done and what is written about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub rollout: Rollout,
    pub effects: Vec<Effect>,
    pub notes: Vec<AuditNote>,
}

impl Change {
    /// Of a rollout to which nothing has happened yet.
    pub const fn none(rollout: Rollout) -> Self {
        Self {
            rollout,
            effects: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// What also follows from another event.
    pub fn and(
        self,
        event: Event,
        actor: &Actor,
        moment: &mut Moment<'_>,
    ) -> Result<Self, Refused> {
        let next = self.rollout.apply(event, actor, moment)?;
        let (mut effects, mut notes) = (self.effects, self.notes);
        effects.extend(next.effects);
        notes.extend(next.notes);
        Ok(Self {
            rollout: next.rollout,
            effects,
            notes,
        })
    }
}

/// Why a rollout did not take an event, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub message: String,
}

impl Rollout {
    /// A draft of a plan.
    pub fn draft(id: RolloutId, plan: Plan, digest: Sha256, requested_by: UserId) -> Self {
        let batches = plan.batches.iter().map(Batch::pending).collect();
        Self {
            id,
            plan,
            digest,
            requested_by,
            state: RolloutState::Draft,
            batches,
            decision_version: 1,
            released_at: None,
            failed_at: None,
        }
    }

    /// When something has to happen without anybody asking: a look at telemetry, the end of a bake, a gate that expires.
    ///
    /// A look means judging every batch that is [`Batch::look_due`]; afterwards its next one lies in the future.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self.state {
            RolloutState::Running => self.batches.iter().filter_map(Batch::wake_at).min(),
            RolloutState::Paused { .. } => self
                .batches
                .iter()
                .filter_map(Batch::wake_at_while_paused)
                .min(),
            _ => None,
        }
    }

    /// Time alone has to move it: a gate has expired, or a wait is over.
    pub fn tick_due(&self, now: Timestamp) -> bool {
        let running = matches!(self.state, RolloutState::Running);
        self.batches.iter().any(|batch| match batch.state {
            BatchState::Gate { expires, .. } => expires <= now,
            BatchState::BackingOff { until, .. } => running && until <= now,
            _ => false,
        })
    }

    /// Jobs the rollout waits for.
    pub fn jobs(&self) -> BTreeSet<JobId> {
        self.batches
            .iter()
            .filter_map(|batch| batch.state.job())
            .collect()
    }

    /// The batch with this 1-based number.
    pub fn batch(&self, number: u32) -> Option<&Batch> {
        self.batches.iter().find(|batch| batch.number == number)
    }

    /// Words of every state, and of the verdict a person at a gate decides on; the decision version moves when they change.
    fn words(&self) -> Vec<&'static str> {
        let at_gate = |batch: &Batch| {
            matches!(batch.state, BatchState::Gate { .. })
                .then(|| batch.verdict.as_ref().map(|verdict| verdict.outcome.word()))
                .flatten()
        };
        std::iter::once(self.state.word())
            .chain(
                self.batches
                    .iter()
                    .flat_map(|batch| [Some(batch.state.word()), at_gate(batch)])
                    .flatten(),
            )
            .collect()
    }

    /// Whether any host may have been touched.
    pub fn touched_hosts(&self) -> bool {
        self.batches
            .iter()
            .any(|batch| !matches!(batch.state, BatchState::Pending))
    }
}
