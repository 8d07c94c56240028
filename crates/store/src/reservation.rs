//! Reservations: no two rollouts change one service on one host at the same time.

use domain::{
    id::{HostId, RolloutId, ServiceId},
    rollout::Rollout,
};
use policy::Scope;
use sqlx::{Any, Executor};
use view::rollout::HeldElsewhere;

use crate::{
    Store,
    cells::Cells,
    database::Tx,
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const RESERVATIONS: Source = source("reservations", "host_id");

/// Takes every host of a rollout that it may still touch, or names one that another rollout holds.
pub(crate) async fn take(tx: &mut Tx, rollout: RolloutId, service: ServiceId) -> Result<()> {
    let sql = Sql::new(
        "INSERT INTO reservations (host_id, service_id, rollout_id) SELECT host_id, $1, rollout_id FROM rollout_hosts WHERE rollout_id = $2 AND phase NOT IN ('excluded', 'gone')
         ON CONFLICT (host_id, service_id) DO NOTHING",
    );
    sql.with(service).with(rollout).run(&mut **tx).await?;
    match elsewhere(&mut **tx, rollout, service).await? {
        Some(held) => Err(StoreError::Reserved {
            host: held.host,
            rollout: held.name,
        }),
        None => Ok(()),
    }
}

/// The first host of a rollout that another rollout holds.
async fn elsewhere<'e>(
    on: impl Executor<'e, Database = Any>,
    rollout: RolloutId,
    service: ServiceId,
) -> Result<Option<HeldElsewhere>> {
    let sql = Sql::new(
        "SELECT v.host_id, v.rollout_id, h.name, s.slug, o.version, e.slug AS environment
         FROM rollout_hosts h
         JOIN reservations v ON v.host_id = h.host_id AND v.service_id = $1 AND v.rollout_id <> $2
         JOIN rollouts o ON o.id = v.rollout_id
         JOIN services s ON s.id = o.service_id
         JOIN environments e ON e.id = o.environment_id
         WHERE h.rollout_id = $2 AND h.phase NOT IN ('excluded', 'gone') ORDER BY h.name LIMIT 1",
    );
    let sql = sql.with(service).with(rollout);
    sql.optional(on, RESERVATIONS, |cells| {
        Ok(HeldElsewhere {
            host: cells.text("name")?,
            rollout: cells.parse("rollout_id")?,
            name: holding(cells)?,
        })
    })
    .await
}

impl Store {
    /// The first host of a rollout that waits for another rollout of its service, so that it could not be released now.
    pub async fn held_elsewhere(
        &self,
        _: &Scope,
        rollout: &Rollout,
    ) -> Result<Option<HeldElsewhere>> {
        elsewhere(self.readers(), rollout.id, rollout.plan.service).await
    }
}

/// One of these hosts that a rollout holds, and the name of that rollout.
pub(crate) async fn holder(
    tx: &mut Tx,
    hosts: impl Iterator<Item = HostId>,
) -> Result<Option<(HostId, String)>> {
    let mut sql = Sql::new(
        "SELECT v.host_id, s.slug, o.version, e.slug AS environment
         FROM reservations v
         JOIN rollouts o ON o.id = v.rollout_id
         JOIN services s ON s.id = o.service_id
         JOIN environments e ON e.id = o.environment_id
         WHERE v.host_id IN ",
    );
    sql.list(hosts).push(" ORDER BY v.host_id LIMIT 1");
    sql.optional(&mut **tx, RESERVATIONS, |cells| {
        Ok((cells.parse("host_id")?, holding(cells)?))
    })
    .await
}

/// Name of the rollout in a row of reservations.
fn holding(cells: &Cells<'_>) -> Result<String> {
    Ok(format!(
        "{} {} to {}",
        cells.text("slug")?,
        cells.text("version")?,
        cells.text("environment")?
    ))
}

/// Gives the hosts back that were excluded: the rollout never touches them again.
pub(crate) async fn release_excluded(tx: &mut Tx, rollout: RolloutId) -> Result<()> {
    let sql = Sql::new(
        "DELETE FROM reservations WHERE rollout_id = $1 AND host_id IN (SELECT host_id FROM rollout_hosts WHERE rollout_id = $1 AND phase = 'excluded')",
    );
    sql.with(rollout).run(&mut **tx).await?;
    Ok(())
}

/// Gives every host back.
pub(crate) async fn release(tx: &mut Tx, rollout: RolloutId) -> Result<()> {
    Sql::new("DELETE FROM reservations WHERE rollout_id = $1")
        .with(rollout)
        .run(&mut **tx)
        .await?;
    Ok(())
}
