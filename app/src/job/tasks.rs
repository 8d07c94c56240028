//! The output of a job by play, task and host.

use domain::id::JobId;
use leptos::task::spawn_local;
use ui::prelude::*;
use ui::{Alert, ButtonTone, Cell, Column, DataTable, EmptyState, LogRow, TimeText, Tone, figure};
use view::job::{JobTasks, LogLine, TaskGroup};

use crate::job::{api::log, search::line_address};

/// Lines of a task that are shown below it; the rest is in the output.
const MOST_LINES: u64 = 300;

/// Tasks that open; those in which something failed are open.
pub(super) fn tasks_view(id: JobId, tasks: JobTasks) -> AnyView {
    if tasks.plays.iter().all(|play| play.tasks.is_empty()) {
        return view! { <EmptyState title="No task yet">"Tasks appear here once the playbook has begun with one; reload to see those that came since."</EmptyState> };
    }
    let plays = tasks.plays.into_iter().map(|play| {
        let tasks = play.tasks.into_iter().map(|task| task_view(id, task));
        let tasks = tasks.collect_view();
        view! {
            <li>
                <h3 class="play-name">{play.name}</h3>
                <ul class="play-tasks">{tasks}</ul>
            </li>
        }
    });
    let plays = plays.collect_view();
    let more = tasks.more.then(|| view! { <p class="section-more">"There are more tasks than are shown here; all of them are in the lines."</p> });
    view! {
        <ul class="plays">{plays}</ul>
        {more}
    }
}

fn task_view(id: JobId, task: TaskGroup) -> AnyView {
    let number = |n: u64| figure::number(n as f64);
    let counts: Vec<String> = [
        (task.failed, "failed"),
        (task.changed, "changed"),
        (task.ok, "ok"),
        (task.skipped, "skipped"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{} {word}", number(count)))
    .collect();
    let failed = task.failed > 0;
    let tone = if failed { Tone::Bad } else { Tone::Neutral };
    let at = task.at.map(|at| view! { <TimeText at seconds=true /> });
    let hosts = task.hosts.into_iter().map(|host| {
        let status = if host.bad {
            view! { <strong>{host.status}</strong> }
        } else {
            host.status.into_any()
        };
        view! {
            <tr>
                <Cell head=true>{host.host}</Cell>
                <Cell label="Ended">{status}</Cell>
                <Cell label="Took" numeric=true>{format!("{} s", figure::number(host.ms as f64 / 1000.0))}</Cell>
                <Cell label="Because"><span>{host.message}</span></Cell>
            </tr>
        }
    });
    let hosts: Vec<_> = hosts.collect();
    let caption = format!("Hosts of {}", task.name);
    let hosts = (!hosts.is_empty()).then(|| view! { <DataTable caption columns=vec![Column::text("Host"), Column::text("Ended"), Column::number("Took"), Column::text("Because")]>{hosts.collect_view()}</DataTable> });
    let more = (task.more > 0)
        .then(|| view! { <p class="section-more">{format!("and {} more", number(task.more))}</p> });
    let lines = task.line.map(|line| lines_view(id, line, task.lines));
    view! {
        <li>
            <details class=format!("task {}", tone.class()) open=failed>
                <summary>
                    <span class="task-name">{task.name}</span>
                    <span class="task-counts">{counts.join(", ")}</span>
                    {at}
                </summary>
                {hosts}
                {more}
                {lines}
            </details>
        </li>
    }
}

/// A link to the lines of a task, and a button that brings them here.
fn lines_view(id: JobId, line: u64, count: u64) -> AnyView {
    let lines: RwSignal<Option<Result<Vec<LogLine>, String>>> = RwSignal::new(None);
    let awake = RwSignal::new(false);
    Effect::new(move |_| awake.set(true));
    let bring = move |_| {
        spawn_local(async move {
            let limit = u32::try_from(count.min(MOST_LINES)).unwrap_or(1);
            let answer = log(id, line, limit).await;
            let _ = lines.try_set(Some(
                answer.map(|page| page.lines).map_err(|why| why.to_string()),
            ));
        });
    };
    let shown = move || {
        lines.get().map(|lines| match lines {
            Ok(lines) => {
                let rows = lines.into_iter().map(|line| {
                    let href = line_address(id, line.number);
                    view! { <LogRow line href /> }
                });
                let rows = rows.collect_view();
                view! { <div class="log" role="group" aria-label="Lines of this task">{rows}</div> }
            }
            Err(why) => view! { <Alert tone=Tone::Warn>{why}</Alert> },
        })
    };
    let label = format!(
        "{} from line {line}",
        figure::count(u32::try_from(count).unwrap_or(u32::MAX), "line")
    );
    view! {
        <p class="section-more">
            <a rel="external" href=line_address(id, line)>{label}</a>
            {move || (awake.get() && lines.with(Option::is_none)).then(|| view! { <button type="button" class=ButtonTone::Quiet.class() on:click=bring>"Show them here"</button> })}
        </p>
        {shown}
    }
}
