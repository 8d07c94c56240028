//! Which queued job starts next.
//!
//! Ready jobs of one kind, environment and team form a lane, oldest first; only the heads of lanes are compared. A job
//! found to wait for another one leaves its lane until that one is no longer under way, so that however many wait, they
//! are looked at once and not with each claim.

use std::{
    collections::{BTreeMap, HashMap},
    iter,
};

use domain::{
    Timestamp,
    attempt::{Attempt, AttemptState},
    audit::AuditNote,
    id::{AttemptId, JobId, RolloutId},
    job::JobKind,
};
use policy::Permit;

use super::{
    lanes::{Candidate, Lane, candidates, lanes_of},
    write_note,
};
use crate::{Store, database::Tx, error::Result, job::JOBS, sql::Sql};

/// Which jobs a worker has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimable {
    /// Deploys only where fewer than so many run in their environment.
    Any { in_environment: u32 },
    /// Neither deploys nor dry runs of them.
    AllButDeploys,
}

impl Claimable {
    /// Whatever is queued.
    pub const ALL: Self = Self::Any {
        in_environment: u32::MAX,
    };

    /// What may start here, in the order of its urgency: what brings hosts back, what asks them, what can wait.
    fn kinds(self) -> impl Iterator<Item = &'static [JobKind]> {
        const RANKS: [&[JobKind]; 3] = [
            &[JobKind::RollBack],
            &[JobKind::Probe, JobKind::ProbeUnknown],
            &[JobKind::Deploy, JobKind::DryRun],
        ];
        let room = move |kind: &JobKind| self != Self::AllButDeploys || !kind.can_wait();
        RANKS.into_iter().filter(move |rank| rank.iter().all(room))
    }

    /// The most jobs of a kind that may run in one environment.
    const fn most(self, kind: JobKind) -> u32 {
        match (self, kind) {
            (Self::Any { in_environment }, JobKind::Deploy) => in_environment,
            _ => u32::MAX,
        }
    }
}

/// A job that a worker may run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub job: JobId,
    pub kind: JobKind,
    /// 1-based.
    pub batch: u32,
    pub rollout: RolloutId,
    pub queued_at: Timestamp,
    pub attempt: Attempt,
}

/// Transactions of one claim. What is left of a queue in which more wait is looked at with the next claim.
const LOOKS: u32 = 20;

/// What one look at the queue brought.
enum Look {
    Claimed(Claimed),
    /// Some jobs left their lane; what is behind them may be ready.
    Again,
    Nothing,
}

/// What is under way: in all by team, and by environment and kind.
#[derive(Default)]
struct UnderWay {
    of_team: HashMap<String, u32>,
    in_environment: HashMap<(String, JobKind), u32>,
}

/// Who claims, and with what.
struct Claim<'a> {
    permit: &'a Permit,
    worker: &'a str,
    attempt: AttemptId,
    now: Timestamp,
    lease_until: Timestamp,
}

impl Store {
    /// Gives a queued job to this worker under a new attempt; `None` when none can start now. What brings hosts back
    /// comes first, then what asks them, then deploys; of each, the team with the fewest jobs under way; of its own, the
    /// oldest. A job waits while another one works on one of its hosts. To be settled before anything of it is started: a
    /// claim that a power cut made forgotten would be run again.
    pub async fn claim(
        &self,
        permit: &Permit,
        worker: &str,
        attempt: AttemptId,
        now: Timestamp,
        lease_until: Timestamp,
        which: Claimable,
    ) -> Result<Option<Claimed>> {
        let claim = Claim {
            permit,
            worker,
            attempt,
            now,
            lease_until,
        };
        for _ in 0..LOOKS {
            // Nearly always there is nothing to do, and then nothing is locked.
            let any = Sql::new(
                "SELECT id FROM jobs WHERE stage = 'queued' AND waits_for IS NULL LIMIT 1",
            );
            let any = any.optional(self.readers(), JOBS, |cells| cells.text("id"));
            if any.await?.is_none() {
                return Ok(None);
            }
            let mut tx = self.begin_relaxed().await?;
            match look(&mut tx, which, &claim).await? {
                Look::Claimed(claimed) => {
                    tx.commit().await?;
                    return Ok(Some(claimed));
                }
                Look::Again => tx.commit().await?,
                Look::Nothing => return Ok(None),
            }
        }
        Ok(None)
    }
}

async fn look(tx: &mut Tx, which: Claimable, claim: &Claim<'_>) -> Result<Look> {
    // Claims come one after the other, so that no two of them see the same hosts free.
    let lock = Sql::new("UPDATE counters SET value = value + 1 WHERE name = 'claims'");
    lock.run(&mut **tx).await?;
    let under_way = under_way(tx).await?;
    for rank in which.kinds() {
        let of = |lane: &Lane| {
            let of = under_way.of_team.get(&lane.team);
            of.copied().unwrap_or_default()
        };
        let mut lanes = Vec::new();
        for kind in rank {
            lanes.extend(lanes_of(tx, *kind).await?);
        }
        lanes.retain(|lane| {
            let running = (lane.environment.clone(), lane.kind);
            let running = under_way.in_environment.get(&running);
            running.copied().unwrap_or_default() < which.most(lane.kind)
        });
        lanes.sort_by(|one, other| (of(one), &one.oldest).cmp(&(of(other), &other.oldest)));
        for lane in &lanes {
            let mut window = candidates(tx, lane).await?.into_iter();
            let Some(head) = window.next() else { continue };
            if waiting(tx, [head.job]).await?.is_empty() {
                let taken = take(tx, lane.kind, head, claim).await?;
                return Ok(taken.map_or(Look::Again, Look::Claimed));
            }
            // What was queued after it may be younger than the head of another lane, so all are compared again.
            let jobs = iter::once(head.job).chain(window.map(|next| next.job));
            let waiting = waiting(tx, jobs).await?;
            return wait(tx, waiting).await.map(|()| Look::Again);
        }
    }
    Ok(Look::Nothing)
}

async fn under_way(tx: &mut Tx) -> Result<UnderWay> {
    let sql =
        Sql::new("SELECT id, team_id, environment_id, kind FROM jobs WHERE stage = 'claimed'");
    let jobs = sql.readable(&mut **tx, JOBS, |cells| {
        let environment = cells.text("environment_id")?;
        Ok((cells.text("team_id")?, (environment, cells.parse("kind")?)))
    });
    let mut under_way = UnderWay::default();
    for (team, place) in jobs.await? {
        *under_way.of_team.entry(team).or_default() += 1;
        *under_way.in_environment.entry(place).or_default() += 1;
    }
    Ok(under_way)
}

/// Those of `jobs` on whose hosts another one works, by that one.
async fn waiting(
    tx: &mut Tx,
    jobs: impl IntoIterator<Item = JobId>,
) -> Result<BTreeMap<JobId, Vec<JobId>>> {
    let mut sql = Sql::new(
        "SELECT mine.job_id AS id, MIN(b.job_id) AS other FROM job_hosts mine JOIN busy_hosts b ON b.host_id = mine.host_id WHERE mine.job_id IN ",
    );
    sql.list(jobs).push(" GROUP BY mine.job_id");
    let found = sql.all(&mut **tx, JOBS, |cells| {
        Ok((cells.parse("other")?, cells.parse("id")?))
    });
    let mut waiting: BTreeMap<JobId, Vec<JobId>> = BTreeMap::new();
    for (other, job) in found.await? {
        waiting.entry(other).or_default().push(job);
    }
    Ok(waiting)
}

/// Takes jobs out of their lane until those they wait for, by which they are given, are no longer under way.
async fn wait(tx: &mut Tx, waiting: BTreeMap<JobId, Vec<JobId>>) -> Result<()> {
    for (other, jobs) in waiting {
        // Locks it on PostgreSQL, or it might end and call nobody in the moment before they wait for it.
        let sql = Sql::new("UPDATE jobs SET fencing = fencing WHERE id = $1 AND stage = 'claimed'")
            .with(other);
        if sql.run(&mut **tx).await? == 0 {
            continue;
        }
        let mut sql = Sql::new("UPDATE jobs SET waits_for = ");
        sql.bind(other)
            .push(" WHERE stage = 'queued' AND id IN ")
            .list(jobs);
        sql.run(&mut **tx).await?;
    }
    Ok(())
}

/// A job is no longer under way: its hosts are free, and what waited for it goes back to its lane.
pub(super) async fn make_way(tx: &mut Tx, job: JobId) -> Result<()> {
    for sql in [
        "DELETE FROM busy_hosts WHERE job_id = $1",
        "UPDATE jobs SET waits_for = NULL WHERE waits_for = $1",
    ] {
        Sql::new(sql).with(job).run(&mut **tx).await?;
    }
    Ok(())
}

/// Gives the job to the worker; nothing when it was cancelled in this very moment.
async fn take(
    tx: &mut Tx,
    kind: JobKind,
    candidate: Candidate,
    claim: &Claim<'_>,
) -> Result<Option<Claimed>> {
    let Candidate {
        job,
        rollout,
        team,
        batch,
        queued_at,
    } = candidate;
    let sql = Sql::new(
        "UPDATE jobs SET stage = 'claimed', state = $1, fencing = fencing + 1 WHERE id = $2 AND stage = 'queued' RETURNING id, fencing",
    )
        .with(AttemptState::Starting.word())
        .with(job);
    let taken = sql.optional(&mut **tx, JOBS, |cells| {
        Ok((cells.int("fencing")?, cells.count("fencing")?))
    });
    let Some((fencing, number)) = taken.await? else {
        return Ok(None);
    };
    Sql::new("INSERT INTO busy_hosts (host_id, job_id) SELECT host_id, job_id FROM job_hosts WHERE job_id = $1")
        .with(job)
        .run(&mut **tx)
        .await?;
    let attempt = Attempt {
        id: claim.attempt,
        job,
        // Fencing grows by one with each claim, so it also counts the attempts.
        number,
        state: AttemptState::Starting,
        fencing,
        started_at: None,
        ended_at: None,
    };
    let sql = Sql::new(
        "INSERT INTO attempts (id, job_id, number, state, fencing, worker, lease_until, event_offset, message) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '')",
    )
        .with(attempt.id)
        .with(job)
        .with(number)
        .with(attempt.state.word())
        .with(fencing)
        .with(claim.worker)
        .with(claim.lease_until);
    sql.run(&mut **tx).await?;
    let note = AuditNote::new(
        "job.start",
        format!(
            "Attempt {number} of the {} of batch {batch} started",
            kind.noun()
        ),
        format!("Worker {}", claim.worker),
    );
    write_note(tx, claim.permit, job, team, note, claim.now).await?;
    Ok(Some(Claimed {
        job,
        kind,
        batch,
        rollout,
        queued_at,
        attempt,
    }))
}
