use serde_json::{Value, json};

use super::super::answer::answer;
use super::super::query::parse;
use super::*;

fn tags(tags: &[&str]) -> Tags {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

/// Two hosts: 10 requests each second on web-1 with one error each, 30 and three on web-2, for 40 seconds from 1000.
fn store() -> Store {
    let mut store = Store::default();
    for (host, requests) in [("web-1", 10.0), ("web-2", 30.0)] {
        let tags = tags(&[
            &format!("host:{host}"),
            "env:production",
            "service:checkout",
        ]);
        let seconds = 1000..1040;
        let every = |value: f64| seconds.clone().map(move |at| (at, value));
        store.add(
            1040,
            "requests".to_owned(),
            tags.clone(),
            Kind::Count,
            every(requests),
        );
        store.add(
            1040,
            "errors".to_owned(),
            tags.clone(),
            Kind::Count,
            every(requests / 10.0),
        );
        store.add(
            1040,
            "latency".to_owned(),
            tags,
            Kind::Gauge,
            every(requests * 2.0),
        );
    }
    store
}

fn ask(query: &str, from: i64, to: i64) -> Value {
    answer(&store(), query, &parse(query).unwrap(), from, to)
}

fn values(answer: &Value, series: usize) -> Vec<f64> {
    let points = answer["series"][series]["pointlist"].as_array().unwrap();
    points
        .iter()
        .map(|point| point[1].as_f64().unwrap())
        .collect()
}

#[test]
fn space_aggregation_over_hosts() {
    for (how, expected) in [
        ("sum", 40.0),
        ("avg", 20.0),
        ("min", 10.0),
        ("max", 30.0),
        ("count", 2.0),
    ] {
        let answer = ask(&format!("{how}:requests{{*}}"), 1000, 1009);
        assert_eq!(values(&answer, 0), vec![expected; 10], "{how}");
    }
}

#[test]
fn groups_have_tags_and_scopes() {
    let answer = ask("sum:requests{service:checkout} by {host}", 1000, 1001);
    let series = answer["series"].as_array().unwrap();
    assert_eq!(series.len(), 2);
    assert_eq!(series[0]["tag_set"], json!(["host:web-1"]));
    assert_eq!(series[0]["scope"], "host:web-1,service:checkout");
    assert_eq!(
        series[0]["expression"],
        "sum:requests{host:web-1,service:checkout}"
    );
    assert_eq!(series[0]["interval"], 1);
    assert_eq!(
        series[0]["pointlist"],
        json!([[1_000_000, 10.0], [1_001_000, 10.0]])
    );
    assert_eq!(answer["group_by"], json!(["host"]));
}

#[test]
fn counts_average_over_time_unless_told_and_rates_are_per_second() {
    assert_eq!(
        values(&ask("sum:requests{host:web-1}.rollup(20)", 1000, 1039), 0),
        [10.0, 10.0]
    );
    assert_eq!(
        values(
            &ask("sum:requests{host:web-1}.as_count().rollup(20)", 1000, 1039),
            0
        ),
        [10.0, 10.0].map(|n| n * 20.0)
    );
    assert_eq!(
        values(
            &ask("sum:requests{host:web-1}.as_rate().rollup(20)", 1000, 1039),
            0
        ),
        [10.0, 10.0]
    );
    assert_eq!(
        values(
            &ask("sum:requests{host:web-1}.rollup(sum,20)", 1000, 1039),
            0
        ),
        [200.0, 200.0]
    );
    assert_eq!(
        values(&ask("avg:latency{*}.as_count().rollup(20)", 1000, 1039), 0),
        [40.0, 40.0]
    );
}

#[test]
fn the_newest_interval_is_partly_filled_and_the_first_begins_in_the_window() {
    let answer = ask(
        "sum:requests{host:web-1}.as_count().rollup(sum, 30)",
        1001,
        1050,
    );
    // 1020..1050 has 20 of 30 seconds; 990..1020 began before the window.
    assert_eq!(
        answer["series"][0]["pointlist"],
        json!([[1_020_000, 200.0]])
    );
    assert_eq!(answer["series"][0]["end"], 1_049_000);
}

#[test]
fn arithmetic_joins_groups_and_leaves_out_what_is_no_number() {
    let answer = ask(
        "100 * sum:errors{*} by {host} / sum:requests{*} by {host}",
        1000,
        1000 + 1,
    );
    assert_eq!(answer["series"].as_array().unwrap().len(), 2);
    assert_eq!(values(&answer, 0), [10.0, 10.0]);
    assert_eq!(answer["series"][0]["metric"], "((100 * errors) / requests)");
    let share = ask("sum:requests{*} by {host} / sum:requests{*}", 1000, 1001);
    assert_eq!([values(&share, 0)[0], values(&share, 1)[0]], [0.25, 0.75]);
    assert_eq!(
        ask("sum:errors{*} / (sum:requests{*} - 40)", 1000, 1009)["series"],
        json!([])
    );
}

#[test]
fn filters_with_wildcards_and_negation() {
    assert_eq!(
        values(&ask("sum:requests{host:web-*}", 1000, 1001), 0)[0],
        40.0
    );
    assert_eq!(
        values(&ask("sum:requests{!host:web-2}", 1000, 1001), 0)[0],
        10.0
    );
    assert_eq!(
        ask("sum:requests{host:db-*}", 1000, 1001)["series"],
        json!([])
    );
}

#[test]
fn nothing_known_gives_no_series() {
    assert_eq!(ask("sum:unheard_of{*}", 1000, 1001)["series"], json!([]));
    assert_eq!(ask("sum:requests{*}", 5000, 5010)["series"], json!([]));
    assert_eq!(ask("1 + 1", 1000, 1001)["series"], json!([]));
}

#[test]
fn long_windows_have_wider_intervals() {
    let parsed = parse("sum:requests{*}").unwrap();
    assert_eq!(interval(&parsed[0], 1500), 1);
    assert_eq!(interval(&parsed[0], 3600), 5);
    assert_eq!(interval(&parsed[0], 86_400), 60);
    let narrow = parse("sum:requests{*}.rollup(1)").unwrap();
    assert_eq!(interval(&narrow[0], 86_400), 60);
}

#[test]
fn patterns() {
    for (pattern, text, is) in [
        ("a", "a", true),
        ("a*", "abc", true),
        ("*c", "abc", true),
        ("a*c", "abc", true),
        ("a*b*c", "axbxc", true),
        ("a*b", "ab-c", false),
        ("ab*ba", "aba", false),
    ] {
        assert_eq!(matches(pattern, text), is, "{pattern} {text}");
    }
}
