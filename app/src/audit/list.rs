//! The audit trail.

use domain::audit::Changed;
use leptos_meta::Title;
use leptos_router::{hooks::use_query_map, location::Url};
use ui::prelude::*;
use ui::{
    Button, Cell, Choice, Column, DataTable, EmptyState, PageHeader, Pager, Section, Select, Tag,
    TextField, TimeText,
};
use view::{audit::AuditRow, input::AuditQuery, page::Page};

use crate::{audit::api::audit, load, narrow};

/// The audit trail, newest first; the address says which of it.
#[component]
pub fn AuditPage() -> impl IntoView {
    let query = move || {
        use_query_map().with(|query| {
            let value = |name| query.get(name).unwrap_or_default();
            AuditQuery {
                kind: value("kind"),
                id: value("id"),
                who: value("who"),
                about: value("about"),
                from: value("from"),
                to: value("to"),
                words: value("words"),
                cursor: value("cursor"),
            }
        })
    };
    let read = load::read(query, audit);
    view! {
        <Title text="Audit" />
        <PageHeader title="Audit" sub=|| "Who did what, when, why, and what allowed it. Lines are never changed." />
        {move || filters(query())}
        {load::draw(read, "the audit trail", move |page| audit_view(page, query()))}
    }
}

/// The address of the trail with these filters; ends so that more can be added.
fn address(base: &str, query: &AuditQuery) -> String {
    narrow::address(base, &query.filters())
}

fn filters(query: AuditQuery) -> impl IntoView {
    let narrow = query.is_narrow();
    let mut about = vec![Choice::new("", "Everything", "")];
    about.extend(
        AuditQuery::ABOUT
            .iter()
            .map(|word| Choice::new(*word, *word, "")),
    );
    let exports = ["csv", "jsonl", "ocsf"].map(|kind| {
        let href = format!("{}format={kind}", address("/download/audit", &query));
        view! { " " <a href=href rel="external" download>{kind.to_uppercase()}</a> }
    });
    let object = narrow::hidden(&[("kind", &query.kind), ("id", &query.id)]);
    view! {
        <form method="get" action="/audit" class="filter" role="search" aria-label="Search the audit trail">
            {object}
            <TextField name="words" id="audit-words" label="Words" value=query.words required=false />
            <TextField name="who" id="audit-who" label="Who" value=query.who required=false />
            <Select name="about" id="audit-about" label="About" choices=about value=query.about required=false />
            <TextField name="from" id="audit-from" label="From" value=query.from kind="date" required=false />
            <TextField name="to" id="audit-to" label="To" value=query.to kind="date" required=false />
            <div class="filter-buttons">
                <Button>"Search"</Button>
                {narrow.then(|| view! { <a href="/audit">"Show the whole trail"</a> })}
                <span class="muted">"Download" {exports.into_iter().collect_view()}</span>
            </div>
        </form>
    }
}

fn audit_view(page: Page<AuditRow>, query: AuditQuery) -> impl IntoView {
    let here = address("/audit", &query);
    let first = (!query.cursor.is_empty()).then(|| here.clone());
    let next = page.next.map(|cursor| format!("{here}cursor={cursor}"));
    let shown = page.items.len();
    let narrow = query.is_narrow();
    let of_it = |event: &&AuditRow| event.object_kind == query.kind && event.object_id == query.id;
    let only = page.items.iter().find(of_it).map(object);
    let only = only.map(|object| view! { <p class="muted">"Only what is about " {object} "."</p> });
    let rows = audit_rows(page.items, false);
    if shown == 0 {
        let (title, hint) = if narrow {
            (
                "Nothing was found",
                "No line that you may see is as you asked. Of a word only its beginning has to be right; names of people have to be whole.",
            )
        } else {
            (
                "Nothing has been recorded here",
                "Every change, decision and sign-in is written down.",
            )
        };
        return view! { <EmptyState title>{hint}</EmptyState> }.into_any();
    }
    view! {
        {only}
        <Section title="Events" id="events" flush=true>
            {rows}
            <Pager shown what="events" first next />
        </Section>
    }
    .into_any()
}

/// Events as a table; those of a single object do not name it in every row.
pub fn audit_rows(events: Vec<AuditRow>, of_one: bool) -> impl IntoView {
    let rows = events
        .into_iter()
        .map(|event| row(event, of_one))
        .collect_view();
    let columns = ["Time", "Who", "What", "Object", "Decided by"]
        .into_iter()
        .filter(|name| !of_one || *name != "Object")
        .map(Column::text)
        .collect::<Vec<_>>();
    view! { <DataTable caption="Audit events, newest first" columns>{rows}</DataTable> }
}

fn object(event: &AuditRow) -> AnyView {
    let (id, name) = (&event.object_id, event.object_name.clone());
    // Of all of a kind.
    if id.is_empty() {
        return view! { <span class="muted">{event.object_kind.clone()}</span> }.into_any();
    }
    let (href, text) = match event.object_kind.as_str() {
        "rollout" => (format!("/rollouts/{id}"), name),
        "person" => (format!("/people/{id}"), name),
        "job" => (
            format!("/jobs/{id}"),
            format!("Job: {}", name.replace('_', " ")),
        ),
        "service" => (format!("/services/{name}"), name),
        _ => return name.into_any(),
    };
    view! { <a href=href>{text}</a> }.into_any()
}

fn row(event: AuditRow, of_one: bool) -> impl IntoView {
    let object = object(&event);
    let by = format!("/audit?who={}", Url::escape(&event.actor));
    let reason = (!event.reason.is_empty()).then(|| view! { <p class="muted">{event.reason}</p> });
    let changes = event.changes.into_iter().map(change).collect_view();
    let from =
        (!event.address.is_empty()).then(|| view! { <p class="audit-from">{event.address}</p> });
    let token = event
        .token
        .map(|token| view! { <p class="audit-from">"with the token " {token}</p> });
    let request = (!event.request_id.is_empty()).then(|| {
        view! { <details class="audit-request"><summary>"Request"</summary>{event.request_id}</details> }
    });
    view! {
        <tr>
            <Cell label="Time"><TimeText at=event.at seconds=true /></Cell>
            <Cell label="Who"><div><a href=by>{event.actor}</a> {token} {from}</div></Cell>
            <Cell head=true>
                {event.summary} " "
                <Tag text=event.action />
                {changes}
                {reason}
            </Cell>
            {(!of_one).then(|| view! { <Cell label="Object">{object}</Cell> })}
            <Cell label="Decided by">
                <div><span class="muted">{event.allowed_by}</span> {request}</div>
            </Cell>
        </tr>
    }
}

/// What something was, and what it is.
fn change(
    Changed {
        what,
        before,
        after,
    }: Changed,
) -> impl IntoView {
    let before = match before.is_empty() {
        true => view! { <span class="muted">"nothing"</span> }.into_any(),
        false => view! { <del>{before}</del> }.into_any(),
    };
    let after = match after.is_empty() {
        true => view! { <span class="muted">"nothing"</span> }.into_any(),
        false => view! { <ins>{after}</ins> }.into_any(),
    };
    view! { <p class="audit-change">{what} ": " {before} " → " {after}</p> }
}
