//! Runs queued jobs: claims, launches a supervisor, takes events in, and ends the job from its exit record.
//!
//! A restarted worker finds its open attempts in the database and their truth in their folders, so it does not matter
//! where the one before stopped.

mod keeper;
mod start;
mod words;

use std::{
    collections::{HashMap, HashSet},
    iter, mem,
    sync::Arc,
};

use domain::{
    SignedDuration,
    id::{AttemptId, JobId},
    job::JobKind,
};
use integrations::supervisor::{self, names};
use policy::{Kind, Permit, Resource, SystemAction, system_scope};
use store::{CancelWish, Claim, Claimed, Ended, OpenAttempt, Room, StoreError};
use tokio::{
    sync::Semaphore,
    task::{Id, JoinError, JoinSet, spawn_blocking},
};

use self::{
    keeper::{Keeper, Watch},
    start::Together,
};
use crate::{Console, Error, JobLimits, Signal};

const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Attempts that are looked after side by side.
const AT_ONCE: usize = 16;

/// The job reconciler.
pub(super) struct Runner {
    console: Console,
    /// What is remembered of attempts that no task looks after right now.
    watched: HashMap<AttemptId, Watch>,
    /// Which attempt each task looks after; one at a time looks after an attempt.
    at_work: HashMap<Id, AttemptId>,
    /// Attempts that ended, which is being written or waits for that.
    ending: HashSet<AttemptId>,
    /// Ends that are written next, when the task that writes others is done.
    ends: Vec<(Claimed, Ended)>,
    writer: Option<Id>,
    /// That no job starts because the disk is full, was said.
    said_full: bool,
    tasks: JoinSet<Worked>,
    places: Arc<Semaphore>,
}

/// What a task has done.
enum Work {
    /// What there was to do for an attempt.
    Kept(Box<Keeper>),
    /// How some ended was written, if it could be.
    Written,
}

type Worked = Result<Work, Error>;

/// Tasks that are done, as they are taken in together.
pub(super) struct Done(Vec<Result<(Id, Worked), JoinError>>);

impl Runner {
    pub fn new(console: Console) -> Self {
        let at_once = usize::try_from(console.settings().jobs.at_once).unwrap_or(AT_ONCE);
        Self {
            console,
            watched: HashMap::new(),
            at_work: HashMap::new(),
            ending: HashSet::new(),
            ends: Vec::new(),
            writer: None,
            said_full: false,
            tasks: JoinSet::new(),
            // However many deploys wait for their Git host, what brings hosts back finds a place.
            places: Arc::new(Semaphore::new(at_once.max(AT_ONCE))),
        }
    }

    /// Begins to look after every open attempt and claims what there is room for, side by side.
    pub async fn round(&mut self) {
        let open = match self.console.store().open_attempts().await {
            Ok(open) => open,
            Err(error) => return tracing::warn!(%error, "open attempts could not be read"),
        };
        self.watched
            .retain(|id, _| open.iter().any(|open| open.attempt.id == *id));
        let mut room = self.room(&open);
        self.leave_room_on_disk(&mut room);
        let at_work = self.at_work.values().chain(&self.ending);
        let at_work: HashSet<AttemptId> = at_work.copied().collect();
        for open in open {
            if !at_work.contains(&open.attempt.id) {
                self.look_after(open);
            } else if open.cancel_asked == CancelWish::Asked {
                self.end_run(open.attempt.id).await;
            }
        }
        if let Err(error) = self.claim(room).await {
            tracing::error!(%error, "jobs could not be claimed, or not be started yet");
        }
    }

    /// Starts nothing that the disk has no room for. What runs goes on; what is queued says on its page what it waits for.
    fn leave_room_on_disk(&mut self, room: &mut Room) {
        let full = self.console.disk_is_full(JobKind::Deploy);
        if full.is_some() {
            room.deploys = 0;
        }
        if let Some(why) = self.console.disk_is_full(JobKind::RollBack) {
            room.jobs = 0;
            tracing::debug!("{why}");
        }
        metrics::gauge!("slipway_disk_full").set(if full.is_some() { 1 } else { 0 });
        if let Some(why) = &full
            && !self.said_full
        {
            tracing::error!("{why}");
        }
        self.said_full = full.is_some();
    }

    /// What there is room for beside those that are under way.
    fn room(&self, open: &[OpenAttempt]) -> Room {
        let limits = self.console.settings().jobs;
        let count = |jobs: usize| u32::try_from(jobs).unwrap_or(u32::MAX);
        let deploys = count(open.iter().filter(|open| open.kind.can_wait()).count());
        Room {
            jobs: limits.at_once.saturating_sub(count(open.len())),
            deploys: limits
                .at_once
                .saturating_sub(JobLimits::NOT_FOR_DEPLOYS)
                .saturating_sub(deploys),
            in_environment: limits.deploys_in_environment,
        }
    }

    async fn claim(&mut self, room: Room) -> Result<(), Error> {
        let (console, permit) = (self.console.clone(), permit(&self.console));
        let now = console.now();
        let claim = Claim {
            permit: &permit,
            worker: &console.settings().worker,
            now,
            lease_until: now.checked_add(LEASE).unwrap_or(now),
        };
        let mint = || AttemptId(console.mint());
        let claimed = console.store().claim(claim, room, mint).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let jobs: Vec<JobId> = claimed.iter().map(|claimed| claimed.job).collect();
        // Should this fail, the next round finds them as it finds those of a predecessor.
        let mut hosts = console
            .store()
            .hosts_of_jobs(&system_scope(), &jobs)
            .await?;
        let together = Together::default();
        for claimed in claimed {
            let Claimed {
                job,
                kind,
                queued_at,
                attempt,
                ..
            } = &claimed;
            let waited_ms = now.duration_since(*queued_at).as_millis();
            tracing::info!(%job, %kind, attempt = %attempt.id, waited_ms, "a job was claimed");
            let watch = Watch::new(hosts.remove(job).unwrap_or_default());
            let mut keeper = Keeper::new(console.clone(), claimed, Some(watch));
            let together = together.clone();
            self.begin(keeper.run.attempt.id, async move {
                keeper.start(&together).await.map(|()| keeper)
            });
        }
        Ok(())
    }

    fn look_after(&mut self, open: OpenAttempt) {
        let watch = self.watched.remove(&open.attempt.id);
        let mut keeper = Keeper::of(self.console.clone(), &open, watch);
        self.begin(open.attempt.id, async move {
            keeper.look_after(&open).await.map(|()| keeper)
        });
    }

    /// Lets a task of its own do what is to be done for an attempt.
    fn begin(
        &mut self,
        attempt: AttemptId,
        work: impl Future<Output = Result<Keeper, Error>> + Send + 'static,
    ) {
        let places = Arc::clone(&self.places);
        let task = self.tasks.spawn(async move {
            let _place = places.acquire().await;
            Ok(Work::Kept(Box::new(work.await?)))
        });
        self.at_work.insert(task.id(), attempt);
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
        while let Some(done) = self.done().await {
            self.take_in(done);
        }
    }

    /// Waits until a task is done, or more of them; `None` when there are none. Given up, it loses nothing.
    pub async fn done(&mut self) -> Option<Done> {
        let mut done = vec![self.tasks.join_next_with_id().await?];
        done.extend(iter::from_fn(|| self.tasks.try_join_next_with_id()));
        Some(Done(done))
    }

    /// Has a supervisor ready for what is claimed next, sooner or later. What goes wrong is said when a run needs one.
    pub fn make_ready(&self) {
        let launcher = Arc::clone(&self.console.inner.launcher);
        spawn_blocking(move || launcher.make_ready());
    }

    /// Keeps what tasks remember, and lets be written which attempts ended.
    pub fn take_in(&mut self, done: Done) {
        for done in done.0 {
            let (task, done) = match done {
                Ok((task, done)) => (task, done),
                Err(error) => (error.id(), Err(Error::Internal(error.to_string()))),
            };
            if self.writer == Some(task) {
                self.writer = None;
                // Those whose end could not be written are looked after again.
                let waits: HashSet<_> = self.ends.iter().map(|(_, end)| end.attempt).collect();
                self.ending.retain(|id| waits.contains(id));
            }
            let attempt = self.at_work.remove(&task);
            match (attempt, done) {
                (Some(attempt), Ok(Work::Kept(mut keeper))) => {
                    if let Some(watch) = keeper.watch {
                        self.watched.insert(attempt, watch);
                    }
                    if let Some(end) = keeper.ended.take() {
                        self.ending.insert(attempt);
                        self.ends.push((keeper.run, end));
                    }
                }
                (_, Ok(_)) => {}
                // It is read again from the start: what was read may not have been written.
                (Some(attempt), Err(error)) => {
                    tracing::error!(%attempt, %error, "an attempt could not be looked after; it is tried again");
                }
                (None, Err(error)) => {
                    tracing::error!(%error, "the ends of jobs could not be written; it is tried again");
                }
            }
        }
        if self.writer.is_none() && !self.ends.is_empty() {
            let (console, ends) = (self.console.clone(), mem::take(&mut self.ends));
            let task = self.tasks.spawn(async move {
                write(&console, ends).await;
                Ok(Work::Written)
            });
            self.writer = Some(task.id());
        }
    }
}

/// For jobs, whichever they are.
fn permit(console: &Console) -> Permit {
    console.system(SystemAction::RUN_JOB, Resource::new(Kind::Job, "", ""))
}

/// Writes ends together, or each on its own when something is wrong with one of them.
async fn write(console: &Console, ended: Vec<(Claimed, Ended)>) {
    let (runs, ends): (Vec<Claimed>, Vec<Ended>) = ended.into_iter().unzip();
    let (permit, now) = (permit(console), console.now());
    match console.store().attempts_finish(&permit, &ends, now).await {
        Ok(refused) => tell(console, &runs, &ends, &refused),
        Err(error) if ends.len() == 1 || matches!(error, StoreError::Unavailable { .. }) => {
            tracing::error!(%error, "the end of a job could not be written; it is tried again");
        }
        Err(_) => {
            for ended in runs.into_iter().zip(ends) {
                Box::pin(write(console, vec![ended])).await;
            }
        }
    }
}

fn tell(console: &Console, runs: &[Claimed], ends: &[Ended], refused: &[AttemptId]) {
    for (run, ended) in runs.iter().zip(ends) {
        let Claimed {
            job, kind, rollout, ..
        } = run;
        if refused.contains(&ended.attempt) {
            tracing::error!(%job, attempt = %ended.attempt, "the end of an attempt came too late and was not written");
            continue;
        }
        tracing::info!(%job, %kind, state = %ended.state, "a job ended");
        metrics::counter!("slipway_jobs_ended_total", "kind" => kind.word(), "state" => ended.state.word()).increment(1);
        console.signal(Signal::Job(*job));
        console.signal(Signal::Rollout(*rollout));
    }
    if refused.len() < ends.len() {
        // Their rollouts go on, there is room for others, and hosts are free that some may have waited for.
        console.wake_for_jobs();
    }
}

#[cfg(test)]
mod tests;
