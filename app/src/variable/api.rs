//! Server functions of variables.

use leptos::prelude::*;
use view::input::{VariableInput, VariableRemoval};

use crate::error::PageError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, form::ssr::finish};

#[server(endpoint = "variable/set")]
pub async fn set_variable(input: VariableInput) -> Result<(), PageError> {
    let done = ctx()?.set_variable(input.clone()).await;
    // A form that comes back through the session holds no secret.
    let shown = VariableInput {
        value: if input.kind == "secret" {
            String::new()
        } else {
            input.value
        },
        ..input
    };
    finish("variable", &shown, done).await
}

#[server(endpoint = "variable/remove")]
pub async fn remove_variable(input: VariableRemoval) -> Result<(), PageError> {
    let done = ctx()?.remove_variable(input.clone()).await;
    finish("variables", &input, done).await
}
