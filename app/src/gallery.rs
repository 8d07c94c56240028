//! Every component in every state.

use leptos::prelude::*;
use leptos_meta::Title;

/// The design system on one page.
#[component]
pub fn GalleryPage() -> impl IntoView {
    view! {
        <Title text="Design system" />
        <ui::gallery::Gallery />
    }
}
