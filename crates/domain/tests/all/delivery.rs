use domain::{
    delivery::{Deployment, DeploymentOutcome as O, numbers},
    id::{DeploymentId, EnvironmentId, RolloutId, ServiceId},
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::build::{NEW, time, version};

fn deployment(outcome: O, failed_at: Option<i64>, finished_at: i64) -> Deployment {
    Deployment {
        id: DeploymentId(Uuid::from_u128(1)),
        rollout: RolloutId(Uuid::from_u128(2)),
        service: ServiceId(Uuid::from_u128(3)),
        environment: EnvironmentId(Uuid::from_u128(4)),
        version: version(NEW),
        outcome,
        started_at: time(0),
        finished_at: time(finished_at),
        failed_at: failed_at.map(time),
    }
}

/// What ran, then failures, change fail rate and median recovery in seconds.
type Row = (&'static str, Vec<Deployment>, u32, Option<f64>, Option<f64>);

#[test]
fn delivery_numbers() {
    let good = || deployment(O::Succeeded, None, 500);
    let rolled_back = |seconds: i64| deployment(O::RolledBack, Some(100), 100 + seconds);
    let open = || deployment(O::RollbackFailed, Some(100), 400);
    let aborted = || deployment(O::Aborted, Some(100), 100);
    let table: [Row; 8] = [
        ("nothing ran: nothing to divide", vec![], 0, None, None),
        (
            "successes recover from nothing",
            vec![good(), good()],
            0,
            Some(0.0),
            None,
        ),
        (
            "one of four was rolled back",
            vec![good(), good(), good(), rolled_back(60)],
            1,
            Some(0.25),
            Some(60.0),
        ),
        (
            "an open failure is no recovery in 0 h",
            vec![good(), open()],
            1,
            Some(0.5),
            None,
        ),
        (
            "an open failure does not shorten the median",
            vec![open(), rolled_back(600)],
            2,
            Some(1.0),
            Some(600.0),
        ),
        (
            "an abort recovers nothing",
            vec![aborted(), good()],
            1,
            Some(0.5),
            None,
        ),
        (
            "odd median",
            vec![rolled_back(10), rolled_back(1000), rolled_back(30)],
            3,
            Some(1.0),
            Some(30.0),
        ),
        (
            "even median",
            vec![
                rolled_back(10),
                rolled_back(30),
                rolled_back(1000),
                rolled_back(20),
            ],
            4,
            Some(1.0),
            Some(25.0),
        ),
    ];
    for (what, deployments, failed, rate, recovery) in table {
        let numbers = numbers(&deployments);
        assert_eq!(numbers.deployments as usize, deployments.len(), "{what}");
        assert_eq!(
            (
                numbers.failed,
                numbers.change_fail_rate,
                numbers.median_recovery_seconds
            ),
            (failed, rate, recovery),
            "{what}"
        );
    }
}

proptest! {
    #[test]
    fn the_change_fail_rate_is_a_rate(outcomes in proptest::collection::vec((0..O::ALL.len(), proptest::option::of(0..1000_i64), 1000..2000_i64), 0..50)) {
        let deployments: Vec<Deployment> = outcomes.into_iter().map(|(outcome, failed, finished)| deployment(O::ALL[outcome], failed, finished)).collect();
        let numbers = numbers(&deployments);
        prop_assert_eq!(numbers.change_fail_rate.is_none(), deployments.is_empty());
        prop_assert!(numbers.change_fail_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
        prop_assert!(numbers.median_recovery_seconds.is_none_or(|seconds| seconds >= 0.0));
        prop_assert!(numbers.failed <= numbers.deployments);
    }
}
