//! Server functions of environments and hosts.

use leptos::prelude::*;
use view::{
    environment::{EnvironmentList, EnvironmentView, InventoryDiff},
    input::{EnvironmentInput, ImportInput, ReachInput},
};

#[cfg(feature = "ssr")]
use crate::{
    context::{answer, ctx},
    form::ssr::{finish, show_again},
};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "environment/list", output = Wire)]
pub async fn environments() -> Result<EnvironmentList, PageError> {
    answer(ctx()?.environments().await)
}

#[server(endpoint = "environment/show", output = Wire)]
pub async fn environment(
    slug: String,
    cursor: Option<String>,
) -> Result<EnvironmentView, PageError> {
    answer(ctx()?.environment(slug, cursor).await)
}

#[server(endpoint = "environment/add")]
pub async fn add_environment(input: EnvironmentInput) -> Result<(), PageError> {
    let done = ctx()?
        .add_environment(input.clone())
        .await
        .map(|slug| format!("/environments/{slug}"));
    finish("environment", &input, done).await
}

#[server(endpoint = "environment/reach")]
pub async fn set_reach(input: ReachInput) -> Result<(), PageError> {
    let done = ctx()?.set_reach(input.clone()).await;
    // A form that comes back through the session holds no secret.
    let shown = ReachInput {
        private_key: String::new(),
        become_password: String::new(),
        vault_password: String::new(),
        ..input
    };
    finish("reach", &shown, done).await
}

#[server(name = ReadInventoryDiff, endpoint = "host/difference", output = Wire)]
pub async fn inventory_diff(input: ImportInput) -> Result<InventoryDiff, PageError> {
    answer(ctx()?.inventory_difference(input).await)
}

/// Comes back to the form, which then shows what the inventory would change.
#[server(name = LookAtInventory, endpoint = "host/look")]
pub async fn look(input: ImportInput) -> Result<(), PageError> {
    ctx()?;
    show_again("import", "import", &input).await
}

#[server(endpoint = "host/import")]
pub async fn import_hosts(input: ImportInput) -> Result<(), PageError> {
    let page = format!("/environments/{}", input.environment);
    let done = ctx()?.import_hosts(input.clone()).await.map(|_| page);
    finish("import", &input, done).await
}
