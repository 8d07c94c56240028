//! How a rollout takes what machines report: time, judgements, jobs that ended.

use jiff::{SignedDuration, Timestamp};

use crate::{
    batch::{BakeClock, BatchState, HeldAt},
    budget::Beyond,
    id::JobId,
    job::{JobEnd, JobReport},
    rollout::{
        BakeWhilePaused, NoticeKind, Refused, RolloutState,
        step::{At, STOPPED, Step},
    },
    strategy::GateRule,
    verdict::{Outcome, Verdict},
};

/// How long hosts that could not be reached are left alone after this deploy of their batch; twice as long each time, four
/// times in all. Never scaled: machines start no faster where bakes run faster.
fn back_off(round: u32) -> Option<SignedDuration> {
    (1..=4)
        .contains(&round)
        .then(|| SignedDuration::from_secs(15 << (round - 1)))
}

/// What was due longer ago than this, because nobody was there to do it, is not done without a person: what was right then
/// may not be now.
const LATE: SignedDuration = SignedDuration::from_hours(1);

/// Read-only jobs that are lost are started again this often before a person is asked.
const MOST_PROBES_AGAIN: u32 = 3;

/// What became of a deploy, as a sentence; empty when it ran to its end.
fn cause(end: &JobEnd) -> String {
    match end {
        JobEnd::Completed | JobEnd::CouldNotStart { .. } => String::new(),
        JobEnd::Cancelled => "The deploy was cancelled.".to_owned(),
        JobEnd::TimedOut => "The deploy ran into its deadline.".to_owned(),
        JobEnd::Lost { message } => {
            format!("The deploy was lost: {}.", message.trim_end_matches('.'))
        }
    }
}

impl Step<'_, '_> {
    fn is_late(&self, due: Timestamp) -> bool {
        self.now().duration_since(due) > LATE
    }

    /// Gates that nobody answered hold their batch; hosts that could not be reached are tried again.
    pub fn tick(&mut self) {
        if !matches!(
            self.rollout.state,
            RolloutState::Running | RolloutState::Paused { .. }
        ) {
            return;
        }
        for at in 0..self.rollout.batches.len() {
            if let BatchState::Gate { expires, .. } = self.batch(at).state
                && expires <= self.now()
            {
                self.hold(
                    at,
                    HeldAt::Gate,
                    "Nobody decided at the gate in time. Watch the batch longer, or roll back."
                        .to_owned(),
                );
            }
            // While a rollout is paused nothing new starts.
            if let BatchState::BackingOff { until, round, .. } = self.batch(at).state
                && until <= self.now()
                && matches!(self.rollout.state, RolloutState::Running)
            {
                if self.is_late(until) {
                    self.hold(
                        at,
                        HeldAt::Hosts,
                        "The hosts that could not be reached were to be tried again more than an hour ago, when nobody was there to do it. Try them again, exclude them, or roll back."
                            .to_owned(),
                    );
                    continue;
                }
                let number = self.batch(at).number;
                self.note(
                    "batch.retry",
                    format!("Batch {number} is tried again on the hosts that could not be reached"),
                    String::new(),
                );
                self.deploy(at, round + 1);
            }
        }
    }

    pub fn judged(&mut self, number: u32, verdict: Verdict) -> Result<(), Refused> {
        let at = self.find(number)?;
        let live = matches!(
            self.rollout.state,
            RolloutState::Running | RolloutState::Paused { .. }
        );
        if !live || !self.batch(at).state.watched() {
            return Ok(());
        }
        self.look_again(at);
        if let BatchState::Promoted { .. } = self.batch(at).state {
            self.judged_late(at, verdict);
            return Ok(());
        }
        let headline = verdict.to_string();
        if verdict.outcome == Outcome::Fail {
            self.note(
                "batch.fail",
                format!("Batch {number} failed its judgement"),
                headline.clone(),
            );
            self.rollout.batches[at].verdict = Some(verdict);
            self.begin_rollback(format!("Batch {number} failed its judgement. {headline}"));
            return Ok(());
        }
        let outcome = verdict.outcome;
        let before = self.rollout.batches[at].verdict.replace(verdict);
        let automatic = self.rollout.plan.strategy.gate == GateRule::Automatic;
        let paused = matches!(self.rollout.state, RolloutState::Paused { .. });
        match self.batch(at).state.clone() {
            BatchState::Baking {
                clock: BakeClock::Running { until },
                ..
            } if until <= self.now() && !paused => {
                let late = self.is_late(until);
                if late {
                    self.note(
                        "bake.late",
                        format!("The bake of batch {number} ended more than an hour ago, when nobody was there to look, so a person decides"),
                        String::new(),
                    );
                }
                if outcome == Outcome::Pass && automatic && !late {
                    self.promote(at, headline);
                } else {
                    self.open_gate(at);
                }
                self.look_again(at);
            }
            // The gate only waited for evidence, and here it is. After a marginal verdict a person decides all the same.
            BatchState::Gate { .. }
                if outcome == Outcome::Pass
                    && automatic
                    && !paused
                    && before.is_some_and(|before| before.outcome.lacks_evidence()) =>
            {
                self.promote(at, headline);
            }
            _ => {}
        }
        Ok(())
    }

    /// Promoted batches are watched while their rollout lives; a person decides what a late failure means. A failure that
    /// was already told does not pause again a rollout that a person resumed.
    fn judged_late(&mut self, at: At, verdict: Verdict) {
        let known = self
            .batch(at)
            .verdict
            .as_ref()
            .is_some_and(|known| known.outcome == Outcome::Fail);
        if verdict.outcome != Outcome::Fail || known {
            return;
        }
        let (now, number, headline) = (self.now(), self.batch(at).number, verdict.to_string());
        self.rollout.failed_at.get_or_insert(now);
        self.rollout.batches[at].verdict = Some(verdict);
        self.note(
            "batch.late_fail",
            format!("Batch {number} failed after its promotion"),
            headline.clone(),
        );
        self.tell(
            NoticeKind::Error,
            format!(
                "{}: batch {number} failed after its promotion",
                self.subject()
            ),
            headline.clone(),
        );
        if matches!(self.rollout.state, RolloutState::Running) {
            let reason = format!("Batch {number} failed after its promotion. {headline}");
            self.note(
                "rollout.pause",
                format!("{} was paused", self.subject()),
                reason.clone(),
            );
            self.pause(reason, BakeWhilePaused::Runs);
        }
    }

    pub fn job_finished(&mut self, job: JobId, report: &JobReport) {
        if !self.rollout.state.reserves_hosts() {
            return;
        }
        let Some(at) = self
            .rollout
            .batches
            .iter()
            .position(|batch| batch.state.job() == Some(job))
        else {
            return;
        };
        match self.batch(at).state.clone() {
            BatchState::Deploying { round, .. } => self.deployed(at, round, report),
            BatchState::Validating { round, .. } | BatchState::Probing { round, .. } => {
                self.probed(at, round, report)
            }
            BatchState::RollingBack { .. } => self.rolled_back(at, report),
            _ => {}
        }
        self.settle_rollback();
        self.settle_abort();
    }

    fn deployed(&mut self, at: At, round: u32, report: &JobReport) {
        let findings = self.mark_towards_release(at, &report.hosts);
        // Where a host failed, a person decides whatever the others say. A probe would also ask the failed one, which may run
        // the right version and still not be what was deployed.
        let stopping = matches!(
            self.rollout.state,
            RolloutState::RollingBack { .. } | RolloutState::Aborting { .. }
        );
        // Of a deploy that was stopped or lost, nobody knows how many hosts would have failed.
        let counts = matches!(report.end, JobEnd::Completed | JobEnd::TimedOut);
        let (bad, may) = (findings.bad(), self.may_fail(at));
        if counts
            && !stopping
            && bad > may
            && self.rollout.plan.strategy.failures.beyond == Beyond::RollBack
        {
            let reason = format!(
                "Batch {} has more failures than its budget of {}. {}",
                self.batch(at).number,
                self.rollout.plan.strategy.failures.limit,
                findings.sentence()
            );
            // The deploy has ended: a roll back must not cancel it.
            self.rest(at, findings.sentence());
            return self.begin_rollback(reason);
        }
        match (&self.rollout.state, &report.end) {
            (_, _) if findings.unknown > 0 && (findings.failed == 0 || stopping) => {
                self.probe(at, 1, cause(&report.end))
            }
            (RolloutState::RollingBack { .. }, _) => self.roll_back_batch(at),
            (RolloutState::Aborting { .. }, _) => self.rest(at, STOPPED),
            (_, JobEnd::CouldNotStart { message }) => self.hold(
                at,
                HeldAt::Hosts,
                format!("The deploy could not be started: {message}"),
            ),
            (_, JobEnd::Completed) if findings.well() => self.validate(at, 1),
            (_, JobEnd::Completed) => match back_off(round) {
                Some(wait) if bad <= may && findings.unreachable == bad => {
                    self.back_off(at, round, wait, findings.sentence());
                }
                _ => self.hold(at, HeldAt::Hosts, findings.sentence()),
            },
            (_, end @ (JobEnd::Cancelled | JobEnd::TimedOut | JobEnd::Lost { .. })) => {
                let message = format!("{} {}", cause(end), findings.sentence());
                self.hold(at, HeldAt::Hosts, message);
            }
        }
    }

    fn probed(&mut self, at: At, round: u32, report: &JobReport) {
        let validating = matches!(self.batch(at).state, BatchState::Validating { .. });
        let (failed, cause) = match &self.batch(at).state {
            BatchState::Probing { failed, cause, .. } => (*failed, cause.clone()),
            _ => (0, String::new()),
        };
        let aborting = matches!(self.rollout.state, RolloutState::Aborting { .. });
        let rolling_back = matches!(self.rollout.state, RolloutState::RollingBack { .. });
        // A probe changes nothing, so it may simply be asked again.
        if matches!(report.end, JobEnd::Lost { .. } | JobEnd::TimedOut)
            && round <= MOST_PROBES_AGAIN
            && !aborting
            && !rolling_back
        {
            return if validating {
                self.validate(at, round + 1)
            } else if failed > 0 {
                self.ask_unknown(at, round + 1, failed)
            } else {
                self.probe(at, round + 1, cause)
            };
        }
        let findings = self.mark_towards_release(at, &report.hosts);
        if rolling_back {
            self.roll_back_batch(at);
        } else if aborting {
            self.rest(at, STOPPED);
        } else if let JobEnd::CouldNotStart { message } = &report.end {
            self.hold(
                at,
                HeldAt::Hosts,
                format!("Hosts could not be asked which version they run: {message}"),
            );
        } else if failed > 0 {
            let others = if failed == 1 {
                "host that was not asked has"
            } else {
                "hosts that were not asked have"
            };
            let said = match findings.well() {
                true => String::new(),
                false => findings.sentence(),
            };
            let message = format!("{said} {failed} {others} still not taken the change.");
            self.hold(at, HeldAt::Hosts, message.trim_start().to_owned());
        } else if findings.well() && findings.hosts > 0 {
            self.bake(at, self.batch(at).bake_seconds);
        } else if validating && findings.failed > 0 {
            let reason = format!(
                "Batch {} failed its validation. {}",
                self.batch(at).number,
                findings.sentence()
            );
            // The probe has ended: a roll back must not cancel it.
            self.rest(at, findings.sentence());
            self.begin_rollback(reason);
        } else {
            let message = format!("{cause} {}", findings.sentence());
            self.hold(at, HeldAt::Hosts, message.trim_start().to_owned());
        }
    }

    fn rolled_back(&mut self, at: At, report: &JobReport) {
        let findings = self.mark_towards_before(at, &report.hosts);
        let now = self.now();
        let state = match &report.end {
            JobEnd::CouldNotStart { message } => BatchState::RollbackFailed {
                message: format!("The roll back could not be started: {message}"),
            },
            JobEnd::Completed if findings.well() => BatchState::RolledBack { at: now },
            JobEnd::Lost { message } if !findings.well() => BatchState::RollbackFailed {
                message: format!("The roll back was lost: {message}. {}", findings.sentence()),
            },
            _ if findings.well() && findings.hosts > 0 => BatchState::RolledBack { at: now },
            _ => BatchState::RollbackFailed {
                message: findings.sentence(),
            },
        };
        self.set(at, state);
    }
}
