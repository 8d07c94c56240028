//! Reading the audit trail.

use store::AuditFilter;
use view::{audit::AuditRow, error::ApiError, page::Page};

use crate::Ctx;

const PAGE: u32 = 50;

impl Ctx {
    /// The audit trail, newest first; of one object when `object` is its kind and id.
    pub async fn audit(
        &self,
        object: Option<(String, String)>,
        cursor: Option<String>,
    ) -> Result<Page<AuditRow>, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            Ok(self
                .store()
                .audit(&scope, &AuditFilter { object }, cursor.as_deref(), PAGE)
                .await?)
        })
        .await
    }

    /// How many lines of the audit trail the person may see.
    pub async fn audit_total(&self) -> Result<i64, ApiError> {
        self.answer(async { Ok(self.store().audit_total(&self.scope()?).await?) })
            .await
    }
}
