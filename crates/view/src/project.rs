//! Projects.

use domain::project::{FetchedCommit, ProjectSource};
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
