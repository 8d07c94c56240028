//! Output of jobs: numbered lines with colours, a permanent link to each.

mod ansi;

use crate::prelude::*;
use view::job::LogLine;

pub use ansi::{Span, spans};

/// Lines of output. The page scrolls, not the log, so nothing traps the reader. `children` go below: newer [`LogRow`]s.
#[component]
pub fn LogView(
    #[prop(optional)] lines: Vec<LogLine>,
    /// Long lines stay in one row, and the log is scrolled sideways.
    #[prop(optional, into)]
    unwrapped: Signal<bool>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="log" class:is-unwrapped=unwrapped id="log" role="group" aria-label="Output" tabindex=move || if unwrapped.get() { "0" } else { "-1" }>
            {lines.into_iter().map(|line| view! { <LogRow line /> }).collect_view()}
            {children.map(|children| children())}
        </div>
    }
}

/// One line; `#L12` leads to line 12.
#[component]
pub fn LogRow(
    line: LogLine,
    /// Where the number leads, for a line that stands elsewhere than in its output.
    #[prop(optional)]
    href: Option<String>,
    /// The line that the address names: a line that came into the page later is not found by the browser itself.
    #[prop(optional, into)]
    here: Signal<Option<u64>>,
) -> impl IntoView {
    let number = line.number;
    let anchor = format!("L{number}");
    let place = href.is_none().then(|| anchor.clone());
    let href = href.unwrap_or_else(|| format!("#{anchor}"));
    let text = spans(&line.text)
        .into_iter()
        .map(|span| match span.class() {
            Some(class) => view! { <span class=class>{span.text}</span> }.into_any(),
            None => span.text.into_any(),
        })
        .collect_view();
    view! {
        <div class="log-line" class:is-here=move || here.get() == Some(number) id=place>
            <a class="log-number" rel="external" href=href aria-label=format!("Line {number}")>{number}</a>
            <span class="log-text">{text}</span>
        </div>
    }
}
