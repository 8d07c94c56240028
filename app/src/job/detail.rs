//! One job and its output.

use std::time::Duration;

use domain::{id::JobId, job::JobKind};
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use ui::prelude::*;
use ui::{
    Alert, ButtonTone, ConfirmForm, Crumb, EmptyState, Fact, Facts, Look, PageHeader, Section,
    StateBadge, Tab, Tabs, TimeText, Tone, figure,
};
use view::{
    access::Allowance,
    error::ApiError,
    job::{JobPage as Whole, JobPageWish, JobRow, JobView},
};

use crate::{
    error::PageError,
    form::{typed, undone},
    job::{
        api::{foreseen, job, job_page, job_times},
        foreseen::foreseen_view,
        list::title,
        output::{LINES, Output},
        search::search_view,
        tasks::tasks_view,
        times::times_view,
    },
    load,
};

/// While lines come, the tables of hosts and tasks are read again after so long: of many hosts they are no small question.
const BETWEEN_LOOKS: Duration = Duration::from_secs(15);

/// One job with a range of its output; the address says from which line.
#[component]
pub fn JobPage() -> impl IntoView {
    let asked = move || {
        let id = use_params_map().with(|params| params.get("id").unwrap_or_default());
        use_query_map().with(|query| {
            let line = |name| query.get(name).and_then(|line| line.parse().ok());
            let wish = JobPageWish {
                from: line("from").unwrap_or(1),
                limit: LINES,
                find: query.get("find").unwrap_or_default().trim().to_owned(),
                after: line("after").unwrap_or(1),
                by_task: query.get("by").is_some_and(|by| by == "task"),
            };
            (id, wish)
        })
    };
    let read = load::read(asked, async |(id, wish)| match id.parse::<JobId>() {
        Ok(id) => {
            let find = wish.find.clone();
            Ok((job_page(id, wish).await?, find))
        }
        Err(error) => Err(PageError(ApiError::NotFound {
            message: error.to_string(),
        })),
    });
    load::draw(
        read,
        "the job",
        |(whole, find)| view! { <Live whole find /> },
    )
}

#[component]
fn Live(whole: Whole, find: String) -> impl IntoView {
    let Whole {
        view,
        times,
        output,
        found,
        tasks,
        foreseen: dry,
    } = whole;
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
    let shown = RwSignal::new(row);
    let waits_for = RwSignal::new(waits_for);
    let first_failure = RwSignal::new(first_failure);
    let undone = undone(|form| form == "cancel" && cancel.offered());
    let may_cancel = RwSignal::new(cancel);
    let took = RwSignal::new(times);
    let told = RwSignal::new(dry);
    let foresees = shown.with_untracked(|row| row.kind == JobKind::DryRun);
    let asking = StoredValue::new(false);
    let ended_meanwhile = StoredValue::new(false);
    let read_again = move |ended: bool| {
        // Nobody asks for a page that was left meanwhile.
        if asking.try_get_value().unwrap_or(true) {
            ended_meanwhile.try_update_value(|again| *again |= ended);
            return;
        }
        asking.set_value(true);
        spawn_local(async move {
            let mut ended = ended;
            loop {
                if let Ok(newest) = job(id).await {
                    shown.set(newest.job);
                    waits_for.set(newest.waits_for);
                    first_failure.set(newest.first_failure);
                    may_cancel.set(newest.cancel);
                }
                if let Ok(newest) = job_times(id).await {
                    took.set(newest);
                }
                if ended
                    && foresees
                    && let Ok(newest) = foreseen(id).await
                {
                    told.set(newest);
                }
                // The end is told once, and an answer that was on its way does not know of it.
                ended = ended_meanwhile
                    .try_update_value(std::mem::take)
                    .unwrap_or_default();
                if !ended {
                    break;
                }
            }
            asking.try_set_value(false);
        });
    };
    // Its first lines say that it no longer waits. They come many at once, and one question is enough.
    let soon = StoredValue::new(false);
    let moved = Callback::new(move |ended: bool| {
        if ended || shown.with_untracked(|row| row.started_at.is_none()) {
            read_again(ended);
        } else if !soon.get_value() {
            soon.set_value(true);
            set_timeout(
                move || {
                    soon.try_set_value(false);
                    read_again(false);
                },
                BETWEEN_LOOKS,
            );
        }
    });
    let state = Memo::new(move |_| shown.with(|row| row.state));
    let live = !shown.with_untracked(|row| row.state.ended());
    let tabs = [
        ("Lines", "", tasks.is_none()),
        ("By task", "?by=task", tasks.is_some()),
    ];
    let tabs = tabs.map(|(label, query, open)| Tab {
        label: label.to_owned(),
        href: format!("/jobs/{id}{query}#output"),
        open,
    });
    let shown_output = match (output_removed_at, output) {
        (Some(at), _) => {
            view! { <EmptyState title="The output was removed">"It was old, and this installation does not keep outputs for ever. Removed " <TimeText at /> "; what became of each host is on the rollout's page."</EmptyState> }
        }
        (None, Ok(page)) => match tasks {
            Some(Ok(tasks)) => tasks_view(id, tasks),
            Some(Err(why)) => out_of_reach(why),
            None => view! { <Output id page live moved /> },
        },
        (None, Err(why)) => out_of_reach(why),
    };
    view! {
        <Title text=heading.clone() />
        <PageHeader title=heading crumbs badge=move || view! { <StateBadge look=Look::attempt(state.get()) /> } />
        {undone}
        {move || facts(shown.get())}
        {move || Some(waits_for.get()).filter(|why| !why.is_empty()).map(|why| view! { <Alert title="Queued">{why}</Alert> })}
        {move || cancel_form(id, may_cancel.get())}
        {move || foreseen_view(told.get())}
        {times_view(took)}
        {output_removed_at.is_none().then(|| search_view(id, find, found, first_failure.into()))}
        <Section title="Output" id="output" flush=true>
            {output_removed_at.is_none().then(|| view! { <Tabs label="How the output is shown" tabs=tabs.to_vec() /> })}
            {shown_output}
        </Section>
    }
}

fn out_of_reach(why: String) -> AnyView {
    view! { <div class="section-more"><Alert tone=Tone::Warn title="The output cannot be read just now">{why}</Alert></div> }.into_any()
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
            {row.cancelled.map(|cancelled| view! { <Fact name="Asked to stop by">{cancelled.by}", "<TimeText at=cancelled.at seconds=true />": "{cancelled.reason}</Fact> })}
        </Facts>
        {(!row.message.is_empty()).then(|| view! { <Alert tone=Tone::Warn title="Why it ended">{row.message}</Alert> })}
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
