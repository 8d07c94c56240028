//! The list of people.

use domain::person::PersonState;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use ui::prelude::*;
use ui::{Cell, Column, DataTable, EmptyState, PageHeader, Pager, Section, Tags, TimeText};
use view::person::{PeopleList, PersonRow};

use crate::{load, person::api::people};

/// Everybody who ever signed in.
#[component]
pub fn PeoplePage() -> impl IntoView {
    let cursor = move || use_query_map().with(|query| query.get("cursor"));
    let read = load::read(cursor, async |cursor| {
        Ok((people(cursor.clone()).await?, cursor))
    });
    view! {
        <Title text="People" />
        {load::draw(read, "people", |(list, cursor)| page(list, cursor))}
    }
}

fn page(PeopleList { page }: PeopleList, cursor: Option<String>) -> impl IntoView {
    let shown = page.items.len();
    let first = cursor.is_some().then(|| "/people".to_owned());
    let next = page.next.map(|cursor| format!("/people?cursor={cursor}"));
    let rows = page.items.into_iter().map(row).collect_view();
    let files = ["csv", "jsonl"].map(|kind| {
        let href = format!("/download/access?format={kind}");
        view! { <a href=href rel="external" download>{kind.to_uppercase()}</a> " " }
    });
    let files = files.into_iter().collect_view();
    view! {
        <PageHeader title="People" sub=|| "Everybody who signed in, and what they may do. Roles come from groups of the identity provider, or are given here." />
        <p>
            <a href="/tokens">"Tokens of machines and the command line"</a>
            <span class="muted">" · Who holds what: download " {files}</span>
        </p>
        {if shown == 0 {
            view! { <EmptyState title="Nobody here">"People appear when they sign in for the first time."</EmptyState> }.into_any()
        } else {
            view! {
                <Section title="All people" id="people" flush=true>
                    <DataTable caption="People" columns=vec![Column::text("Person"), Column::text("Roles"), Column::text("Signed in last")]>{rows}</DataTable>
                    <Pager shown what="people" first next />
                </Section>
            }
            .into_any()
        }}
    }
}

fn row(person: PersonRow) -> impl IntoView {
    let none = person.roles.is_empty();
    let out = (person.state == PersonState::Disabled)
        .then(|| view! { <p><strong>"Kept out"</strong> " · " {person.state_reason}</p> });
    view! {
        <tr>
            <Cell head=true><a href=format!("/people/{}", person.id)>{person.name}</a> <p class="muted">{person.email}</p> {out}</Cell>
            <Cell label="Roles"><Tags texts=person.roles /> {none.then(|| view! { <span class="muted">"none"</span> })}</Cell>
            <Cell label="Signed in last"><TimeText at=person.seen_at /></Cell>
        </tr>
    }
}
