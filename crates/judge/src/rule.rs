//! The rule all dimensions share: what is missing, what a p-value means, and the sentence about it.

use std::collections::BTreeSet;

use domain::{
    strategy::FEWEST_SAMPLES,
    verdict::{Dimension, Measurement, Outcome},
};

use crate::window::{Answer, FRESH_INTERVALS, Stretch, Trusted, Window};

/// Significance a failure needs. Every look at a bake is a test of its own; it is the tolerance, which the excess has to
/// be beyond, that keeps repeated looks from adding up.
pub const LEVEL: f64 = 0.01;

/// Significance that fails a batch before [`FEWEST_SAMPLES`] intervals have come: an overwhelming failure should not
/// reach more users for the sake of a round number.
pub const EARLY_LEVEL: f64 = 1e-6;

/// Complete intervals that even an overwhelming failure needs on each side.
pub const EARLY_INTERVALS: u64 = 3;

/// Why a dimension cannot be measured.
pub(crate) struct Gap {
    outcome: Outcome,
    explanation: String,
}

impl Gap {
    pub fn no_data(explanation: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::NoData,
            explanation: explanation.into(),
        }
    }

    pub fn too_little(explanation: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::InsufficientSamples,
            explanation: explanation.into(),
        }
    }

    pub fn measurement(self, dimension: Dimension, unit: &str) -> Measurement {
        Measurement {
            dimension,
            outcome: self.outcome,
            unit: unit.to_owned(),
            baseline: None,
            measured: None,
            limit: None,
            baseline_samples: 0,
            measured_samples: 0,
            p_value: None,
            explanation: self.explanation,
        }
    }
}

/// The baseline and the current points of one query. A refused query outweighs a missing one; points may still be few.
pub(crate) fn read<'a>(
    window: &'a Window,
    what: &str,
    query: fn(&Stretch) -> &Answer,
) -> Result<(Trusted<'a>, Trusted<'a>), Gap> {
    let (baseline, current) = (query(&window.baseline), query(&window.current));
    for (answer, when) in [(current, "now"), (baseline, "of the time before")] {
        if let Some(Err(fault)) = answer {
            let message = fault.message.trim_end_matches('.');
            return Err(Gap {
                outcome: Outcome::ProviderError,
                explanation: format!("The {what} {when} could not be read: {message}."),
            });
        }
    }
    match (baseline, current) {
        (Some(Ok(before)), Some(Ok(now))) => Ok((
            window.trusted(&window.baseline, before),
            window.trusted(&window.current, now),
        )),
        _ => Err(Gap::no_data(format!(
            "Nothing was asked about the {what}; the service names no query for it."
        ))),
    }
}

/// How much of the points a dimension rests on there is.
pub(crate) struct Coverage {
    /// Complete intervals with a point of any host.
    pub intervals_before: u64,
    pub intervals_now: u64,
    /// Points of all hosts.
    pub points_before: u32,
    pub points_now: u32,
    /// Why this is not enough to pass.
    lack: Option<String>,
}

impl Coverage {
    /// Judges whether a query's points are enough: intervals on each side, and of every host that was there before at
    /// least half of the points there should be and one of the newest.
    pub fn of(window: &Window, what: &str, before: &Trusted<'_>, now: &Trusted<'_>) -> Self {
        let intervals = |side: &Trusted<'_>| {
            side.values()
                .flat_map(|points| points.keys())
                .collect::<BTreeSet<_>>()
                .len() as u64
        };
        let points =
            |side: &Trusted<'_>| side.values().map(|points| points.len() as u64).sum::<u64>();
        let (intervals_before, intervals_now) = (intervals(before), intervals(now));
        let due = window.intervals(&window.current);
        let points_of = |host: &str| now.get(host).map_or(0, |points| points.len() as u64);
        let without = |enough: &dyn Fn(&str) -> bool| -> Vec<&str> {
            before
                .keys()
                .copied()
                .filter(|host| !enough(host))
                .collect()
        };
        let missing = without(&|host| points_of(host) > 0);
        let silent = without(&|host| window.still_reports(now.get(host)));
        let thin = without(&|host| points_of(host) * 2 >= due);
        let lack = if intervals_before.min(intervals_now) < FEWEST_SAMPLES {
            Some(format!(
                "a verdict needs {FEWEST_SAMPLES} complete intervals on each side, and there are {intervals_before} before and {intervals_now} now"
            ))
        } else if !missing.is_empty() {
            Some(format!(
                "{} sent no {what} now, though there was some before",
                some_of(&missing)
            ))
        } else if let Some(host) = thin.first() {
            Some(format!(
                "only {} of {due} points of {what} have come from {}",
                points_of(host),
                some_of(&thin)
            ))
        } else if !silent.is_empty() {
            Some(format!(
                "{} sent no {what} in the last {FRESH_INTERVALS} intervals",
                some_of(&silent)
            ))
        } else {
            None
        };
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            intervals_before,
            intervals_now,
            points_before: count(points(before)),
            points_now: count(points(now)),
            lack,
        }
    }
}

/// A dimension with its numbers, ready to be decided on.
pub(crate) struct Finding<'a> {
    pub dimension: Dimension,
    /// “Error rate”.
    pub name: &'a str,
    pub unit: &'a str,
    pub baseline: f64,
    pub measured: f64,
    pub limit: f64,
    pub p_value: f64,
    pub coverage: Coverage,
}

impl Finding<'_> {
    /// Fails on an excess that is significant; passes only without excess and on enough points.
    pub fn decide(self) -> Measurement {
        let Coverage {
            intervals_before,
            intervals_now,
            points_before,
            points_now,
            lack,
        } = self.coverage;
        let exceeds = self.measured > self.limit;
        let intervals = intervals_before.min(intervals_now);
        let level = match intervals {
            FEWEST_SAMPLES.. => LEVEL,
            EARLY_INTERVALS.. => EARLY_LEVEL,
            _ => 0.0,
        };
        let [measured, baseline, limit] = spell([self.measured, self.baseline, self.limit]);
        let unit = self.unit;
        let numbers = format!(
            "{} {measured} {unit} against {baseline} {unit} before; up to {limit} {unit}",
            self.name
        );
        let (outcome, explanation) = match lack {
            _ if exceeds && self.p_value < level => {
                (Outcome::Fail, format!("{numbers} would have passed."))
            }
            Some(lack) => (
                Outcome::InsufficientSamples,
                format!("{numbers} would do, but {lack}."),
            ),
            None if exceeds => (
                Outcome::Marginal,
                format!(
                    "{numbers} would have passed, but chance could explain the difference (p = {:.2}).",
                    self.p_value
                ),
            ),
            None => (Outcome::Pass, format!("{numbers} would have passed.")),
        };
        Measurement {
            dimension: self.dimension,
            outcome,
            unit: unit.to_owned(),
            baseline: Some(self.baseline),
            measured: Some(self.measured),
            limit: Some(self.limit),
            baseline_samples: points_before,
            measured_samples: points_now,
            p_value: Some(self.p_value),
            explanation,
        }
    }
}

/// Numbers with as few decimals, from one to three, as keep a measured value and its limit apart.
fn spell([measured, baseline, limit]: [f64; 3]) -> [String; 3] {
    let decimals = (1..3)
        .find(|&n| format!("{measured:.n$}") != format!("{limit:.n$}"))
        .unwrap_or(3);
    [measured, baseline, limit].map(|value| format!("{value:.decimals$}"))
}

/// “web-1, web-2 and 4 more”.
pub(crate) fn some_of(hosts: &[&str]) -> String {
    match hosts {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, second] => format!("{first} and {second}"),
        [first, second, third] => format!("{first}, {second} and {third}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}
