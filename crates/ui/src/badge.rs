//! State words as badges, and batches as dots.

use crate::prelude::*;
use view::rollout::BatchDot;

use crate::{figure, state::Look, tone::Tone};

/// A state: icon and word on a tinted ground, with its meaning in the title.
#[component]
pub fn StateBadge(look: Look) -> impl IntoView {
    view! {
        <span class=format!("badge-state {}", look.tone.class()) title=look.hint>
            {look.icon.draw()}
            {look.label}
        </span>
    }
}

/// A small plain label, such as a group or a criticality.
#[component]
pub fn Tag(#[prop(into)] text: String, #[prop(optional)] tone: Tone) -> impl IntoView {
    view! { <span class=format!("tag {}", tone.class())>{text}</span> }
}

/// Several of them, side by side as far as there is room.
#[component]
pub fn Tags(texts: Vec<String>) -> impl IntoView {
    let tags = texts
        .into_iter()
        .map(|text| view! { <Tag text /> })
        .collect_view();
    view! { <span class="tags">{tags}</span> }
}

/// The batches of a rollout in one line of a list.
#[component]
pub fn BatchDots(batches: Vec<BatchDot>) -> impl IntoView {
    let dots = batches
        .into_iter()
        .map(|batch| {
            let look = Look::batch(&batch.state);
            let text = format!(
                "Batch {}: {}, {}",
                batch.number,
                look.label,
                figure::count(batch.hosts, "host")
            );
            view! {
                <li class=format!("batch-dot {}", look.tone.class()) title=text>
                    {look.icon.draw()}
                    <span class="sr-only">{text.clone()}</span>
                </li>
            }
        })
        .collect_view();
    view! { <ol class="batch-dots">{dots}</ol> }
}
