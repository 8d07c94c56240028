//! Every component in every state.

use leptos_meta::Title;
use ui::prelude::*;

/// The design system on one page. Only the server draws it: the browser takes over what stands there, without loading the
/// samples. Nothing on it does anything, and no link leads here.
#[component]
pub fn GalleryPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    let drawn = ui::gallery::Gallery().into_any().to_html();
    #[cfg(not(feature = "ssr"))]
    let drawn = "";
    view! {
        <Title text="Design system" />
        <div class="contents" inner_html=drawn></div>
    }
}
