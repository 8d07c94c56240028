//! Server functions of projects.

use leptos::prelude::*;
use view::{
    input::{PlaybooksInput, ProjectInput},
    project::ProjectList,
};

#[cfg(feature = "ssr")]
use crate::{
    context::{answer, ctx},
    form::ssr::finish,
};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "project/list", output = Wire)]
pub async fn projects() -> Result<ProjectList, PageError> {
    answer(ctx()?.projects().await)
}

#[server(endpoint = "project/set")]
pub async fn set_project(input: ProjectInput) -> Result<(), PageError> {
    let done = ctx()?.set_project(input.clone()).await;
    // A form that comes back through the session holds no secret.
    let shown = ProjectInput {
        token: String::new(),
        private_key: String::new(),
        ..input
    };
    finish("project", &shown, done).await
}

#[server(endpoint = "project/fetch")]
pub async fn fetch_project(project: String) -> Result<(), PageError> {
    let done = ctx()?.fetch_project(project).await;
    finish("projects", &(), done).await
}

#[server(endpoint = "service/playbooks")]
pub async fn choose_playbooks(input: PlaybooksInput) -> Result<(), PageError> {
    let done = ctx()?.choose_playbooks(input.clone()).await;
    finish("playbooks", &input, done).await
}
