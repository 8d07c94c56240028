//! One job and its output.

use domain::{id::JobId, job::JobKind};
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use ui::prelude::*;
use ui::{
    Alert, ButtonTone, Cell, Column, ConfirmForm, Crumb, DataTable, EmptyState, Fact, Facts,
    LogRow, LogView, Look, PageHeader, Section, StateBadge, TimeText, figure,
};
use view::{
    access::Allowance,
    error::ApiError,
    job::{Foreseen, JobRow, JobTimes, JobView, LogFound, LogLine, LogPage},
};

use crate::{
    error::PageError,
    form::typed,
    job::{
        api::{find, foreseen, job, job_times, log},
        foreseen::foreseen_view,
        list::title,
    },
    live::use_events,
    load, wire,
};

const LINES: u32 = 1_000;

/// One job with a range of its output; the address says from which line.
#[component]
pub fn JobPage() -> impl IntoView {
    let asked = move || {
        let id = use_params_map().with(|params| params.get("id").unwrap_or_default());
        use_query_map().with(|query| {
            let line = |name| query.get(name).and_then(|line| line.parse().ok());
            let text = query.get("find").unwrap_or_default();
            let search = (text, line("after").unwrap_or(1_u64));
            (id, line("from").unwrap_or(1_u64), search)
        })
    };
    let read = load::read(asked, async |(id, from, (text, after))| {
        match id.parse::<JobId>() {
            Ok(id) => {
                let found = match text.trim() {
                    "" => Search::default(),
                    asked => Search {
                        text: asked.to_owned(),
                        found: Some(find(id, asked.to_owned(), after).await?),
                    },
                };
                let page = log(id, from, LINES).await?;
                let view = job(id).await?;
                let dry = match view.job.kind {
                    JobKind::DryRun => foreseen(id).await?,
                    _ => Foreseen::default(),
                };
                Ok((view, job_times(id).await?, dry, page, found))
            }
            Err(error) => Err(PageError(ApiError::NotFound {
                message: error.to_string(),
            })),
        }
    });
    load::draw(
        read,
        "the job",
        |(view, times, dry, page, search)| view! { <Live view times dry page search /> },
    )
}

/// What was searched for, and what was found of it.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Search {
    text: String,
    found: Option<LogFound>,
}

#[component]
fn Live(
    view: JobView,
    times: JobTimes,
    dry: Foreseen,
    page: LogPage,
    search: Search,
) -> impl IntoView {
    let JobView {
        job: row,
        waits_for,
        output_removed_at,
        first_failure,
        cancel,
    } = view;
    let id = row.id;
    let heading = title(&row);
    let subject = format!("{} {} to {}", row.service, row.version, row.environment);
    let crumbs = vec![
        Crumb::link("Rollouts", "/rollouts"),
        Crumb::link(subject, format!("/rollouts/{}", row.rollout)),
        Crumb::here(heading.clone()),
    ];
    let first = page.lines.first().map_or(1, |line| line.number);
    let rest =
        (page.lines.len() >= LINES as usize).then(|| format!("/jobs/{id}?from={}", page.next));
    let earlier = (first > 1).then(|| {
        format!(
            "/jobs/{id}?from={}",
            first.saturating_sub(u64::from(LINES)).max(1)
        )
    });
    let whole = rest.is_none();
    let lines = RwSignal::new(page.lines);
    let next = RwSignal::new(page.next);
    let shown = RwSignal::new(row);
    let waits_for = RwSignal::new(waits_for);
    let took = RwSignal::new(times);
    let told = RwSignal::new(dry);
    let asking = StoredValue::new(false);
    let read_again = move || {
        asking.set_value(true);
        spawn_local(async move {
            if let Ok(newest) = job(id).await {
                shown.set(newest.job);
                waits_for.set(newest.waits_for);
            }
            if let Ok(newest) = job_times(id).await {
                took.set(newest);
            }
            if shown.with_untracked(|row| row.kind == JobKind::DryRun)
                && let Ok(newest) = foreseen(id).await
            {
                told.set(newest);
            }
            asking.set_value(false);
        });
    };
    // The stream gives every line once and in order, and goes on behind the last one when it is opened again.
    if whole && !shown.with_untracked(|row| row.state.ended()) {
        let path = move || format!("/stream/jobs/{id}/log?from={}", next.get_untracked());
        use_events(path, &["line", "end"], move |name, data| {
            match (name, wire::read::<LogLine>(&data)) {
                ("line", Ok(line)) if line.number == next.get_untracked() => {
                    next.set(line.number + 1);
                    lines.update(|lines| lines.push(line));
                    // Its first lines say that it no longer waits. They come many at once, and one question is enough.
                    if !asking.get_value() && shown.with_untracked(|row| row.started_at.is_none()) {
                        read_again();
                    }
                }
                _ => read_again(),
            }
        });
    }
    let state = Memo::new(move |_| shown.with(|row| row.state));
    let empty = move || lines.with(Vec::is_empty);
    view! {
        <Title text=heading.clone() />
        <PageHeader title=heading crumbs badge=move || view! { <StateBadge look=Look::attempt(state.get()) /> } />
        {move || facts(shown.get())}
        {move || Some(waits_for.get()).filter(|why| !why.is_empty()).map(|why| view! { <Alert title="It waits">{why}</Alert> })}
        {move || (!state.get().ended()).then(|| cancel_form(id, cancel.clone()))}
        {move || foreseen_view(told.get())}
        {move || times_view(took.get())}
        {output_removed_at.is_none().then(|| search_view(id, search, first_failure))}
        <Section title="Output" id="output" flush=true>
            {earlier.map(|href| view! { <p class="section-more"><a href=href>"Earlier lines"</a></p> })}
            {move || empty().then(|| match output_removed_at {
                Some(at) => view! { <EmptyState title="The output was removed">"It was old, and this installation does not keep outputs for ever. Removed " <TimeText at /> "; what became of each host is on the rollout's page."</EmptyState> }.into_any(),
                None => view! { <EmptyState title="No output yet">"Lines appear here as the playbook prints them."</EmptyState> }.into_any(),
            })}
            <LogView>
                <For each=move || lines.get() key=|line: &LogLine| line.number let:line>
                    <LogRow line />
                </For>
            </LogView>
            {rest.map(|href| view! { <p class="section-more"><a href=href>"Later lines"</a></p> })}
        </Section>
    }
}

/// Hosts and tasks of a job; nothing before the first of them has ended.
fn times_view(times: JobTimes) -> Option<AnyView> {
    if times.hosts.is_empty() {
        return None;
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let summary = format!(
        "How it went on {} in {}",
        figure::count(count(times.hosts.len()).saturating_add(times.more), "host"),
        figure::count(count(times.tasks.len()), "task")
    );
    let ms = |ms: u64| format!("{} s", figure::number(ms as f64 / 1000.0));
    let hosts = times.hosts.into_iter().map(|host| {
        let bad = host.failed + host.unreachable;
        let failed = match bad {
            0 => bad.into_any(),
            _ => view! { <strong>{bad}</strong> }.into_any(),
        };
        view! {
            <tr>
                <Cell head=true>{host.name}</Cell>
                <Cell label="Ok" numeric=true>{host.ok}</Cell>
                <Cell label="Changed" numeric=true>{host.changed}</Cell>
                <Cell label="Failed" numeric=true>{failed}</Cell>
                <Cell label="Skipped" numeric=true>{host.skipped}</Cell>
                <Cell label="Took" numeric=true>{ms(host.ms)}</Cell>
            </tr>
        }
    });
    let tasks = times.tasks.into_iter().map(|task| {
        view! {
            <tr>
                <Cell head=true>{task.name}</Cell>
                <Cell label="Hosts" numeric=true>{task.hosts}</Cell>
                <Cell label="Failed" numeric=true>{task.failed}</Cell>
                <Cell label="Longest" numeric=true>{ms(task.slowest_ms)}</Cell>
                <Cell label="On"><span class="is-whole">{task.slowest}</span></Cell>
            </tr>
        }
    });
    let (hosts, tasks) = (hosts.collect_view(), tasks.collect_view());
    let more = (times.more > 0).then(|| view! { <p class="section-more">{format!("and {} more, which went well and were quicker", times.more)}</p> });
    let view = view! {
        <details class="more">
            <summary>{summary}</summary>
            <div class="columns">
                <Section title="Hosts" id="times" flush=true>
                    <DataTable caption="Tasks of each host by how they ended" columns=vec![Column::text("Host"), Column::number("Ok"), Column::number("Changed"), Column::number("Failed"), Column::number("Skipped"), Column::number("Took")]>{hosts}</DataTable>
                    {more}
                </Section>
                <Section title="Tasks" id="tasks" flush=true>
                    <DataTable caption="Tasks in their order" columns=vec![Column::text("Task"), Column::number("Hosts"), Column::number("Failed"), Column::number("Longest"), Column::text("On")]>{tasks}</DataTable>
                </Section>
            </div>
        </details>
    };
    Some(view.into_any())
}

/// A line with so many above it on its page.
fn line_address(id: JobId, line: u64) -> String {
    const ABOVE: u64 = 50;
    format!(
        "/jobs/{id}?from={}#L{line}",
        line.saturating_sub(ABOVE).max(1)
    )
}

/// The tools of the output: search, the first failure, the whole file; and what a search found.
fn search_view(id: JobId, search: Search, first_failure: Option<u64>) -> impl IntoView {
    let Search { text, found } = search;
    let failure = first_failure.map(|line| {
        view! { <a class=ButtonTone::Plain.class() rel="external" href=line_address(id, line)>"First failure"</a> }
    });
    let asked = text.clone();
    let found = found.map(|found| found_view(id, asked, found));
    view! {
        <form method="get" action=format!("/jobs/{id}") class="log-tools" role="search">
            <label class="sr-only" for="find">"Find in the output"</label>
            <input class="input is-mono" id="find" name="find" type="search" maxlength="200" placeholder="Find in the output" value=text />
            <button type="submit" class=ButtonTone::Plain.class()>"Find"</button>
            {failure}
            <a class=ButtonTone::Plain.class() rel="external" download="" href=format!("/download/jobs/{id}/output")>"Download"</a>
        </form>
        {found}
    }
}

fn found_view(id: JobId, text: String, found: LogFound) -> impl IntoView {
    let count = u32::try_from(found.lines.len()).unwrap_or(u32::MAX);
    let title = format!("{} with “{text}”", figure::count(count, "line"));
    let next = found.next.map(|line| {
        view! {
            <form method="get" action=format!("/jobs/{id}") class="section-more">
                <input type="hidden" name="find" value=text.clone() />
                <input type="hidden" name="after" value=line />
                <button type="submit" class=ButtonTone::Plain.class()>{format!("Search on from line {line}")}</button>
            </form>
        }
    });
    let rows = found.lines.into_iter().map(|line| {
        let href = line_address(id, line.number);
        view! { <LogRow line href /> }
    });
    let rows = rows.collect_view();
    view! {
        <Section title="Found" id="found" flush=true>
            <p class="section-more" role="status">{title}</p>
            {(count > 0).then(|| view! { <div class="log" role="group" aria-label="Lines found">{rows}</div> })}
            {next}
        </Section>
    }
}

fn facts(row: JobRow) -> impl IntoView {
    let took = row
        .started_at
        .zip(row.ended_at)
        .map(|(from, to)| figure::length(to.as_millisecond() - from.as_millisecond()));
    view! {
        <Facts>
            <Fact name="Queued"><TimeText at=row.queued_at seconds=true /></Fact>
            {row.started_at.map(|at| view! { <Fact name="Started"><TimeText at seconds=true /></Fact> })}
            {took.map(|took| view! { <Fact name="Took">{took}</Fact> })}
            {(!row.message.is_empty()).then(|| view! { <Fact name="Ended because">{row.message}</Fact> })}
        </Facts>
    }
}

fn cancel_form(id: JobId, allowance: Allowance) -> impl IntoView {
    let typed = typed("cancel");
    view! {
        <ConfirmForm
            id="cancel"
            label="Cancel this job"
            explanation="Everything the playbook started is ended. A host with a task in flight becomes unknown and is asked what it runs."
            action="/api/job/cancel"
            fields=vec![("input[job]", id.to_string())]
            tone=ButtonTone::Danger
            allowance
            reason=typed.value("reason", "")
            reason_name="input[reason]"
            error=typed.error()
        />
    }
}
