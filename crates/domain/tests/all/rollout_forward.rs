//! Journeys forward, with hosts and jobs that do not always obey.

use domain::{
    batch::{BatchState, HeldAt},
    delivery::DeploymentOutcome,
    job::{JobEnd, JobKind},
    rollout::{Effect, Event},
    strategy::GateRule,
    verdict::Outcome,
};

use crate::{
    build::{OLD, lost, reason, time},
    stage::{Luck, Stage},
};

#[test]
fn three_batches_go_out() {
    let mut stage = Stage::draft("33/33/34%", 6, GateRule::Automatic);
    stage.send(Event::Submit);
    stage.send(Event::Approve);
    assert_eq!(stage.rollout.wake_at(), None);
    stage.send(Event::Release);
    assert_eq!(stage.states(), "running: deploying pending pending");
    assert_eq!(stage.job(1).kind, JobKind::Deploy);
    stage.finish(1);
    assert_eq!(stage.states(), "running: validating pending pending");
    stage.finish(1);
    assert_eq!(stage.states(), "running: baking pending pending");
    assert_eq!(
        stage.rollout.wake_at(),
        Some(time(60)),
        "first look after a tenth of the bake"
    );
    stage.now = 60;
    stage.judge(1, Outcome::Pass);
    assert_eq!(
        stage.states(),
        "running: baking pending pending",
        "passing early promotes nothing"
    );
    assert_eq!(stage.rollout.wake_at(), Some(time(120)));
    stage.now = 600;
    stage.judge(1, Outcome::Pass);
    assert_eq!(stage.states(), "running: promoted deploying pending");
    stage.carry(2, Outcome::Pass);
    stage.carry(3, Outcome::Pass);
    assert_eq!(stage.states(), "succeeded: promoted promoted promoted");
    assert_eq!(stage.phases(), ["updated"; 6]);
    let deployment = stage.deployment.clone().unwrap();
    assert_eq!(
        (deployment.outcome, deployment.failed_at),
        (DeploymentOutcome::Succeeded, None)
    );
    assert_eq!(
        stage.audit,
        [
            "rollout.submit",
            "rollout.approve",
            "rollout.release",
            "batch.start",
            "batch.promote",
            "batch.start",
            "batch.promote",
            "batch.start",
            "batch.promote",
            "rollout.succeed"
        ]
    );
}

#[test]
fn a_partly_failed_deploy_is_held_and_tried_again_on_the_unfinished_hosts() {
    let mut stage = Stage::released("50/50%", 6, GateRule::Automatic);
    let (second, third) = (stage.host(2), stage.host(3));
    let unlucky = move |host| {
        if host == second {
            Luck::Fails
        } else if host == third {
            Luck::Unreachable
        } else {
            Luck::Well
        }
    };
    stage.now = 10;
    stage.finish_with(&stage.job(1), JobEnd::Completed, unlucky);
    assert_eq!(stage.states(), "running: held pending");
    assert_eq!(stage.phases()[..3], ["updated", "failed", "unreachable"]);
    let BatchState::Held {
        at: HeldAt::Hosts,
        message,
    } = &stage.rollout.batch(1).unwrap().state
    else {
        panic!("{}", stage.states())
    };
    assert_eq!(
        message,
        "Of 3 hosts: 1 failed, 1 unreachable. First: lab weather"
    );
    assert_eq!(
        (stage.rollout.wake_at(), stage.rollout.failed_at),
        (None, Some(time(10)))
    );

    stage.send(Event::Retry { batch: 1 });
    assert_eq!(stage.rollout.failed_at, None, "it is being put right");
    let job = stage.job(1);
    assert_eq!(job.kind, JobKind::Deploy);
    let taken: Vec<_> = stage
        .rows
        .iter()
        .filter(|(_, row)| row.batch == 1 && job.kind.takes(row.phase))
        .map(|(host, _)| *host)
        .collect();
    assert_eq!(taken, [second, third]);
    stage.carry(1, Outcome::Pass);
    assert_eq!(stage.states(), "running: promoted deploying");
}

#[test]
fn a_deploy_that_was_lost_but_arrived_goes_on() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish_with(&stage.job(1), lost(), |_| Luck::UnknownHalfWay);
    stage.finish(1);
    assert_eq!(stage.states(), "running: baking");
}

#[test]
fn a_deploy_that_was_lost_and_did_not_arrive_is_held() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish_with(&stage.job(1), lost(), |_| Luck::Unknown);
    stage.finish(1);
    assert_eq!(
        (stage.states().as_str(), stage.phases()[0]),
        ("running: held", "failed")
    );
    stage.send(Event::RollBack { reason: reason() });
    stage.finish(1);
    assert_eq!(
        stage.states(),
        "rolled_back: rolled_back",
        "the probe saw what ran before"
    );
}

#[test]
fn a_host_that_failed_is_not_asked_into_success() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    let first = stage.host(1);
    stage.finish_with(&stage.job(1), JobEnd::Completed, |host| {
        if host == first {
            Luck::FailsHalfWay
        } else {
            Luck::UnknownHalfWay
        }
    });
    assert_eq!(stage.states(), "running: held", "both run the new version");
    assert_eq!(stage.phases(), ["failed", "unknown"]);
}

#[test]
fn a_deploy_that_could_not_start_is_held_untouched() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish_with(
        &stage.job(1),
        JobEnd::CouldNotStart {
            message: "ansible-playbook is not installed".to_owned(),
        },
        |_| Luck::Well,
    );
    assert_eq!(
        (stage.states().as_str(), stage.phases()[0]),
        ("running: held", "pending")
    );
    stage.send(Event::Retry { batch: 1 });
    stage.carry(1, Outcome::Pass);
    assert_eq!(stage.states(), "succeeded: promoted");
}

#[test]
fn a_lost_probe_is_asked_again_three_times() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish(1);
    for again in 0..=3 {
        assert_eq!(
            stage.states(),
            "running: validating",
            "asked again {again} times"
        );
        stage.finish_with(&stage.job(1), lost(), |_| Luck::Unknown);
    }
    assert_eq!(stage.states(), "running: held");
}

#[test]
fn a_validation_in_which_no_host_speaks_does_not_pass() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish(1);
    for row in stage.rows.values_mut() {
        row.phase = domain::host::HostPhase::Gone;
    }
    stage.finish(1);
    assert_eq!(stage.states(), "running: held");
}

#[test]
fn a_host_with_another_version_fails_the_validation() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish(1);
    let first = stage.host(1);
    stage.rows.get_mut(&first).unwrap().runs = OLD.parse().unwrap();
    stage.finish(1);
    assert_eq!(stage.states(), "rolling_back: rolling_back");
}

#[test]
fn a_job_that_reports_twice_is_heard_once() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    let deploy = stage.job(1);
    stage.finish(1);
    let once = stage.rollout.clone();
    stage.finish_with(&deploy, JobEnd::Completed, |_| Luck::Well);
    assert_eq!((stage.rollout.clone(), stage.effects.len()), (once, 0));
}

#[test]
fn effects_come_in_the_order_they_must_be_carried_out() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish(1);
    let kinds: Vec<&str> = stage
        .effects
        .iter()
        .map(|effect| match effect {
            Effect::MarkHosts { .. } => "mark",
            Effect::QueueJob(_) => "queue",
            _ => "other",
        })
        .collect();
    assert_eq!(
        kinds,
        ["mark", "queue"],
        "the next job takes hosts by their new marks"
    );
}
