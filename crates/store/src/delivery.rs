//! Deployments: what really ran, for the delivery numbers.

use domain::{Timestamp, delivery::Deployment, id::TeamId};
use policy::Scope;

use crate::{
    Store,
    cells::Cells,
    database::Tx,
    error::Result,
    sql::{Source, Sql, source},
};

const DEPLOYMENTS: Source = source("deployments", "id");

/// Writes how a rollout ended. One that ends again, because it was rolled back later, keeps its row with the newer end.
pub(crate) async fn record(tx: &mut Tx, team: TeamId, deployment: &Deployment) -> Result<()> {
    let sql = Sql::new(
        "INSERT INTO deployments (id, rollout_id, service_id, environment_id, team_id, version, outcome, started_at, finished_at, failed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (rollout_id) DO UPDATE SET outcome = excluded.outcome, finished_at = excluded.finished_at, failed_at = excluded.failed_at",
    )
        .with(deployment.id)
        .with(deployment.rollout)
        .with(deployment.service)
        .with(deployment.environment)
        .with(team)
        .with(deployment.version.as_str())
        .with(deployment.outcome.word());
    sql.with(deployment.started_at)
        .with(deployment.finished_at)
        .with(deployment.failed_at)
        .run(&mut **tx)
        .await?;
    Ok(())
}

fn read(cells: &Cells<'_>) -> Result<(Deployment, String, String)> {
    let deployment = Deployment {
        id: cells.parse("id")?,
        rollout: cells.parse("rollout_id")?,
        service: cells.parse("service_id")?,
        environment: cells.parse("environment_id")?,
        version: cells.parse("version")?,
        outcome: cells.parse("outcome")?,
        started_at: cells.time("started_at")?,
        finished_at: cells.time("finished_at")?,
        failed_at: cells.maybe_time("failed_at")?,
    };
    Ok((
        deployment,
        cells.text("service")?,
        cells.text("environment")?,
    ))
}

impl Store {
    /// Deployments that ended since then, newest first, with the slugs of service and environment.
    pub async fn deployments(
        &self,
        scope: &Scope,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Deployment, String, String)>> {
        let mut sql = Sql::new(
            "SELECT d.*, s.slug AS service, e.slug AS environment FROM deployments d
             JOIN services s ON s.id = d.service_id JOIN environments e ON e.id = d.environment_id WHERE d.finished_at >= ",
        );
        sql.bind(since)
            .scope("d.team_id", scope)
            .push(" ORDER BY d.finished_at DESC, d.id DESC LIMIT ")
            .bind(limit);
        sql.all(self.readers(), DEPLOYMENTS, read).await
    }
}
