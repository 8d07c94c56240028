//! Rollouts: made, read, listed. How they change is in `rollout::commit`.

mod batches;
mod commit;
pub(crate) mod hosts;

pub use commit::Commit;

use domain::{
    Timestamp,
    batch::BatchState,
    change_request::ChangeRequest,
    host::HostPhase,
    id::{EnvironmentId, RolloutId, ServiceId, TeamId},
    plan::Plan,
    rollout::{Change, Rollout, RolloutState},
};
use policy::{Permit, Scope};
use sqlx::{Any, Executor};
use view::{page::Page, rollout::RolloutRow};

use crate::{
    Store,
    audit::{self, Object},
    cells::{Cells, document},
    change_request, cursor,
    error::{Result, StoreError},
    outbox,
    sql::{Source, Sql, source},
};

pub(crate) const ROLLOUTS: Source = source("rollouts", "id");

/// A rollout to be made, in the state it starts in.
#[derive(Debug, Clone, Copy)]
pub struct NewRollout<'a> {
    /// What made it of a draft.
    pub change: &'a Change,
    pub change_request: Option<&'a ChangeRequest>,
    pub requested_by_name: &'a str,
    /// The team that owns the service.
    pub team: TeamId,
    pub created_at: Timestamp,
    /// The same key by the same person makes one rollout, however often it is sent.
    pub idempotency_key: Option<&'a str>,
}

/// A rollout as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub rollout: Rollout,
    pub change_request: Option<ChangeRequest>,
    /// Moves with every commit; a commit gives back the one it read.
    pub revision: i64,
    pub created_at: Timestamp,
    pub requested_by_name: String,
    pub team: TeamId,
    pub service_name: String,
    pub environment_name: String,
}

/// Rollouts as `read` takes them.
const WHOLE: &str = "SELECT r.*, s.name AS service_name, e.name AS environment_name
     FROM rollouts r JOIN services s ON s.id = r.service_id JOIN environments e ON e.id = r.environment_id WHERE ";

/// Which rollouts are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RolloutFilter {
    pub service: Option<ServiceId>,
    pub environment: Option<EnvironmentId>,
    pub standing: Option<Standing>,
}

/// Where a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Word of `domain::rollout::RolloutState`.
    In(String),
    /// It has not ended.
    Open,
    /// It goes no further before a person has done something.
    Waiting,
}

fn read(cells: &Cells<'_>) -> Result<Loaded> {
    let rollout = Rollout {
        id: cells.parse("id")?,
        plan: cells.document("plan_json")?,
        digest: cells.parse("digest")?,
        requested_by: cells.parse("requested_by")?,
        state: cells.document("state_json")?,
        batches: Vec::new(),
        decision_version: cells.int("decision_version")?,
        released_at: cells.maybe_time("released_at")?,
        failed_at: cells.maybe_time("failed_at")?,
    };
    Ok(Loaded {
        rollout,
        change_request: None,
        revision: cells.int("revision")?,
        created_at: cells.time("created_at")?,
        requested_by_name: cells.text("requested_by_name")?,
        team: cells.parse("team_id")?,
        service_name: cells.text("service_name")?,
        environment_name: cells.text("environment_name")?,
    })
}

type Key = (i64, RolloutId);

fn read_row(cells: &Cells<'_>) -> Result<(Key, RolloutRow)> {
    let row = RolloutRow {
        id: cells.parse("id")?,
        service: cells.text("service")?,
        environment: cells.text("environment")?,
        version: cells.text("version")?,
        state: cells.text("state")?,
        requested_by: cells.text("requested_by_name")?,
        created_at: cells.time("created_at")?,
        batches: Vec::new(),
    };
    Ok(((row.created_at.as_millisecond(), row.id), row))
}

/// “checkout 1.4.2 to production”.
pub(crate) fn name(rollout: &Rollout) -> String {
    let plan = &rollout.plan;
    format!(
        "{} {} to {}",
        plan.service_slug, plan.release.version, plan.environment_slug
    )
}

/// The name of the newest rollout of the same service that was released after this one and may have left its version on
/// a host this one touched. Bringing those hosts back to what they ran before *this* one would undo it unasked.
async fn newer<'e>(
    on: impl Executor<'e, Database = Any>,
    rollout: &Rollout,
) -> Result<Option<String>> {
    let mut sql = Sql::new(
        "SELECT o.id, s.slug, o.version, e.slug AS environment
         FROM rollouts o JOIN services s ON s.id = o.service_id JOIN environments e ON e.id = o.environment_id
         WHERE o.service_id = ",
    );
    let touched = || {
        HostPhase::ALL
            .iter()
            .filter(|phase| phase.touched())
            .map(|phase| phase.word())
    };
    sql.bind(rollout.plan.service)
        .push(" AND o.released_at > ")
        .bind(rollout.released_at)
        .push(" AND EXISTS (SELECT 1 FROM rollout_hosts mine JOIN rollout_hosts theirs ON theirs.host_id = mine.host_id AND theirs.rollout_id = o.id WHERE mine.rollout_id = ")
        .bind(rollout.id)
        .push(" AND mine.phase IN ")
        .list(touched())
        .push(" AND theirs.phase IN ")
        .list(touched())
        .push(") ORDER BY o.released_at DESC LIMIT 1");
    sql.optional(on, ROLLOUTS, |cells| {
        Ok(format!(
            "{} {} to {}",
            cells.text("slug")?,
            cells.text("version")?,
            cells.text("environment")?
        ))
    })
    .await
}

impl Store {
    /// Why a rollout that ended cannot be rolled back any more; `None` when it can.
    pub async fn superseded(&self, _: &Scope, rollout: &Rollout) -> Result<Option<StoreError>> {
        let newer = newer(self.readers(), rollout).await?;
        Ok(newer.map(|rollout| StoreError::Superseded { rollout }))
    }

    /// Makes a rollout with its batches, hosts, change request, messages and audit events; gives its id, or the id of the
    /// one made before of the same plan with the same idempotency key. Refuses another plan with `KeyTaken`, and a plan
    /// that somebody requested and nobody released yet with `AlreadyRequested`.
    pub async fn rollout_insert(&self, permit: &Permit, new: NewRollout<'_>) -> Result<RolloutId> {
        let NewRollout {
            change,
            change_request,
            requested_by_name,
            team,
            created_at,
            idempotency_key,
        } = new;
        let rollout = &change.rollout;
        let mut tx = self.begin().await?;
        let plan = &rollout.plan;
        // Locks the service, so that two requests for it come one after the other.
        let lock = Sql::new("UPDATE services SET slug = slug WHERE id = $1").with(plan.service);
        lock.run(&mut *tx).await?;
        let mut sql = Sql::new(WHOLE);
        sql.push("r.requested_by = ")
            .bind(rollout.requested_by)
            .push(" AND r.idempotency_key = ")
            .bind(idempotency_key);
        if let Some(first) = sql.optional(&mut *tx, ROLLOUTS, read).await? {
            return if first.rollout.digest == rollout.digest {
                Ok(first.rollout.id)
            } else {
                Err(StoreError::KeyTaken {
                    rollout: name(&first.rollout),
                })
            };
        }
        let mut sql = Sql::new(WHOLE);
        sql.push("r.state IN ")
            .list(RolloutState::UNRELEASED.iter().copied())
            .push(" AND r.service_id = ")
            .bind(plan.service)
            .push(" AND r.digest = ")
            .bind(rollout.digest.as_str());
        if let Some(same) = sql.optional(&mut *tx, ROLLOUTS, read).await? {
            return Err(StoreError::AlreadyRequested {
                rollout: name(&same.rollout),
                by: same.requested_by_name,
            });
        }
        let sql = Sql::new(
            "INSERT INTO rollouts (id, service_id, environment_id, team_id, version, digest, requested_by, requested_by_name, state, state_json,
                 decision_version, revision, released_at, failed_at, created_at, changed_at, idempotency_key, plan_json)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $13, $14, $14, $15, $16)",
        )
            .with(rollout.id)
            .with(plan.service)
            .with(plan.environment)
            .with(team)
            .with(plan.release.version.as_str())
            .with(rollout.digest.as_str())
            .with(rollout.requested_by)
            .with(requested_by_name)
            .with(rollout.state.word())
            .with(document(&rollout.state)?)
            .with(rollout.decision_version)
            .with(rollout.released_at)
            .with(rollout.failed_at)
            .with(created_at)
            .with(idempotency_key)
            .with(document(plan)?);
        sql.run(&mut *tx).await?;
        batches::save(&mut tx, rollout.id, &rollout.batches).await?;
        hosts::insert(&mut tx, rollout.id, plan).await?;
        if let Some(request) = change_request {
            change_request::insert(&mut tx, request).await?;
        }
        outbox::insert(&mut tx, rollout.id, &change.effects, created_at).await?;
        let object = Object {
            kind: "rollout",
            id: rollout.id.to_string(),
            name: name(rollout),
            team: Some(team),
        };
        audit::write(&mut tx, permit, &object, &change.notes, created_at).await?;
        tx.commit().await?;
        Ok(rollout.id)
    }

    /// One rollout, whole and consistent.
    pub async fn rollout(&self, scope: &Scope, id: RolloutId) -> Result<Loaded> {
        let mut tx = self.snapshot().await?;
        let mut sql = Sql::new(WHOLE);
        sql.push("r.id = ").bind(id).scope("r.team_id", scope);
        let loaded = sql.optional(&mut *tx, ROLLOUTS, read).await?;
        let mut loaded =
            loaded.ok_or_else(|| StoreError::not_found(format!("The rollout {id}")))?;
        loaded.rollout.batches = batches::of_rollout(&mut tx, id).await?;
        loaded.change_request = change_request::of_rollout(&mut tx, id).await?;
        tx.commit().await?;
        Ok(loaded)
    }

    /// What a rollout carries where. It never changes.
    pub async fn plan(&self, scope: &Scope, id: RolloutId) -> Result<Plan> {
        let mut sql = Sql::new("SELECT r.id, r.plan_json FROM rollouts r WHERE r.id = ");
        sql.bind(id).scope("r.team_id", scope);
        let plan = sql.optional(self.readers(), ROLLOUTS, |cells| {
            cells.document("plan_json")
        });
        let plan = plan.await?;
        plan.ok_or_else(|| StoreError::not_found(format!("The rollout {id}")))
    }

    /// When a rollout was released, and its state, without its plan.
    pub async fn rollout_state(
        &self,
        scope: &Scope,
        id: RolloutId,
    ) -> Result<(Option<Timestamp>, RolloutState)> {
        let mut sql =
            Sql::new("SELECT r.id, r.released_at, r.state_json FROM rollouts r WHERE r.id = ");
        sql.bind(id).scope("r.team_id", scope);
        let read = |cells: &Cells<'_>| {
            Ok((
                cells.maybe_time("released_at")?,
                cells.document("state_json")?,
            ))
        };
        let found = sql.optional(self.readers(), ROLLOUTS, read).await?;
        found.ok_or_else(|| StoreError::not_found(format!("The rollout {id}")))
    }

    /// A page of rollouts, newest first.
    pub async fn rollouts(
        &self,
        scope: &Scope,
        filter: &RolloutFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<RolloutRow>> {
        let mut sql = Sql::new(
            "SELECT r.id, s.slug AS service, e.slug AS environment, r.version, r.state, r.requested_by_name, r.created_at
             FROM rollouts r JOIN services s ON s.id = r.service_id JOIN environments e ON e.id = r.environment_id WHERE r.revision > 0",
        );
        sql.scope("r.team_id", scope);
        if let Some(service) = filter.service {
            sql.push(" AND r.service_id = ").bind(service);
        }
        if let Some(environment) = filter.environment {
            sql.push(" AND r.environment_id = ").bind(environment);
        }
        match &filter.standing {
            None => {}
            Some(Standing::In(state)) => {
                sql.push(" AND r.state = ").bind(state.as_str());
            }
            Some(Standing::Open) => {
                sql.push(" AND r.state NOT IN ")
                    .list(RolloutState::ENDED.iter().copied());
            }
            Some(Standing::Waiting) => {
                sql.push(" AND (r.state IN ")
                    .list(RolloutState::WAITING.iter().copied())
                    .push(" OR (r.state = 'running' AND EXISTS (SELECT 1 FROM batches b WHERE b.rollout_id = r.id AND b.state IN ")
                    .list(BatchState::WAITING.iter().copied())
                    .push(")))");
            }
        }
        if let Some((at, id)) = cursor::read::<Key>(cursor)? {
            sql.push(" AND (r.created_at, r.id) < (")
                .bind(at)
                .push(", ")
                .bind(id)
                .push(")");
        }
        sql.push(" ORDER BY r.created_at DESC, r.id DESC LIMIT ")
            .bind(cursor::fetch(limit));
        let mut page = cursor::page(sql.all(self.readers(), ROLLOUTS, read_row).await?, limit)?;
        batches::add_dots(self.readers(), &mut page.items).await?;
        Ok(page)
    }

    /// Rollouts whose time has come, the most overdue first.
    pub async fn due_rollouts(&self, now: Timestamp, limit: u32) -> Result<Vec<RolloutId>> {
        let sql = Sql::new(
            "SELECT rollout_id FROM timers WHERE due_at <= $1 ORDER BY due_at, rollout_id LIMIT $2",
        )
        .with(now)
        .with(limit);
        sql.all(self.repeated(), source("timers", "rollout_id"), |cells| {
            cells.parse("rollout_id")
        })
        .await
    }
}
