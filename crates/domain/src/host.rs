//! Hosts, what they are, and how far each has come in a rollout.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    id::{EnvironmentId, HostId},
    text::{HostName, Sha256, Version},
};

/// How much it matters when this host is unwell. Rollouts reach non-critical hosts first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    Low,
    #[default]
    Normal,
    High,
}

crate::words::words!(Criticality "criticality": Low = "low", Normal = "normal", High = "high");

/// A machine that services run on, known by its identity; the name may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub id: HostId,
    pub environment: EnvironmentId,
    /// Cloud or agent id; the name when neither is known.
    pub identity: String,
    pub name: HostName,
    pub criticality: Criticality,
    /// Rack, zone or region: what fails together.
    pub failure_domain: String,
    /// Inventory groups the host belongs to.
    pub groups: BTreeSet<String>,
    /// Connection and other variables given to Ansible, already checked against the allow-list.
    pub variables: BTreeMap<String, Value>,
}

impl Host {
    /// SHA-256 over all a run on this host depends on: its name and its variables, the address among them.
    pub fn digest(&self) -> Sha256 {
        let variables = self.variables.clone().into_iter().collect();
        let name = self.name.to_string().into();
        Sha256::of(
            Value::Array(vec![name, Value::Object(variables)])
                .to_string()
                .as_bytes(),
        )
    }

    /// Where Ansible finds it, `address:port`, spelt in one way.
    pub fn address(&self) -> String {
        let text = |variable: &str| {
            self.variables.get(variable).map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
        };
        let address = text("ansible_host").unwrap_or_else(|| self.name.to_string());
        let address = address.trim_end_matches('.').to_ascii_lowercase();
        // IPv6 knows many spellings of one address.
        let address = address
            .parse::<IpAddr>()
            .map_or(address, |address| address.to_string());
        let port = text("ansible_port").unwrap_or_else(|| "22".to_owned());
        let port = port.trim_start_matches('0');
        format!("{address}:{port}")
    }

    /// Its cloud or agent id, if the inventory gave one.
    pub fn known_identity(&self) -> Option<&str> {
        (self.identity != self.name.as_str()).then_some(self.identity.as_str())
    }
}

/// How far a host has come in one rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostPhase {
    Pending,
    Updating,
    Updated,
    AlreadyCurrent,
    Failed,
    Unreachable,
    RollingBack,
    RolledBack,
    RollbackFailed,
    Gone,
    Excluded,
    Unknown,
}

crate::words::words!(HostPhase "phase": Pending = "pending", Updating = "updating", Updated = "updated",
    AlreadyCurrent = "already_current", Failed = "failed", Unreachable = "unreachable",
    RollingBack = "rolling_back", RolledBack = "rolled_back", RollbackFailed = "rollback_failed",
    Gone = "gone", Excluded = "excluded", Unknown = "unknown");

impl HostPhase {
    /// The host may run the new version, so that a roll back must reach it.
    pub const fn touched(self) -> bool {
        matches!(
            self,
            Self::Updating
                | Self::Updated
                | Self::Failed
                | Self::Unknown
                | Self::RollingBack
                | Self::RollbackFailed
        )
    }

    /// A person should look at the host.
    pub const fn troubled(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::Unreachable | Self::RollbackFailed | Self::Unknown
        )
    }

    /// The host runs the wanted version and says so.
    pub const fn current(self) -> bool {
        matches!(self, Self::Updated | Self::AlreadyCurrent)
    }
}

/// What one job learnt about one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostReport {
    /// The version seen on the host before this rollout touched it; what a roll back must bring again.
    pub before: Option<Version>,
    /// The last version the host told of in this job, however the job ended on it.
    #[serde(default)]
    pub observed: Option<Version>,
    pub outcome: HostOutcome,
}

impl HostReport {
    /// What the job saw run on the host.
    pub fn seen(&self) -> Option<&Version> {
        self.outcome.version().or(self.observed.as_ref())
    }
}

/// How a job ended on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum HostOutcome {
    /// The job changed the host, which then reported this version.
    Updated { version: Version },
    /// The host ran the wanted version before the job came.
    AlreadyCurrent { version: Version },
    /// A healthy service's answer to the read-only "which version runs?".
    Observed { version: Version },
    /// A deploy would make so many changes here, and nothing refuses it.
    Foreseen { changes: u32 },
    /// A task failed; the host may be half-way.
    Failed { message: String },
    /// The host could not be reached before anything was changed on it.
    Unreachable { message: String },
    /// Nobody can say how far the job came on this host.
    Unknown { message: String },
}

impl HostOutcome {
    /// The version the host itself reported.
    pub const fn version(&self) -> Option<&Version> {
        match self {
            Self::Updated { version }
            | Self::AlreadyCurrent { version }
            | Self::Observed { version } => Some(version),
            _ => None,
        }
    }

    /// It went as it should.
    pub const fn well(&self) -> bool {
        self.version().is_some() || matches!(self, Self::Foreseen { .. })
    }

    /// Why it went wrong; empty when it did not.
    pub fn message(&self) -> &str {
        match self {
            Self::Failed { message }
            | Self::Unreachable { message }
            | Self::Unknown { message } => message,
            _ => "",
        }
    }
}

/// A host's new phase, to be written to its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostMark {
    pub host: HostId,
    pub phase: HostPhase,
    /// `None` leaves the stored version as it is.
    pub before: Option<Version>,
    /// `None` leaves the stored version as it is.
    pub observed: Option<Version>,
    pub message: String,
}
