//! One job and its output.

use domain::id::JobId;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use ui::prelude::*;
use ui::{
    Alert, ButtonTone, ConfirmForm, Crumb, EmptyState, Fact, Facts, LogRow, LogView, Look,
    PageHeader, Section, StateBadge, TimeText, figure,
};
use view::{
    access::Allowance,
    error::ApiError,
    job::{JobRow, JobView, LogLine, LogPage},
};

use crate::{
    error::PageError,
    form::typed,
    job::{
        api::{job, log},
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
        (
            id,
            use_query_map().with(|query| {
                query
                    .get("from")
                    .and_then(|from| from.parse().ok())
                    .unwrap_or(1_u64)
            }),
        )
    };
    let read = load::read(asked, async |(id, from)| match id.parse::<JobId>() {
        Ok(id) => Ok((job(id).await?, log(id, from, LINES).await?)),
        Err(error) => Err(PageError(ApiError::NotFound {
            message: error.to_string(),
        })),
    });
    load::draw(read, "the job", |(view, page)| view! { <Live view page /> })
}

#[component]
fn Live(view: JobView, page: LogPage) -> impl IntoView {
    let JobView {
        job: row,
        waits_for,
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
    let read_again = move || {
        spawn_local(async move {
            if let Ok(newest) = job(id).await {
                shown.set(newest.job);
                waits_for.set(newest.waits_for);
            }
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
                    // Its first lines say that it no longer waits.
                    if shown.with_untracked(|row| row.started_at.is_none()) {
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
        <Section title="Output" id="output" flush=true>
            {earlier.map(|href| view! { <p class="section-more"><a href=href>"Earlier lines"</a></p> })}
            {move || empty().then(|| view! { <EmptyState title="No output yet">"Lines appear here as the playbook prints them."</EmptyState> })}
            <LogView>
                <For each=move || lines.get() key=|line: &LogLine| line.number let:line>
                    <LogRow line />
                </For>
            </LogView>
            {rest.map(|href| view! { <p class="section-more"><a href=href>"Later lines"</a></p> })}
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
