//! Journeys that end early: roll backs and aborts.

use domain::{
    delivery::DeploymentOutcome,
    job::{JobEnd, JobKind},
    rollout::Event,
    strategy::GateRule,
    verdict::Outcome,
};

use crate::{
    build::{NEW, OLD, lost, reason, time},
    stage::{Luck, Stage},
};

#[test]
fn a_failing_verdict_during_the_first_bake_rolls_back_at_once() {
    let mut stage = Stage::released("33/33/34%", 6, GateRule::Automatic);
    stage.finish(1);
    stage.finish(1);
    stage.now = 61;
    stage.judge(1, Outcome::Fail);
    assert_eq!(stage.states(), "rolling_back: rolling_back pending pending");
    assert_eq!(stage.job(1).kind, JobKind::RollBack);
    stage.now = 90;
    stage.finish(1);
    assert_eq!(stage.states(), "rolled_back: rolled_back pending pending");
    assert_eq!(
        stage.phases(),
        [
            "rolled_back",
            "rolled_back",
            "pending",
            "pending",
            "pending",
            "pending"
        ]
    );
    let deployment = stage.deployment.unwrap();
    assert_eq!(
        (
            deployment.outcome,
            deployment.failed_at,
            deployment.finished_at
        ),
        (DeploymentOutcome::RolledBack, Some(time(61)), time(90))
    );
}

#[test]
fn rolling_back_a_held_batch_counts_recovery_from_the_failure() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.now = 10;
    stage.finish_with(&stage.job(1), JobEnd::Completed, |_| Luck::FailsHalfWay);
    stage.now = 3600;
    stage.send(Event::RollBack { reason: reason() });
    stage.now = 3700;
    stage.finish(1);
    assert_eq!(stage.deployment.unwrap().failed_at, Some(time(10)));
}

#[test]
fn a_host_that_failed_half_way_and_is_current_at_the_retry_is_still_rolled_back() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    let first = stage.host(1);
    stage.finish_with(&stage.job(1), JobEnd::Completed, |host| {
        if host == first {
            Luck::FailsHalfWay
        } else {
            Luck::Well
        }
    });
    stage.send(Event::Retry { batch: 1 });
    stage.finish(1);
    assert_eq!(stage.phases(), ["updated", "updated"]);
    stage.finish(1);
    stage.judge(1, Outcome::Fail);
    stage.finish(1);
    assert_eq!(stage.states(), "rolled_back: rolled_back");
    assert!(stage.rows.values().all(|row| row.runs.as_str() == OLD));
}

#[test]
fn a_host_lost_from_sight_after_its_change_is_still_rolled_back() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    let first = stage.host(1);
    stage.finish(1);
    stage.finish_with(&stage.job(1), JobEnd::Completed, |host| {
        if host == first {
            Luck::Unreachable
        } else {
            Luck::Well
        }
    });
    assert_eq!(
        (stage.states().as_str(), stage.phases()[0]),
        ("running: held", "unknown")
    );
    stage.send(Event::RollBack { reason: reason() });
    stage.finish(1);
    assert_eq!(stage.states(), "rolled_back: rolled_back");
}

#[test]
fn an_abort_asks_hosts_that_nobody_can_speak_for() {
    let mut stage = Stage::released("50/50%", 4, GateRule::Automatic);
    let deploy = stage.job(1);
    stage.send(Event::Abort { reason: reason() });
    assert_eq!(stage.states(), "aborting: deploying pending");
    assert_eq!(stage.cancelled, [deploy.id]);
    let second = stage.host(2);
    stage.finish_with(&deploy, JobEnd::Cancelled, |host| {
        if host == second {
            Luck::UnknownHalfWay
        } else {
            Luck::Fails
        }
    });
    assert_eq!(stage.states(), "aborting: probing pending");
    assert_eq!(
        (stage.job(1).kind, stage.phases()[1]),
        (JobKind::Probe, "unknown")
    );
    stage.finish(1);
    assert_eq!(stage.states(), "aborted: held pending");
    assert_eq!(stage.phases()[..2], ["failed", "updated"]);
    assert_eq!(stage.outcome(), Some(DeploymentOutcome::Aborted));

    stage.send(Event::RollBack { reason: reason() });
    stage.finish(1);
    assert_eq!(stage.states(), "rolled_back: rolled_back pending");
    assert_eq!(stage.outcome(), Some(DeploymentOutcome::RolledBack));
}

#[test]
fn an_abort_lets_a_probe_finish() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish_with(&stage.job(1), lost(), |_| Luck::UnknownHalfWay);
    assert_eq!(stage.states(), "running: probing");
    stage.send(Event::Abort { reason: reason() });
    assert_eq!(
        (stage.states().as_str(), stage.cancelled.len()),
        ("aborting: probing", 0)
    );
    stage.finish(1);
    assert_eq!(
        (stage.states().as_str(), stage.phases()[0]),
        ("aborted: held", "updated")
    );
}

#[test]
fn a_roll_back_that_fails_on_one_host_can_be_asked_again() {
    let mut stage = Stage::released("50/50%", 4, GateRule::Automatic);
    stage.carry(1, Outcome::Pass);
    stage.finish(2);
    stage.finish(2);
    stage.now = 700;
    stage.judge(2, Outcome::Fail);
    assert_eq!(
        stage.states(),
        "rolling_back: rolling_back rolling_back",
        "promoted hosts go back too"
    );
    let first = stage.host(1);
    stage.finish(2);
    assert_eq!(stage.states(), "rolling_back: rolling_back rolled_back");
    stage.finish_with(&stage.job(1), JobEnd::Completed, |host| {
        if host == first {
            Luck::Unreachable
        } else {
            Luck::Well
        }
    });
    assert_eq!(
        stage.states(),
        "rollback_failed: rollback_failed rolled_back"
    );
    assert_eq!(
        stage.outcome(),
        Some(DeploymentOutcome::RollbackFailed),
        "an open failure is on the books"
    );
    stage.send(Event::RollBack { reason: reason() });
    assert_eq!(stage.open.len(), 1, "only the batch that is not back yet");
    stage.now = 9000;
    stage.finish(1);
    assert_eq!(stage.states(), "rolled_back: rolled_back rolled_back");
    let deployment = stage.deployment.unwrap();
    assert_eq!(
        (
            deployment.outcome,
            deployment.failed_at,
            deployment.finished_at
        ),
        (DeploymentOutcome::RolledBack, Some(time(700)), time(9000))
    );
}

#[test]
fn hosts_brought_right_by_hand_are_recorded_with_the_evidence() {
    let mut stage = Stage::released("100%", 1, GateRule::Automatic);
    stage.finish(1);
    stage.send(Event::RollBack { reason: reason() });
    stage.finish_with(&stage.job(1), JobEnd::Completed, |_| Luck::Fails);
    stage.send(Event::Recover { evidence: reason() });
    assert_eq!(stage.states(), "recovered: rollback_failed");
    assert!(stage.rollout.state.ended() && !stage.rollout.state.reserves_hosts());
}

#[test]
fn a_roll_back_in_mid_deploy_asks_first_what_became_of_the_hosts() {
    let mut stage = Stage::released("100%", 3, GateRule::Automatic);
    let deploy = stage.job(1);
    stage.send(Event::RollBack { reason: reason() });
    assert_eq!(stage.states(), "rolling_back: deploying");
    assert_eq!(stage.cancelled, [deploy.id]);
    let (first, second) = (stage.host(1), stage.host(2));
    let cut_short = |host| match host {
        _ if host == first => Luck::UnknownHalfWay,
        _ if host == second => Luck::Vanishes,
        // Not begun, so nobody has seen yet what it runs.
        _ => Luck::Unknown,
    };
    stage.finish_with(&deploy, JobEnd::Cancelled, cut_short);
    assert_eq!(stage.states(), "rolling_back: probing");
    stage.finish(1);
    assert_eq!(stage.states(), "rolling_back: rolling_back");
    stage.finish(1);
    assert_eq!(stage.states(), "rolled_back: rolled_back");
}

#[test]
fn a_roll_back_goes_on_when_the_probe_before_it_is_lost() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish_with(&stage.job(1), lost(), |_| Luck::UnknownHalfWay);
    stage.send(Event::RollBack { reason: reason() });
    assert_eq!(
        (stage.states().as_str(), stage.cancelled.len()),
        ("rolling_back: probing", 0)
    );
    stage.finish_with(&stage.job(1), lost(), |_| Luck::Unknown);
    assert_eq!(stage.states(), "rolling_back: rolling_back");
    stage.finish(1);
    assert_eq!(stage.states(), "rolled_back: rolled_back");
}

#[test]
fn the_late_end_of_a_cancelled_probe_is_ignored() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish(1);
    let probe = stage.job(1);
    stage.send(Event::RollBack { reason: reason() });
    assert_eq!(
        (stage.cancelled.clone(), stage.job(1).kind),
        (vec![probe.id], JobKind::RollBack)
    );
    let (before, version) = (stage.rollout.clone(), stage.rollout.decision_version);
    stage.finish_with(&probe, JobEnd::Cancelled, |_| Luck::Unknown);
    assert_eq!((stage.rollout.clone(), stage.effects.len()), (before, 0));
    assert_eq!(stage.rollout.decision_version, version);
    assert_eq!(stage.phases(), ["updated", "updated"]);
    stage.finish(1);
    assert_eq!(stage.states(), "rolled_back: rolled_back");
}

#[test]
fn a_success_can_be_rolled_back_later_and_is_then_one_failed_deployment() {
    let mut stage = Stage::released("50/50%", 2, GateRule::Automatic);
    stage.carry(1, Outcome::Pass);
    stage.carry(2, Outcome::Pass);
    assert_eq!(stage.outcome(), Some(DeploymentOutcome::Succeeded));
    stage.now = 90_000;
    stage.send(Event::RollBack { reason: reason() });
    stage.finish(1);
    stage.finish(2);
    assert_eq!(stage.states(), "rolled_back: rolled_back rolled_back");
    assert_eq!(stage.outcome(), Some(DeploymentOutcome::RolledBack));
    assert_eq!(stage.deployment.unwrap().failed_at, Some(time(90_000)));
}

#[test]
fn hosts_that_ran_the_version_already_are_left_alone_by_a_roll_back() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    let first = stage.host(1);
    let row = stage.rows.get_mut(&first).unwrap();
    (row.runs, row.ran) = (NEW.parse().unwrap(), NEW.parse().unwrap());
    stage.finish(1);
    stage.finish(1);
    assert_eq!(stage.phases(), ["already_current", "updated"]);
    stage.judge(1, Outcome::Fail);
    stage.finish(1);
    assert_eq!(stage.phases(), ["already_current", "rolled_back"]);
    assert_eq!(stage.states(), "rolled_back: rolled_back");
}
