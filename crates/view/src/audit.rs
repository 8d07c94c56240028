//! Lines of the audit trail.

use domain::{Timestamp, audit::Changed};
use serde::{Deserialize, Serialize};

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    pub id: String,
    #[serde(with = "domain::moment")]
    pub at: Timestamp,
    pub actor: String,
    /// Of a person or a token.
    pub actor_id: Option<String>,
    /// `person` or `system`.
    pub actor_kind: String,
    pub action: String,
    pub summary: String,
    pub reason: String,
    pub object_kind: String,
    pub object_id: String,
    pub object_name: String,
    pub allowed_by: String,
    /// What it was before and after, where a value was changed; secrets never.
    pub changes: Vec<Changed>,
    /// The request it was done by, as the server's log names it, and where that came from; empty where Slipway did it.
    pub request_id: String,
    pub address: String,
    /// Name of the token it was done with, where it was one.
    pub token: Option<String>,
}
