//! Axes: bounds and ticks that people can read.

use std::iter;

use domain::Timestamp;

use crate::figure;

/// A vertical axis with round ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    /// From `low` to `high`, both included.
    pub ticks: Vec<f64>,
}

impl Axis {
    /// Fits finite values. Starts at zero unless the values lie close together far above it.
    pub fn fit(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if !low.is_finite() || !high.is_finite() {
            return Self::between(0.0, 1.0);
        }
        let near = high - low < 0.25 * high.abs();
        match (low >= 0.0, near && low != high) {
            (true, false) if high > 0.0 => Self::between(0.0, high),
            (true, false) => Self::between(0.0, 1.0),
            (false, _) if low == high => Self::between(low, 0.0),
            _ => Self::between(low, high),
        }
    }

    fn between(low: f64, high: f64) -> Self {
        let step = nice_step((high - low) / 4.0);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        // Multiplying counts, instead of adding steps, keeps ticks round.
        let ticks: Vec<f64> = (0..=((last - first) as usize).min(20))
            .map(|n| (first + n as f64) * step)
            .collect();
        Self {
            low: first * step,
            high: last * step,
            ticks,
        }
    }

    /// Where a value lies between `low` (0) and `high` (1).
    pub fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The smallest of 1, 2, 2.5, 5 × 10ⁿ that is at least `rough`.
fn nice_step(rough: f64) -> f64 {
    if !rough.is_finite() || rough <= f64::MIN_POSITIVE {
        return 1.0;
    }
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .find(|factor| factor * power >= rough * 0.999_999);
    factor.unwrap_or(10.0) * power
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const TIME_STEPS: &[i64] = &[
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    28 * DAY,
    91 * DAY,
    364 * DAY,
];

/// A horizontal axis of time, in Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeAxis {
    from: i64,
    to: i64,
    step: i64,
    /// Round moments inside the bounds, at most five.
    pub ticks: Vec<i64>,
}

impl TimeAxis {
    /// Fits the time between two moments.
    pub fn fit(from: i64, to: i64) -> Self {
        let to = to.max(from.saturating_add(1));
        let span = to.saturating_sub(from);
        let step = TIME_STEPS
            .iter()
            .copied()
            .find(|step| span / step <= 4)
            .unwrap_or(span);
        let first = from.saturating_add((step - from.rem_euclid(step)) % step);
        let ticks = iter::successors(Some(first), |at| at.checked_add(step))
            .take_while(|at| *at <= to)
            .take(5)
            .collect();
        Self {
            from,
            to,
            step,
            ticks,
        }
    }

    /// Where a moment lies between the start (0) and the end (1).
    pub fn place(&self, at: i64) -> f64 {
        (at.saturating_sub(self.from) as f64 / self.to.saturating_sub(self.from) as f64)
            .clamp(0.0, 1.0)
    }

    /// As exact as the step asks for.
    pub fn label(&self, at: i64) -> String {
        let form = match self.step {
            step if step < MINUTE => figure::hour_minute_second,
            step if step < DAY => figure::hour_minute,
            _ => figure::day,
        };
        Timestamp::from_millisecond(at).map_or_else(|_| String::new(), form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(values: &[f64]) -> Axis {
        Axis::fit(values.iter().copied())
    }

    #[test]
    fn ticks_are_round_and_hold_every_value() {
        assert_eq!(fit(&[0.1, 3.7]).ticks, [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(fit(&[12.0, 183.0]).ticks, [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_eq!(fit(&[-5.0, 5.0]).ticks, [-5.0, -2.5, 0.0, 2.5, 5.0]);
        assert_eq!(fit(&[0.0]).ticks, [0.0, 0.25, 0.5, 0.75, 1.0]);
        for values in [
            [1e-9, 2e-9],
            [1e12, 3e12],
            [0.3, 0.30001],
            [-7.0, -7.0],
            [100.0, 108.0],
        ] {
            let axis = fit(&values);
            assert!(
                axis.low <= values[0] && values[1] <= axis.high && axis.low < axis.high,
                "{values:?} {axis:?}"
            );
            assert!((2..=8).contains(&axis.ticks.len()), "{axis:?}");
        }
    }

    #[test]
    fn values_close_together_are_not_pressed_flat() {
        assert!(fit(&[180.0, 190.0]).low > 100.0);
        assert_eq!(fit(&[20.0, 190.0]).low, 0.0);
    }

    #[test]
    fn no_value_at_all_still_gives_an_axis() {
        assert_eq!(fit(&[]).high, 1.0);
    }

    #[test]
    fn times_are_round_and_few() {
        let axis = TimeAxis::fit(1_795_246_264_000, 1_795_246_354_000);
        assert_eq!(
            axis.ticks
                .iter()
                .map(|at| axis.label(*at))
                .collect::<Vec<_>>(),
            ["07:31:30", "07:32:00", "07:32:30"]
        );
        for span in [
            0,
            1,
            999,
            60_000,
            3_600_000,
            86_400_000 * 3,
            86_400_000 * 4000,
        ] {
            let axis = TimeAxis::fit(1_795_246_264_123, 1_795_246_264_123 + span);
            assert!(axis.ticks.len() <= 5, "{span}");
            assert!(
                axis.ticks
                    .iter()
                    .all(|at| (0.0..=1.0).contains(&axis.place(*at))),
                "{span}"
            );
        }
        TimeAxis::fit(i64::MIN, i64::MAX);
        TimeAxis::fit(5, 3);
    }
}
