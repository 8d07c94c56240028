//! Attempts that ended and whose output is still kept.

use domain::{
    Timestamp,
    audit::AuditNote,
    id::{AttemptId, JobId, TeamId},
    rollout::RolloutState,
};
use policy::{Permit, Scope};

use super::{ATTEMPTS, object, write_notes};
use crate::{Store, error::Result, sql::Sql};

/// An ended attempt whose output is still kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAttempt {
    pub id: AttemptId,
    pub job: JobId,
    pub team: TeamId,
    pub ended_at: Timestamp,
    /// Bytes of the objects it was sealed into.
    pub sealed_bytes: u64,
}

const KEPT: &str = "SELECT a.id, a.job_id, a.ended_at, a.sealed_bytes, j.team_id FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN rollouts r ON r.id = j.rollout_id
    WHERE a.ended_at IS NOT NULL AND a.removed_at IS NULL";

impl Store {
    /// Attempts of rollouts that ended, the longest ago first, behind the one that `after` names. One that cannot be read is
    /// passed over.
    pub async fn attempts_kept(
        &self,
        after: Option<&KeptAttempt>,
        limit: u32,
    ) -> Result<Vec<KeptAttempt>> {
        let mut sql = Sql::new(KEPT);
        sql.push(" AND r.state IN ")
            .list(RolloutState::ENDED.iter().copied());
        self.kept(sql, after, limit).await
    }

    /// Attempts that ended before `before`, were taken into account and were not sealed yet, the longest ago first, behind
    /// the one that `after` names. One that cannot be read is passed over.
    pub async fn attempts_unsealed(
        &self,
        before: Timestamp,
        after: Option<&KeptAttempt>,
        limit: u32,
    ) -> Result<Vec<KeptAttempt>> {
        let mut sql = Sql::new(KEPT);
        sql.push(" AND a.sealed_at IS NULL AND j.stage = 'observed' AND a.ended_at < ")
            .bind(before);
        self.kept(sql, after, limit).await
    }

    async fn kept(
        &self,
        mut sql: Sql,
        after: Option<&KeptAttempt>,
        limit: u32,
    ) -> Result<Vec<KeptAttempt>> {
        if let Some(after) = after {
            sql.push(" AND (a.ended_at, a.id) > ")
                .tuple([after.ended_at.into(), after.id.into()]);
        }
        sql.push(" ORDER BY a.ended_at, a.id LIMIT ").bind(limit);
        let read = |cells: &crate::cells::Cells<'_>| {
            Ok(KeptAttempt {
                id: cells.parse("id")?,
                job: cells.parse("job_id")?,
                team: cells.parse("team_id")?,
                ended_at: cells.time("ended_at")?,
                sealed_bytes: bytes(cells.int("sealed_bytes")?),
            })
        };
        sql.readable(self.readers(), ATTEMPTS, read).await
    }

    /// Bytes of all objects that outputs were sealed into.
    pub async fn sealed_bytes(&self) -> Result<u64> {
        let sql = Sql::new(
            "SELECT 'all' AS id, CAST(COALESCE(SUM(sealed_bytes), 0) AS BIGINT) AS sum FROM attempts WHERE removed_at IS NULL",
        );
        let sum = sql.optional(self.readers(), ATTEMPTS, |cells| cells.int("sum"));
        Ok(bytes(sum.await?.unwrap_or(0)))
    }

    /// The output of an attempt was sealed into objects of so many bytes.
    pub async fn attempt_sealed(
        &self,
        _: &Permit,
        attempt: AttemptId,
        object_bytes: u64,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = Sql::new(
            "UPDATE attempts SET sealed_at = $1, sealed_bytes = $2 WHERE id = $3 AND ended_at IS NOT NULL AND sealed_at IS NULL",
        );
        let object_bytes = i64::try_from(object_bytes).unwrap_or(i64::MAX);
        sql.with(at)
            .with(object_bytes)
            .with(attempt)
            .run(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// The files of an attempt are gone; `why` is written to the audit trail.
    pub async fn attempt_removed(
        &self,
        permit: &Permit,
        attempt: &KeptAttempt,
        why: &str,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql =
            Sql::new("UPDATE attempts SET removed_at = $1 WHERE id = $2 AND removed_at IS NULL");
        if sql.with(at).with(attempt.id).run(&mut *tx).await? > 0 {
            let note = AuditNote::new(
                "job.output_removed",
                "The output of an attempt was removed",
                why,
            );
            let object = object(attempt.job, attempt.team, &permit.resource().name);
            write_notes(&mut tx, permit, &[(object, note)], at).await?;
        }
        Ok(tx.commit().await?)
    }

    /// When the output of a job's newest attempt was removed, if it was.
    pub async fn output_removed(&self, scope: &Scope, job: JobId) -> Result<Option<Timestamp>> {
        let mut sql = Sql::new(
            "SELECT a.id, a.removed_at FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE a.job_id = ",
        );
        sql.bind(job)
            .scope("j.team_id", scope)
            .push(" ORDER BY a.number DESC LIMIT 1");
        let newest = sql.optional(self.readers(), ATTEMPTS, |cells| {
            cells.maybe_time("removed_at")
        });
        Ok(newest.await?.flatten())
    }
}

fn bytes(cell: i64) -> u64 {
    u64::try_from(cell).unwrap_or(0)
}
