use domain::verdict::{Dimension, Measurement, Outcome};
use judge::{Answer, Window};

use crate::scene::{HOSTS, judged, of, points, scene};

fn liveness(window: &Window) -> Measurement {
    of(&judged(window), Dimension::Liveness).clone()
}

fn reporting(before: bool, hosts: &[&str], intervals: usize) -> Answer {
    Some(Ok(points(before, hosts, intervals, |_, _| 1.0)))
}

#[test]
fn every_host_reports() {
    let measurement = liveness(&scene(30, 20));
    assert_eq!(
        (measurement.outcome, measurement.explanation.as_str()),
        (Outcome::Pass, "All 3 hosts report.")
    );
    assert_eq!(
        (
            measurement.baseline,
            measurement.measured,
            measurement.limit
        ),
        (Some(3.0), Some(3.0), Some(3.0))
    );
}

#[test]
fn a_host_that_went_silent_fails() {
    let mut window = scene(30, 20);
    window.current.liveness = reporting(false, &HOSTS[..2], 20);
    let measurement = liveness(&window);
    assert_eq!(
        (measurement.outcome, measurement.explanation.as_str()),
        (
            Outcome::Fail,
            "2 of 3 hosts report; web-3 reported before the change and went silent."
        )
    );
}

#[test]
fn a_host_that_came_back_and_went_again_fails() {
    let mut window = scene(30, 20);
    window.current.liveness = Some(Ok(points(false, &HOSTS, 20, |host, nth| {
        if host == 0 && nth >= 15 {
            f64::NAN
        } else {
            1.0
        }
    })));
    assert_eq!(
        liveness(&window).outcome,
        Outcome::Fail,
        "silent for five intervals"
    );
    window.current.liveness = Some(Ok(points(false, &HOSTS, 20, |host, nth| {
        if host == 0 && nth >= 16 {
            f64::NAN
        } else {
            1.0
        }
    })));
    assert_eq!(
        liveness(&window).outcome,
        Outcome::Pass,
        "four may be missed"
    );
}

#[test]
fn everybody_silent_is_a_failure_when_somebody_spoke_before() {
    let mut window = scene(30, 20);
    window.current.liveness = reporting(false, &[], 0);
    let measurement = liveness(&window);
    assert_eq!(
        (measurement.outcome, measurement.explanation.as_str()),
        (
            Outcome::Fail,
            "0 of 3 hosts report; web-1, web-2 and web-3 reported before the change and went silent."
        )
    );
}

#[test]
fn when_hosts_outside_the_batch_are_silent_too_it_is_telemetry_that_is_late() {
    let others = |silent: bool| {
        let mut window = scene(30, 20);
        let all = ["web-1", "web-2", "web-3", "db-1"];
        window.baseline.liveness = reporting(true, &all, 30);
        let now = if silent { 10 } else { 20 };
        window.current.liveness = Some(Ok(points(false, &all[3..], now, |_, _| 1.0)));
        liveness(&window).outcome
    };
    assert_eq!(others(true), Outcome::NoData);
    assert_eq!(others(false), Outcome::Fail);
}

#[test]
fn nobody_before_and_nobody_now_is_no_data() {
    let mut window = scene(30, 20);
    window.baseline.liveness = reporting(true, &[], 0);
    window.current.liveness = reporting(false, &[], 0);
    assert_eq!(liveness(&window).outcome, Outcome::NoData);
}

#[test]
fn a_host_silent_already_before_is_marginal() {
    let mut window = scene(30, 20);
    window.baseline.liveness = reporting(true, &HOSTS[..2], 30);
    window.current.liveness = reporting(false, &HOSTS[..2], 20);
    let measurement = liveness(&window);
    assert_eq!(
        (measurement.outcome, measurement.explanation.as_str()),
        (
            Outcome::Marginal,
            "2 of 3 hosts report; nothing can be said about web-3, silent already before the change."
        )
    );
    window.current.liveness = reporting(false, &HOSTS, 20);
    assert_eq!(liveness(&window).outcome, Outcome::Pass, "it reports now");
}

#[test]
fn a_restarted_host_gets_time_to_report() {
    let mut window = scene(30, 7);
    window.current.liveness = reporting(false, &HOSTS[..2], 7);
    let measurement = liveness(&window);
    assert_eq!(
        (measurement.outcome, measurement.explanation.as_str()),
        (
            Outcome::InsufficientSamples,
            "2 of 3 hosts report so far; web-3 may still, as only 7 of 8 intervals have passed."
        )
    );
}

#[test]
fn a_batch_without_hosts_never_passes() {
    let mut window = scene(30, 20);
    window.hosts.clear();
    let verdict = judged(&window);
    assert!(
        verdict
            .measurements
            .iter()
            .all(|measurement| measurement.outcome == Outcome::NoData),
        "{verdict}"
    );
}
