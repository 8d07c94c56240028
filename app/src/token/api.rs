//! Server functions of tokens.

use leptos::prelude::*;
use view::{
    input::{AccountInput, EndTokenInput, TokenInput},
    token::TokenList,
};

#[cfg(feature = "ssr")]
use crate::{
    context::{answer, ctx},
    form::ssr::{finish, sent_from, show_once},
};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "token/list", output = Wire)]
pub async fn tokens(cursor: Option<String>) -> Result<TokenList, PageError> {
    answer(ctx()?.tokens(cursor).await)
}

/// The secret is shown on the page that follows, once.
#[server(endpoint = "token/make")]
pub async fn make_token(input: TokenInput) -> Result<(), PageError> {
    let ctx = ctx()?;
    let own = input.person == ctx.subject().user.to_string();
    match ctx.make_token(input.clone()).await {
        Ok(secret) => {
            let address = format!("{}#{MADE}", page_of(&input.person, own));
            show_once(&input.person, &address, secret).await
        }
        Err(error) => finish("token", &input, Err(error)).await,
    }
}

/// Where the secret stands on that page.
pub const MADE: &str = "token-made";

#[server(endpoint = "token/account")]
pub async fn make_account(input: AccountInput) -> Result<(), PageError> {
    let made = ctx()?.make_account(input.clone()).await;
    let page = made.map(|id| format!("/people/{id}"));
    finish("account", &input, page).await
}

#[server(endpoint = "token/end")]
pub async fn end_token(input: EndTokenInput) -> Result<(), PageError> {
    let done = ctx()?.end_token(input.clone()).await;
    let form = format!("end-{}", input.token);
    let headers: axum::http::HeaderMap = leptos_axum::extract().await.unwrap_or_default();
    finish(&form, &input, done.map(|()| sent_from(&headers))).await
}

#[cfg(feature = "ssr")]
fn page_of(person: &str, own: bool) -> String {
    match own {
        true => "/me".to_owned(),
        false => format!("/people/{person}"),
    }
}
