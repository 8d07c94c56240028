//! The list of jobs.

use domain::attempt::AttemptState;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use ui::prelude::*;
use ui::{
    Button, Cell, Choice, Column, DataTable, EmptyState, Look, PageHeader, Pager, Section, Select,
    StateBadge, TimeText, figure,
};
use view::{input::JobQuery, job::JobRow, page::Page};

use crate::{job::api::jobs, load, narrow};

/// Every job, newest first.
#[component]
pub fn JobsPage() -> impl IntoView {
    let query = move || {
        use_query_map().with(|query| JobQuery {
            service: query.get("service").filter(|text| !text.is_empty()),
            environment: query.get("environment").filter(|text| !text.is_empty()),
            state: query.get("state").filter(|text| !text.is_empty()),
            cursor: query.get("cursor"),
        })
    };
    let read = load::read(query, jobs);
    view! {
        <Title text="Jobs" />
        {load::draw(read, "jobs", move |page| jobs_view(page, query()))}
    }
}

fn jobs_view(page: Page<JobRow>, query: JobQuery) -> impl IntoView {
    let shown = page.items.len();
    let [service, environment, state] = [&query.service, &query.environment, &query.state]
        .map(|text| text.as_deref().unwrap_or(""));
    let places = [("service", service), ("environment", environment)];
    let kept = narrow::kept("/jobs", &places);
    let here = narrow::address("/jobs", &[places[0], places[1], ("state", state)]);
    let filtered = !here.ends_with('?');
    let first = query.cursor.is_some().then(|| here.clone());
    let next = page.next.map(|cursor| format!("{here}cursor={cursor}"));
    let table = job_table(page.items);
    let states = [
        Choice::new("", "Any state", ""),
        Choice::new(JobQuery::OPEN, "Not ended", ""),
    ]
    .into_iter()
    .chain(
        AttemptState::ALL
            .iter()
            .map(|state| Choice::new(state.word(), Look::attempt(*state).label, "")),
    )
    .collect();
    view! {
        <PageHeader title="Jobs" sub=|| "Playbooks that ran, run, or wait to run." />
        <form method="get" action="/jobs" class="filter" role="search">
            <Select name="state" label="State" choices=states value=state.to_owned() required=false />
            <Button>"Filter"</Button>
            {kept}
        </form>
        {match (shown, filtered) {
            (0, true) => view! { <EmptyState title="No job like this"><a href="/jobs">"Show every job"</a></EmptyState> }.into_any(),
            (0, false) => view! { <EmptyState title="No job yet">"Releasing a rollout queues the first one."</EmptyState> }.into_any(),
            _ => {
                view! {
                    <Section title=if filtered { "Jobs" } else { "All jobs" } id="jobs" flush=true>
                        {table}
                        <Pager shown what="jobs" first next />
                    </Section>
                }
                    .into_any()
            }
        }}
    }
}

/// What a job does, as people say it.
pub fn title(job: &JobRow) -> String {
    let verb = match job.kind {
        domain::job::JobKind::Deploy => "Deploy",
        domain::job::JobKind::DryRun => "Dry run",
        domain::job::JobKind::Probe => "Probe versions",
        domain::job::JobKind::ProbeUnknown => "Probe unknown hosts",
        domain::job::JobKind::RollBack => "Roll back",
    };
    format!("{verb}, batch {}", job.batch)
}

/// Jobs as a table.
pub fn job_table(jobs: Vec<JobRow>) -> impl IntoView {
    let rows = jobs.into_iter().map(row).collect_view();
    view! { <DataTable caption="Jobs" columns=vec![Column::text("Job"), Column::text("Rollout"), Column::text("State"), Column::text("Started"), Column::number("Took")]>{rows}</DataTable> }
}

fn row(job: JobRow) -> impl IntoView {
    let took = job.started_at.zip(job.ended_at).map_or_else(
        || "—".to_owned(),
        |(from, to)| figure::length(to.as_millisecond() - from.as_millisecond()),
    );
    let (heading, subject) = (
        title(&job),
        format!("{} {} to {}", job.service, job.version, job.environment),
    );
    let started = job
        .started_at
        .map(|at| view! { <TimeText at seconds=true /> });
    view! {
        <tr>
            <Cell head=true><a href=format!("/jobs/{}", job.id)>{heading}</a></Cell>
            <Cell label="Rollout"><a href=format!("/rollouts/{}", job.rollout)>{subject}</a></Cell>
            <Cell label="State"><StateBadge look=Look::attempt(job.state) /></Cell>
            <Cell label="Started">{started}</Cell>
            <Cell label="Took" numeric=true>{took}</Cell>
        </tr>
    }
}
