//! Moves rollouts on what jobs, telemetry and the clock report.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    batch::Batch,
    id::{JobId, RolloutId},
    rollout::{Change, Event, Rollout},
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
    let finished = match console.store().finished_jobs(LIMIT).await {
        Ok(finished) => finished,
        Err(error) => return tracing::warn!(%error, "finished jobs could not be read"),
    };
    let more = finished.len() == LIMIT as usize;
    let mut taken_in = 0;
    let mut of_rollout: BTreeMap<RolloutId, Vec<FinishedJob>> = BTreeMap::new();
    for job in finished {
        of_rollout.entry(job.rollout).or_default().push(job);
    }
    for (rollout, jobs) in of_rollout {
        taken_in += take_in(console, rollout, &jobs).await;
    }
    if more && taken_in > 0 {
        console.inner.rollouts_due.notify_one();
    }
    for id in due(console).await {
        let now = console.now();
        let moved = apply(console, id, &[], |loaded| {
            let due = loaded.rollout.tick_due(now);
            due.then_some(Event::Tick).into_iter().collect()
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
            apply(console, id, &[], |_| {
                vec![Event::Judged {
                    batch,
                    verdict: verdict.clone(),
                }]
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

/// Takes in what jobs of a rollout reported, in one change; or one by one, where one of them stands in the way. Gives how
/// many were taken in.
async fn take_in(console: &Console, id: RolloutId, jobs: &[FinishedJob]) -> usize {
    let observed: Vec<JobId> = jobs.iter().map(|finished| finished.job).collect();
    let events = |_: &Loaded| {
        let reports = jobs.iter().map(|finished| Event::JobFinished {
            job: finished.job,
            report: finished.report.clone(),
        });
        reports.collect()
    };
    match apply(console, id, &observed, events).await {
        Ok(()) => jobs.len(),
        Err(error) if jobs.len() == 1 => {
            tracing::error!(rollout = %id, job = %observed[0], %error, "a finished job could not be taken in; it is tried again");
            0
        }
        Err(Error::Store(error @ StoreError::Unavailable { .. })) => {
            tracing::warn!(rollout = %id, %error, "finished jobs could not be taken in; it is tried again");
            0
        }
        Err(error) => {
            tracing::debug!(rollout = %id, %error, "finished jobs are taken in one by one");
            let mut taken_in = 0;
            for job in jobs {
                taken_in += Box::pin(take_in(console, id, std::slice::from_ref(job))).await;
            }
            taken_in
        }
    }
}

/// Applies these events to the rollout as it is now; starts over a few times when somebody else was first.
async fn apply(
    console: &Console,
    id: RolloutId,
    observed: &[JobId],
    events: impl Fn(&Loaded) -> Vec<Event>,
) -> Result<(), Error> {
    for _ in 1..TRIES {
        match apply_once(console, id, observed, &events).await {
            Err(Error::Store(StoreError::Conflict { .. })) => {}
            Err(Error::Store(StoreError::AlreadyObserved { .. })) => return Ok(()),
            done => return done,
        }
    }
    apply_once(console, id, observed, &events).await
}

async fn apply_once(
    console: &Console,
    id: RolloutId,
    observed: &[JobId],
    events: impl Fn(&Loaded) -> Vec<Event>,
) -> Result<(), Error> {
    let loaded = console.store().rollout(&system_scope(), id).await?;
    let events = events(&loaded);
    if events.is_empty() {
        return Ok(());
    }
    let permit = console.system(SystemAction::OBSERVE, rollout::resource(&loaded));
    let Loaded {
        rollout,
        change_request,
        revision,
        ..
    } = loaded;
    let before = rollout.decision_version;
    let mut change = Change::none(rollout);
    for event in events {
        change = change.and(
            event,
            permit.actor(),
            &mut console.moment(&mut || console.mint()),
        )?;
    }
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
    console.wake_for(&change);
    Ok(())
}
