use domain::verdict::{Dimension, Measurement, Outcome};
use judge::Window;

use crate::scene::{Dice, HOSTS, judged_at, of, points, scene};

fn latency_at(window: &Window, percent: u32) -> Measurement {
    of(&judged_at(window, percent, 100), Dimension::Latency).clone()
}

fn latency(window: &Window) -> Measurement {
    latency_at(window, 5)
}

/// One host; logarithms with this deviation on both sides, the current one `factor` times as slow.
fn drawn(dice: &mut Dice, intervals: usize, sigma: f64, factor: f64) -> Window {
    let one = &HOSTS[..1];
    let mut window = scene(intervals, intervals);
    window.hosts = [one[0].to_owned()].into();
    window.baseline.latency = Some(Ok(points(true, one, intervals, |_, _| {
        dice.latency(120.0, sigma)
    })));
    window.current.latency = Some(Ok(points(false, one, intervals, |_, _| {
        dice.latency(120.0 * factor, sigma)
    })));
    window
}

/// How many of `runs` judgements have this outcome.
fn count(
    seed: u64,
    runs: u32,
    intervals: usize,
    sigma: f64,
    factor: f64,
    percent: u32,
    outcome: Outcome,
) -> u32 {
    let mut dice = Dice::new(seed);
    (0..runs)
        .map(|_| {
            u32::from(
                latency_at(&drawn(&mut dice, intervals, sigma, factor), percent).outcome == outcome,
            )
        })
        .sum()
}

#[test]
fn numbers_are_told() {
    let mut window = scene(30, 30);
    let measurement = latency(&window);
    assert_eq!(measurement.outcome, Outcome::Pass);
    assert_eq!(
        measurement.explanation,
        "Latency 100.0 ms against 100.0 ms before; up to 105.0 ms would have passed."
    );
    assert_eq!(
        (
            measurement.baseline_samples,
            measurement.measured_samples,
            measurement.unit.as_str()
        ),
        (90, 90, "ms")
    );

    window.current.latency = Some(Ok(points(false, &HOSTS, 30, |_, nth| {
        if nth % 2 == 0 { 118.0 } else { 122.0 }
    })));
    let measurement = latency(&window);
    assert_eq!(measurement.outcome, Outcome::Fail);
    assert_eq!(
        measurement.explanation,
        "Latency 120.0 ms against 100.0 ms before; up to 105.0 ms would have passed."
    );
    assert!(measurement.p_value.unwrap() < 1e-6);
}

#[test]
fn equal_services_hardly_ever_fail() {
    for (seed, sigma) in [(1, 0.05), (2, 0.2), (3, 0.8)] {
        let fails = count(seed, 800, 20, sigma, 1.0, 0, Outcome::Fail);
        assert!(
            fails <= 15,
            "{fails} of 800 with sigma {sigma} and no tolerance (1 % is 8)"
        );
    }
    assert_eq!(
        count(4, 800, 20, 0.05, 1.0, 5, Outcome::Fail),
        0,
        "a tolerance leaves room"
    );
}

#[test]
fn five_and_ten_per_cent_are_seen_through_noise() {
    // (intervals, sigma, factor, tolerance, least of 300 that fail)
    for (intervals, sigma, factor, percent, least) in [
        (15, 0.03, 1.05, 0, 285),
        (20, 0.05, 1.10, 0, 297),
        (20, 0.05, 1.10, 5, 180),
        (40, 0.05, 1.10, 5, 270),
        (60, 0.10, 1.10, 0, 285),
        (120, 0.10, 1.10, 5, 250),
    ] {
        let fails = count(5, 300, intervals, sigma, factor, percent, Outcome::Fail);
        assert!(
            fails >= least,
            "{fails} of 300: {intervals} intervals, sigma {sigma}, ×{factor}, tolerance {percent} %"
        );
    }
    let passes = count(6, 300, 20, 0.05, 1.10, 5, Outcome::Pass);
    assert!(
        passes <= 3,
        "what is not significant is marginal, not passed: {passes} of 300 passed"
    );
}

#[test]
fn slow_hosts_are_compared_with_themselves() {
    let mut dice = Dice::new(7);
    let base = [10.0, 100.0, 1000.0];
    let mut window = scene(20, 20);
    window.baseline.latency = Some(Ok(points(true, &HOSTS, 20, |host, _| {
        dice.latency(base[host], 0.05)
    })));
    window.current.latency = Some(Ok(points(false, &HOSTS, 20, |host, _| {
        dice.latency(base[host] * 1.15, 0.05)
    })));
    assert_eq!(latency(&window).outcome, Outcome::Fail);
}

#[test]
fn a_part_that_grows_a_hundredfold_does_not_pass() {
    for (share, least) in [(0.3, 270), (0.7, 300)] {
        let mut dice = Dice::new(8);
        let mut fails = 0;
        for _ in 0..300 {
            let mut window = drawn(&mut dice, 20, 0.1, 1.0);
            window.current.latency = Some(Ok(points(false, &HOSTS[..1], 20, |_, nth| {
                dice.latency(
                    if (nth as f64) < share * 20.0 {
                        12_000.0
                    } else {
                        120.0
                    },
                    0.1,
                )
            })));
            let outcome = latency(&window).outcome;
            assert_ne!(outcome, Outcome::Pass);
            fails += u32::from(outcome == Outcome::Fail);
        }
        assert!(fails >= least, "{fails} of 300 with {share} of the points");
    }
}

#[test]
fn one_hiccup_is_no_failure() {
    let mut dice = Dice::new(9);
    for _ in 0..300 {
        let mut window = scene(20, 20);
        window.baseline.latency = Some(Ok(points(true, &HOSTS, 20, |_, _| {
            dice.latency(120.0, 0.05)
        })));
        window.current.latency = Some(Ok(points(false, &HOSTS, 20, |host, nth| {
            if (host, nth) == (1, 7) {
                12_000.0
            } else {
                dice.latency(120.0, 0.05)
            }
        })));
        assert_ne!(latency(&window).outcome, Outcome::Fail);
    }
}

#[test]
fn a_faster_service_passes() {
    let mut dice = Dice::new(10);
    assert_eq!(
        latency_at(&drawn(&mut dice, 20, 0.05, 0.5), 0).outcome,
        Outcome::Pass
    );
}

#[test]
fn no_latency_is_no_data_and_zero_is_no_latency() {
    let mut window = scene(30, 30);
    window.current.latency = Some(Ok(points(false, &HOSTS, 30, |_, _| 0.0)));
    let measurement = latency(&window);
    assert_eq!(
        (measurement.outcome, measurement.explanation.as_str()),
        (Outcome::NoData, "No latency was reported since the change.")
    );

    let mut window = scene(30, 30);
    window.baseline.latency = Some(Ok(points(true, &[], 0, |_, _| 0.0)));
    assert_eq!(latency(&window).outcome, Outcome::NoData);
}

#[test]
fn too_few_intervals_say_so_unless_the_failure_is_overwhelming() {
    let slow = |intervals, factor: f64| {
        let mut window = scene(30, intervals);
        window.current.latency = Some(Ok(points(false, &HOSTS, intervals, |_, nth| {
            factor * if nth % 2 == 0 { 99.0 } else { 101.0 }
        })));
        latency(&window).outcome
    };
    assert_eq!(slow(7, 1.0), Outcome::InsufficientSamples);
    assert_eq!(slow(8, 1.0), Outcome::Pass);
    assert_eq!(slow(2, 10.0), Outcome::InsufficientSamples);
    assert_eq!(slow(4, 10.0), Outcome::Fail);
    assert_eq!(
        slow(4, 1.07),
        Outcome::InsufficientSamples,
        "bad, but not overwhelmingly"
    );
}

#[test]
fn a_host_that_sends_nothing_any_more_keeps_the_rest_from_passing() {
    let mut window = scene(30, 30);
    window.current.latency = Some(Ok(points(false, &HOSTS[..2], 30, |_, nth| {
        if nth % 2 == 0 { 99.0 } else { 101.0 }
    })));
    let measurement = latency(&window);
    assert_eq!(measurement.outcome, Outcome::InsufficientSamples);
    assert!(
        measurement
            .explanation
            .contains("web-3 sent no latency now, though there was some before"),
        "{}",
        measurement.explanation
    );
}

#[test]
fn hosts_without_a_past_cannot_be_compared() {
    let mut window = scene(30, 30);
    window.baseline.latency = Some(Ok(points(true, &HOSTS[..1], 30, |_, _| 100.0)));
    window.current.latency = Some(Ok(points(false, &HOSTS[1..], 30, |_, _| 100.0)));
    assert_eq!(latency(&window).outcome, Outcome::InsufficientSamples);
}
