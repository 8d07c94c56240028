//! A change request: why something is to change. It is approved; it approves a plan by its digest.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    audit::Actor,
    id::{ChangeRequestId, RolloutId, UserId},
    text::{Reason, Sha256},
};

/// How far a change request has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ChangeRequestState {
    Submitted {
        at: Timestamp,
    },
    Approved {
        by: String,
        at: Timestamp,
    },
    Rejected {
        by: String,
        at: Timestamp,
        reason: String,
    },
    Withdrawn {
        by: String,
        at: Timestamp,
        reason: String,
    },
    /// What it approved is being carried out.
    Implementing {
        by: String,
        approved_at: Timestamp,
        since: Timestamp,
    },
    Closed {
        by: String,
        approved_at: Timestamp,
        at: Timestamp,
        outcome: String,
    },
}

impl ChangeRequestState {
    /// The stored word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Submitted { .. } => "submitted",
            Self::Approved { .. } => "approved",
            Self::Rejected { .. } => "rejected",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Implementing { .. } => "implementing",
            Self::Closed { .. } => "closed",
        }
    }

    /// Who approved it and when, for as long as it is kept.
    pub fn approval(&self) -> Option<(&str, Timestamp)> {
        match self {
            Self::Approved { by, at }
            | Self::Implementing {
                by,
                approved_at: at,
                ..
            }
            | Self::Closed {
                by,
                approved_at: at,
                ..
            } => Some((by, *at)),
            Self::Submitted { .. } | Self::Rejected { .. } | Self::Withdrawn { .. } => None,
        }
    }
}

/// Why something is to change, and exactly which plan that allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRequest {
    pub id: ChangeRequestId,
    pub rollout: RolloutId,
    /// Approval binds to this digest.
    pub digest: Sha256,
    pub reason: Reason,
    pub requested_by: UserId,
    pub requested_by_name: String,
    pub state: ChangeRequestState,
}

/// What can happen to a change request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeRequestEvent {
    /// `digest` is the digest of the plan the approver saw.
    Approve {
        digest: Sha256,
    },
    Reject {
        reason: Reason,
    },
    Withdraw {
        reason: Reason,
    },
    Implement,
    Close {
        outcome: String,
    },
}

/// Why a change request did not take an event, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRequestRefused {
    #[error(
        "The change request is {state}; it cannot be {verb} any more. Reload the page to see what happened."
    )]
    WrongState {
        state: &'static str,
        verb: &'static str,
    },
    #[error("You requested this change, so somebody else has to decide on it.")]
    OwnRequest,
    #[error(
        "The plan is no longer the one you were shown. Reload the page, read it again, and decide then."
    )]
    OtherPlan,
}

impl ChangeRequest {
    /// The change request after `event`.
    pub fn apply(
        self,
        event: ChangeRequestEvent,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Self, ChangeRequestRefused> {
        use ChangeRequestEvent as E;
        use ChangeRequestState as S;
        let own = actor.person() == Some(self.requested_by);
        let by = actor.name().to_owned();
        let state = match (&self.state, event) {
            (S::Submitted { .. }, E::Approve { .. } | E::Reject { .. }) if own => {
                return Err(ChangeRequestRefused::OwnRequest);
            }
            (S::Submitted { .. }, E::Approve { digest }) if digest != self.digest => {
                return Err(ChangeRequestRefused::OtherPlan);
            }
            (S::Submitted { .. }, E::Approve { .. }) => S::Approved { by, at: now },
            (S::Submitted { .. }, E::Reject { reason }) => S::Rejected {
                by,
                at: now,
                reason: reason.into(),
            },
            (S::Submitted { .. } | S::Approved { .. }, E::Withdraw { reason }) => S::Withdrawn {
                by,
                at: now,
                reason: reason.into(),
            },
            (S::Approved { by, at }, E::Implement) => S::Implementing {
                by: by.clone(),
                approved_at: *at,
                since: now,
            },
            (
                S::Implementing {
                    by, approved_at, ..
                },
                E::Close { outcome },
            ) => S::Closed {
                by: by.clone(),
                approved_at: *approved_at,
                at: now,
                outcome,
            },
            (state, event) => {
                return Err(ChangeRequestRefused::WrongState {
                    state: state.word(),
                    verb: event.verb(),
                });
            }
        };
        Ok(Self { state, ..self })
    }
}

impl ChangeRequestEvent {
    const fn verb(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "approved",
            Self::Reject { .. } => "rejected",
            Self::Withdraw { .. } => "withdrawn",
            Self::Implement => "carried out",
            Self::Close { .. } => "closed",
        }
    }
}
