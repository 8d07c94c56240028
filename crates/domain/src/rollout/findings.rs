//! What a job learnt about its hosts: the mark each gets, and the sentence that sums them up.

use std::collections::BTreeMap;

use crate::{
    batch::BatchState,
    host::{HostMark, HostOutcome, HostPhase, HostReport},
    id::HostId,
    rollout::{
        Effect,
        step::{At, Step},
    },
};

impl Step<'_, '_> {
    /// Marks hosts by what a deploy or a probe learnt; gives those that do not run the wanted version, with why.
    ///
    /// Two marks keep a host out of a roll back, so both need proof that this rollout has not changed it: already
    /// current (it ran the wanted version before) and unreachable (the first deploy changed nothing on it, or none ever got
    /// as far as asking its version).
    pub fn mark_towards_release(
        &mut self,
        at: At,
        hosts: &BTreeMap<HostId, HostReport>,
    ) -> Findings {
        let wanted = self.rollout.plan.release.version.clone();
        let (round, stopped) = match &self.batch(at).state {
            BatchState::Deploying { round, .. } => (Some(*round), false),
            BatchState::Probing { cause, .. } => (None, !cause.is_empty()),
            _ => (None, false),
        };
        let mut findings = Findings::default();
        let marks = hosts
            .iter()
            .map(|(host, report)| {
                let phase = match (&report.outcome, &report.before) {
                    (HostOutcome::AlreadyCurrent { version }, None)
                        if *version == wanted && round == Some(1) =>
                    {
                        HostPhase::AlreadyCurrent
                    }
                    (outcome, before) if outcome.version() == Some(&wanted) => match before {
                        Some(before) if *before == wanted => HostPhase::AlreadyCurrent,
                        _ => HostPhase::Updated,
                    },
                    (HostOutcome::Unreachable { .. }, _) if round == Some(1) => {
                        HostPhase::Unreachable
                    }
                    (HostOutcome::Unreachable { .. }, None) if round.is_some() => {
                        HostPhase::Unreachable
                    }
                    (HostOutcome::Unreachable { .. } | HostOutcome::Unknown { .. }, _) => {
                        HostPhase::Unknown
                    }
                    _ => HostPhase::Failed,
                };
                let message = match report.outcome.version() {
                    Some(version)
                        if phase == HostPhase::Failed
                            && report
                                .before
                                .as_ref()
                                .map_or(stopped, |before| before == version) =>
                    {
                        format!("still runs {version}: {wanted} was not brought to its end here")
                    }
                    Some(version) if phase == HostPhase::Failed => {
                        format!("runs {version}, not {wanted}")
                    }
                    _ => report.outcome.message().to_owned(),
                };
                findings.count(phase, &message);
                let observed = report.outcome.version().cloned();
                let seen = report.seen().cloned();
                // This rollout brings no other version, so another one that nobody recorded can only be what ran before.
                let before = report.before.clone().or_else(|| {
                    observed
                        .clone()
                        .filter(|version| *version != wanted || phase == HostPhase::AlreadyCurrent)
                });
                HostMark {
                    host: *host,
                    phase,
                    before,
                    observed: seen,
                    message,
                }
            })
            .collect();
        self.effects.push(Effect::MarkHosts {
            batch: self.batch(at).number,
            marks,
        });
        findings
    }

    /// Marks hosts by whether they run again what they ran before.
    pub fn mark_towards_before(
        &mut self,
        at: At,
        hosts: &BTreeMap<HostId, HostReport>,
    ) -> Findings {
        let mut findings = Findings::default();
        let marks = hosts
            .iter()
            .map(|(host, report)| {
                let observed = report.outcome.version().cloned();
                let (phase, message) = match (&observed, &report.before) {
                    (Some(observed), Some(before)) if observed == before => {
                        (HostPhase::RolledBack, String::new())
                    }
                    (Some(observed), Some(before)) => (
                        HostPhase::RollbackFailed,
                        format!("runs {observed}, not {before} as before"),
                    ),
                    (Some(observed), None) => (
                        HostPhase::RollbackFailed,
                        format!("runs {observed}; nobody recorded what it ran before"),
                    ),
                    (None, _) => (
                        HostPhase::RollbackFailed,
                        report.outcome.message().to_owned(),
                    ),
                };
                findings.count(phase, &message);
                HostMark {
                    host: *host,
                    phase,
                    before: report.before.clone(),
                    observed: report.seen().cloned(),
                    message,
                }
            })
            .collect();
        self.effects.push(Effect::MarkHosts {
            batch: self.batch(at).number,
            marks,
        });
        findings
    }
}

/// How many hosts went which way, and one sentence of why.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub hosts: u32,
    pub failed: u32,
    pub unreachable: u32,
    pub unknown: u32,
    first: Option<String>,
}

impl Findings {
    fn count(&mut self, phase: HostPhase, message: &str) {
        self.hosts += 1;
        match phase {
            HostPhase::Failed | HostPhase::RollbackFailed => self.failed += 1,
            HostPhase::Unreachable => self.unreachable += 1,
            HostPhase::Unknown => self.unknown += 1,
            _ => return,
        }
        if self.first.is_none() && !message.is_empty() {
            self.first = Some(message.to_owned());
        }
    }

    /// Hosts that did not take the change, or of which nobody knows.
    pub const fn bad(&self) -> u32 {
        self.failed + self.unreachable + self.unknown
    }

    /// Nothing is wrong with any of them; there may be none.
    pub const fn well(&self) -> bool {
        self.bad() == 0
    }

    /// “Of 6 hosts: 2 failed, 1 unreachable. First: …”.
    pub fn sentence(&self) -> String {
        if self.hosts == 0 {
            return "No host reported.".to_owned();
        }
        let mut parts = Vec::new();
        for (n, word) in [
            (self.failed, "failed"),
            (self.unreachable, "unreachable"),
            (self.unknown, "unknown"),
        ] {
            if n > 0 {
                parts.push(format!("{n} {word}"));
            }
        }
        if parts.is_empty() {
            parts.push("all well".to_owned());
        }
        let counts = format!(
            "Of {} {}: {}.",
            self.hosts,
            if self.hosts == 1 { "host" } else { "hosts" },
            parts.join(", ")
        );
        match &self.first {
            Some(first) => format!("{counts} First: {first}"),
            None => counts,
        }
    }
}
