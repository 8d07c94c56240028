//! What a list is narrowed to, as its address says it.

use leptos_router::location::Url;
use ui::Tag;
use ui::prelude::*;

/// The address of a list with these filters; ends so that more can be added.
pub fn address(base: &str, filters: &[(&str, &str)]) -> String {
    let given = filters.iter().filter(|(_, value)| !value.is_empty());
    let given = given.map(|(name, value)| format!("{name}={}&", Url::escape(value)));
    format!("{base}?{}", given.collect::<String>())
}

/// Filters that a form for others keeps.
pub fn hidden(filters: &[(&'static str, &str)]) -> impl IntoView + use<> {
    let given = filters.iter().filter(|(_, value)| !value.is_empty());
    let given = given.map(|(name, value)| (*name, (*value).to_owned()));
    given
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view()
}

/// As [`hidden`], each as a word that can be taken away.
pub fn kept(base: &str, filters: &[(&'static str, &str)]) -> impl IntoView + use<> {
    let given: Vec<_> = filters
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let tag = |(name, value): &(&'static str, &str)| {
        let others: Vec<_> = given
            .iter()
            .filter(|(other, _)| other != name)
            .map(|other| **other)
            .collect();
        let (hidden, without) = (hidden(&[(*name, *value)]), address(base, &others));
        let (what, any) = (format!("{name} {value}"), format!("Any {name}"));
        view! {
            <span class="narrowed">
                {hidden}
                <Tag text=what />
                <a href=without>{any}</a>
            </span>
        }
    };
    given.iter().map(|filter| tag(filter)).collect_view()
}
