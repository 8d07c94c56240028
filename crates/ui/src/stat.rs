//! Headline numbers.

use crate::prelude::*;

use crate::{chart, icon::Icon, tone::Tone};

/// A row of [`Stat`]s.
#[component]
pub fn Stats(children: Children) -> impl IntoView {
    view! { <dl class="stats">{children()}</dl> }
}

/// One headline number with what it is and what it is counted from.
#[component]
pub fn Stat(
    #[prop(into)] label: String,
    #[prop(into)] value: String,
    /// What it was counted from: “3 of 24 deployments”.
    #[prop(optional, into)]
    note: Option<String>,
    #[prop(optional)] tone: Tone,
    #[prop(default = None, into)] icon: Option<Icon>,
) -> impl IntoView {
    view! {
        <div class=format!("stat-tile {}", tone.class())>
            <dt>{icon.map(Icon::draw)} {label}</dt>
            <dd>
                <span class="stat-value">{value}</span>
                {note.map(|note| view! { <span class="stat-note">{note}</span> })}
            </dd>
        </div>
    }
}

/// A line of values without axes; gaps stay gaps. `label` says in words what it shows.
#[component]
pub fn Sparkline(points: Vec<Option<f64>>, #[prop(into)] label: String) -> impl IntoView {
    let path = chart::spark(&points, 100.0, 24.0);
    view! {
        <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label=label>
            <path d=path></path>
        </svg>
    }
}
