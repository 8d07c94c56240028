//! An attempt's folder, and the supervisor that runs what is in it.

use std::sync::Arc;

use domain::job::JobEnd;
use integrations::{
    ansible::events::Conclusion,
    supervisor::{self, LaunchError},
};
use store::{CancelWish, StoreError};
use tokio::{sync::OnceCell, task::spawn_blocking};

use super::keeper::Keeper;
use crate::{Console, Error, Signal, run::Wanted};

/// Attempts that were claimed together: the first that is about to start something settles the claims of all, or fails for all.
#[derive(Clone, Default)]
pub(super) struct Together(Arc<OnceCell<Result<(), StoreError>>>);

impl Together {
    async fn settle(&self, console: &Console) -> Result<(), Error> {
        let settled = self.0.get_or_init(|| console.store().settle());
        Ok(settled.await.clone()?)
    }
}

impl Keeper {
    /// Writes the attempt's folder and launches its supervisor; a job that cannot be started ends at once.
    pub async fn start(&mut self, together: &Together) -> Result<(), Error> {
        let run = self.run.clone();
        let waited = self.console.now().duration_since(run.queued_at);
        if run.kind.too_late(waited) {
            let message = format!(
                "It was queued at {} and could not start within four hours. Retry the batch if it is still wanted.",
                run.queued_at
            );
            return self.could_not_start(message).await;
        }
        let hosts = self.watch().await?.hosts.clone();
        if hosts.is_empty() {
            // Every host is where the job would bring it, so there is nothing to run.
            let conclusion = Conclusion {
                end: JobEnd::Completed,
                hosts: Default::default(),
            };
            return self.finish(conclusion).await;
        }
        let plan = self.plan().await?;
        let wanted = Wanted {
            attempt: run.attempt.id,
            rollout: run.rollout,
            batch: run.batch,
            kind: run.kind,
            plan,
            hosts,
        };
        let (console, permit) = (&self.console, self.permit());
        let folder = console.attempt_folder(run.attempt.id);
        let settled = together.settle(console);
        let written = console.write_run(&permit, folder.clone(), wanted, settled);
        match written.await {
            Err(error @ Error::Store(_)) => return Err(error),
            // What began, or may have, is looked after and never said not to have started.
            Err(error) if supervisor::may_have_begun(&folder) => {
                return Err(Error::Unavailable(error.to_string()));
            }
            Err(error) => return self.could_not_start(error.to_string()).await,
            Ok(()) => {}
        }
        // Fetching playbooks may have taken minutes.
        if console.store().cancel_asked(run.job).await? == CancelWish::Asked {
            return self.never_began(false, &folder).await;
        }
        let (launcher, due) = (
            Arc::clone(&console.inner.launcher),
            Arc::clone(&console.inner.jobs_due),
        );
        let launched = spawn_blocking(move || launcher.launch(&folder, move || due.notify_one()))
            .await
            .map_err(|error| Error::Internal(error.to_string()))?;
        match launched {
            Ok(()) => {
                console.signal(Signal::Job(run.job));
                Ok(())
            }
            // It is looked after like any other.
            Err(error @ (LaunchError::Running(_) | LaunchError::BegunBefore(_))) => {
                Err(Error::Unavailable(error.to_string()))
            }
            Err(error) => self.could_not_start(error.to_string()).await,
        }
    }

    pub async fn could_not_start(&mut self, message: String) -> Result<(), Error> {
        let conclusion = Conclusion {
            end: JobEnd::CouldNotStart { message },
            hosts: Default::default(),
        };
        self.finish(conclusion).await
    }
}
