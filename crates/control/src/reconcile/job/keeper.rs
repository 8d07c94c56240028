//! Looks after one attempt: what became of it, what it said, how it ended.

use std::{io, path::Path, sync::Arc};

use domain::{
    SignedDuration, Timestamp,
    attempt::{AttemptEvent, AttemptState},
    job::JobReport,
    plan::Plan,
    text::HostName,
};
use integrations::{
    ansible::{
        command,
        events::{Conclusion, Event, Tally},
    },
    file::is_displaced,
    supervisor::{self, Exit, Found, names},
    tail,
};
use policy::{Kind, Permit, Resource, SystemAction, system_scope};
use store::{CancelWish, Claimed, Ended, JobHost, OpenAttempt};
use tokio::task::spawn_blocking;

use super::{
    LEASE,
    start::Together,
    words::{announces_a_play, last_complaint, last_words, message},
};
use crate::{Console, Error, Signal, reconcile::report};

/// What is left of a lease when it is made longer.
const RENEW_WITHIN: SignedDuration = SignedDuration::from_secs(40);
/// A supervisor that has not ended its run is asked again after this long.
const CANCEL_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// Attempts of one job that never begin before the job is given up.
pub(super) const MOST_STARTS: u32 = 3;
/// Events taken in at once.
pub(super) const BYTES: usize = 1 << 20;

/// What this process remembers of an attempt it looks after. All of it can be found again from the attempt's folder.
pub(super) struct Watch {
    tally: Tally,
    /// Bytes of the events the tally has seen.
    offset: u64,
    /// Nothing before the first need.
    plan: Option<Arc<Plan>>,
    pub hosts: Vec<JobHost>,
    /// When the supervisor was last asked to end the run.
    cancel_passed_on: Option<Timestamp>,
}

impl Watch {
    pub fn new(hosts: Vec<JobHost>) -> Self {
        Self {
            tally: Tally::default(),
            offset: 0,
            plan: None,
            hosts,
            cancel_passed_on: None,
        }
    }
}

/// Does what there is to do for one attempt.
pub(super) struct Keeper {
    pub console: Console,
    pub run: Claimed,
    /// What is remembered; nothing before the first need, and nothing when the attempt has ended.
    pub watch: Option<Watch>,
    /// How it ended, which is still to be written.
    pub ended: Option<Ended>,
}

impl Keeper {
    pub const fn new(console: Console, run: Claimed, watch: Option<Watch>) -> Self {
        Self {
            console,
            run,
            watch,
            ended: None,
        }
    }

    pub fn of(console: Console, open: &OpenAttempt, watch: Option<Watch>) -> Self {
        let run = Claimed {
            job: open.job,
            kind: open.kind,
            batch: open.batch,
            rollout: open.rollout,
            queued_at: open.queued_at,
            attempt: open.attempt.clone(),
        };
        Self::new(console, run, watch)
    }

    pub fn permit(&self) -> Permit {
        let resource = Resource::new(Kind::Job, self.run.job, self.run.kind);
        self.console.system(SystemAction::RUN_JOB, resource)
    }

    pub async fn watch(&mut self) -> Result<&mut Watch, Error> {
        if self.watch.is_none() {
            let (store, job) = (self.console.store(), self.run.job);
            let hosts = store.job_hosts(&system_scope(), job).await?;
            self.watch = Some(Watch::new(hosts));
        }
        self.watch
            .as_mut()
            .ok_or_else(|| Error::Internal("a watched attempt vanished".to_owned()))
    }

    pub async fn plan(&mut self) -> Result<Arc<Plan>, Error> {
        if let Some(plan) = &self.watch().await?.plan {
            return Ok(Arc::clone(plan));
        }
        let (store, rollout) = (self.console.store(), self.run.rollout);
        let plan = Arc::new(store.plan(&system_scope(), rollout).await?);
        self.watch().await?.plan = Some(Arc::clone(&plan));
        Ok(plan)
    }

    pub async fn look_after(&mut self, open: &OpenAttempt) -> Result<(), Error> {
        let attempt = &self.run.attempt;
        let folder = self.console.attempt_folder(attempt.id);
        let there = folder.try_exists().map_err(|error| {
            Error::Unavailable(format!(
                "{} cannot be looked at: {error}.",
                folder.display()
            ))
        })?;
        let found = if attempt.state == AttemptState::Starting && !there {
            // Claimed by a process that ended before it made the folder: nothing was launched.
            Found::NeverBegan
        } else {
            let at = folder.clone();
            spawn_blocking(move || supervisor::inspect(&at))
                .await
                .map_err(|error| Error::Internal(error.to_string()))?
                .map_err(|error| Error::Unavailable(error.to_string()))?
        };
        let wanted = open.cancel_asked == CancelWish::None;
        match found {
            Found::NeverBegan if wanted && !folder.join(names::SPEC).exists() => {
                // Whoever claimed it may have gone before it was settled.
                self.start(&Together::default()).await
            }
            Found::NeverBegan => self.never_began(wanted, &folder).await,
            Found::Running { child, .. } => {
                if attempt.state == AttemptState::Starting && child.is_some() {
                    self.move_on(AttemptEvent::Begun).await?;
                }
                if !wanted {
                    self.pass_cancel_on(&folder).await?;
                }
                self.take_in(open, &folder).await?;
                self.renew(open).await
            }
            Found::Finished(exit) => {
                self.take_in(open, &folder).await?;
                self.conclude(&exit, &folder).await
            }
            Found::Lost => {
                self.take_in(open, &folder).await?;
                let kind = self.run.kind;
                let watch = self.watch().await?;
                let conclusion = watch.tally.conclude_lost(kind, &names_of(&watch.hosts));
                self.finish(conclusion).await
            }
        }
    }

    /// Queues the job again, or ends it: when somebody asked for that, or when it was tried often enough.
    pub async fn never_began(&mut self, wanted: bool, folder: &Path) -> Result<(), Error> {
        let attempt = &self.run.attempt;
        // An attempt that began is never queued again, so those before this one did not begin either.
        if wanted && attempt.number >= MOST_STARTS {
            let message = format!(
                "The process that watches the playbook ended {} times before it had begun. {}",
                attempt.number,
                last_words(folder)
            );
            return self.could_not_start(message).await;
        }
        self.watch = None;
        forget(folder);
        let (permit, now) = (self.permit(), self.console.now());
        let store = self.console.store();
        Ok(store
            .attempt_requeue(&permit, attempt.id, attempt.fencing, now)
            .await?)
    }

    async fn renew(&self, open: &OpenAttempt) -> Result<(), Error> {
        let now = self.console.now();
        if open.lease_until.duration_since(now) > RENEW_WITHIN {
            return Ok(());
        }
        let lease = now.checked_add(LEASE).unwrap_or(Timestamp::MAX);
        let attempt = &self.run.attempt;
        let store = self.console.store();
        Ok(store
            .lease_renew(attempt.id, attempt.fencing, lease)
            .await?)
    }

    /// Asks the supervisor to end the run, and again until it has.
    async fn pass_cancel_on(&mut self, folder: &Path) -> Result<(), Error> {
        let now = self.console.now();
        let watch = self.watch().await?;
        if let Some(asked) = watch.cancel_passed_on
            && now.duration_since(asked) < CANCEL_AGAIN
        {
            return Ok(());
        }
        watch.cancel_passed_on = Some(now);
        let attempt = &self.run.attempt;
        if let Err(error) = supervisor::cancel(folder) {
            tracing::error!(attempt = %attempt.id, %error, "a request to stop may not have arrived; it is sent again");
        }
        if attempt.state != AttemptState::Cancelling {
            self.move_on(AttemptEvent::CancelAsked).await?;
        }
        Ok(())
    }

    async fn move_on(&self, event: AttemptEvent) -> Result<(), Error> {
        let attempt = &self.run.attempt;
        let state = attempt
            .state
            .apply(event)
            .map_err(|error| Error::Internal(error.to_string()))?;
        let (permit, now) = (self.permit(), self.console.now());
        let store = self.console.store();
        store
            .attempt_state(&permit, attempt.id, attempt.fencing, state, now)
            .await?;
        self.console.signal(Signal::Job(self.run.job));
        Ok(())
    }

    /// Reads new events, counts them, and writes what they say about hosts.
    async fn take_in(&mut self, open: &OpenAttempt, folder: &Path) -> Result<(), Error> {
        let (permit, console) = (self.permit(), self.console.clone());
        let version = self.plan().await?.release.version.clone();
        let watch = self.watch().await?;
        // What comes meanwhile is for the next look, which also sees whether somebody wants the run to end.
        let length = std::fs::metadata(folder.join(names::EVENTS)).map_or(0, |file| file.len());
        while watch.offset < length {
            let (path, offset) = (folder.join(names::EVENTS), watch.offset);
            let read = spawn_blocking(move || tail::read_lines(&path, offset, BYTES))
                .await
                .map_err(|error| Error::Internal(error.to_string()))?;
            if read.as_ref().is_err_and(is_displaced) {
                watch.tally.damaged();
                return Ok(());
            }
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
                .filter_map(|event| report::mark(event, open.kind, &version, &watch.hosts))
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
        Ok(())
    }

    async fn conclude(&mut self, exit: &Exit, folder: &Path) -> Result<(), Error> {
        let kind = self.run.kind;
        let watch = self.watch().await?;
        if !watch.tally.played() && announces_a_play(folder.join(names::OUTPUT)).await? {
            watch.tally.play_announced();
        }
        if watch.tally.is_open()
            && let Some(said) = last_complaint(folder.join(names::OUTPUT)).await
        {
            watch.tally.complained(said);
        }
        let conclusion = watch.tally.conclude(kind, exit, &names_of(&watch.hosts));
        self.finish(conclusion).await
    }

    /// What hosts told of themselves. Nothing is decided by it, so nothing waits for it.
    async fn keep_facts(&mut self) -> Result<(), Error> {
        let watch = self.watch().await?;
        let told = watch.tally.facts();
        let of_host = |known: &JobHost| {
            let facts = told.get(known.host.name.as_str())?.clone();
            Some((known.host.id, facts))
        };
        let facts: Vec<_> = watch.hosts.iter().filter_map(of_host).collect();
        let (permit, now) = (self.permit(), self.console.now());
        let kept = self.console.store().facts_keep(&permit, &facts, now);
        if let Err(error) = kept.await {
            tracing::warn!(job = %self.run.job, %error, "what hosts told of themselves was not kept");
        }
        Ok(())
    }

    /// The attempt has ended; whoever runs this keeper writes it.
    pub async fn finish(&mut self, conclusion: Conclusion) -> Result<(), Error> {
        forget(&self.console.attempt_folder(self.run.attempt.id));
        self.keep_facts().await?;
        let watch = self.watch().await?;
        let report: JobReport = report::of(conclusion, &watch.hosts);
        let message = message(&report);
        let failed = !message.is_empty();
        let attempt = &self.run.attempt;
        let state = attempt
            .state
            .apply(report::attempt_event(&report.end, failed))
            .map_err(|error| Error::Internal(error.to_string()))?;
        self.ended = Some(Ended {
            attempt: attempt.id,
            fencing: attempt.fencing,
            state,
            message,
            report,
        });
        self.watch = None;
        Ok(())
    }
}

/// Removes the secrets of a run that no supervisor removes: it is gone, or never was.
fn forget(folder: &Path) {
    if let Err(error) = command::forget(folder) {
        tracing::error!(%error, "secrets of a run could not be removed");
    }
}

fn names_of(hosts: &[JobHost]) -> Vec<HostName> {
    hosts.iter().map(|known| known.host.name.clone()).collect()
}
