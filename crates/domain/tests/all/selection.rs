//! Which hosts and tasks a rollout takes.

use domain::{
    host::Host,
    job::JobKind,
    plan::Plan,
    project::PlannedPlaybooks,
    selection::{Limit, Selection, Tags},
    strategy::GateRule,
};

use crate::build::{hosts, intent};

/// web-0001 to web-0006; the odd ones are in `odd`, the first two in `eu.west`.
fn grouped() -> Vec<Host> {
    let mut hosts = hosts(6);
    for (host, number) in hosts.iter_mut().zip(1..) {
        let groups = [("odd", number % 2 == 1), ("eu.west", number <= 2)];
        let groups = groups.into_iter().filter(|(_, in_it)| *in_it);
        host.groups = groups.map(|(name, _)| name.to_owned()).collect();
    }
    hosts
}

fn names(hosts: &[Host]) -> Vec<&str> {
    let last = |host: &'_ Host| host.name.as_str().len() - 1;
    hosts
        .iter()
        .map(|host| &host.name.as_str()[last(host)..])
        .collect()
}

#[test]
fn a_limit_takes_names_and_groups_and_leaves_some_out() {
    for (limit, taken) in [
        ("", "1 2 3 4 5 6"),
        (" , ,", "1 2 3 4 5 6"),
        ("odd", "1 3 5"),
        ("web-0002", "2"),
        ("eu.west,odd", "1 2 3 5"),
        ("eu.west odd", "1 2 3 5"),
        ("odd, !eu.west", "3 5"),
        ("!odd", "2 4 6"),
        ("!web-0006,odd", "1 3 5"),
    ] {
        let limit: Limit = limit.parse().unwrap();
        let taken_now = limit.choose(&grouped()).unwrap();
        assert_eq!(names(&taken_now).join(" "), taken, "{limit}");
    }
}

#[test]
fn a_limit_that_is_a_slip_is_refused() {
    for (limit, says) in [
        (
            "wbe-0001",
            "No host of this service here is named “wbe-0001”",
        ),
        ("odd,!evn", "named “evn”"),
        ("odd,!odd", "The limit “odd, !odd” leaves no host."),
        ("web-*", "“web-*” is neither the name of a host nor a group"),
        ("!", "“!” is neither"),
        ("--help", "“--help” is neither"),
        ("{{x}}", "“{{x}}” is neither"),
    ] {
        let refused = limit
            .parse()
            .and_then(|limit: Limit| limit.choose(&grouped()))
            .unwrap_err();
        assert_eq!(refused.field, "limit");
        assert!(
            refused.message.contains(says),
            "{limit}: {}",
            refused.message
        );
    }
    let many = "a ".repeat(201);
    assert!(many.parse::<Limit>().is_err());
}

#[test]
fn a_plan_holds_the_hosts_of_its_limit_and_sees_only_those_change() {
    let limited = |limit: &str| {
        let mut intent = intent("100%", GateRule::Automatic);
        intent.selection.limit = limit.parse().unwrap();
        Plan::resolve(intent, &grouped())
    };
    let plan = limited("odd").unwrap();
    let planned: Vec<_> = plan.batches[0]
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    assert_eq!(planned, ["web-0001", "web-0003", "web-0005"]);
    assert!(
        plan.churn(&grouped()).is_none(),
        "who was left out is not new"
    );

    let mut now = grouped();
    now[1].groups.insert("odd".to_owned());
    assert_eq!(
        plan.churn(&now).new,
        [now[1].name.clone()],
        "who joins what was asked for is"
    );
    now[0].groups.remove("odd");
    assert_eq!(plan.churn(&now).gone, [now[0].name.clone()]);
    assert!(limited("nobody").is_err());

    let everything = limited("").unwrap();
    let written = serde_json::to_value(&everything).unwrap();
    assert!(
        written.get("selection").is_none(),
        "older plans keep their digests"
    );
    assert_ne!(everything.digest().unwrap(), plan.digest().unwrap());
    let read: Plan = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
    assert_eq!(read, plan);
}

#[test]
fn tags_are_for_projects_and_for_what_deploys() {
    let selection = Selection {
        tags: Tags::read("tags", "web, db:main").unwrap(),
        skip_tags: Tags::read("skip_tags", "slow").unwrap(),
        ..Selection::default()
    };
    assert_eq!(selection.tags.to_string(), "db:main,web");
    for bad in ["-a", "a b;c", "{{ a }}", "ü", "a#b"] {
        assert_eq!(Tags::read("skip_tags", bad).unwrap_err().field, "skip_tags");
    }
    let refused = selection
        .clone()
        .check(&PlannedPlaybooks::Release)
        .unwrap_err();
    assert_eq!(refused.field, "tags");
    assert!(
        Selection::default()
            .check(&PlannedPlaybooks::DatadogAgent)
            .is_ok()
    );
    for (kind, tagged) in [
        (JobKind::Deploy, true),
        (JobKind::DryRun, true),
        (JobKind::Probe, false),
        (JobKind::ProbeUnknown, false),
        (JobKind::RollBack, false),
    ] {
        let (tags, skipped) = selection.tags_of(kind);
        assert_eq!(
            (!tags.is_empty(), !skipped.is_empty()),
            (tagged, tagged),
            "{kind}"
        );
    }
}
