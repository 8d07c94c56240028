//! Projects.

use domain::project::{FetchedCommit, PlannedPlaybooks, ProjectSource};
use serde::{Deserialize, Serialize};

use crate::access::Allowance;

/// One project in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectRow {
    pub slug: String,
    pub name: String,
    pub source: ProjectSource,
    /// `None` until it was fetched.
    pub fetched: Option<FetchedCommit>,
    /// Why the last fetch failed; empty when it did not.
    pub problem: String,
    /// How many services run its playbooks.
    pub services: u32,
    /// A key or a token is kept for it.
    pub has_secret: bool,
}

/// The list of projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectList {
    pub items: Vec<ProjectRow>,
    pub may_manage: Allowance,
}

/// Whose playbooks a plan runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybooksShown {
    pub name: String,
    /// Of the project; `None` for Slipway's own.
    pub commit: Option<String>,
}

impl From<&PlannedPlaybooks> for PlaybooksShown {
    fn from(planned: &PlannedPlaybooks) -> Self {
        let own = |name: &str| Self {
            name: name.to_owned(),
            commit: None,
        };
        match planned {
            PlannedPlaybooks::Release => own("Slipway's own"),
            PlannedPlaybooks::DatadogAgent => own("Slipway's own, for the Datadog agent"),
            PlannedPlaybooks::Project(project) => Self {
                name: format!("project {}", project.name),
                commit: Some(project.commit.clone()),
            },
        }
    }
}
