//! What is written about an attempt, under a fencing number that only the newest claim knows.

use std::collections::HashMap;

use domain::{
    Timestamp,
    attempt::AttemptState,
    audit::AuditNote,
    host::HostMark,
    id::{AttemptId, JobId, RolloutId, TeamId},
    job::{JobEnd, JobKind, JobReport},
};
use policy::Permit;

use super::{ATTEMPTS, CancelWish, claim, object, read_cancel, write_notes};
use crate::{
    Store,
    cells::{Cells, document},
    database::Tx,
    error::{Result, StoreError},
    job::{self, JOBS},
    native::Backend,
    rollout::hosts,
    sql::{Arg, CHUNK, Sql},
};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub attempt: AttemptId,
    pub fencing: i64,
    pub state: AttemptState,
    /// For people; empty when all went well.
    pub message: String,
    pub report: JobReport,
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

fn read_held(cells: &Cells<'_>, state: AttemptState) -> Result<Held> {
    Ok(Held {
        job: cells.parse("job_id")?,
        rollout: cells.parse("rollout_id")?,
        team: cells.parse("team_id")?,
        kind: cells.parse("kind")?,
        state,
        cancel: read_cancel(cells)?,
    })
}

/// Locks the job of an attempt, or refuses an attempt whose job was claimed again since.
async fn hold(tx: &mut Tx, attempt: AttemptId, fencing: i64) -> Result<Held> {
    let late = || StoreError::conflict(format!("The job of attempt {attempt}"));
    // Writing the number it already has locks the row on PostgreSQL; SQLite has one writer anyway.
    let sql = Sql::new(
        "UPDATE jobs SET fencing = fencing WHERE id = (SELECT job_id FROM attempts WHERE id = $1 AND fencing = $2) AND fencing = $2
         RETURNING id AS job_id, id, rollout_id, team_id, kind, cancel_asked_at",
    );
    let held = sql
        .with(attempt)
        .with(fencing)
        .optional(&mut **tx, JOBS, |cells| {
            read_held(cells, AttemptState::Queued)
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

/// Locks those of these attempts that are open and the newest of their job, with their jobs; by their fencing numbers.
async fn hold_all(
    tx: &mut Tx,
    backend: Backend,
    attempts: impl Iterator<Item = AttemptId>,
) -> Result<HashMap<(AttemptId, i64), Held>> {
    let mut sql = Sql::new(
        "SELECT a.id, a.fencing, a.state, j.id AS job_id, j.rollout_id, j.team_id, j.kind, j.cancel_asked_at
         FROM attempts a JOIN jobs j ON j.id = a.job_id AND j.fencing = a.fencing WHERE a.ended_at IS NULL AND a.id IN ",
    );
    sql.list(attempts);
    // In one order, as `claim::wait` does, so that nobody waits in a circle. Attempts are locked with their jobs: an end
    // that was waited for would else be overlooked.
    sql.push(" ORDER BY j.id").push(backend.for_update());
    let held = sql.all(&mut **tx, ATTEMPTS, |cells| {
        let held = read_held(cells, cells.parse("state")?)?;
        Ok(((cells.parse("id")?, cells.int("fencing")?), held))
    });
    Ok(held.await?.into_iter().collect())
}

impl Store {
    /// Writes how far an attempt has come. Ends go through `attempts_finish`, except that an unknown one may be resolved.
    pub async fn attempt_state(
        &self,
        _: &Permit,
        attempt: AttemptId,
        fencing: i64,
        state: AttemptState,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin_relaxed().await?;
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
        let mut tx = self.begin_relaxed().await?;
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

    /// Ends attempts and with them their jobs, whose reports then wait for the rollouts. Gives those of which nothing was
    /// written, because their job was claimed again since or they had ended before.
    pub async fn attempts_finish(
        &self,
        permit: &Permit,
        ended: &[Ended],
        at: Timestamp,
    ) -> Result<Vec<AttemptId>> {
        if let Some(open) = ended.iter().find(|ended| !ended.state.ended()) {
            return Err(StoreError::defect(format!(
                "“{}” is not an end",
                open.state
            )));
        }
        let mut tx = self.begin_relaxed().await?;
        let attempts = ended.iter().map(|ended| ended.attempt);
        let mut open = hold_all(&mut tx, self.backend(), attempts).await?;
        let (mut done, mut refused) = (Vec::new(), Vec::new());
        for ended in ended {
            match open.remove(&(ended.attempt, ended.fencing)) {
                Some(held) => done.push((held, ended)),
                None => refused.push(ended.attempt),
            }
        }
        write_ends(&mut tx, &done, at).await?;
        let jobs: Vec<JobId> = done.iter().map(|(held, _)| held.job).collect();
        claim::make_way(&mut tx, &jobs).await?;
        for (held, ended) in &done {
            if matches!(ended.report.end, JobEnd::CouldNotStart { .. }) {
                hosts::put_back(&mut tx, held.rollout, held.job, held.kind).await?;
            }
        }
        let notes = done.iter().map(|(held, ended)| {
            let state = ended.state.word().replace('_', " ");
            let summary = format!("The {} ended: {state}", held.kind.noun());
            let note = AuditNote::new("job.finish", summary, ended.message.as_str());
            (object(held.job, held.team, held.kind), note)
        });
        let notes: Vec<_> = notes.collect();
        write_notes(&mut tx, permit, &notes, at).await?;
        tx.commit().await?;
        Ok(refused)
    }

    /// The attempt certainly never began: its job goes back to the queue, or ends if somebody asked it to stop.
    pub async fn attempt_requeue(
        &self,
        permit: &Permit,
        attempt: AttemptId,
        fencing: i64,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin_relaxed().await?;
        let held = hold_open(&mut tx, attempt, fencing).await?;
        let cancelled = held.cancel == CancelWish::Asked;
        let what = if cancelled {
            "The attempt never began, and its job was cancelled"
        } else {
            "The attempt never began, so its job was queued again"
        };
        let sql =
            Sql::new("UPDATE attempts SET state = $1, ended_at = $2, message = $3 WHERE id = $4");
        sql.with(AttemptState::Cancelled.word())
            .with(at)
            .with(format!("{what}."))
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
        claim::make_way(&mut tx, &[held.job]).await?;
        if cancelled {
            job::end_queued(&mut tx, held.job, at).await?;
        }
        let note = AuditNote::new("job.requeue", what, "");
        let note = (object(held.job, held.team, held.kind), note);
        write_notes(&mut tx, permit, &[note], at).await?;
        Ok(tx.commit().await?)
    }
}

/// Writes how attempts and their jobs ended.
async fn write_ends(tx: &mut Tx, done: &[(Held, &Ended)], at: Timestamp) -> Result<()> {
    for done in done.chunks(CHUNK) {
        let rows = done.iter().map(|(held, ended)| {
            Ok(vec![
                ended.attempt.into(),
                held.job.into(),
                ended.state.word().into(),
                ended.message.as_str().into(),
                document(&ended.report)?.into(),
            ])
        });
        let rows: Vec<Vec<Arg>> = rows.collect::<Result<_>>()?;
        for (update, of) in [
            (
                ") UPDATE attempts SET state = ends.state, message = ends.message, ended_at = ",
                " FROM ends WHERE attempts.id = ends.attempt_id",
            ),
            (
                ") UPDATE jobs SET stage = 'finished', state = ends.state, message = ends.message, report_json = ends.report, ended_at = ",
                " FROM ends WHERE jobs.id = ends.job_id",
            ),
        ] {
            let mut sql =
                Sql::new("WITH ends (attempt_id, job_id, state, message, report) AS (VALUES ");
            sql.tuples(rows.iter().cloned())
                .push(update)
                .bind(at)
                .push(of);
            sql.run(&mut **tx).await?;
        }
    }
    Ok(())
}
