//! The outbox: messages written with the change they tell of, delivered at least once.

use domain::{
    Timestamp,
    audit::AuditNote,
    id::{OutboxId, RolloutId, TeamId},
    rollout::{Effect, Notice},
};
use policy::Permit;

use crate::{
    Store,
    audit::{self, Object, numbered_id, numbers},
    cells::Cells,
    database::Tx,
    error::{Result, StoreError},
    sql::{Source, Sql, source},
};

const OUTBOX: Source = source("outbox", "id");

/// A message that waits for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    pub id: OutboxId,
    pub rollout: RolloutId,
    /// The team of the rollout.
    pub team: TeamId,
    pub notice: Notice,
    /// Deliveries that failed so far.
    pub tries: i64,
    /// Why the last one failed.
    pub error: String,
    /// Slug.
    pub service: String,
    /// Slug.
    pub environment: String,
    pub version: String,
    pub created_at: Timestamp,
}

fn read(cells: &Cells<'_>) -> Result<OutboxMessage> {
    Ok(OutboxMessage {
        id: cells.parse("id")?,
        rollout: cells.parse("rollout_id")?,
        team: cells.parse("team_id")?,
        notice: cells.document("notice_json")?,
        tries: cells.int("tries")?,
        error: cells.text("error")?,
        service: cells.text("service")?,
        environment: cells.text("environment")?,
        version: cells.text("version")?,
        created_at: cells.time("created_at")?,
    })
}

/// Writes the messages among the effects of a change.
pub(crate) async fn insert(
    tx: &mut Tx,
    rollout: RolloutId,
    effects: &[Effect],
    at: Timestamp,
) -> Result<()> {
    let notices: Vec<&Notice> = effects
        .iter()
        .filter_map(|effect| {
            if let Effect::Notify(notice) = effect {
                Some(notice)
            } else {
                None
            }
        })
        .collect();
    if notices.is_empty() {
        return Ok(());
    }
    let first = numbers(tx, "outbox", notices.len()).await?;
    let rows = notices.into_iter().zip(first..).map(|(notice, number)| {
        let id = OutboxId(numbered_id(at, number));
        Ok(vec![
            id.into(),
            rollout.into(),
            crate::cells::document(notice)?.into(),
            0_i64.into(),
            at.into(),
            "".into(),
            at.into(),
        ])
    });
    let mut sql = Sql::new(
        "INSERT INTO outbox (id, rollout_id, notice_json, tries, next_at, error, created_at) VALUES ",
    );
    sql.tuples(rows.collect::<Result<Vec<_>>>()?);
    sql.run(&mut **tx).await?;
    Ok(())
}

impl Store {
    /// Messages whose time has come, oldest first. One that cannot be read is logged and passed over: it must not keep
    /// the others back.
    pub async fn outbox_due(&self, now: Timestamp, limit: u32) -> Result<Vec<OutboxMessage>> {
        let sql = Sql::new(
            "SELECT o.id, o.rollout_id, r.team_id, o.notice_json, o.tries, o.error, o.created_at, s.slug AS service, e.slug AS environment, r.version
             FROM outbox o JOIN rollouts r ON r.id = o.rollout_id JOIN services s ON s.id = r.service_id JOIN environments e ON e.id = r.environment_id
             WHERE o.done_at IS NULL AND o.next_at <= $1 ORDER BY o.next_at, o.id LIMIT $2",
        );
        sql.with(now)
            .with(limit)
            .readable(self.repeated(), OUTBOX, read)
            .await
    }

    /// The message was delivered.
    pub async fn outbox_done(&self, _: &Permit, id: OutboxId, at: Timestamp) -> Result<()> {
        let sql = Sql::new(
            "UPDATE outbox SET done_at = $1, error = '' WHERE id = $2 AND done_at IS NULL",
        )
        .with(at)
        .with(id);
        changed_one(sql.run(self.writer()).await?, id)
    }

    /// The message will not be delivered; what the permit is about says why in its audit trail.
    pub async fn outbox_give_up(
        &self,
        permit: &Permit,
        id: OutboxId,
        why: &str,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "UPDATE outbox SET done_at = $1, error = $2 WHERE id = $3 AND done_at IS NULL",
        )
        .with(at)
        .with(why)
        .with(id);
        changed_one(sql.run(&mut *tx).await?, id)?;
        let note = AuditNote::new("message.give_up", "A message could not be delivered", why);
        audit::write(&mut tx, permit, &Object::of(permit), &[note], at).await?;
        Ok(tx.commit().await?)
    }

    /// The message could not be delivered; it is due again at `next_at`.
    pub async fn outbox_retry(
        &self,
        _: &Permit,
        id: OutboxId,
        next_at: Timestamp,
        error: &str,
    ) -> Result<()> {
        let sql = Sql::new(
            "UPDATE outbox SET tries = tries + 1, next_at = $1, error = $2 WHERE id = $3 AND done_at IS NULL",
        );
        changed_one(
            sql.with(next_at)
                .with(error)
                .with(id)
                .run(self.writer())
                .await?,
            id,
        )
    }
}

fn changed_one(rows: u64, id: OutboxId) -> Result<()> {
    match rows {
        1 => Ok(()),
        _ => Err(StoreError::conflict(format!("Outbox message {id}"))),
    }
}
