//! Moves rollouts on what jobs, telemetry and the clock report.

use std::sync::Arc;

use domain::{
    batch::Batch,
    id::{JobId, RolloutId},
    job::JobReport,
    rollout::{Event, Rollout},
    verdict::Verdict,
};
use futures::{StreamExt as _, stream};
use policy::{SystemAction, system_scope};
use store::{Commit, FinishedJob, Loaded, StoreError};

use crate::{Console, Error, Signal, rollout, telemetry};

/// How many are taken up in one round.
const LIMIT: u32 = 50;
/// Batches telemetry is asked about at once.
const LOOKS: usize = 8;
/// How often an event is applied again because somebody else moved the rollout in between.
const TRIES: u32 = 5;

/// Takes in finished jobs and moves what only waited for time. It asks nobody but the database, so that no rollout waits for telemetry.
pub(super) async fn settle(console: &Console) {
    match console.store().finished_jobs(LIMIT).await {
        Ok(finished) => {
            for FinishedJob {
                rollout,
                job,
                report,
            } in finished
            {
                if let Err(error) = finish(console, rollout, job, &report).await {
                    tracing::error!(%rollout, %job, %error, "a finished job could not be taken in; it is tried again");
                }
            }
        }
        Err(error) => return tracing::warn!(%error, "finished jobs could not be read"),
    }
    for id in due(console).await {
        let now = console.now();
        let moved = apply(console, id, None, |loaded| {
            loaded.rollout.tick_due(now).then_some(Event::Tick)
        });
        if let Err(error) = moved.await {
            tracing::error!(rollout = %id, %error, "a rollout could not be moved by time; it is tried again");
        }
    }
}

/// Judges every batch for which a look is due. Several are asked about at once; the verdicts of a rollout come in the
/// order of its batches, so that an earlier batch that turned bad stops the rollout before a later one moves it on.
pub(super) async fn judge(console: &Console) {
    let mut looks = Vec::new();
    for id in due(console).await {
        let rollout = match console.store().rollout(&system_scope(), id).await {
            Ok(loaded) => Arc::new(loaded.rollout),
            Err(error) => {
                tracing::error!(rollout = %id, %error, "a rollout could not be read; it is tried again");
                continue;
            }
        };
        let now = console.now();
        let watched = rollout.batches.iter().filter(|batch| batch.look_due(now));
        looks.extend(watched.map(|batch| (Arc::clone(&rollout), batch.clone())));
    }
    let mut verdicts = stream::iter(looks)
        .map(|(rollout, batch)| look(console.clone(), rollout, batch))
        .buffered(LOOKS);
    while let Some((id, batch, verdict)) = verdicts.next().await {
        let taken_in = async {
            let verdict = verdict?;
            apply(console, id, None, |_| {
                Some(Event::Judged {
                    batch,
                    verdict: verdict.clone(),
                })
            })
            .await
        };
        if let Err(error) = taken_in.await {
            tracing::error!(rollout = %id, batch, %error, "a batch could not be judged; it is tried again");
        }
    }
}

/// The verdict on one batch, with what it is about.
async fn look(
    console: Console,
    rollout: Arc<Rollout>,
    batch: Batch,
) -> (RolloutId, u32, Result<Verdict, Error>) {
    let verdict = telemetry::judge_batch(&console, &rollout, &batch).await;
    (rollout.id, batch.number, verdict)
}

/// Rollouts whose time has come.
async fn due(console: &Console) -> Vec<RolloutId> {
    let due = console.store().due_rollouts(console.now(), LIMIT).await;
    due.unwrap_or_else(|error| {
        tracing::warn!(%error, "due rollouts could not be read");
        Vec::new()
    })
}

async fn finish(
    console: &Console,
    id: RolloutId,
    job: JobId,
    report: &JobReport,
) -> Result<(), Error> {
    apply(console, id, Some(job), |_| {
        Some(Event::JobFinished {
            job,
            report: report.clone(),
        })
    })
    .await
}

/// Applies what `event` makes of the rollout as it is now; starts over a few times when somebody else was first.
async fn apply(
    console: &Console,
    id: RolloutId,
    observed: Option<JobId>,
    event: impl Fn(&Loaded) -> Option<Event>,
) -> Result<(), Error> {
    for _ in 1..TRIES {
        match apply_once(console, id, observed, &event).await {
            Err(Error::Store(StoreError::Conflict { .. })) => {}
            Err(Error::Store(StoreError::AlreadyObserved { .. })) => return Ok(()),
            done => return done,
        }
    }
    apply_once(console, id, observed, &event).await
}

async fn apply_once(
    console: &Console,
    id: RolloutId,
    observed: Option<JobId>,
    event: impl Fn(&Loaded) -> Option<Event>,
) -> Result<(), Error> {
    let loaded = console.store().rollout(&system_scope(), id).await?;
    let Some(event) = event(&loaded) else {
        return Ok(());
    };
    let permit = console.system(SystemAction::OBSERVE, rollout::resource(&loaded));
    let Loaded {
        rollout,
        change_request,
        revision,
        ..
    } = loaded;
    let before = rollout.decision_version;
    let change = rollout.apply(
        event,
        permit.actor(),
        &mut console.moment(&mut || console.mint()),
    )?;
    let at = console.now();
    let change_request = match change_request {
        Some(request) => rollout::close_ended(request, &change.rollout.state, permit.actor(), at)?,
        None => None,
    };
    let commit = Commit {
        revision,
        change: &change,
        change_request: change_request.as_ref(),
        observed,
        at,
    };
    console.store().commit(&permit, commit).await?;
    // What telemetry says again and again moves nothing that people decide on.
    if change.rollout.decision_version != before {
        tracing::info!(rollout = %id, state = change.rollout.state.word(), "a rollout moved");
    }
    console.signal(Signal::Rollout(id));
    console.wake();
    Ok(())
}
