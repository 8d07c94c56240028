//! What a page says when it has nothing, waits, failed, or has news.

use crate::prelude::*;
use view::error::ApiError;

use crate::{icon::Icon, tone::Tone};

/// A message set off from the text. Errors are announced at once.
#[component]
pub fn Alert(
    #[prop(optional)] tone: Tone,
    #[prop(optional, into)] title: Option<String>,
    children: Children,
) -> impl IntoView {
    let icon = match tone {
        Tone::Neutral | Tone::Active => Icon::Info,
        Tone::Waiting => Icon::Person,
        Tone::Good => Icon::Check,
        Tone::Warn => Icon::Alert,
        Tone::Bad => Icon::Octagon,
    };
    let role = if tone == Tone::Bad { "alert" } else { "status" };
    view! {
        <div class=format!("notice {}", tone.class()) role=role>
            {icon.draw()}
            <div class="notice-text">
                {title.map(|title| view! { <p class="notice-title">{title}</p> })}
                {children()}
            </div>
        </div>
    }
}

/// Why a page or a part of it could not be shown, and the next step.
#[component]
pub fn ErrorPanel(error: ApiError) -> impl IntoView {
    let tone = match &error {
        ApiError::Unauthenticated => Tone::Waiting,
        ApiError::NotFound { .. } => Tone::Neutral,
        ApiError::Forbidden { .. } | ApiError::Conflict { .. } | ApiError::Unavailable { .. } => {
            Tone::Warn
        }
        ApiError::Invalid { .. } | ApiError::Internal { .. } => Tone::Bad,
    };
    let title = error.title();
    view! {
        <Alert tone title>
            <p>{error.message()}</p>
        </Alert>
    }
}

/// There is nothing yet, and how to change that.
#[component]
pub fn EmptyState(
    #[prop(into)] title: String,
    #[prop(default = Icon::Ring)] icon: Icon,
    /// The next step: a sentence, a link.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="empty">
            {icon.draw()}
            <p class="empty-title">{title}</p>
            <div class="empty-text">{children()}</div>
        </div>
    }
}

/// Stands where rows will be: never “none” while loading.
#[component]
pub fn LoadingPanel(
    /// What is being loaded: “rollouts”.
    #[prop(into)]
    what: String,
    #[prop(default = 4)] rows: usize,
) -> impl IntoView {
    let bars = (0..rows)
        .map(|_| view! { <div class="skeleton loading-bar"></div> })
        .collect_view();
    view! {
        <div class="loading-panel" role="status" aria-busy="true">
            <span class="sr-only">{format!("Loading {what} …")}</span>
            {bars}
        </div>
    }
}

/// Says that bakes run faster than planned here.
#[component]
pub fn RehearsalBanner(time_scale: u64) -> impl IntoView {
    (time_scale > 1).then(|| {
        let times = crate::figure::number(time_scale as f64);
        view! {
            <p class="rehearsal" role="note">
                {Icon::Hourglass.draw()}
                <span>
                    <strong>"Rehearsal."</strong>
                    {format!(" Bakes run {times} times as fast as planned.")}
                </span>
            </p>
        }
    })
}

/// The element that says that a form was not sent.
pub const NOT_SENT: &str = "not-sent";

/// Says that what the page shows may be old; seen while the document has the attribute `data-away`. Under it stands whether a
/// form could not be sent.
#[component]
pub fn AwayBanner() -> impl IntoView {
    view! {
        <div role="status" class="away">
            <p>
                {Icon::Alert.draw()}
                <span>
                    <strong>"Not live."</strong>
                    " Slipway does not answer, so what stands here may be old. It goes on by itself when the server is back; what you type stays."
                </span>
            </p>
        </div>
        <p role="alert" id=NOT_SENT class="not-sent"></p>
    }
}
