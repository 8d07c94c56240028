//! Whose playbooks run: those that come with Slipway, or those that people keep in Git. See ADR 0017.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{IdError, ProjectId},
    text::{Name, Slug},
};

/// What becomes of an `ansible.cfg` that a project brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectConfig {
    #[default]
    Ignored,
    /// Read, but for what concerns host keys, connections, inventories, reports and logs.
    Read,
}

crate::words::words!(ProjectConfig "config": Ignored = "ignored", Read = "read");

/// Where a project is, and which of its playbooks does what. Checked by whoever fetches and runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSource {
    pub url: String,
    /// Branch, tag or commit.
    pub revision: String,
    /// Folder of the repository that holds playbooks and roles; empty is its root.
    pub folder: String,
    pub playbooks: PlaybookPaths,
    pub config: ProjectConfig,
}

/// Paths below the project's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookPaths {
    pub deploy: String,
    pub probe: String,
    pub roll_back: String,
}

/// What was fetched last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedCommit {
    /// 40 or 64 hexadecimal digits.
    pub commit: String,
    pub subject: String,
    #[serde(with = "crate::moment")]
    pub authored_at: Timestamp,
    #[serde(with = "crate::moment")]
    pub fetched_at: Timestamp,
}

/// Playbooks kept in Git.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub id: ProjectId,
    pub slug: Slug,
    pub name: Name,
    pub source: ProjectSource,
    /// `None` until it was fetched.
    pub fetched: Option<FetchedCommit>,
}

/// A project as a plan fixes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedProject {
    pub id: ProjectId,
    pub name: Name,
    pub source: ProjectSource,
    pub commit: String,
}

/// Whose playbooks a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Playbooks {
    /// Slipway's own: an artefact that is unpacked, switched to and restarted.
    #[default]
    Release,
    /// Slipway's own for the Datadog agent.
    DatadogAgent,
    /// Of a project kept in Git.
    Project(ProjectId),
}

impl Playbooks {
    /// Whether they may bring a version by themselves, without an artefact.
    pub const fn go_without_artifact(self) -> bool {
        !matches!(self, Self::Release)
    }

    const RELEASE: &str = "release";
    const DATADOG_AGENT: &str = "datadog_agent";
}

impl fmt::Display for Playbooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release => f.write_str(Self::RELEASE),
            Self::DatadogAgent => f.write_str(Self::DATADOG_AGENT),
            Self::Project(id) => id.fmt(f),
        }
    }
}

impl FromStr for Playbooks {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            Self::RELEASE => Ok(Self::Release),
            Self::DATADOG_AGENT => Ok(Self::DatadogAgent),
            id => id.parse().map(Self::Project),
        }
    }
}

/// The same as a plan fixes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedPlaybooks {
    #[default]
    Release,
    DatadogAgent,
    Project(Box<PlannedProject>),
}

impl PlannedPlaybooks {
    /// Slipway's own, as for plans from before there was a choice.
    pub fn is_release(&self) -> bool {
        *self == Self::Release
    }
}
