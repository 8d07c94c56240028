//! Reading before drawing: a panel while it loads, the error if it fails.

use leptos::prelude::*;
use leptos_meta::Title;
use serde::{Serialize, de::DeserializeOwned};
use ui::{ErrorPanel, LoadingPanel};
use view::error::ApiError;

use crate::{error::PageError, frame::Framing};

/// What a page reads.
pub type Read<T> = Resource<Result<T, PageError>>;

/// Draws what was read, a panel while it loads, or its error. What was there stays while it is read again.
pub fn draw<T, V>(
    read: Read<T>,
    what: &'static str,
    draw: impl Fn(T) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let framing = use_context::<Framing>();
    view! {
        <Transition fallback=move || view! { <LoadingPanel what /> }>
            {move || {
                let draw = draw.clone();
                Suspend::new(async move {
                    if let Some(framing) = framing {
                        framing.settled().await;
                    }
                    match read.await {
                        Ok(value) => draw(value).into_any(),
                        Err(PageError(error)) => failed(error),
                    }
                })
            }}
        </Transition>
    }
}

/// The panel of an error, with the way to sign in where that is what is missing.
pub fn failed(error: ApiError) -> AnyView {
    let title = error.title();
    view! {
        <Title text=title />
        <ErrorPanel error />
    }
    .into_any()
}
