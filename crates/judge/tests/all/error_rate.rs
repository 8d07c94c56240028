use domain::verdict::{Dimension, Measurement, Outcome};
use judge::Window;

use crate::scene::{Dice, HOSTS, at, judged, judged_at, of, points, scene};

fn errors(window: &Window) -> Measurement {
    of(&judged(window), Dimension::ErrorRate).clone()
}

/// Errors per interval and host, of 100 requests each.
fn with_errors(intervals: usize, before: f64, now: f64) -> Window {
    let mut window = scene(30, intervals);
    window.baseline.errors = Some(Ok(points(true, &HOSTS, 30, |_, _| before)));
    window.current.errors = Some(Ok(points(false, &HOSTS, intervals, |_, _| now)));
    window
}

#[test]
fn a_rate_within_the_limit_passes() {
    let measurement = errors(&with_errors(20, 1.0, 1.0));
    assert_eq!(measurement.outcome, Outcome::Pass);
    assert_eq!(
        measurement.explanation,
        "Error rate 1.0 % against 1.0 % before; up to 2.0 % would have passed."
    );
    assert_eq!(
        (
            measurement.baseline_samples,
            measurement.measured_samples,
            measurement.unit.as_str()
        ),
        (90, 60, "%")
    );
    assert!(measurement.p_value.unwrap() > 0.5);
}

#[test]
fn a_rate_far_above_the_limit_fails_with_its_numbers() {
    let measurement = errors(&with_errors(20, 0.4, 12.3));
    assert_eq!(measurement.outcome, Outcome::Fail);
    assert_eq!(
        measurement.explanation,
        "Error rate 12.3 % against 0.4 % before; up to 1.4 % would have passed."
    );
    assert!(measurement.p_value.unwrap() < 1e-9);
    assert!((measurement.limit.unwrap() - 1.4).abs() < 1e-9);
}

#[test]
fn a_rate_above_the_limit_that_may_be_chance_is_marginal() {
    let mut window = with_errors(10, 0.0, 0.0);
    // 25 errors in 2,100 requests where 21 are allowed.
    window.current.requests = Some(Ok(points(false, &HOSTS, 10, |_, _| 70.0)));
    window.current.errors = Some(Ok(points(false, &HOSTS, 10, |_, nth| {
        if nth < 8 { 1.0 } else { 0.5 }
    })));
    let measurement = errors(&window);
    assert_eq!(
        measurement.outcome,
        Outcome::Marginal,
        "{}",
        measurement.explanation
    );
    assert!(
        measurement.explanation.contains("chance"),
        "{}",
        measurement.explanation
    );
}

#[test]
fn low_traffic_does_not_eat_the_failure_budget() {
    let mut window = scene(30, 10);
    window.current.requests = Some(Ok(points(false, &HOSTS, 10, |host, _| {
        if host == 0 { 1.0 } else { 0.0 }
    })));
    window.current.errors = Some(Ok(points(false, &HOSTS, 10, |host, nth| {
        if host == 0 && nth == 0 { 1.0 } else { 0.0 }
    })));
    let measurement = errors(&window);
    assert_eq!(
        measurement.measured,
        Some(10.0),
        "one error among ten requests"
    );
    assert_eq!(measurement.outcome, Outcome::Marginal);
}

#[test]
fn no_request_is_no_data_rather_than_no_error() {
    let mut window = scene(30, 20);
    window.current.requests = Some(Ok(points(false, &HOSTS, 20, |_, _| 0.0)));
    let measurement = errors(&window);
    assert_eq!(measurement.outcome, Outcome::NoData);
    assert_eq!(
        measurement.explanation,
        "No request was reported since the change, so there is no error rate."
    );

    let mut window = scene(30, 20);
    window.baseline.requests = Some(Ok(points(true, &HOSTS, 0, |_, _| 0.0)));
    assert_eq!(errors(&window).outcome, Outcome::NoData);
}

#[test]
fn a_missing_error_count_is_not_zero_errors() {
    let mut window = scene(30, 20);
    window.current.errors = Some(Ok(points(false, &HOSTS, 0, |_, _| 0.0)));
    let measurement = errors(&window);
    assert_eq!(measurement.outcome, Outcome::NoData);
    assert!(
        measurement.explanation.contains("default_zero"),
        "{}",
        measurement.explanation
    );

    // Reported only in the intervals that have some: a quarter of them, at four times the true rate.
    let mut window = scene(40, 40);
    let sparse = |before| {
        let hosts = HOSTS
            .iter()
            .flat_map(|host| (0..40).step_by(4).map(move |nth| (*host, nth)));
        Some(Ok(hosts
            .map(|(host, nth)| (host, at(before, nth), 1.0))
            .collect()))
    };
    (window.baseline.errors, window.current.errors) = (sparse(true), sparse(false));
    assert_eq!(errors(&window).outcome, Outcome::InsufficientSamples);
}

#[test]
fn errors_without_their_requests_still_count() {
    let mut window = with_errors(20, 0.0, 50.0);
    window.current.requests = Some(Ok(points(false, &HOSTS, 20, |_, _| 0.0)));
    let measurement = errors(&window);
    assert_eq!(
        (measurement.outcome, measurement.measured),
        (Outcome::Fail, Some(100.0))
    );
}

#[test]
fn too_few_intervals_say_so_unless_the_failure_is_overwhelming() {
    let few = errors(&with_errors(7, 1.0, 1.0));
    assert_eq!(few.outcome, Outcome::InsufficientSamples);
    assert_eq!(
        few.explanation,
        "Error rate 1.0 % against 1.0 % before; up to 2.0 % would do, but a verdict needs 8 complete intervals on each side, and there are 30 before and 7 now."
    );
    assert_eq!(errors(&with_errors(8, 1.0, 1.0)).outcome, Outcome::Pass);
    assert_eq!(errors(&with_errors(3, 1.0, 50.0)).outcome, Outcome::Fail);
    assert_eq!(
        errors(&with_errors(2, 1.0, 50.0)).outcome,
        Outcome::InsufficientSamples
    );
    assert_eq!(
        errors(&with_errors(3, 1.0, 3.5)).outcome,
        Outcome::InsufficientSamples,
        "bad, but not overwhelmingly"
    );
    assert_eq!(errors(&with_errors(8, 1.0, 3.5)).outcome, Outcome::Fail);
}

#[test]
fn equal_services_hardly_ever_fail() {
    let mut dice = Dice::new(1);
    for (rate, requests, tolerance) in [(0.01, 30, 0), (0.2, 10, 0), (0.01, 30, 10)] {
        let mut fails = 0;
        for _ in 0..300 {
            let mut window = scene(20, 20);
            for (before, stretch) in [(true, &mut window.baseline), (false, &mut window.current)] {
                stretch.requests = Some(Ok(points(before, &HOSTS, 20, |_, _| f64::from(requests))));
                stretch.errors = Some(Ok(points(before, &HOSTS, 20, |_, _| {
                    dice.errors(requests, rate)
                })));
            }
            fails += u32::from(
                of(&judged_at(&window, 5, tolerance), Dimension::ErrorRate).outcome
                    == Outcome::Fail,
            );
        }
        assert!(fails <= 7, "{fails} of 300 at {rate} (1 % is 3)");
    }
}

#[test]
fn three_points_more_errors_are_seen() {
    let mut dice = Dice::new(2);
    let mut fails = 0;
    for _ in 0..60 {
        let mut window = scene(20, 20);
        for (before, stretch, rate) in [
            (true, &mut window.baseline, 0.005),
            (false, &mut window.current, 0.035),
        ] {
            stretch.requests = Some(Ok(points(before, &HOSTS, 20, |_, _| 50.0)));
            stretch.errors = Some(Ok(points(before, &HOSTS, 20, |_, _| dice.errors(50, rate))));
        }
        fails += u32::from(errors(&window).outcome == Outcome::Fail);
    }
    assert!(fails >= 58, "{fails} of 60");
}
