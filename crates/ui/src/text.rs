//! Small pieces of text: times, digests, facts.

use crate::prelude::*;
use domain::Timestamp;

use crate::figure;

/// A moment in UTC; the title has date and seconds.
#[component]
pub fn TimeText(
    at: Timestamp,
    /// Shows seconds.
    #[prop(optional)]
    seconds: bool,
) -> impl IntoView {
    let text = if seconds {
        figure::second(at)
    } else {
        figure::minute(at)
    };
    view! { <time class="time" datetime=at.to_string() title=figure::full(at)>{text}</time> }
}

/// A digest or commit, shortened; the whole of it is in the title and can be selected.
#[component]
pub fn Digest(
    #[prop(into)] value: String,
    /// Characters shown.
    #[prop(default = 12)]
    shown: usize,
) -> impl IntoView {
    let short: String = value.chars().take(shown).collect();
    let rest: String = value.chars().skip(shown).collect();
    let more = (!rest.is_empty()).then_some("digest has-more");
    view! {
        <code class=more.unwrap_or("digest") title=value>
            {short} <span class="digest-rest">{rest}</span>
        </code>
    }
}

/// A list of facts, name beside value; holds [`Fact`]s.
#[component]
pub fn Facts(
    /// One below the other, for long values.
    #[prop(optional)]
    wide: bool,
    children: Children,
) -> impl IntoView {
    view! { <dl class=if wide { "facts is-wide" } else { "facts" }>{children()}</dl> }
}

/// One fact.
#[component]
pub fn Fact(#[prop(into)] name: String, children: Children) -> impl IntoView {
    view! {
        <div class="fact">
            <dt>{name}</dt>
            <dd>{children()}</dd>
        </div>
    }
}
