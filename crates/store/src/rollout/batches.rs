//! Batches, kept with their rollout.

use std::collections::BTreeMap;

use domain::{batch::Batch, id::RolloutId};
use sqlx::AnyPool;
use view::rollout::{BatchDot, RolloutRow};

use crate::{
    cells::{Cells, document},
    database::Tx,
    error::Result,
    sql::{Arg, Source, Sql, source},
};

const BATCHES: Source = source("batches", "rollout_id");

fn read_batch(cells: &Cells<'_>) -> Result<Batch> {
    let seconds = cells.int("bake_seconds")?;
    Ok(Batch {
        number: cells.count("number")?,
        host_count: cells.count("host_count")?,
        bake_seconds: seconds
            .try_into()
            .map_err(|error| cells.corrupt("bake_seconds", error))?,
        state: cells.document("state_json")?,
        verdict: cells.maybe_document("verdict_json")?,
        started_at: cells.maybe_time("started_at")?,
        verified_at: cells.maybe_time("verified_at")?,
        next_look: cells.maybe_time("next_look")?,
    })
}

fn row(rollout: RolloutId, batch: &Batch) -> Result<Vec<Arg>> {
    let verdict = batch.verdict.as_ref().map(document).transpose()?;
    Ok(vec![
        rollout.into(),
        batch.number.into(),
        batch.host_count.into(),
        i64::try_from(batch.bake_seconds).unwrap_or(i64::MAX).into(),
        batch.state.word().into(),
        document(&batch.state)?.into(),
        verdict.into(),
        batch.started_at.into(),
        batch.verified_at.into(),
        batch.next_look.into(),
    ])
}

/// Writes every batch of a rollout, new or changed.
pub(super) async fn save(tx: &mut Tx, rollout: RolloutId, batches: &[Batch]) -> Result<()> {
    let rows = batches
        .iter()
        .map(|batch| row(rollout, batch))
        .collect::<Result<Vec<_>>>()?;
    let mut sql = Sql::new(
        "INSERT INTO batches (rollout_id, number, host_count, bake_seconds, state, state_json, verdict_json, started_at, verified_at, next_look) VALUES ",
    );
    sql.tuples(rows).push(
        " ON CONFLICT (rollout_id, number) DO UPDATE SET bake_seconds = excluded.bake_seconds, state = excluded.state, state_json = excluded.state_json,
              verdict_json = excluded.verdict_json, started_at = excluded.started_at, verified_at = excluded.verified_at, next_look = excluded.next_look",
    );
    sql.run(&mut **tx).await?;
    Ok(())
}

/// The batches of a rollout in their order.
pub(super) async fn of_rollout(tx: &mut Tx, rollout: RolloutId) -> Result<Vec<Batch>> {
    let sql = Sql::new("SELECT b.* FROM batches b WHERE b.rollout_id = $1 ORDER BY b.number");
    sql.with(rollout).all(&mut **tx, BATCHES, read_batch).await
}

/// Adds its batches to each row of a list, with one statement for all.
pub(super) async fn add_dots(readers: &AnyPool, rows: &mut [RolloutRow]) -> Result<()> {
    let mut sql =
        Sql::new("SELECT rollout_id, number, state, host_count FROM batches WHERE rollout_id IN ");
    sql.list(rows.iter().map(|row| row.id))
        .push(" ORDER BY rollout_id, number");
    let dots = sql.all(readers, BATCHES, |cells| {
        let dot = BatchDot {
            number: cells.count("number")?,
            state: cells.text("state")?,
            hosts: cells.count("host_count")?,
        };
        Ok((cells.parse::<RolloutId>("rollout_id")?, dot))
    });
    let mut batches: BTreeMap<RolloutId, Vec<BatchDot>> = BTreeMap::new();
    for (rollout, dot) in dots.await? {
        batches.entry(rollout).or_default().push(dot);
    }
    for row in rows {
        row.batches = batches.remove(&row.id).unwrap_or_default();
    }
    Ok(())
}
