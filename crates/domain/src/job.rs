//! Queued work: which playbook, for which batch, on which of its hosts.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::{
    host::{HostPhase, HostReport},
    id::{HostId, JobId},
};

/// What a job does. The kind alone says which hosts of the batch it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Brings the planned version to hosts that do not run it yet.
    Deploy,
    /// Tells what a deploy would change; changes nothing.
    DryRun,
    /// Asks hosts which version runs; changes nothing.
    Probe,
    /// Asks the hosts of which nobody knows; changes nothing.
    ProbeUnknown,
    /// Brings back the version each host ran before.
    RollBack,
}

crate::words::words!(JobKind "kind": Deploy = "deploy", DryRun = "dry_run", Probe = "probe", ProbeUnknown = "probe_unknown", RollBack = "roll_back");

impl JobKind {
    /// Only asks which version runs.
    pub const fn probes(self) -> bool {
        matches!(self, Self::Probe | Self::ProbeUnknown)
    }

    /// How a sentence names it: “the roll back of batch 2”.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Deploy => "deployment",
            Self::DryRun => "dry run",
            Self::Probe | Self::ProbeUnknown => "check of the versions",
            Self::RollBack => "roll back",
        }
    }

    /// Whether the job takes a host in this phase, so that a second deploy reaches the unfinished hosts only.
    pub const fn takes(self, phase: HostPhase) -> bool {
        match self {
            Self::Deploy | Self::DryRun => {
                !phase.current() && !matches!(phase, HostPhase::Gone | HostPhase::Excluded)
            }
            Self::Probe => !matches!(
                phase,
                HostPhase::Pending | HostPhase::Gone | HostPhase::Excluded
            ),
            Self::ProbeUnknown => matches!(phase, HostPhase::Unknown),
            Self::RollBack => phase.touched(),
        }
    }

    /// The phase its hosts show while it is under way; `None` when a job only looks.
    pub const fn under_way(self) -> Option<HostPhase> {
        match self {
            Self::Deploy => Some(HostPhase::Updating),
            Self::DryRun | Self::Probe | Self::ProbeUnknown => None,
            Self::RollBack => Some(HostPhase::RollingBack),
        }
    }

    /// Which of a project's three playbooks it runs, and what they are told as `slipway_kind`.
    pub const fn playbook(self) -> &'static str {
        match self {
            Self::Deploy | Self::DryRun => "deploy",
            Self::Probe | Self::ProbeUnknown => "probe",
            Self::RollBack => "rollback",
        }
    }

    /// Whether it gives way to others: it neither brings hosts back nor asks what they run.
    pub const fn can_wait(self) -> bool {
        matches!(self, Self::Deploy | Self::DryRun)
    }

    /// Whether a job that waited so long for its turn starts only when a person wants it still. What brings hosts back, or
    /// only asks them, is never too late.
    pub fn too_late(self, waited: SignedDuration) -> bool {
        self.can_wait() && waited > Self::PATIENCE
    }

    /// A deploy may stand behind another one that takes its two hours on the same hosts, and one more.
    const PATIENCE: SignedDuration = SignedDuration::from_hours(4);

    /// A job that changes hosts is never started a second time by itself.
    pub const fn changes_hosts(self) -> bool {
        matches!(self, Self::Deploy | Self::RollBack)
    }
}

/// Work for the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewJob {
    pub id: JobId,
    pub kind: JobKind,
    /// 1-based number of the batch.
    pub batch: u32,
}

/// How a job ended as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum JobEnd {
    /// The playbook ran to its end; hosts say how it went.
    Completed,
    /// A person stopped it.
    Cancelled,
    /// Its deadline stopped it.
    TimedOut,
    /// Its supervisor vanished, or its last event never came.
    Lost { message: String },
    /// Nothing was started and no host was touched.
    CouldNotStart { message: String },
}

/// What a finished job learnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobReport {
    pub end: JobEnd,
    /// Every host the job took.
    pub hosts: BTreeMap<HostId, HostReport>,
}
