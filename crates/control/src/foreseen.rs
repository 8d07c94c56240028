//! What a dry run told.

use std::collections::BTreeMap;

use domain::{id::JobId, job::JobKind};
use integrations::ansible::events;
use view::{
    error::ApiError,
    job::{Foreseen, ForeseenChange, ForeseenHost},
};

use crate::Ctx;

/// Hosts that are told with their changes.
const MOST_HOSTS: usize = 200;

impl Ctx {
    /// What a dry run says that a deploy would do; nothing of a job of another kind.
    pub async fn foreseen(&self, id: JobId) -> Result<Foreseen, ApiError> {
        self.answer(async {
            let job = self.store().job(&self.scope()?, id).await?;
            if job.kind != JobKind::DryRun {
                return Ok(Foreseen::default());
            }
            let told = self.events(id, |events| {
                let mut told = Vec::new();
                events::each(events, 0..u64::MAX, |_, kind| told.push(kind))?;
                Ok(told)
            });
            let told = told.await?.unwrap_or_default();
            let Some(previews) = events::dry_run(&told) else {
                return Ok(Foreseen::default());
            };
            let mut hosts: BTreeMap<String, Vec<ForeseenChange>> = BTreeMap::new();
            for preview in previews {
                hosts.entry(preview.host).or_default().push(ForeseenChange {
                    task: preview.task,
                    diff: preview.diff,
                    refusal: preview.refusal,
                });
            }
            let more = hosts.len().saturating_sub(MOST_HOSTS);
            let hosts = hosts.into_iter().take(MOST_HOSTS);
            Ok(Foreseen {
                hosts: hosts
                    .map(|(name, changes)| ForeseenHost { name, changes })
                    .collect(),
                more: u32::try_from(more).unwrap_or(u32::MAX),
            })
        })
        .await
    }
}
