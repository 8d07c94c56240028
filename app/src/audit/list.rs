//! The audit trail.

use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use ui::prelude::*;
use ui::{Cell, Column, DataTable, EmptyState, PageHeader, Pager, Section, Tag, TimeText};
use view::{audit::AuditRow, page::Page};

use crate::{audit::api::audit, load};

/// The audit trail, newest first; of one object when the address names it.
#[component]
pub fn AuditPage() -> impl IntoView {
    let asked = move || {
        use_query_map().with(|query| (query.get("kind"), query.get("id"), query.get("cursor")))
    };
    let read = load::read(asked, |(kind, id, cursor)| audit(kind, id, cursor));
    view! {
        <Title text="Audit" />
        {load::draw(read, "the audit trail", move |page| audit_view(page, asked()))}
    }
}

fn audit_view(
    page: Page<AuditRow>,
    (kind, id, cursor): (Option<String>, Option<String>, Option<String>),
) -> impl IntoView {
    let object = kind
        .zip(id)
        .map(|(kind, id)| format!("kind={kind}&id={id}"));
    let here = object
        .as_ref()
        .map_or_else(|| "/audit".to_owned(), |object| format!("/audit?{object}"));
    let first = cursor.is_some().then(|| here.clone());
    let next = page.next.map(|cursor| {
        if object.is_some() {
            format!("{here}&cursor={cursor}")
        } else {
            format!("{here}?cursor={cursor}")
        }
    });
    let shown = page.items.len();
    let rows = audit_rows(page.items, false);
    let whole = object
        .is_some()
        .then(|| view! { <p><a href="/audit">"Show the whole trail"</a></p> });
    view! {
        <PageHeader title="Audit" sub=|| "Who did what, when, why, and what allowed it. Lines are never changed." />
        {whole}
        {if shown == 0 {
            view! { <EmptyState title="Nothing has been recorded here">"Every change, decision and sign-in is written down."</EmptyState> }.into_any()
        } else {
            view! {
                <Section title="Events" id="events" flush=true>
                    {rows}
                    <Pager shown what="events" first next />
                </Section>
            }
                .into_any()
        }}
    }
}

/// Events as a table; those of a single object do not name it in every row.
pub fn audit_rows(events: Vec<AuditRow>, of_one: bool) -> impl IntoView {
    let rows = events
        .into_iter()
        .map(|event| row(event, of_one))
        .collect_view();
    let columns = ["Time", "Who", "What", "Object", "Allowed by"]
        .into_iter()
        .filter(|name| !of_one || *name != "Object")
        .map(Column::text)
        .collect::<Vec<_>>();
    view! { <DataTable caption="Audit events, newest first" columns>{rows}</DataTable> }
}

fn row(event: AuditRow, of_one: bool) -> impl IntoView {
    let object = match event.object_kind.as_str() {
        "rollout" => view! { <a href=format!("/rollouts/{}", event.object_id)>{event.object_name}</a> }.into_any(),
        "service" => view! { <a href=format!("/services/{}", event.object_name)>{event.object_name.clone()}</a> }.into_any(),
        _ => event.object_name.into_any(),
    };
    let reason = (!event.reason.is_empty()).then(|| view! { <p class="muted">{event.reason}</p> });
    view! {
        <tr>
            <Cell label="Time"><TimeText at=event.at seconds=true /></Cell>
            <Cell label="Who">{event.actor}</Cell>
            <Cell head=true>
                {event.summary} " "
                <Tag text=event.action />
                {reason}
            </Cell>
            {(!of_one).then(|| view! { <Cell label="Object">{object}</Cell> })}
            <Cell label="Allowed by"><span class="muted">{event.allowed_by}</span></Cell>
        </tr>
    }
}
