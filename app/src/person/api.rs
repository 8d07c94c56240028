//! Server functions of people.

use domain::id::UserId;
use leptos::prelude::*;
use view::{
    input::{EndGrantInput, EndSessionInput, GrantInput, PersonInput},
    person::{PeopleList, PersonView},
};

#[cfg(feature = "ssr")]
use crate::{
    context::{answer, ctx, session},
    form::ssr::{finish, take_once},
};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "person/list", output = Wire)]
pub async fn people(cursor: Option<String>) -> Result<PeopleList, PageError> {
    answer(ctx()?.people(cursor).await)
}

/// Nobody named is whoever asks.
#[server(endpoint = "person/show", output = Wire)]
pub async fn person(id: Option<UserId>) -> Result<PersonView, PageError> {
    let ctx = ctx()?;
    let id = id.unwrap_or(ctx.subject().user);
    let mut view = answer(ctx.person(id, session()).await)?;
    view.secret = take_once(&id.to_string()).await;
    Ok(view)
}

#[server(endpoint = "person/set")]
pub async fn set_person(input: PersonInput) -> Result<(), PageError> {
    let done = ctx()?.set_person(input.clone()).await;
    finish("person", &input, done.map(|()| page(&input.person))).await
}

#[server(endpoint = "person/give")]
pub async fn give_role(input: GrantInput) -> Result<(), PageError> {
    let done = ctx()?.give_role(input.clone()).await;
    finish("give", &input, done.map(|()| page(&input.person))).await
}

#[server(endpoint = "person/take")]
pub async fn take_role(input: EndGrantInput) -> Result<(), PageError> {
    let done = ctx()?.take_role(input.clone()).await;
    let form = format!("take-{}", input.grant);
    finish(&form, &input, done.map(|()| page(&input.person))).await
}

#[server(endpoint = "person/end")]
pub async fn end_sessions(input: EndSessionInput) -> Result<(), PageError> {
    let ctx = ctx()?;
    let own = input.person == ctx.subject().user.to_string();
    let done = ctx.end_sessions(input.clone(), session()).await;
    let back = if own {
        "/me".to_owned()
    } else {
        page(&input.person)
    };
    finish("sessions", &input, done.map(|()| back)).await
}

#[cfg(feature = "ssr")]
fn page(person: &str) -> String {
    format!("/people/{person}")
}
