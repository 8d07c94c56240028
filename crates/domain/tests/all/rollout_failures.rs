//! Hosts that do not take the change: the budget, waiting for them, and going on without them.

use domain::{
    batch::BatchState,
    budget::{Beyond, FailureBudget, FailureLimit},
    host::HostPhase,
    job::{JobEnd, JobKind},
    rollout::{BakeWhilePaused, Event},
    strategy::GateRule,
    verdict::Outcome,
};

use crate::{
    build::{NEW, OLD, lost, reason, time},
    stage::{Luck, Stage},
};

/// One batch of four hosts that deploys, of which so many may fail.
fn deploying(may_fail: u32, beyond: Beyond) -> Stage {
    let mut stage = Stage::released("50/50%", 8, GateRule::Automatic);
    stage.rollout.plan.strategy.failures = FailureBudget {
        limit: FailureLimit::Hosts(may_fail),
        beyond,
    };
    stage
}

#[test]
fn a_try_that_was_due_long_ago_waits_for_a_person() {
    for (late, expected) in [
        (3600, "running: deploying pending"),
        (3601, "running: held pending"),
    ] {
        let mut stage = deploying(1, Beyond::Hold);
        end(&mut stage, JobEnd::Completed, &[Luck::Unreachable]);
        stage.now += 15 + late;
        stage.send(Event::Tick);
        assert_eq!(stage.states(), expected, "{late} s late");
    }
}

/// Ends the deploy of batch 1: the first hosts fare as told, the others well.
#[track_caller]
fn end(stage: &mut Stage, end: JobEnd, luck: &[Luck]) {
    let hosts: Vec<_> = (1..=luck.len()).map(|number| stage.host(number)).collect();
    stage.finish_with(&stage.job(1), end, |host| {
        let at = hosts.iter().position(|known| *known == host);
        at.map_or(Luck::Well, |at| luck[at])
    });
}

#[test]
fn the_budget_decides_what_failures_mean() {
    use Luck::{Fails, FailsHalfWay, Unknown, Unreachable};
    let held = "running: held pending";
    let back = "rolling_back: rolling_back pending";
    let waits = "running: backing_off pending";
    let asks = "running: probing pending";
    for (may_fail, luck, hold, roll_back) in [
        (0, &[Fails][..], held, back),
        (0, &[Unreachable], held, back),
        (0, &[Unknown], asks, back),
        (1, &[Fails], held, held),
        (1, &[Unreachable], waits, waits),
        (1, &[Unknown], asks, asks),
        (1, &[Unreachable, Unreachable], held, back),
        (2, &[Unreachable, Unreachable], waits, waits),
        (2, &[Unreachable, FailsHalfWay], held, held),
        (2, &[Unreachable, Fails, Fails], held, back),
    ] {
        for (beyond, expected) in [(Beyond::Hold, hold), (Beyond::RollBack, roll_back)] {
            let mut stage = deploying(may_fail, beyond);
            end(&mut stage, JobEnd::Completed, luck);
            assert_eq!(stage.states(), expected, "{may_fail} {luck:?} {beyond}");
        }
    }
}

#[test]
fn a_deploy_that_was_stopped_or_lost_says_nothing_of_failures() {
    for stopped in [JobEnd::Cancelled, lost()] {
        let mut stage = deploying(0, Beyond::RollBack);
        end(&mut stage, stopped, &[Luck::Fails]);
        assert_eq!(stage.states(), "running: held pending");
    }
    let mut stage = deploying(0, Beyond::RollBack);
    end(&mut stage, JobEnd::TimedOut, &[Luck::Fails]);
    assert_eq!(stage.states(), "rolling_back: rolling_back pending");
}

#[test]
fn what_became_of_a_deploy_is_still_said_when_its_hosts_were_asked() {
    for (end_of_deploy, said) in [
        (JobEnd::Cancelled, "The deploy was cancelled. Of "),
        (lost(), "The deploy was lost: "),
        (JobEnd::Completed, "Of "),
    ] {
        let mut stage = deploying(0, Beyond::Hold);
        end(&mut stage, end_of_deploy, &[Luck::Unknown]);
        let probe = stage.job(1);
        // A probe that is lost is asked again, and knows it still.
        stage.finish_with(&probe, lost(), |_| Luck::Unknown);
        let probe = stage.job(1);
        stage.finish_with(&probe, JobEnd::Completed, |_| Luck::Unknown);
        assert_eq!(stage.states(), "running: held pending");
        let BatchState::Held { message, .. } = &stage.rollout.batches[0].state else {
            panic!("it is held");
        };
        assert!(message.starts_with(said), "{message}");
    }
}

#[test]
fn failures_beyond_the_budget_are_rolled_back_also_while_paused() {
    let mut stage = deploying(0, Beyond::RollBack);
    stage.send(Event::Pause {
        reason: reason(),
        bake: BakeWhilePaused::Stops,
    });
    end(&mut stage, JobEnd::Completed, &[Luck::FailsHalfWay]);
    assert_eq!(stage.states(), "rolling_back: rolling_back pending");
    stage.finish(1);
    assert_eq!(stage.states(), "rolled_back: rolled_back pending");
    assert!(stage.rows.values().all(|row| row.runs.as_str() == OLD));
}

#[test]
fn unreachable_hosts_are_tried_again_ever_later_and_then_a_person_is_asked() {
    let mut stage = deploying(1, Beyond::Hold);
    for wait in [15, 30, 60, 120] {
        end(&mut stage, JobEnd::Completed, &[Luck::Unreachable]);
        assert_eq!(stage.states(), "running: backing_off pending");
        let due = time(stage.now + wait);
        assert_eq!(stage.rollout.wake_at(), Some(due));
        stage.now += wait - 1;
        assert!(!stage.rollout.tick_due(time(stage.now)));
        stage.send(Event::Tick);
        assert_eq!(stage.states(), "running: backing_off pending");
        stage.now += 1;
        assert!(stage.rollout.tick_due(time(stage.now)));
        stage.send(Event::Tick);
        assert_eq!(stage.states(), "running: deploying pending");
        assert_eq!(stage.job(1).kind, JobKind::Deploy);
    }
    end(&mut stage, JobEnd::Completed, &[Luck::Unreachable]);
    assert_eq!(stage.states(), "running: held pending");
    stage.send(Event::Retry { batch: 1 });
    stage.finish(1);
    stage.finish(1);
    assert_eq!(stage.states(), "running: baking pending");
}

#[test]
fn nothing_is_tried_again_while_paused_and_at_once_when_resumed() {
    let mut stage = deploying(1, Beyond::Hold);
    end(&mut stage, JobEnd::Completed, &[Luck::Unreachable]);
    stage.send(Event::Pause {
        reason: reason(),
        bake: BakeWhilePaused::Stops,
    });
    stage.now += 100;
    assert_eq!(stage.rollout.wake_at(), None);
    stage.send(Event::Tick);
    assert_eq!(stage.states(), "paused: backing_off pending");
    stage.send(Event::Resume);
    assert!(stage.rollout.wake_at().unwrap() <= time(stage.now));
    stage.send(Event::Tick);
    assert_eq!(stage.states(), "running: deploying pending");
}

#[test]
fn a_person_need_not_wait_with_it() {
    for (event, states) in [
        (Event::Retry { batch: 1 }, "running: deploying pending"),
        (
            Event::RollBack { reason: reason() },
            "rolling_back: rolling_back pending",
        ),
        (Event::Abort { reason: reason() }, "aborted: held pending"),
    ] {
        let mut stage = deploying(1, Beyond::Hold);
        end(&mut stage, JobEnd::Completed, &[Luck::Unreachable]);
        stage.send(event);
        assert_eq!(stage.states(), states);
    }
}

#[test]
fn a_batch_goes_on_without_the_hosts_that_were_excluded() {
    let mut stage = deploying(0, Beyond::Hold);
    end(
        &mut stage,
        JobEnd::Completed,
        &[Luck::Unreachable, Luck::FailsHalfWay],
    );
    let (first, second) = (stage.host(1), stage.host(2));
    let seen = stage.rollout.decision_version;
    stage.exclude(&[first]).unwrap();
    assert!(
        stage.rollout.decision_version > seen,
        "how the others stand is news"
    );
    assert_eq!(
        stage.states(),
        "running: held pending",
        "one is still not well"
    );
    stage.exclude(&[second]).unwrap();
    assert_eq!(stage.states(), "running: validating pending");
    assert_eq!(stage.rollout.failed_at, None);
    stage.finish(1);
    stage.now += 600;
    stage.judge(1, Outcome::Pass);
    stage.carry(2, Outcome::Pass);
    assert_eq!(stage.states(), "succeeded: promoted promoted");
    assert_eq!(stage.rows[&first].phase, HostPhase::Excluded);
    assert_eq!(stage.rows[&first].runs.as_str(), OLD);
    assert_eq!(
        stage
            .audit
            .iter()
            .filter(|what| *what == "batch.exclude")
            .count(),
        2
    );

    stage.send(Event::RollBack { reason: reason() });
    stage.finish(1);
    stage.finish(2);
    assert_eq!(stage.states(), "rolled_back: rolled_back rolled_back");
    assert_eq!(
        stage.rows[&second].runs.as_str(),
        NEW,
        "an excluded host is left as it is, as the person was told"
    );
}

#[test]
fn hosts_are_excluded_before_their_batch_starts_or_while_it_waits_for_them() {
    let mut stage = deploying(1, Beyond::Hold);
    let (first, later) = (stage.host(1), stage.host(5));
    let refused = stage.exclude(&[first]).unwrap_err();
    assert!(refused.message.contains("is deploying"), "{refused}");
    stage.exclude(&[later]).unwrap();
    assert_eq!(stage.states(), "running: deploying pending");
    end(&mut stage, JobEnd::Completed, &[Luck::Unreachable]);
    stage.exclude(&[first]).unwrap();
    assert_eq!(stage.states(), "running: validating pending");
    stage.finish(1);
    stage.now += 600;
    stage.judge(1, Outcome::Pass);
    stage.finish(2);
    assert_eq!(stage.rows[&later].phase, HostPhase::Excluded);
    assert_eq!(stage.rows[&later].runs.as_str(), OLD);
}

#[test]
fn a_batch_keeps_a_host() {
    let mut stage = deploying(0, Beyond::Hold);
    let second: Vec<_> = (5..=8).map(|number| stage.host(number)).collect();
    let refused = stage.exclude(&second).unwrap_err();
    assert!(refused.message.contains("no host left"), "{refused}");
    stage.exclude(&second[..3]).unwrap();
    assert!(stage.exclude(&second[3..]).is_err());
}
