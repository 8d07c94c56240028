//! A rollout on a stage: hosts that really run a version, rows as the store keeps them, a queue of jobs.
//!
//! Whatever happens on it, the promises in `Stage::check` are checked after every event.

use std::collections::BTreeMap;

use domain::{
    audit::Actor,
    delivery::{Deployment, DeploymentOutcome},
    host::{HostOutcome, HostPhase, HostReport},
    id::{HostId, JobId},
    job::{JobEnd, JobKind, JobReport, NewJob},
    rollout::{Change, Effect, Event, Exclusion, Moment, Refused, Rollout, RolloutState},
    strategy::GateRule,
    text::Version,
    verdict::Outcome,
};
use uuid::Uuid;

use crate::build::{NEW, OLD, draft, omar, reason, time, verdict, version};

/// How a job fares on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Luck {
    Well,
    /// A task fails before anything was changed.
    Fails,
    /// A task fails after the change.
    FailsHalfWay,
    /// It was never reached.
    Unreachable,
    /// It is lost from sight after the change.
    Vanishes,
    /// Nobody knows; nothing was changed.
    Unknown,
    /// Nobody knows; the change was made.
    UnknownHalfWay,
}

impl Luck {
    pub const ALL: [Self; 7] = [
        Self::Well,
        Self::Fails,
        Self::FailsHalfWay,
        Self::Unreachable,
        Self::Vanishes,
        Self::Unknown,
        Self::UnknownHalfWay,
    ];

    const fn changes_the_host(self) -> bool {
        matches!(
            self,
            Self::Well | Self::FailsHalfWay | Self::Vanishes | Self::UnknownHalfWay
        )
    }
}

/// What the store knows of a host, and what the host really runs.
#[derive(Debug, Clone)]
pub struct Row {
    pub batch: u32,
    pub phase: HostPhase,
    pub before: Option<Version>,
    pub runs: Version,
    pub ran: Version,
}

pub struct Stage {
    pub rollout: Rollout,
    pub now: i64,
    pub rows: BTreeMap<HostId, Row>,
    /// Jobs that have not finished, with those whose end was asked for.
    pub open: Vec<NewJob>,
    pub cancelled: Vec<JobId>,
    pub deployment: Option<Deployment>,
    /// Audit actions, in order.
    pub audit: Vec<String>,
    /// Effects of the last event.
    pub effects: Vec<Effect>,
    minted: u128,
}

impl Stage {
    /// A draft on hosts that all run the old version.
    pub fn draft(split: &str, count: u32, gate: GateRule) -> Self {
        let rollout = draft(split, count, gate);
        let rows = rollout
            .plan
            .batches
            .iter()
            .flat_map(|batch| batch.hosts.iter().map(|host| (host.id, batch.number)));
        let rows = rows
            .map(|(host, batch)| {
                (
                    host,
                    Row {
                        batch,
                        phase: HostPhase::Pending,
                        before: None,
                        runs: version(OLD),
                        ran: version(OLD),
                    },
                )
            })
            .collect();
        Self {
            rollout,
            now: 0,
            rows,
            open: vec![],
            cancelled: vec![],
            deployment: None,
            audit: vec![],
            effects: vec![],
            minted: 1000,
        }
    }

    /// Released, with the first batch deploying.
    pub fn released(split: &str, count: u32, gate: GateRule) -> Self {
        let mut stage = Self::draft(split, count, gate);
        stage.send(Event::Schedule);
        stage.send(Event::Release);
        stage
    }

    /// The nth host, from 1, in the order they change.
    pub fn host(&self, number: usize) -> HostId {
        self.rollout
            .plan
            .batches
            .iter()
            .flat_map(|batch| &batch.hosts)
            .nth(number - 1)
            .unwrap()
            .id
    }

    pub fn phases(&self) -> Vec<&'static str> {
        let order = self
            .rollout
            .plan
            .batches
            .iter()
            .flat_map(|batch| &batch.hosts);
        order.map(|host| self.rows[&host.id].phase.word()).collect()
    }

    /// State of the rollout, then of its batches.
    pub fn states(&self) -> String {
        let batches: Vec<&str> = self
            .rollout
            .batches
            .iter()
            .map(|batch| batch.state.word())
            .collect();
        format!("{}: {}", self.rollout.state.word(), batches.join(" "))
    }

    pub fn outcome(&self) -> Option<DeploymentOutcome> {
        self.deployment
            .as_ref()
            .map(|deployment| deployment.outcome)
    }

    /// Sends an event that has to be taken.
    #[track_caller]
    pub fn send(&mut self, event: Event) {
        if let Err(refused) = self.try_send(event.clone()) {
            panic!("{event:?} in {}: {refused}", self.states());
        }
    }

    pub fn try_send(&mut self, event: Event) -> Result<(), Refused> {
        let actor = match event {
            Event::JobFinished { .. } | Event::Judged { .. } | Event::Tick => Actor::System,
            _ => omar(),
        };
        let minted = &mut self.minted;
        let mut mint = || {
            *minted += 1;
            Uuid::from_u128(*minted)
        };
        let mut moment = Moment {
            now: time(self.now),
            mint: &mut mint,
            time_scale: 1,
        };
        let Change {
            rollout,
            effects,
            notes,
        } = self.rollout.clone().apply(event, &actor, &mut moment)?;
        assert!(rollout.decision_version >= self.rollout.decision_version);
        self.rollout = rollout;
        self.audit.extend(notes.into_iter().map(|note| note.action));
        for effect in &effects {
            self.carry_out(effect);
        }
        self.effects = effects;
        self.check();
        Ok(())
    }

    fn carry_out(&mut self, effect: &Effect) {
        match effect {
            Effect::QueueJob(job) => {
                if job.kind.changes_hosts() {
                    assert!(
                        !self
                            .open
                            .iter()
                            .any(|other| other.batch == job.batch && other.kind.changes_hosts()),
                        "two jobs would change batch {}",
                        job.batch
                    );
                }
                self.open.push(job.clone());
            }
            Effect::CancelJob(job) => {
                assert!(
                    self.open.iter().any(|open| open.id == *job),
                    "a job that is not open was cancelled"
                );
                self.cancelled.push(*job);
            }
            Effect::MarkHosts { batch, marks } => {
                for mark in marks {
                    let row = self.rows.get_mut(&mark.host).unwrap();
                    assert_eq!(row.batch, *batch);
                    row.phase = mark.phase;
                    row.before = mark.before.clone().or(row.before.take());
                    if mark.phase == HostPhase::RolledBack {
                        assert!(
                            mark.observed.is_some() && mark.observed == row.before,
                            "rolled back without proof"
                        );
                    }
                }
            }
            Effect::RecordDeployment(deployment) => self.deployment = Some((**deployment).clone()),
            Effect::Notify(notice) => assert!(!notice.title.is_empty()),
        }
    }

    fn check(&self) {
        let rollout = &self.rollout;
        for job in rollout.jobs() {
            assert!(
                self.open.iter().any(|open| open.id == job),
                "waits for a job that will never finish: {}",
                self.states()
            );
        }
        if rollout.state.ended() {
            assert!(
                rollout.jobs().is_empty() && rollout.wake_at().is_none(),
                "{}",
                self.states()
            );
        }
        let promoted = |number: u32| {
            rollout
                .batches
                .iter()
                .filter(|batch| batch.number < number)
                .all(|batch| batch.state.word() == "promoted")
        };
        for job in self.effects.iter().filter_map(|effect| {
            if let Effect::QueueJob(job) = effect {
                Some(job)
            } else {
                None
            }
        }) {
            assert!(
                job.kind != JobKind::Deploy || promoted(job.batch),
                "batch {} overtook another: {}",
                job.batch,
                self.states()
            );
        }
        for (host, row) in &self.rows {
            if row.phase == HostPhase::Excluded {
                continue;
            }
            match rollout.state {
                RolloutState::Succeeded { .. } => {
                    assert_eq!(row.runs.as_str(), NEW, "{host} after success: {row:?}")
                }
                RolloutState::RolledBack { .. } => {
                    assert_eq!(row.runs, row.ran, "{host} after the roll back: {row:?}")
                }
                _ => {}
            }
            if row.phase == HostPhase::RolledBack {
                assert_eq!(row.runs, row.ran);
            }
        }
        let reached = !matches!(
            rollout.state,
            RolloutState::Draft | RolloutState::AwaitingApproval | RolloutState::Scheduled
        ) && rollout.released_at.is_some();
        let settled =
            rollout.state.ended() || matches!(rollout.state, RolloutState::RollbackFailed { .. });
        assert!(
            !(reached && settled) || self.deployment.is_some(),
            "what ran was not recorded: {}",
            self.states()
        );
    }

    /// Takes hosts out, as whoever asks for it finds the others.
    pub fn exclude(&mut self, hosts: &[HostId]) -> Result<(), Refused> {
        let mut batches: BTreeMap<u32, Exclusion> = BTreeMap::new();
        for host in hosts {
            let batch = self.rows[host].batch;
            let exclusion = batches.entry(batch).or_insert(Exclusion {
                batch,
                hosts: vec![],
                current: 0,
                unfinished: 0,
            });
            exclusion.hosts.push((*host, "web-1".parse().unwrap()));
        }
        for (_, row) in self.rows.iter().filter(|(host, _)| !hosts.contains(host)) {
            let Some(exclusion) = batches.get_mut(&row.batch) else {
                continue;
            };
            if row.phase.current() {
                exclusion.current += 1;
            } else if JobKind::Deploy.takes(row.phase) {
                exclusion.unfinished += 1;
            }
        }
        self.try_send(Event::Exclude {
            batches: batches.into_values().collect(),
            reason: reason(),
        })
    }

    /// The job the rollout waits for in this batch.
    pub fn job(&self, batch: u32) -> NewJob {
        let id = self.rollout.batch(batch).unwrap().state.job().unwrap();
        self.open.iter().find(|job| job.id == id).unwrap().clone()
    }

    /// Runs the batch's job to its end, well on every host.
    #[track_caller]
    pub fn finish(&mut self, batch: u32) {
        self.finish_with(&self.job(batch), JobEnd::Completed, |_| Luck::Well);
    }

    /// Ends a job; the rollout hears of it.
    #[track_caller]
    pub fn finish_with(&mut self, job: &NewJob, end: JobEnd, luck: impl Fn(HostId) -> Luck) {
        self.open.retain(|open| open.id != job.id);
        let mut hosts = BTreeMap::new();
        let began = !matches!(end, JobEnd::CouldNotStart { .. });
        for (host, row) in self
            .rows
            .iter_mut()
            .filter(|(_, row)| began && row.batch == job.batch && job.kind.takes(row.phase))
        {
            hosts.insert(*host, run(job.kind, row, luck(*host)));
        }
        self.send(Event::JobFinished {
            job: job.id,
            report: JobReport { end, hosts },
        });
    }

    /// Deploys and validates a batch, and lets its bake run out with this verdict.
    #[track_caller]
    pub fn carry(&mut self, batch: u32, outcome: Outcome) {
        self.finish(batch);
        self.finish(batch);
        self.now += 600;
        self.judge(batch, outcome);
    }

    #[track_caller]
    pub fn judge(&mut self, batch: u32, outcome: Outcome) {
        self.send(Event::Judged {
            batch,
            verdict: verdict(outcome, time(self.now)),
        });
    }
}

/// Does to a host what the playbook would, and reports it as it would be seen.
fn run(kind: JobKind, row: &mut Row, luck: Luck) -> HostReport {
    let message = "lab weather".to_owned();
    let seen = match kind {
        JobKind::Deploy if luck.changes_the_host() || luck == Luck::Fails => Some(row.runs.clone()),
        _ => None,
    };
    let before = row.before.clone().or(seen);
    let was = row.runs.clone();
    match (kind, &before) {
        (JobKind::Deploy, _) if luck.changes_the_host() => row.runs = version(NEW),
        (JobKind::RollBack, Some(before)) if luck.changes_the_host() => row.runs = before.clone(),
        _ => {}
    }
    let version = row.runs.clone();
    let outcome = match luck {
        Luck::Well => match kind {
            JobKind::Deploy if was == version => HostOutcome::AlreadyCurrent { version },
            JobKind::Deploy => HostOutcome::Updated { version },
            JobKind::DryRun => HostOutcome::Foreseen { changes: 1 },
            JobKind::Probe | JobKind::ProbeUnknown | JobKind::RollBack => {
                HostOutcome::Observed { version }
            }
        },
        Luck::Fails | Luck::FailsHalfWay => HostOutcome::Failed { message },
        Luck::Vanishes if kind == JobKind::Deploy => HostOutcome::Unknown { message },
        Luck::Unreachable | Luck::Vanishes => HostOutcome::Unreachable { message },
        Luck::Unknown | Luck::UnknownHalfWay => HostOutcome::Unknown { message },
    };
    HostReport {
        before,
        observed: None,
        outcome,
    }
}
