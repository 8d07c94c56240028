use domain::Timestamp;
use domain::verdict::{Dimension, Outcome, Verdict};
use view::rollout::BatchActions;

use super::super::inventory::tests::record;
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_millisecond(1_767_225_600_000 + second * 1000 + 40).unwrap()
}

fn measurement(
    dimension: Dimension,
    outcome: Outcome,
    baseline: f64,
    measured: f64,
    limit: f64,
) -> Measurement {
    Measurement {
        dimension,
        outcome,
        unit: String::new(),
        baseline: Some(baseline),
        measured: Some(measured),
        limit: Some(limit),
        baseline_samples: 30,
        measured_samples: 18,
        p_value: None,
        explanation: String::new(),
    }
}

fn shown(number: u32, state: &str, outcome: Option<Outcome>, seconds: i64) -> BatchView {
    let verdict = outcome.map(|outcome| Verdict {
        outcome,
        at: at(seconds),
        measurements: vec![
            measurement(Dimension::ErrorRate, outcome, 0.408, 0.351, 1.408),
            measurement(Dimension::Latency, Outcome::Pass, 41.84, 41.2, 43.93),
            measurement(Dimension::Liveness, Outcome::Pass, 2.0, 2.0, 2.0),
        ],
        queries: Vec::new(),
    });
    let started = outcome.map(|_| at(0));
    BatchView {
        number,
        host_count: 2,
        state: state.to_owned(),
        message: String::new(),
        bake_seconds: 172_800,
        bake: None,
        retry_at: None,
        gate_expires: None,
        started_at: started,
        verified_at: started,
        ended_at: started.map(|_| at(seconds)),
        counts: Vec::new(),
        verdict,
        actions: BatchActions::NONE,
    }
}

fn told(environment: &str, version: &str, outcome: &str, batches: Vec<BatchView>) -> RolloutReport {
    let short = if environment == "production" {
        "prod"
    } else {
        environment
    };
    let cell = |number: u32, batch| HostCell {
        name: format!("{short}-{number}"),
        batch,
        phase: domain::host::HostPhase::Pending,
        version_before: None,
        version_observed: None,
        message: String::new(),
    };
    let hosts: Vec<HostCell> = (1..=6)
        .map(|number| cell(number, number.div_ceil(2)))
        .collect();
    RolloutReport {
        id: "018f".into(),
        version: version.into(),
        version_before: Some("1.4.1".into()),
        environment: environment.into(),
        outcome: outcome.into(),
        batches: batches.into_iter().map(|one| batch(one, &hosts)).collect(),
        seconds: Some(78.2),
        rollback_seconds: (outcome == "rolled_back").then_some(4.0),
        requested_by: "Maria Keller".into(),
        refused_to_requester: (environment == "production").then(|| "You requested it.".into()),
        sentence: "It ended.".into(),
    }
}

fn report() -> Report {
    let good = (1..=3)
        .map(|number| shown(number, "promoted", Some(Outcome::Pass), 24))
        .collect();
    let bad = vec![
        shown(1, "rolled_back", Some(Outcome::Fail), 9),
        shown(2, "pending", None, 0),
        shown(3, "pending", None, 0),
    ];
    let hosts = record().hosts.into_iter().map(|host| Running {
        version: if host.environment == "production" {
            "1.4.2"
        } else {
            "1.4.1"
        }
        .into(),
        name: host.name,
        environment: host.environment,
        address: host.address,
    });
    Report {
        rollouts: vec![
            told("production", "1.4.2", "succeeded", good),
            told("dev", "1.5.0", "rolled_back", bad),
        ],
        rollback_seconds: Some(4.0),
        deployments: 2,
        failed_deployments: 1,
        audit_events: 57,
        hosts: hosts.collect(),
        seconds: 131.0,
        console: "http://127.0.0.1:8400".into(),
        people: vec![PersonReport {
            login: "omar".into(),
            name: "Omar Haddad".into(),
            role: "operator".into(),
        }],
        service: "checkout".into(),
    }
}

#[test]
fn a_person_reads_aligned_lines() {
    let expected = "
checkout 1.4.1 → 1.4.2 in production: succeeded after 78.2 s
  batch  hosts          state     verdict  seconds  error rate %          latency ms            alive
  1      prod-1 prod-2  promoted  pass     24.0     0.41 → 0.35 (≤ 1.41)  41.8 → 41.2 (≤ 43.9)  2 → 2 (≥ 2)
  2      prod-3 prod-4  promoted  pass     24.0     0.41 → 0.35 (≤ 1.41)  41.8 → 41.2 (≤ 43.9)  2 → 2 (≥ 2)
  3      prod-5 prod-6  promoted  pass     24.0     0.41 → 0.35 (≤ 1.41)  41.8 → 41.2 (≤ 43.9)  2 → 2 (≥ 2)
  Maria Keller asked; told when approving alone: “You requested it.”
  It ended.

checkout 1.4.1 → 1.5.0 in dev: rolled back by itself after 78.2 s
  batch  hosts        state        verdict  seconds  error rate %          latency ms            alive
  1      dev-1 dev-2  rolled back  fail     9.0      0.41 → 0.35 (≤ 1.41)  41.8 → 41.2 (≤ 43.9)  2 → 2 (≥ 2)
  2      dev-3 dev-4  pending      –        –        –                     –                     –
  3      dev-5 dev-6  pending      –        –        –                     –                     –
  Maria Keller asked; dev asks for no approval
  It ended.

  hosts say   1.4.1 runs in dev: dev-1
              1.4.2 runs in production: production-2 production-3
  deployments 2, 1 of them failed; 4.0 s from the breach to the verified roll back
  audit       57 events
  took        2 min 11 s
";
    assert_eq!(report().text(), expected);
    let expected = "
  console     http://127.0.0.1:8400
  sign in as  omar    Omar Haddad     operator
";
    assert_eq!(
        invitation("http://127.0.0.1:8400", &report().people),
        expected
    );
}

#[test]
fn a_program_reads_the_same_as_json() {
    let json = serde_json::to_value(report()).unwrap();
    assert_eq!(json["rollouts"][0]["outcome"], "succeeded");
    assert_eq!(json["rollouts"][0]["batches"][1]["hosts"], 2);
    assert_eq!(json["rollouts"][0]["batches"][1]["host_names"][0], "prod-3");
    assert_eq!(json["rollouts"][0]["batches"][1]["verdict"], "pass");
    assert_eq!(json["rollouts"][0]["batches"][1]["seconds"], 24.0);
    assert_eq!(json["rollouts"][1]["outcome"], "rolled_back");
    assert!(json["rollouts"][1]["batches"][2]["verdict"].is_null());
    assert_eq!(
        (
            &json["rollback_seconds"],
            &json["deployments"],
            &json["audit_events"]
        ),
        (&4.0.into(), &2.into(), &57.into())
    );
    assert_eq!(json["hosts"][1]["version"], "1.4.2");
}

#[test]
fn only_what_was_to_be_shown_counts() {
    let record = record();
    report().check(&record).unwrap();
    let refused = |spoil: fn(&mut Report)| {
        let mut report = report();
        spoil(&mut report);
        report.check(&record).unwrap_err().to_string()
    };
    assert!(refused(|report| report.rollouts.truncate(1)).contains("not two"));
    assert!(
        refused(|report| report.rollouts[0].batches[2].state = "gate".into())
            .contains("batch 3 of 1.4.2 is gate")
    );
    assert!(
        refused(|report| report.rollouts[1].batches[0].verdict = None)
            .contains("no batch of 1.5.0")
    );
    assert!(
        refused(|report| report.hosts[2].version = "1.5.0".into())
            .contains("production-3 runs 1.5.0, not 1.4.2")
    );
}
