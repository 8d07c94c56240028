//! The moves a rollout is made of: each changes the rollout and notes what has to be done about it.

use jiff::{SignedDuration, Timestamp};

use crate::{
    audit::{Actor, AuditNote},
    batch::{BakeClock, Batch, BatchState, HeldAt, LOOK_AFTER_BAKE, LOOK_AFTER_PROMOTION},
    delivery::{Deployment, DeploymentOutcome},
    id::{DeploymentId, JobId},
    job::{JobKind, NewJob},
    rollout::{Change, Effect, Moment, Notice, NoticeKind, Refused, Rollout, RolloutState},
    strategy::spell_seconds,
};

/// A rollout in the middle of a change.
pub(super) struct Step<'a, 'm> {
    pub rollout: Rollout,
    pub effects: Vec<Effect>,
    pub notes: Vec<AuditNote>,
    pub moment: &'a mut Moment<'m>,
    pub actor: &'a Actor,
}

/// Why a batch of a rollout that was aborted rests.
pub(super) const STOPPED: &str = "The rollout was stopped.";

/// Index of a batch in `Rollout::batches`.
pub(super) type At = usize;

impl<'a, 'm> Step<'a, 'm> {
    pub fn new(rollout: Rollout, actor: &'a Actor, moment: &'a mut Moment<'m>) -> Self {
        Self {
            rollout,
            effects: Vec::new(),
            notes: Vec::new(),
            moment,
            actor,
        }
    }

    pub fn finish(mut self, words_before: &[&'static str]) -> Change {
        if self.rollout.words() != words_before {
            self.rollout.decision_version += 1;
        }
        Change {
            rollout: self.rollout,
            effects: self.effects,
            notes: self.notes,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.moment.now
    }

    pub fn batch(&self, at: At) -> &Batch {
        &self.rollout.batches[at]
    }

    pub fn set(&mut self, at: At, state: BatchState) {
        self.rollout.batches[at].state = state;
    }

    /// Finds a batch by its 1-based number.
    pub fn find(&self, number: u32) -> Result<At, Refused> {
        self.rollout
            .batches
            .iter()
            .position(|batch| batch.number == number)
            .ok_or_else(|| Refused {
                message: format!("This rollout has no batch {number}."),
            })
    }

    pub fn note(&mut self, action: &str, summary: impl Into<String>, reason: impl Into<String>) {
        self.notes.push(AuditNote::new(action, summary, reason));
    }

    pub fn tell(&mut self, kind: NoticeKind, title: String, text: impl Into<String>) {
        self.effects.push(Effect::Notify(Notice {
            kind,
            title,
            text: text.into(),
        }));
    }

    /// “checkout 1.4.2 to production”.
    pub fn subject(&self) -> String {
        let plan = &self.rollout.plan;
        format!(
            "{} {} to {}",
            plan.service_slug, plan.release.version, plan.environment_slug
        )
    }

    fn queue(&mut self, at: At, kind: JobKind) -> JobId {
        let id = JobId((self.moment.mint)());
        let batch = self.batch(at).number;
        self.effects
            .push(Effect::QueueJob(NewJob { id, kind, batch }));
        id
    }

    /// Asks what a deploy of a batch would change. The batch waits for no answer.
    pub fn foresee(&mut self, at: At) {
        self.queue(at, JobKind::DryRun);
    }

    pub fn deploy(&mut self, at: At, round: u32) {
        let job = self.queue(at, JobKind::Deploy);
        let now = self.now();
        let batch = &mut self.rollout.batches[at];
        batch.started_at.get_or_insert(now);
        batch.verdict = None;
        batch.next_look = None;
        batch.state = BatchState::Deploying { job, round };
    }

    pub fn validate(&mut self, at: At, round: u32) {
        let job = self.queue(at, JobKind::Probe);
        self.set(at, BatchState::Validating { job, round });
    }

    /// Asks every host of a batch, of whose deploy `cause` tells what became.
    pub fn probe(&mut self, at: At, round: u32, cause: String) {
        self.ask_hosts(at, JobKind::Probe, round, 0, cause);
    }

    /// Asks the unknown hosts alone: one that failed may say the right version without all that was deployed.
    pub fn ask_unknown(&mut self, at: At, round: u32, failed: u32) {
        self.ask_hosts(at, JobKind::ProbeUnknown, round, failed, String::new());
    }

    fn ask_hosts(&mut self, at: At, kind: JobKind, round: u32, failed: u32, cause: String) {
        let job = self.queue(at, kind);
        self.set(
            at,
            BatchState::Probing {
                job,
                round,
                failed,
                cause,
            },
        );
    }

    /// How many hosts of a batch may fail.
    pub fn may_fail(&self, at: At) -> u32 {
        let limit = self.rollout.plan.strategy.failures.limit;
        limit.of(self.batch(at).host_count)
    }

    /// Tries the hosts that could not be reached again after a while.
    pub fn back_off(&mut self, at: At, round: u32, wait: SignedDuration, message: String) {
        let (until, number) = (self.later(wait), self.batch(at).number);
        self.note(
            "batch.back_off",
            format!(
                "Batch {number} is tried again in {}",
                spell_seconds(wait.as_secs().unsigned_abs())
            ),
            message.clone(),
        );
        self.set(
            at,
            BatchState::BackingOff {
                until,
                round,
                message,
            },
        );
    }

    /// Leaves a batch with its hosts as they are, without a word: what happens to its rollout says enough.
    pub fn rest(&mut self, at: At, message: impl Into<String>) {
        self.set(
            at,
            BatchState::Held {
                at: HeldAt::Hosts,
                message: message.into(),
            },
        );
    }

    pub fn hold(&mut self, at: At, held: HeldAt, message: String) {
        let (now, number) = (self.now(), self.batch(at).number);
        if held == HeldAt::Hosts {
            self.rollout.failed_at.get_or_insert(now);
        }
        self.note(
            "batch.hold",
            format!("Batch {number} is held"),
            message.clone(),
        );
        self.tell(
            NoticeKind::Warning,
            format!("{}: batch {number} waits for a person", self.subject()),
            message.clone(),
        );
        self.set(at, BatchState::Held { at: held, message });
    }

    /// Real seconds a planned length takes in this installation.
    fn scaled(&self, seconds: u64) -> SignedDuration {
        let millis = seconds.saturating_mul(1000) / self.moment.time_scale.max(1);
        SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    fn later(&self, by: SignedDuration) -> Timestamp {
        self.now().checked_add(by).unwrap_or(Timestamp::MAX)
    }

    /// Sets when telemetry is judged again: after a tenth of the bake, between one second and five minutes, while it
    /// lasts, and at its end; every minute from then on, whatever the other batches do.
    pub fn look_again(&mut self, at: At) {
        let batch = self.batch(at);
        let look = match &batch.state {
            BatchState::Baking { clock, .. } => {
                let tenth = self.scaled(batch.bake_seconds).as_millis() / 10;
                let millis = i64::try_from(tenth.clamp(1000, 300_000)).unwrap_or(300_000);
                let look = self.later(SignedDuration::from_millis(millis));
                match clock {
                    BakeClock::Running { until } if *until > self.now() => look.min(*until),
                    _ => look,
                }
            }
            BatchState::Promoted { .. } => self.later(LOOK_AFTER_PROMOTION),
            _ => self.later(LOOK_AFTER_BAKE),
        };
        self.rollout.batches[at].next_look = Some(look);
    }

    /// Watches a batch for so many seconds. One that is watched longer stays compared with the time before its
    /// change, or a slow drift would be forgotten.
    pub fn bake(&mut self, at: At, seconds: u64) {
        let now = self.now();
        let length = self.scaled(seconds);
        // Whatever was asked of the bakes then under way: one that begins while paused waits for the rollout to go on.
        let clock = match self.rollout.state {
            RolloutState::Paused { .. } => BakeClock::Stopped {
                left_ms: i64::try_from(length.as_millis()).unwrap_or(i64::MAX),
            },
            _ => BakeClock::Running {
                until: self.later(length),
            },
        };
        let batch = &mut self.rollout.batches[at];
        let since = *batch.verified_at.get_or_insert(now);
        batch.state = BatchState::Baking { since, clock };
        self.look_again(at);
    }

    pub fn open_gate(&mut self, at: At) {
        let (now, number) = (self.now(), self.batch(at).number);
        // Never scaled: people decide no faster where bakes run faster.
        let wait = i64::try_from(self.rollout.plan.strategy.gate_seconds).unwrap_or(i64::MAX);
        let expires = self.later(SignedDuration::from_secs(wait));
        let text = self
            .batch(at)
            .verdict
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        self.note(
            "gate.open",
            format!("Batch {number} waits at its gate"),
            text.clone(),
        );
        self.tell(
            NoticeKind::Info,
            format!("{}: go or no-go for batch {number}", self.subject()),
            text,
        );
        self.set(
            at,
            BatchState::Gate {
                since: now,
                expires,
            },
        );
    }

    /// Promotes a batch and starts the next, or ends the rollout well.
    pub fn promote(&mut self, at: At, reason: String) {
        let (now, number) = (self.now(), self.batch(at).number);
        let by = self.actor.name().to_owned();
        self.note(
            "batch.promote",
            format!("Batch {number} was promoted"),
            reason,
        );
        self.set(at, BatchState::Promoted { at: now, by });
        self.go_on();
    }

    /// Starts the next batch if none is under way; ends the rollout when all are promoted. Does nothing while paused.
    pub fn go_on(&mut self) {
        if !matches!(self.rollout.state, RolloutState::Running) {
            return;
        }
        match self
            .rollout
            .batches
            .iter()
            .position(|batch| !matches!(batch.state, BatchState::Promoted { .. }))
        {
            None => {
                let now = self.now();
                self.rollout.state = RolloutState::Succeeded { at: now };
                self.rollout.failed_at = None;
                self.note(
                    "rollout.succeed",
                    format!("{} succeeded", self.subject()),
                    "Every batch was promoted.",
                );
                self.tell(
                    NoticeKind::Success,
                    format!("{} succeeded", self.subject()),
                    "Every batch was promoted.",
                );
                self.record(DeploymentOutcome::Succeeded);
            }
            Some(at) if matches!(self.batch(at).state, BatchState::Pending) => {
                let number = self.batch(at).number;
                self.note(
                    "batch.start",
                    format!("Batch {number} was started"),
                    String::new(),
                );
                self.tell(
                    NoticeKind::Info,
                    format!("{}: batch {number} started", self.subject()),
                    String::new(),
                );
                self.deploy(at, 1);
            }
            Some(_) => {}
        }
    }

    pub fn begin_rollback(&mut self, reason: String) {
        let now = self.now();
        self.rollout.failed_at.get_or_insert(now);
        self.note(
            "rollout.roll_back",
            format!("{} is being rolled back", self.subject()),
            reason.clone(),
        );
        self.tell(
            NoticeKind::Error,
            format!("{} is being rolled back", self.subject()),
            reason.clone(),
        );
        self.rollout.state = RolloutState::RollingBack { reason, since: now };
        for at in 0..self.rollout.batches.len() {
            match self.batch(at).state.clone() {
                BatchState::Pending
                | BatchState::RolledBack { .. }
                | BatchState::RollingBack { .. } => {}
                // Its hosts are being changed at this moment; they are rolled back when that job has ended.
                BatchState::Deploying { job, .. } => self.effects.push(Effect::CancelJob(job)),
                // What it finds tells whether a host was touched at all, and what it ran before.
                BatchState::Probing { .. } => {}
                BatchState::Validating { job, .. } => {
                    self.effects.push(Effect::CancelJob(job));
                    self.roll_back_batch(at);
                }
                _ => self.roll_back_batch(at),
            }
        }
        self.settle_rollback();
    }

    pub fn roll_back_batch(&mut self, at: At) {
        let job = self.queue(at, JobKind::RollBack);
        let since = self.now();
        self.set(at, BatchState::RollingBack { job, since });
    }

    /// Ends a roll back when no batch is under way any more.
    pub fn settle_rollback(&mut self) {
        let RolloutState::RollingBack { reason, .. } = &self.rollout.state else {
            return;
        };
        let reason = reason.clone();
        if !self.rollout.jobs().is_empty() {
            return;
        }
        let now = self.now();
        if self.rollout.batches.iter().any(|batch| {
            !matches!(
                batch.state,
                BatchState::Pending | BatchState::RolledBack { .. }
            )
        }) {
            self.rollout.state = RolloutState::RollbackFailed {
                reason: reason.clone(),
                since: now,
            };
            self.record(DeploymentOutcome::RollbackFailed);
            self.note(
                "rollout.rollback_failed",
                format!("{} could not be rolled back everywhere", self.subject()),
                reason.clone(),
            );
            self.tell(NoticeKind::Error, format!("{}: roll back failed", self.subject()), "Some hosts are not on their old version. Roll back again, or bring them right and record how.");
        } else {
            self.rollout.state = RolloutState::RolledBack {
                reason: reason.clone(),
                at: now,
            };
            self.note(
                "rollout.rolled_back",
                format!("{} was rolled back", self.subject()),
                reason.clone(),
            );
            self.tell(
                NoticeKind::Success,
                format!("{} was rolled back", self.subject()),
                reason,
            );
            self.record(DeploymentOutcome::RolledBack);
        }
    }

    pub fn begin_abort(&mut self, reason: String) {
        let since = self.now();
        self.note(
            "rollout.abort",
            format!("{} is being stopped", self.subject()),
            reason.clone(),
        );
        for at in 0..self.rollout.batches.len() {
            match self.batch(at).state {
                // It only looks, and what it finds is what people need to know of hosts that are Unknown.
                BatchState::Probing { .. } => {}
                // Nothing is tried again.
                BatchState::BackingOff { .. } => self.rest(at, STOPPED),
                ref state => self.effects.extend(state.job().map(Effect::CancelJob)),
            }
        }
        self.rollout.state = RolloutState::Aborting { reason, since };
        self.settle_abort();
    }

    /// Ends an abort when no job is under way any more. What was done stays done.
    pub fn settle_abort(&mut self) {
        let RolloutState::Aborting { reason, .. } = &self.rollout.state else {
            return;
        };
        let reason = reason.clone();
        if !self.rollout.jobs().is_empty() {
            return;
        }
        let now = self.now();
        self.rollout.state = RolloutState::Aborted {
            reason: reason.clone(),
            at: now,
        };
        self.rollout.failed_at.get_or_insert(now);
        self.note(
            "rollout.aborted",
            format!("{} was stopped; hosts stay as they are", self.subject()),
            reason.clone(),
        );
        self.tell(
            NoticeKind::Warning,
            format!("{} was stopped", self.subject()),
            reason,
        );
        if self.rollout.touched_hosts() {
            self.record(DeploymentOutcome::Aborted);
        }
    }

    pub fn record(&mut self, outcome: DeploymentOutcome) {
        let plan = &self.rollout.plan;
        let deployment = Deployment {
            id: DeploymentId((self.moment.mint)()),
            rollout: self.rollout.id,
            service: plan.service,
            environment: plan.environment,
            version: plan.release.version.clone(),
            outcome,
            started_at: self.rollout.released_at.unwrap_or(self.moment.now),
            finished_at: self.moment.now,
            failed_at: (outcome != DeploymentOutcome::Succeeded)
                .then_some(self.rollout.failed_at)
                .flatten(),
        };
        self.effects
            .push(Effect::RecordDeployment(Box::new(deployment)));
    }
}
