//! Whether every host of the batch still reports.

use domain::{
    strategy::FEWEST_SAMPLES,
    verdict::{Dimension, Measurement, Outcome},
};

use crate::{
    rule::{Gap, read, some_of},
    window::Window,
};

const UNIT: &str = "hosts";

/// Measures how many hosts of the batch report now, against those that did before.
///
/// A host lives when it reported in one of the newest intervals. A silent host that reported before fails the batch, once
/// the watch has lasted [`FEWEST_SAMPLES`] intervals; one that was silent already is marginal, since nothing can be said
/// about it. Where hosts outside the batch have gone silent with all of it, it is telemetry that is late.
pub(crate) fn measure(window: &Window) -> Measurement {
    find(window).unwrap_or_else(|gap| gap.measurement(Dimension::Liveness, UNIT))
}

fn find(window: &Window) -> Result<Measurement, Gap> {
    let (before, now) = read(window, "liveness", |stretch| &stretch.liveness)?;
    let stretch = &window.current;
    let lives = |host: &str| window.still_reports(now.get(host));
    let hosts: Vec<&str> = window.hosts.iter().map(String::as_str).collect();
    let silent: Vec<&str> = hosts.iter().filter(|host| !lives(host)).copied().collect();
    let lost: Vec<&str> = silent
        .iter()
        .filter(|host| before.contains_key(*host))
        .copied()
        .collect();

    let (all, living) = (hosts.len(), hosts.len() - silent.len());
    let (outcome, explanation) = if hosts.is_empty() {
        (
            Outcome::NoData,
            "The batch has no host that telemetry could know.".to_owned(),
        )
    } else if silent.is_empty() {
        (
            Outcome::Pass,
            if all == 1 {
                "The only host reports.".to_owned()
            } else {
                format!("All {all} hosts report.")
            },
        )
    } else if window.intervals(stretch) < FEWEST_SAMPLES {
        (
            Outcome::InsufficientSamples,
            format!(
                "{living} of {all} hosts report so far; {} may still, as only {} of {FEWEST_SAMPLES} intervals have passed.",
                some_of(&silent),
                window.intervals(stretch)
            ),
        )
    } else if living == 0 && window.others_are_late() {
        (
            Outcome::NoData,
            format!(
                "No host reports, not of the {all} of this batch and no other: telemetry may be late."
            ),
        )
    } else if !lost.is_empty() {
        (
            Outcome::Fail,
            format!(
                "{living} of {all} hosts report; {} reported before the change and went silent.",
                some_of(&lost)
            ),
        )
    } else if living == 0 {
        (
            Outcome::NoData,
            format!("None of {all} hosts reports, and none did before the change."),
        )
    } else {
        (
            Outcome::Marginal,
            format!(
                "{living} of {all} hosts report; nothing can be said about {}, silent already before the change.",
                some_of(&silent)
            ),
        )
    };
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Measurement {
        dimension: Dimension::Liveness,
        outcome,
        unit: UNIT.to_owned(),
        baseline: Some(before.len() as f64),
        measured: Some(living as f64),
        limit: Some(all as f64),
        baseline_samples: count(before.len()),
        measured_samples: count(living),
        p_value: None,
        explanation,
    })
}
