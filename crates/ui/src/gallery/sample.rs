//! Made-up data for the gallery.

use domain::{
    SignedDuration, Timestamp,
    host::HostPhase,
    id::{RolloutId, UserId},
    verdict::{Dimension, Measurement, Outcome, Verdict},
};
use view::{
    access::{Allowance, Viewer},
    job::LogLine,
    rollout::{
        BakeView, BatchActions, BatchDot, BatchView, ChartLine, ChartMarker, ChartView, HostCell,
        RolloutRow,
    },
};

/// 21 November 2026, 07:31:04 UTC.
pub const NOW: Timestamp = Timestamp::constant(1_795_246_264, 0);

/// So many seconds after [`NOW`], or before it.
pub fn at(seconds: i64) -> Timestamp {
    NOW.saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(NOW)
}

pub fn viewer() -> Viewer {
    Viewer {
        id: UserId(Default::default()),
        name: "Omar Haddad".to_owned(),
        roles: vec!["operator".to_owned(), "member of payments".to_owned()],
        people: Allowance::Allowed,
    }
}

pub fn refused() -> Allowance {
    Allowance::Refused {
        why: "You requested this rollout; somebody else has to approve it.".to_owned(),
    }
}

fn dot(number: u32, state: &str) -> BatchDot {
    BatchDot {
        number,
        state: state.to_owned(),
        hosts: 2,
    }
}

fn row(
    service: &str,
    environment: &str,
    version: &str,
    state: &str,
    batches: [&str; 3],
) -> RolloutRow {
    RolloutRow {
        id: RolloutId(Default::default()),
        service: service.to_owned(),
        environment: environment.to_owned(),
        version: version.to_owned(),
        state: state.to_owned(),
        requested_by: "Maria Rossi".to_owned(),
        created_at: at(-5400),
        batches: (1..)
            .zip(batches)
            .map(|(number, state)| dot(number, state))
            .collect(),
    }
}

pub fn rollouts() -> Vec<RolloutRow> {
    vec![
        row(
            "checkout",
            "production",
            "1.4.2",
            "running",
            ["promoted", "baking", "pending"],
        ),
        row(
            "ledger",
            "production",
            "2026.11.1",
            "awaiting_approval",
            ["pending", "pending", "pending"],
        ),
        row(
            "checkout",
            "production",
            "1.4.1",
            "rolled_back",
            ["rolled_back", "pending", "pending"],
        ),
        row(
            "search",
            "development",
            "0.9.0-rc1",
            "paused",
            ["promoted", "held", "pending"],
        ),
        row(
            "checkout",
            "development",
            "1.4.2",
            "succeeded",
            ["promoted", "promoted", "promoted"],
        ),
    ]
}

/// A batch with nothing said of it; the state and its details are filled in by the caller.
pub fn batch(number: u32, state: &str, counts: Vec<(HostPhase, u32)>) -> BatchView {
    BatchView {
        number,
        host_count: counts.iter().map(|(_, n)| n).sum(),
        state: state.to_owned(),
        message: String::new(),
        bake_seconds: 48 * 3600,
        bake: None,
        retry_at: None,
        gate_expires: None,
        started_at: Some(at(-600)),
        verified_at: None,
        ended_at: None,
        counts,
        verdict: None,
        actions: BatchActions::NONE,
    }
}

pub fn at_work() -> Vec<BatchView> {
    vec![
        BatchView {
            verified_at: Some(at(-500)),
            message: "Promoted on a passing verdict.".to_owned(),
            ..batch(1, "promoted", vec![(HostPhase::Updated, 2)])
        },
        BatchView {
            verified_at: Some(at(-6)),
            bake: Some(BakeView {
                since: at(-6),
                until: Some(at(14)),
                left_ms: None,
            }),
            ..batch(
                2,
                "baking",
                vec![(HostPhase::Updated, 1), (HostPhase::AlreadyCurrent, 1)],
            )
        },
        batch(3, "pending", vec![(HostPhase::Pending, 2)]),
    ]
}

pub fn in_trouble() -> Vec<BatchView> {
    vec![
        BatchView {
            verified_at: Some(at(-500)),
            bake: Some(BakeView { since: at(-500), until: None, left_ms: Some(93_000_000) }),
            ..batch(4, "baking", vec![(HostPhase::Updated, 3)])
        },
        BatchView {
            message: "1 of 3 hosts did not take the change: web-5 could not be reached. Retry it, or roll back.".to_owned(),
            ..batch(5, "held", vec![(HostPhase::Updated, 2), (HostPhase::Unreachable, 1)])
        },
        BatchView { verified_at: Some(at(-500)), gate_expires: Some(at(7200)), ..batch(6, "gate", vec![(HostPhase::Updated, 4)]) },
        BatchView { message: "Error rate rose from 0.4 % to 12.8 %.".to_owned(), ..batch(7, "rolled_back", vec![(HostPhase::RolledBack, 3)]) },
        BatchView { message: "web-9 still runs 1.4.2.".to_owned(), ..batch(8, "rollback_failed", vec![(HostPhase::RolledBack, 2), (HostPhase::RollbackFailed, 1)]) },
        batch(9, "deploying", vec![(HostPhase::Updated, 12), (HostPhase::Updating, 5), (HostPhase::Pending, 17)]),
    ]
}

fn host(name: String, batch: u32, phase: HostPhase) -> HostCell {
    let (before, now, message) = match phase {
        HostPhase::Pending | HostPhase::Excluded | HostPhase::Gone => (None, None, ""),
        HostPhase::Unreachable => (
            None,
            None,
            "ssh: connect to host 10.0.4.17 port 22: connection refused",
        ),
        HostPhase::Failed => (
            Some("1.4.1"),
            Some("1.4.1"),
            "Task “Check the artefact’s checksum” failed: expected 9f2c…, got 17ab…",
        ),
        HostPhase::RolledBack | HostPhase::Updating | HostPhase::Unknown => {
            (Some("1.4.1"), Some("1.4.1"), "")
        }
        _ => (Some("1.4.1"), Some("1.4.2"), ""),
    };
    HostCell {
        name,
        batch,
        phase,
        version_before: before.map(str::to_owned),
        version_observed: now.map(str::to_owned),
        message: message.to_owned(),
    }
}

/// One host of each phase.
pub fn few_hosts() -> Vec<HostCell> {
    (1..)
        .zip(HostPhase::ALL)
        .map(|(n, phase)| host(format!("web-{n}"), 1 + (n - 1) / 4, *phase))
        .collect()
}

/// Five hundred hosts in three batches.
pub fn many_hosts() -> Vec<HostCell> {
    let phase = |n: u32| match (n, n % 97) {
        (_, 13) => HostPhase::Failed,
        (_, 45) => HostPhase::Unreachable,
        (..167, 7) => HostPhase::AlreadyCurrent,
        (..240, _) => HostPhase::Updated,
        (..255, _) => HostPhase::Updating,
        _ => HostPhase::Pending,
    };
    (1..=500)
        .map(|n| {
            host(
                format!("api-{n:03}.eu-west-1.example"),
                1 + (n - 1) / 167,
                phase(n),
            )
        })
        .collect()
}

fn measured(
    dimension: Dimension,
    outcome: Outcome,
    unit: &str,
    values: [f64; 3],
    p: Option<f64>,
    explanation: &str,
) -> Measurement {
    let [baseline, now, limit] = values.map(Some);
    Measurement {
        dimension,
        outcome,
        unit: unit.to_owned(),
        baseline,
        measured: now,
        limit,
        baseline_samples: 120,
        measured_samples: 42,
        p_value: p,
        explanation: explanation.to_owned(),
    }
}

fn queries() -> Vec<String> {
    ["requests{*}.as_count()", "errors{*}.as_count()"]
        .map(|tail| {
            format!(
                "sum:slipway_demo.{}",
                tail.replace('*', "service:checkout,env:production") + " by {host}"
            )
        })
        .to_vec()
}

pub fn passing() -> Verdict {
    let measurements = vec![
        measured(
            Dimension::ErrorRate,
            Outcome::Pass,
            "%",
            [0.41, 0.38, 1.41],
            Some(0.93),
            "0.38 % of requests failed, 0.41 % before; up to 1.41 % would pass.",
        ),
        measured(
            Dimension::Latency,
            Outcome::Pass,
            "ms",
            [182.0, 184.6, 191.1],
            Some(0.412),
            "The median is 1.4 % slower than before; up to 5 % would pass.",
        ),
        measured(
            Dimension::Liveness,
            Outcome::Pass,
            "hosts",
            [2.0, 2.0, 2.0],
            None,
            "Both hosts report.",
        ),
    ];
    Verdict {
        outcome: Outcome::Pass,
        at: at(-20),
        measurements,
        queries: queries(),
    }
}

pub fn failing() -> Verdict {
    let silent = Measurement {
        baseline: None,
        measured: None,
        limit: None,
        measured_samples: 0,
        p_value: None,
        ..measured(
            Dimension::Latency,
            Outcome::NoData,
            "ms",
            [0.0; 3],
            None,
            "No point arrived from web-3 since the deployment.",
        )
    };
    let measurements = vec![
        measured(
            Dimension::ErrorRate,
            Outcome::Fail,
            "%",
            [0.41, 12.84, 1.41],
            Some(0.000_02),
            "12.84 % of requests failed, 0.41 % before; at most 1.41 % is allowed.",
        ),
        silent,
        measured(
            Dimension::Liveness,
            Outcome::Pass,
            "hosts",
            [2.0, 2.0, 2.0],
            None,
            "Both hosts report.",
        ),
    ];
    Verdict {
        outcome: Outcome::Fail,
        at: at(-20),
        measurements,
        queries: queries(),
    }
}

/// A wave that looks like a metric, the same on every machine.
fn wave(n: i64, base: f64, swing: f64) -> f64 {
    let phase = n as f64;
    base + swing * ((phase * 0.35).sin() + 0.6 * (phase * 1.7).sin() + 0.3 * (phase * 4.1).cos())
}

fn line(name: &str, value: impl Fn(i64) -> Option<f64>) -> ChartLine {
    ChartLine {
        name: name.to_owned(),
        points: (0..=120)
            .map(|n| (at(n - 100).as_millisecond(), value(n)))
            .collect(),
    }
}

fn chart(dimension: Dimension, unit: &str, lines: Vec<ChartLine>) -> ChartView {
    let marker = |seconds, label: &str| ChartMarker {
        at: at(seconds),
        label: label.to_owned(),
    };
    ChartView {
        dimension,
        unit: unit.to_owned(),
        lines,
        markers: vec![
            marker(-70, "Batch 1 deployed"),
            marker(-20, "Batch 2 deployed"),
        ],
        from: at(-100),
        to: at(20),
        missing: String::new(),
    }
}

pub fn latency() -> ChartView {
    let live = |n: i64| n <= 96;
    chart(
        Dimension::Latency,
        "ms",
        vec![
            line("Batch 1", |n| {
                (live(n) && !(40..52).contains(&n)).then(|| wave(n, 184.0, 3.0))
            }),
            line("Batch 2", |n| live(n).then(|| wave(n + 9, 181.0, 2.5))),
            line("Not yet changed", |n| {
                live(n).then(|| wave(n + 31, 178.0, 2.0))
            }),
        ],
    )
}

pub fn errors() -> ChartView {
    let bad = |n: i64| {
        if n > 34 {
            wave(n, 12.0, 1.4)
        } else {
            wave(n, 0.4, 0.1)
        }
    };
    chart(
        Dimension::ErrorRate,
        "%",
        vec![
            line("Batch 1", |n| (n < 97).then(|| bad(n))),
            line("Baseline", |n| (n < 97).then(|| wave(n, 0.4, 0.12))),
        ],
    )
}

pub fn six_lines() -> ChartView {
    let lines = (0..6)
        .map(|n| {
            line(&format!("Line {}", n + 1), move |x| {
                Some(wave(x + 11 * n, 40.0 + 22.0 * n as f64, 4.0))
            })
        })
        .collect();
    ChartView {
        markers: vec![],
        ..chart(Dimension::Latency, "ms", lines)
    }
}

pub fn no_chart() -> ChartView {
    ChartView {
        missing:
            "Datadog did not answer: 403 Forbidden. Check the application key in the configuration."
                .to_owned(),
        ..chart(Dimension::ErrorRate, "%", vec![])
    }
}

pub fn log() -> Vec<LogLine> {
    [
        "\u{1b}[1mPLAY [Bring the release to the batch] ****************************************\u{1b}[0m",
        "",
        "TASK [release : Check the artefact's checksum] *******************************",
        "\u{1b}[0;32mok: [web-1]\u{1b}[0m",
        "\u{1b}[0;33mchanged: [web-2]\u{1b}[0m",
        "\u{1b}[0;36mskipping: [web-3]\u{1b}[0m",
        "\u{1b}[1;35m[WARNING]: Platform linux on host web-2 is using the discovered Python interpreter at /usr/bin/python3.11, but future installation of another Python interpreter could change the meaning of that path.\u{1b}[0m",
        "\u{1b}[0;31mfatal: [web-4]: UNREACHABLE! => {\"changed\": false, \"msg\": \"Failed to connect to the host via ssh\"}\u{1b}[0m",
        "\u{1b}]0;a title\u{7}What a terminal would obey is taken out; <b>markup</b> is only text.",
        "\u{1b}[90mweb-1 : ok=9  changed=3  unreachable=0  failed=0\u{1b}[0m",
        "\u{1b}[34mblue\u{1b}[0m \u{1b}[94mbright\u{1b}[0m \u{1b}[37mwhite\u{1b}[0m \u{1b}[30mblack\u{1b}[0m \u{1b}[1mbold\u{1b}[0m",
    ]
    .iter()
    .zip(118..)
    .map(|(text, number)| LogLine { number, text: (*text).to_owned() })
    .collect()
}
