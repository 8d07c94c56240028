use std::collections::BTreeSet;

use domain::{
    budget::{Beyond, FailureLimit},
    host::{Criticality, Host},
    plan::{Churn, Plan},
    strategy::GateRule,
    variable::{Place, Variable, VariableKind},
};

use crate::build::{host, hosts, intent, version};

fn plan() -> Plan {
    Plan::resolve(intent("33/33/34%", GateRule::Automatic), &hosts(6)).unwrap()
}

#[test]
fn the_digest_is_what_it_always_was() {
    // A change here voids every approval that was given before the upgrade: only change it on purpose.
    insta::assert_snapshot!(plan().digest().unwrap(), @"69119f09454ea3cf8e6a8da6dfc91818f7646944e47998ea890e9eac3a3d73f8");
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
            plan.release.artifact.as_mut().unwrap().source = "other.tar.gz".parse().unwrap()
        }),
        ("checksum", |plan| {
            plan.release.artifact.as_mut().unwrap().sha256 = "ef".repeat(32).parse().unwrap()
        }),
        ("no artefact", |plan| plan.release.artifact = None),
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
        ("failures", |plan| {
            plan.strategy.failures.limit = FailureLimit::Percent(10)
        }),
        ("beyond them", |plan| {
            plan.strategy.failures.beyond = Beyond::RollBack
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
        ("a host with other variables", |plan| {
            plan.batches[0].hosts[0].digest = "ef".repeat(32).parse().unwrap()
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
fn churn_names_who_left_who_came_and_who_changed() {
    let plan = plan();
    assert!(plan.churn(&hosts(6)).is_none());
    let mut now: Vec<_> = hosts(8).into_iter().skip(1).collect();
    now[1]
        .variables
        .insert("slipway_restart_command".to_owned(), "sh /tmp/x".into());
    let churn = plan.churn(&now);
    assert_eq!(
        churn.to_string(),
        "The hosts are not those of the approved plan (gone: web-0001; new: web-0007, web-0008; changed since: web-0003). Import them as they were, or end this rollout and request it again, so that what is approved is what runs."
    );
    assert_eq!(
        plan.churn_among(&now[..2]),
        Churn {
            changed: churn.changed,
            ..Churn::default()
        },
        "a job takes some of the hosts"
    );
}

/// What is changed on a host, and how.
type HostChange = (&'static str, bool, fn(&mut Host));

#[test]
fn approval_covers_what_a_run_on_a_host_depends_on() {
    let changes: Vec<HostChange> = vec![
        ("nothing", false, |_| {}),
        ("criticality", false, |host| {
            host.criticality = Criticality::High
        }),
        ("failure domain", false, |host| {
            host.failure_domain = "b".to_owned()
        }),
        ("groups", false, |host| {
            host.groups.insert("db".to_owned());
        }),
        ("name", true, |host| host.name = "db-1".parse().unwrap()),
        ("another address", true, |host| {
            host.variables
                .insert("ansible_host".to_owned(), "10.0.0.2".into());
        }),
        ("port", true, |host| {
            host.variables.insert("ansible_port".to_owned(), 22.into());
        }),
        ("user", true, |host| {
            host.variables
                .insert("ansible_user".to_owned(), "root".into());
        }),
        ("no address", true, |host| {
            host.variables.remove("ansible_host");
        }),
        ("a variable more", true, |host| {
            host.variables
                .insert("slipway_restart_command".to_owned(), "x".into());
        }),
        ("a large number", true, |host| {
            host.variables
                .insert("number".to_owned(), 9_007_199_254_740_993_u64.into());
        }),
    ];
    for (what, counts, change) in changes {
        let mut host = host(1, Criticality::Normal, "a");
        host.variables
            .insert("ansible_host".to_owned(), "10.0.0.1".into());
        host.variables
            .insert("number".to_owned(), 9_007_199_254_740_992_u64.into());
        let before = host.digest();
        change(&mut host);
        assert_eq!(host.digest() != before, counts, "{what}");
    }
}

#[test]
fn an_address_is_spelt_in_one_way() {
    for (address, port, expected) in [
        (None, None, "web-0001:22"),
        (Some("10.0.0.1"), Some(2222.into()), "10.0.0.1:2222"),
        (Some("10.0.0.1"), Some("02222".into()), "10.0.0.1:2222"),
        (Some("Web-1.Example.ORG."), None, "web-1.example.org:22"),
        (Some("FE80:0:0::1"), None, "fe80::1:22"),
    ] {
        let mut host = host(1, Criticality::Normal, "a");
        let address = address.map(|address| ("ansible_host".to_owned(), address.into()));
        let port = port.map(|port: serde_json::Value| ("ansible_port".to_owned(), port));
        host.variables.extend(address.into_iter().chain(port));
        assert_eq!(host.address(), expected);
    }
}

/// A variable of the group, if one is named.
fn variable(group: Option<&str>) -> Variable {
    Variable {
        id: domain::id::VariableId(uuid::Uuid::from_u128(7)),
        name: "http_port".parse().unwrap(),
        kind: VariableKind::Number,
        place: Place {
            service: Some(domain::id::ServiceId(uuid::Uuid::from_u128(1))),
            environment: None,
            group: group.map(|group| group.parse().unwrap()),
        },
        value: Some(8080.into()),
    }
}

#[test]
fn approval_covers_what_a_host_is_given_and_by_which_group() {
    let plan_with = |variable| {
        let mut intent = intent("33/33/34%", GateRule::Automatic);
        intent.variables = vec![variable];
        Plan::resolve(intent, &hosts(6)).unwrap()
    };
    let plan = plan_with(variable(Some("db")));
    let mut now = hosts(6);
    assert!(plan.churn(&now).is_none());
    // The same change is none where no variable depends on it, as the table above says.
    now[2].groups.insert("db".to_owned());
    assert_eq!(plan.churn(&now).changed, [now[2].name.clone()]);

    let mut other = variable(None);
    other.value = Some(8081.into());
    let digests = [variable(Some("db")), variable(None), other]
        .map(|variable| plan_with(variable).digest().unwrap());
    let digests: BTreeSet<_> = digests.into_iter().collect();
    assert_eq!(digests.len(), 3);
}
