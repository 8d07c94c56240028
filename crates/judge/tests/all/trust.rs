//! What is missing, partial or refused never passes.

use domain::verdict::{Dimension, Outcome};
use judge::{Answer, ProviderFault, Samples, Stretch, Window};
use proptest::prelude::*;

use crate::scene::{Dice, HOSTS, INTERVAL, at, judged, of, points, scene};

type Query = fn(&mut Stretch) -> &mut Answer;

const QUERIES: [(Dimension, Query); 4] = [
    (Dimension::ErrorRate, |stretch| &mut stretch.requests),
    (Dimension::ErrorRate, |stretch| &mut stretch.errors),
    (Dimension::Latency, |stretch| &mut stretch.latency),
    (Dimension::Liveness, |stretch| &mut stretch.liveness),
];

fn side(window: &mut Window, before: bool) -> &mut Stretch {
    if before {
        &mut window.baseline
    } else {
        &mut window.current
    }
}

#[test]
fn a_healthy_batch_passes_with_its_queries() {
    let verdict = judged(&scene(30, 20));
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict}");
    let dimensions: Vec<Dimension> = verdict
        .measurements
        .iter()
        .map(|measurement| measurement.dimension)
        .collect();
    assert_eq!(
        dimensions,
        [
            Dimension::ErrorRate,
            Dimension::Latency,
            Dimension::Liveness
        ]
    );
    assert_eq!(verdict.queries.len(), 1);
}

#[test]
fn a_refused_query_is_a_provider_error_of_its_dimension_only() {
    for (dimension, query) in QUERIES {
        for before in [true, false] {
            let mut window = scene(30, 20);
            *query(side(&mut window, before)) =
                Some(Err(ProviderFault::new("Datadog asked to wait 30 s (429)")));
            let verdict = judged(&window);
            assert_eq!(verdict.outcome, Outcome::ProviderError);
            for measurement in &verdict.measurements {
                let expected = if measurement.dimension == dimension {
                    Outcome::ProviderError
                } else {
                    Outcome::Pass
                };
                assert_eq!(measurement.outcome, expected, "{dimension}");
            }
            assert!(
                of(&verdict, dimension)
                    .explanation
                    .ends_with("could not be read: Datadog asked to wait 30 s (429)."),
                "{verdict}"
            );
        }
    }
}

#[test]
fn a_query_that_is_not_there_or_answers_nothing_never_passes() {
    for (dimension, query) in QUERIES {
        for before in [true, false] {
            for answer in [None, Some(Ok(Samples::default()))] {
                let mut window = scene(30, 20);
                *query(side(&mut window, before)) = answer.clone();
                let verdict = judged(&window);
                // A host that reports now lives, whatever was heard of it before.
                if dimension == Dimension::Liveness && before && answer.is_some() {
                    assert_eq!(verdict.outcome, Outcome::Pass);
                } else {
                    assert_ne!(of(&verdict, dimension).outcome, Outcome::Pass, "{verdict}");
                    assert_ne!(verdict.outcome, Outcome::Pass);
                }
            }
        }
    }
}

#[test]
fn a_failure_outweighs_a_provider_error() {
    let mut window = scene(30, 20);
    window.current.errors = Some(Ok(points(false, &HOSTS, 20, |_, _| 90.0)));
    window.current.latency = Some(Err(ProviderFault::new("no route")));
    assert_eq!(judged(&window).outcome, Outcome::Fail);
}

#[test]
fn the_newest_half_filled_interval_is_not_read() {
    let healthy = judged(&scene(30, 20));
    let mut window = scene(30, 20);
    for (query, value) in [
        (QUERIES[0].1, 3.0),
        (QUERIES[1].1, 3.0),
        (QUERIES[2].1, 90_000.0),
    ] {
        if let Some(Ok(samples)) = query(&mut window.current) {
            for host in HOSTS {
                samples.push(host, at(false, 20), value);
            }
        }
    }
    assert_eq!(judged(&window), healthy);
    // One that began in time but ends too late is not complete either.
    let late = domain::SignedDuration::from_secs(INTERVAL / 2);
    window.current.until -= late;
    assert_eq!(
        of(&judged(&window), Dimension::Latency).measured_samples,
        57
    );
}

#[test]
fn what_ends_or_is_thin_on_one_host_does_not_pass() {
    let until = |last: usize| {
        move |host: usize, nth: usize| {
            if host == 0 && nth >= last {
                f64::NAN
            } else {
                100.0
            }
        }
    };
    for (query, (last, said)) in QUERIES[..3]
        .iter()
        .map(|(_, query)| query)
        .flat_map(|query| {
            [
                (12, "web-1 sent no"),
                (9, "only 9 of 20 points"),
                (0, "web-1 sent no"),
            ]
            .map(|case| (query, case))
        })
    {
        let mut window = scene(30, 20);
        *query(&mut window.current) = Some(Ok(points(false, &HOSTS, 20, until(last))));
        let verdict = judged(&window);
        assert_ne!(verdict.outcome, Outcome::Pass, "{last}: {verdict}");
        if verdict.outcome == Outcome::InsufficientSamples {
            assert!(verdict.to_string().contains(said), "{verdict}");
        }
    }
}

#[test]
fn other_hosts_are_not_read() {
    let healthy = judged(&scene(30, 20));
    let mut window = scene(30, 20);
    for (_, query) in QUERIES {
        if let Some(Ok(samples)) = query(&mut window.current) {
            samples.extend((0..20).map(|nth| ("batch-2-host", at(false, nth), 5000.0)));
        }
    }
    assert_eq!(judged(&window), healthy);
}

#[test]
fn what_is_no_number_is_missing() {
    for junk in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1.0] {
        let mut window = scene(30, 20);
        window.current.latency = Some(Ok(points(false, &HOSTS, 20, |_, nth| {
            if nth % 10 == 0 {
                junk
            } else {
                100.0 + (nth % 2) as f64
            }
        })));
        let measurement = of(&judged(&window), Dimension::Latency).clone();
        assert_eq!(
            (measurement.outcome, measurement.measured_samples),
            (Outcome::Pass, 54),
            "{junk}"
        );

        let mut window = scene(30, 40);
        window.current.latency = Some(Ok(points(false, &HOSTS, 40, |_, nth| {
            if nth % 4 == 0 { 100.0 } else { junk }
        })));
        let measurement = of(&judged(&window), Dimension::Latency).clone();
        assert_eq!(measurement.outcome, Outcome::InsufficientSamples, "{junk}");
        assert!(
            measurement
                .explanation
                .contains("only 10 of 40 points of latency have come from web-1"),
            "{}",
            measurement.explanation
        );
    }
}

fn some_answer() -> impl Strategy<Value = u8> {
    0..6_u8
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes: no panic, three measurements with a sentence each, and a Pass only from whole data on both sides.
    #[test]
    fn anything_is_judged(seed in any::<u64>(), intervals in 0..30_usize, kinds in proptest::array::uniform8(some_answer()), tolerance in (0..1001_u32, 0..10_001_u32)) {
        let mut dice = Dice::new(seed);
        let mut window = scene(20, intervals);
        for (at, kind) in kinds.iter().enumerate() {
            let before = at < 4;
            let count = if before { 20 } else { intervals };
            let answer = match kind {
                0 => None,
                1 => Some(Err(ProviderFault::new("no"))),
                2 => Some(Ok(points(before, &HOSTS, count, |_, _| if dice.share() < 0.2 { f64::from_bits(dice.bits()) } else { 10_f64.powf(dice.share() * 20.0 - 4.0) }))),
                3 => Some(Ok(points(before, &HOSTS[..2], count, |_, _| dice.share() * 1000.0))),
                _ => continue,
            };
            *QUERIES[at % 4].1(side(&mut window, before)) = answer;
        }
        let verdict = crate::scene::judged_at(&window, tolerance.0, tolerance.1);
        prop_assert_eq!(verdict.measurements.len(), 3);
        for measurement in &verdict.measurements {
            prop_assert!(measurement.explanation.ends_with('.') && measurement.explanation.len() > 10);
            prop_assert!(measurement.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)), "{measurement:?}");
            prop_assert!([measurement.baseline, measurement.measured, measurement.limit].iter().flatten().all(|n| n.is_finite()), "{measurement:?}");
        }
        if verdict.outcome == Outcome::Pass {
            prop_assert!(intervals >= 8);
            prop_assert!(kinds.iter().all(|kind| *kind > 1), "passed with {kinds:?}");
        }
    }
}
