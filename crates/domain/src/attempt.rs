//! One execution of a job.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AttemptId, JobId};

/// How far an execution has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    Queued,
    Starting,
    Running,
    Cancelling,
    Succeeded,
    Failed,
    TimedOut,
    Cancelled,
    Unknown,
    Resolved,
}

crate::words::words!(AttemptState "attempt": Queued = "queued", Starting = "starting", Running = "running", Cancelling = "cancelling",
    Succeeded = "succeeded", Failed = "failed", TimedOut = "timed_out", Cancelled = "cancelled",
    Unknown = "unknown", Resolved = "resolved");

/// What can happen to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptEvent {
    /// A worker claimed it and prepared its folder.
    Claimed,
    /// The supervisor recorded that the child begins.
    Begun,
    /// It certainly never began; it may be claimed again.
    NeverBegan,
    CancelAsked,
    /// The exit record says success.
    ExitedWell,
    /// The exit record says failure.
    ExitedBadly,
    /// The exit record says the deadline ended it.
    DeadlinePassed,
    /// The exit record says a person ended it.
    Stopped,
    /// It began, and no exit record will come.
    Lost,
    /// A probe or a person found out what had happened.
    ResolvedBy,
}

/// The event does not fit the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("An attempt that is {state} cannot take “{event:?}”.")]
pub struct AttemptRefused {
    pub state: AttemptState,
    pub event: AttemptEvent,
}

impl AttemptState {
    /// The state after `event`.
    pub const fn apply(self, event: AttemptEvent) -> Result<Self, AttemptRefused> {
        use AttemptEvent as E;
        Ok(match (self, event) {
            (Self::Queued, E::Claimed) => Self::Starting,
            (Self::Queued, E::CancelAsked) => Self::Cancelled,
            (Self::Starting, E::Begun) => Self::Running,
            // The supervisor was under way when the cancel was asked for; it sees the wish and ends what it began.
            (Self::Cancelling, E::Begun) => Self::Cancelling,
            (Self::Starting, E::NeverBegan) => Self::Queued,
            (Self::Cancelling, E::NeverBegan) => Self::Cancelled,
            (Self::Starting | Self::Running, E::CancelAsked) => Self::Cancelling,
            (Self::Starting | Self::Running | Self::Cancelling, E::ExitedWell) => Self::Succeeded,
            (Self::Starting | Self::Running | Self::Cancelling, E::ExitedBadly) => Self::Failed,
            (Self::Starting | Self::Running | Self::Cancelling, E::DeadlinePassed) => {
                Self::TimedOut
            }
            (Self::Starting | Self::Running | Self::Cancelling, E::Stopped) => Self::Cancelled,
            (Self::Starting | Self::Running | Self::Cancelling, E::Lost) => Self::Unknown,
            (Self::Unknown, E::ResolvedBy) => Self::Resolved,
            (state, event) => return Err(AttemptRefused { state, event }),
        })
    }

    /// It ended, and not well.
    pub const fn troubled(self) -> bool {
        self.ended() && !matches!(self, Self::Succeeded)
    }

    /// Nothing more will happen by itself.
    pub const fn ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Failed
                | Self::TimedOut
                | Self::Cancelled
                | Self::Unknown
                | Self::Resolved
        )
    }
}

/// One execution of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub id: AttemptId,
    pub job: JobId,
    /// 1-based.
    pub number: u32,
    pub state: AttemptState,
    /// Grows with each claim; a write carrying an older number is refused.
    pub fencing: i64,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}
