//! An environment: where hosts live and how much care a change there needs.

use serde::{Deserialize, Serialize};

use crate::{
    id::EnvironmentId,
    text::{FieldError, Name, Slug},
};

/// What an environment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Development,
    Test,
    Production,
}

/// Whether a change here must be approved by a person before it may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    Required,
    NotRequired,
}

/// Where hosts live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub id: EnvironmentId,
    pub slug: Slug,
    pub name: Name,
    pub purpose: Purpose,
    pub approval: Approval,
}

impl Environment {
    /// Refuses a production environment in which changes need no approval.
    pub fn check(self) -> Result<Self, FieldError> {
        match (self.purpose, self.approval) {
            (Purpose::Production, Approval::NotRequired) => Err(FieldError::new(
                "approval",
                "A production environment always requires approval. Choose “required”, or another purpose.",
            )),
            _ => Ok(self),
        }
    }
}

crate::words::words!(Purpose "purpose": Development = "development", Test = "test", Production = "production");
crate::words::words!(Approval "approval": Required = "required", NotRequired = "not_required");
