//! Delivery numbers and the deployments behind them.

use domain::{
    Timestamp,
    delivery::{DeliveryNumbers, DeploymentOutcome},
    id::RolloutId,
};
use serde::{Deserialize, Serialize};

/// The delivery page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// Days the numbers cover, ending now.
    pub days: u32,
    pub overall: DeliveryNumbers,
    pub by_service: Vec<DeliveryGroup>,
    /// The newest deployments behind the numbers.
    pub deployments: Vec<DeploymentRow>,
}

/// Numbers of one service in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryGroup {
    pub service: String,
    pub environment: String,
    pub numbers: DeliveryNumbers,
}

/// One deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeploymentRow {
    pub rollout: RolloutId,
    pub service: String,
    pub environment: String,
    pub version: String,
    pub outcome: DeploymentOutcome,
    #[serde(with = "domain::moment")]
    pub started_at: Timestamp,
    #[serde(with = "domain::moment")]
    pub finished_at: Timestamp,
    /// Seconds from detection to the finished roll back.
    pub recovery_seconds: Option<f64>,
}
