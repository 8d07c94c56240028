//! Hosts of a rollout that need a person.

use domain::{host::HostPhase, id::RolloutId};
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use ui::prelude::*;
use ui::{
    Cell, Column, Crumb, DataTable, EmptyState, Look, PageHeader, Pager, Section, StateBadge,
    TimeText,
};
use view::{
    error::ApiError,
    rollout::{TroubledHost, TroubledJob, TroubledView},
};

use crate::{
    error::PageError,
    form::undone,
    load,
    rollout::{
        actions::{batch_actions, exclude, roll_back},
        api::troubled,
    },
};

/// Hosts that did not take the change: what is known of each, and what can be done.
#[component]
pub fn TroublePage() -> impl IntoView {
    let asked = move || {
        let id = use_params_map().with(|params| params.get("id").unwrap_or_default());
        (id, use_query_map().with(|query| query.get("cursor")))
    };
    let read = load::read(asked, async |(id, cursor)| match id.parse::<RolloutId>() {
        Ok(id) => Ok((troubled(id, cursor.clone()).await?, cursor)),
        Err(error) => Err(PageError(ApiError::NotFound {
            message: error.to_string(),
        })),
    });
    load::draw(read, "the hosts", |(view, cursor)| page(view, cursor))
}

fn page(view: TroubledView, cursor: Option<String>) -> impl IntoView {
    let TroubledView {
        row,
        service_name,
        environment_name,
        decision_version,
        batches,
        stuck,
        exclude: may_exclude,
        roll_back: may_roll_back,
        hosts,
    } = view;
    let here = format!("/rollouts/{}", row.id);
    let subject = format!("{service_name} {} to {environment_name}", row.version);
    let crumbs = vec![
        Crumb::link("Rollouts", "/rollouts"),
        Crumb::link(subject, here.clone()),
        Crumb::here("Hosts to decide on"),
    ];
    let unknown = hosts
        .items
        .iter()
        .any(|host| host.phase == HostPhase::Unknown);
    let first = cursor.is_some().then(|| format!("{here}/trouble"));
    let next = hosts
        .next
        .map(|cursor| format!("{here}/trouble?cursor={cursor}"));
    let shown = hosts.items.len();
    let undone = undone(|form| {
        let (kind, number) = form.rsplit_once('-').unwrap_or((form, ""));
        let batch = batches
            .iter()
            .find(|(batch, ..)| batch.to_string() == number);
        match (kind, batch) {
            ("exclude", _) => may_exclude.offered(),
            ("roll_back", _) => may_roll_back.offered(),
            ("go" | "no_go", Some((.., actions))) => actions.decide.offered(),
            ("retry", Some((.., actions))) => actions.retry.offered(),
            ("ask", Some((.., actions))) => actions.ask.offered(),
            ("extend", Some((.., actions))) => actions.extend.offered(),
            _ => false,
        }
    });
    let rows = hosts.items.into_iter().map(host).collect_view();
    view! {
        <Title text="Hosts to decide on" />
        <PageHeader title="Hosts to decide on" crumbs sub=|| "What was last seen of each host that did not take the change." />
        {undone}
        {batch_actions(row.id, decision_version, batches, None)}
        <div class="actions">
            {exclude(row.id, decision_version, stuck.join(" "), may_exclude)}
            {roll_back(row.id, decision_version, may_roll_back)}
        </div>
        {unknown.then(|| view! {
            <p class="muted">
                "Of a host that is unknown nobody can say how far the job came: it was cancelled, lost, or the host vanished. "
                "Asking it which version runs changes nothing. If it stays silent, look at the host itself before retrying: a task may still be under way there."
            </p>
        })}
        {if shown == 0 {
            view! { <EmptyState title="No host needs you">"Every host of this rollout took the change, waits for it, or was left out."</EmptyState> }.into_any()
        } else {
            view! {
                <Section title="Hosts" id="hosts" flush=true>
                    <DataTable caption="Hosts that did not take the change" columns=vec![Column::text("Host"), Column::text("State"), Column::text("Ran before"), Column::text("Said last"), Column::text("Came as far as"), Column::text("What happened")]>{rows}</DataTable>
                    <Pager shown what="hosts" first next />
                </Section>
            }
            .into_any()
        }}
        <p><a href=here>"Back to the rollout"</a></p>
    }
}

fn host(host: TroubledHost) -> impl IntoView {
    let TroubledHost {
        name,
        batch,
        phase,
        message,
        version_before,
        version_observed,
        job,
        asked_at,
    } = host;
    let version = |version: Option<String>, none: &'static str| match version {
        Some(version) => view! { <code>{version}</code> }.into_any(),
        None => view! { <span class="muted">{none}</span> }.into_any(),
    };
    // An answer would have made it another phase.
    let silent = matches!(phase, HostPhase::Unknown | HostPhase::Unreachable);
    let asked = match asked_at {
        Some(at) if silent => {
            view! { <p class="muted">"asked " <TimeText at /> ", without an answer"</p> }.into_any()
        }
        Some(at) => view! { <p class="muted">"asked " <TimeText at /></p> }.into_any(),
        None => view! { <p class="muted">"not asked yet"</p> }.into_any(),
    };
    let came = job.map(
        |TroubledJob {
             id, task, task_at, ..
         }| {
            let task = match task {
                Some(task) => view! { <p>{task}</p> }.into_any(),
                None => view! { <p class="muted">"no task ended here"</p> }.into_any(),
            };
            let at = task_at.map(|at| view! { <TimeText at seconds=true /> " · " });
            view! { <div>{task} <p class="muted">{at} <a href=format!("/jobs/{id}")>"Output"</a></p></div> }
        },
    );
    view! {
        <tr>
            <Cell head=true>{name} <p class="muted">{format!("Batch {batch}")}</p></Cell>
            <Cell label="State"><StateBadge look=Look::host(phase) /></Cell>
            <Cell label="Ran before">{version(version_before, "not known")}</Cell>
            <Cell label="Said last"><div>{version(version_observed, "nothing")} {asked}</div></Cell>
            <Cell label="Came as far as">{came}</Cell>
            <Cell label="What happened">{message}</Cell>
        </tr>
    }
}
