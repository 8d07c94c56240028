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
