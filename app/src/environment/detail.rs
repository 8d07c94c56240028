//! One environment and its hosts.

use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use ui::prelude::*;
use ui::{
    Button, ButtonTone, Cell, Column, Confirm, Crumb, DataTable, EmptyState, ErrorPanel, Icon,
    PageHeader, Pager, Section, Tag, TextArea, TimeText,
};
use view::{
    audit::AuditRow,
    environment::{EnvironmentView, HostRow},
};

use crate::{
    environment::{api::environment, list::approval},
    form::typed,
    load,
};

/// One environment with a page of its hosts.
#[component]
pub fn EnvironmentPage() -> impl IntoView {
    let slug = move || use_params_map().with(|params| params.get("slug").unwrap_or_default());
    let cursor = move || use_query_map().with(|query| query.get("cursor"));
    let read = load::read(
        move || (slug(), cursor()),
        |(slug, cursor)| environment(slug, cursor),
    );
    load::draw(read, "the environment", move |view| {
        environment_view(view, cursor())
    })
}

fn environment_view(
    EnvironmentView {
        environment,
        hosts,
        may_import,
        last_import,
    }: EnvironmentView,
    cursor: Option<String>,
) -> impl IntoView {
    let form = typed("import");
    let open = form.error().is_some();
    let other = form
        .other_error(&["inventory"])
        .map(|error| view! { <ErrorPanel error /> });
    let here = format!("/environments/{}", environment.slug);
    let first = cursor.is_some().then(|| here.clone());
    let next = hosts.next.map(|cursor| format!("{here}?cursor={cursor}"));
    let shown = hosts.items.len();
    let rows = hosts.items.into_iter().map(row).collect_view();
    let crumbs = vec![
        Crumb::link("Environments", "/environments"),
        Crumb::here(environment.name.clone()),
    ];
    let sub = format!(
        "{} · {} hosts · approval {}",
        environment.purpose,
        environment.hosts,
        approval(environment.approval).to_ascii_lowercase()
    );
    view! {
        <Title text=environment.name.clone() />
        <PageHeader title=environment.name.clone() crumbs sub=move || sub.clone() />
        {last_import.map(last_import_view)}
        {if shown == 0 {
            view! { <EmptyState title="No hosts yet">"Paste an Ansible inventory below: Slipway reads it with Ansible itself."</EmptyState> }.into_any()
        } else {
            view! {
                <Section title="Hosts" id="hosts" flush=true>
                    <DataTable caption="Hosts" columns=vec![Column::text("Host"), Column::text("Runs"), Column::text("Address"), Column::text("Criticality"), Column::text("Failure domain"), Column::text("Groups"), Column::text("Variables")]>{rows}</DataTable>
                    <Pager shown what="hosts" first next />
                </Section>
            }
                .into_any()
        }}
        <Confirm id="import" label="Import hosts" icon=Some(Icon::Plus) allowance=may_import open>
            {other}
            <form method="post" action="/api/host/import">
                <input type="hidden" name="input[environment]" value=environment.slug />
                <TextArea
                    name="input[inventory]"
                    id="inventory"
                    label="Ansible inventory"
                    value=form.value("inventory", "")
                    error=form.field_error("inventory")
                    mono=true
                    rows=12
                    hint="INI or YAML. Hosts are added or changed, never removed. slipway_criticality (low, normal, high), slipway_failure_domain and slipway_identity (cloud or agent id) tell Slipway what it should know."
                />
                <Button tone=ButtonTone::Primary>"Import"</Button>
            </form>
        </Confirm>
    }
}

fn last_import_view(event: AuditRow) -> impl IntoView {
    let reason = (!event.reason.is_empty()).then(|| view! { <p class="muted">{event.reason}</p> });
    view! {
        <Section title="Last import" id="last-import">
            <div>
                <p>{event.summary} ", by " {event.actor} ", " <TimeText at=event.at /></p>
                {reason}
            </div>
        </Section>
    }
}

fn row(host: HostRow) -> impl IntoView {
    let groups = host
        .groups
        .into_iter()
        .map(|group| view! { <Tag text=group /> })
        .collect_view();
    let runs = if host.runs.is_empty() {
        view! { <span class="muted">"not known"</span> }
    } else {
        let run = |(service, version)| view! { <p>{service} " " <code>{version}</code></p> };
        host.runs.into_iter().map(run).collect_view().into_any()
    };
    let identity = (host.identity != host.name).then_some(host.identity);
    view! {
        <tr>
            <Cell head=true>{host.name} {identity.map(|identity| view! { <p class="muted">{identity}</p> })}</Cell>
            <Cell label="Runs">{runs}</Cell>
            <Cell label="Address"><code>{host.address}</code></Cell>
            <Cell label="Criticality">{host.criticality.word()}</Cell>
            <Cell label="Failure domain">{host.failure_domain}</Cell>
            <Cell label="Groups">{groups}</Cell>
            <Cell label="Variables"><code>{host.variables.join(" ")}</code></Cell>
        </tr>
    }
}
