//! Computes what a query asks for.

use std::collections::BTreeMap;

use super::query::{Aggregation, Expression, Filter, MetricQuery, Modifier, Operator};
use super::store::{Kind, Store, Tags, tag};

/// Datadog gives at most so many points of a series, and widens the interval for that.
const MOST_POINTS: i64 = 1500;
/// The lab's points come every second; Datadog's narrowest default is 20 s.
const INTERVALS_S: [i64; 13] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/// The series of one group: its `key:value` pairs (sorted) and a value for each interval's first second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub tags: Vec<String>,
    pub points: BTreeMap<i64, f64>,
}

/// The time asked for and the length of an interval, in seconds.
pub struct Window {
    pub from: i64,
    pub to: i64,
    pub interval_s: i64,
}

/// Whether a query may ask for the time from `from` to `to` (both in seconds).
pub fn is_window(from: i64, to: i64) -> bool {
    0 <= from && from < to && to <= i64::from(u32::MAX)
}

/// One group of points for each set of tags grouped by; groups may be empty.
pub fn evaluate(store: &Store, expression: &Expression, window: &Window) -> Vec<Group> {
    match expression {
        // A number has no points of its own: it takes those of what it is combined with.
        Expression::Number(_) => Vec::new(),
        Expression::Metric(query) => groups(store, query, window),
        Expression::Binary(left, operator, right) => match (constant(left), constant(right)) {
            (Some(left), _) => mapped(evaluate(store, right, window), |value| {
                operator.of(left, value)
            }),
            (_, Some(right)) => mapped(evaluate(store, left, window), |value| {
                operator.of(value, right)
            }),
            _ => joined(
                &evaluate(store, left, window),
                &evaluate(store, right, window),
                *operator,
            ),
        },
    }
}

fn constant(expression: &Expression) -> Option<f64> {
    match expression {
        Expression::Number(number) => Some(*number),
        Expression::Metric(_) => None,
        Expression::Binary(left, operator, right) => operator.of(constant(left)?, constant(right)?),
    }
}

fn mapped(mut groups: Vec<Group>, change: impl Fn(f64) -> Option<f64>) -> Vec<Group> {
    for group in &mut groups {
        let points = std::mem::take(&mut group.points);
        group.points = points
            .into_iter()
            .filter_map(|(at, value)| Some((at, change(value)?)))
            .collect();
    }
    groups
}

/// Groups of the same tags, or each with the one group of a side that is not grouped; only where both have a point.
fn joined(left: &[Group], right: &[Group], operator: Operator) -> Vec<Group> {
    let mut all = Vec::new();
    for a in left {
        for b in right {
            if a.tags == b.tags || a.tags.is_empty() || b.tags.is_empty() {
                let tags = if a.tags.is_empty() { &b.tags } else { &a.tags };
                let points = a.points.iter().filter_map(|(at, value)| {
                    Some((*at, operator.of(*value, *b.points.get(at)?)?))
                });
                all.push(Group {
                    tags: tags.clone(),
                    points: points.collect(),
                });
            }
        }
    }
    all
}

impl Operator {
    /// `None` where the result is no number (division by zero).
    fn of(self, left: f64, right: f64) -> Option<f64> {
        let result = match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
        };
        result.is_finite().then_some(result)
    }
}

/// First over time within each series, then over the series of a group.
fn groups(store: &Store, query: &MetricQuery, window: &Window) -> Vec<Group> {
    let mut grouped: BTreeMap<Vec<String>, BTreeMap<i64, Vec<f64>>> = BTreeMap::new();
    for (tags, series) in store.series(&query.metric) {
        if !query.filters.iter().all(|filter| admits(filter, tags)) {
            continue;
        }
        let mut key: Vec<String> = query
            .by
            .iter()
            .map(|name| format!("{name}:{}", tag(tags, name).unwrap_or("N/A")))
            .collect();
        key.sort_unstable();
        let group = grouped.entry(key).or_default();
        for (at, value) in over_time(query, series.kind, &series.points, window) {
            group.entry(at).or_default().push(value);
        }
    }
    let space = query.space.unwrap_or(Aggregation::Avg);
    grouped
        .into_iter()
        .map(|(tags, points)| Group {
            tags,
            points: points
                .into_iter()
                .map(|(at, values)| (at, aggregated(space, &values)))
                .collect(),
        })
        .collect()
}

fn over_time(
    query: &MetricQuery,
    kind: Kind,
    points: &BTreeMap<i64, f64>,
    window: &Window,
) -> BTreeMap<i64, f64> {
    let modifier = query.modifier.filter(|_| kind != Kind::Gauge);
    let time = match (query.rollup.and_then(|rollup| rollup.time), modifier) {
        (Some(time), _) => time,
        (None, Some(_)) => Aggregation::Sum,
        (None, None) => Aggregation::Avg,
    };
    // Intervals begin at multiples of their length; the first is the first to begin within the window.
    let step = window.interval_s;
    let first = window.from + (step - window.from.rem_euclid(step)) % step;
    let end = window.to - window.to.rem_euclid(step) + step;
    let mut intervals: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    if first < end {
        for (at, value) in points.range(first..end) {
            intervals
                .entry(at - at.rem_euclid(step))
                .or_default()
                .push(*value);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "an interval is at most an hour")]
    let per = if modifier == Some(Modifier::AsRate) {
        step as f64
    } else {
        1.0
    };
    intervals
        .into_iter()
        .map(|(at, values)| (at, aggregated(time, &values) / per))
        .collect()
}

fn aggregated(how: Aggregation, values: &[f64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of points or series")]
    let count = values.len() as f64;
    match how {
        Aggregation::Sum => values.iter().sum(),
        Aggregation::Avg => values.iter().sum::<f64>() / count,
        Aggregation::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        Aggregation::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Aggregation::Count => count,
    }
}

fn admits(filter: &Filter, tags: &Tags) -> bool {
    tags.iter()
        .any(|tag| matches(&filter.tag, &tag.to_lowercase()))
        != filter.negated
}

/// Whether `text` is like `pattern`, in which a `*` stands for any letters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, mut pattern)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(start) else {
        return false;
    };
    while let Some((part, later)) = pattern.split_once('*') {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        pattern = later;
    }
    rest.ends_with(pattern)
}

/// The interval asked for, or the narrowest default; never so narrow that a series has too many points.
pub fn interval(expression: &Expression, window_s: i64) -> i64 {
    let fits = |seconds: &i64| window_s / seconds <= MOST_POINTS;
    let default = INTERVALS_S
        .into_iter()
        .find(fits)
        .unwrap_or(window_s / MOST_POINTS + 1);
    let mut widest = default;
    metrics(expression, &mut |query| {
        widest = widest.max(
            query
                .rollup
                .and_then(|rollup| rollup.interval_s)
                .unwrap_or(default),
        );
    });
    widest
}

/// Visits every metric of an expression.
pub fn metrics<'a>(expression: &'a Expression, visit: &mut impl FnMut(&'a MetricQuery)) {
    match expression {
        Expression::Number(_) => {}
        Expression::Metric(query) => visit(query),
        Expression::Binary(left, _, right) => {
            metrics(left, visit);
            metrics(right, visit);
        }
    }
}

#[cfg(test)]
mod tests;
