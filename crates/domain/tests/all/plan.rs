use std::collections::BTreeSet;

use domain::{
    plan::{Plan, churn},
    strategy::GateRule,
};

use crate::build::{hosts, intent, version};

fn plan() -> Plan {
    Plan::resolve(intent("33/33/34%", GateRule::Automatic), &hosts(6)).unwrap()
}

#[test]
fn the_digest_is_what_it_always_was() {
    // A change here voids every approval that was given before the upgrade: only change it on purpose.
    insta::assert_snapshot!(plan().digest().unwrap(), @"e18be35453532cf458347d577fca57694fdf954188af3294a9da906af198f4c0");
}

/// What is changed, and how.
type Change = (&'static str, fn(&mut Plan));

#[test]
fn any_change_changes_the_digest() {
    let changes: Vec<Change> = vec![
        ("nothing", |_| {}),
        ("service", |plan| plan.service.0 = uuid::Uuid::from_u128(99)),
        ("service slug", |plan| {
            plan.service_slug = "other".parse().unwrap()
        }),
        ("environment", |plan| {
            plan.environment.0 = uuid::Uuid::from_u128(99)
        }),
        ("environment slug", |plan| {
            plan.environment_slug = "other".parse().unwrap()
        }),
        ("version", |plan| plan.release.version = version("9.9.9")),
        ("artefact", |plan| {
            plan.release.artifact = "other.tar.gz".parse().unwrap()
        }),
        ("checksum", |plan| {
            plan.release.sha256 = "ef".repeat(32).parse().unwrap()
        }),
        ("commit", |plan| plan.release.commit = None),
        ("group", |plan| {
            plan.installation.host_group = "other".parse().unwrap()
        }),
        ("folder", |plan| plan.installation.install_root.push('x')),
        ("port", |plan| plan.installation.health_port += 1),
        ("path", |plan| plan.installation.health_path.push('x')),
        ("automation", |plan| {
            plan.automation = "ef".repeat(32).parse().unwrap()
        }),
        ("split", |plan| {
            plan.strategy.split = "34/33/33%".parse().unwrap()
        }),
        ("planned bake", |plan| plan.strategy.bake_seconds[2] += 1),
        ("gate", |plan| plan.strategy.gate = GateRule::Both),
        ("latency tolerance", |plan| {
            plan.strategy.tolerance.latency_percent += 1
        }),
        ("error tolerance", |plan| {
            plan.strategy.tolerance.error_basis_points += 1
        }),
        ("gate wait", |plan| plan.strategy.gate_seconds += 1),
        ("bake of a batch", |plan| plan.batches[0].bake_seconds += 1),
        ("number of a batch", |plan| plan.batches[0].number += 1),
        ("order of batches", |plan| plan.batches.swap(0, 1)),
        ("order of hosts", |plan| plan.batches[0].hosts.swap(0, 1)),
        ("a host less", |plan| drop(plan.batches[0].hosts.pop())),
        ("a host moved", |plan| {
            let host = plan.batches[0].hosts.remove(0);
            plan.batches[1].hosts.push(host);
        }),
        ("a host renamed", |plan| {
            plan.batches[0].hosts[0].name = "db-1".parse().unwrap()
        }),
        ("another machine of that name", |plan| {
            plan.batches[0].hosts[0].id.0 = uuid::Uuid::from_u128(99)
        }),
    ];
    let digests: BTreeSet<String> = changes
        .iter()
        .map(|(_, change)| {
            let mut plan = plan();
            change(&mut plan);
            plan.digest().unwrap().to_string()
        })
        .collect();
    assert_eq!(
        digests.len(),
        changes.len(),
        "two different plans share a digest"
    );
}

#[test]
fn neither_field_order_nor_host_order_moves_the_digest() {
    let digest = plan().digest().unwrap();
    fn backwards(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .rev()
                    .map(|(key, value)| format!("{key:?} : {}", backwards(value)))
                    .collect();
                format!("{{ {} }}", fields.join(" , "))
            }
            serde_json::Value::Array(items) => format!(
                "[{}]",
                items.iter().map(backwards).collect::<Vec<_>>().join(",\n")
            ),
            other => other.to_string(),
        }
    }
    let stored = backwards(&serde_json::to_value(plan()).unwrap());
    assert_eq!(
        serde_json::from_str::<Plan>(&stored)
            .unwrap()
            .digest()
            .unwrap(),
        digest
    );

    let mut reversed = hosts(6);
    reversed.reverse();
    assert_eq!(
        Plan::resolve(intent("33/33/34%", GateRule::Automatic), &reversed)
            .unwrap()
            .digest()
            .unwrap(),
        digest
    );
}

#[test]
fn churn_names_who_left_and_who_came() {
    let plan = plan();
    let now: Vec<_> = hosts(8).into_iter().skip(1).collect();
    let (gone, newcomers) = churn(&plan, &now);
    assert_eq!(
        gone.iter()
            .map(|host| host.name.as_str())
            .collect::<Vec<_>>(),
        ["web-0001"]
    );
    assert_eq!(
        newcomers
            .iter()
            .map(|host| host.name.as_str())
            .collect::<Vec<_>>(),
        ["web-0007", "web-0008"]
    );
}
