//! The list of tokens.

use domain::Timestamp;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use ui::prelude::*;
use ui::{
    ButtonTone, Cell, Column, ConfirmForm, Crumb, DataTable, EmptyState, PageHeader, Pager,
    Section, Tags, TimeText,
};
use view::token::{TokenLine, TokenList};

use crate::{
    form::{typed, undone},
    load,
    token::api::tokens,
};

/// Every token that was ever made.
#[component]
pub fn TokensPage() -> impl IntoView {
    let cursor = move || use_query_map().with(|query| query.get("cursor"));
    let read = load::read(cursor, async |cursor| {
        Ok((tokens(cursor.clone()).await?, cursor))
    });
    view! {
        <Title text="Tokens" />
        {load::draw(read, "tokens", |(list, cursor)| page(list, cursor))}
    }
}

fn page(list: TokenList, cursor: Option<String>) -> impl IntoView {
    let TokenList { page, now, may_end } = list;
    let shown = page.items.len();
    let live = page.items.iter().filter(|token| !token.is_over(now));
    let ending: Vec<String> = live.map(form_of).collect();
    let first = cursor.is_some().then(|| "/tokens".to_owned());
    let next = page.next.map(|cursor| format!("/tokens?cursor={cursor}"));
    let rows = page
        .items
        .into_iter()
        .map(|token| row(token, now, may_end.allowed(), true))
        .collect_view();
    // A token that somebody else ended meanwhile has no form any more.
    let gone = undone(move |form| ending.iter().any(|id| id == form));
    let crumbs = vec![Crumb::link("People", "/people"), Crumb::here("Tokens")];
    view! {
        <PageHeader title="Tokens" crumbs sub=|| "With them, programs and the command line use the API. People make theirs on their own page, and admins those of service accounts on theirs." />
        {gone}
        {if shown == 0 {
            view! { <EmptyState title="No tokens">"Make one on your own page, or “slipway token create” where Slipway runs."</EmptyState> }.into_any()
        } else {
            view! {
                <Section title="All tokens" id="tokens" flush=true>
                    <DataTable caption="Tokens, newest first" columns=columns()>{rows}</DataTable>
                    <Pager shown what="tokens" first next />
                </Section>
            }
            .into_any()
        }}
    }
}

/// Of a table of tokens.
pub fn columns() -> Vec<Column> {
    ["Token", "May", "Used last", "Until", "Change"]
        .map(Column::text)
        .into()
}

/// One token; `linked` to whom it acts for, where that is not whose page it stands on.
pub fn row(token: TokenLine, now: Timestamp, may_end: bool, linked: bool) -> impl IntoView {
    let over = token.is_over(now);
    let end = (!over && may_end).then(|| end_form(&token));
    let holder = token.holder.clone().filter(|_| linked);
    let holder = holder.map(|(id, name)| {
        view! { <p>"for " <a href=format!("/people/{id}")>{name}</a></p> }
    });
    let used = match token.used_at {
        Some(at) => view! { <TimeText at /> }.into_any(),
        None => view! { <span class="muted">"never"</span> }.into_any(),
    };
    let until = match token.ended_at {
        Some(at) => {
            view! { "ended by " {token.ended_by} " " <TimeText at /> ": " {token.ended_reason} }
                .into_any()
        }
        None => view! { <TimeText at=token.expires_at /> }.into_any(),
    };
    let by = match token.made_by.is_empty() {
        true => String::new(),
        false => format!("by {} ", token.made_by),
    };
    view! {
        <tr class:is-past=over>
            <Cell head=true>{token.name} {holder} <p class="muted">"made " {by} <TimeText at=token.created_at /></p></Cell>
            <Cell label="May"><Tags texts=token.roles /></Cell>
            <Cell label="Used last">{used}</Cell>
            <Cell label="Until"><span>{until}</span></Cell>
            <Cell label="Change">{end}</Cell>
        </tr>
    }
}

fn form_of(token: &TokenLine) -> String {
    format!("end-{}", token.id)
}

fn end_form(token: &TokenLine) -> AnyView {
    let id = form_of(token);
    let typed = typed(&id);
    view! {
        <ConfirmForm
            id
            label="End"
            explanation=format!("Whatever uses {} is refused from its next request on. It cannot be brought back.", token.name)
            action="/api/token/end"
            fields=vec![("input[token]", token.id.to_string())]
            tone=ButtonTone::Danger
            reason=typed.value("reason", "")
            reason_name="input[reason]"
            error=typed.error()
        />
    }
    .into_any()
}
