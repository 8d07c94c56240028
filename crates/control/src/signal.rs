//! Tells reconcilers and open pages that something moved. A lost signal costs a period, never a change.

use domain::id::{JobId, RolloutId};

/// What moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    Rollout(RolloutId),
    Job(JobId),
}
