//! Takes points in, in the v1 and v2 forms.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::store::{Kind, Tags};
use super::{Shared, bad_request, lock, now};

/// Datadog refuses points older than an hour or further ahead than ten minutes.
const PAST_S: i64 = 60 * 60;
const FUTURE_S: i64 = 10 * 60;

#[derive(Deserialize)]
struct Payload<S> {
    series: Vec<S>,
}

#[derive(Deserialize)]
struct SeriesV2 {
    metric: String,
    points: Vec<PointV2>,
    #[serde(default, rename = "type")]
    kind: u8,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct PointV2 {
    timestamp: i64,
    value: f64,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct SeriesV1 {
    metric: String,
    points: Vec<(f64, f64)>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    host: Option<String>,
}

/// POST /api/v2/series
pub async fn v2(State(endpoint): State<Shared>, body: Bytes) -> Response {
    let Ok(payload) = serde_json::from_slice::<Payload<SeriesV2>>(&body) else {
        return bad_request("Payload is not in the expected format");
    };
    for one in payload.series {
        let kind = match one.kind {
            1 => Kind::Count,
            2 => Kind::Rate,
            _ => Kind::Gauge,
        };
        let host = one
            .resources
            .into_iter()
            .find(|resource| resource.kind == "host");
        let tags = with_host(one.tags, host.map(|host| host.name));
        add(
            &endpoint,
            one.metric,
            tags,
            kind,
            one.points
                .into_iter()
                .map(|point| (point.timestamp, point.value)),
        );
    }
    (StatusCode::ACCEPTED, Json(json!({ "errors": [] }))).into_response()
}

/// POST /api/v1/series
pub async fn v1(State(endpoint): State<Shared>, body: Bytes) -> Response {
    let Ok(payload) = serde_json::from_slice::<Payload<SeriesV1>>(&body) else {
        return bad_request("Payload is not in the expected format");
    };
    for one in payload.series {
        let kind = match one.kind.as_deref() {
            Some("count") => Kind::Count,
            Some("rate") => Kind::Rate,
            _ => Kind::Gauge,
        };
        let tags = with_host(one.tags.unwrap_or_default(), one.host);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "v1 writes whole seconds as numbers with a point"
        )]
        let points = one.points.into_iter().map(|(at, value)| (at as i64, value));
        add(&endpoint, one.metric, tags, kind, points);
    }
    // The older interface calls JSON by another name.
    let text_json = [(CONTENT_TYPE, "text/json")];
    (StatusCode::ACCEPTED, text_json, r#"{"status": "ok"}"#).into_response()
}

fn with_host(tags: Vec<String>, host: Option<String>) -> Tags {
    tags.into_iter()
        .chain(host.map(|name| format!("host:{name}")))
        .collect()
}

/// Points outside the accepted time are dropped without a word, as Datadog does.
fn add(
    endpoint: &Shared,
    metric: String,
    tags: Tags,
    kind: Kind,
    points: impl Iterator<Item = (i64, f64)>,
) {
    let now = now();
    let accepted = points
        .filter(|(at, value)| (now - PAST_S..=now + FUTURE_S).contains(at) && value.is_finite());
    lock(&endpoint.points).add(now, metric, tags, kind, accepted);
}
