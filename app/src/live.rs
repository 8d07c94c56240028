//! Pages that move by themselves: the server says that something changed, and the page reads it again.

/// Calls `heard` with name and data of each event of these names. A hidden tab closes its stream, because browsers allow
/// six connections a host, and opens it again, at what `path` says then, when it is seen. Does nothing on the server.
pub fn use_events(
    path: impl Fn() -> String + 'static,
    names: &'static [&'static str],
    heard: impl Fn(&str, String) + 'static,
) {
    #[cfg(feature = "hydrate")]
    browser::follow(path, names, heard);
    #[cfg(not(feature = "hydrate"))]
    let _ = (path, names, heard);
}

#[cfg(feature = "hydrate")]
mod browser {
    use std::{cell::RefCell, rc::Rc};

    use leptos::prelude::*;
    use send_wrapper::SendWrapper;
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::{EventSource, MessageEvent, VisibilityState};

    /// The stream of one page, open while the tab is seen.
    struct Stream {
        path: Box<dyn Fn() -> String>,
        names: &'static [&'static str],
        heard: Closure<dyn Fn(MessageEvent)>,
        source: RefCell<Option<EventSource>>,
    }

    impl Stream {
        /// The browser connects again by itself, for as long as the tab is seen.
        fn match_visibility(&self) {
            let seen = document().visibility_state() == VisibilityState::Visible;
            let mut source = self.source.borrow_mut();
            match source.take() {
                Some(open) if seen => *source = Some(open),
                Some(open) => open.close(),
                None if seen => *source = self.open(),
                None => {}
            }
        }

        fn open(&self) -> Option<EventSource> {
            let source = EventSource::new(&(self.path)()).ok()?;
            for name in self.names {
                source
                    .add_event_listener_with_callback(name, self.heard.as_ref().unchecked_ref())
                    .ok()?;
            }
            Some(source)
        }
    }

    pub fn follow(
        path: impl Fn() -> String + 'static,
        names: &'static [&'static str],
        heard: impl Fn(&str, String) + 'static,
    ) {
        let heard = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            heard(&event.type_(), event.data().as_string().unwrap_or_default())
        });
        let stream = Rc::new(Stream {
            path: Box::new(path),
            names,
            heard,
            source: RefCell::default(),
        });
        let on_visibility = Closure::<dyn Fn()>::new({
            let stream = Rc::clone(&stream);
            move || stream.match_visibility()
        });
        let _ = document().add_event_listener_with_callback(
            "visibilitychange",
            on_visibility.as_ref().unchecked_ref(),
        );
        Effect::new({
            let stream = Rc::clone(&stream);
            move |_| stream.match_visibility()
        });
        let kept = SendWrapper::new((stream, on_visibility));
        on_cleanup(move || {
            let (stream, on_visibility) = kept.take();
            let _ = document().remove_event_listener_with_callback(
                "visibilitychange",
                on_visibility.as_ref().unchecked_ref(),
            );
            if let Some(open) = stream.source.take() {
                open.close();
            }
        });
    }
}
