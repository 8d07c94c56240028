//! Small values for tests.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Timestamp,
    audit::Actor,
    budget::FailureBudget,
    host::{Criticality, Host},
    id::{EnvironmentId, HostId, RolloutId, ServiceId, UserId},
    job::JobEnd,
    plan::{Intent, Plan},
    release::{Artifact, Release},
    rollout::Rollout,
    service::Installation,
    strategy::{GateRule, Strategy, Tolerance},
    text::{Reason, Version},
    verdict::{Dimension, Measurement, Outcome, Verdict},
};
use uuid::Uuid;

pub const OLD: &str = "1.0.0";
pub const NEW: &str = "1.1.0";

pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// The end of a job nobody can speak for.
pub fn lost() -> JobEnd {
    JobEnd::Lost {
        message: "its supervisor vanished".to_owned(),
    }
}

pub fn reason() -> Reason {
    "because of the test".parse().unwrap()
}

/// 2026-01-01 and so many seconds.
pub fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).unwrap()
}

pub fn omar() -> Actor {
    Actor::Person {
        id: UserId(Uuid::from_u128(7)),
        name: "Omar".to_owned(),
    }
}

pub fn host(number: u32, criticality: Criticality, domain: &str) -> Host {
    Host {
        id: HostId(Uuid::from_u128(u128::from(number))),
        environment: EnvironmentId(Uuid::from_u128(2)),
        identity: format!("web-{number:04}"),
        name: format!("web-{number:04}").parse().unwrap(),
        criticality,
        failure_domain: domain.to_owned(),
        groups: BTreeSet::new(),
        variables: BTreeMap::new(),
    }
}

pub fn hosts(count: u32) -> Vec<Host> {
    (1..=count)
        .map(|number| host(number, Criticality::Normal, "a"))
        .collect()
}

pub fn intent(split: &str, gate: GateRule) -> Intent {
    let split: domain::partition::Split = split.parse().unwrap();
    Intent {
        service: ServiceId(Uuid::from_u128(1)),
        service_slug: "checkout".parse().unwrap(),
        environment: EnvironmentId(Uuid::from_u128(2)),
        environment_slug: "production".parse().unwrap(),
        release: Release {
            version: version(NEW),
            artifact: Some(Artifact {
                source: "checkout-1.1.0.tar.gz".parse().unwrap(),
                sha256: "ab".repeat(32).parse().unwrap(),
            }),
            commit: Some("0123abc".to_owned()),
        },
        installation: Installation {
            host_group: "web".parse().unwrap(),
            install_root: "/opt/checkout".to_owned(),
            health_port: 8080,
            health_path: "/health".to_owned(),
        },
        automation: "cd".repeat(32).parse().unwrap(),
        strategy: Strategy {
            bake_seconds: vec![600; split.batches()],
            split,
            gate,
            tolerance: Tolerance::default(),
            failures: FailureBudget::default(),
            gate_seconds: 3600,
        },
        playbooks: Default::default(),
        selection: Default::default(),
        variables: Vec::new(),
    }
}

/// A draft of 1.0.0 → 1.1.0 on so many hosts.
pub fn draft(split: &str, count: u32, gate: GateRule) -> Rollout {
    let plan = Plan::resolve(intent(split, gate), &hosts(count)).unwrap();
    let digest = plan.digest().unwrap();
    Rollout::draft(
        RolloutId(Uuid::from_u128(3)),
        plan,
        digest,
        UserId(Uuid::from_u128(8)),
    )
}

pub fn verdict(outcome: Outcome, at: Timestamp) -> Verdict {
    let measurement = Measurement {
        dimension: Dimension::ErrorRate,
        outcome,
        unit: "%".to_owned(),
        baseline: Some(0.4),
        measured: Some(0.5),
        limit: Some(1.4),
        baseline_samples: 60,
        measured_samples: 60,
        p_value: Some(0.5),
        explanation: format!("The error rate is {outcome}."),
    };
    Verdict::of(
        vec![measurement],
        vec!["sum:errors{*} by {host}".to_owned()],
        at,
    )
}
