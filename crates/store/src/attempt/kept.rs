//! Attempts that ended and whose files are still there.

use domain::{
    Timestamp,
    audit::AuditNote,
    id::{AttemptId, JobId, TeamId},
    rollout::RolloutState,
};
use policy::{Permit, Scope};

use super::{ATTEMPTS, write_note};
use crate::{Store, error::Result, sql::Sql};

/// An ended attempt whose files are still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAttempt {
    pub id: AttemptId,
    pub job: JobId,
    pub team: TeamId,
    pub ended_at: Timestamp,
}

impl Store {
    /// Attempts of rollouts that ended, the longest ago first. One that cannot be read is passed over.
    pub async fn attempts_kept(&self, limit: u32) -> Result<Vec<KeptAttempt>> {
        let mut sql = Sql::new(
            "SELECT a.id, a.job_id, a.ended_at, j.team_id FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN rollouts r ON r.id = j.rollout_id
             WHERE a.ended_at IS NOT NULL AND a.removed_at IS NULL AND r.state IN ",
        );
        sql.list(RolloutState::ENDED.iter().copied())
            .push(" ORDER BY a.ended_at, a.id LIMIT ")
            .bind(limit);
        let read = |cells: &crate::cells::Cells<'_>| {
            Ok(KeptAttempt {
                id: cells.parse("id")?,
                job: cells.parse("job_id")?,
                team: cells.parse("team_id")?,
                ended_at: cells.time("ended_at")?,
            })
        };
        sql.readable(self.readers(), ATTEMPTS, read).await
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
            write_note(&mut tx, permit, attempt.job, attempt.team, note, at).await?;
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
