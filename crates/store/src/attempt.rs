//! Attempts: claimed under a lease. What is written about them is in `attempt::report`.

mod kept;
mod report;

pub use kept::KeptAttempt;

use domain::{
    Timestamp,
    attempt::{Attempt, AttemptState},
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

/// Which jobs a worker has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimable {
    /// Deploys only where fewer than so many run in their environment.
    Any {
        in_environment: u32,
    },
    AllButDeploys,
}

impl Claimable {
    /// Whatever is queued.
    pub const ALL: Self = Self::Any {
        in_environment: u32::MAX,
    };
}

/// A host of the job `j` is being worked on by another one. What runs is few, so it is looked at from there.
const HOST_IS_BUSY: &str = "EXISTS (
     SELECT 1 FROM jobs b JOIN job_hosts theirs ON theirs.job_id = b.id
     JOIN job_hosts mine ON mine.job_id = j.id AND mine.host_id = theirs.host_id
     WHERE b.stage = 'claimed')";

/// A job that a worker may run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub job: JobId,
    pub kind: JobKind,
    /// 1-based.
    pub batch: u32,
    pub rollout: RolloutId,
    pub attempt: Attempt,
}

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
        offset: cells.int("event_offset")?,
        cancel_asked: read_cancel(cells)?,
        worker: cells.text("worker")?,
        lease_until: cells.time("lease_until")?,
    })
}

/// Queued jobs among which one has to be readable.
const READABLE_WITHIN: u32 = 20;

impl Store {
    /// Gives a queued job to this worker under a new attempt; `None` when none can start now. What brings hosts back
    /// comes first, then what asks them, then deploys; of each, the team with the fewest jobs under way; of its own, the
    /// oldest. A job waits while another one works on one of its hosts.
    pub async fn claim(
        &self,
        permit: &Permit,
        worker: &str,
        attempt: AttemptId,
        now: Timestamp,
        lease_until: Timestamp,
        which: Claimable,
    ) -> Result<Option<Claimed>> {
        // Nearly always there is nothing to do, and then nothing is locked.
        let any = Sql::new("SELECT id FROM jobs WHERE stage = 'queued' LIMIT 1");
        let any = any.optional(self.readers(), JOBS, |cells| cells.text("id"));
        if any.await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.begin().await?;
        let lock = Sql::new("UPDATE counters SET value = value + 1 WHERE name = 'claims'");
        lock.run(&mut *tx).await?;
        let mut sql = Sql::new(
            "SELECT j.id, j.rollout_id, j.team_id, j.kind, j.batch FROM jobs j JOIN rollouts r ON r.id = j.rollout_id WHERE j.stage = 'queued' AND NOT ",
        );
        sql.push(HOST_IS_BUSY);
        match which {
            Claimable::AllButDeploys => {
                sql.push(" AND j.kind <> 'deploy'");
            }
            Claimable::Any { in_environment } => {
                sql.push(
                    " AND (j.kind <> 'deploy' OR (SELECT COUNT(*) FROM jobs b JOIN rollouts o ON o.id = b.rollout_id
                         WHERE b.stage = 'claimed' AND b.kind = 'deploy' AND o.environment_id = r.environment_id) < ",
                )
                .bind(in_environment)
                .push(")");
            }
        }
        sql.push(
            " ORDER BY CASE j.kind WHEN 'roll_back' THEN 0 WHEN 'probe' THEN 1 ELSE 2 END,
                 (SELECT COUNT(*) FROM jobs b WHERE b.stage = 'claimed' AND b.team_id = j.team_id), j.queued_at, j.id LIMIT ",
        )
        .bind(READABLE_WITHIN);
        let queued = sql.readable(&mut *tx, JOBS, |cells| {
            Ok((
                cells.parse::<JobId>("id")?,
                cells.parse::<TeamId>("team_id")?,
                cells.parse("kind")?,
                cells.count("batch")?,
                cells.parse("rollout_id")?,
            ))
        });
        let Some((job, team, kind, batch, rollout)) = queued.await?.into_iter().next() else {
            return Ok(None);
        };
        let sql = Sql::new(
            "UPDATE jobs SET stage = 'claimed', state = $1, fencing = fencing + 1 WHERE id = $2 RETURNING id, fencing",
        )
        .with(AttemptState::Starting.word())
        .with(job);
        let fencing = sql.optional(&mut *tx, JOBS, |cells| {
            Ok((cells.int("fencing")?, cells.count("fencing")?))
        });
        let (fencing, number) = fencing
            .await?
            .ok_or_else(|| StoreError::conflict(format!("The job {job}")))?;
        let claimed = Claimed {
            job,
            kind,
            batch,
            rollout,
            attempt: Attempt {
                id: attempt,
                job,
                // Fencing grows by one with each claim, so it also counts the attempts.
                number,
                state: AttemptState::Starting,
                fencing,
                started_at: None,
                ended_at: None,
            },
        };
        let sql = Sql::new(
            "INSERT INTO attempts (id, job_id, number, state, fencing, worker, lease_until, event_offset, message) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '')",
        )
            .with(attempt)
            .with(job)
            .with(claimed.attempt.number)
            .with(claimed.attempt.state.word())
            .with(claimed.attempt.fencing);
        sql.with(worker).with(lease_until).run(&mut *tx).await?;
        let note = AuditNote::new(
            "job.start",
            format!(
                "Attempt {} of the {} of batch {} started",
                claimed.attempt.number,
                claimed.kind.noun(),
                claimed.batch
            ),
            format!("Worker {worker}"),
        );
        write_note(&mut tx, permit, job, team, note, now).await?;
        tx.commit().await?;
        Ok(Some(claimed))
    }

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
            "SELECT a.*, j.kind, j.batch, j.rollout_id, j.cancel_asked_at FROM attempts a JOIN jobs j ON j.id = a.job_id
             WHERE a.ended_at IS NULL ORDER BY a.id",
        );
        sql.readable(self.readers(), ATTEMPTS, read_open).await
    }

    /// The newest attempt of a job, if it was ever claimed.
    pub async fn newest_attempt(&self, scope: &Scope, job: JobId) -> Result<Option<Attempt>> {
        let mut sql =
            Sql::new("SELECT a.* FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE a.job_id = ");
        sql.bind(job)
            .scope("j.team_id", scope)
            .push(" ORDER BY a.number DESC LIMIT 1");
        sql.optional(self.readers(), ATTEMPTS, read).await
    }
}

async fn write_note(
    tx: &mut Tx,
    permit: &Permit,
    job: JobId,
    team: TeamId,
    note: AuditNote,
    at: Timestamp,
) -> Result<()> {
    let object = Object {
        kind: "job",
        id: job.to_string(),
        name: permit.resource().name.clone(),
        team: Some(team),
    };
    audit::write(tx, permit, &object, &[note], at).await
}
