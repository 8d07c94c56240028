//! Failed requests over all requests, pooled over the hosts of the batch.

use domain::verdict::{Dimension, Measurement};

use crate::{
    rule::{Coverage, Finding, Gap, read},
    statistics::{Proportion, exceeds_proportion},
    window::{Points, Trusted, Window},
};

const UNIT: &str = "%";

/// Measures the error rate; it may grow by `basis_points` hundredths of a percentage point.
pub(crate) fn measure(window: &Window, basis_points: u32) -> Measurement {
    find(window, basis_points).map_or_else(
        |gap| gap.measurement(Dimension::ErrorRate, UNIT),
        Finding::decide,
    )
}

fn find(window: &Window, basis_points: u32) -> Result<Finding<'static>, Gap> {
    let (requests_before, requests_now) = read(window, "requests", |stretch| &stretch.requests)?;
    let (errors_before, errors_now) = read(window, "errors", |stretch| &stretch.errors)?;
    let before = pool(&requests_before, &errors_before, "before the change")?;
    let now = pool(&requests_now, &errors_now, "since the change")?;
    let margin = f64::from(basis_points) / 10_000.0;
    Ok(Finding {
        dimension: Dimension::ErrorRate,
        name: "Error rate",
        unit: UNIT,
        baseline: before.total.rate() * 100.0,
        measured: now.total.rate() * 100.0,
        limit: (before.total.rate() + margin).min(1.0) * 100.0,
        p_value: exceeds_proportion(before.total, now.total, margin),
        coverage: Coverage::of(window, "error counts", &before.counted, &now.counted),
    })
}

/// One side's total, and the request counts it was made of.
struct Pool<'a> {
    total: Proportion,
    counted: Trusted<'a>,
}

/// Sums the intervals in which a host reported requests *and* errors: an error count that is missing is not zero.
fn pool<'a>(requests: &Trusted<'a>, errors: &Trusted<'_>, when: &str) -> Result<Pool<'a>, Gap> {
    let mut total = Proportion { hits: 0.0, of: 0.0 };
    let mut counted = Trusted::new();
    for (host, points) in requests {
        let Some(failed) = errors.get(host) else {
            continue;
        };
        let mut both = Points::new();
        for (at, requests) in points {
            if let Some(errors) = failed.get(at) {
                // A request that fails early may be counted as an error only.
                total.of += requests.max(*errors);
                total.hits += *errors;
                both.insert(*at, *requests);
            }
        }
        if !both.is_empty() {
            counted.insert(*host, both);
        }
    }
    let requested: f64 = requests.values().flat_map(|points| points.values()).sum();
    if total.of > 0.0 {
        Ok(Pool { total, counted })
    } else if requested > 0.0 {
        Err(Gap::no_data(format!(
            "Requests were reported {when} but no error counts; if the service reports errors only when there are any, ask for “default_zero(…)” in the errors query."
        )))
    } else {
        Err(Gap::no_data(format!(
            "No request was reported {when}, so there is no error rate."
        )))
    }
}
