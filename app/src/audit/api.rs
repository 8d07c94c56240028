//! Server functions of the audit trail.

use leptos::prelude::*;
use view::{audit::AuditRow, page::Page};

use crate::error::PageError;
#[cfg(feature = "ssr")]
use crate::context::{answer, ctx};

#[server(endpoint = "audit/list")]
pub async fn audit(object_kind: Option<String>, object_id: Option<String>, cursor: Option<String>) -> Result<Page<AuditRow>, PageError> {
    answer(ctx()?.audit(object_kind.zip(object_id), cursor).await)
}
