//! DORA arithmetic over what really ran.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{DeploymentId, EnvironmentId, RolloutId, ServiceId},
    text::Version,
};

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentOutcome {
    Succeeded,
    RolledBack,
    RollbackFailed,
    Aborted,
}

crate::words::words!(DeploymentOutcome "outcome": Succeeded = "succeeded", RolledBack = "rolled_back",
    RollbackFailed = "rollback_failed", Aborted = "aborted");

/// One rollout that touched hosts, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub id: DeploymentId,
    pub rollout: RolloutId,
    pub service: ServiceId,
    pub environment: EnvironmentId,
    pub version: Version,
    pub outcome: DeploymentOutcome,
    /// When the first batch was released.
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// When the failure was detected; `None` for a success.
    pub failed_at: Option<Timestamp>,
}

/// The delivery numbers of a set of deployments. Rates are 0–1; `None` where there is nothing to divide by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DeliveryNumbers {
    pub deployments: u32,
    pub failed: u32,
    /// Failed over all finished deployments, as DORA defines change fail rate.
    pub change_fail_rate: Option<f64>,
    /// Median seconds from detection to the finished roll back (DORA's failed deployment recovery time).
    pub median_recovery_seconds: Option<f64>,
}

/// Computes the delivery numbers. A failure whose roll back is not done has no recovery time yet; it is not counted as zero.
pub fn numbers(deployments: &[Deployment]) -> DeliveryNumbers {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let failed: Vec<&Deployment> = deployments
        .iter()
        .filter(|deployment| deployment.outcome != DeploymentOutcome::Succeeded)
        .collect();
    let mut recoveries: Vec<f64> = failed
        .iter()
        .filter(|deployment| deployment.outcome == DeploymentOutcome::RolledBack)
        .filter_map(|deployment| {
            Some(
                deployment
                    .finished_at
                    .duration_since(deployment.failed_at?)
                    .as_secs_f64(),
            )
        })
        .collect();
    recoveries.sort_by(f64::total_cmp);
    DeliveryNumbers {
        deployments: count(deployments.len()),
        failed: count(failed.len()),
        change_fail_rate: (!deployments.is_empty())
            .then(|| failed.len() as f64 / deployments.len() as f64),
        median_recovery_seconds: median(&recoveries),
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}
