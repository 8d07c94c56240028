//! Every component in every state, on one page.

use leptos::prelude::*;

/// The gallery.
#[component]
pub fn Gallery(#[prop(optional)] theme: crate::Theme) -> impl IntoView {
    let _ = theme;
    view! { <p>"…"</p> }
}
