use super::*;

const START: &str = r#"{"seq":1,"t":1,"kind":"start","playbook":"deploy.yml"}"#;
const PLAY: &str = r#"{"seq":2,"t":2,"kind":"play","play":"Deploy","hosts":1}"#;

/// A run of `events` on host `a`, each `kind` and its fields without `seq`.
fn concluded(kind: JobKind, exit: Exit, events: &[&str]) -> Conclusion {
    let mut tally = Tally::default();
    tally.take(START);
    tally.take(PLAY);
    for (number, event) in events.iter().enumerate() {
        tally.take(&format!(r#"{{"seq":{},"t":9,{event}}}"#, number + 3));
    }
    tally.conclude(kind, &exit, &["a".parse().unwrap()])
}

fn code(code: i32) -> Exit {
    Exit {
        code: Some(code),
        ..Exit::default()
    }
}

fn task(status: &str) -> String {
    format!(
        r#""kind":"host","host":"a","task":"Do","task_id":"1","status":"{status}","ms":1,"message":"why""#
    )
}

fn stats(failed: u64, unreachable: u64) -> String {
    format!(
        r#""kind":"stats","hosts":{{"a":{{"ok":9,"changed":3,"failed":{failed},"unreachable":{unreachable},"skipped":1}}}}"#
    )
}

const BEFORE: &str = r#""kind":"before","host":"a","version":"1.0.0""#;
const OBSERVED: &str = r#""kind":"observed","host":"a","version":"1.1.0""#;
const CURRENT: &str = r#""kind":"already_current","host":"a""#;

#[test]
fn a_run_that_told_everything_is_believed() {
    use JobKind::{Deploy, Probe, RollBack};
    let version: Version = "1.1.0".parse().unwrap();
    let why = || "why".to_owned();
    let well = &stats(0, 0);
    for (kind, exit, events, expected) in [
        (
            Deploy,
            0,
            vec![BEFORE, &task("changed"), OBSERVED, well],
            HostOutcome::Updated {
                version: version.clone(),
            },
        ),
        (
            Deploy,
            0,
            vec![CURRENT, OBSERVED, well],
            HostOutcome::AlreadyCurrent {
                version: version.clone(),
            },
        ),
        (
            RollBack,
            0,
            vec![&task("changed"), OBSERVED, well],
            HostOutcome::Updated {
                version: version.clone(),
            },
        ),
        (
            Probe,
            0,
            vec![&task("ok"), OBSERVED, well],
            HostOutcome::Observed {
                version: version.clone(),
            },
        ),
        (
            Deploy,
            2,
            vec![BEFORE, &task("failed"), &stats(1, 0)],
            HostOutcome::Failed { message: why() },
        ),
        (
            Deploy,
            4,
            vec![&task("unreachable"), &stats(0, 1)],
            HostOutcome::Unreachable { message: why() },
        ),
        (
            Deploy,
            0,
            vec![&task("ignored"), OBSERVED, well],
            HostOutcome::Updated {
                version: version.clone(),
            },
        ),
        (
            Deploy,
            0,
            vec![&task("failed"), OBSERVED, well],
            HostOutcome::Updated {
                version: version.clone(),
            },
        ),
        (
            Deploy,
            4,
            vec![&task("changed"), &task("unreachable"), &stats(0, 1)],
            HostOutcome::Unknown {
                message: "The host was lost half-way: why".to_owned(),
            },
        ),
        (
            Deploy,
            0,
            vec![&task("ok"), well],
            HostOutcome::Unknown {
                message: "The playbook ended well without telling which version runs on this host."
                    .to_owned(),
            },
        ),
        (
            Deploy,
            2,
            vec![r#""kind":"stats","hosts":{}"#],
            HostOutcome::Unknown {
                message: "Ansible ran no task on this host.".to_owned(),
            },
        ),
    ] {
        let conclusion = concluded(kind, code(exit), &events);
        assert_eq!(conclusion.end, JobEnd::Completed, "{events:?}");
        let report = &conclusion.hosts[&"a".parse().unwrap()];
        assert_eq!(report.outcome, expected, "{events:?}");
        assert_eq!(
            report.before.is_some(),
            kind == Deploy && events.contains(&BEFORE)
        );
    }
}

#[test]
fn a_run_that_did_not_is_unknown() {
    let well = &stats(0, 0);
    let stray = r#""kind":"task","task":"x","task_id":"2""#;
    let whole = vec![OBSERVED, well];
    for (name, exit, events, expected) in [
        (
            "no stats",
            code(0),
            vec![OBSERVED],
            "without its final event",
        ),
        (
            "something after the stats",
            code(0),
            vec![OBSERVED, well, stray],
            "line 5",
        ),
        ("not an event", code(0), vec![r#""kind":5"#, well], "line 3"),
        ("Ansible failed", code(250), whole.clone(), "code 250"),
        (
            "a signal",
            Exit {
                signal: Some(9),
                ..Exit::default()
            },
            whole.clone(),
            "signal (9)",
        ),
        (
            "stopped",
            Exit {
                interrupted: true,
                ..code(0)
            },
            whole.clone(),
            "supervisor was stopped",
        ),
    ] {
        let conclusion = concluded(JobKind::Deploy, exit, &events);
        let JobEnd::Lost { message } = &conclusion.end else {
            panic!("{name}: {conclusion:?}")
        };
        assert!(message.contains(expected), "{name}: {message}");
        let outcome = &conclusion.hosts[&"a".parse().unwrap()].outcome;
        assert!(
            matches!(outcome, HostOutcome::Unknown { .. }),
            "{name}: {outcome:?}"
        );
    }
    for (exit, expected) in [
        (
            Exit {
                cancelled: true,
                ..code(0)
            },
            JobEnd::Cancelled,
        ),
        (
            Exit {
                timed_out: true,
                signal: Some(9),
                ..Exit::default()
            },
            JobEnd::TimedOut,
        ),
        (
            Exit {
                cancelled: true,
                not_started: Some("no".to_owned()),
                ..Exit::default()
            },
            JobEnd::Cancelled,
        ),
    ] {
        let conclusion = concluded(JobKind::Deploy, exit, &whole);
        assert_eq!(conclusion.end, expected);
        assert!(matches!(
            conclusion.hosts[&"a".parse().unwrap()].outcome,
            HostOutcome::Unknown { .. }
        ));
    }
}

#[test]
fn a_gap_is_noticed_wherever_it_is() {
    let lines: Vec<String> = [
        START.to_owned(),
        PLAY.to_owned(),
        format!(r#"{{"seq":3,"t":1,{OBSERVED}}}"#),
        format!(r#"{{"seq":4,"t":1,{}}}"#, stats(0, 0)),
    ]
    .into();
    for missing in 0..=lines.len() {
        let mut tally = Tally::default();
        for line in lines
            .iter()
            .enumerate()
            .filter(|(number, _)| *number != missing)
            .map(|(_, line)| line)
        {
            tally.take(line);
        }
        let end = tally.conclude(JobKind::Deploy, &code(0), &[]).end;
        assert_eq!(
            end == JobEnd::Completed,
            missing == lines.len(),
            "without line {missing}: {end:?}"
        );
    }
}

#[test]
fn a_run_that_touched_no_host_says_so() {
    let mut tally = Tally::default();
    tally.take(START);
    let hosts = ["a".parse().unwrap()];
    assert!(
        matches!(tally.conclude(JobKind::Deploy, &code(4), &hosts).end, JobEnd::CouldNotStart { message } if message.contains("code 4"))
    );
    let exit = Exit {
        not_started: Some("/x could not be started".to_owned()),
        ..Exit::default()
    };
    let conclusion = Tally::default().conclude(JobKind::Deploy, &exit, &hosts);
    assert_eq!(
        conclusion,
        Conclusion {
            end: JobEnd::CouldNotStart {
                message: "/x could not be started".to_owned()
            },
            hosts: BTreeMap::new()
        }
    );
    // Ansible went on although the plugin had failed.
    let mut announced = tally.clone();
    announced.play_announced();
    assert!(matches!(
        announced.conclude(JobKind::Deploy, &code(2), &hosts).end,
        JobEnd::Lost { .. }
    ));
    // An event may have been lost with the disk, so nothing is certain.
    let full = Exit {
        output_incomplete: true,
        ..code(4)
    };
    assert!(matches!(
        tally.conclude(JobKind::Deploy, &full, &hosts).end,
        JobEnd::Lost { .. }
    ));
    assert!(matches!(
        tally.conclude_lost(JobKind::Deploy, &hosts).end,
        JobEnd::Lost { .. }
    ));
}

#[test]
fn an_unknown_kind_is_no_gap() {
    let conclusion = concluded(
        JobKind::Deploy,
        code(0),
        &[r#""kind":"weather","sun":true"#, OBSERVED, &stats(0, 0)],
    );
    assert_eq!(conclusion.end, JobEnd::Completed);
}

fn kinds(lines: &[&str]) -> Vec<EventKind> {
    let read = |line: &&str| serde_json::from_str(&format!("{{{line}}}")).unwrap();
    lines.iter().map(read).collect()
}

#[test]
fn a_dry_run_is_told_by_host_and_task() {
    let play = r#""kind":"play","play":"Deploy","hosts":2,"check":true"#;
    let changed = r#""kind":"host","host":"a","task":"Show what would change","task_id":"1","status":"changed","ms":1,"diff":"-runs: 1.0.0\n+runs: 1.1.0""#;
    let silent =
        r#""kind":"host","host":"a","task":"Restart","task_id":"2","status":"changed","ms":1"#;
    let refused = r#""kind":"host","host":"b","task":"See that there is a way back","task_id":"3","status":"failed","ms":1,"message":"No way back.""#;
    let ok = r#""kind":"host","host":"b","task":"Ask","task_id":"4","status":"ok","ms":1"#;
    let told = dry_run(&kinds(&[play, ok, changed, refused, silent])).unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|found| {
            (
                found.host.as_str(),
                found.task.as_str(),
                found.changed,
                found.diff.as_str(),
                found.refusal.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "a",
                "Show what would change",
                true,
                "-runs: 1.0.0\n+runs: 1.1.0",
                ""
            ),
            (
                "b",
                "See that there is a way back",
                false,
                "",
                "No way back."
            ),
            ("a", "Restart", true, "", ""),
        ]
    );
    // What a real run did is never taken for what one would do.
    let real = r#""kind":"play","play":"Deploy","hosts":2"#;
    for lines in [&[real, changed][..], &[play, changed, real], &[changed]] {
        assert_eq!(dry_run(&kinds(lines)), None);
    }
    assert_eq!(dry_run(&kinds(&[play])), Some(Vec::new()));
}

#[test]
fn facts_are_kept_and_strange_ones_break_nothing() {
    let mut tally = Tally::default();
    for (number, facts) in [
        r#"{"kernel":"5.10"}"#,
        r#"{"kernel":"6.1","cpus":2,"shoe_size":44,"hostname":["no"]}"#,
    ]
    .iter()
    .enumerate()
    {
        let line = format!(
            r#"{{"seq":{},"t":1,"kind":"facts","host":"a","facts":{facts}}}"#,
            number + 1
        );
        assert!(tally.take(&line).is_some());
    }
    let facts = &tally.facts()["a"];
    assert_eq!(
        facts.kernel.as_ref().map(ToString::to_string),
        Some("6.1".to_owned())
    );
    assert_eq!((facts.cpus, &facts.hostname), (Some(2), &None));
}
