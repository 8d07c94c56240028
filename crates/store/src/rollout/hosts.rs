//! Progress of a rollout's hosts: rows of their own, written set by set, so that 10,000 hosts are a few statements.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    host::{HostMark, HostPhase},
    id::{HostId, JobId, RolloutId},
    job::{JobKind, NewJob},
    plan::Plan,
    text::HostName,
};
use policy::Scope;
use view::{
    page::Page,
    rollout::{HostCell, TroubledHost, TroubledJob},
};

use crate::{
    Store,
    cells::Cells,
    cursor,
    database::Tx,
    error::Result,
    sql::{Arg, CHUNK, Source, Sql, source},
};

const ROLLOUT_HOSTS: Source = source("rollout_hosts", "host_id");

/// Writes every host of the plan as pending.
pub(crate) async fn insert(tx: &mut Tx, rollout: RolloutId, plan: &Plan) -> Result<()> {
    let rows: Vec<Vec<Arg>> = plan
        .batches
        .iter()
        .flat_map(|batch| {
            batch
                .hosts
                .iter()
                .zip(0_u32..)
                .map(move |(host, position)| (batch.number, position, host))
        })
        .map(|(batch, position, host)| {
            vec![
                rollout.into(),
                host.id.into(),
                batch.into(),
                position.into(),
                host.name.as_str().into(),
                HostPhase::Pending.word().into(),
                "".into(),
            ]
        })
        .collect();
    for rows in rows.chunks(CHUNK) {
        let mut sql = Sql::new(
            "INSERT INTO rollout_hosts (rollout_id, host_id, batch, position, name, phase, message) VALUES ",
        );
        sql.tuples(rows.iter().cloned());
        sql.run(&mut **tx).await?;
    }
    Ok(())
}

/// Writes what was learnt about hosts. Versions that were not seen stay as they are, but for what was observed before a change
/// failed: what runs there since, the host has not said.
pub(crate) async fn mark(tx: &mut Tx, rollout: RolloutId, marks: &[HostMark]) -> Result<()> {
    // One statement tells a host one thing: of several, the databases would take different ones.
    let mut told: BTreeMap<HostId, usize> = BTreeMap::new();
    let mut rounds: Vec<Vec<&HostMark>> = Vec::new();
    for mark in marks {
        let round = told.entry(mark.host).or_default();
        if rounds.len() == *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push(mark);
        *round += 1;
    }
    for marks in rounds.iter().flat_map(|round| round.chunks(CHUNK)) {
        let mut sql = Sql::new(
            "WITH marks (host_id, phase, version_before, version_observed, message) AS (VALUES ",
        );
        sql.tuples(marks.iter().map(|mark| {
            vec![
                mark.host.into(),
                mark.phase.word().into(),
                mark.before.as_ref().map(|version| version.as_str()).into(),
                mark.observed
                    .as_ref()
                    .map(|version| version.as_str())
                    .into(),
                mark.message.as_str().into(),
            ]
        }));
        sql.push(
            ") UPDATE rollout_hosts SET phase = marks.phase, message = marks.message,
                   version_before = COALESCE(marks.version_before, rollout_hosts.version_before),
                   version_observed = CASE WHEN marks.phase IN ('failed', 'rollback_failed') THEN marks.version_observed
                       ELSE COALESCE(marks.version_observed, rollout_hosts.version_observed) END
               FROM marks WHERE rollout_hosts.host_id = marks.host_id AND rollout_hosts.rollout_id = ",
        );
        sql.bind(rollout);
        sql.run(&mut **tx).await?;
    }
    let seen: Vec<&HostMark> = marks
        .iter()
        .filter(|mark| mark.observed.is_some() || mark.before.is_some())
        .collect();
    for seen in seen.chunks(CHUNK) {
        let mut sql = Sql::new(
            "INSERT INTO installed (service_id, host_id, environment_id, version)
             SELECT r.service_id, h.host_id, m.environment_id, COALESCE(h.version_observed, h.version_before)
             FROM rollout_hosts h JOIN rollouts r ON r.id = h.rollout_id JOIN hosts m ON m.id = h.host_id
             WHERE m.removed_at IS NULL AND COALESCE(h.version_observed, h.version_before) IS NOT NULL AND h.rollout_id = ",
        );
        sql.bind(rollout)
            .push(" AND h.host_id IN ")
            .list(seen.iter().map(|mark| mark.host))
            .push(" ON CONFLICT (service_id, host_id) DO UPDATE SET version = excluded.version WHERE installed.version <> excluded.version");
        sql.run(&mut **tx).await?;
    }
    Ok(())
}

/// Gives a new job the hosts of its batch that its kind takes, and shows them under way.
pub(crate) async fn take(tx: &mut Tx, rollout: RolloutId, job: &NewJob) -> Result<()> {
    let takes = || {
        let phases = HostPhase::ALL.iter();
        phases
            .filter(|phase| job.kind.takes(**phase))
            .map(|phase| phase.word())
    };
    // A rollout that ended gave its hosts back, and some may have left the inventory since.
    let mut sql = Sql::new("UPDATE rollout_hosts SET phase = ");
    sql.bind(HostPhase::Gone.word())
        .push(", message = 'It has left the inventory.' WHERE rollout_id = ")
        .bind(rollout)
        .push(" AND batch = ")
        .bind(job.batch)
        .push(" AND phase IN ")
        .list(takes())
        .push(" AND host_id IN (SELECT id FROM hosts WHERE removed_at IS NOT NULL)");
    sql.run(&mut **tx).await?;
    let mut sql = Sql::new("INSERT INTO job_hosts (job_id, host_id, phase_before) SELECT ");
    sql.bind(job.id)
        .push(", host_id, phase FROM rollout_hosts WHERE rollout_id = ")
        .bind(rollout)
        .push(" AND batch = ")
        .bind(job.batch)
        .push(" AND phase IN ")
        .list(takes());
    sql.run(&mut **tx).await?;
    if let Some(phase) = job.kind.under_way() {
        let sql = Sql::new(
            "UPDATE rollout_hosts SET phase = $1, message = '' WHERE rollout_id = $2 AND host_id IN (SELECT host_id FROM job_hosts WHERE job_id = $3)",
        );
        sql.with(phase.word())
            .with(rollout)
            .with(job.id)
            .run(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Whether one of a rollout's hosts has left the inventory.
pub(crate) async fn any_left(tx: &mut Tx, rollout: RolloutId) -> Result<bool> {
    let sql = Sql::new(
        "SELECT t.host_id FROM rollout_hosts t JOIN hosts h ON h.id = t.host_id WHERE t.rollout_id = $1 AND h.removed_at IS NOT NULL LIMIT 1",
    )
    .with(rollout);
    let left = sql.optional(&mut **tx, ROLLOUT_HOSTS, |cells| cells.text("host_id"));
    Ok(left.await?.is_some())
}

/// Shows the hosts of a job that never touched them as they were before it was queued.
pub(crate) async fn put_back(
    tx: &mut Tx,
    rollout: RolloutId,
    job: JobId,
    kind: JobKind,
) -> Result<()> {
    if let Some(phase) = kind.under_way() {
        let sql = Sql::new(
            "UPDATE rollout_hosts SET phase = before.phase_before FROM job_hosts before
             WHERE before.job_id = $1 AND before.host_id = rollout_hosts.host_id AND rollout_hosts.rollout_id = $2 AND rollout_hosts.phase = $3",
        );
        sql.with(job)
            .with(rollout)
            .with(phase.word())
            .run(&mut **tx)
            .await?;
    }
    Ok(())
}

type Key = (u32, u32);

/// Goes on behind the row of `rollout_hosts` `h` that the cursor names.
fn after(sql: &mut Sql, cursor: Option<&str>) -> Result<()> {
    if let Some((batch, position)) = cursor::read::<Key>(cursor)? {
        sql.push(" AND (h.batch, h.position) > (")
            .bind(batch)
            .push(", ")
            .bind(position)
            .push(")");
    }
    Ok(())
}

fn read(cells: &Cells<'_>) -> Result<(Key, HostCell)> {
    let cell = HostCell {
        name: cells.text("name")?,
        batch: cells.count("batch")?,
        phase: cells.parse("phase")?,
        version_before: cells.maybe("version_before")?,
        version_observed: cells.maybe("version_observed")?,
        message: cells.text("message")?,
    };
    Ok(((cell.batch, cells.count("position")?), cell))
}

fn read_troubled(cells: &Cells<'_>) -> Result<(Key, TroubledHost)> {
    let job = match cells.maybe("job_id")? {
        Some(id) => Some(TroubledJob {
            id,
            state: cells.text("job_state")?,
            task: None,
            task_at: None,
        }),
        None => None,
    };
    let host = TroubledHost {
        name: cells.text("name")?,
        batch: cells.count("batch")?,
        phase: cells.parse("phase")?,
        message: cells.text("message")?,
        version_before: cells.maybe("version_before")?,
        version_observed: cells.maybe("version_observed")?,
        job,
        asked_at: cells.maybe_time("asked_at")?,
    };
    Ok(((host.batch, cells.count("position")?), host))
}

/// What earlier rollouts of the service last saw on a host, for a row `h` of `rollout_hosts` and its rollout `r`.
pub(crate) const SEEN_BEFORE: &str = "(
     SELECT COALESCE(o.version_observed, o.version_before) FROM rollout_hosts o JOIN rollouts p ON p.id = o.rollout_id
     WHERE o.host_id = h.host_id AND o.rollout_id <> h.rollout_id AND p.service_id = r.service_id
         AND (p.released_at < r.released_at OR r.state IN ('draft', 'awaiting_approval', 'scheduled'))
         AND COALESCE(o.version_observed, o.version_before) IS NOT NULL
     ORDER BY p.released_at DESC, p.id DESC LIMIT 1)";

impl Store {
    /// A page of a rollout's hosts in the order of their change, of one batch or of all.
    pub async fn host_cells(
        &self,
        scope: &Scope,
        rollout: RolloutId,
        batch: Option<u32>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<HostCell>> {
        let mut sql = Sql::new(
            "SELECT h.host_id, h.name, h.batch, h.position, h.phase, h.version_observed, h.message, COALESCE(h.version_before, ",
        );
        sql.push(SEEN_BEFORE)
            .push(") AS version_before FROM rollout_hosts h JOIN rollouts r ON r.id = h.rollout_id WHERE h.rollout_id = ")
            .bind(rollout).scope("r.team_id", scope);
        if let Some(batch) = batch {
            sql.push(" AND h.batch = ").bind(batch);
        }
        after(&mut sql, cursor)?;
        sql.push(" ORDER BY h.batch, h.position LIMIT ")
            .bind(cursor::fetch(limit));
        cursor::page(sql.all(self.readers(), ROLLOUT_HOSTS, read).await?, limit)
    }

    /// What hosts were last seen to run: the service's slug and its version, by slug.
    pub async fn installed(
        &self,
        scope: &Scope,
        hosts: &[HostId],
    ) -> Result<BTreeMap<HostId, Vec<(String, String)>>> {
        let mut installed: BTreeMap<HostId, Vec<(String, String)>> = BTreeMap::new();
        for hosts in hosts.chunks(CHUNK) {
            let mut sql = Sql::new(
                "SELECT i.host_id, s.slug, i.version FROM installed i JOIN services s ON s.id = i.service_id WHERE i.host_id IN ",
            );
            sql.list(hosts.iter().copied())
                .scope("s.team_id", scope)
                .push(" ORDER BY s.slug");
            let seen = sql
                .all(self.readers(), ROLLOUT_HOSTS, |cells| {
                    Ok((
                        cells.parse("host_id")?,
                        (cells.text("slug")?, cells.text("version")?),
                    ))
                })
                .await?;
            for (host, runs) in seen {
                installed.entry(host).or_default().push(runs);
            }
        }
        Ok(installed)
    }

    /// Hosts of a rollout by their names, with batch and phase; those it does not have are left out.
    pub async fn hosts_named(
        &self,
        scope: &Scope,
        rollout: RolloutId,
        names: &BTreeSet<HostName>,
    ) -> Result<Vec<(HostId, HostName, u32, HostPhase)>> {
        let names: Vec<&HostName> = names.iter().collect();
        let mut found = Vec::new();
        for names in names.chunks(CHUNK) {
            let mut sql = Sql::new(
                "SELECT h.host_id, h.name, h.batch, h.phase FROM rollout_hosts h JOIN rollouts r ON r.id = h.rollout_id WHERE h.rollout_id = ",
            );
            sql.bind(rollout)
                .scope("r.team_id", scope)
                .push(" AND h.name IN ")
                .list(names.iter().map(|name| name.as_str()))
                .push(" ORDER BY h.batch, h.position");
            let read = |cells: &Cells<'_>| {
                Ok((
                    cells.parse("host_id")?,
                    cells.parse("name")?,
                    cells.count("batch")?,
                    cells.parse("phase")?,
                ))
            };
            found.extend(sql.all(self.readers(), ROLLOUT_HOSTS, read).await?);
        }
        Ok(found)
    }

    /// Names of the hosts that the rollout no longer cares for: excluded, or gone from the inventory.
    pub async fn left_out(&self, scope: &Scope, rollout: RolloutId) -> Result<BTreeSet<String>> {
        let mut sql = Sql::new(
            "SELECT h.host_id, h.name FROM rollout_hosts h JOIN rollouts r ON r.id = h.rollout_id WHERE h.rollout_id = ",
        );
        sql.bind(rollout)
            .scope("r.team_id", scope)
            .push(" AND h.phase IN ")
            .list([HostPhase::Excluded, HostPhase::Gone].map(HostPhase::word));
        let names = sql.all(self.readers(), ROLLOUT_HOSTS, |cells| cells.text("name"));
        Ok(names.await?.into_iter().collect())
    }

    /// Names of hosts that keep a waiting batch from going on, in the order of their change.
    pub async fn stuck(
        &self,
        scope: &Scope,
        rollout: RolloutId,
        limit: u32,
    ) -> Result<Vec<String>> {
        let mut sql = Sql::new(
            "SELECT h.host_id, h.name FROM rollout_hosts h JOIN rollouts r ON r.id = h.rollout_id
             JOIN batches b ON b.rollout_id = h.rollout_id AND b.number = h.batch
             WHERE b.state IN ('held', 'backing_off') AND b.verified_at IS NULL AND h.rollout_id = ",
        );
        let stuck = HostPhase::ALL.iter().filter(|phase| phase.troubled());
        sql.bind(rollout)
            .scope("r.team_id", scope)
            .push(" AND h.phase IN ")
            .list(stuck.map(|phase| phase.word()))
            .push(" ORDER BY h.batch, h.position LIMIT ")
            .bind(limit);
        sql.all(self.readers(), ROLLOUT_HOSTS, |cells| cells.text("name"))
            .await
    }

    /// A page of hosts that need a person, in the order of their change, each with the newest job that was to change it.
    pub async fn troubled(
        &self,
        scope: &Scope,
        rollout: RolloutId,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<TroubledHost>> {
        let mut sql = Sql::new(
            "SELECT t.*, j.state AS job_state FROM (
                 SELECT h.host_id, h.name, h.batch, h.position, h.phase, h.message, h.version_observed, COALESCE(h.version_before, ",
        );
        sql.push(SEEN_BEFORE).push(
            ") AS version_before,
                     (SELECT j.id FROM jobs j JOIN job_hosts t ON t.job_id = j.id WHERE j.rollout_id = h.rollout_id
                          AND t.host_id = h.host_id AND j.kind IN ('deploy', 'roll_back') ORDER BY j.queued_at DESC, j.id DESC LIMIT 1) AS job_id,
                     (SELECT MAX(j.ended_at) FROM jobs j JOIN job_hosts t ON t.job_id = j.id WHERE j.rollout_id = h.rollout_id
                          AND t.host_id = h.host_id AND j.kind IN ('probe', 'probe_unknown')) AS asked_at
                 FROM rollout_hosts h JOIN rollouts r ON r.id = h.rollout_id WHERE h.rollout_id = ",
        );
        let troubled = HostPhase::ALL.iter().filter(|phase| phase.troubled());
        sql.bind(rollout)
            .scope("r.team_id", scope)
            .push(" AND h.phase IN ")
            .list(troubled.map(|phase| phase.word()));
        after(&mut sql, cursor)?;
        sql.push(" ORDER BY h.batch, h.position LIMIT ")
            .bind(cursor::fetch(limit))
            .push(") t LEFT JOIN jobs j ON j.id = t.job_id ORDER BY t.batch, t.position");
        let found = sql.all(self.readers(), ROLLOUT_HOSTS, read_troubled);
        cursor::page(found.await?, limit)
    }

    /// How many hosts of each batch are in which phase; only what occurs.
    pub async fn host_counts(
        &self,
        scope: &Scope,
        rollout: RolloutId,
    ) -> Result<Vec<(u32, HostPhase, u32)>> {
        let mut sql = Sql::new(
            "SELECT h.batch, h.phase, COUNT(*) AS hosts FROM rollout_hosts h JOIN rollouts r ON r.id = h.rollout_id WHERE h.rollout_id = ",
        );
        sql.bind(rollout)
            .scope("r.team_id", scope)
            .push(" GROUP BY h.batch, h.phase ORDER BY h.batch, h.phase");
        sql.all(self.readers(), ROLLOUT_HOSTS, |cells| {
            Ok((
                cells.count("batch")?,
                cells.parse("phase")?,
                cells.count("hosts")?,
            ))
        })
        .await
    }
}
