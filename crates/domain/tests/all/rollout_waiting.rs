//! Journeys that wait: bakes, pauses, gates, and failures that come meanwhile.

use domain::{
    batch::{BakeClock, BatchState},
    job::JobEnd,
    rollout::{BakeWhilePaused, Decision, Event},
    strategy::GateRule,
    verdict::Outcome,
};

use crate::{
    build::{lost, reason, time},
    stage::{Luck, Stage},
};

#[test]
fn anything_but_a_pass_waits_for_a_person() {
    for outcome in [
        Outcome::Marginal,
        Outcome::NoData,
        Outcome::InsufficientSamples,
        Outcome::ProviderError,
    ] {
        let mut stage = Stage::released("50/50%", 4, GateRule::Automatic);
        stage.carry(1, outcome);
        assert_eq!(stage.states(), "running: gate pending", "{outcome}");
        assert_eq!(
            stage
                .rollout
                .batch(1)
                .unwrap()
                .verdict
                .as_ref()
                .unwrap()
                .outcome,
            outcome
        );
    }
}

#[test]
fn an_automatic_gate_that_lacked_evidence_opens_when_it_comes() {
    for (outcome, rule, expected) in [
        (
            Outcome::NoData,
            GateRule::Automatic,
            "running: promoted deploying",
        ),
        (
            Outcome::InsufficientSamples,
            GateRule::Automatic,
            "running: promoted deploying",
        ),
        (
            Outcome::ProviderError,
            GateRule::Automatic,
            "running: promoted deploying",
        ),
        (
            Outcome::Marginal,
            GateRule::Automatic,
            "running: gate pending",
        ),
        (Outcome::NoData, GateRule::Both, "running: gate pending"),
        (Outcome::NoData, GateRule::Manual, "running: gate pending"),
    ] {
        let mut stage = Stage::released("50/50%", 4, rule);
        stage.carry(1, outcome);
        stage.judge(1, outcome);
        assert_eq!(stage.states(), "running: gate pending", "{outcome} {rule}");
        stage.judge(1, Outcome::Pass);
        assert_eq!(stage.states(), expected, "{outcome} {rule}");
    }
}

#[test]
fn the_end_of_a_bake_is_looked_at() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish(1);
    stage.finish(1);
    stage.now = 599;
    stage.judge(1, Outcome::Pass);
    let batch = stage.rollout.batch(1).unwrap();
    assert_eq!(batch.next_look, Some(time(600)));
}

#[test]
fn a_paused_rollout_promotes_nothing_at_its_gate() {
    let mut stage = Stage::released("50/50%", 4, GateRule::Automatic);
    stage.carry(1, Outcome::NoData);
    stage.send(Event::Pause {
        reason: reason(),
        bake: BakeWhilePaused::Stops,
    });
    stage.judge(1, Outcome::Pass);
    assert_eq!(stage.states(), "paused: gate pending");
}

#[test]
fn a_bake_that_ended_long_ago_starts_nothing_by_itself() {
    for (late, expected) in [
        (3600, "running: promoted deploying"),
        (3601, "running: gate pending"),
    ] {
        let mut stage = Stage::released("50/50%", 4, GateRule::Automatic);
        stage.finish(1);
        stage.finish(1);
        stage.now = 600 + late;
        stage.judge(1, Outcome::Pass);
        assert_eq!(stage.states(), expected, "{late} s late");
        stage.judge(1, Outcome::Pass);
        assert_eq!(stage.states(), expected, "a further look changes nothing");
    }
}

#[test]
fn a_pause_stops_the_bake_clock() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish(1);
    stage.finish(1);
    stage.now = 200;
    stage.send(Event::Pause {
        reason: reason(),
        bake: BakeWhilePaused::Stops,
    });
    stage.now = 5000;
    stage.judge(1, Outcome::Pass);
    assert_eq!(stage.states(), "paused: baking");
    stage.send(Event::Resume);
    let BatchState::Baking { clock, .. } = &stage.rollout.batch(1).unwrap().state else {
        panic!("{}", stage.states())
    };
    assert_eq!(*clock, BakeClock::Running { until: time(5400) });
    stage.now = 5399;
    stage.judge(1, Outcome::Pass);
    assert_eq!(stage.states(), "running: baking");
    assert_eq!(stage.rollout.wake_at(), Some(time(5400)));
    stage.now = 5400;
    stage.judge(1, Outcome::Pass);
    assert_eq!(stage.states(), "succeeded: promoted");
}

#[test]
fn a_pause_may_let_the_bake_run_but_promotes_nothing() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish(1);
    stage.finish(1);
    stage.send(Event::Pause {
        reason: reason(),
        bake: BakeWhilePaused::Runs,
    });
    stage.now = 700;
    stage.judge(1, Outcome::Pass);
    assert_eq!(stage.states(), "paused: baking");
    assert_eq!(
        stage.rollout.wake_at(),
        Some(time(760)),
        "the end of the bake is past and must not wake anybody again and again"
    );
    stage.send(Event::Resume);
    assert!(stage.rollout.wake_at().unwrap() <= time(700));
    stage.judge(1, Outcome::Pass);
    assert_eq!(stage.states(), "succeeded: promoted");
}

#[test]
fn a_failing_verdict_while_paused_still_rolls_back() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish(1);
    stage.finish(1);
    stage.send(Event::Pause {
        reason: reason(),
        bake: BakeWhilePaused::Stops,
    });
    stage.judge(1, Outcome::Fail);
    assert_eq!(stage.states(), "rolling_back: rolling_back");
}

#[test]
fn work_that_ends_while_paused_is_kept_and_goes_no_further() {
    let mut stage = Stage::released("50/50%", 2, GateRule::Manual);
    stage.send(Event::Pause {
        reason: reason(),
        bake: BakeWhilePaused::Stops,
    });
    stage.finish(1);
    stage.finish(1);
    stage.send(Event::Resume);
    stage.now = 600;
    stage.judge(1, Outcome::Pass);
    stage.send(Event::Pause {
        reason: reason(),
        bake: BakeWhilePaused::Stops,
    });
    stage.send(Event::Decide {
        batch: 1,
        decision: Decision::Go,
        reason: reason(),
    });
    assert_eq!(stage.states(), "paused: promoted pending");
    stage.send(Event::Resume);
    assert_eq!(stage.states(), "running: promoted deploying");
}

#[test]
fn a_late_failure_pauses_once() {
    let mut stage = Stage::released("50/50%", 4, GateRule::Automatic);
    stage.carry(1, Outcome::Pass);
    stage.judge(1, Outcome::NoData);
    assert_eq!(stage.states(), "running: promoted deploying");
    stage.judge(1, Outcome::Fail);
    assert_eq!(stage.states(), "paused: promoted deploying");
    assert_eq!(stage.rollout.failed_at, Some(time(stage.now)));
    stage.send(Event::Resume);
    assert_eq!(stage.rollout.failed_at, None, "a person lets it be");
    stage.judge(1, Outcome::Fail);
    assert_eq!(
        (stage.states().as_str(), stage.effects.len()),
        ("running: promoted deploying", 0),
        "the person knows"
    );
}

#[test]
fn a_manual_gate_takes_any_verdict_but_a_failure() {
    let mut stage = Stage::released("50/50%", 4, GateRule::Manual);
    stage.carry(1, Outcome::Pass);
    assert_eq!(stage.states(), "running: gate pending");
    stage.send(Event::Decide {
        batch: 1,
        decision: Decision::Go,
        reason: reason(),
    });
    stage.carry(2, Outcome::NoData);
    stage.send(Event::Decide {
        batch: 2,
        decision: Decision::Go,
        reason: reason(),
    });
    assert_eq!(stage.states(), "succeeded: promoted promoted");
}

#[test]
fn a_gate_of_both_asks_for_a_pass_and_a_person() {
    let mut stage = Stage::released("100%", 4, GateRule::Both);
    stage.carry(1, Outcome::Marginal);
    let go = || Event::Decide {
        batch: 1,
        decision: Decision::Go,
        reason: reason(),
    };
    let refused = stage.try_send(go()).unwrap_err();
    assert!(refused.message.contains("marginal"), "{refused}");
    let seen = stage.rollout.decision_version;
    stage.judge(1, Outcome::Pass);
    assert!(
        stage.rollout.decision_version > seen,
        "there is something new to decide on"
    );
    stage.send(go());
    assert_eq!(stage.states(), "succeeded: promoted");
}

#[test]
fn no_go_rolls_back() {
    let mut stage = Stage::released("100%", 4, GateRule::Manual);
    stage.carry(1, Outcome::Pass);
    stage.send(Event::Decide {
        batch: 1,
        decision: Decision::NoGo,
        reason: reason(),
    });
    assert_eq!(stage.states(), "rolling_back: rolling_back");
}

#[test]
fn a_breach_does_not_wait_for_a_person() {
    let mut stage = Stage::released("100%", 4, GateRule::Manual);
    stage.carry(1, Outcome::Pass);
    assert_eq!(
        stage.rollout.wake_at(),
        Some(time(stage.now + 60)),
        "a batch at its gate is still watched"
    );
    let look_due = |stage: &Stage| stage.rollout.batch(1).unwrap().look_due(time(stage.now));
    assert!(!look_due(&stage));
    stage.now += 60;
    assert!(look_due(&stage));
    stage.judge(1, Outcome::Pass);
    assert!(!look_due(&stage));
    assert_eq!(stage.rollout.wake_at(), Some(time(stage.now + 60)));
    stage.now += 60;
    stage.judge(1, Outcome::Fail);
    assert_eq!(stage.states(), "rolling_back: rolling_back");
}

#[test]
fn an_expired_gate_holds_and_can_be_watched_longer() {
    let mut stage = Stage::released("100%", 4, GateRule::Manual);
    stage.carry(1, Outcome::Pass);
    let go = || Event::Decide {
        batch: 1,
        decision: Decision::Go,
        reason: reason(),
    };
    stage.now += 3600;
    let refused = stage.try_send(go()).unwrap_err();
    assert!(
        refused.message.contains("expired"),
        "even before the tick: {refused}"
    );
    stage.send(Event::Tick);
    assert_eq!(stage.states(), "running: held");
    assert!(stage.try_send(go()).is_err());
    assert!(
        stage.try_send(Event::Retry { batch: 1 }).is_err(),
        "its hosts are well"
    );
    assert!(stage.rollout.wake_at().is_some(), "still watched");
    for bad in [0, 59, 31 * 86_400] {
        assert!(
            stage
                .try_send(Event::ExtendBake {
                    batch: 1,
                    seconds: bad,
                    reason: reason()
                })
                .is_err()
        );
    }
    stage.send(Event::ExtendBake {
        batch: 1,
        seconds: 60,
        reason: reason(),
    });
    assert_eq!(stage.states(), "running: baking");
    stage.now += 60;
    stage.judge(1, Outcome::Pass);
    stage.send(go());
    assert_eq!(stage.states(), "succeeded: promoted");
}

#[test]
fn progress_within_a_state_is_no_new_decision() {
    let mut stage = Stage::released("100%", 2, GateRule::Automatic);
    stage.finish(1);
    let seen = stage.rollout.decision_version;
    stage.finish_with(&stage.job(1), lost(), |_| Luck::Unknown);
    assert_eq!(stage.rollout.decision_version, seen);
    stage.finish(1);
    let seen = stage.rollout.decision_version;
    stage.judge(1, Outcome::Pass);
    assert_eq!(stage.rollout.decision_version, seen);
}

/// What else goes on in a rollout whose first batch was promoted.
type Meanwhile = (&'static str, fn(&mut Stage));

#[test]
fn a_promoted_batch_has_looks_of_its_own() {
    let cases: Vec<Meanwhile> = vec![
        ("running: promoted deploying", |_| {}),
        ("running: promoted validating", |stage| {
            stage.finish(2);
        }),
        ("running: promoted held", |stage| {
            stage.finish_with(&stage.job(2), JobEnd::Completed, |_| Luck::Fails);
        }),
        ("paused: promoted deploying", |stage| {
            stage.send(Event::Pause {
                reason: reason(),
                bake: BakeWhilePaused::Stops,
            });
        }),
    ];
    for (states, meanwhile) in cases {
        let mut stage = Stage::released("50/50%", 4, GateRule::Automatic);
        stage.carry(1, Outcome::Pass);
        let promoted = stage.now;
        meanwhile(&mut stage);
        assert_eq!(stage.states(), states);
        for look in 1..=3 {
            let due = promoted + 300 * look;
            assert_eq!(stage.rollout.wake_at(), Some(time(due)), "{states}");
            stage.now = due;
            let batch = stage.rollout.batch(1).unwrap();
            assert!(!batch.look_due(time(due - 1)) && batch.look_due(time(due)));
            stage.judge(1, Outcome::Pass);
        }
        stage.judge(1, Outcome::Fail);
        assert_eq!(
            stage.rollout.state.word(),
            "paused",
            "{states}: a late failure stops it, whatever goes on"
        );
    }
}

#[test]
fn a_batch_watched_longer_is_judged_on_all_its_time() {
    let mut stage = Stage::released("100%", 4, GateRule::Automatic);
    stage.carry(1, Outcome::Marginal);
    let since = |stage: &Stage| match stage.rollout.batch(1).unwrap().state {
        BatchState::Baking { since, .. } => Some(since),
        _ => None,
    };
    stage.now += 100;
    stage.send(Event::ExtendBake {
        batch: 1,
        seconds: 300,
        reason: reason(),
    });
    assert_eq!(since(&stage), Some(time(0)), "the marginal time counts too");
    let BatchState::Baking { clock, .. } = &stage.rollout.batch(1).unwrap().state else {
        panic!("{}", stage.states())
    };
    assert_eq!(
        *clock,
        BakeClock::Running {
            until: time(stage.now + 300)
        }
    );
}

#[test]
fn what_makes_a_rollout_safe_never_waits_for_a_reload() {
    for (event, safe) in [
        (Event::Release, false),
        (Event::Resume, false),
        (Event::Retry { batch: 1 }, false),
        (
            Event::Decide {
                batch: 1,
                decision: Decision::Go,
                reason: reason(),
            },
            false,
        ),
        (
            Event::Decide {
                batch: 1,
                decision: Decision::NoGo,
                reason: reason(),
            },
            true,
        ),
        (Event::RollBack { reason: reason() }, true),
        (Event::Abort { reason: reason() }, true),
        (
            Event::Pause {
                reason: reason(),
                bake: BakeWhilePaused::Stops,
            },
            true,
        ),
    ] {
        assert_eq!(event.makes_safe(), safe, "{event:?}");
    }
}
