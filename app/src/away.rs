//! Whether the console answers: asked before a form is sent, so that nothing typed is lost to a console that is away.

use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, Element, HtmlElement, HtmlFormElement, RequestCache, RequestInit, Response,
    SubmitEvent,
};

/// The document has it while what is shown may be old.
const AWAY: &str = "data-away";
/// A form has it while the console is asked for it, and then while it is sent.
const ASKING: &str = "data-asking";
const SENT: &str = "data-sent";
/// A console that does not answer within this many milliseconds is away.
const PATIENCE: u32 = 3_000;

/// Shows or hides that what is shown may be old.
pub fn tell(away: bool) {
    if let Some(html) = document().document_element() {
        let _ = match away {
            true => html.set_attribute(AWAY, ""),
            false => html.remove_attribute(AWAY),
        };
    }
    if !away {
        say(true);
    }
}

/// Whether the console answers. What a proxy refuses by itself is an answer; that it waited in vain is none.
pub async fn reachable() -> bool {
    let options = RequestInit::new();
    options.set_cache(RequestCache::NoStore);
    options.set_signal(Some(&AbortSignal::timeout_with_u32(PATIENCE)));
    let answer = window().fetch_with_str_and_init("/healthz", &options);
    let answer = JsFuture::from(answer).await.ok();
    answer
        .and_then(|answer| answer.dyn_into::<Response>().ok())
        .is_some_and(|answer| answer.status() < 500)
}

/// From now on, each form that changes something is sent when the console answers, and kept otherwise.
pub fn keep_forms() {
    let keep = Closure::<dyn Fn(SubmitEvent)>::new(keep);
    let _ = document().add_event_listener_with_callback("submit", keep.as_ref().unchecked_ref());
    keep.forget();
}

fn keep(event: SubmitEvent) {
    let form = event
        .target()
        .and_then(|form| form.dyn_into::<HtmlFormElement>().ok());
    let Some(form) = form.filter(|form| changes_something(form)) else {
        return;
    };
    if form.has_attribute(SENT) {
        let _ = form.remove_attribute(SENT);
        return;
    }
    event.prevent_default();
    if form.has_attribute(ASKING) {
        return;
    }
    let _ = form.set_attribute(ASKING, "");
    let button = event.submitter();
    spawn_local(async move {
        let there = reachable().await;
        let _ = form.remove_attribute(ASKING);
        say(there);
        if there {
            send(&form, button.as_ref());
        }
    });
}

fn changes_something(form: &Element) -> bool {
    form.get_attribute("method")
        .is_some_and(|method| method.eq_ignore_ascii_case("post"))
}

fn send(form: &HtmlFormElement, button: Option<&HtmlElement>) {
    let _ = form.set_attribute(SENT, "");
    let sent = match button {
        Some(button) => form.request_submit_with_submitter(Some(button)),
        None => form.request_submit(),
    };
    // One that is not valid any more is not sent.
    if sent.is_err() || !form.check_validity() {
        let _ = form.remove_attribute(SENT);
    }
}

/// Says that a form was not sent, or no longer says it.
fn say(sent: bool) {
    if let Some(alert) = document().get_element_by_id(ui::NOT_SENT) {
        alert.set_text_content(Some(match sent {
            true => "",
            false => "Not sent: Slipway does not answer. What you typed is still here; send it again in a moment.",
        }));
    }
}
