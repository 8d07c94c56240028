//! A clock that ticks in the browser only.

use std::time::Duration;

use domain::{SignedDuration, Timestamp};
use leptos::{prelude::*, web_sys::js_sys};

/// The server's clock `now`, carried on once a second in the browser; on the server it stands.
///
/// Only differences of the browser's clock are used, so it may be set wrongly.
pub fn ticking(now: Timestamp) -> Signal<Timestamp> {
    let (time, set_time) = signal(now);
    Effect::new(move |_| {
        let start = js_sys::Date::now();
        let tick = move || {
            let passed = SignedDuration::from_millis((js_sys::Date::now() - start) as i64);
            set_time.set(now.saturating_add(passed).unwrap_or(now));
        };
        if let Ok(handle) = set_interval_with_handle(tick, Duration::from_secs(1)) {
            on_cleanup(move || handle.clear());
        }
    });
    time.into()
}
