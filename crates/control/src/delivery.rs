//! Delivery numbers from what really ran.

use std::collections::BTreeMap;

use domain::{
    SignedDuration, Timestamp,
    delivery::{Deployment, numbers},
};
use view::{
    delivery::{DeliveryGroup, DeliveryView, DeploymentRow},
    error::ApiError,
};

use crate::Ctx;

/// Deployments read at most; a page that would need more says so by its window instead.
const MOST: u32 = 10_000;
const SHOWN: usize = 50;

impl Ctx {
    /// Delivery numbers of the last `days` days, 1 to 366.
    pub async fn delivery(&self, days: u32) -> Result<DeliveryView, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let days = days.clamp(1, 366);
            let since = self
                .console
                .now()
                .checked_sub(SignedDuration::from_hours(24 * i64::from(days)))
                .unwrap_or(Timestamp::MIN);
            let rows = self.store().deployments(&scope, since, MOST).await?;
            let mut groups: BTreeMap<(String, String), Vec<Deployment>> = BTreeMap::new();
            for (deployment, service, environment) in &rows {
                groups
                    .entry((service.clone(), environment.clone()))
                    .or_default()
                    .push(deployment.clone());
            }
            let all: Vec<Deployment> = rows
                .iter()
                .map(|(deployment, ..)| deployment.clone())
                .collect();
            Ok(DeliveryView {
                days,
                overall: numbers(&all),
                by_service: groups
                    .into_iter()
                    .map(|((service, environment), group)| DeliveryGroup {
                        service,
                        environment,
                        numbers: numbers(&group),
                    })
                    .collect(),
                deployments: rows.into_iter().take(SHOWN).map(row).collect(),
            })
        })
        .await
    }
}

fn row((deployment, service, environment): (Deployment, String, String)) -> DeploymentRow {
    DeploymentRow {
        rollout: deployment.rollout,
        service,
        environment,
        version: deployment.version.to_string(),
        outcome: deployment.outcome,
        started_at: deployment.started_at,
        finished_at: deployment.finished_at,
        recovery_seconds: deployment
            .failed_at
            .map(|failed| deployment.finished_at.duration_since(failed).as_secs_f64()),
    }
}
