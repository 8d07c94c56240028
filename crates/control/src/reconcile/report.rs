//! From what a run reports, by host name, to what its job learnt, by host id.

use std::collections::BTreeMap;

use domain::{
    attempt::AttemptEvent,
    host::{HostMark, HostPhase, HostReport},
    job::{JobEnd, JobKind, JobReport},
    text::Version,
};
use integrations::ansible::events::{Conclusion, Event, EventKind};
use store::JobHost;

/// The report of a job: what its run concluded about each host, with the version known from before the rollout.
pub(super) fn of(conclusion: Conclusion, hosts: &[JobHost]) -> JobReport {
    let Conclusion {
        end,
        hosts: mut concluded,
    } = conclusion;
    let reports: BTreeMap<_, _> = hosts
        .iter()
        .filter_map(|known| {
            let report = concluded.remove(&known.host.name)?;
            // What is seen on a host that the rollout may have changed is no version to go back to.
            let seen = report.before.filter(|_| !known.touched);
            let before = known.before.clone().or(seen);
            Some((known.host.id, HostReport { before, ..report }))
        })
        .collect();
    JobReport {
        end,
        hosts: reports,
    }
}

/// How the attempt ended.
pub(super) fn attempt_event(end: &JobEnd, failed: bool) -> AttemptEvent {
    match end {
        JobEnd::Completed if failed => AttemptEvent::ExitedBadly,
        JobEnd::Completed => AttemptEvent::ExitedWell,
        JobEnd::CouldNotStart { .. } => AttemptEvent::ExitedBadly,
        JobEnd::Cancelled => AttemptEvent::Stopped,
        JobEnd::TimedOut => AttemptEvent::DeadlinePassed,
        JobEnd::Lost { .. } => AttemptEvent::Lost,
    }
}

/// What an event says about a host while the run goes on; the report at its end has the last word.
pub(super) fn mark(
    event: Event,
    kind: JobKind,
    wanted: &Version,
    hosts: &[JobHost],
) -> Option<HostMark> {
    let of = |name: &str| hosts.iter().find(|known| known.host.name.as_str() == name);
    let mark = |known: &JobHost, phase: HostPhase| HostMark {
        host: known.host.id,
        phase,
        before: None,
        observed: None,
        message: String::new(),
    };
    if !kind.changes_hosts() && !kind.probes() {
        return None;
    }
    match event.kind {
        EventKind::Before { host, version } if kind == JobKind::Deploy => {
            let known = of(&host)?;
            Some(HostMark {
                before: if known.before.is_none() && !known.touched {
                    version.parse().ok()
                } else {
                    None
                },
                ..mark(known, HostPhase::Updating)
            })
        }
        EventKind::Observed { host, version } => {
            let (known, observed) = (of(&host)?, version.parse::<Version>().ok()?);
            // A probe looks at hosts whose phase another job has set, and a host that answers is not done by that alone.
            let phase = match kind {
                JobKind::Deploy if observed == *wanted => HostPhase::Updated,
                JobKind::Deploy => HostPhase::Updating,
                JobKind::RollBack if known.before.as_ref() == Some(&observed) => {
                    HostPhase::RolledBack
                }
                JobKind::RollBack => HostPhase::RollingBack,
                JobKind::DryRun | JobKind::Probe | JobKind::ProbeUnknown => return None,
            };
            Some(HostMark {
                observed: Some(observed),
                ..mark(known, phase)
            })
        }
        EventKind::Host {
            host,
            status,
            message,
            ..
        } if kind.changes_hosts() => {
            use integrations::ansible::events::TaskStatus;
            let phase = match (status, kind) {
                (TaskStatus::Failed, JobKind::RollBack) => HostPhase::RollbackFailed,
                (TaskStatus::Failed, _) => HostPhase::Failed,
                (TaskStatus::Unreachable, JobKind::RollBack) => HostPhase::RollbackFailed,
                (TaskStatus::Unreachable, _) => HostPhase::Unreachable,
                _ => return None,
            };
            Some(HostMark {
                message,
                ..mark(of(&host)?, phase)
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::host::HostOutcome;

    use super::*;

    #[tokio::test]
    async fn what_runs_on_a_touched_host_is_no_version_to_go_back_to() {
        let world = testkit::World::new(testkit::Database::sqlite().await, 1).await;
        let host = world.hosts[0].clone();
        let version = |text: &str| -> Version { text.parse().unwrap() };
        for (touched, recorded, expected) in [
            (false, None, Some("1.1.0")),
            (true, None, None),
            (true, Some("1.0.0"), Some("1.0.0")),
            (false, Some("1.0.0"), Some("1.0.0")),
        ] {
            let known = JobHost {
                host: host.clone(),
                before: recorded.map(version),
                touched,
            };
            let report = HostReport {
                observed: None,
                before: Some(version("1.1.0")),
                outcome: HostOutcome::Unknown {
                    message: String::new(),
                },
            };
            let conclusion = Conclusion {
                end: JobEnd::Completed,
                hosts: [(host.name.clone(), report)].into(),
            };
            let report = of(conclusion, &[known]).hosts.remove(&host.id).unwrap();
            assert_eq!(
                report.before,
                expected.map(version),
                "{touched} {recorded:?}"
            );
        }
    }
}
