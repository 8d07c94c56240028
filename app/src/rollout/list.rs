//! The list of rollouts.

use domain::rollout::RolloutState;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use ui::prelude::*;
use ui::{
    BatchDots, Button, ButtonTone, Cell, Choice, Column, DataTable, EmptyState, Icon, LinkButton,
    Look, PageHeader, Pager, Section, Select, StateBadge, TimeText,
};
use view::{
    input::RolloutQuery,
    rollout::{RolloutList, RolloutRow},
};

use crate::{load, narrow, rollout::api::rollouts};

/// Every rollout, newest first.
#[component]
pub fn RolloutsPage() -> impl IntoView {
    let query = move || {
        use_query_map().with(|query| RolloutQuery {
            service: query.get("service").filter(|text| !text.is_empty()),
            environment: query.get("environment").filter(|text| !text.is_empty()),
            state: query.get("state").filter(|text| !text.is_empty()),
            cursor: query.get("cursor"),
        })
    };
    let read = load::read(query, rollouts);
    view! {
        <Title text="Rollouts" />
        {load::draw(read, "rollouts", move |list| rollouts_view(list, query()))}
    }
}

fn rollouts_view(
    RolloutList { page, may_request }: RolloutList,
    query: RolloutQuery,
) -> impl IntoView {
    let shown = page.items.len();
    let [service, environment, state] = [&query.service, &query.environment, &query.state]
        .map(|text| text.as_deref().unwrap_or(""));
    let places = [("service", service), ("environment", environment)];
    let kept = narrow::kept("/rollouts", &places);
    let here = narrow::address("/rollouts", &[places[0], places[1], ("state", state)]);
    let filtered = !here.ends_with('?');
    let first = query.cursor.is_some().then(|| here.clone());
    let next = page.next.map(|cursor| format!("{here}cursor={cursor}"));
    let table = rollout_table(page.items);
    let states = [
        Choice::new("", "Any state", ""),
        Choice::new(RolloutQuery::OPEN, "Open", ""),
        Choice::new(RolloutQuery::WAITING, "Waits for a person", ""),
    ]
    .into_iter()
    .chain(
        RolloutState::WORDS
            .iter()
            .map(|word| Choice::new(*word, Look::rollout(word).label, "")),
    )
    .collect();
    view! {
        <PageHeader
            title="Rollouts"
            sub=|| "Changes on their way to hosts, batch by batch."
            actions=move || view! { <LinkButton id="new" href="/rollouts/new" tone=ButtonTone::Primary icon=Some(Icon::Plus) allowance=may_request.clone()>"New rollout"</LinkButton> }
        />
        <form method="get" action="/rollouts" class="filter" role="search">
            <Select name="state" label="State" choices=states value=state.to_owned() required=false />
            <Button>"Filter"</Button>
            {kept}
        </form>
        {match (shown, filtered) {
            (0, true) => view! { <EmptyState title="No rollout like this"><a href="/rollouts">"Show every rollout"</a></EmptyState> }.into_any(),
            (0, false) => {
                view! { <EmptyState title="No rollout yet">"Bring a service in, import the hosts of an environment, then request the first rollout."</EmptyState> }.into_any()
            }
            _ => {
                view! {
                    <Section title=if filtered { "Rollouts" } else { "All rollouts" } id="rollouts" flush=true>
                        {table}
                        <Pager shown what="rollouts" first next />
                    </Section>
                }
                    .into_any()
            }
        }}
    }
}

/// Rollouts as a table.
pub fn rollout_table(rollouts: Vec<RolloutRow>) -> impl IntoView {
    let rows = rollouts.into_iter().map(row).collect_view();
    view! {
        <DataTable caption="Rollouts, newest first" columns=vec![Column::text("Rollout"), Column::text("State"), Column::text("Batches"), Column::text("Requested by"), Column::text("Requested")]>
            {rows}
        </DataTable>
    }
}

fn row(rollout: RolloutRow) -> impl IntoView {
    let look = Look::standing(&rollout.state, &rollout.batches);
    view! {
        <tr>
            <Cell head=true>
                <a href=format!("/rollouts/{}", rollout.id)>{format!("{} {}", rollout.service, rollout.version)}</a>
                " to "
                {rollout.environment}
            </Cell>
            <Cell label="State"><StateBadge look /></Cell>
            <Cell label="Batches"><BatchDots batches=rollout.batches /></Cell>
            <Cell label="Requested by">{rollout.requested_by}</Cell>
            <Cell label="Requested"><TimeText at=rollout.created_at /></Cell>
        </tr>
    }
}
