//! What the output of a job asks of the browser: where lines are seen, and to be told when the page is scrolled. Does nothing
//! on the server.

#[cfg(feature = "hydrate")]
mod with {
    use leptos::{ev, prelude::*};
    use web_sys::Element;

    fn line(number: u64) -> Option<Element> {
        document().get_element_by_id(&format!("L{number}"))
    }

    fn height() -> f64 {
        window()
            .inner_height()
            .ok()
            .and_then(|height| height.as_f64())
            .unwrap_or(0.0)
    }

    /// Pixels that the page was scrolled by.
    pub fn scrolled() -> f64 {
        window().scroll_y().unwrap_or(0.0)
    }

    pub fn scroll_by(pixels: f64) {
        window().scroll_by_with_x_and_y(0.0, pixels);
    }

    /// Where a line begins, in pixels below the upper edge of what is seen; `None` when it is not in the page.
    pub fn top_of(number: u64) -> Option<f64> {
        Some(line(number)?.get_bounding_client_rect().top())
    }

    /// Pixels of the output above and below what is seen; negative where it ends within. What stands over its end counts as
    /// the edge.
    pub fn beyond() -> Option<(f64, f64)> {
        const FOOT: f64 = 72.0;
        let log = document()
            .get_element_by_id("log")?
            .get_bounding_client_rect();
        Some((-log.top(), log.bottom() - (height() - FOOT)))
    }

    /// Brings a line into the middle of what is seen.
    pub fn show(number: u64) {
        if let Some(top) = top_of(number) {
            scroll_by(top - height() / 2.0);
        }
    }

    /// The line that the address names behind `#L`.
    pub fn line_in_address() -> Option<u64> {
        let hash = window().location().hash().ok()?;
        hash.strip_prefix("#L")?.parse().ok()
    }

    /// Runs when what was changed stands in the page and before it is drawn.
    pub fn before_it_is_drawn(work: impl FnOnce() + 'static) {
        request_animation_frame(work);
    }

    /// Calls back when the page was scrolled, once a frame, until the view is gone.
    pub fn on_scroll(work: impl Fn() + Copy + 'static) {
        let waiting = StoredValue::new(false);
        let handle = window_event_listener(ev::scroll, move |_| {
            if waiting.try_get_value() == Some(false) {
                waiting.set_value(true);
                request_animation_frame(move || {
                    if waiting.try_set_value(false).is_none() {
                        work();
                    }
                });
            }
        });
        on_cleanup(move || handle.remove());
    }

    /// Calls back when another place of the page is addressed.
    pub fn on_address(work: impl Fn() + 'static) {
        let handle = window_event_listener(ev::hashchange, move |_| work());
        on_cleanup(move || handle.remove());
    }

    /// What was kept in this browser.
    pub fn kept(name: &str) -> Option<String> {
        window().local_storage().ok()??.get_item(name).ok()?
    }

    /// Keeps it, or forgets it. A browser that keeps nothing is fine.
    pub fn keep(name: &str, value: Option<&str>) {
        if let Ok(Some(storage)) = window().local_storage() {
            let _ = match value {
                Some(value) => storage.set_item(name, value),
                None => storage.remove_item(name),
            };
        }
    }
}

#[cfg(not(feature = "hydrate"))]
mod with {
    pub const fn scrolled() -> f64 {
        0.0
    }
    pub const fn scroll_by(_: f64) {}
    pub const fn top_of(_: u64) -> Option<f64> {
        None
    }
    pub const fn beyond() -> Option<(f64, f64)> {
        None
    }
    pub const fn show(_: u64) {}
    pub const fn line_in_address() -> Option<u64> {
        None
    }
    pub fn before_it_is_drawn(_: impl FnOnce() + 'static) {}
    pub fn on_scroll(_: impl Fn() + Copy + 'static) {}
    pub fn on_address(_: impl Fn() + 'static) {}
    pub const fn kept(_: &str) -> Option<String> {
        None
    }
    pub const fn keep(_: &str, _: Option<&str>) {}
}

pub use with::*;
