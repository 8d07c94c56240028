//! Writes what a query gave as `GET /api/v1/query` does.

use serde_json::{Value, json};

use super::evaluate::{Group, Window, evaluate, interval, metrics};
use super::query::{Aggregation, Expression, MetricQuery, Operator};
use super::store::Store;

/// The answer's body. The newest point covers an interval that is not over yet, so it is only partly filled.
/// An expression without data gives no series.
pub fn answer(store: &Store, text: &str, expressions: &[Expression], from: i64, to: i64) -> Value {
    let mut series = Vec::new();
    let mut group_by: Vec<&str> = Vec::new();
    for (index, expression) in expressions.iter().enumerate() {
        let window = Window {
            from,
            to,
            interval_s: interval(expression, to - from),
        };
        metrics(expression, &mut |query| {
            group_by.extend(query.by.iter().map(String::as_str))
        });
        for group in evaluate(store, expression, &window) {
            if !group.points.is_empty() {
                series.push(written(expression, index, &group, &window));
            }
        }
    }
    group_by.sort_unstable();
    group_by.dedup();
    json!({
        "status": "ok",
        "resp_version": 1,
        "res_type": "time_series",
        "query": text,
        "from_date": from * 1000,
        "to_date": to * 1000,
        "series": series,
        "values": [],
        "times": [],
        "message": "",
        "group_by": group_by,
    })
}

fn written(expression: &Expression, index: usize, group: &Group, window: &Window) -> Value {
    let name = name(expression);
    let points: Vec<_> = group
        .points
        .iter()
        .map(|(at, value)| json!([at * 1000, value]))
        .collect();
    let first = group
        .points
        .first_key_value()
        .map_or(window.from, |(at, _)| *at);
    let last = group
        .points
        .last_key_value()
        .map_or(window.to, |(at, _)| *at);
    let (aggregation, scope) = match expression {
        Expression::Metric(query) => (query.space.map(word), scope(query, group)),
        _ => (
            None,
            if group.tags.is_empty() {
                "*".to_owned()
            } else {
                group.tags.join(",")
            },
        ),
    };
    json!({
        "metric": name,
        "display_name": name,
        "expression": text(expression, &scope),
        "aggr": aggregation,
        "scope": scope,
        "tag_set": group.tags,
        "query_index": index,
        "interval": window.interval_s,
        "start": first * 1000,
        "end": (last + window.interval_s - 1) * 1000,
        "length": points.len(),
        "pointlist": points,
        "attributes": {},
    })
}

fn name(expression: &Expression) -> String {
    match expression {
        Expression::Number(number) => number.to_string(),
        Expression::Metric(query) => query.metric.clone(),
        Expression::Binary(left, operator, right) => {
            format!("({} {} {})", name(left), sign(*operator), name(right))
        }
    }
}

fn text(expression: &Expression, scope: &str) -> String {
    match expression {
        Expression::Number(number) => number.to_string(),
        Expression::Metric(query) => {
            let space = query
                .space
                .map_or(String::new(), |space| format!("{}:", word(space)));
            format!("{space}{}{{{scope}}}", query.metric)
        }
        Expression::Binary(left, operator, right) => {
            format!(
                "({} {} {})",
                text(left, scope),
                sign(*operator),
                text(right, scope)
            )
        }
    }
}

/// The filters and the group's tags, sorted; `*` when there are none.
fn scope(query: &MetricQuery, group: &Group) -> String {
    let filters = query
        .filters
        .iter()
        .map(|filter| format!("{}{}", if filter.negated { "!" } else { "" }, filter.tag));
    let mut all: Vec<String> = filters.chain(group.tags.iter().cloned()).collect();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() {
        "*".to_owned()
    } else {
        all.join(",")
    }
}

fn word(aggregation: Aggregation) -> &'static str {
    match aggregation {
        Aggregation::Avg => "avg",
        Aggregation::Sum => "sum",
        Aggregation::Min => "min",
        Aggregation::Max => "max",
        Aggregation::Count => "count",
    }
}

fn sign(operator: Operator) -> char {
    match operator {
        Operator::Add => '+',
        Operator::Subtract => '-',
        Operator::Multiply => '*',
        Operator::Divide => '/',
    }
}
