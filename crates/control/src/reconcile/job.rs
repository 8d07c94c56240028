//! Runs queued jobs: claims, launches a supervisor, takes events in, and ends the job from its exit record.
//!
//! A restarted worker finds its open attempts in the database and their truth in their folders, so it does not matter
//! where the one before stopped.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::{
    SignedDuration, Timestamp,
    attempt::{Attempt, AttemptEvent, AttemptState},
    host::HostOutcome,
    id::{AttemptId, JobId, RolloutId},
    job::{JobEnd, JobKind, JobReport},
    plan::Plan,
    text::HostName,
};
use integrations::{
    ansible::{
        command,
        events::{Conclusion, Event, Tally},
    },
    supervisor::{self, Found, names},
    tail,
};
use policy::{Permit, Resource, SystemAction, system_scope};
use store::{CancelWish, Claimable, Claimed, JobHost, OpenAttempt};
use tokio::task::spawn_blocking;

use super::report;
use crate::{Console, Error, JobLimits, Signal, run::Wanted};

const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// What is left of a lease when it is made longer.
const RENEW_WITHIN: SignedDuration = SignedDuration::from_secs(40);
/// A supervisor that has not ended its run is asked again after this long.
const CANCEL_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// Attempts of one job that never begin before the job is given up.
const MOST_STARTS: u32 = 3;
/// Events taken in at once.
const BYTES: usize = 1 << 20;

/// What this process remembers of an attempt it looks after. All of it can be found again from the attempt's folder.
struct Watch {
    tally: Tally,
    /// Bytes of the events the tally has seen.
    offset: u64,
    plan: Plan,
    hosts: Vec<JobHost>,
    /// When the supervisor was last asked to end the run.
    cancel_passed_on: Option<Timestamp>,
}

/// The job reconciler.
pub(super) struct Runner {
    console: Console,
    watched: HashMap<AttemptId, Watch>,
}

impl Runner {
    pub fn new(console: Console) -> Self {
        Self {
            console,
            watched: HashMap::new(),
        }
    }

    /// Looks after every open attempt, then claims what there is room for.
    pub async fn round(&mut self) {
        let open = match self.console.store().open_attempts().await {
            Ok(open) => open,
            Err(error) => return tracing::warn!(%error, "open attempts could not be read"),
        };
        self.watched
            .retain(|id, _| open.iter().any(|open| open.attempt.id == *id));
        let count = |jobs: usize| u32::try_from(jobs).unwrap_or(u32::MAX);
        let mut busy = count(open.len());
        let deploys = open.iter().filter(|open| open.kind == JobKind::Deploy);
        let mut deploys = count(deploys.count());
        for open in open {
            let id = open.attempt.id;
            if let Err(error) = self.look_after(&open).await {
                tracing::error!(attempt = %id, %error, "an attempt could not be looked after; it is tried again");
                // Read again from the start: what was read may not have been written.
                self.watched.remove(&id);
            }
        }
        let limits = self.console.settings().jobs;
        while busy < limits.at_once {
            let which = if deploys + JobLimits::NOT_FOR_DEPLOYS < limits.at_once {
                Claimable::Any {
                    in_environment: limits.deploys_in_environment,
                }
            } else {
                Claimable::AllButDeploys
            };
            match self.claim(which).await {
                Ok(Some(kind)) => {
                    busy += 1;
                    deploys += u32::from(kind == JobKind::Deploy);
                }
                Ok(None) => return,
                Err(error) => return tracing::error!(%error, "no job could be claimed"),
            }
        }
    }

    fn permit(&self, job: JobId, kind: JobKind) -> Permit {
        self.console
            .system(SystemAction::RUN_JOB, Resource::new("job", job, kind))
    }

    async fn claim(&mut self, which: Claimable) -> Result<Option<JobKind>, Error> {
        let console = &self.console;
        let (id, now) = (AttemptId(console.mint()), console.now());
        let permit = console.system(SystemAction::RUN_JOB, Resource::new("job", "", ""));
        let lease = now.checked_add(LEASE).unwrap_or(now);
        let Some(claimed) = console
            .store()
            .claim(&permit, &console.settings().worker, id, now, lease, which)
            .await?
        else {
            return Ok(None);
        };
        let Claimed {
            job,
            kind,
            batch,
            rollout,
            attempt,
        } = claimed;
        tracing::info!(%job, %kind, attempt = %attempt.id, "a job was claimed");
        self.start(&attempt, job, kind, batch, rollout).await?;
        Ok(Some(kind))
    }

    async fn watch(
        &mut self,
        attempt: AttemptId,
        job: JobId,
        rollout: RolloutId,
    ) -> Result<&mut Watch, Error> {
        if !self.watched.contains_key(&attempt) {
            let plan = self
                .console
                .store()
                .rollout(&system_scope(), rollout)
                .await?
                .rollout
                .plan;
            let hosts = self.console.store().job_hosts(&system_scope(), job).await?;
            self.watched.insert(
                attempt,
                Watch {
                    tally: Tally::default(),
                    offset: 0,
                    plan,
                    hosts,
                    cancel_passed_on: None,
                },
            );
        }
        self.watched
            .get_mut(&attempt)
            .ok_or_else(|| Error::Internal("a watched attempt vanished".to_owned()))
    }

    /// Writes the attempt's folder and launches its supervisor; a job that cannot be started ends at once.
    async fn start(
        &mut self,
        attempt: &Attempt,
        job: JobId,
        kind: JobKind,
        batch: u32,
        rollout: RolloutId,
    ) -> Result<(), Error> {
        let folder = self.console.attempt_folder(attempt.id);
        let settings = self.console.settings().clone();
        let id = attempt.id;
        let due = Arc::clone(&self.console.inner.jobs_due);
        let watch = self.watch(id, job, rollout).await?;
        let (plan, hosts) = (watch.plan.clone(), watch.hosts.clone());
        if hosts.is_empty() {
            // Every host is where the job would bring it, so there is nothing to run.
            let conclusion = Conclusion {
                end: JobEnd::Completed,
                hosts: Default::default(),
            };
            return self.finish(attempt, job, kind, rollout, conclusion).await;
        }
        let permit = self.permit(job, kind);
        let wanted = Wanted {
            attempt: id,
            rollout,
            batch,
            kind,
            plan,
            hosts,
        };
        let written = self
            .console
            .write_run(&permit, folder.clone(), wanted)
            .await;
        let launched = match written {
            Err(error @ Error::Store(_)) => return Err(error),
            Err(error) => Err(error.to_string()),
            Ok(()) => spawn_blocking(move || {
                supervisor::launch(&settings.supervisor_exe, &folder, move || due.notify_one())
                    .map_err(|error| error.to_string())
            })
            .await
            .map_err(|error| Error::Internal(error.to_string()))?,
        };
        match launched {
            Ok(()) => {
                self.console.signal(Signal::Job(job));
                Ok(())
            }
            Err(message) => {
                let conclusion = Conclusion {
                    end: JobEnd::CouldNotStart { message },
                    hosts: Default::default(),
                };
                self.finish(attempt, job, kind, rollout, conclusion).await
            }
        }
    }

    async fn look_after(&mut self, open: &OpenAttempt) -> Result<(), Error> {
        let OpenAttempt {
            attempt,
            job,
            kind,
            rollout,
            cancel_asked,
            ..
        } = open;
        let folder = self.console.attempt_folder(attempt.id);
        let found = if attempt.state == AttemptState::Starting && !folder.exists() {
            // Claimed by a process that ended before it made the folder: nothing was launched.
            Found::NeverBegan
        } else {
            let at = folder.clone();
            spawn_blocking(move || supervisor::inspect(&at))
                .await
                .map_err(|error| Error::Internal(error.to_string()))?
                .map_err(|error| Error::Unavailable(error.to_string()))?
        };
        let wanted = *cancel_asked == CancelWish::None;
        match found {
            Found::NeverBegan if wanted && !folder.join(names::SPEC).exists() => {
                self.start(attempt, *job, *kind, open.batch, *rollout).await
            }
            // An attempt that began is never queued again, so those before this one did not begin either.
            Found::NeverBegan if wanted && attempt.number >= MOST_STARTS => {
                let conclusion = Conclusion {
                    end: JobEnd::CouldNotStart {
                        message: format!(
                            "The process that watches the playbook ended {} times before it had begun. {}",
                            attempt.number,
                            last_words(&folder)
                        ),
                    },
                    hosts: Default::default(),
                };
                self.finish(attempt, *job, *kind, *rollout, conclusion)
                    .await
            }
            // The job ends instead if somebody asked for that.
            Found::NeverBegan => {
                self.watched.remove(&attempt.id);
                forget(&folder);
                Ok(self
                    .console
                    .store()
                    .attempt_requeue(
                        &self.permit(*job, *kind),
                        attempt.id,
                        attempt.fencing,
                        self.console.now(),
                    )
                    .await?)
            }
            Found::Running { child, .. } => {
                if attempt.state == AttemptState::Starting && child.is_some() {
                    self.move_on(attempt, *job, *kind, AttemptEvent::Begun)
                        .await?;
                }
                if !wanted {
                    self.pass_cancel_on(open, &folder).await?;
                }
                self.take_in(open, &folder).await?;
                let now = self.console.now();
                if open.lease_until.duration_since(now) > RENEW_WITHIN {
                    return Ok(());
                }
                let lease = now.checked_add(LEASE).unwrap_or(Timestamp::MAX);
                Ok(self
                    .console
                    .store()
                    .lease_renew(attempt.id, attempt.fencing, lease)
                    .await?)
            }
            Found::Finished(exit) => {
                self.take_in(open, &folder).await?;
                let watch = self.watch(attempt.id, *job, *rollout).await?;
                if !watch.tally.played() && announces_a_play(folder.join(names::OUTPUT)).await? {
                    watch.tally.play_announced();
                }
                let conclusion = watch.tally.conclude(*kind, &exit, &names_of(&watch.hosts));
                self.finish(attempt, *job, *kind, *rollout, conclusion)
                    .await
            }
            Found::Lost => {
                self.take_in(open, &folder).await?;
                let watch = self.watch(attempt.id, *job, *rollout).await?;
                let conclusion = watch.tally.conclude_lost(*kind, &names_of(&watch.hosts));
                self.finish(attempt, *job, *kind, *rollout, conclusion)
                    .await
            }
        }
    }

    /// Asks the supervisor to end the run, and again until it has.
    async fn pass_cancel_on(&mut self, open: &OpenAttempt, folder: &Path) -> Result<(), Error> {
        let now = self.console.now();
        let watch = self.watch(open.attempt.id, open.job, open.rollout).await?;
        if let Some(asked) = watch.cancel_passed_on
            && now.duration_since(asked) < CANCEL_AGAIN
        {
            return Ok(());
        }
        watch.cancel_passed_on = Some(now);
        if let Err(error) = supervisor::cancel(folder) {
            tracing::error!(attempt = %open.attempt.id, %error, "a request to stop may not have arrived; it is sent again");
        }
        if open.attempt.state != AttemptState::Cancelling {
            self.move_on(
                &open.attempt,
                open.job,
                open.kind,
                AttemptEvent::CancelAsked,
            )
            .await?;
        }
        Ok(())
    }

    async fn move_on(
        &self,
        attempt: &Attempt,
        job: JobId,
        kind: JobKind,
        event: AttemptEvent,
    ) -> Result<(), Error> {
        let state = attempt
            .state
            .apply(event)
            .map_err(|error| Error::Internal(error.to_string()))?;
        self.console
            .store()
            .attempt_state(
                &self.permit(job, kind),
                attempt.id,
                attempt.fencing,
                state,
                self.console.now(),
            )
            .await?;
        self.console.signal(Signal::Job(job));
        Ok(())
    }

    /// Reads new events, counts them, and writes what they say about hosts.
    async fn take_in(&mut self, open: &OpenAttempt, folder: &Path) -> Result<(), Error> {
        let permit = self.permit(open.job, open.kind);
        let console = self.console.clone();
        let watch = self.watch(open.attempt.id, open.job, open.rollout).await?;
        loop {
            let (path, offset) = (folder.join(names::EVENTS), watch.offset);
            let read = spawn_blocking(move || tail::read_lines(&path, offset, BYTES))
                .await
                .map_err(|error| Error::Internal(error.to_string()))?;
            let (lines, next) = read.map_err(|error: io::Error| {
                Error::Unavailable(format!(
                    "The events of attempt {} cannot be read: {error}.",
                    open.attempt.id
                ))
            })?;
            if lines.is_empty() {
                return Ok(());
            }
            let events: Vec<Event> = lines
                .iter()
                .filter_map(|line| watch.tally.take(&line.text))
                .collect();
            watch.offset = next;
            let marks: Vec<_> = events
                .into_iter()
                .filter_map(|event| {
                    report::mark(event, open.kind, &watch.plan.release.version, &watch.hosts)
                })
                .collect();
            let offset = i64::try_from(next).unwrap_or(i64::MAX);
            // After a restart the tally reads from the start, while hosts are only told what is new.
            if offset > open.offset {
                console
                    .store()
                    .attempt_progress(
                        &permit,
                        open.attempt.id,
                        open.attempt.fencing,
                        offset,
                        &marks,
                    )
                    .await?;
                if !marks.is_empty() {
                    console.signal(Signal::Rollout(open.rollout));
                }
            }
        }
    }

    async fn finish(
        &mut self,
        attempt: &Attempt,
        job: JobId,
        kind: JobKind,
        rollout: RolloutId,
        conclusion: Conclusion,
    ) -> Result<(), Error> {
        forget(&self.console.attempt_folder(attempt.id));
        let permit = self.permit(job, kind);
        let console = self.console.clone();
        let watch = self.watch(attempt.id, job, rollout).await?;
        let told = watch.tally.facts();
        let of_host = |known: &JobHost| {
            let facts = told.get(known.host.name.as_str())?.clone();
            Some((known.host.id, facts))
        };
        let facts: Vec<_> = watch.hosts.iter().filter_map(of_host).collect();
        // Nothing is decided by them, so nothing waits for them.
        if let Err(error) = console
            .store()
            .facts_keep(&permit, &facts, console.now())
            .await
        {
            tracing::warn!(%job, %error, "what hosts told of themselves was not kept");
        }
        let report: JobReport = report::of(conclusion, &watch.hosts);
        let message = message(&report);
        let failed = !message.is_empty();
        let state = attempt
            .state
            .apply(report::attempt_event(&report.end, failed))
            .map_err(|error| Error::Internal(error.to_string()))?;
        let now = self.console.now();
        self.console
            .store()
            .attempt_finish(
                &self.permit(job, kind),
                attempt.id,
                attempt.fencing,
                state,
                &message,
                &report,
                now,
            )
            .await?;
        tracing::info!(%job, %kind, state = %state, "a job ended");
        metrics::counter!("slipway_jobs_ended_total", "kind" => kind.word(), "state" => state.word()).increment(1);
        self.watched.remove(&attempt.id);
        self.console.signal(Signal::Job(job));
        self.console.signal(Signal::Rollout(rollout));
        self.console.inner.rollouts_due.notify_one();
        Ok(())
    }
}

/// Removes the secrets of a run that no supervisor removes: it is gone, or never was.
fn forget(folder: &Path) {
    if let Err(error) = command::forget(folder) {
        tracing::error!(%error, "secrets of a run could not be removed");
    }
}

/// Whether the output says that a play began, whatever the events say: Ansible goes on without a plugin that fails.
async fn announces_a_play(output: PathBuf) -> Result<bool, Error> {
    let announces = move || -> io::Result<bool> {
        let mut offset = 0;
        loop {
            let (lines, next) = tail::read_lines(&output, offset, BYTES)?;
            if lines.iter().any(|line| line.text.contains("PLAY [")) {
                return Ok(true);
            }
            if next == offset {
                return Ok(false);
            }
            offset = next;
        }
    };
    let announces = spawn_blocking(announces)
        .await
        .map_err(|error| Error::Internal(error.to_string()))?;
    announces.map_err(|error| {
        Error::Unavailable(format!("The output of an attempt cannot be read: {error}."))
    })
}

fn names_of(hosts: &[JobHost]) -> Vec<HostName> {
    hosts.iter().map(|known| known.host.name.clone()).collect()
}

/// What a supervisor that never began complained about last.
fn last_words(folder: &Path) -> String {
    const TAIL: usize = 2000;
    let path = folder.join(names::SUPERVISOR_LOG);
    let length = std::fs::metadata(&path).map_or(0, |file| file.len());
    let lines = tail::read_lines(&path, length.saturating_sub(TAIL as u64), TAIL);
    let lines = lines.map(|(lines, _)| lines).unwrap_or_default();
    let said: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    match said.as_slice() {
        [] => format!("It did not say why: {} is empty.", path.display()),
        [.., _, _, _] => said[said.len() - 3..].join(" "),
        said => said.join(" "),
    }
}

/// Why a job ended badly, in one sentence; empty when it did not.
fn message(report: &JobReport) -> String {
    match &report.end {
        JobEnd::CouldNotStart { message } | JobEnd::Lost { message } => message.clone(),
        JobEnd::Cancelled => "It was cancelled.".to_owned(),
        JobEnd::TimedOut => "It ran into its deadline.".to_owned(),
        JobEnd::Completed => {
            let bad: Vec<&HostOutcome> = report
                .hosts
                .values()
                .map(|host| &host.outcome)
                .filter(|outcome| !outcome.well())
                .collect();
            match bad.first() {
                None => String::new(),
                Some(first) => format!(
                    "{} of {} hosts: {}",
                    bad.len(),
                    report.hosts.len(),
                    first.message()
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests;
