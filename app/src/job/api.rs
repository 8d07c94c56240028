//! Server functions of jobs.

use domain::id::JobId;
use leptos::prelude::*;
use view::{
    input::{CancelInput, JobQuery},
    job::{Foreseen, JobPage, JobPageWish, JobRow, JobTimes, JobView, LogPage},
    page::Page,
};

#[cfg(feature = "ssr")]
use crate::{
    context::{answer, ctx},
    form::ssr::finish,
};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "job/list", output = Wire)]
pub async fn jobs(#[server(default)] query: JobQuery) -> Result<Page<JobRow>, PageError> {
    answer(ctx()?.jobs(query).await)
}

#[server(endpoint = "job/show", output = Wire)]
pub async fn job(id: JobId) -> Result<JobView, PageError> {
    answer(ctx()?.job_view(id).await)
}

#[server(name = ReadJobPage, endpoint = "job/page", output = Wire)]
pub async fn job_page(id: JobId, wish: JobPageWish) -> Result<JobPage, PageError> {
    answer(ctx()?.job_page(id, wish).await)
}

#[server(endpoint = "job/log", output = Wire)]
pub async fn log(id: JobId, from: u64, limit: u32) -> Result<LogPage, PageError> {
    answer(ctx()?.log(id, from, limit).await)
}

#[server(name = ReadJobTimes, endpoint = "job/times", output = Wire)]
pub async fn job_times(id: JobId) -> Result<JobTimes, PageError> {
    answer(ctx()?.job_times(id).await)
}

#[server(endpoint = "job/cancel")]
pub async fn cancel_job(input: CancelInput) -> Result<(), PageError> {
    let done = match input.job.parse::<JobId>() {
        Ok(id) => ctx()?
            .cancel_job(id, input.reason.clone())
            .await
            .map(|_| format!("/jobs/{id}")),
        Err(error) => Err(view::error::ApiError::NotFound {
            message: error.to_string(),
        }),
    };
    finish("cancel", &input, done).await
}

#[server(name = ReadForeseen, endpoint = "job/foreseen", output = Wire)]
pub async fn foreseen(id: JobId) -> Result<Foreseen, PageError> {
    answer(ctx()?.foreseen(id).await)
}
