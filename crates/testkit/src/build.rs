//! Builders: valid values, of which a test changes what it is about.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Timestamp,
    budget::FailureBudget,
    change_request::{ChangeRequest, ChangeRequestState},
    environment::{Approval, Environment, Purpose},
    host::{Criticality, Host},
    id::{ChangeRequestId, EnvironmentId, HostId, RolloutId, ServiceId, TeamId, UserId},
    inventory::Absent,
    plan::{Intent, Plan},
    release::{Artifact, Release},
    rollout::Rollout,
    service::{Installation, Service, Telemetry},
    strategy::{GateRule, Strategy, Tolerance},
    team::Team,
};
use store::Import;

use crate::mint;

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn title(slug: &str) -> String {
    let mut letters = slug.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

pub fn team(slug: &str) -> Team {
    Team {
        id: TeamId(mint()),
        slug: parse(slug),
        name: parse(&title(slug)),
    }
}

/// A service that runs on every host of its environment.
pub fn service(slug: &str, team: TeamId) -> Service {
    let query = |metric: &str| format!("sum:{slug}.{metric}{{env:{{env}}}} by {{host}}");
    Service {
        id: ServiceId(mint()),
        team,
        slug: parse(slug),
        name: parse(&title(slug)),
        description: format!("The {slug} service"),
        repository: format!("https://git.example.org/{slug}"),
        installation: Installation {
            host_group: parse("all"),
            install_root: format!("/opt/{slug}"),
            health_port: 8080,
            health_path: "/health".to_owned(),
        },
        telemetry: Telemetry {
            requests: query("requests"),
            errors: query("errors"),
            latency: query("latency_ms"),
            liveness: query("up"),
        },
        playbooks: Default::default(),
    }
}

/// A production environment, in which changes are approved.
pub fn environment(slug: &str) -> Environment {
    Environment {
        id: EnvironmentId(mint()),
        slug: parse(slug),
        name: parse(&title(slug)),
        purpose: Purpose::Production,
        approval: Approval::Required,
    }
}

/// An inventory of these hosts, which removes none and was shown to nobody.
pub const fn inventory(hosts: &[Host]) -> Import<'_> {
    Import {
        hosts,
        absent: Absent::Keep,
        seen: None,
    }
}

/// `many` hosts named `web-00001` and on, in the group `web`, spread over the failure domains a, b and c.
pub fn hosts(environment: EnvironmentId, many: usize) -> Vec<Host> {
    (1..=many)
        .map(|number| {
            let name = format!("web-{number:05}");
            Host {
                id: HostId(mint()),
                environment,
                identity: format!("i-{number:08x}"),
                name: parse(&name),
                criticality: Criticality::Normal,
                failure_domain: ["a", "b", "c"][number % 3].to_owned(),
                groups: BTreeSet::from(["web".to_owned()]),
                variables: BTreeMap::from([
                    (
                        "ansible_host".to_owned(),
                        format!("10.0.{}.{}", number / 250, number % 250 + 1).into(),
                    ),
                    ("ansible_port".to_owned(), 2222.into()),
                ]),
            }
        })
        .collect()
}

/// Three batches, ten minutes of bake each, promoted by a passing verdict.
pub fn strategy() -> Strategy {
    Strategy {
        split: parse("33/33/34%"),
        bake_seconds: vec![600; 3],
        gate: GateRule::Automatic,
        tolerance: Tolerance::default(),
        failures: FailureBudget::default(),
        gate_seconds: 3600,
    }
}

/// The plan that brings a version of a service to these hosts.
pub fn plan(service: &Service, environment: &Environment, hosts: &[Host], version: &str) -> Plan {
    let intent = Intent {
        service: service.id,
        service_slug: service.slug.clone(),
        environment: environment.id,
        environment_slug: environment.slug.clone(),
        release: Release {
            version: parse(version),
            artifact: Some(Artifact {
                source: parse(&format!("{}-{version}.tar.gz", service.slug)),
                sha256: parse(&"ab".repeat(32)),
            }),
            commit: None,
        },
        installation: service.installation.clone(),
        automation: parse(&"cd".repeat(32)),
        strategy: strategy(),
        playbooks: Default::default(),
        selection: Default::default(),
        variables: Vec::new(),
    };
    Plan::resolve(intent, hosts).expect("hosts enough for three batches")
}

/// A draft of this plan.
pub fn rollout(plan: Plan, requested_by: UserId) -> Rollout {
    let digest = plan.digest().expect("a plan that can be encoded");
    Rollout::draft(RolloutId(mint()), plan, digest, requested_by)
}

/// The submitted change request of a rollout.
pub fn change_request(rollout: &Rollout, requested_by_name: &str, at: Timestamp) -> ChangeRequest {
    ChangeRequest {
        id: ChangeRequestId(mint()),
        rollout: rollout.id,
        digest: rollout.digest.clone(),
        reason: parse("A newer version"),
        requested_by: rollout.requested_by,
        requested_by_name: requested_by_name.to_owned(),
        state: ChangeRequestState::Submitted { at },
    }
}
