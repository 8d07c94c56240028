//! Searching the output of a job.

use domain::id::JobId;
use ui::prelude::*;
use ui::{Alert, ButtonTone, LogRow, Section, Tone, figure};
use view::job::LogFound;

/// A line with so many above it on its page.
pub(super) fn line_address(id: JobId, line: u64) -> String {
    const ABOVE: u64 = 50;
    format!(
        "/jobs/{id}?from={}#L{line}",
        line.saturating_sub(ABOVE).max(1)
    )
}

/// The tools of the output: search, the first failure, the whole file; and what a search found.
pub(super) fn search_view(
    id: JobId,
    text: String,
    found: Option<Result<LogFound, String>>,
    first_failure: Signal<Option<u64>>,
) -> impl IntoView {
    let failure = move || {
        first_failure.get().map(|line| {
            view! { <a class=ButtonTone::Plain.class() rel="external" href=line_address(id, line)>"First failure"</a> }
        })
    };
    let asked = text.clone();
    let found = found.map(|found| match found {
        Ok(found) => found_view(id, asked, found).into_any(),
        Err(why) => {
            view! { <Alert tone=Tone::Warn title="The output could not be searched">{why}</Alert> }
                .into_any()
        }
    });
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
