//! SVG path data with gaps.

use std::fmt::Write as _;

/// Path data of a line; a missing value ends a piece, and a piece of one point is drawn as a dot.
pub fn line(
    points: &[(i64, Option<f64>)],
    x: impl Fn(i64) -> f64,
    y: impl Fn(f64) -> f64,
) -> String {
    pieces(points.iter().map(|(at, value)| {
        value
            .filter(|value| value.is_finite())
            .map(|value| (x(*at), y(value)))
    }))
}

/// Path data of values at even distances, scaled to a box.
pub fn spark(points: &[Option<f64>], width: f64, height: f64) -> String {
    let values = || {
        points
            .iter()
            .flatten()
            .copied()
            .filter(|value| value.is_finite())
    };
    let low = values().fold(f64::INFINITY, f64::min);
    let range = (values().fold(f64::NEG_INFINITY, f64::max) - low).max(f64::MIN_POSITIVE);
    let step = width / (points.len().max(2) - 1) as f64;
    let place = |value: f64| height - 2.0 - (value - low) / range * (height - 4.0);
    pieces(points.iter().enumerate().map(|(at, value)| {
        value
            .filter(|value| value.is_finite())
            .map(|value| (at as f64 * step, place(value)))
    }))
}

fn pieces(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let mut path = String::new();
    let mut length = 0;
    for point in points {
        match point {
            Some((x, y)) => {
                let letter = if length == 0 { 'M' } else { 'L' };
                // Writing to a string cannot fail.
                let _ = write!(path, "{letter}{x:.1} {y:.1}");
                length += 1;
            }
            None => {
                dot(&mut path, length);
                length = 0;
            }
        }
    }
    dot(&mut path, length);
    path
}

/// A piece of a single point gets a line of no length, which round caps show as a dot.
fn dot(path: &mut String, length: usize) {
    if length == 1 {
        path.push_str("h0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(values: &[Option<f64>]) -> String {
        let points: Vec<_> = (0..).zip(values.iter().copied()).collect();
        line(&points, |at| at as f64, |value| value)
    }

    #[test]
    fn gaps_stay_gaps() {
        assert_eq!(
            draw(&[Some(1.0), Some(2.0), None, Some(3.0), Some(4.0)]),
            "M0.0 1.0L1.0 2.0M3.0 3.0L4.0 4.0"
        );
    }

    #[test]
    fn a_lonely_point_is_a_dot() {
        assert_eq!(draw(&[None, Some(2.0), None]), "M1.0 2.0h0");
        assert_eq!(draw(&[Some(2.0)]), "M0.0 2.0h0");
    }

    #[test]
    fn what_is_no_number_is_a_gap() {
        assert_eq!(
            draw(&[Some(f64::NAN), Some(1.0), Some(f64::INFINITY)]),
            "M1.0 1.0h0"
        );
        assert_eq!(draw(&[]), "");
    }

    #[test]
    fn sparks_fit_their_box() {
        assert_eq!(
            spark(&[Some(0.0), Some(10.0)], 100.0, 24.0),
            "M0.0 22.0L100.0 2.0"
        );
        assert!(!spark(&[Some(5.0), Some(5.0)], 100.0, 24.0).contains("NaN"));
        assert_eq!(spark(&[], 100.0, 24.0), "");
    }
}
