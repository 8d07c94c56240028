//! The addresses. Each asks `control` and shapes the answer.

use axum::{
    Extension, Json,
    extract::{Path, rejection::JsonRejection},
    http::StatusCode,
};
use control::Ctx;
use domain::id::{JobId, RolloutId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use view::error::ApiError;
use view::input::{ExplainQuery, ImportInput, JobQuery, RolloutQuery};

use super::{
    Params, Problem,
    shape::{
        Cancel, Explanation, Host, Inventory, InventoryDiff, InventoryHost, Items, Job, JobDetail,
        Log, ProblemBody, Rollout, RolloutDetail, Service, ServiceDetail,
    },
};
use crate::site::Site;

/// Lines of output sent when no limit is asked for.
const LINES: u32 = 500;

pub fn all() -> OpenApiRouter<Site> {
    OpenApiRouter::new()
        .routes(routes!(services))
        .routes(routes!(service))
        .routes(routes!(rollouts))
        .routes(routes!(rollout))
        .routes(routes!(rollout_hosts))
        .routes(routes!(environment_hosts))
        .routes(routes!(inventory_diff))
        .routes(routes!(jobs))
        .routes(routes!(job))
        .routes(routes!(log))
        .routes(routes!(cancel))
        .routes(routes!(explain))
}

type Answer<T> = Result<Json<T>, Problem>;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct PageParams {
    /// Continues a list: `next` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RolloutParams {
    /// Only of this service, by its short name.
    service: Option<String>,
    /// Only in this environment, by its short name.
    environment: Option<String>,
    /// Only in this state, or `open`: those that have not ended, or `waiting`: those that go no further before a person has done something.
    state: Option<String>,
    /// Continues a list: `next` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct JobParams {
    /// Only of this service, by its short name.
    service: Option<String>,
    /// Only in this environment, by its short name.
    environment: Option<String>,
    /// Only in this state, or `open`: those that have not ended.
    state: Option<String>,
    /// Continues a list: `next` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct HostParams {
    /// Only of this batch.
    batch: Option<u32>,
    /// Continues a list: `next` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct LogParams {
    /// First line, from 1.
    from: Option<u64>,
    /// At most this many lines; 500 unless told, never more than 2,000.
    limit: Option<u32>,
}

/// Services
#[utoipa::path(get, path = "/services", tag = "services", params(PageParams), responses(
    (status = 200, description = "A page of services", body = Items<Service>),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn services(
    Extension(ctx): Extension<Ctx>,
    Params(params): Params<PageParams>,
) -> Answer<Items<Service>> {
    Ok(Json(Items::of(ctx.services(params.cursor).await?.page)))
}

/// One service
#[utoipa::path(get, path = "/services/{slug}", tag = "services", params(("slug" = String, Path, description = "Short name")), responses(
    (status = 200, description = "The service and its newest rollouts", body = ServiceDetail),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn service(
    Extension(ctx): Extension<Ctx>,
    Path(slug): Path<String>,
) -> Answer<ServiceDetail> {
    Ok(Json(ctx.service(slug).await?.into()))
}

/// Rollouts, newest first
#[utoipa::path(get, path = "/rollouts", tag = "rollouts", params(RolloutParams), responses(
    (status = 200, description = "A page of rollouts", body = Items<Rollout>),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn rollouts(
    Extension(ctx): Extension<Ctx>,
    Params(params): Params<RolloutParams>,
) -> Answer<Items<Rollout>> {
    let query = RolloutQuery {
        service: params.service,
        environment: params.environment,
        state: params.state,
        cursor: params.cursor,
    };
    Ok(Json(Items::of(ctx.rollouts(query).await?.page)))
}

/// One rollout
#[utoipa::path(get, path = "/rollouts/{id}", tag = "rollouts", params(("id" = String, Path)), responses(
    (status = 200, description = "The rollout with its batches and jobs", body = RolloutDetail),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn rollout(Extension(ctx): Extension<Ctx>, Path(id): Path<String>) -> Answer<RolloutDetail> {
    let id: RolloutId = id.parse().map_err(Problem::unknown)?;
    Ok(Json(ctx.rollout(id).await?.into()))
}

/// The hosts of a rollout
#[utoipa::path(get, path = "/rollouts/{id}/hosts", tag = "rollouts", params(("id" = String, Path), HostParams), responses(
    (status = 200, description = "A page of hosts, in the order of their change", body = Items<Host>),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn rollout_hosts(
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
    Params(params): Params<HostParams>,
) -> Answer<Items<Host>> {
    let id: RolloutId = id.parse().map_err(Problem::unknown)?;
    let page = ctx.host_cells(id, params.batch, params.cursor).await?;
    Ok(Json(Items::of(page)))
}

/// The hosts of an environment
#[utoipa::path(get, path = "/environments/{slug}/hosts", tag = "inventory", params(("slug" = String, Path, description = "Short name"), PageParams), responses(
    (status = 200, description = "A page of hosts by name", body = Items<InventoryHost>),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn environment_hosts(
    Extension(ctx): Extension<Ctx>,
    Path(slug): Path<String>,
    Params(params): Params<PageParams>,
) -> Answer<Items<InventoryHost>> {
    Ok(Json(Items::of(
        ctx.environment(slug, params.cursor).await?.hosts,
    )))
}

/// What an inventory would change; nothing is written
#[utoipa::path(post, path = "/environments/{slug}/inventory/diff", tag = "inventory", params(("slug" = String, Path, description = "Short name")), request_body = Inventory, responses(
    (status = 200, description = "The difference", body = InventoryDiff),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn inventory_diff(
    Extension(ctx): Extension<Ctx>,
    Path(slug): Path<String>,
    body: Result<Json<Inventory>, JsonRejection>,
) -> Answer<InventoryDiff> {
    let Json(inventory) = body.map_err(|why| ApiError::Invalid {
        field: "inventory".to_owned(),
        message: format!(
            "Send a JSON object with an inventory ({}).",
            why.body_text()
        ),
    })?;
    let input = ImportInput {
        environment: slug,
        inventory: inventory.inventory,
        absent: inventory.absent,
        seen: String::new(),
        ..ImportInput::default()
    };
    Ok(Json(ctx.inventory_difference(input).await?.into()))
}

/// Jobs, newest first
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(JobParams), responses(
    (status = 200, description = "A page of jobs", body = Items<Job>),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn jobs(
    Extension(ctx): Extension<Ctx>,
    Params(params): Params<JobParams>,
) -> Answer<Items<Job>> {
    let query = JobQuery {
        service: params.service,
        environment: params.environment,
        state: params.state,
        cursor: params.cursor,
    };
    Ok(Json(Items::of(ctx.jobs(query).await?)))
}

/// One job
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "The job", body = JobDetail),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn job(Extension(ctx): Extension<Ctx>, Path(id): Path<String>) -> Answer<JobDetail> {
    let id: JobId = id.parse().map_err(Problem::unknown)?;
    let view = ctx.job_view(id).await?;
    Ok(Json(JobDetail {
        job: view.job.into(),
        waits_for: view.waits_for,
    }))
}

/// A job's output
#[utoipa::path(get, path = "/jobs/{id}/log", tag = "jobs", params(("id" = String, Path), LogParams), responses(
    (status = 200, description = "Lines of output", body = Log),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn log(
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
    Params(params): Params<LogParams>,
) -> Answer<Log> {
    let id: JobId = id.parse().map_err(Problem::unknown)?;
    Ok(Json(
        ctx.log(id, params.from.unwrap_or(1), params.limit.unwrap_or(LINES))
            .await?
            .into(),
    ))
}

/// Ask for a job to be stopped
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "jobs", params(("id" = String, Path)), request_body = Cancel, responses(
    (status = 202, description = "The job, which will be stopped; follow it to see when", body = Job),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn cancel(
    Extension(ctx): Extension<Ctx>,
    Path(id): Path<String>,
    body: Result<Json<Cancel>, JsonRejection>,
) -> Result<(StatusCode, Json<Job>), Problem> {
    let id: JobId = id.parse().map_err(Problem::unknown)?;
    let Json(cancel) = body.map_err(|why| ApiError::Invalid {
        field: "reason".to_owned(),
        message: format!("Send a JSON object with a reason ({}).", why.body_text()),
    })?;
    let job = ctx.cancel_job(id, cancel.reason).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ExplainParams {
    /// Id, e-mail address or name of a person; whoever asks, unless given.
    #[serde(default)]
    user: String,
    /// What they would do, such as `release`.
    action: String,
    /// What they would do it to: `rollout:ID`, `service:NAME`, `environment:NAME`, `team:NAME`, or a kind alone.
    resource: String,
}

/// Whether somebody may do something, and why
#[utoipa::path(get, path = "/access/explain", tag = "access", params(ExplainParams), responses(
    (status = 200, description = "The decision, and what led to it", body = Explanation),
    (status = "default", description = "Why not", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn explain(
    Extension(ctx): Extension<Ctx>,
    Params(params): Params<ExplainParams>,
) -> Answer<Explanation> {
    let query = ExplainQuery {
        person: params.user,
        action: params.action,
        about: params.resource,
    };
    Ok(Json(ctx.explain(query).await?.into()))
}
