//! The list of services.

use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use ui::prelude::*;
use ui::{Cell, Column, DataTable, EmptyState, Icon, LinkButton, PageHeader, Pager, Section, Tag};
use view::service::{ServiceList, ServiceRow};

use crate::{load, service::api::services};

/// The list of services.
#[component]
pub fn ServicesPage() -> impl IntoView {
    let cursor = move || use_query_map().with(|query| query.get("cursor"));
    let read = load::read(cursor, services);
    view! {
        <Title text="Services" />
        {load::draw(read, "services", move |list| services_view(list, cursor()))}
    }
}

fn services_view(
    ServiceList { page, may_onboard }: ServiceList,
    cursor: Option<String>,
) -> impl IntoView {
    let shown = page.items.len();
    let first = cursor.is_some().then(|| "/services".to_owned());
    let next = page.next.map(|cursor| format!("/services?cursor={cursor}"));
    let rows = page.items.into_iter().map(row).collect_view();
    view! {
        <PageHeader
            title="Services"
            sub=|| "What teams bring in and roll out."
            actions=move || view! { <LinkButton id="onboard" href="/services/new" tone=ui::ButtonTone::Primary icon=Some(Icon::Plus) allowance=may_onboard.clone()>"Bring a service in"</LinkButton> }
        />
        {if shown == 0 {
            view! {
                <EmptyState title="No service yet">"Bring the first one in: it takes its name, its hosts and the metrics it is judged by."</EmptyState>
            }
                .into_any()
        } else {
            view! {
                <Section title="All services" id="services" flush=true>
                    <DataTable caption="Services" columns=vec![Column::text("Service"), Column::text("Team"), Column::text("Runs")]>{rows}</DataTable>
                    <Pager shown what="services" first next />
                </Section>
            }
                .into_any()
        }}
    }
}

fn row(service: ServiceRow) -> impl IntoView {
    let runs = service
        .runs_in()
        .into_iter()
        .map(|(environment, runs)| view! { <Tag text=format!("{environment} {runs}") /> })
        .collect_view();
    view! {
        <tr>
            <Cell head=true>
                <a href=format!("/services/{}", service.slug)>{service.name}</a>
                <p class="muted">{service.description}</p>
            </Cell>
            <Cell label="Team">{service.team}</Cell>
            <Cell label="Runs">{runs}</Cell>
        </tr>
    }
}
