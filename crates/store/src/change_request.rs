//! Change requests, kept with the rollout they are about.

use domain::{change_request::ChangeRequest, id::RolloutId};
use policy::Permit;

use crate::{
    cells::{Cells, document},
    database::Tx,
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const CHANGE_REQUESTS: Source = source("change_requests", "id");

fn read(cells: &Cells<'_>) -> Result<ChangeRequest> {
    Ok(ChangeRequest {
        id: cells.parse("id")?,
        rollout: cells.parse("rollout_id")?,
        digest: cells.parse("digest")?,
        reason: cells.parse("reason")?,
        requested_by: cells.parse("requested_by")?,
        requested_by_name: cells.text("requested_by_name")?,
        state: cells.document("state_json")?,
    })
}

/// The change request of a rollout, if it has one.
pub(crate) async fn of_rollout(tx: &mut Tx, rollout: RolloutId) -> Result<Option<ChangeRequest>> {
    let sql = Sql::new(
        "SELECT id, rollout_id, digest, reason, requested_by, requested_by_name, state_json FROM change_requests WHERE rollout_id = $1",
    );
    sql.with(rollout)
        .optional(&mut **tx, CHANGE_REQUESTS, read)
        .await
}

pub(crate) async fn insert(tx: &mut Tx, request: &ChangeRequest) -> Result<()> {
    let sql = Sql::new(
        "INSERT INTO change_requests (id, rollout_id, digest, reason, requested_by, requested_by_name, state, state_json) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
        .with(request.id)
        .with(request.rollout)
        .with(request.digest.as_str())
        .with(request.reason.as_str())
        .with(request.requested_by)
        .with(request.requested_by_name.as_str())
        .with(request.state.word())
        .with(document(&request.state)?);
    sql.run(&mut **tx).await?;
    Ok(())
}

/// Writes a new state. Whoever moves it from submitted to approved is kept as its approver, which the database compares
/// with the requester.
pub(crate) async fn update(tx: &mut Tx, permit: &Permit, request: &ChangeRequest) -> Result<()> {
    let sql = Sql::new(
        "UPDATE change_requests SET state = $1, state_json = $2,
             approved_by = CASE WHEN state = 'submitted' AND $1 = 'approved' THEN $3 ELSE approved_by END
         WHERE id = $4 AND rollout_id = $5",
    )
        .with(request.state.word())
        .with(document(&request.state)?)
        .with(permit.actor().person())
        .with(request.id)
        .with(request.rollout);
    match sql.run(&mut **tx).await? {
        1 => Ok(()),
        _ => Err(StoreError::not_found(format!(
            "The change request {}",
            request.id
        ))),
    }
}
