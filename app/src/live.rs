//! Pages that move by themselves: the server says that something changed, and the page reads it again.

use leptos::prelude::*;

/// Counts up whenever the server says that `path` changed. Stands still on the server and without JavaScript. A hidden
/// tab closes its stream, because browsers allow six connections a host, and opens it again when it is seen.
pub fn use_changes(path: impl Fn() -> String + 'static) -> ReadSignal<u32> {
    let (changes, set_changes) = signal(0);
    #[cfg(feature = "hydrate")]
    browser::follow(path, move |_| set_changes.update(|count| *count = count.wrapping_add(1)));
    #[cfg(not(feature = "hydrate"))]
    let _ = (path, set_changes);
    changes
}

/// Whether the page is taken over by JavaScript; false in the server's rendering, true after hydration.
pub fn use_hydrated() -> ReadSignal<bool> {
    let (hydrated, set_hydrated) = signal(false);
    Effect::new(move |_| set_hydrated.set(true));
    hydrated
}

#[cfg(feature = "hydrate")]
pub(crate) mod browser {
    use std::{cell::RefCell, rc::Rc};

    use leptos::prelude::*;
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::{EventSource, MessageEvent, VisibilityState};

    /// Calls `heard` for every `changed` event of the stream while the tab is seen and the owner lives.
    pub fn follow(path: impl Fn() -> String + 'static, heard: impl Fn(MessageEvent) + 'static) {
        let source: Rc<RefCell<Option<EventSource>>> = Rc::default();
        let on_changed = Closure::<dyn Fn(MessageEvent)>::new(heard);
        let open = {
            let source = Rc::clone(&source);
            let on_changed = on_changed.as_ref().unchecked_ref::<web_sys::js_sys::Function>().clone();
            move || {
                if source.borrow().is_none()
                    && let Ok(opened) = EventSource::new(&path())
                {
                    // The browser connects again by itself for as long as the tab is seen.
                    let _ = opened.add_event_listener_with_callback("changed", &on_changed);
                    source.replace(Some(opened));
                }
            }
        };
        let close = {
            let source = Rc::clone(&source);
            move || {
                if let Some(opened) = source.take() {
                    opened.close();
                }
            }
        };
        let seen = || document().visibility_state() == VisibilityState::Visible;
        Effect::new({
            let open = open.clone();
            move |_| {
                if seen() {
                    open();
                }
            }
        });
        let on_visibility = {
            let close = close.clone();
            Closure::<dyn Fn()>::new(move || if seen() { open() } else { close() })
        };
        let listener = on_visibility.as_ref().unchecked_ref::<web_sys::js_sys::Function>().clone();
        let _ = document().add_event_listener_with_callback("visibilitychange", &listener);
        let kept = send_wrapper::SendWrapper::new((on_changed, on_visibility, listener, close));
        on_cleanup(move || {
            let (_on_changed, _on_visibility, listener, close) = kept.take();
            let _ = document().remove_event_listener_with_callback("visibilitychange", &listener);
            close();
        });
    }
}
