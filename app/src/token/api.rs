//! Server functions of tokens.

use leptos::prelude::*;
use view::{input::EndTokenInput, token::TokenList};

#[cfg(feature = "ssr")]
use crate::{
    context::{answer, ctx},
    form::ssr::finish,
};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "token/list", output = Wire)]
pub async fn tokens(cursor: Option<String>) -> Result<TokenList, PageError> {
    answer(ctx()?.tokens(cursor).await)
}

#[server(endpoint = "token/end")]
pub async fn end_token(input: EndTokenInput) -> Result<(), PageError> {
    let done = ctx()?.end_token(input.clone()).await;
    let form = format!("end-{}", input.token);
    finish(&form, &input, done.map(|()| "/tokens".to_owned())).await
}
