//! The queue as a claim sees it: lanes of ready jobs, oldest first.

use std::collections::VecDeque;

use domain::{
    Timestamp,
    id::{JobId, RolloutId, TeamId},
    job::JobKind,
};

use crate::{database::Tx, error::Result, job::JOBS, sql::Sql};

/// Jobs of a lane that are read at once.
const WINDOW: u32 = 50;

/// Ready jobs of one kind, environment and team.
pub(super) struct Lane {
    pub kind: JobKind,
    pub environment: String,
    pub team: String,
    /// When the oldest was queued, and which it is; nothing when there is none left.
    pub oldest: Option<(i64, String)>,
    /// The oldest, if they were read.
    pub window: Option<VecDeque<Candidate>>,
    /// Whether there may be more behind the window.
    pub is_long: bool,
}

/// A ready job, as far as its own row tells.
pub(super) struct Candidate {
    pub job: JobId,
    pub rollout: RolloutId,
    pub team: TeamId,
    pub batch: u32,
    pub queued_at: Timestamp,
}

impl Candidate {
    /// What lanes are compared by.
    pub fn age(&self) -> (i64, String) {
        (self.queued_at.as_millisecond(), self.job.to_string())
    }
}

/// The lanes of a kind, found by stepping through the index from one to the next.
pub(super) async fn lanes_of(tx: &mut Tx, kind: JobKind) -> Result<Vec<Lane>> {
    let sql = Sql::new(
        "WITH RECURSIVE places (environment_id) AS (
             SELECT (SELECT j.environment_id FROM jobs j WHERE j.stage = 'queued' AND j.waits_for IS NULL AND j.kind = $1
                 ORDER BY j.environment_id LIMIT 1)
             UNION ALL
             SELECT (SELECT j.environment_id FROM jobs j WHERE j.stage = 'queued' AND j.waits_for IS NULL AND j.kind = $1
                 AND j.environment_id > p.environment_id ORDER BY j.environment_id LIMIT 1)
             FROM places p WHERE p.environment_id IS NOT NULL),
         lanes (environment_id, team_id) AS (
             SELECT p.environment_id, (SELECT j.team_id FROM jobs j WHERE j.stage = 'queued' AND j.waits_for IS NULL
                 AND j.kind = $1 AND j.environment_id = p.environment_id ORDER BY j.team_id LIMIT 1)
             FROM places p WHERE p.environment_id IS NOT NULL
             UNION ALL
             SELECT l.environment_id, (SELECT j.team_id FROM jobs j WHERE j.stage = 'queued' AND j.waits_for IS NULL
                 AND j.kind = $1 AND j.environment_id = l.environment_id AND j.team_id > l.team_id ORDER BY j.team_id LIMIT 1)
             FROM lanes l WHERE l.team_id IS NOT NULL)
         SELECT l.environment_id, l.team_id,
             (SELECT j.id FROM jobs j WHERE j.stage = 'queued' AND j.waits_for IS NULL AND j.kind = $1
                 AND j.environment_id = l.environment_id AND j.team_id = l.team_id ORDER BY j.queued_at, j.id LIMIT 1) AS id,
             (SELECT j.queued_at FROM jobs j WHERE j.stage = 'queued' AND j.waits_for IS NULL AND j.kind = $1
                 AND j.environment_id = l.environment_id AND j.team_id = l.team_id ORDER BY j.queued_at LIMIT 1) AS queued_at
         FROM lanes l WHERE l.team_id IS NOT NULL",
    );
    sql.with(kind.word())
        .readable(&mut **tx, JOBS, |cells| {
            Ok(Lane {
                kind,
                environment: cells.text("environment_id")?,
                team: cells.text("team_id")?,
                oldest: Some((cells.int("queued_at")?, cells.text("id")?)),
                window: None,
                is_long: false,
            })
        })
        .await
}

/// The oldest jobs of a lane that can be read.
pub(super) async fn candidates(tx: &mut Tx, lane: &mut Lane) -> Result<VecDeque<Candidate>> {
    let sql = Sql::new(
        "SELECT id, rollout_id, team_id, batch, queued_at FROM jobs WHERE stage = 'queued' AND waits_for IS NULL AND kind = $1
             AND environment_id = $2 AND team_id = $3 ORDER BY queued_at, id LIMIT $4",
    )
    .with(lane.kind.word())
    .with(lane.environment.as_str())
    .with(lane.team.as_str())
    .with(WINDOW);
    let found = sql.readable_of(&mut **tx, JOBS, |cells| {
        Ok(Candidate {
            job: cells.parse("id")?,
            rollout: cells.parse("rollout_id")?,
            team: cells.parse("team_id")?,
            batch: cells.count("batch")?,
            queued_at: cells.time("queued_at")?,
        })
    });
    let (found, rows) = found.await?;
    lane.is_long = rows == WINDOW as usize;
    Ok(found.into())
}
