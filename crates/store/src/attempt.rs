//! Attempts: claimed under a lease (`attempt::claim`). What is written about them is in `attempt::report`.

mod claim;
mod kept;
mod lanes;
mod report;

pub use claim::{Claim, Claimed, Room};
pub use kept::KeptAttempt;
pub use report::Ended;

use domain::{
    Timestamp,
    attempt::Attempt,
    audit::AuditNote,
    id::{AttemptId, JobId, RolloutId, TeamId},
    job::JobKind,
};
use policy::{Permit, Scope};

use crate::{
    Store,
    audit::{self, Object},
    cells::Cells,
    database::Tx,
    error::{Result, StoreError},
    job::JOBS,
    sql::{Source, Sql, source},
};

const ATTEMPTS: Source = source("attempts", "id");

/// Whether somebody asked the job to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelWish {
    None,
    Asked,
}

/// An attempt that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAttempt {
    pub attempt: Attempt,
    pub job: JobId,
    pub kind: JobKind,
    /// 1-based.
    pub batch: u32,
    pub rollout: RolloutId,
    pub queued_at: Timestamp,
    /// Bytes of its events that were taken in.
    pub offset: i64,
    pub cancel_asked: CancelWish,
    pub worker: String,
    pub lease_until: Timestamp,
}

fn read(cells: &Cells<'_>) -> Result<Attempt> {
    Ok(Attempt {
        id: cells.parse("id")?,
        job: cells.parse("job_id")?,
        number: cells.count("number")?,
        state: cells.parse("state")?,
        fencing: cells.int("fencing")?,
        started_at: cells.maybe_time("started_at")?,
        ended_at: cells.maybe_time("ended_at")?,
    })
}

fn read_cancel(cells: &Cells<'_>) -> Result<CancelWish> {
    Ok(if cells.maybe_time("cancel_asked_at")?.is_some() {
        CancelWish::Asked
    } else {
        CancelWish::None
    })
}

fn read_open(cells: &Cells<'_>) -> Result<OpenAttempt> {
    let attempt = read(cells)?;
    Ok(OpenAttempt {
        job: attempt.job,
        attempt,
        kind: cells.parse("kind")?,
        batch: cells.count("batch")?,
        rollout: cells.parse("rollout_id")?,
        queued_at: cells.time("queued_at")?,
        offset: cells.int("event_offset")?,
        cancel_asked: read_cancel(cells)?,
        worker: cells.text("worker")?,
        lease_until: cells.time("lease_until")?,
    })
}

impl Store {
    /// The worker lives: its lease is longer by now.
    pub async fn lease_renew(
        &self,
        attempt: AttemptId,
        fencing: i64,
        lease_until: Timestamp,
    ) -> Result<()> {
        let sql = Sql::new("UPDATE attempts SET lease_until = $1 WHERE id = $2 AND fencing = $3 AND ended_at IS NULL").with(lease_until).with(attempt).with(fencing);
        match sql.run(self.writer()).await? {
            1 => Ok(()),
            _ => Err(StoreError::conflict(format!("The attempt {attempt}"))),
        }
    }

    /// Attempts that have not ended, oldest first: what runs, and what is adopted after a restart. One that cannot be read
    /// is passed over.
    pub async fn open_attempts(&self) -> Result<Vec<OpenAttempt>> {
        let sql = Sql::new(
            "SELECT a.*, j.kind, j.batch, j.rollout_id, j.queued_at, j.cancel_asked_at FROM attempts a
             -- The job of an open attempt is claimed; said here, so that it is not looked for among all there ever were.
             JOIN jobs j ON j.id = a.job_id AND j.stage = 'claimed' WHERE a.ended_at IS NULL ORDER BY a.id",
        );
        sql.readable(self.repeated(), ATTEMPTS, read_open).await
    }

    /// Whether somebody asked the job to stop.
    pub async fn cancel_asked(&self, job: JobId) -> Result<CancelWish> {
        let sql = Sql::new("SELECT id, cancel_asked_at FROM jobs WHERE id = $1").with(job);
        let wish = sql.optional(self.repeated(), JOBS, read_cancel).await?;
        Ok(wish.unwrap_or(CancelWish::Asked))
    }

    /// The newest attempt of a job, if it was ever claimed.
    pub async fn newest_attempt(&self, scope: &Scope, job: JobId) -> Result<Option<Attempt>> {
        let mut sql =
            Sql::new("SELECT a.* FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE a.job_id = ");
        sql.bind(job)
            .scope("j.team_id", scope)
            .push(" ORDER BY a.number DESC LIMIT 1");
        sql.optional(self.repeated(), ATTEMPTS, read).await
    }
}

/// A job, as the audit trail knows it.
fn object(job: JobId, team: TeamId, name: impl ToString) -> Object {
    Object {
        kind: "job",
        id: job.to_string(),
        name: name.to_string(),
        team: Some(team),
    }
}

async fn write_notes(
    tx: &mut Tx,
    permit: &Permit,
    notes: &[(Object, AuditNote)],
    at: Timestamp,
) -> Result<()> {
    let notes: Vec<_> = notes.iter().map(|(object, note)| (object, note)).collect();
    audit::write_each(tx, permit, &notes, at).await
}
