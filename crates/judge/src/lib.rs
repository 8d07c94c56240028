//! Statistics behind a verdict: a batch is judged against its own baseline. Pure: points in, a verdict out.
//!
//! Each dimension asks one question, "is it worse than the tolerance allows?", and answers Pass only when it has the
//! numbers to say so. Too little, partial, missing or refused data each have an outcome of their own, none of which
//! passes.

mod error_rate;
mod latency;
mod liveness;
mod rule;
mod statistics;
mod window;

use domain::{Timestamp, strategy::Tolerance, verdict::Verdict};

pub use rule::{EARLY_INTERVALS, EARLY_LEVEL, LEVEL};
pub use window::{Answer, ProviderFault, Samples, Stretch, Window};

/// Judges a batch by what telemetry said of its hosts before the change and since.
///
/// Always measures error rate, latency and liveness, in this order; `queries` are kept for whoever wants to repeat them.
pub fn judge(
    window: &Window,
    tolerance: &Tolerance,
    now: Timestamp,
    queries: Vec<String>,
) -> Verdict {
    let measurements = vec![
        error_rate::measure(window, tolerance.error_basis_points),
        latency::measure(window, tolerance.latency_percent),
        liveness::measure(window),
    ];
    Verdict::of(measurements, queries, now)
}
