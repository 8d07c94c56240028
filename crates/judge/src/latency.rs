//! Latency of each host against its own past.

use domain::verdict::{Dimension, Measurement};

use crate::{
    rule::{Coverage, EARLY_INTERVALS, Finding, Gap, read},
    statistics::{Moments, shift_exceeds},
    window::{Points, Trusted, Window},
};

const UNIT: &str = "ms";

/// Measures the latency; it may grow by `percent` of the baseline.
///
/// The test is Welch's on logarithms (see [`shift_exceeds`]): "how many times slower" is a shift there, the noise of
/// latencies is close to normal there, and a host that is slow anyway is compared with itself. Ranks (Mann–Whitney)
/// were not chosen: they see how *often* something is slower but not by how much, so a third of the points growing a
/// hundredfold would pass.
pub(crate) fn measure(window: &Window, percent: u32) -> Measurement {
    find(window, percent).map_or_else(
        |gap| gap.measurement(Dimension::Latency, UNIT),
        Finding::decide,
    )
}

fn find(window: &Window, percent: u32) -> Result<Finding<'static>, Gap> {
    let (before, now) = read(window, "latency", |stretch| &stretch.latency)?;
    let (before, now) = (above_zero(before), above_zero(now));
    for (side, when) in [(&now, "since the change"), (&before, "before the change")] {
        if side.is_empty() {
            return Err(Gap::no_data(format!("No latency was reported {when}.")));
        }
    }
    let pairs: Vec<(Moments, Moments)> = before
        .iter()
        .filter_map(|(host, points)| Some((moments(points)?, moments(now.get(host)?)?)))
        .collect();
    if pairs.is_empty() {
        return Err(Gap::too_little(format!(
            "No host has reported latency in {EARLY_INTERVALS} intervals both before the change and since."
        )));
    }
    let allowed = 1.0 + f64::from(percent) / 100.0;
    let (shift, p_value) = shift_exceeds(&pairs, allowed.ln());
    let baseline =
        (pairs.iter().map(|(before, _)| before.mean).sum::<f64>() / pairs.len() as f64).exp();
    Ok(Finding {
        dimension: Dimension::Latency,
        name: "Latency",
        unit: UNIT,
        baseline,
        measured: baseline * shift.exp(),
        limit: baseline * allowed,
        p_value,
        coverage: Coverage::of(window, "latency", &before, &now),
    })
}

/// A latency of zero is a gauge without a request, not a fast answer.
fn above_zero(mut side: Trusted<'_>) -> Trusted<'_> {
    for points in side.values_mut() {
        points.retain(|_, value| *value > 0.0);
    }
    side.retain(|_, points| !points.is_empty());
    side
}

/// Of the logarithms; `None` for fewer than [`EARLY_INTERVALS`] points.
fn moments(points: &Points) -> Option<Moments> {
    let logarithms: Vec<f64> = points.values().map(|value| value.ln()).collect();
    if logarithms.len() as u64 >= EARLY_INTERVALS {
        Moments::of(&logarithms)
    } else {
        None
    }
}
