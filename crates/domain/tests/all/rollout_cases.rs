//! Every state of a rollout and of its first batch, and every event, with what a report may say.

use std::collections::BTreeMap;

use domain::{
    batch::{BakeClock, BatchState, HeldAt},
    host::{HostOutcome, HostReport},
    id::JobId,
    job::{JobEnd, JobReport},
    rollout::{BakeWhilePaused, Decision, Event, Exclusion, Rollout, RolloutState},
    verdict::Outcome,
};
use uuid::Uuid;

use crate::build::{NEW, OLD, reason, time, verdict, version};

pub const NOW: i64 = 10_000;
const JOB: JobId = JobId(Uuid::from_u128(500));

pub fn rollout_states() -> Vec<RolloutState> {
    use RolloutState as S;
    let (by, reason, evidence, since, at) = (
        "Omar".to_owned(),
        "why".to_owned(),
        "seen".to_owned(),
        time(0),
        time(0),
    );
    let states = vec![
        S::Draft,
        S::AwaitingApproval,
        S::Scheduled,
        S::Running,
        S::Paused {
            by: by.clone(),
            reason: reason.clone(),
            since,
        },
        S::Succeeded { at },
        S::RollingBack {
            reason: reason.clone(),
            since,
        },
        S::RolledBack {
            reason: reason.clone(),
            at,
        },
        S::RollbackFailed {
            reason: reason.clone(),
            since,
        },
        S::Recovered { by, evidence, at },
        S::Aborting {
            reason: reason.clone(),
            since,
        },
        S::Aborted {
            reason: reason.clone(),
            at,
        },
        S::Rejected {
            reason: reason.clone(),
            at,
        },
        S::Withdrawn { reason, at },
    ];
    assert_eq!(
        states.iter().map(RolloutState::word).collect::<Vec<_>>(),
        RolloutState::WORDS
    );
    let ended = states.iter().filter(|state| state.ended());
    assert_eq!(
        ended.map(RolloutState::word).collect::<Vec<_>>(),
        RolloutState::ENDED
    );
    states
}

pub fn batch_states() -> Vec<(&'static str, BatchState)> {
    use BatchState as B;
    let (job, since) = (JOB, time(0));
    let message = "why".to_owned();
    vec![
        ("pending", B::Pending),
        ("deploying", B::Deploying { job, round: 1 }),
        (
            "backing off",
            B::BackingOff {
                until: time(NOW + 100),
                round: 1,
                message: message.clone(),
            },
        ),
        (
            "backed off",
            B::BackingOff {
                until: time(NOW),
                round: 1,
                message: message.clone(),
            },
        ),
        ("validating", B::Validating { job, round: 1 }),
        (
            "validating for the last time",
            B::Validating { job, round: 4 },
        ),
        (
            "baking",
            B::Baking {
                since,
                clock: BakeClock::Running {
                    until: time(NOW + 100),
                },
            },
        ),
        (
            "baked",
            B::Baking {
                since,
                clock: BakeClock::Running { until: time(NOW) },
            },
        ),
        (
            "baking stopped",
            B::Baking {
                since,
                clock: BakeClock::Stopped { left_ms: 100_000 },
            },
        ),
        (
            "gate",
            B::Gate {
                since,
                expires: time(NOW + 100),
            },
        ),
        (
            "gate expired",
            B::Gate {
                since,
                expires: time(NOW),
            },
        ),
        (
            "promoted",
            B::Promoted {
                at: time(0),
                by: "Omar".to_owned(),
            },
        ),
        (
            "held for hosts",
            B::Held {
                at: HeldAt::Hosts,
                message: message.clone(),
            },
        ),
        (
            "held at gate",
            B::Held {
                at: HeldAt::Gate,
                message: message.clone(),
            },
        ),
        (
            "probing",
            B::Probing {
                job,
                round: 1,
                failed: 0,
                cause: String::new(),
            },
        ),
        ("rolling back", B::RollingBack { job, since }),
        ("rolled back", B::RolledBack { at: time(0) }),
        ("rollback failed", B::RollbackFailed { message }),
    ]
}

/// A report in which the batch's hosts fare so.
fn report(rollout: &Rollout, end: JobEnd, outcome: &HostOutcome) -> JobReport {
    let before = Some(version(OLD));
    let hosts = rollout.plan.batches[0].hosts.iter().map(|host| {
        (
            host.id,
            HostReport {
                before: before.clone(),
                observed: None,
                outcome: outcome.clone(),
            },
        )
    });
    JobReport {
        end,
        hosts: hosts.collect(),
    }
}

pub fn events(rollout: &Rollout) -> Vec<(&'static str, Event)> {
    let reason = reason();
    let batch = 1;
    let message = "weather".to_owned();
    let finished = |end: JobEnd, outcome: HostOutcome| Event::JobFinished {
        job: JOB,
        report: report(rollout, end, &outcome),
    };
    let went_back = matches!(rollout.batches[0].state, BatchState::RollingBack { .. });
    let well = || HostOutcome::Observed {
        version: version(if went_back { OLD } else { NEW }),
    };
    let other = || HostOutcome::Observed {
        version: version("0.9.0"),
    };
    let unknown = || HostOutcome::Unknown {
        message: message.clone(),
    };
    let judged = |outcome| Event::Judged {
        batch,
        verdict: verdict(outcome, time(NOW)),
    };
    let nothing = |end| Event::JobFinished {
        job: JOB,
        report: JobReport {
            end,
            hosts: BTreeMap::new(),
        },
    };
    let exclude = |current, unfinished| Event::Exclude {
        batches: vec![Exclusion {
            batch,
            hosts: rollout.plan.batches[0]
                .hosts
                .iter()
                .take(1)
                .map(|host| (host.id, host.name.clone()))
                .collect(),
            current,
            unfinished,
        }],
        reason: reason.clone(),
    };
    vec![
        ("submit", Event::Submit),
        ("schedule", Event::Schedule),
        ("approve", Event::Approve),
        (
            "reject",
            Event::Reject {
                reason: reason.clone(),
            },
        ),
        (
            "withdraw",
            Event::Withdraw {
                reason: reason.clone(),
            },
        ),
        ("release", Event::Release),
        (
            "go",
            Event::Decide {
                batch,
                decision: Decision::Go,
                reason: reason.clone(),
            },
        ),
        (
            "no-go",
            Event::Decide {
                batch,
                decision: Decision::NoGo,
                reason: reason.clone(),
            },
        ),
        (
            "go for no batch",
            Event::Decide {
                batch: 9,
                decision: Decision::Go,
                reason: reason.clone(),
            },
        ),
        ("dry run", Event::DryRun),
        ("retry", Event::Retry { batch }),
        ("ask", Event::Ask { batch, failed: 0 }),
        ("ask where one failed", Event::Ask { batch, failed: 1 }),
        ("exclude the last failed", exclude(1, 0)),
        ("exclude one of two failed", exclude(0, 1)),
        ("exclude every host", exclude(0, 0)),
        (
            "extend",
            Event::ExtendBake {
                batch,
                seconds: 600,
                reason: reason.clone(),
            },
        ),
        (
            "pause (bake stops)",
            Event::Pause {
                reason: reason.clone(),
                bake: BakeWhilePaused::Stops,
            },
        ),
        (
            "pause (bake runs)",
            Event::Pause {
                reason: reason.clone(),
                bake: BakeWhilePaused::Runs,
            },
        ),
        ("resume", Event::Resume),
        (
            "abort",
            Event::Abort {
                reason: reason.clone(),
            },
        ),
        (
            "roll back",
            Event::RollBack {
                reason: reason.clone(),
            },
        ),
        ("recover", Event::Recover { evidence: reason }),
        ("job: well", finished(JobEnd::Completed, well())),
        ("job: another version", finished(JobEnd::Completed, other())),
        (
            "job: unreachable",
            finished(
                JobEnd::Completed,
                HostOutcome::Unreachable {
                    message: message.clone(),
                },
            ),
        ),
        ("job: no host", nothing(JobEnd::Completed)),
        (
            "job: cancelled",
            finished(
                JobEnd::Cancelled,
                HostOutcome::Failed {
                    message: message.clone(),
                },
            ),
        ),
        ("job: timed out", finished(JobEnd::TimedOut, unknown())),
        (
            "job: lost",
            finished(
                JobEnd::Lost {
                    message: message.clone(),
                },
                unknown(),
            ),
        ),
        (
            "job: could not start",
            nothing(JobEnd::CouldNotStart {
                message: message.clone(),
            }),
        ),
        (
            "job nobody waits for",
            Event::JobFinished {
                job: JobId(Uuid::from_u128(1)),
                report: report(rollout, JobEnd::Completed, &well()),
            },
        ),
        ("judged pass", judged(Outcome::Pass)),
        ("judged marginal", judged(Outcome::Marginal)),
        ("judged no data", judged(Outcome::NoData)),
        ("judged fail", judged(Outcome::Fail)),
        ("tick", Event::Tick),
    ]
}
