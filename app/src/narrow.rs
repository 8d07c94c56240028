//! What a list is narrowed to, as its address says it.

use leptos_router::location::Url;
use ui::prelude::*;

/// The address of a list with these filters; ends so that more can be added.
pub fn address(base: &str, filters: &[(&str, &str)]) -> String {
    let given = filters.iter().filter(|(_, value)| !value.is_empty());
    let given = given.map(|(name, value)| format!("{name}={}&", Url::escape(value)));
    format!("{base}?{}", given.collect::<String>())
}

/// Filters that a form for others keeps.
pub fn kept(filters: &[(&'static str, &str)]) -> impl IntoView + use<> {
    let given = filters.iter().filter(|(_, value)| !value.is_empty());
    let given = given.map(|(name, value)| (*name, (*value).to_owned()));
    given
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view()
}
