//! Server functions of the audit trail.

use leptos::prelude::*;
use view::{audit::AuditRow, page::Page};

#[cfg(feature = "ssr")]
use crate::context::{answer, ctx};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "audit/list", output = Wire)]
pub async fn audit(
    object_kind: Option<String>,
    object_id: Option<String>,
    cursor: Option<String>,
) -> Result<Page<AuditRow>, PageError> {
    answer(ctx()?.audit(object_kind.zip(object_id), cursor).await)
}
