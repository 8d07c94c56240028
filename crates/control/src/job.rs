//! Reading jobs; asking for one to be stopped. Their output is in `log`.

use std::path::PathBuf;

use domain::{
    attempt::AttemptState,
    id::{AttemptId, JobId},
    job::JobKind,
    text::{FieldError, Reason},
};
use integrations::file;
use policy::{Action, Kind, Resource};
use store::{JobFilter, StoreError};
use view::{
    access::Allowance,
    error::ApiError,
    input::JobQuery,
    job::{JobCancelled, JobRow, JobView},
    page::Page,
};

use crate::{Console, Ctx, Error, Signal, rollout, service::given};

const PAGE: u32 = 50;

impl Console {
    /// Why no job of this kind may start, if the disk of the data folder is nearly full. What brings hosts back and what asks
    /// them writes little, and may take a part of what is kept free.
    pub(crate) fn disk_is_full(&self, kind: JobKind) -> Option<String> {
        const FOR_THE_WAY_BACK: u64 = 10;
        let least = self.settings().jobs.least_free;
        let needed = match kind.can_wait() {
            true => least,
            false => least / FOR_THE_WAY_BACK,
        };
        // Where it cannot be told, writing a run tells what is wrong.
        let free = file::free_bytes(&self.settings().data_dir).ok()?;
        let megabytes = |bytes: u64| bytes >> 20;
        (free < needed).then(|| {
            format!(
                "The disk of the server’s data folder has {} MB left, and no {} starts with less than {} MB; what runs goes on. Make room, or keep outputs for less long.",
                megabytes(free),
                kind.noun(),
                megabytes(needed)
            )
        })
    }

    /// Folder of one attempt.
    pub(crate) fn attempt_folder(&self, attempt: AttemptId) -> PathBuf {
        self.settings()
            .data_dir
            .join("attempts")
            .join(attempt.to_string())
    }
}

impl Ctx {
    /// One job, and whether this person may stop it.
    pub async fn job_view(&self, id: JobId) -> Result<JobView, ApiError> {
        self.answer(async {
            let job = self.store().job(&self.scope()?, id).await?;
            let cancel = if job.state.ended() || job.cancelled.is_some() {
                Allowance::NotOffered
            } else {
                self.allowance(Action::CancelJob, self.job_resource(&job).await?)
            };
            let waits_for = if job.state == AttemptState::Queued {
                self.waits_for(&job).await?
            } else {
                String::new()
            };
            let first_failure = if job.state.ended() && job.state != AttemptState::Succeeded {
                self.first_failure(id).await?
            } else {
                None
            };
            let output_removed_at = self.store().output_removed(&self.scope()?, id).await?;
            Ok(JobView {
                job,
                waits_for,
                output_removed_at,
                first_failure,
                cancel,
            })
        })
        .await
    }

    /// What a queued job waits for, as a sentence.
    pub(crate) async fn waits_for(&self, job: &JobRow) -> Result<String, Error> {
        if let Some(why) = self.console.disk_is_full(job.kind) {
            return Ok(why);
        }
        let busy = self.store().busy_host(&self.scope()?, job.id).await?;
        let limits = &self.console.settings().jobs;
        Ok(match busy {
            Some(host) => {
                format!(
                    "It waits for another job that works on {host}; a host is touched by one at a time."
                )
            }
            None => format!(
                "It waits for a free place: {} jobs run at once, and at most {} deployments in one environment. What brings hosts back goes first, and teams take turns.",
                limits.at_once, limits.deploys_in_environment
            ),
        })
    }

    async fn job_resource(&self, job: &JobRow) -> Result<Resource, Error> {
        let loaded = self.store().rollout(&self.scope()?, job.rollout).await?;
        let name = format!("{} of {}", job.kind, rollout::name(&loaded.rollout));
        Ok(Resource {
            kind: Kind::Job,
            id: job.id.to_string(),
            name,
            requested_by: None,
            ..rollout::resource(&loaded)
        })
    }

    /// A page of jobs, newest first.
    pub async fn jobs(&self, query: JobQuery) -> Result<Page<JobRow>, ApiError> {
        self.answer(async {
            let (service, environment) = self.narrowed(&query.service, &query.environment).await?;
            let states = match given(&query.state) {
                None => None,
                Some(JobQuery::OPEN) => {
                    let open = AttemptState::ALL.iter().filter(|state| !state.ended());
                    Some(open.copied().collect())
                }
                Some(word) => {
                    let found = AttemptState::ALL.iter().find(|state| state.word() == word);
                    let state = found.ok_or_else(|| {
                        let words: Vec<_> =
                            AttemptState::ALL.iter().map(|state| state.word()).collect();
                        FieldError::new(
                            "state",
                            format!(
                                "There is no state of that name. Choose one of: {}, {}.",
                                JobQuery::OPEN,
                                words.join(", ")
                            ),
                        )
                    })?;
                    Some(vec![*state])
                }
            };
            let filter = JobFilter {
                service,
                environment,
                states,
            };
            Ok(self
                .store()
                .jobs_page(&self.scope()?, &filter, query.cursor.as_deref(), PAGE)
                .await?)
        })
        .await
    }

    /// Asks for a job to be stopped; gives it as it is now. Hosts with a task in flight become unknown and are asked what
    /// they run.
    pub async fn cancel_job(&self, id: JobId, reason: String) -> Result<JobRow, ApiError> {
        self.answer(async {
            let reason: Reason = reason.parse()?;
            let row = self.store().job(&self.scope()?, id).await?;
            let permit = self.permit(Action::CancelJob, self.job_resource(&row).await?)?;
            if row.state.ended() {
                return Err(Error::Conflict(
                    "The job has ended already; there is nothing to stop.".to_owned(),
                ));
            }
            if let Some(before) = &row.cancelled {
                return self.heard(before, &reason).map(|()| row.clone());
            }
            let asked = self
                .store()
                .job_cancel(&permit, id, reason.as_str(), self.console.now())
                .await;
            if let Err(StoreError::Conflict { .. }) = asked {
                // Somebody else asked in the same moment, or the same wish came twice.
                let row = self.store().job(&self.scope()?, id).await?;
                if let Some(before) = &row.cancelled {
                    return self.heard(before, &reason).map(|()| row.clone());
                }
            }
            asked?;
            self.console.signal(Signal::Job(id));
            self.console.signal(Signal::Rollout(row.rollout));
            self.console.wake_for_jobs();
            Ok(self.store().job(&self.scope()?, id).await?)
        })
        .await
    }

    /// A wish that is sent again because its answer was lost has been heard; another one is told of the first.
    fn heard(&self, before: &JobCancelled, reason: &Reason) -> Result<(), Error> {
        if before.by == self.subject.name && before.reason == reason.as_str() {
            return Ok(());
        }
        Err(Error::Conflict(format!(
            "{} asked for the job to be stopped already: “{}”. Nothing more has to be done.",
            before.by, before.reason
        )))
    }
}
