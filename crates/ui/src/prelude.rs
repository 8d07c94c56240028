//! Leptos' prelude with another `view!`.

pub use leptos::prelude::*;

/// Leptos' `view!` as an [`AnyView`]. A view with a type of its own would be compiled once for each shape of markup and
/// again for each list, option and closure around it, and the browser would load all of that.
#[macro_export]
macro_rules! any_view {
    ($($markup:tt)*) => {
        ::leptos::prelude::IntoAny::into_any(::leptos::prelude::view! { $($markup)* }.into_inner())
    };
}
pub use crate::any_view as view;
