//! Things that are pressed twice: open, give a reason, confirm.

use crate::prelude::*;
use view::access::Allowance;

use crate::{
    button::{Button, ButtonTone, refusable},
    form::TextArea,
    icon::Icon,
};

/// A button that opens the form inside it, without JavaScript. Where it is refused it is disabled and says why; where it is
/// not offered nothing is drawn. A form that came back with an error is `open`.
#[component]
pub fn Confirm(
    /// Unique on the page.
    #[prop(into)]
    id: String,
    #[prop(into)] label: String,
    #[prop(optional)] tone: ButtonTone,
    #[prop(default = None, into)] icon: Option<Icon>,
    #[prop(default = Allowance::Allowed)] allowance: Allowance,
    #[prop(optional)] open: bool,
    children: Children,
) -> impl IntoView {
    allowance.offered().then(|| {
        if allowance.allowed() {
            view! {
                <details class="confirm" id=id name="confirm" open=open>
                    <summary class=tone.class()>{icon.map(Icon::draw)} {label}</summary>
                    <div class="confirm-panel">{children()}</div>
                </details>
            }
            .into_any()
        } else {
            let why_id = format!("{id}-why");
            let button = view! { <button type="button" class=tone.class() id=id disabled aria-describedby=why_id.clone()>{icon.map(Icon::draw)} {label}</button> };
            refusable(button, &allowance, Some(why_id))
        }
    })
}

/// The reason of a decision.
#[component]
pub fn ReasonField(
    /// Unique on the page.
    #[prop(into)]
    id: String,
    #[prop(default = "reason".to_owned(), into)] name: String,
    #[prop(default = "Reason".to_owned(), into)] label: String,
    #[prop(optional, into)] value: String,
    #[prop(optional_no_strip)] error: Option<String>,
) -> impl IntoView {
    view! { <TextArea id name label value error rows=2 hint="Kept with the decision; 3 to 1,000 characters." /> }
}

/// A [`Confirm`] around a plain form that posts `fields` and a reason to `action`.
#[component]
pub fn ConfirmForm(
    /// Unique on the page.
    #[prop(into)]
    id: String,
    #[prop(into)] label: String,
    /// What happens when it is confirmed, in one sentence.
    #[prop(into)]
    explanation: String,
    #[prop(into)] action: String,
    /// Hidden fields, name and value.
    fields: Vec<(&'static str, String)>,
    #[prop(optional)] tone: ButtonTone,
    #[prop(default = None, into)] icon: Option<Icon>,
    #[prop(default = Allowance::Allowed)] allowance: Allowance,
    /// Name of the reason's field.
    #[prop(default = "reason".to_owned(), into)]
    reason_name: String,
    /// The reason as it was typed when the form came back.
    #[prop(optional, into)]
    reason: String,
    #[prop(optional_no_strip)] error: Option<String>,
) -> impl IntoView {
    let hidden = fields
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view();
    let reason_id = format!("{id}-reason");
    let open = error.is_some();
    view! {
        <Confirm id label=label.clone() tone icon allowance open>
            <form method="post" action=action>
                {hidden}
                <p class="confirm-text">{explanation}</p>
                <ReasonField id=reason_id name=reason_name value=reason error />
                <Button tone>{label}</Button>
            </form>
        </Confirm>
    }
}
