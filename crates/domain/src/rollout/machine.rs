//! Which event a rollout takes in which state.

use crate::{
    audit::Actor,
    batch::{BakeClock, Batch, BatchState, HeldAt},
    host::{HostMark, HostPhase},
    rollout::{
        BakeWhilePaused, Change, Decision, Effect, Event, Exclusion, Moment, NoticeKind, Refused,
        Rollout, RolloutState, step::Step,
    },
    strategy::{GateRule, spell_seconds},
    text::{HostName, Reason, listed},
    verdict::Outcome,
};

impl Event {
    /// What a person would call it, for refusals.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::DryRun => "run dry",
            Self::Submit => "submitted for approval",
            Self::Schedule => "scheduled",
            Self::Approve => "approved",
            Self::Reject { .. } => "rejected",
            Self::Withdraw { .. } => "withdrawn",
            Self::Release => "released",
            Self::Decide { .. } => "decided on",
            Self::Retry { .. } => "retried",
            Self::Ask { .. } => "asked which version its hosts run",
            Self::Exclude { .. } => "carried on without hosts",
            Self::ExtendBake { .. } => "watched longer",
            Self::Pause { .. } => "paused",
            Self::Resume => "resumed",
            Self::Abort { .. } => "aborted",
            Self::RollBack { .. } => "rolled back",
            Self::Recover { .. } => "marked as recovered",
            Self::JobFinished { .. } => "moved by a job",
            Self::Judged { .. } => "judged",
            Self::Tick => "moved by time",
        }
    }
}

impl Event {
    /// Makes a rollout safe, so it never waits for a reload; everything else is decided on what a person saw.
    pub const fn makes_safe(&self) -> bool {
        matches!(
            self,
            Self::Pause { .. }
                | Self::Abort { .. }
                | Self::RollBack { .. }
                | Self::Decide {
                    decision: Decision::NoGo,
                    ..
                }
        )
    }
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused {
        message: message.into(),
    })
}

impl Rollout {
    /// The rollout after `event`, with what has to be done about it.
    ///
    /// Machines may report late: a job nobody waits for any more, a judgement of a batch that moved on and a tick with
    /// nothing due change nothing. A person asking for what the state does not allow is refused with a sentence.
    pub fn apply(
        self,
        event: Event,
        actor: &Actor,
        moment: &mut Moment<'_>,
    ) -> Result<Change, Refused> {
        let words = self.words();
        let mut step = Step::new(self, actor, moment);
        match event {
            Event::JobFinished { job, report } => step.job_finished(job, &report),
            Event::Judged { batch, verdict } => step.judged(batch, verdict)?,
            Event::Tick => step.tick(),
            asked => step.asked(asked)?,
        }
        Ok(step.finish(&words))
    }
}

impl Step<'_, '_> {
    fn asked(&mut self, event: Event) -> Result<(), Refused> {
        use RolloutState as S;
        let now = self.now();
        match (self.rollout.state.clone(), event) {
            (S::Draft, Event::Submit) => {
                self.rollout.state = S::AwaitingApproval;
                self.note(
                    "rollout.submit",
                    format!("Approval was asked for {}", self.subject()),
                    String::new(),
                );
                self.tell(
                    NoticeKind::Info,
                    format!("{} waits for approval", self.subject()),
                    String::new(),
                );
            }
            (S::Draft, Event::Schedule) => {
                self.rollout.state = S::Scheduled;
                self.note(
                    "rollout.schedule",
                    format!("{} is ready for release", self.subject()),
                    "The environment requires no approval.",
                );
            }
            (S::AwaitingApproval | S::Scheduled | S::Running | S::Paused { .. }, Event::DryRun) => {
                self.dry_run()?
            }
            (S::AwaitingApproval, Event::Approve) => {
                self.rollout.state = S::Scheduled;
                self.note(
                    "rollout.approve",
                    format!("{} was approved", self.subject()),
                    format!("Plan {}", self.rollout.digest),
                );
                self.tell(
                    NoticeKind::Success,
                    format!("{} was approved", self.subject()),
                    String::new(),
                );
            }
            (S::AwaitingApproval, Event::Reject { reason }) => {
                self.note(
                    "rollout.reject",
                    format!("{} was rejected", self.subject()),
                    reason.as_str(),
                );
                self.rollout.state = S::Rejected {
                    reason: reason.into(),
                    at: now,
                };
            }
            (S::Draft | S::AwaitingApproval | S::Scheduled, Event::Withdraw { reason }) => {
                self.note(
                    "rollout.withdraw",
                    format!("{} was withdrawn", self.subject()),
                    reason.as_str(),
                );
                self.rollout.state = S::Withdrawn {
                    reason: reason.into(),
                    at: now,
                };
            }
            (S::Scheduled, Event::Release) => {
                self.rollout.state = S::Running;
                self.rollout.released_at = Some(now);
                self.note(
                    "rollout.release",
                    format!("{} was released", self.subject()),
                    String::new(),
                );
                self.go_on();
            }
            (
                S::Running | S::Paused { .. },
                Event::Decide {
                    batch,
                    decision,
                    reason,
                },
            ) => self.decide(batch, decision, &reason)?,
            (S::Running, Event::Retry { batch }) => self.retry(batch)?,
            (S::Running | S::Paused { .. }, Event::Ask { batch, failed }) => {
                self.ask(batch, failed)?;
            }
            (S::Running | S::Paused { .. }, Event::Exclude { batches, reason }) => {
                for exclusion in batches {
                    self.exclude(exclusion, &reason)?;
                }
            }
            (
                S::Running | S::Paused { .. },
                Event::ExtendBake {
                    batch,
                    seconds,
                    reason,
                },
            ) => self.extend(batch, seconds, &reason)?,
            (S::Running, Event::Pause { reason, bake }) => {
                self.note(
                    "rollout.pause",
                    format!("{} was paused", self.subject()),
                    reason.as_str(),
                );
                self.pause(reason.into(), bake);
            }
            (S::Paused { .. }, Event::Resume) => self.resume(),
            (S::Running | S::Paused { .. }, Event::Abort { reason }) => {
                self.begin_abort(reason.into())
            }
            (
                S::Running | S::Paused { .. } | S::Succeeded { .. } | S::RollbackFailed { .. },
                Event::RollBack { reason },
            ) => self.begin_rollback(reason.into()),
            (S::Aborted { .. }, Event::RollBack { reason }) if self.rollout.touched_hosts() => {
                self.begin_rollback(reason.into())
            }
            (S::RollbackFailed { .. }, Event::Recover { evidence }) => {
                self.note(
                    "rollout.recover",
                    format!("{} was recovered by hand", self.subject()),
                    evidence.as_str(),
                );
                self.rollout.state = S::Recovered {
                    by: self.actor.name().to_owned(),
                    evidence: evidence.into(),
                    at: now,
                };
                self.record(crate::delivery::DeploymentOutcome::RollbackFailed);
            }
            (state, event) => {
                return refuse(format!(
                    "The rollout is {}; it cannot be {} now. Reload the page to see where it stands.",
                    state.word().replace('_', " "),
                    event.verb()
                ));
            }
        }
        Ok(())
    }

    fn decide(&mut self, number: u32, decision: Decision, reason: &Reason) -> Result<(), Refused> {
        let at = self.find(number)?;
        let BatchState::Gate { expires, .. } = self.batch(at).state else {
            return refuse(format!(
                "Batch {number} is not at its gate; it is {}.",
                self.batch(at).state.word().replace('_', " ")
            ));
        };
        let outcome = self
            .batch(at)
            .verdict
            .as_ref()
            .map_or(Outcome::NoData, |verdict| verdict.outcome);
        match decision {
            Decision::NoGo => self.begin_rollback(format!(
                "No-go for batch {number} by {}: {reason}",
                self.actor.name()
            )),
            Decision::Go if expires <= self.now() => {
                return refuse(format!(
                    "The gate of batch {number} has expired. Watch the batch longer, or roll back."
                ));
            }
            Decision::Go
                if self.rollout.plan.strategy.gate == GateRule::Both
                    && outcome != Outcome::Pass =>
            {
                return refuse(format!(
                    "The gate asks for a passing verdict and a person, and the verdict is “{}”. Watch the batch longer, or decide no-go.",
                    outcome.word().replace('_', " ")
                ));
            }
            Decision::Go => {
                self.note(
                    "gate.go",
                    format!(
                        "Go for batch {number} on the verdict “{}”",
                        outcome.word().replace('_', " ")
                    ),
                    reason.as_str(),
                );
                self.promote(at, format!("Go by {}: {reason}", self.actor.name()));
            }
        }
        Ok(())
    }

    fn retry(&mut self, number: u32) -> Result<(), Refused> {
        let at = self.find(number)?;
        if !matches!(
            self.batch(at).state,
            BatchState::BackingOff { .. }
                | BatchState::Held {
                    at: HeldAt::Hosts,
                    ..
                }
        ) {
            return refuse(format!(
                "Batch {number} has no hosts to try again; it is {}.",
                self.batch(at).state.word().replace('_', " ")
            ));
        }
        self.rollout.failed_at = None;
        self.note(
            "batch.retry",
            format!("Batch {number} is tried again on its unfinished hosts"),
            String::new(),
        );
        self.deploy(at, 2);
        Ok(())
    }

    fn dry_run(&mut self) -> Result<(), Refused> {
        let ahead = |batch: &Batch| batch.state.excludes();
        let ahead: Vec<usize> = (0..self.rollout.batches.len())
            .filter(|at| ahead(self.batch(*at)))
            .collect();
        if ahead.is_empty() {
            return refuse("Every batch is under way or done; a dry run has nothing to tell.");
        }
        self.note(
            "rollout.dry_run",
            format!("A dry run of {} was asked for", self.subject()),
            String::new(),
        );
        for at in ahead {
            self.foresee(at);
        }
        Ok(())
    }

    fn ask(&mut self, number: u32, failed: u32) -> Result<(), Refused> {
        let at = self.find(number)?;
        let state = &self.batch(at).state;
        if !matches!(
            state,
            BatchState::Held {
                at: HeldAt::Hosts,
                ..
            }
        ) {
            return refuse(format!(
                "Batch {number} is {}; hosts are asked again where their batch waits for them.",
                state.word().replace('_', " ")
            ));
        }
        self.note(
            "batch.ask",
            format!("The unknown hosts of batch {number} are asked again which version they run"),
            String::new(),
        );
        self.ask_unknown(at, 1, failed);
        Ok(())
    }

    fn exclude(&mut self, exclusion: Exclusion, reason: &Reason) -> Result<(), Refused> {
        let Exclusion {
            batch: number,
            hosts,
            current,
            unfinished,
        } = exclusion;
        let at = self.find(number)?;
        let state = self.batch(at).state.clone();
        if !state.excludes() {
            return refuse(format!(
                "Batch {number} is {}; hosts are excluded before their batch starts, or while it waits for hosts that did not take the change.",
                state.word().replace('_', " ")
            ));
        }
        if hosts.is_empty() {
            return refuse("Name the hosts to exclude.");
        }
        if current + unfinished == 0 {
            return refuse(format!(
                "Batch {number} would have no host left. Roll back or abort the rollout instead."
            ));
        }
        let names: Vec<&HostName> = hosts.iter().map(|(_, name)| name).collect();
        let by = self.actor.name().to_owned();
        self.note(
            "batch.exclude",
            format!("Excluded from batch {number}: {}", listed(&names, 20)),
            reason.as_str(),
        );
        let marks = hosts
            .iter()
            .map(|(host, _)| HostMark {
                host: *host,
                phase: HostPhase::Excluded,
                before: None,
                observed: None,
                message: format!("{reason} (excluded by {by})"),
            })
            .collect();
        self.effects.push(Effect::MarkHosts {
            batch: number,
            marks,
        });
        // How the others stand was read before: whoever read it at the same time has to look again.
        self.rollout.decision_version += 1;
        let left = || {
            let still = if unfinished == 1 {
                "host has"
            } else {
                "hosts have"
            };
            format!("{unfinished} {still} still not taken the change.")
        };
        match state {
            BatchState::Pending => {}
            _ if unfinished == 0 => {
                self.rollout.failed_at = None;
                self.validate(at, 1);
            }
            BatchState::BackingOff { until, round, .. } => self.set(
                at,
                BatchState::BackingOff {
                    until,
                    round,
                    message: left(),
                },
            ),
            _ => self.rest(at, left()),
        }
        Ok(())
    }

    fn extend(&mut self, number: u32, seconds: u64, reason: &Reason) -> Result<(), Refused> {
        let at = self.find(number)?;
        if !matches!(
            self.batch(at).state,
            BatchState::Gate { .. }
                | BatchState::Held {
                    at: HeldAt::Gate,
                    ..
                }
        ) {
            return refuse(format!(
                "Batch {number} is {}; only a batch at its gate can be watched longer.",
                self.batch(at).state.word().replace('_', " ")
            ));
        }
        if !(60..=30 * 86_400).contains(&seconds) {
            return refuse("Watch a batch for between 1 minute and 30 days longer.");
        }
        self.note(
            "batch.extend",
            format!(
                "Batch {number} is watched for {} more",
                spell_seconds(seconds)
            ),
            reason.as_str(),
        );
        self.bake(at, seconds);
        Ok(())
    }

    pub fn pause(&mut self, reason: String, bake: BakeWhilePaused) {
        let now = self.now();
        self.rollout.state = RolloutState::Paused {
            by: self.actor.name().to_owned(),
            reason,
            since: now,
        };
        if bake == BakeWhilePaused::Stops {
            for batch in &mut self.rollout.batches {
                if let BatchState::Baking {
                    clock: clock @ BakeClock::Running { .. },
                    ..
                } = &mut batch.state
                    && let BakeClock::Running { until } = *clock
                {
                    let left = until.duration_since(now).as_millis().max(0);
                    *clock = BakeClock::Stopped {
                        left_ms: i64::try_from(left).unwrap_or(i64::MAX),
                    };
                }
            }
        }
    }

    fn resume(&mut self) {
        let now = self.now();
        self.rollout.state = RolloutState::Running;
        self.note(
            "rollout.resume",
            format!("{} was resumed", self.subject()),
            String::new(),
        );
        // Whoever resumes has looked at a late failure and lets it be; hosts that a batch is held for are still wrong.
        if !self.rollout.batches.iter().any(|batch| {
            matches!(
                batch.state,
                BatchState::Held {
                    at: HeldAt::Hosts,
                    ..
                }
            )
        }) {
            self.rollout.failed_at = None;
        }
        for batch in &mut self.rollout.batches {
            if let BatchState::Baking { clock, .. } = &mut batch.state
                && let BakeClock::Stopped { left_ms } = *clock
            {
                let until = now
                    .checked_add(jiff::SignedDuration::from_millis(left_ms))
                    .unwrap_or(jiff::Timestamp::MAX);
                *clock = BakeClock::Running { until };
            }
            // A bake that ended meanwhile is decided on now.
            if batch.next_look.is_some() {
                batch.next_look = Some(now);
            }
        }
        self.go_on();
    }
}
