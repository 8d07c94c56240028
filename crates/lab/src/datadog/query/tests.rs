use super::*;

fn one(text: &str) -> MetricQuery {
    match parse(text).unwrap().remove(0) {
        Expression::Metric(query) => query,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_query_with_everything() {
    let query = one(
        "sum:slipway_demo.errors{service:checkout, !env:dev} by {host,version}.as_count().rollup(max, 20)",
    );
    assert_eq!(query.space, Some(Aggregation::Sum));
    assert_eq!(query.metric, "slipway_demo.errors");
    assert_eq!(
        query.filters,
        [
            Filter {
                tag: "service:checkout".to_owned(),
                negated: false
            },
            Filter {
                tag: "env:dev".to_owned(),
                negated: true
            },
        ]
    );
    assert_eq!(query.by, ["host", "version"]);
    assert_eq!(query.modifier, Some(Modifier::AsCount));
    assert_eq!(
        query.rollup,
        Some(Rollup {
            time: Some(Aggregation::Max),
            interval_s: Some(20)
        })
    );
}

#[test]
fn short_forms() {
    assert_eq!(one("system.cpu.idle{*}").space, None);
    assert!(one("avg:a{*}").filters.is_empty());
    assert_eq!(one("avg:a{host:web-* AND env:x}").filters.len(), 2);
    assert_eq!(one("avg:a{*}by{host}").by, ["host"]);
    assert_eq!(
        one("avg:a{*}.rollup(60)").rollup.unwrap().interval_s,
        Some(60)
    );
    assert_eq!(
        one("avg:a{*}.rollup(sum)").rollup.unwrap().time,
        Some(Aggregation::Sum)
    );
    assert_eq!(one("sum:a{*}.as_rate()").modifier, Some(Modifier::AsRate));
}

#[test]
fn products_bind_closer_than_sums_and_commas_separate() {
    let parsed = parse("1 + 2 * a{*}, (1 - 2) / sum:b{x:y}").unwrap();
    assert_eq!(parsed.len(), 2);
    assert!(
        matches!(&parsed[0], Expression::Binary(left, Operator::Add, _) if **left == Expression::Number(1.0))
    );
    assert!(matches!(
        &parsed[1],
        Expression::Binary(_, Operator::Divide, _)
    ));
}

#[test]
fn nonsense_is_explained() {
    let nonsense = [
        "",
        "avg:",
        "avg:a",
        "avg:a{",
        "avg:a{}",
        "avg:a{*",
        "p95:a{*}",
        "avg:a{*} by",
        "avg:a{*} by {}",
        "avg:a{*}.rollup(0)",
        "avg:a{*}.rollup(sum,",
        "avg:a{*}.fill(zero)",
        "avg:a{*} /",
        "(avg:a{*}",
        "1.2.3",
        "avg:a{*} avg:b{*}",
        "{*}",
        "avg:ä{*}",
    ];
    for text in nonsense {
        let problem = parse(text).expect_err(text).to_string();
        assert!(problem.starts_with("expected "), "{text}: {problem}");
    }
    assert!(parse(&"(".repeat(10_000)).is_err());
}
