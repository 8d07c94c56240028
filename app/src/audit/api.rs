//! Server functions of the audit trail.

use leptos::prelude::*;
use view::{audit::AuditRow, input::AuditQuery, page::Page};

#[cfg(feature = "ssr")]
use crate::context::{answer, ctx};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "audit/list", output = Wire)]
pub async fn audit(query: AuditQuery) -> Result<Page<AuditRow>, PageError> {
    answer(ctx()?.audit(query).await)
}
