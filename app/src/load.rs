//! Reading before drawing: a panel while it loads, the error if it fails.

use std::{pin::Pin, sync::Arc};

use leptos_meta::Title;
use serde::{Serialize, de::DeserializeOwned};
use ui::prelude::*;
use ui::{ErrorPanel, LoadingPanel};
use view::error::ApiError;

use crate::{error::PageError, frame::Framing, wire::WireEncoding};

/// What a page reads.
pub type Read<T> = Resource<Result<T, PageError>, WireEncoding>;

/// Reads with `fetch` what `source` names, and again whenever that changes.
pub fn read<S, T, Fetching>(
    source: impl Fn() -> S + Send + Sync + 'static,
    fetch: impl Fn(S) -> Fetching + Send + Sync + 'static,
) -> Read<T>
where
    S: PartialEq + Clone + Send + Sync + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    Fetching: Future<Output = Result<T, PageError>> + Send + 'static,
{
    Resource::new_with_options(source, fetch, false)
}

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
    let drawing = move || -> Drawing {
        let draw = draw.clone();
        Box::pin(async move {
            if let Some(framing) = framing {
                framing.settled().await;
            }
            match read.await {
                Ok(value) => draw(value).into_any(),
                Err(PageError(error)) => failed(error),
            }
        })
    };
    waiting(what, Arc::new(drawing))
}

type Drawing = Pin<Box<dyn Future<Output = AnyView> + Send>>;

/// Apart from `draw` and without its types, so that it is compiled once and not for every page.
fn waiting(what: &'static str, drawing: Arc<dyn Fn() -> Drawing + Send + Sync>) -> AnyView {
    view! {
        <Transition fallback=move || view! { <LoadingPanel what /> }>
            {suspended(move || drawing())}
        </Transition>
    }
    .into_any()
}

/// Draws once what `drawing` waits for. The server calls a closure again each time it looks whether everything below a
/// `<Transition>` has arrived, and would draw the page as often.
#[cfg(feature = "ssr")]
pub fn suspended<Draws, V>(drawing: impl FnOnce() -> Draws) -> Suspend<V>
where
    Draws: Future<Output = V> + Send + 'static,
    V: 'static,
{
    Suspend::new(drawing())
}

/// Draws what `drawing` waits for, and again whenever what it reads changes.
#[cfg(not(feature = "ssr"))]
pub fn suspended<Draws, V>(
    drawing: impl Fn() -> Draws + Send + 'static,
) -> impl Fn() -> Suspend<V> + Send + 'static
where
    Draws: Future<Output = V> + Send + 'static,
    V: 'static,
{
    move || Suspend::new(drawing())
}

/// The panel of an error, with the way to sign in where that is what is missing.
pub fn failed(error: ApiError) -> AnyView {
    let title = error.title();
    #[cfg(feature = "ssr")]
    let PageError(error) = crate::context::fail(error);
    view! {
        <Title text=title />
        <ErrorPanel error />
    }
}
