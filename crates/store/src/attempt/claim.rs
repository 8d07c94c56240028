//! Which queued job starts next.
//!
//! Ready jobs of one kind, environment and team form a lane, oldest first; only the heads of lanes are compared. A job
//! found to wait for another one leaves its lane until that one is no longer under way, so that however many wait, they
//! are looked at once and not with each claim.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::{
    Timestamp,
    attempt::{Attempt, AttemptState},
    audit::AuditNote,
    id::{AttemptId, JobId, RolloutId, TeamId},
    job::JobKind,
};
use policy::Permit;
use sqlx::AnyPool;

use super::{
    lanes::{Candidate, Lane, candidates, lanes_of},
    object, write_notes,
};
use crate::{
    Store,
    database::Tx,
    error::Result,
    job::JOBS,
    sql::{Arg, CHUNK, Sql},
};

/// How many jobs a worker has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub jobs: u32,
    /// Of those, deploys and dry runs of them.
    pub deploys: u32,
    /// Deploys that may run in one environment, with those under way.
    pub in_environment: u32,
}

impl Room {
    /// For one job, whatever it is.
    pub const ONE: Self = Self {
        jobs: 1,
        deploys: 1,
        in_environment: u32::MAX,
    };

    const fn has(self, kind: JobKind) -> bool {
        self.jobs > 0 && (self.deploys > 0 || !kind.can_wait())
    }

    fn give(&mut self, kind: JobKind) {
        self.jobs = self.jobs.saturating_sub(1);
        self.deploys = self.deploys.saturating_sub(u32::from(kind.can_wait()));
    }

    /// The most jobs of a kind that may run in one environment.
    const fn most(self, kind: JobKind) -> u32 {
        match kind {
            JobKind::Deploy => self.in_environment,
            _ => u32::MAX,
        }
    }
}

/// What starts first: what brings hosts back, then what asks them, then what can wait.
const RANKS: [&[JobKind]; 3] = [
    &[JobKind::RollBack],
    &[JobKind::Probe, JobKind::ProbeUnknown],
    &[JobKind::Deploy, JobKind::DryRun],
];

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

/// Whether another look at the queue may find more.
#[derive(PartialEq, Eq)]
enum Look {
    /// Some jobs left their lane; what is behind them may be ready.
    Again,
    Done,
}

/// What is under way: in all by team, and by environment and kind.
#[derive(Clone, Default)]
struct UnderWay {
    of_team: HashMap<String, u32>,
    in_environment: HashMap<(String, JobKind), u32>,
}

impl UnderWay {
    fn add(&mut self, team: &str, environment: &str, kind: JobKind) {
        *self.of_team.entry(team.to_owned()).or_default() += 1;
        let place = (environment.to_owned(), kind);
        *self.in_environment.entry(place).or_default() += 1;
    }

    fn of_team(&self, team: &str) -> u32 {
        self.of_team.get(team).copied().unwrap_or_default()
    }

    fn in_environment(&self, lane: &Lane) -> u32 {
        let place = (lane.environment.clone(), lane.kind);
        self.in_environment.get(&place).copied().unwrap_or_default()
    }
}

/// Who claims, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub permit: &'a Permit,
    pub worker: &'a str,
    pub now: Timestamp,
    pub lease_until: Timestamp,
}

impl Store {
    /// Gives queued jobs to this worker, each under a new attempt whose id `mint` makes, as long as it has room for them and
    /// they can start. What brings hosts back comes first, then what asks them, then deploys; of each, the team with the
    /// fewest jobs under way; of its own, the oldest. A job waits while another one works on one of its hosts. To be settled
    /// before anything of them is started: a claim that a power cut made forgotten would be run again.
    pub async fn claim(
        &self,
        claim: Claim<'_>,
        mut room: Room,
        mut mint: impl FnMut() -> AttemptId,
    ) -> Result<Vec<Claimed>> {
        let mut claimed = Vec::new();
        for _ in 0..LOOKS {
            // Nearly always there is nothing to do, and then nothing is locked.
            let ready = ready(self.repeated()).await?;
            if !ready.iter().any(|kind| room.has(*kind)) {
                break;
            }
            let mut tx = self.begin_relaxed().await?;
            let mut taken = Vec::new();
            let look = look(&mut tx, &ready, &mut room, &mut taken, &mut mint).await?;
            if look == Look::Done && taken.is_empty() {
                break;
            }
            write(&mut tx, &claim, &taken).await?;
            tx.commit().await?;
            claimed.extend(taken.into_iter().map(|taken| taken.claimed));
            if look == Look::Done {
                break;
            }
        }
        Ok(claimed)
    }
}

/// Kinds of which jobs are ready.
async fn ready(on: &AnyPool) -> Result<Vec<JobKind>> {
    let mut sql = Sql::new("WITH kinds (kind) AS (VALUES ");
    let kinds = RANKS.into_iter().flatten();
    sql.tuples(kinds.map(|kind| vec![Arg::from(kind.word())]))
        // A limit, because PostgreSQL turns EXISTS into a join for which it reads the whole queue.
        .push(") SELECT kind AS id, kind FROM kinds WHERE 1 = (SELECT 1 FROM jobs j WHERE j.stage = 'queued' AND j.waits_for IS NULL AND j.kind = kinds.kind LIMIT 1)");
    sql.all(on, JOBS, |cells| cells.parse("kind")).await
}

/// A job that was taken in a transaction which has not ended.
struct Taken {
    claimed: Claimed,
    team: TeamId,
}

async fn look(
    tx: &mut Tx,
    ready: &[JobKind],
    room: &mut Room,
    taken: &mut Vec<Taken>,
    mint: &mut impl FnMut() -> AttemptId,
) -> Result<Look> {
    // Claims come one after the other, so that no two of them see the same hosts free.
    let lock = Sql::new("UPDATE counters SET value = value + 1 WHERE name = 'claims'");
    lock.run(&mut **tx).await?;
    let mut under_way = under_way(tx).await?;
    for rank in RANKS {
        if !rank.iter().all(|kind| room.has(*kind)) {
            continue;
        }
        let mut lanes = Vec::new();
        for kind in rank.iter().filter(|kind| ready.contains(kind)) {
            lanes.extend(lanes_of(tx, *kind).await?);
        }
        loop {
            let picks = pick(tx, &mut lanes, *room, under_way.clone()).await?;
            if picks.is_empty() {
                break;
            }
            let free = free(tx, &picks).await?;
            let (first, rest) = picks.split_at(free);
            for (pick, claimed) in take(tx, first, mint).await? {
                let (lane, team) = (&lanes[pick.lane], pick.candidate.team);
                under_way.add(&lane.team, &lane.environment, lane.kind);
                room.give(lane.kind);
                taken.push(Taken { claimed, team });
            }
            if let Some(stopped) = rest.first() {
                // What was queued after it may be younger than the head of another lane, so all are compared again.
                let same = rest.iter().filter(|pick| pick.lane == stopped.lane);
                let picked = same.map(|pick| pick.candidate.job);
                let window = lanes[stopped.lane].window.iter().flatten();
                let jobs = picked.chain(window.map(|next| next.job));
                let waiting = waiting(tx, jobs).await?;
                return wait(tx, waiting).await.map(|()| Look::Again);
            }
        }
    }
    Ok(Look::Done)
}

/// A job whose turn it is, if its hosts are free.
struct Pick {
    /// Which of the lanes it is in.
    lane: usize,
    kind: JobKind,
    candidate: Candidate,
}

/// Takes the heads of lanes in their turn, as far as there is room and the queue was read.
async fn pick(
    tx: &mut Tx,
    lanes: &mut [Lane],
    mut room: Room,
    mut under_way: UnderWay,
) -> Result<Vec<Pick>> {
    let mut picks = Vec::new();
    while let Some(number) = next_lane(lanes, room, &under_way) {
        let lane = &mut lanes[number];
        let Some(window) = &mut lane.window else {
            let window = candidates(tx, lane).await?;
            lane.oldest = window.front().map(Candidate::age);
            lane.window = Some(window);
            continue;
        };
        let Some(candidate) = window.pop_front() else {
            break;
        };
        under_way.add(&lane.team, &lane.environment, lane.kind);
        room.give(lane.kind);
        picks.push(Pick {
            lane: number,
            kind: lane.kind,
            candidate,
        });
        let next = window.front().map(Candidate::age);
        let more = next.is_none() && lane.is_long;
        lane.oldest = next.or_else(|| lane.oldest.take().filter(|_| more));
        if more {
            // Those behind can be read when these are taken.
            lane.window = None;
            break;
        }
    }
    Ok(picks)
}

/// The lane whose head comes next: of the team with the fewest jobs under way, the oldest.
fn next_lane(lanes: &[Lane], room: Room, under_way: &UnderWay) -> Option<usize> {
    let ready = lanes.iter().enumerate().filter(|(_, lane)| {
        lane.oldest.is_some()
            && room.has(lane.kind)
            && under_way.in_environment(lane) < room.most(lane.kind)
    });
    let first = ready.min_by(|(_, one), (_, other)| {
        let place = |lane: &Lane| under_way.of_team(&lane.team);
        (place(one), &one.oldest).cmp(&(place(other), &other.oldest))
    });
    first.map(|(number, _)| number)
}

/// How many of them, from the first on, have hosts that nobody works on and no earlier one takes.
async fn free(tx: &mut Tx, picks: &[Pick]) -> Result<usize> {
    let jobs = || picks.iter().map(|pick| pick.candidate.job);
    let busy: HashSet<JobId> = waiting(tx, jobs()).await?.into_values().flatten().collect();
    let free = jobs().take_while(|job| !busy.contains(job)).count();
    if free < 2 {
        return Ok(free);
    }
    let mut sql = Sql::new("WITH picks (job_id, place) AS (VALUES ");
    sql.tuples((0_u32..).zip(jobs().take(free)).map(|(place, job)| vec![job.into(), place.into()]))
        .push(
            "), of_host (job_id, place, turn) AS (
                 SELECT p.job_id, p.place, ROW_NUMBER() OVER (PARTITION BY t.host_id ORDER BY p.place)
                 FROM picks p JOIN job_hosts t ON t.job_id = p.job_id)
             SELECT job_id AS id, place FROM of_host WHERE turn > 1 ORDER BY place LIMIT 1",
        );
    let meets = sql.optional(&mut **tx, JOBS, |cells| cells.count("place"));
    Ok(meets.await?.map_or(free, |place| place as usize))
}

async fn under_way(tx: &mut Tx) -> Result<UnderWay> {
    let sql =
        Sql::new("SELECT id, team_id, environment_id, kind FROM jobs WHERE stage = 'claimed'");
    let jobs = sql.readable(&mut **tx, JOBS, |cells| {
        Ok((
            cells.text("team_id")?,
            cells.text("environment_id")?,
            cells.parse("kind")?,
        ))
    });
    let mut under_way = UnderWay::default();
    for (team, environment, kind) in jobs.await? {
        under_way.add(&team, &environment, kind);
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

/// These jobs are no longer under way: their hosts are free, and what waited for one of them goes back to its lane.
pub(super) async fn make_way(tx: &mut Tx, jobs: &[JobId]) -> Result<()> {
    for jobs in jobs.chunks(CHUNK) {
        for text in [
            "DELETE FROM busy_hosts WHERE job_id IN ",
            "UPDATE jobs SET waits_for = NULL WHERE waits_for IN ",
        ] {
            let mut sql = Sql::new(text);
            sql.list(jobs.iter().copied());
            sql.run(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Takes jobs out of the queue, and their hosts; all but those that were cancelled in this very moment.
async fn take<'a>(
    tx: &mut Tx,
    picks: &'a [Pick],
    mint: &mut impl FnMut() -> AttemptId,
) -> Result<Vec<(&'a Pick, Claimed)>> {
    if picks.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new("UPDATE jobs SET stage = 'claimed', fencing = fencing + 1, state = ");
    sql.bind(AttemptState::Starting.word())
        .push(" WHERE stage = 'queued' AND id IN ")
        .list(picks.iter().map(|pick| pick.candidate.job))
        .push(" RETURNING id, fencing");
    let taken = sql.all(&mut **tx, JOBS, |cells| {
        let fencing = (cells.int("fencing")?, cells.count("fencing")?);
        Ok((cells.parse("id")?, fencing))
    });
    let taken: HashMap<JobId, (i64, u32)> = taken.await?.into_iter().collect();
    let mut sql = Sql::new(
        "INSERT INTO busy_hosts (host_id, job_id) SELECT host_id, job_id FROM job_hosts WHERE job_id IN ",
    );
    sql.list(taken.keys().copied());
    sql.run(&mut **tx).await?;
    let claimed = picks.iter().filter_map(|pick| {
        let Candidate {
            job,
            rollout,
            batch,
            queued_at,
            ..
        } = pick.candidate;
        // Fencing grows by one with each claim, so it also counts the attempts.
        let (fencing, number) = *taken.get(&job)?;
        let attempt = Attempt {
            id: mint(),
            job,
            number,
            state: AttemptState::Starting,
            fencing,
            started_at: None,
            ended_at: None,
        };
        let claimed = Claimed {
            job,
            kind: pick.kind,
            batch,
            rollout,
            queued_at,
            attempt,
        };
        Some((pick, claimed))
    });
    Ok(claimed.collect())
}

/// Writes the attempts at what was taken.
async fn write(tx: &mut Tx, claim: &Claim<'_>, taken: &[Taken]) -> Result<()> {
    for taken in taken.chunks(CHUNK) {
        let mut sql = Sql::new(
            "INSERT INTO attempts (id, job_id, number, state, fencing, worker, lease_until, event_offset, message) VALUES ",
        );
        sql.tuples(taken.iter().map(|Taken { claimed, .. }| {
            let attempt = &claimed.attempt;
            vec![
                attempt.id.into(),
                attempt.job.into(),
                attempt.number.into(),
                attempt.state.word().into(),
                attempt.fencing.into(),
                claim.worker.into(),
                claim.lease_until.into(),
                0_i64.into(),
                "".into(),
            ]
        }));
        sql.run(&mut **tx).await?;
    }
    let notes = taken.iter().map(|Taken { claimed, team }| {
        let Claimed {
            job,
            kind,
            batch,
            attempt,
            ..
        } = claimed;
        let summary = format!(
            "Attempt {} of the {} of batch {batch} started",
            attempt.number,
            kind.noun()
        );
        let note = AuditNote::new("job.start", summary, format!("Worker {}", claim.worker));
        (object(*job, *team, kind), note)
    });
    let notes: Vec<_> = notes.collect();
    write_notes(tx, claim.permit, &notes, claim.now).await
}
