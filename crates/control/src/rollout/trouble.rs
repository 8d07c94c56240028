//! Hosts that need a person, with what helps to decide on them.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    batch::Batch,
    host::HostPhase,
    id::{JobId, RolloutId},
};
use integrations::ansible::last::{LastTask, last_tasks};
use view::{
    error::ApiError,
    rollout::{TroubledHost, TroubledView},
};

use super::read;
use crate::{Ctx, Error};

/// Hosts one page shows.
const HOSTS: u32 = 100;

impl Ctx {
    /// Hosts of a rollout that did not take its change: what was seen last of each, and what may be done about their batch.
    pub async fn troubled(
        &self,
        id: RolloutId,
        cursor: Option<String>,
    ) -> Result<TroubledView, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let loaded = self.store().rollout(&scope, id).await?;
            let mut by_batch: BTreeMap<u32, Vec<(HostPhase, u32)>> = BTreeMap::new();
            for (batch, phase, count) in self.store().host_counts(&scope, id).await? {
                by_batch.entry(batch).or_default().push((phase, count));
            }
            let batches = loaded.rollout.batches.iter().map(|batch: &Batch| {
                let counts = by_batch.remove(&batch.number).unwrap_or_default();
                let actions = self.batch_actions(&loaded, batch, &counts);
                let view = read::batch_view(batch, true, counts);
                (batch.number, view.state, view.message, actions)
            });
            let batches = batches.filter(|(.., actions)| actions.offered()).collect();
            let mut hosts = self
                .store()
                .troubled(&scope, id, cursor.as_deref(), HOSTS)
                .await?;
            self.add_last_tasks(&mut hosts.items).await?;
            let actions = self.rollout_actions(&loaded).await?;
            Ok(TroubledView {
                row: read::row(&loaded),
                service_name: loaded.service_name.clone(),
                environment_name: loaded.environment_name.clone(),
                decision_version: loaded.rollout.decision_version,
                batches,
                stuck: self.stuck(&loaded.rollout).await?,
                exclude: actions.exclude,
                roll_back: actions.roll_back,
                hosts,
            })
        })
        .await
    }

    /// Reads each job's events once, however many of its hosts are shown.
    async fn add_last_tasks(&self, hosts: &mut [TroubledHost]) -> Result<(), Error> {
        let mut known: BTreeMap<JobId, BTreeMap<String, LastTask>> = BTreeMap::new();
        for job in hosts.iter_mut().filter_map(|host| host.job.as_mut()) {
            if let std::collections::btree_map::Entry::Vacant(entry) = known.entry(job.id) {
                // What is out of reach just now must not hide who needs a person.
                let tasks = match self.events(job.id, last_tasks).await {
                    Err(Error::Unavailable(_)) => None,
                    tasks => tasks?,
                };
                entry.insert(tasks.unwrap_or_default());
            }
        }
        for host in hosts {
            let Some(job) = host.job.as_mut() else {
                continue;
            };
            if let Some(task) = known.get(&job.id).and_then(|tasks| tasks.get(&host.name)) {
                job.task = Some(format!("{}. {}", task.number, task.name));
                job.task_at = Timestamp::from_millisecond(task.at).ok();
            }
        }
        Ok(())
    }
}
