//! What a judgement promises, checked from outside.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

mod error_rate;
mod latency;
mod liveness;
mod scene;
mod trust;
