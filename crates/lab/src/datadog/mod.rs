//! A Datadog-compatible endpoint: the wire format of the published v1 and v2 interfaces, in memory.
//!
//! | route | needs | answers |
//! |---|---|---|
//! | `GET /api/v1/validate`, `/api/v2/validate` | api key | is the key good |
//! | `POST /api/v1/series`, `/api/v2/series` | api key | 202 |
//! | `GET /api/v1/query` | both keys | series of points |
//! | `GET /api/v1/hosts` | both keys | hosts that reported |
//! | `POST /api/v1/events` | api key | 202 and the event |
//! | `GET /api/v1/events`, `/api/v1/events/{id}` | both keys | events |
//! | `POST /lab/refusals` | api key | not Datadog's: makes the next calls fail with 429 |
//!
//! Points and events older than two hours are forgotten.

mod answer;
mod evaluate;
mod events;
mod hosts;
mod intake;
mod limits;
mod query;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::record::DatadogKeys;

/// Datadog's limit for a payload, uncompressed.
const PAYLOAD_BYTES: usize = 5 * 1024 * 1024;

struct Keys {
    api: String,
    app: String,
}

struct Endpoint {
    keys: Keys,
    points: Mutex<store::Store>,
    events: Mutex<events::Events>,
    limits: Mutex<limits::Limits>,
}

type Shared = Arc<Endpoint>;

/// The endpoint with `lab` nested at `/lab`, guarded by the api key.
pub fn router(keys: &DatadogKeys, lab: Router) -> Router {
    let endpoint = Arc::new(Endpoint {
        keys: Keys {
            api: keys.api_key.clone(),
            app: keys.app_key.clone(),
        },
        points: Mutex::default(),
        events: Mutex::default(),
        limits: Mutex::default(),
    });
    let reading = Router::new()
        .route("/api/v1/query", get(query))
        .route("/api/v1/hosts", get(hosts::list))
        .route("/api/v1/events", get(events::list))
        .route("/api/v1/events/{id}", get(events::show))
        .route_layer(from_fn_with_state(endpoint.clone(), needs_app_key))
        .route_layer(from_fn_with_state(endpoint.clone(), limits::limit));
    let posting_events = Router::new()
        .route("/api/v1/events", post(events::create))
        .route_layer(from_fn_with_state(endpoint.clone(), limits::limit));
    let lab: Router<Shared> = lab.with_state(()).route("/refusals", post(limits::refuse));
    Router::new()
        .route("/api/v1/validate", get(validate_v1))
        .route("/api/v2/validate", get(validate_v2))
        .route("/api/v1/series", post(intake::v1))
        .route("/api/v2/series", post(intake::v2))
        .merge(reading)
        .merge(posting_events)
        .nest("/lab", lab)
        .route_layer(from_fn_with_state(endpoint.clone(), needs_api_key))
        .layer(DefaultBodyLimit::max(PAYLOAD_BYTES))
        .with_state(endpoint)
}

async fn needs_api_key(State(endpoint): State<Shared>, request: Request, next: Next) -> Response {
    if holds(request.headers(), "dd-api-key", &endpoint.keys.api) {
        next.run(request).await
    } else {
        forbidden()
    }
}

async fn needs_app_key(State(endpoint): State<Shared>, request: Request, next: Next) -> Response {
    if holds(request.headers(), "dd-application-key", &endpoint.keys.app) {
        next.run(request).await
    } else {
        forbidden()
    }
}

fn holds(headers: &HeaderMap, name: &str, key: &str) -> bool {
    headers
        .get(name)
        .is_some_and(|value| value.as_bytes() == key.as_bytes())
}

fn forbidden() -> Response {
    errors(StatusCode::FORBIDDEN, "Forbidden")
}

/// Datadog's form of a refusal.
fn errors(status: StatusCode, sentence: &str) -> Response {
    (status, Json(json!({ "errors": [sentence] }))).into_response()
}

fn bad_request(sentence: &str) -> Response {
    errors(StatusCode::BAD_REQUEST, sentence)
}

/// Seconds since 1970.
fn now() -> i64 {
    Timestamp::now().as_second()
}

/// Nothing here is left half-done by a panic, so a poisoned lock is as good as another.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn validate_v1() -> Response {
    Json(json!({ "valid": true })).into_response()
}

async fn validate_v2() -> Response {
    let attributes = json!({
        "valid": true,
        "api_key_id": "00000000-0000-4000-8000-000000000001",
        "api_key_scopes": [],
    });
    Json(json!({
        "data": {
            "id": "00000000-0000-4000-8000-000000000000",
            "type": "validate_v2",
            "attributes": attributes,
        }
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Asked {
    from: Option<i64>,
    to: Option<i64>,
    query: Option<String>,
}

async fn query(State(endpoint): State<Shared>, Query(asked): Query<Asked>) -> Response {
    let (Some(from), Some(to), Some(text)) = (asked.from, asked.to, asked.query) else {
        return bad_request("The parameters 'from', 'to' and 'query' are required");
    };
    if !evaluate::is_window(from, to) {
        return bad_request("The parameter 'from' must be before 'to'");
    }
    let expressions = match query::parse(&text) {
        Ok(expressions) => expressions,
        Err(problem) => return bad_request(&format!("Error parsing query: {problem}")),
    };
    let points = lock(&endpoint.points);
    Json(answer::answer(&points, &text, &expressions, from, to)).into_response()
}
