//! What a dry run told.

use ui::prelude::*;
use ui::{Alert, Section, Tone, figure};
use view::job::{Foreseen, ForeseenChange, ForeseenHost};

/// Each host with what a deploy would change on it, folded; what would refuse it is open.
pub fn foreseen_view(Foreseen { hosts, more }: Foreseen) -> Option<AnyView> {
    if hosts.is_empty() {
        return None;
    }
    let rows = hosts.into_iter().map(host).collect_view();
    let more =
        (more > 0).then(|| view! { <p class="muted">{format!("and {more} more hosts")}</p> });
    let view = view! {
        <Section title="What a deploy would do" id="foreseen">
            <div class="foreseen">{rows} {more}</div>
        </Section>
    };
    Some(view.into_any())
}

fn host(ForeseenHost { name, changes }: ForeseenHost) -> impl IntoView {
    let refused = changes.iter().any(|change| !change.refusal.is_empty());
    let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    let says = match refused {
        true => "would be refused".to_owned(),
        false => figure::count(count, "change"),
    };
    let changes = changes.into_iter().map(change).collect_view();
    view! {
        <details class="more" open=refused>
            <summary>{name} " · " {says}</summary>
            {changes}
        </details>
    }
}

fn change(change: ForeseenChange) -> impl IntoView {
    let ForeseenChange {
        task,
        diff,
        refusal,
    } = change;
    let diff = (!diff.is_empty()).then(|| {
        let lines = diff.lines().map(|line| {
            let class = match line.as_bytes().first() {
                Some(b'+') => "diff-new",
                Some(b'-') => "diff-old",
                _ => "",
            };
            view! { <span class=class>{line.to_owned()} "\n"</span> }
        });
        view! { <pre class="diff-text">{lines.collect_view()}</pre> }
    });
    let refusal = (!refusal.is_empty())
        .then(|| view! { <Alert tone=Tone::Bad title="This would be refused">{refusal}</Alert> });
    view! { <p>{task}</p> {diff} {refusal} }
}
