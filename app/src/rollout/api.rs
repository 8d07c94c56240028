//! Server functions of rollouts.

use domain::id::RolloutId;
use leptos::prelude::*;
#[cfg(feature = "ssr")]
use ui::MetricChart;
#[cfg(feature = "ssr")]
use view::rollout::ChartView;
use view::{
    input::{ActInput, RolloutInput, RolloutQuery},
    page::Page,
    rollout::{HostCell, PlanPreview, RolloutForm, RolloutList, RolloutView, TroubledView},
};

#[cfg(feature = "ssr")]
use crate::{
    context::{answer, ctx},
    form::ssr::{finish, show_again},
};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "rollout/list", output = Wire)]
pub async fn rollouts(#[server(default)] query: RolloutQuery) -> Result<RolloutList, PageError> {
    answer(ctx()?.rollouts(query).await)
}

#[server(endpoint = "rollout/show", output = Wire)]
pub async fn rollout(id: RolloutId) -> Result<RolloutView, PageError> {
    answer(ctx()?.rollout(id).await)
}

#[server(endpoint = "rollout/hosts", output = Wire)]
pub async fn host_cells(
    id: RolloutId,
    batch: Option<u32>,
    cursor: Option<String>,
) -> Result<Page<HostCell>, PageError> {
    answer(ctx()?.host_cells(id, batch, cursor).await)
}

#[server(name = ReadTroubled, endpoint = "rollout/trouble", output = Wire)]
pub async fn troubled(id: RolloutId, cursor: Option<String>) -> Result<TroubledView, PageError> {
    answer(ctx()?.troubled(id, cursor).await)
}

/// The charts as markup. Nothing on them can be pressed, so the browser need not load what draws them.
#[server(endpoint = "rollout/charts", output = Wire)]
pub async fn charts(id: RolloutId) -> Result<String, PageError> {
    let charted = answer(ctx()?.charts(id).await)?;
    let draw = |charts: &[ChartView]| {
        let drawn = charts.iter().cloned().map(|chart| {
            let id = format!("chart-{}", chart.dimension);
            view! { <MetricChart chart id /> }
        });
        drawn.collect_view().to_html()
    };
    Ok(charted.markup(draw).to_owned())
}

#[server(name = ReadRolloutForm, endpoint = "rollout/form", output = Wire)]
pub async fn rollout_form() -> Result<RolloutForm, PageError> {
    answer(ctx()?.rollout_form().await)
}

#[server(endpoint = "rollout/preview", output = Wire)]
pub async fn preview(input: RolloutInput) -> Result<PlanPreview, PageError> {
    answer(ctx()?.preview(input).await)
}

/// Comes back to the form, which then shows what it would do. Posted, because an artefact's address may be signed.
#[server(endpoint = "rollout/look")]
pub async fn look(input: RolloutInput) -> Result<(), PageError> {
    ctx()?;
    show_again("request", "preview", &input).await
}

#[server(endpoint = "rollout/request")]
pub async fn request(input: RolloutInput) -> Result<(), PageError> {
    let done = ctx()?
        .request(input.clone())
        .await
        .map(|id| format!("/rollouts/{id}"));
    finish("request", &input, done).await
}

macro_rules! acts {
    ($($endpoint:literal $name:ident = $use_case:ident;)*) => {$(
        #[server(endpoint = $endpoint)]
        pub async fn $name(input: ActInput) -> Result<(), PageError> {
            let done = ctx()?.$use_case(input.clone()).await.map(|()| format!("/rollouts/{}", input.rollout));
            finish(&input.form(stringify!($name)), &input, done).await
        }
    )*};
}

acts! {
    "rollout/approve" approve = approve;
    "rollout/reject" reject = reject;
    "rollout/withdraw" withdraw = withdraw;
    "rollout/release" release = release_rollout;
    "rollout/decide" decide = decide;
    "rollout/retry" retry = retry;
    "rollout/ask" ask = ask;
    "rollout/dry_run" dry_run = dry_run;
    "rollout/exclude" exclude = exclude;
    "rollout/extend" extend = extend;
    "rollout/pause" pause = pause;
    "rollout/resume" resume = resume;
    "rollout/abort" abort = abort;
    "rollout/roll_back" roll_back = roll_back;
    "rollout/recover" recover = recover;
}
