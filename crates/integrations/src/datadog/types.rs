//! What goes over the wire, read leniently: a field that is missing or null is no reason to lose the others.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// One line of a metric query's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub metric: String,
    /// As Datadog writes it, such as `host:web-1,service:checkout`; `*` for everything.
    pub scope: String,
    /// `name:value`, from the grouping of the query.
    pub tags: Vec<String>,
    /// How much time one point stands for; `None` if neither the answer nor its points tell.
    pub interval: Option<SignedDuration>,
    /// In order of time; points without a value are left out.
    pub points: Vec<Point>,
}

/// The value of the interval that begins at `at`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub at: Timestamp,
    pub value: f64,
}

impl Series {
    /// The value of a tag: `web-1` for `host` in `host:web-1`.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find_map(|tag| {
            tag.split_once(':')
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value)
        })
    }

    /// The points whose whole interval lies before `now` and before the end of the query, `to`. The newest one, which
    /// is still filling up or was cut by the query, looks like a drop and is never among them; without a known
    /// interval none is.
    pub fn trusted_points(&self, to: Timestamp, now: Timestamp) -> &[Point] {
        let Some(interval) = self.interval else {
            return &[];
        };
        let full = |point: &Point| {
            point
                .at
                .checked_add(interval)
                .is_ok_and(|end| end <= now && end < to)
        };
        &self.points[..self.points.partition_point(full)]
    }
}

/// A host Datadog knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    pub aliases: Vec<String>,
    /// Of all sources together, sorted.
    pub tags: Vec<String>,
    /// Datadog's own judgement, when it has one.
    pub up: Option<bool>,
    pub last_reported: Option<Timestamp>,
}

/// Something to show in Datadog's event stream and over its charts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    pub title: String,
    pub text: String,
    pub alert_type: AlertType,
    /// Events with the same key fold together; at most 100 characters.
    pub aggregation_key: String,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertType {
    Info,
    Success,
    Warning,
    Error,
}

/// A missing or null field is its type's empty value; so is one of another type.
fn lenient<'de, D: Deserializer<'de>, T: Default + serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<T, D::Error> {
    Value::deserialize(deserializer).map(|value| serde_json::from_value(value).unwrap_or_default())
}

#[derive(Deserialize)]
pub(super) struct QueryAnswer {
    #[serde(default, deserialize_with = "lenient")]
    pub status: String,
    /// With status 200, too.
    #[serde(default, deserialize_with = "lenient")]
    pub error: String,
    pub series: Option<Vec<RawSeries>>,
}

#[derive(Deserialize)]
pub(super) struct RawSeries {
    #[serde(default, deserialize_with = "lenient")]
    metric: String,
    #[serde(default, deserialize_with = "lenient")]
    scope: String,
    #[serde(default, deserialize_with = "lenient")]
    tag_set: Vec<String>,
    /// Seconds.
    #[serde(default, deserialize_with = "lenient")]
    interval: Option<f64>,
    /// Pairs of Unix milliseconds and a value or null.
    #[serde(default, deserialize_with = "lenient")]
    pointlist: Vec<Value>,
}

impl From<RawSeries> for Series {
    fn from(raw: RawSeries) -> Self {
        let times: Vec<i64> = raw
            .pointlist
            .iter()
            .filter_map(|pair| millis(pair.get(0)?))
            .collect();
        let mut points: Vec<Point> = raw
            .pointlist
            .iter()
            .filter_map(|pair| {
                let at = Timestamp::from_millisecond(millis(pair.get(0)?)?).ok()?;
                Some(Point {
                    at,
                    value: pair.get(1)?.as_f64().filter(|value| value.is_finite())?,
                })
            })
            .collect();
        points.sort_by_key(|point| point.at);
        let told = raw
            .interval
            .filter(|seconds| *seconds >= 1.0)
            .map(|seconds| (seconds * 1000.0) as i64);
        // A null point still has its place, so the places tell the interval when the answer does not.
        let seen = || {
            times
                .windows(2)
                .map(|pair| pair[1] - pair[0])
                .filter(|gap| *gap > 0)
                .min()
        };
        let tags = if raw.tag_set.is_empty() {
            raw.scope
                .split(',')
                .map(str::trim)
                .filter(|tag| tag.contains(':'))
                .map(str::to_owned)
                .collect()
        } else {
            raw.tag_set
        };
        let interval = told.or_else(seen).map(SignedDuration::from_millis);
        Self {
            metric: raw.metric,
            scope: raw.scope,
            tags,
            interval,
            points,
        }
    }
}

fn millis(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|millis| millis as i64))
}

#[derive(Deserialize)]
pub(super) struct HostsAnswer {
    pub host_list: Option<Vec<RawHost>>,
    #[serde(default, deserialize_with = "lenient")]
    pub total_matching: usize,
}

/// Hosts of all pages.
pub(super) struct Listed {
    pub hosts: Vec<RawHost>,
    /// There are others beyond what is read.
    pub more: bool,
}

#[derive(Deserialize)]
pub(super) struct RawHost {
    /// Datadog's own number.
    #[serde(default, deserialize_with = "lenient")]
    pub id: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    host_name: String,
    #[serde(default, deserialize_with = "lenient")]
    aliases: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub meta: RawMeta,
    #[serde(default, deserialize_with = "lenient")]
    tags_by_source: std::collections::BTreeMap<String, Vec<String>>,
    #[serde(default, deserialize_with = "lenient")]
    up: Option<bool>,
    /// Unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    last_reported_time: Option<i64>,
}

/// Only with `include_hosts_metadata`.
#[derive(Deserialize, Default)]
pub(super) struct RawMeta {
    /// JSON in a text, in which the agent says what it saw of the machine.
    #[serde(default, deserialize_with = "lenient")]
    pub gohai: String,
    #[serde(default, deserialize_with = "lenient", rename = "socket-fqdn")]
    pub fqdn: String,
}

impl RawHost {
    /// `None` for an entry without a name.
    pub fn named(self) -> Option<Host> {
        let name = if self.name.is_empty() {
            self.host_name
        } else {
            self.name
        };
        let mut tags: Vec<String> = self.tags_by_source.into_values().flatten().collect();
        tags.sort_unstable();
        tags.dedup();
        let last_reported = self
            .last_reported_time
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        (!name.is_empty()).then_some(Host {
            name,
            aliases: self.aliases,
            tags,
            up: self.up,
            last_reported,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Validation {
    #[serde(default, deserialize_with = "lenient")]
    pub valid: bool,
}

/// What comes with a status that is no success.
#[derive(Deserialize, Default)]
pub(super) struct Complaint {
    #[serde(default, deserialize_with = "lenient")]
    pub errors: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(json: &str) -> Series {
        serde_json::from_str::<RawSeries>(json).unwrap().into()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn reads_what_is_there() {
        let read = series(
            r#"{"metric":"m","scope":"host:a,env:x","tag_set":["host:a"],"interval":20,"pointlist":[[1000,1.5],[21000,null],[41000,3]],"unit":[null]}"#,
        );
        assert_eq!(read.tag("host"), Some("a"));
        assert_eq!(read.interval, Some(SignedDuration::from_secs(20)));
        assert_eq!(
            read.points,
            [
                Point {
                    at: at(1),
                    value: 1.5
                },
                Point {
                    at: at(41),
                    value: 3.0
                }
            ]
        );

        let bare = series(
            r#"{"scope":"host:a,env:x","tag_set":null,"interval":null,"pointlist":[[10000.0,1],[20000.0,null],[30000.0,1],"x",[],[1]]}"#,
        );
        assert_eq!(
            (bare.tag("env"), bare.interval),
            (Some("x"), Some(SignedDuration::from_secs(10)))
        );
        assert_eq!(bare.points.len(), 2);

        let empty = series("{}");
        assert_eq!((empty.interval, empty.points.len()), (None, 0));
    }

    #[test]
    fn the_newest_point_is_not_trusted() {
        let of_interval = |interval: i64| Series {
            metric: String::new(),
            scope: String::new(),
            tags: Vec::new(),
            interval: Some(SignedDuration::from_secs(interval)),
            points: (0..4)
                .map(|step| Point {
                    at: at(100 + step * interval),
                    value: 1.0,
                })
                .collect(),
        };
        for (name, interval, to, now, expected) in [
            ("the end of the query inside the newest", 10, 135, 200, 3),
            ("the query ends where the newest ends", 10, 140, 200, 3),
            ("a query that ends long after", 10, 200, 200, 4),
            ("now inside the newest", 10, 200, 135, 3),
            ("now where the newest ends", 10, 200, 140, 4),
            ("points of a second, asked for at once", 1, 103, 103, 2),
            ("a clock that is behind", 10, 200, 50, 0),
        ] {
            assert_eq!(
                of_interval(interval).trusted_points(at(to), at(now)).len(),
                expected,
                "{name}"
            );
        }
        assert!(
            Series {
                interval: None,
                ..of_interval(10)
            }
            .trusted_points(at(1000), at(1000))
            .is_empty()
        );
    }
}
