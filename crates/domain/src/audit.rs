//! Who did what.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{AuditEventId, TokenId, UserId};

/// Who acts: a person, or Slipway itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Actor {
    Person { id: UserId, name: String },
    System,
}

impl Actor {
    /// The name shown to people.
    pub fn name(&self) -> &str {
        match self {
            Self::Person { name, .. } => name,
            Self::System => "Slipway",
        }
    }

    /// The person, if it is one.
    pub const fn person(&self) -> Option<UserId> {
        match self {
            Self::Person { id, .. } => Some(*id),
            Self::System => None,
        }
    }
}

/// The request somebody acts by. What Slipway does by itself has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Request {
    /// Its id, which the answer and the server's log have too.
    pub id: Option<Uuid>,
    /// Of the machine it came from.
    pub address: Option<IpAddr>,
    /// The token it was made with, where it was one.
    pub token: Option<TokenId>,
}

/// What of an object an action changed. Empty is what was not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// As a person calls it: `Role`, `Playbooks`.
    pub what: String,
    pub before: String,
    pub after: String,
}

/// What is written about an action, before it has a time and an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditNote {
    /// Dotted verb: `rollout.release`, `batch.promote`.
    pub action: String,
    /// One sentence for a person.
    pub summary: String,
    /// Given by the person, or the evidence the system acted on.
    pub reason: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Changed>,
}

impl AuditNote {
    pub fn new(action: &str, summary: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            action: action.to_owned(),
            summary: summary.into(),
            reason: reason.into(),
            changes: Vec::new(),
        }
    }

    /// Adds what was changed; nothing where it is as before.
    pub fn changed(
        mut self,
        what: &str,
        before: impl Into<String>,
        after: impl Into<String>,
    ) -> Self {
        let (before, after) = (before.into(), after.into());
        if before != after {
            let what = what.to_owned();
            self.changes.push(Changed {
                what,
                before,
                after,
            });
        }
        self
    }
}

/// One line of the audit trail. Append-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    pub id: AuditEventId,
    pub at: Timestamp,
    pub actor: Actor,
    pub note: AuditNote,
    /// `rollout`, `service`, …
    pub object_kind: String,
    pub object_id: String,
    pub object_name: String,
    /// Why the actor was allowed: the grant or rule that decided.
    pub allowed_by: String,
}
