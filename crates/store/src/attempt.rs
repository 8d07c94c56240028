//! Attempts: claimed under a lease, written under a fencing number that only the newest claim knows.

use domain::{
    Timestamp,
    attempt::{Attempt, AttemptState},
    audit::AuditNote,
    host::HostMark,
    id::{AttemptId, JobId, RolloutId, TeamId},
    job::{JobEnd, JobKind, JobReport},
};
use policy::{Permit, Scope};

use crate::{
    Store,
    audit::{self, Object},
    cells::{Cells, document},
    database::Tx,
    error::{Result, StoreError},
    job::{self, JOBS},
    rollout::hosts,
    sql::{Source, Sql, source},
};

const ATTEMPTS: Source = source("attempts", "id");

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
}

/// The job behind an attempt whose fencing number is the newest; locked until the transaction ends.
struct Held {
    job: JobId,
    rollout: RolloutId,
    team: TeamId,
    kind: JobKind,
    state: AttemptState,
    cancel: CancelWish,
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
    })
}

/// Locks the job of an attempt, or refuses an attempt whose job was claimed again since.
async fn hold(tx: &mut Tx, attempt: AttemptId, fencing: i64) -> Result<Held> {
    let late = || StoreError::conflict(format!("The job of attempt {attempt}"));
    // Writing the number it already has locks the row on PostgreSQL; SQLite has one writer anyway.
    let sql = Sql::new(
        "UPDATE jobs SET fencing = fencing WHERE id = (SELECT job_id FROM attempts WHERE id = $1 AND fencing = $2) AND fencing = $2
         RETURNING id, rollout_id, team_id, kind, cancel_asked_at",
    );
    let held = sql
        .with(attempt)
        .with(fencing)
        .optional(&mut **tx, JOBS, |cells| {
            let (job, rollout, team) = (
                cells.parse("id")?,
                cells.parse("rollout_id")?,
                cells.parse("team_id")?,
            );
            Ok(Held {
                job,
                rollout,
                team,
                kind: cells.parse("kind")?,
                state: AttemptState::Queued,
                cancel: read_cancel(cells)?,
            })
        });
    let held = held.await?.ok_or_else(late)?;
    let state = Sql::new("SELECT id, state FROM attempts WHERE id = $1")
        .with(attempt)
        .optional(&mut **tx, ATTEMPTS, |cells| cells.parse("state"));
    Ok(Held {
        state: state.await?.ok_or_else(late)?,
        ..held
    })
}

/// As `hold`, and refuses an attempt that has ended.
async fn hold_open(tx: &mut Tx, attempt: AttemptId, fencing: i64) -> Result<Held> {
    let held = hold(tx, attempt, fencing).await?;
    if held.state.ended() {
        return Err(StoreError::conflict(format!("The attempt {attempt}")));
    }
    Ok(held)
}

impl Store {
    /// Gives the oldest queued job to this worker under a new attempt; `None` when nothing is queued.
    pub async fn claim(
        &self,
        permit: &Permit,
        worker: &str,
        attempt: AttemptId,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<Claimed>> {
        let mut tx = self.begin().await?;
        let Some(job) = Sql::new(self.backend().oldest_queued())
            .optional(&mut *tx, JOBS, |cells| cells.parse::<JobId>("id"))
            .await?
        else {
            return Ok(None);
        };
        let sql = Sql::new(
            "UPDATE jobs SET stage = 'claimed', state = $1, fencing = fencing + 1 WHERE id = $2 RETURNING id, rollout_id, team_id, kind, batch, fencing",
        );
        let sql = sql.with(AttemptState::Starting.word()).with(job);
        let claimed = sql.optional(&mut *tx, JOBS, |cells| {
            let fencing = cells.int("fencing")?;
            // Fencing grows by one with each claim, so it also counts the attempts.
            let attempt = Attempt {
                id: attempt,
                job,
                number: cells.count("fencing")?,
                state: AttemptState::Starting,
                fencing,
                started_at: None,
                ended_at: None,
            };
            let team: TeamId = cells.parse("team_id")?;
            Ok((
                team,
                Claimed {
                    job,
                    kind: cells.parse("kind")?,
                    batch: cells.count("batch")?,
                    rollout: cells.parse("rollout_id")?,
                    attempt,
                },
            ))
        });
        let (team, claimed) = claimed
            .await?
            .ok_or_else(|| StoreError::conflict(format!("The job {job}")))?;
        let sql = Sql::new(
            "INSERT INTO attempts (id, job_id, number, state, fencing, worker, lease_until, event_offset, message) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '')",
        );
        let sql = sql
            .with(attempt)
            .with(job)
            .with(claimed.attempt.number)
            .with(claimed.attempt.state.word())
            .with(claimed.attempt.fencing);
        sql.with(worker).with(lease_until).run(&mut *tx).await?;
        let note = AuditNote::new(
            "job.start",
            format!(
                "Attempt {} of the {} of batch {} was given to worker {worker}",
                claimed.attempt.number, claimed.kind, claimed.batch
            ),
            "",
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

    /// Writes how far an attempt has come. Ends go through `attempt_finish`, except that an unknown one may be resolved.
    pub async fn attempt_state(
        &self,
        _: &Permit,
        attempt: AttemptId,
        fencing: i64,
        state: AttemptState,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let held = hold(&mut tx, attempt, fencing).await?;
        let resolves = held.state == AttemptState::Unknown && state == AttemptState::Resolved;
        if !resolves && (held.state.ended() || state.ended()) {
            return Err(StoreError::conflict(format!("The attempt {attempt}")));
        }
        let began = (state == AttemptState::Running).then_some(at);
        let sql = Sql::new(
            "UPDATE attempts SET state = $1, started_at = COALESCE(started_at, $2) WHERE id = $3",
        );
        sql.with(state.word())
            .with(began)
            .with(attempt)
            .run(&mut *tx)
            .await?;
        let sql = Sql::new(
            "UPDATE jobs SET state = $1, started_at = COALESCE(started_at, $2) WHERE id = $3",
        );
        sql.with(state.word())
            .with(began)
            .with(held.job)
            .run(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Writes what the attempt's events say about hosts, and how many bytes of them were taken in. An offset that was
    /// passed already changes nothing, so events may be read twice.
    pub async fn attempt_progress(
        &self,
        _: &Permit,
        attempt: AttemptId,
        fencing: i64,
        offset: i64,
        marks: &[HostMark],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let held = hold_open(&mut tx, attempt, fencing).await?;
        let sql =
            Sql::new("UPDATE attempts SET event_offset = $1 WHERE id = $2 AND event_offset < $1")
                .with(offset)
                .with(attempt);
        if sql.run(&mut *tx).await? == 1 {
            hosts::mark(&mut tx, held.rollout, marks).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Ends an attempt and with it the job, whose report then waits for the rollout.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one fact about how the attempt ended"
    )]
    pub async fn attempt_finish(
        &self,
        permit: &Permit,
        attempt: AttemptId,
        fencing: i64,
        state: AttemptState,
        message: &str,
        report: &JobReport,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let held = hold_open(&mut tx, attempt, fencing).await?;
        if !state.ended() {
            return Err(StoreError::defect(format!("“{state}” is not an end")));
        }
        let sql =
            Sql::new("UPDATE attempts SET state = $1, ended_at = $2, message = $3 WHERE id = $4");
        sql.with(state.word())
            .with(at)
            .with(message)
            .with(attempt)
            .run(&mut *tx)
            .await?;
        let sql = Sql::new(
            "UPDATE jobs SET stage = 'finished', state = $1, ended_at = $2, message = $3, report_json = $4 WHERE id = $5",
        );
        sql.with(state.word())
            .with(at)
            .with(message)
            .with(document(report)?)
            .with(held.job)
            .run(&mut *tx)
            .await?;
        if matches!(report.end, JobEnd::CouldNotStart { .. }) {
            hosts::put_back(&mut tx, held.rollout, held.job, held.kind).await?;
        }
        let note = AuditNote::new(
            "job.finish",
            format!("The {} ended as “{state}”", held.kind),
            message,
        );
        write_note(&mut tx, permit, held.job, held.team, note, at).await?;
        Ok(tx.commit().await?)
    }

    /// The attempt certainly never began: its job goes back to the queue, or ends if somebody asked it to stop.
    pub async fn attempt_requeue(
        &self,
        permit: &Permit,
        attempt: AttemptId,
        fencing: i64,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let held = hold_open(&mut tx, attempt, fencing).await?;
        let sql = Sql::new(
            "UPDATE attempts SET state = $1, ended_at = $2, message = 'It never began; its job was queued again.' WHERE id = $3",
        );
        sql.with(AttemptState::Cancelled.word())
            .with(at)
            .with(attempt)
            .run(&mut *tx)
            .await?;
        let sql = Sql::new(
            "UPDATE jobs SET stage = 'queued', state = $1, started_at = NULL WHERE id = $2",
        );
        sql.with(AttemptState::Queued.word())
            .with(held.job)
            .run(&mut *tx)
            .await?;
        if held.cancel == CancelWish::Asked {
            job::end_queued(&mut tx, held.job, at).await?;
        }
        let note = AuditNote::new(
            "job.requeue",
            "The attempt never began, so its job was queued again",
            "",
        );
        write_note(&mut tx, permit, held.job, held.team, note, at).await?;
        Ok(tx.commit().await?)
    }

    /// Attempts of this worker that have not ended, oldest first: what it runs, and what it adopts after a restart.
    pub async fn open_attempts(&self, worker: &str) -> Result<Vec<OpenAttempt>> {
        let sql = Sql::new(
            "SELECT a.*, j.kind, j.batch, j.rollout_id, j.cancel_asked_at FROM attempts a JOIN jobs j ON j.id = a.job_id
             WHERE a.worker = $1 AND a.ended_at IS NULL ORDER BY a.id",
        );
        sql.with(worker)
            .all(self.readers(), ATTEMPTS, read_open)
            .await
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
