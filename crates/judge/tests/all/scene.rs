//! A batch whose telemetry is drawn up point by point: ten-second intervals, and a judgement of them.

use domain::{
    SignedDuration, Timestamp,
    strategy::Tolerance,
    verdict::{Dimension, Measurement, Verdict},
};
use judge::{Samples, Stretch, Window, judge};
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use statrs::distribution::{ContinuousCDF as _, Normal};

pub const INTERVAL: i64 = 10;

/// Start of the nth interval of the baseline (before = true) or since the change.
pub fn at(before: bool, nth: usize) -> Timestamp {
    let start = if before { 1_767_225_600 } else { 1_767_300_000 };
    Timestamp::from_second(start + INTERVAL * i64::try_from(nth).unwrap()).unwrap()
}

/// Points of every host in so many intervals; `value(host, nth)`.
pub fn points(
    before: bool,
    hosts: &[&str],
    intervals: usize,
    mut value: impl FnMut(usize, usize) -> f64,
) -> Samples {
    let mut samples = Samples::default();
    for (which, host) in hosts.iter().enumerate() {
        for nth in 0..intervals {
            samples.push(*host, at(before, nth), value(which, nth));
        }
    }
    samples
}

pub const HOSTS: [&str; 3] = ["web-1", "web-2", "web-3"];

/// A healthy stretch: 100 requests, no error, 100 ms (±1), everybody alive.
pub fn healthy(before: bool, hosts: &[&str], intervals: usize) -> Stretch {
    let even = |value: f64| Some(Ok(points(before, hosts, intervals, |_, _| value)));
    Stretch {
        from: at(before, 0),
        until: at(before, intervals),
        requests: even(100.0),
        errors: even(0.0),
        latency: Some(Ok(points(before, hosts, intervals, |_, nth| {
            if nth % 2 == 0 { 99.0 } else { 101.0 }
        }))),
        liveness: even(1.0),
    }
}

/// A healthy batch of three, for so many intervals before and since.
pub fn scene(before: usize, now: usize) -> Window {
    Window {
        hosts: HOSTS.map(str::to_owned).into(),
        interval: SignedDuration::from_secs(INTERVAL),
        baseline: healthy(true, &HOSTS, before),
        current: healthy(false, &HOSTS, now),
    }
}

pub fn judged(window: &Window) -> Verdict {
    judged_at(window, 5, 100)
}

pub fn judged_at(window: &Window, latency_percent: u32, error_basis_points: u32) -> Verdict {
    judge(
        window,
        &Tolerance {
            latency_percent,
            error_basis_points,
        },
        window.current.until,
        vec!["sum:errors{*} by {host}".to_owned()],
    )
}

pub fn of(verdict: &Verdict, dimension: Dimension) -> &Measurement {
    verdict
        .measurements
        .iter()
        .find(|measurement| measurement.dimension == dimension)
        .unwrap()
}

/// Chance that repeats itself.
pub struct Dice(StdRng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    pub fn share(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// A latency around `median` whose logarithm has this standard deviation.
    pub fn latency(&mut self, median: f64, sigma: f64) -> f64 {
        let uniform = self.share().clamp(1e-12, 1.0 - 1e-12);
        median * (sigma * Normal::standard().inverse_cdf(uniform)).exp()
    }

    /// Errors among so many requests.
    pub fn errors(&mut self, requests: u32, rate: f64) -> f64 {
        f64::from(
            (0..requests)
                .map(|_| u32::from(self.share() < rate))
                .sum::<u32>(),
        )
    }

    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
}
