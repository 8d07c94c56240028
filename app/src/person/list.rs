//! The list of people.

use domain::person::{PersonKind, PersonState};
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use ui::prelude::*;
use ui::{
    Alert, Button, ButtonTone, Cell, Column, Confirm, DataTable, EmptyState, PageHeader, Pager,
    ReasonField, Section, Tags, TextField, TimeText, Tone,
};
use view::{
    access::Allowance,
    person::{PeopleList, PersonRow},
};

use crate::{form::typed, load, person::api::people};

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

fn page(list: PeopleList, cursor: Option<String>) -> impl IntoView {
    let PeopleList {
        page,
        may_make_account,
    } = list;
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
            <a href="/tokens">"Tokens of programs and the command line"</a>
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
        {account_form(may_make_account)}
    }
}

fn account_form(allowance: Allowance) -> impl IntoView {
    const FIELDS: &[&str] = &["name", "reason"];
    let typed = typed("account");
    let other = typed.other_error(FIELDS).map(
        |error| view! { <Alert tone=Tone::Bad title="Nothing was made">{error.message()}</Alert> },
    );
    view! {
        <Confirm id="account" label="Make a service account" allowance open=typed.error().is_some()>
            <p>"A program acts for it, with tokens, as far as the roles go that it is given. Nobody signs in with it."</p>
            <form method="post" action="/api/token/account" class="form">
                {other}
                <TextField name="input[name]" id="account-name" label="Name" value=typed.value("name", "") error=typed.field_error("name") hint="What acts, such as “Release pipeline”." />
                <ReasonField id="account-reason" name="input[reason]" value=typed.value("reason", "") error=typed.field_error("reason") />
                <Button tone=ButtonTone::Go>"Make"</Button>
            </form>
        </Confirm>
    }
}

fn row(person: PersonRow) -> impl IntoView {
    let none = person.roles.is_empty();
    let out = (person.state == PersonState::Disabled)
        .then(|| view! { <p><strong>"Kept out"</strong> " · " {person.state_reason}</p> });
    let (known, seen) = match person.kind {
        PersonKind::Human => (
            person.email,
            view! { <TimeText at=person.seen_at /> }.into_any(),
        ),
        PersonKind::Service => (
            "service account".to_owned(),
            view! { <span class="muted">"never"</span> }.into_any(),
        ),
    };
    view! {
        <tr>
            <Cell head=true><a href=format!("/people/{}", person.id)>{person.name}</a> <p class="muted">{known}</p> {out}</Cell>
            <Cell label="Roles"><Tags texts=person.roles /> {none.then(|| view! { <span class="muted">"none"</span> })}</Cell>
            <Cell label="Signed in last">{seen}</Cell>
        </tr>
    }
}
