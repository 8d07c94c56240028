//! People.

use serde::{Deserialize, Serialize};

/// Whether somebody may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonState {
    Active,
    /// Kept out by an admin, whatever the identity provider says.
    Disabled,
}

crate::words::words!(PersonState "state": Active = "active", Disabled = "disabled");

/// Who acts: a human, or a program in a service account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonKind {
    #[default]
    Human,
    /// Nobody signs in with it; tokens act for it.
    Service,
}

crate::words::words!(PersonKind "kind": Human = "human", Service = "service");

/// How much of what its holder may a token may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenReach {
    #[default]
    All,
    /// What a viewer may, in the places where its holder holds anything.
    Read,
}

crate::words::words!(TokenReach "reach": All = "all", Read = "read");
