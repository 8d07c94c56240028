//! How long a job took, by host and by task.

use ui::prelude::*;
use ui::{Cell, Column, DataTable, Section, figure};
use view::job::JobTimes;

/// Hosts and tasks of a job; nothing before the first of them has ended. What was opened stays open when it moves.
pub(super) fn times_view(times: RwSignal<JobTimes>) -> impl IntoView {
    let any = Memo::new(move |_| times.with(|times| !times.hosts.is_empty()));
    move || {
        any.get().then(|| {
            view! {
                <details class="more">
                    <summary>{move || times.with(summary)}</summary>
                    {move || tables(times.get())}
                </details>
            }
        })
    }
}

fn summary(times: &JobTimes) -> String {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    format!(
        "How it went on {} in {}",
        figure::count(count(times.hosts.len()).saturating_add(times.more), "host"),
        figure::count(count(times.tasks.len()), "task")
    )
}

fn tables(times: JobTimes) -> AnyView {
    let ms = |ms: u64| format!("{} s", figure::number(ms as f64 / 1000.0));
    let hosts = times.hosts.into_iter().map(|host| {
        let bad = |count: u64| match count {
            0 => count.into_any(),
            _ => view! { <strong>{count}</strong> }.into_any(),
        };
        view! {
            <tr>
                <Cell head=true>{host.name}</Cell>
                <Cell label="Ok" numeric=true>{host.ok}</Cell>
                <Cell label="Changed" numeric=true>{host.changed}</Cell>
                <Cell label="Failed" numeric=true>{bad(host.failed)}</Cell>
                <Cell label="Unreachable" numeric=true>{bad(host.unreachable)}</Cell>
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
    view! {
            <div class="columns">
                <Section title="Hosts" id="times" flush=true>
                    <DataTable caption="Tasks of each host by how they ended" columns=vec![Column::text("Host"), Column::number("Ok"), Column::number("Changed"), Column::number("Failed"), Column::number("Unreachable"), Column::number("Skipped"), Column::number("Took")]>{hosts}</DataTable>
                    {more}
                </Section>
                <Section title="Tasks" id="tasks" flush=true>
                    <DataTable caption="Tasks in their order" columns=vec![Column::text("Task"), Column::number("Hosts"), Column::number("Failed"), Column::number("Longest"), Column::text("On")]>{tasks}</DataTable>
                </Section>
            </div>
    }
    .into_any()
}
