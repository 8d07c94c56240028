//! Server functions of services.

use leptos::prelude::*;
use view::{
    input::OnboardingInput,
    service::{OnboardingForm, ServiceList, ServiceView},
};

#[cfg(feature = "ssr")]
use crate::{
    context::{answer, ctx},
    form::ssr::finish,
};
use crate::{error::PageError, wire::Wire};

#[server(endpoint = "service/list", output = Wire)]
pub async fn services(cursor: Option<String>) -> Result<ServiceList, PageError> {
    answer(ctx()?.services(cursor).await)
}

#[server(endpoint = "service/show", output = Wire)]
pub async fn service(slug: String) -> Result<ServiceView, PageError> {
    answer(ctx()?.service(slug).await)
}

#[server(name = ReadOnboardingForm, endpoint = "service/form", output = Wire)]
pub async fn onboarding_form() -> Result<OnboardingForm, PageError> {
    answer(ctx()?.onboarding_form().await)
}

#[server(endpoint = "service/onboard")]
pub async fn onboard(input: OnboardingInput) -> Result<(), PageError> {
    let done = ctx()?
        .onboard(input.clone())
        .await
        .map(|slug| format!("/services/{slug}"));
    finish("onboard", &input, done).await
}
