//! Lines of the audit trail.

use domain::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    pub id: String,
    #[serde(with = "domain::moment")]
    pub at: Timestamp,
    pub actor: String,
    /// `person` or `system`.
    pub actor_kind: String,
    pub action: String,
    pub summary: String,
    pub reason: String,
    pub object_kind: String,
    pub object_id: String,
    pub object_name: String,
    pub allowed_by: String,
}
