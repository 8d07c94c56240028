//! The list of jobs.

use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use ui::prelude::*;
use ui::{
    Cell, Column, DataTable, EmptyState, Look, PageHeader, Pager, Section, StateBadge, TimeText,
    figure,
};
use view::{job::JobRow, page::Page};

use crate::{job::api::jobs, load};

/// Every job, newest first.
#[component]
pub fn JobsPage() -> impl IntoView {
    let cursor = move || use_query_map().with(|query| query.get("cursor"));
    let read = load::read(cursor, jobs);
    view! {
        <Title text="Jobs" />
        {load::draw(read, "jobs", move |page| jobs_view(page, cursor()))}
    }
}

fn jobs_view(page: Page<JobRow>, cursor: Option<String>) -> impl IntoView {
    let shown = page.items.len();
    let first = cursor.is_some().then(|| "/jobs".to_owned());
    let next = page.next.map(|cursor| format!("/jobs?cursor={cursor}"));
    let table = job_table(page.items);
    view! {
        <PageHeader title="Jobs" sub=|| "Playbooks that ran, run, or wait to run." />
        {if shown == 0 {
            view! { <EmptyState title="No job yet">"Releasing a rollout queues the first one."</EmptyState> }.into_any()
        } else {
            view! {
                <Section title="All jobs" id="jobs" flush=true>
                    {table}
                    <Pager shown what="jobs" first next />
                </Section>
            }
                .into_any()
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
