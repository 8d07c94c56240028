//! The one way a rollout changes: state, batches, hosts, jobs, messages, reservations, timer and audit in one transaction.

use domain::{
    Timestamp,
    audit::{Actor, AuditNote},
    change_request::ChangeRequest,
    host::HostPhase,
    id::{JobId, RolloutId, TeamId},
    rollout::{Change, Effect, Rollout, RolloutState},
};
use policy::{Kind, Permit};

use super::{ROLLOUTS, batches, hosts};
use crate::{
    Store,
    audit::{self, Object},
    cells::document,
    change_request,
    database::Tx,
    delivery,
    error::{Result, StoreError},
    job, outbox, reservation,
    sql::Sql,
};

/// A change to be written.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The revision the change was made from.
    pub revision: i64,
    pub change: &'a Change,
    pub change_request: Option<&'a ChangeRequest>,
    /// The finished jobs that are taken into account by this change.
    pub observed: &'a [JobId],
    pub at: Timestamp,
}

/// What is stored before the change.
struct Before {
    state: RolloutState,
    revision: i64,
    decision_version: i64,
    team: TeamId,
}

impl Store {
    /// Writes a change and everything that follows from it, or nothing at all.
    ///
    /// Refuses with `Conflict` when the rollout moved on since it was read, or when the permit was given for another
    /// decision version; with `Reserved` when another rollout holds one of its hosts; with `Superseded` when an ended
    /// rollout is to be rolled back and a newer one went to its hosts since; with `AlreadyObserved` when the one
    /// job of `observed` was taken into account before, or with `Conflict` when one of several was.
    pub async fn commit(&self, permit: &Permit, commit: Commit<'_>) -> Result<()> {
        let Commit {
            revision,
            change,
            change_request,
            observed,
            at,
        } = commit;
        let rollout = &change.rollout;
        // What a person decided outlives a power cut; what follows from it and from reports is found out again.
        let mut tx = match permit.actor() {
            Actor::Person { .. } => self.begin().await?,
            Actor::System => self.begin_relaxed().await?,
        };
        let before = before(&mut tx, rollout.id).await?;
        check(permit, rollout, &before, revision)?;
        save(&mut tx, rollout, revision, at).await?;
        if let Some(request) = change_request {
            change_request::update(&mut tx, permit, request).await?;
        }
        match (
            before.state.reserves_hosts(),
            rollout.state.reserves_hosts(),
        ) {
            (false, true) => {
                reservation::take(&mut tx, rollout.id, rollout.plan.service).await?;
                // Who released it saw every host; one that has left since changes what was approved.
                if matches!(rollout.state, RolloutState::Running)
                    && hosts::any_left(&mut tx, rollout.id).await?
                {
                    return Err(StoreError::conflict("The inventory"));
                }
                // Asked while the hosts are held, so that no other rollout reaches them in between.
                if matches!(rollout.state, RolloutState::RollingBack { .. })
                    && let Some(rollout) = super::newer(&mut *tx, rollout).await?
                {
                    return Err(StoreError::Superseded { rollout });
                }
            }
            (true, false) => reservation::release(&mut tx, rollout.id).await?,
            _ => {}
        }
        job::observed(&mut tx, observed).await?;
        for effect in &change.effects {
            apply(&mut tx, permit, rollout, before.team, effect, at).await?;
        }
        outbox::insert(&mut tx, rollout.id, &change.effects, at).await?;
        let object = Object {
            kind: "rollout",
            id: rollout.id.to_string(),
            name: super::name(rollout),
            team: Some(before.team),
        };
        let mut notes = change.notes.iter().cloned();
        let moved =
            |note: AuditNote| note.changed("State", told(&before.state), told(&rollout.state));
        let first = notes.next().map(moved);
        let notes: Vec<_> = first.into_iter().chain(notes).collect();
        audit::write(&mut tx, permit, &object, &notes, at).await?;
        Ok(tx.commit().await?)
    }
}

/// A state, as a person reads it.
fn told(state: &RolloutState) -> String {
    state.word().replace('_', " ")
}

async fn before(tx: &mut Tx, id: RolloutId) -> Result<Before> {
    let sql = Sql::new(
        "SELECT id, state_json, revision, decision_version, team_id FROM rollouts WHERE id = $1",
    )
    .with(id);
    let before = sql.optional(&mut **tx, ROLLOUTS, |cells| {
        Ok(Before {
            state: cells.document("state_json")?,
            revision: cells.int("revision")?,
            decision_version: cells.int("decision_version")?,
            team: cells.parse("team_id")?,
        })
    });
    before
        .await?
        .ok_or_else(|| StoreError::not_found(format!("The rollout {id}")))
}

/// The change is of what is stored, and the permit is for it.
fn check(permit: &Permit, rollout: &Rollout, before: &Before, revision: i64) -> Result<()> {
    let resource = permit.resource();
    if resource.kind != Kind::Rollout || resource.id != rollout.id.to_string() {
        return Err(StoreError::defect(format!(
            "the permit is for {} {}, the change is of rollout {}",
            resource.kind, resource.id, rollout.id
        )));
    }
    if before.revision != revision
        || resource
            .version
            .is_some_and(|version| version != before.decision_version)
    {
        return Err(moved_on(rollout));
    }
    Ok(())
}

fn moved_on(rollout: &Rollout) -> StoreError {
    StoreError::conflict(format!("The rollout of {}", super::name(rollout)))
}

async fn save(tx: &mut Tx, rollout: &Rollout, revision: i64, at: Timestamp) -> Result<()> {
    let sql = Sql::new(
        "UPDATE rollouts SET state = $1, state_json = $2, decision_version = $3, revision = revision + 1, released_at = $4, failed_at = $5, changed_at = $6
         WHERE id = $7 AND revision = $8",
    )
        .with(rollout.state.word())
        .with(document(&rollout.state)?)
        .with(rollout.decision_version)
        .with(rollout.released_at)
        .with(rollout.failed_at)
        .with(at)
        .with(rollout.id)
        .with(revision);
    // Between reading and writing another transaction may have come first on PostgreSQL.
    if sql.run(&mut **tx).await? == 0 {
        return Err(moved_on(rollout));
    }
    batches::save(tx, rollout.id, &rollout.batches).await?;
    let timer = match rollout.wake_at() {
        Some(due) => Sql::new("INSERT INTO timers (rollout_id, due_at) VALUES ($1, $2) ON CONFLICT (rollout_id) DO UPDATE SET due_at = excluded.due_at").with(rollout.id).with(due),
        None => Sql::new("DELETE FROM timers WHERE rollout_id = $1").with(rollout.id),
    };
    timer.run(&mut **tx).await?;
    Ok(())
}

async fn apply(
    tx: &mut Tx,
    permit: &Permit,
    rollout: &Rollout,
    team: TeamId,
    effect: &Effect,
    at: Timestamp,
) -> Result<()> {
    match effect {
        Effect::QueueJob(new) => job::queue(tx, rollout.id, team, new, at).await,
        Effect::CancelJob(job) => {
            let why = "The rollout was stopped or is being rolled back.";
            job::cancel(tx, *job, permit.actor(), why, at)
                .await
                .map(|_| ())
        }
        Effect::MarkHosts { marks, .. } => {
            hosts::mark(tx, rollout.id, marks).await?;
            match marks.iter().any(|mark| mark.phase == HostPhase::Excluded) {
                true => reservation::release_excluded(tx, rollout.id).await,
                false => Ok(()),
            }
        }
        Effect::RecordDeployment(deployment) => delivery::record(tx, team, deployment).await,
        // Written together afterwards, because their numbers are a lock shared by all writers.
        Effect::Notify(_) => Ok(()),
    }
}
