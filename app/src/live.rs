//! Pages that move by themselves: the server says that something changed, and the page reads it again.

use std::time::Duration;

/// Calls `heard` with name and data of each event of these names. A hidden tab closes its stream, because browsers allow
/// six connections a host, and opens it again, at what `path` says then, when it is seen. A stream that the server
/// refuses is told as [`LOST`] and tried again; one that said [`END`] is over. While the server cannot be reached, or gives
/// no sign of life, the document has the attribute `data-away`, by which the page says so. Does nothing on the server.
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

/// The name `heard` is called with when the server refuses the stream: the session may have ended.
pub const LOST: &str = "lost";

/// The name of the last event of a stream that has an end.
pub const END: &str = "end";

/// The name of an event that says nothing but that the server lives, sent when nothing else was for [`ALIVE_EVERY`].
pub const ALIVE: &str = "alive";
pub const ALIVE_EVERY: Duration = Duration::from_secs(5);

#[cfg(feature = "hydrate")]
mod browser {
    use std::{
        cell::{Cell, RefCell},
        rc::{Rc, Weak},
        time::Duration,
    };

    use leptos::{prelude::*, task::spawn_local};
    use send_wrapper::SendWrapper;
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::{EventSource, MessageEvent, VisibilityState};

    use super::ALIVE_EVERY;
    use crate::away;

    /// A stream that was refused is asked for again after this long.
    const AGAIN: Duration = Duration::from_secs(15);
    /// A server that starts again is back before this.
    const PATIENCE: Duration = Duration::from_secs(5);
    /// A server that was not heard of while it should have spoken twice does not work, though it may be connected.
    const QUIET: u32 = 2;

    /// The stream of one page, open while the tab is seen.
    struct Stream {
        path: Box<dyn Fn() -> String>,
        names: &'static [&'static str],
        heard: Closure<dyn Fn(MessageEvent)>,
        failed: Closure<dyn Fn()>,
        opened: Closure<dyn Fn()>,
        source: RefCell<Option<EventSource>>,
        over: Cell<bool>,
        /// How often it was looked since something was heard.
        quiet: Cell<u32>,
    }

    impl Stream {
        /// The browser connects again by itself, for as long as the tab is seen.
        fn match_visibility(&self) {
            let seen = document().visibility_state() == VisibilityState::Visible;
            let mut source = self.source.borrow_mut();
            match source.take() {
                Some(open) if seen => *source = Some(open),
                Some(open) => open.close(),
                None if seen && !self.over.get() => *source = self.open(),
                None => {}
            }
        }

        fn open(&self) -> Option<EventSource> {
            self.quiet.set(0);
            let source = EventSource::new(&(self.path)()).ok()?;
            for name in self.names.iter().chain(&[super::ALIVE]) {
                source
                    .add_event_listener_with_callback(name, self.heard.as_ref().unchecked_ref())
                    .ok()?;
            }
            source.set_onerror(Some(self.failed.as_ref().unchecked_ref()));
            source.set_onopen(Some(self.opened.as_ref().unchecked_ref()));
            Some(source)
        }

        /// Asks for the stream again when nothing is heard of a server that is connected: it hangs, or a connection was lost
        /// without a word. One that never answered is asked already.
        fn listen(&self) {
            let quiet = self.quiet.get().saturating_add(1);
            self.quiet.set(quiet);
            if quiet <= QUIET || self.source.borrow().is_none() {
                return;
            }
            away::tell(true);
            if self.stands(EventSource::OPEN) {
                if let Some(open) = self.source.take() {
                    open.close();
                }
                self.match_visibility();
            }
        }

        fn end(&self) {
            self.over.set(true);
            if let Some(open) = self.source.take() {
                open.close();
            }
        }

        /// The browser connects again by itself after a lost connection, but never after a refusal.
        fn was_refused(&self) -> bool {
            self.stands(EventSource::CLOSED)
        }

        fn stands(&self, state: u16) -> bool {
            let source = self.source.borrow();
            source
                .as_ref()
                .is_some_and(|source| source.ready_state() == state)
        }
    }

    pub fn follow(
        path: impl Fn() -> String + 'static,
        names: &'static [&'static str],
        heard: impl Fn(&str, String) + 'static,
    ) {
        let heard = Rc::new(heard);
        let tell = Rc::clone(&heard);
        let stream = Rc::new_cyclic(|stream: &Weak<Stream>| {
            let stream = stream.clone();
            let ending = stream.clone();
            let on_event = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
                let name = event.type_();
                if let Some(stream) = ending.upgrade() {
                    stream.quiet.set(0);
                    if name == super::END {
                        stream.end();
                    }
                }
                if name != super::ALIVE {
                    tell(&name, event.data().as_string().unwrap_or_default())
                }
            });
            let opening = stream.clone();
            let on_open = Closure::<dyn Fn()>::new(move || {
                away::tell(false);
                if let Some(stream) = opening.upgrade() {
                    stream.quiet.set(0);
                }
            });
            let on_error = Closure::<dyn Fn()>::new(move || {
                let Some(refused) = stream.upgrade().filter(|stream| stream.was_refused()) else {
                    let stream = stream.clone();
                    let look = move || {
                        let stream = stream.upgrade();
                        if stream.is_some_and(|stream| stream.stands(EventSource::CONNECTING)) {
                            away::tell(true);
                        }
                    };
                    return set_timeout(look, PATIENCE);
                };
                refused.source.take();
                // A proxy refuses, too, when the server behind it is away.
                let (heard, asking) = (Rc::clone(&heard), stream.clone());
                spawn_local(async move {
                    let there = away::reachable().await;
                    if asking.upgrade().is_some() {
                        away::tell(!there);
                        if there {
                            heard(super::LOST, String::new());
                        }
                    }
                });
                let stream = stream.clone();
                set_timeout(
                    move || {
                        if let Some(stream) = stream.upgrade() {
                            stream.match_visibility();
                        }
                    },
                    AGAIN,
                );
            });
            Stream {
                path: Box::new(path),
                names,
                heard: on_event,
                failed: on_error,
                opened: on_open,
                source: RefCell::default(),
                over: Cell::new(false),
                quiet: Cell::new(0),
            }
        });
        let listening = set_interval_with_handle(
            {
                let stream = Rc::downgrade(&stream);
                move || {
                    if let Some(stream) = stream.upgrade() {
                        stream.listen();
                    }
                }
            },
            ALIVE_EVERY,
        );
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
            if let Ok(listening) = listening {
                listening.clear();
            }
            let _ = document().remove_event_listener_with_callback(
                "visibilitychange",
                on_visibility.as_ref().unchecked_ref(),
            );
            if let Some(open) = stream.source.take() {
                open.close();
            }
            away::tell(false);
        });
    }
}
