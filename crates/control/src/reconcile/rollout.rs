//! Moves rollouts on what jobs, telemetry and the clock report.

use domain::{
    batch::{Batch, BatchState},
    id::{JobId, RolloutId},
    job::JobReport,
    rollout::{Event, RolloutState},
};
use policy::{SystemAction, system_scope};
use store::{Commit, FinishedJob, Loaded, StoreError};

use crate::{Console, Error, Signal, rollout, telemetry};

/// How many are taken up in one round.
const LIMIT: u32 = 50;

/// Takes in finished jobs, then looks after every rollout for which something is due.
pub(super) async fn round(console: &Console) {
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
    match console.store().due_rollouts(console.now(), LIMIT).await {
        Ok(due) => {
            for id in due {
                if let Err(error) = look_after(console, id).await {
                    tracing::error!(rollout = %id, %error, "a rollout could not be moved on; it is tried again");
                }
            }
        }
        Err(error) => tracing::warn!(%error, "due rollouts could not be read"),
    }
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

/// Judges what has to be judged, then lets gates expire.
async fn look_after(console: &Console, id: RolloutId) -> Result<(), Error> {
    let loaded = console.store().rollout(&system_scope(), id).await?;
    let now = console.now();
    for batch in &loaded.rollout.batches {
        if watched(batch, &loaded.rollout.state, now) {
            let verdict = telemetry::judge_batch(console, &loaded.rollout, batch).await?;
            let number = batch.number;
            apply(console, id, None, |_| {
                Some(Event::Judged {
                    batch: number,
                    verdict: verdict.clone(),
                })
            })
            .await?;
        }
    }
    apply(console, id, None, |loaded| {
        gate_due(loaded, now).then_some(Event::Tick)
    })
    .await
}

/// A batch is judged when a look is due, at its gate too; a promoted one along with the others while its rollout runs.
fn watched(batch: &Batch, state: &RolloutState, now: domain::Timestamp) -> bool {
    match &batch.state {
        BatchState::Promoted { .. } => matches!(state, RolloutState::Running),
        _ => batch.look_due(now),
    }
}

fn gate_due(loaded: &Loaded, now: domain::Timestamp) -> bool {
    loaded
        .rollout
        .batches
        .iter()
        .any(|batch| matches!(batch.state, BatchState::Gate { expires, .. } if expires <= now))
}

/// Applies what `event` makes of the rollout as it is now; starts over when somebody else was first.
async fn apply(
    console: &Console,
    id: RolloutId,
    observed: Option<JobId>,
    event: impl Fn(&Loaded) -> Option<Event>,
) -> Result<(), Error> {
    loop {
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
        let change = rollout.apply(
            event,
            permit.actor(),
            &mut console.moment(&mut || console.mint()),
        )?;
        let at = console.now();
        let change_request = match change_request {
            Some(request) => {
                rollout::close_ended(request, &change.rollout.state, permit.actor(), at)?
            }
            None => None,
        };
        match console
            .store()
            .commit(
                &permit,
                Commit {
                    revision,
                    change: &change,
                    change_request: change_request.as_ref(),
                    observed,
                    at,
                },
            )
            .await
        {
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => {
                tracing::info!(rollout = %id, state = change.rollout.state.word(), "a rollout moved");
                console.signal(Signal::Rollout(id));
                console.wake();
                return Ok(());
            }
        }
    }
}
