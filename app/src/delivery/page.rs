//! How delivery goes, from what really ran.

use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use ui::prelude::*;
use ui::{
    Cell, Column, DataTable, EmptyState, Look, PageHeader, Section, Stat, StateBadge, Stats, Tab,
    Tabs, TimeText, figure,
};
use view::delivery::{DeliveryGroup, DeliveryView, DeploymentRow};

use crate::{delivery::api::delivery, load};

const WINDOWS: [u32; 4] = [7, 30, 90, 365];

/// Delivery numbers and the deployments behind them.
#[component]
pub fn DeliveryPage() -> impl IntoView {
    let days = move || {
        use_query_map().with(|query| {
            query
                .get("days")
                .and_then(|days| days.parse().ok())
                .unwrap_or(30)
        })
    };
    let read = load::read(days, delivery);
    view! {
        <Title text="Delivery" />
        {load::draw(read, "delivery numbers", delivery_view)}
    }
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(
        || "—".to_owned(),
        |seconds| figure::length((seconds * 1000.0) as i64),
    )
}

fn delivery_view(view: DeliveryView) -> impl IntoView {
    let DeliveryView {
        days,
        overall,
        by_service,
        deployments,
    } = view;
    let tabs = WINDOWS
        .iter()
        .map(|window| Tab {
            label: format!("{window} days"),
            href: format!("/delivery?days={window}"),
            open: *window == days,
        })
        .collect();
    let empty = deployments.is_empty();
    let groups = by_service.into_iter().map(group).collect_view();
    let rows = deployments.into_iter().map(deployment).collect_view();
    let counted = format!(
        "{} of {}",
        overall.failed,
        figure::count(overall.deployments, "deployment")
    );
    view! {
        <PageHeader title="Delivery" sub=move || format!("Counted from rollouts that touched hosts in the last {days} days.") />
        <Tabs label="Window" tabs />
        <Stats>
            <Stat label="Deployments" value=overall.deployments.to_string() note=format!("{:.1} a week", f64::from(overall.deployments) * 7.0 / f64::from(days)) />
            <Stat label="Change fail rate" value=figure::percent(overall.change_fail_rate) note=counted />
            <Stat label="Recovery time" value=seconds(overall.median_recovery_seconds) note="median, from detection to the finished roll back" />
        </Stats>
        {if empty {
            view! { <EmptyState title="Nothing was deployed in this time">"A rollout counts here once it has succeeded, was rolled back or was stopped."</EmptyState> }.into_any()
        } else {
            view! {
                <Section title="By service" id="by-service" flush=true>
                    <DataTable
                        caption="Delivery by service and environment"
                        columns=vec![Column::text("Service"), Column::text("Environment"), Column::number("Deployments"), Column::number("Change fail rate"), Column::number("Recovery time")]
                    >
                        {groups}
                    </DataTable>
                </Section>
                <Section title="Deployments" id="deployments" flush=true>
                    <DataTable
                        caption="Newest deployments"
                        columns=vec![Column::text("Deployment"), Column::text("Outcome"), Column::text("Released"), Column::text("Finished"), Column::number("Recovered in")]
                    >
                        {rows}
                    </DataTable>
                </Section>
            }
                .into_any()
        }}
    }
}

fn group(group: DeliveryGroup) -> impl IntoView {
    let numbers = group.numbers;
    view! {
        <tr>
            <Cell head=true><a href=format!("/services/{}", group.service)>{group.service.clone()}</a></Cell>
            <Cell label="Environment">{group.environment}</Cell>
            <Cell label="Deployments" numeric=true>{numbers.deployments}</Cell>
            <Cell label="Change fail rate" numeric=true>{figure::percent(numbers.change_fail_rate)}</Cell>
            <Cell label="Recovery time" numeric=true>{seconds(numbers.median_recovery_seconds)}</Cell>
        </tr>
    }
}

fn deployment(row: DeploymentRow) -> impl IntoView {
    view! {
        <tr>
            <Cell head=true>
                <a href=format!("/rollouts/{}", row.rollout)>{format!("{} {} to {}", row.service, row.version, row.environment)}</a>
            </Cell>
            <Cell label="Outcome"><StateBadge look=Look::deployment(row.outcome) /></Cell>
            <Cell label="Released"><TimeText at=row.started_at /></Cell>
            <Cell label="Finished"><TimeText at=row.finished_at /></Cell>
            <Cell label="Recovered in" numeric=true>{seconds(row.recovery_seconds)}</Cell>
        </tr>
    }
}
