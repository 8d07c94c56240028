//! A batch: ordered hosts that change together, and how far they have come.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{id::JobId, plan::PlannedBatch, verdict::Verdict};

/// How long after a look at the telemetry of a batch that no longer bakes the next one comes.
pub(crate) const LOOK_AFTER_BAKE: SignedDuration = SignedDuration::from_secs(60);
/// And while it is promoted and nothing waits for the answer.
pub(crate) const LOOK_AFTER_PROMOTION: SignedDuration = SignedDuration::from_mins(5);

/// The clock of a bake; it stops while a rollout is paused, if the person asked for that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "clock")]
pub enum BakeClock {
    Running { until: Timestamp },
    Stopped { left_ms: i64 },
}

/// Why a batch waits for a person outside its gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldAt {
    /// Some hosts did not take the change.
    Hosts,
    /// Nobody decided at the gate in time.
    Gate,
}

/// How far a batch has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum BatchState {
    Pending,
    /// `round` counts deploys of this batch from 1; later rounds take the unfinished hosts only.
    Deploying {
        job: JobId,
        round: u32,
    },
    /// Hosts that could not be reached are tried again by themselves.
    BackingOff {
        until: Timestamp,
        /// Of the deploy that did not reach them.
        round: u32,
        message: String,
    },
    /// Hosts are asked which version they run.
    Validating {
        job: JobId,
        round: u32,
    },
    /// The change is in place and watched.
    Baking {
        since: Timestamp,
        clock: BakeClock,
    },
    /// The bake is over and a person has to decide.
    Gate {
        since: Timestamp,
        expires: Timestamp,
    },
    Promoted {
        at: Timestamp,
        by: String,
    },
    Held {
        at: HeldAt,
        message: String,
    },
    /// A deploy ended without an answer; hosts are asked what they run.
    Probing {
        job: JobId,
        round: u32,
        /// Hosts that did not take the change and are not asked: whatever the others say, the batch waits for a person.
        #[serde(default)]
        failed: u32,
        /// What became of the deploy, as a sentence; empty when it ran to its end.
        #[serde(default)]
        cause: String,
    },
    RollingBack {
        job: JobId,
        since: Timestamp,
    },
    RolledBack {
        at: Timestamp,
    },
    RollbackFailed {
        message: String,
    },
}

impl BatchState {
    /// The words of states in which a batch goes no further before a person has done something.
    pub const WAITING: &[&str] = &["gate", "held"];

    /// The stored word; equal words mean nothing new to decide.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Deploying { .. } => "deploying",
            Self::BackingOff { .. } => "backing_off",
            Self::Validating { .. } => "validating",
            Self::Baking { .. } => "baking",
            Self::Gate { .. } => "gate",
            Self::Promoted { .. } => "promoted",
            Self::Held { .. } => "held",
            Self::Probing { .. } => "probing",
            Self::RollingBack { .. } => "rolling_back",
            Self::RolledBack { .. } => "rolled_back",
            Self::RollbackFailed { .. } => "rollback_failed",
        }
    }

    /// The change is in place, and telemetry is judged for as long as the rollout lives.
    pub const fn watched(&self) -> bool {
        matches!(
            self,
            Self::Baking { .. }
                | Self::Gate { .. }
                | Self::Held {
                    at: HeldAt::Gate,
                    ..
                }
                | Self::Promoted { .. }
        )
    }

    /// Hosts can be taken out: no job is about to change them, and they have not all taken the change.
    pub const fn excludes(&self) -> bool {
        matches!(
            self,
            Self::Pending
                | Self::BackingOff { .. }
                | Self::Held {
                    at: HeldAt::Hosts,
                    ..
                }
        )
    }

    /// The job under way for this batch.
    pub const fn job(&self) -> Option<JobId> {
        match self {
            Self::Deploying { job, .. }
            | Self::Validating { job, .. }
            | Self::Probing { job, .. }
            | Self::RollingBack { job, .. } => Some(*job),
            _ => None,
        }
    }
}

/// Ordered hosts that change together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// 1-based.
    pub number: u32,
    pub host_count: u32,
    pub bake_seconds: u64,
    pub state: BatchState,
    /// The newest judgement of this batch.
    pub verdict: Option<Verdict>,
    /// When its first deploy was queued.
    pub started_at: Option<Timestamp>,
    /// When every host was verified to run the new version, for the first time.
    pub verified_at: Option<Timestamp>,
    /// When telemetry is judged again; `None` while nothing is watched.
    pub next_look: Option<Timestamp>,
}

impl Batch {
    /// A batch nothing has happened to yet.
    pub fn pending(planned: &PlannedBatch) -> Self {
        Self {
            number: planned.number,
            host_count: u32::try_from(planned.hosts.len()).unwrap_or(u32::MAX),
            bake_seconds: planned.bake_seconds,
            state: BatchState::Pending,
            verdict: None,
            started_at: None,
            verified_at: None,
            next_look: None,
        }
    }

    /// Telemetry has to be judged now.
    pub fn look_due(&self, now: Timestamp) -> bool {
        self.next_look.is_some_and(|look| look <= now)
    }

    /// When something has to happen to this batch without anybody asking.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let over = match &self.state {
            BatchState::Baking {
                clock: BakeClock::Running { until },
                ..
            }
            | BatchState::BackingOff { until, .. } => Some(*until),
            _ => None,
        };
        over.into_iter().chain(self.wake_at_while_paused()).min()
    }

    /// The same while its rollout is paused, when neither the end of a bake nor that of a wait moves anything.
    pub(crate) fn wake_at_while_paused(&self) -> Option<Timestamp> {
        let expires = match &self.state {
            BatchState::Gate { expires, .. } => Some(*expires),
            _ => None,
        };
        expires.into_iter().chain(self.next_look).min()
    }
}
