//! Jobs: queued with the change that needs them, claimed by workers, taken into account when they finished.

use std::collections::HashMap;

use domain::{
    Timestamp,
    attempt::{AttemptEvent, AttemptState},
    audit::{Actor, AuditNote},
    host::{Host, HostPhase},
    id::{EnvironmentId, JobId, RolloutId, ServiceId, TeamId},
    job::{JobEnd, JobKind, JobReport, NewJob},
    text::Version,
};
use policy::{Permit, Scope};
use view::{
    job::{JobCancelled, JobRow},
    page::Page,
};

use crate::{
    Store,
    audit::{self, Object},
    cells::{Cells, document},
    cursor,
    database::Tx,
    error::{Result, StoreError},
    host::{self, HOSTS},
    rollout::hosts::{self, SEEN_BEFORE},
    sql::{Source, Sql, source},
};

pub(crate) const JOBS: Source = source("jobs", "id");

/// A job that ended and waits for its rollout to take it into account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedJob {
    pub rollout: RolloutId,
    pub job: JobId,
    pub report: JobReport,
}

/// A host a job took when it was queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobHost {
    pub host: Host,
    /// The version seen on it before the rollout touched it; for a roll back of a host that was lost before it told, the
    /// one an earlier rollout saw last.
    pub before: Option<Version>,
    /// The rollout may have changed it before this job took it.
    pub touched: bool,
}

impl Store {
    /// Whether a job was ever queued.
    pub async fn has_jobs(&self) -> Result<bool> {
        let sql = Sql::new("SELECT id FROM jobs LIMIT 1");
        let found = sql.optional(self.readers(), JOBS, |_| Ok(())).await?;
        Ok(found.is_some())
    }
}

pub(crate) async fn queue(
    tx: &mut Tx,
    rollout: RolloutId,
    team: TeamId,
    new: &NewJob,
    at: Timestamp,
) -> Result<()> {
    let sql = Sql::new(
        "INSERT INTO jobs (id, rollout_id, environment_id, team_id, batch, kind, stage, state, fencing, queued_at, cancel_reason, message)
         VALUES ($1, $2, (SELECT environment_id FROM rollouts WHERE id = $2), $3, $4, $5, 'queued', $6, 0, $7, '', '')",
    )
        .with(new.id)
        .with(rollout)
        .with(team)
        .with(new.batch)
        .with(new.kind.word())
        .with(AttemptState::Queued.word())
        .with(at);
    sql.run(&mut **tx).await?;
    hosts::take(tx, rollout, new).await
}

/// Marks finished jobs as taken into account. Refuses with `AlreadyObserved` one that was before, and with `Conflict`
/// several of which one was.
pub(crate) async fn observed(tx: &mut Tx, jobs: &[JobId]) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut sql =
        Sql::new("UPDATE jobs SET stage = 'observed' WHERE stage = 'finished' AND id IN ");
    sql.list(jobs.iter().copied());
    if sql.run(&mut **tx).await? == jobs.len() as u64 {
        return Ok(());
    }
    let &[job] = jobs else {
        return Err(StoreError::conflict("One of the jobs"));
    };
    let sql = Sql::new("SELECT id, stage FROM jobs WHERE id = $1").with(job);
    let stage = sql
        .optional(&mut **tx, JOBS, |cells| cells.text("stage"))
        .await?;
    match stage.as_deref() {
        Some("observed") => Err(StoreError::AlreadyObserved { job }),
        Some(_) => Err(StoreError::conflict(format!("The job {job}"))),
        None => Err(StoreError::not_found(format!("The job {job}"))),
    }
}

/// Asks a job to stop; one that is still queued ends at once, with its hosts as they were. Gives the owning team, or
/// nothing when it has ended or was asked before.
pub(crate) async fn cancel(
    tx: &mut Tx,
    job: JobId,
    by: &Actor,
    reason: &str,
    at: Timestamp,
) -> Result<Option<TeamId>> {
    let sql = Sql::new(
        "UPDATE jobs SET cancelled_by = $1, cancel_reason = $2, cancel_asked_at = $3
         WHERE id = $4 AND stage IN ('queued', 'claimed') AND cancel_asked_at IS NULL RETURNING id, team_id, stage",
    );
    let asked = sql
        .with(by.name())
        .with(reason)
        .with(at)
        .with(job)
        .optional(&mut **tx, JOBS, |cells| {
            Ok((cells.parse("team_id")?, cells.text("stage")?))
        })
        .await?;
    let Some((team, stage)) = asked else {
        return Ok(None);
    };
    if stage == "queued" {
        end_queued(tx, job, at).await?;
    }
    Ok(Some(team))
}

/// Ends a job nobody runs as cancelled.
pub(crate) async fn end_queued(tx: &mut Tx, job: JobId, at: Timestamp) -> Result<()> {
    let report = JobReport {
        end: JobEnd::Cancelled,
        hosts: std::collections::BTreeMap::new(),
    };
    let sql = Sql::new(
        "UPDATE jobs SET stage = 'finished', state = $1, ended_at = $2, message = 'It was cancelled before it began.', report_json = $3, waits_for = NULL WHERE id = $4 RETURNING id, rollout_id, kind",
    )
        .with(AttemptState::Cancelled.word())
        .with(at)
        .with(document(&report)?)
        .with(job);
    let ended: Option<(RolloutId, JobKind)> = sql
        .optional(&mut **tx, JOBS, |cells| {
            Ok((cells.parse("rollout_id")?, cells.parse("kind")?))
        })
        .await?;
    match ended {
        Some((rollout, kind)) => hosts::put_back(tx, rollout, job, kind).await,
        None => Err(StoreError::not_found(format!("The job {job}"))),
    }
}

const ROW_COLUMNS: &str = "SELECT j.id, j.rollout_id, s.slug AS service, e.slug AS environment, r.version, j.kind, j.batch, j.state, j.queued_at, j.started_at, j.ended_at, j.message, j.cancelled_by, j.cancel_reason, j.cancel_asked_at FROM ";
const ROW_TABLES: &str = "jobs j JOIN rollouts r ON r.id = j.rollout_id JOIN services s ON s.id = r.service_id JOIN environments e ON e.id = r.environment_id WHERE ";

/// Of which jobs there is an index of their own.
const TROUBLED: &str = "state IN ('failed', 'timed_out', 'cancelled', 'unknown', 'resolved')";

type Key = (i64, JobId);

fn in_place(sql: &mut Sql, filter: &JobFilter) {
    if let Some(service) = filter.service {
        sql.push(" AND r.service_id = ").bind(service);
    }
    if let Some(environment) = filter.environment {
        sql.push(" AND r.environment_id = ").bind(environment);
    }
}

/// Which jobs are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub service: Option<ServiceId>,
    pub environment: Option<EnvironmentId>,
    /// In one of these.
    pub states: Option<Vec<AttemptState>>,
}

fn read_row(cells: &Cells<'_>) -> Result<(Key, JobRow)> {
    let cancelled = match cells.maybe_time("cancel_asked_at")? {
        Some(at) => Some(JobCancelled {
            by: cells.text("cancelled_by")?,
            reason: cells.text("cancel_reason")?,
            at,
        }),
        None => None,
    };
    let state: AttemptState = cells.parse("state")?;
    let row = JobRow {
        id: cells.parse("id")?,
        rollout: cells.parse("rollout_id")?,
        service: cells.text("service")?,
        environment: cells.text("environment")?,
        version: cells.text("version")?,
        kind: cells.parse("kind")?,
        batch: cells.count("batch")?,
        // Its worker has not heard of it yet, but whoever asked has.
        state: match cancelled {
            Some(_) => state.apply(AttemptEvent::CancelAsked).unwrap_or(state),
            None => state,
        },
        queued_at: cells.time("queued_at")?,
        started_at: cells.maybe_time("started_at")?,
        ended_at: cells.maybe_time("ended_at")?,
        message: cells.text("message")?,
        cancelled,
    };
    Ok(((row.queued_at.as_millisecond(), row.id), row))
}

impl Store {
    pub async fn job(&self, scope: &Scope, id: JobId) -> Result<JobRow> {
        let mut sql = Sql::new(ROW_COLUMNS);
        sql.push(ROW_TABLES)
            .push("j.id = ")
            .bind(id)
            .scope("j.team_id", scope);
        let row = sql.optional(self.readers(), JOBS, read_row).await?;
        row.map(|(_, row)| row)
            .ok_or_else(|| StoreError::not_found(format!("The job {id}")))
    }

    /// Every job of a rollout, oldest first.
    pub async fn jobs(&self, scope: &Scope, rollout: RolloutId) -> Result<Vec<JobRow>> {
        let mut sql = Sql::new(ROW_COLUMNS);
        sql.push(ROW_TABLES)
            .push("j.rollout_id = ")
            .bind(rollout)
            .scope("j.team_id", scope)
            .push(" ORDER BY j.queued_at, j.id");
        Ok(sql
            .all(self.readers(), JOBS, read_row)
            .await?
            .into_iter()
            .map(|(_, row)| row)
            .collect())
    }

    /// A page of jobs of every rollout, newest first.
    pub async fn jobs_page(
        &self,
        scope: &Scope,
        filter: &JobFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<JobRow>> {
        let states = filter.states.as_deref();
        let all = |is: fn(AttemptState) -> bool| {
            states.is_some_and(|states| states.iter().all(|state| is(*state)))
        };
        let mut sql = Sql::new("");
        // Where few jobs are meant, they are found first: neither database can tell that they are less than the newest.
        let found = if all(|state| !state.ended()) {
            sql.push(
                "WITH few (found) AS MATERIALIZED (SELECT id FROM jobs WHERE stage = 'claimed'
                 UNION ALL SELECT id FROM jobs WHERE stage = 'queued' AND waits_for IS NULL
                 UNION ALL SELECT id FROM jobs WHERE stage = 'queued' AND waits_for IS NOT NULL) ",
            );
            true
        } else if filter.service.is_some() || filter.environment.is_some() {
            sql.push(
                "WITH few (found) AS MATERIALIZED (SELECT j.id FROM rollouts r CROSS JOIN jobs j WHERE j.rollout_id = r.id",
            );
            in_place(&mut sql, filter);
            sql.push(") ");
            true
        } else {
            false
        };
        sql.push(ROW_COLUMNS)
            .push(if found { "few CROSS JOIN " } else { "" })
            .push(ROW_TABLES)
            .push(if found { "j.id = found" } else { "j.batch > 0" })
            .scope("j.team_id", scope);
        in_place(&mut sql, filter);
        if let Some(states) = states {
            sql.push(" AND j.state IN ")
                .list(states.iter().map(|state| state.word()));
        }
        if all(AttemptState::troubled) {
            // Says again what the index of these says, in the same words.
            sql.push(" AND j.").push(TROUBLED);
        }
        if let Some((at, id)) = cursor::read::<Key>(cursor)? {
            sql.push(" AND (j.queued_at, j.id) < (")
                .bind(at)
                .push(", ")
                .bind(id)
                .push(")");
        }
        sql.push(" ORDER BY j.queued_at DESC, j.id DESC LIMIT ")
            .bind(cursor::fetch(limit));
        cursor::page(sql.all(self.readers(), JOBS, read_row).await?, limit)
    }

    /// The hosts a job took when it was queued, in the order of their change.
    pub async fn job_hosts(&self, scope: &Scope, job: JobId) -> Result<Vec<JobHost>> {
        let mut of_jobs = self.hosts_of_jobs(scope, &[job]).await?;
        Ok(of_jobs.remove(&job).unwrap_or_default())
    }

    /// As [`Self::job_hosts`], of several jobs; those without hosts are left out.
    pub async fn hosts_of_jobs(
        &self,
        scope: &Scope,
        jobs: &[JobId],
    ) -> Result<HashMap<JobId, Vec<JobHost>>> {
        let mut of_jobs: HashMap<JobId, Vec<JobHost>> = HashMap::new();
        let mut sql = Sql::new(
            "SELECT m.*, t.job_id, t.phase_before, COALESCE(h.version_before, CASE j.kind WHEN 'roll_back' THEN ",
        );
        sql.push(SEEN_BEFORE)
            .push(
                " END) AS version_before FROM job_hosts t
             JOIN jobs j ON j.id = t.job_id
             JOIN rollouts r ON r.id = j.rollout_id
             JOIN hosts m ON m.id = t.host_id
             JOIN rollout_hosts h ON h.rollout_id = j.rollout_id AND h.host_id = t.host_id
             WHERE t.job_id IN ",
            )
            .list(jobs.iter().copied())
            .scope("j.team_id", scope)
            .push(" ORDER BY h.batch, h.position");
        let found = sql.all(self.repeated(), HOSTS, |cells| {
            let known = JobHost {
                host: host::read(cells)?,
                before: cells.maybe("version_before")?,
                touched: cells.parse::<HostPhase>("phase_before")?.touched(),
            };
            Ok((cells.parse("job_id")?, known))
        });
        for (job, known) in found.await? {
            of_jobs.entry(job).or_default().push(known);
        }
        Ok(of_jobs)
    }

    /// Name of a host a queued job waits for, because another job works on it.
    pub async fn busy_host(&self, scope: &Scope, job: JobId) -> Result<Option<String>> {
        let mut sql = Sql::new(
            "SELECT h.host_id, h.name FROM job_hosts mine JOIN jobs j ON j.id = mine.job_id
             JOIN rollout_hosts h ON h.rollout_id = j.rollout_id AND h.host_id = mine.host_id
             JOIN busy_hosts b ON b.host_id = mine.host_id WHERE j.stage = 'queued' AND j.id = ",
        );
        sql.bind(job)
            .scope("j.team_id", scope)
            .push(" ORDER BY h.position LIMIT 1");
        sql.optional(self.readers(), JOBS, |cells| cells.text("name"))
            .await
    }

    /// Jobs that ended and were not taken into account yet, oldest first. One whose report cannot be read is logged and
    /// passed over: it must not keep the others back.
    pub async fn finished_jobs(&self, limit: u32) -> Result<Vec<FinishedJob>> {
        let sql = Sql::new("SELECT id, rollout_id, report_json FROM jobs WHERE stage = 'finished' ORDER BY ended_at, id LIMIT $1").with(limit);
        let read = |cells: &Cells<'_>| {
            Ok(FinishedJob {
                rollout: cells.parse("rollout_id")?,
                job: cells.parse("id")?,
                report: cells.document("report_json")?,
            })
        };
        sql.readable(self.repeated(), JOBS, read).await
    }

    /// Asks a job to stop. Its worker ends every process of it; one that is still queued ends at once. Refuses with
    /// `Conflict` when it has ended or was asked before.
    pub async fn job_cancel(
        &self,
        permit: &Permit,
        job: JobId,
        reason: &str,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let team = cancel(&mut tx, job, permit.actor(), reason, at)
            .await?
            .ok_or_else(|| StoreError::conflict(format!("The job {job}")))?;
        let mut sql = Sql::new(ROW_COLUMNS);
        sql.push(ROW_TABLES).push("j.id = ").bind(job);
        let row = sql.optional(&mut *tx, JOBS, read_row).await?;
        let (_, row) = row.ok_or_else(|| StoreError::not_found(format!("The job {job}")))?;
        let summary = format!(
            "The {} of batch {} was asked to stop",
            row.kind.noun(),
            row.batch
        );
        let note = AuditNote::new("job.cancel", summary, reason);
        let object = Object::of(permit).of_team(team);
        audit::write(&mut tx, permit, &object, &[note], at).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_trouble_has_all_of_it() {
        let troubled = AttemptState::ALL.iter().filter(|state| state.troubled());
        let words: Vec<_> = troubled.map(|state| format!("'{state}'")).collect();
        assert_eq!(TROUBLED, format!("state IN ({})", words.join(", ")));
        let made = include_str!("../../../migrations/0021_jobs_in_trouble.sql");
        assert!(made.contains(&format!("WHERE {TROUBLED};")), "{made}");
    }
}
