//! Runs queued jobs: claims, launches a supervisor, takes events in, and ends the job from its exit record.
//!
//! A restarted worker finds its open attempts in the database and their truth in their folders, so it does not matter
//! where the one before stopped.

mod keeper;
mod start;
mod words;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use domain::{SignedDuration, id::AttemptId};
use integrations::supervisor::{self, names};
use policy::{Kind, Resource, SystemAction};
use store::{CancelWish, Claimable, Claimed, OpenAttempt};
use tokio::{
    sync::Semaphore,
    task::{Id, JoinSet, spawn_blocking},
    time::timeout,
};

use self::keeper::{Keeper, Watch};
use crate::{Console, Error, JobLimits};

const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Attempts that are looked after side by side.
const AT_ONCE: usize = 16;
/// A round waits this long for those that take their time; they go on beside the next ones.
const PATIENCE: Duration = Duration::from_millis(250);

/// The job reconciler.
pub(super) struct Runner {
    console: Console,
    /// What is remembered of attempts that no task looks after right now.
    watched: HashMap<AttemptId, Watch>,
    /// Which attempt each task looks after; one at a time looks after an attempt.
    at_work: HashMap<Id, AttemptId>,
    tasks: JoinSet<Result<Option<Watch>, Error>>,
    places: Arc<Semaphore>,
}

impl Runner {
    pub fn new(console: Console) -> Self {
        let at_once = usize::try_from(console.settings().jobs.at_once).unwrap_or(AT_ONCE);
        Self {
            console,
            watched: HashMap::new(),
            at_work: HashMap::new(),
            tasks: JoinSet::new(),
            // However many deploys wait for their Git host, what brings hosts back finds a place.
            places: Arc::new(Semaphore::new(at_once.max(AT_ONCE))),
        }
    }

    /// Looks after every open attempt and claims what there is room for, side by side.
    pub async fn round(&mut self) {
        let open = match self.console.store().open_attempts().await {
            Ok(open) => open,
            Err(error) => return tracing::warn!(%error, "open attempts could not be read"),
        };
        self.watched
            .retain(|id, _| open.iter().any(|open| open.attempt.id == *id));
        let count = |jobs: usize| u32::try_from(jobs).unwrap_or(u32::MAX);
        let busy = count(open.len());
        let deploys = count(open.iter().filter(|open| open.kind.can_wait()).count());
        let at_work: HashSet<AttemptId> = self.at_work.values().copied().collect();
        for open in open {
            if !at_work.contains(&open.attempt.id) {
                self.look_after(open);
            } else if open.cancel_asked == CancelWish::Asked {
                self.end_run(open.attempt.id).await;
            }
        }
        if let Err(error) = self.claim_all(busy, deploys).await {
            tracing::error!(%error, "no job could be claimed");
        }
        // Whatever is not done by then holds up nobody else.
        let _ = timeout(PATIENCE, async { while self.gather().await {} }).await;
    }

    /// Claims what there is room for beside those that are under way.
    async fn claim_all(&mut self, mut busy: u32, mut deploys: u32) -> Result<(), Error> {
        let limits = self.console.settings().jobs;
        let mut claimed_now = Vec::new();
        while busy < limits.at_once {
            let which = if deploys + JobLimits::NOT_FOR_DEPLOYS < limits.at_once {
                Claimable::Any {
                    in_environment: limits.deploys_in_environment,
                }
            } else {
                Claimable::AllButDeploys
            };
            let claimed = match self.claim(which).await {
                Ok(Some(claimed)) => claimed,
                Ok(None) => break,
                Err(error) if claimed_now.is_empty() => return Err(error),
                // What was claimed is to be started all the same.
                Err(error) => {
                    tracing::error!(%error, "no further job could be claimed");
                    break;
                }
            };
            busy += 1;
            deploys += u32::from(claimed.kind.can_wait());
            claimed_now.push(claimed);
        }
        if claimed_now.is_empty() {
            return Ok(());
        }
        // If this fails they are under way without a task, and looked after in the next round like those of a predecessor.
        self.console.store().settle().await?;
        for claimed in claimed_now {
            let keeper = Keeper::new(self.console.clone(), claimed, None);
            self.begin(keeper, None);
        }
        Ok(())
    }

    async fn claim(&self, which: Claimable) -> Result<Option<Claimed>, Error> {
        let console = &self.console;
        let (id, now) = (AttemptId(console.mint()), console.now());
        let permit = console.system(SystemAction::RUN_JOB, Resource::new(Kind::Job, "", ""));
        let lease = now.checked_add(LEASE).unwrap_or(now);
        let claimed = console
            .store()
            .claim(&permit, &console.settings().worker, id, now, lease, which)
            .await?;
        if let Some(Claimed {
            job, kind, attempt, ..
        }) = &claimed
        {
            tracing::info!(%job, %kind, attempt = %attempt.id, "a job was claimed");
        }
        Ok(claimed)
    }

    fn look_after(&mut self, open: OpenAttempt) {
        let watch = self.watched.remove(&open.attempt.id);
        let keeper = Keeper::of(self.console.clone(), &open, watch);
        self.begin(keeper, Some(open));
    }

    /// Lets a task of its own look after an attempt, or start a new one.
    fn begin(&mut self, mut keeper: Keeper, open: Option<OpenAttempt>) {
        let (places, id) = (Arc::clone(&self.places), keeper.run.attempt.id);
        let task = self.tasks.spawn(async move {
            let _place = places.acquire().await;
            match &open {
                Some(open) => keeper.look_after(open).await,
                None => keeper.start().await,
            }
            .map(|()| keeper.watch)
        });
        self.at_work.insert(task.id(), id);
    }

    /// Ends a run whose task has something else to do right now; the task finds out afterwards.
    async fn end_run(&self, attempt: AttemptId) {
        let folder = self.console.attempt_folder(attempt);
        let ended = spawn_blocking(move || {
            if !folder.exists() || folder.join(names::CANCEL).exists() {
                return Ok(());
            }
            supervisor::cancel(&folder)
        });
        if let Ok(Err(error)) = ended.await {
            tracing::error!(%attempt, %error, "a request to stop may not have arrived; it is sent again");
        }
    }

    /// Lets everything that was begun come to its end.
    pub async fn finish(&mut self) {
        while self.gather().await {}
    }

    /// Waits for the next task to end and keeps what it remembers; `false` when there is none.
    async fn gather(&mut self) -> bool {
        let Some(done) = self.tasks.join_next_with_id().await else {
            return false;
        };
        let (task, done) = match done {
            Ok((task, done)) => (task, done),
            Err(error) => (error.id(), Err(Error::Internal(error.to_string()))),
        };
        let Some(attempt) = self.at_work.remove(&task) else {
            return true;
        };
        match done {
            Ok(Some(watch)) => {
                self.watched.insert(attempt, watch);
            }
            Ok(None) => {}
            // It is read again from the start: what was read may not have been written.
            Err(error) => {
                tracing::error!(%attempt, %error, "an attempt could not be looked after; it is tried again");
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
