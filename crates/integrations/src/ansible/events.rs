//! What a playbook reports, line by line, and what may be concluded from it.

use std::collections::BTreeMap;

use domain::{
    facts::HostFacts,
    host::{HostOutcome, HostReport},
    job::{JobEnd, JobKind},
    text::{HostName, Version},
};
use serde::Deserialize;

use crate::supervisor::Exit;

mod dry_run;
mod file;

pub use dry_run::{Preview, dry_run};
pub use file::each;

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// From 1, without a gap.
    pub seq: u64,
    /// Unix milliseconds.
    pub t: i64,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// A playbook file was entered.
    Start { playbook: String },
    /// A play of so many hosts began.
    Play {
        play: String,
        hosts: u64,
        /// With `--check`: nothing is changed.
        #[serde(default)]
        check: bool,
    },
    /// A task began, on all hosts of the play.
    Task { task: String, task_id: String },
    /// A task ended on one host.
    Host {
        host: String,
        task: String,
        task_id: String,
        status: TaskStatus,
        ms: u64,
        /// Only when failed or unreachable.
        #[serde(default)]
        message: String,
        /// Only when changed with `--diff`, and the task tells what.
        #[serde(default)]
        diff: String,
    },
    /// What the host is.
    Facts { host: String, facts: HostFacts },
    /// The version that ran before anything was touched; empty when none did.
    Before { host: String, version: String },
    /// The version that answered.
    Observed { host: String, version: String },
    /// The wanted version ran already.
    AlreadyCurrent { host: String },
    /// The end of the whole run.
    Stats { hosts: BTreeMap<String, HostStats> },
    /// A kind this version of Slipway does not know.
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    Ok,
    Changed,
    Skipped,
    Failed,
    Unreachable,
    /// It failed, and the playbook says that this does not matter.
    Ignored,
}

/// Tasks of one host by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HostStats {
    pub ok: u64,
    pub changed: u64,
    pub failed: u64,
    pub unreachable: u64,
    pub skipped: u64,
}

/// Takes in the lines of one run, from its first, and sums them up.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Lines read; the `seq` of the last one, as long as none is missing.
    read: u64,
    /// The first line that is missing or cannot be understood.
    broken: Option<u64>,
    played: bool,
    stats: Option<BTreeMap<String, HostStats>>,
    hosts: BTreeMap<String, HostTally>,
    facts: BTreeMap<String, HostFacts>,
    complaint: String,
}

/// What is known of one host so far.
#[derive(Debug, Clone, Default)]
struct HostTally {
    before: Option<Version>,
    observed: Option<Version>,
    already_current: bool,
    changed: bool,
    failure: Option<String>,
    unreachable: Option<String>,
}

/// How a run ended, and what it did to each of its hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    pub end: JobEnd,
    /// Every host of the run; none when the run could not start. `before` is only learnt by a deploy: what ran before
    /// a roll back is the release that is rolled back.
    pub hosts: BTreeMap<HostName, HostReport>,
}

impl Tally {
    /// Takes in the next line; `None` when it cannot be understood, which makes the whole run's outcome unknown.
    pub fn take(&mut self, line: &str) -> Option<Event> {
        self.read += 1;
        let event = serde_json::from_str::<Event>(line).ok();
        // Nothing may follow the stats either.
        if event.as_ref().is_none_or(|event| event.seq != self.read) || self.stats.is_some() {
            self.broken.get_or_insert(self.read);
        }
        match &event.as_ref()?.kind {
            EventKind::Play { .. } => self.played = true,
            EventKind::Host {
                host,
                status,
                message,
                ..
            } => {
                let host = self.hosts.entry(host.clone()).or_default();
                match status {
                    TaskStatus::Changed => host.changed = true,
                    TaskStatus::Failed => host.failure = Some(message.clone()),
                    TaskStatus::Unreachable => host.unreachable = Some(message.clone()),
                    TaskStatus::Ok | TaskStatus::Skipped | TaskStatus::Ignored => {}
                }
            }
            EventKind::Before { host, version } => {
                self.hosts.entry(host.clone()).or_default().before = version.parse().ok()
            }
            EventKind::Observed { host, version } => {
                self.hosts.entry(host.clone()).or_default().observed = version.parse().ok()
            }
            EventKind::Facts { host, facts } => {
                self.facts.insert(host.clone(), facts.clone());
            }
            EventKind::AlreadyCurrent { host } => {
                self.hosts.entry(host.clone()).or_default().already_current = true
            }
            EventKind::Stats { hosts } => self.stats = Some(hosts.clone()),
            EventKind::Start { .. } | EventKind::Task { .. } | EventKind::Other => {}
        }
        event
    }

    /// Whether a play began.
    pub const fn played(&self) -> bool {
        self.played
    }

    /// What the hosts told that they are, by name; hosts that told nothing are not there.
    pub const fn facts(&self) -> &BTreeMap<String, HostFacts> {
        &self.facts
    }

    /// Takes in that the events cannot be read to their end.
    pub fn damaged(&mut self) {
        self.broken.get_or_insert(self.read + 1);
    }

    /// Whether the final event has not come.
    pub const fn is_open(&self) -> bool {
        self.stats.is_none()
    }

    /// Takes in what Ansible's output complained about last.
    pub fn complained(&mut self, said: String) {
        self.complaint = said;
    }

    /// Takes in that the output announces a play, though no event may.
    pub const fn play_announced(&mut self) {
        self.played = true;
    }

    /// Concludes from all lines and the exit record of a run on `hosts`.
    pub fn conclude(&self, kind: JobKind, exit: &Exit, hosts: &[HostName]) -> Conclusion {
        if let Some(message) = self.never_started(exit) {
            return Conclusion {
                end: JobEnd::CouldNotStart { message },
                hosts: BTreeMap::new(),
            };
        }
        let (end, stats) = match self.trusted_stats(exit) {
            Ok(stats) => (JobEnd::Completed, Ok(stats)),
            Err(_) if exit.cancelled => (
                JobEnd::Cancelled,
                Err("The run was cancelled before this host was done.".to_owned()),
            ),
            Err(_) if exit.timed_out => (
                JobEnd::TimedOut,
                Err("The run's deadline came before this host was done.".to_owned()),
            ),
            Err(message) => (
                JobEnd::Lost {
                    message: message.clone(),
                },
                Err(format!("Nobody can say how far this host came: {message}")),
            ),
        };
        let nothing = HostTally::default();
        let report = |host: &HostName| {
            let known = self.hosts.get(host.as_str()).unwrap_or(&nothing);
            let outcome = match &stats {
                Ok(stats) => known.outcome(kind, stats.get(host.as_str())),
                Err(message) => HostOutcome::Unknown {
                    message: message.clone(),
                },
            };
            (
                host.clone(),
                HostReport {
                    before: known.before.clone().filter(|_| kind == JobKind::Deploy),
                    observed: known.observed.clone(),
                    outcome,
                },
            )
        };
        Conclusion {
            end,
            hosts: hosts.iter().map(report).collect(),
        }
    }

    /// Concludes about a run whose supervisor vanished.
    pub fn conclude_lost(&self, kind: JobKind, hosts: &[HostName]) -> Conclusion {
        // No way to end: neither code nor signal, which no line can make up for.
        self.conclude(
            kind,
            &Exit {
                interrupted: true,
                ..Exit::default()
            },
            hosts,
        )
    }

    /// Why nothing was run, if that is certain.
    fn never_started(&self, exit: &Exit) -> Option<String> {
        if exit.cancelled {
            return None;
        }
        if let Some(message) = &exit.not_started {
            return Some(message.clone());
        }
        // The play is announced before any host is asked, so without it, and with nothing lost, no host was.
        let certain = exit.by_itself()
            && !exit.output_incomplete
            && self.broken.is_none()
            && !self.played
            && self.hosts.is_empty()
            && self.stats.is_none();
        let code = exit.code.filter(|code| certain && *code != 0)?;
        Some(format!(
            "ansible-playbook ended with code {code} before its first play; the log tells why"
        ))
    }

    /// The final counts, if the run came to its own end and no line is missing; or why they cannot be trusted.
    fn trusted_stats(&self, exit: &Exit) -> Result<&BTreeMap<String, HostStats>, String> {
        if let Some(line) = self.broken {
            return Err(format!("line {line} of its events is missing or damaged"));
        }
        if exit.interrupted {
            return Err("its supervisor was stopped".to_owned());
        }
        if exit.cancelled || exit.timed_out {
            return Err("it was ended before its time".to_owned());
        }
        // 2, 4 and 8 say that hosts failed or were not reached, which the counts tell better; other codes say that
        // Ansible itself failed.
        match (exit.code, &self.stats) {
            (Some(code), Some(stats)) if (0..16).contains(&code) && code & 1 == 0 => Ok(stats),
            (Some(code), Some(_)) => Err(format!("ansible-playbook failed with code {code}")),
            (Some(_), None) if exit.output_incomplete => Err(
                "not all of its events could be stored: the disk was full, or there were more than 1,024 MB of them"
                    .to_owned(),
            ),
            (Some(code), None) => {
                let said = match self.complaint.as_str() {
                    "" => String::new(),
                    said => format!(". It said last: {said}"),
                };
                Err(format!(
                    "ansible-playbook ended with code {code} without its final event{said}"
                ))
            }
            (None, _) => Err(format!(
                "a signal ({}) ended ansible-playbook",
                exit.signal.unwrap_or_default()
            )),
        }
    }
}

impl HostTally {
    fn outcome(&self, kind: JobKind, stats: Option<&HostStats>) -> HostOutcome {
        let stats = stats.copied().unwrap_or_default();
        if stats.unreachable > 0 {
            let message = self.unreachable.clone().unwrap_or_default();
            return if self.changed && kind.changes_hosts() {
                HostOutcome::Unknown {
                    message: format!("The host was lost half-way: {message}"),
                }
            } else {
                HostOutcome::Unreachable { message }
            };
        }
        if stats.failed > 0 {
            return HostOutcome::Failed {
                message: self
                    .failure
                    .clone()
                    .unwrap_or_else(|| "A task failed.".to_owned()),
            };
        }
        if kind == JobKind::DryRun && stats != HostStats::default() {
            let changes = u32::try_from(stats.changed).unwrap_or(u32::MAX);
            return HostOutcome::Foreseen { changes };
        }
        match (kind, &self.observed) {
            (_, None) => {
                let message = if stats == HostStats::default() {
                    "Ansible ran no task on this host."
                } else {
                    "The playbook ended well without telling which version runs on this host."
                };
                HostOutcome::Unknown {
                    message: message.to_owned(),
                }
            }
            (kind, Some(version)) if kind.probes() => HostOutcome::Observed {
                version: version.clone(),
            },
            (_, Some(version)) if self.already_current => HostOutcome::AlreadyCurrent {
                version: version.clone(),
            },
            (_, Some(version)) => HostOutcome::Updated {
                version: version.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
