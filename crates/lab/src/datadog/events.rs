//! Events, such as the markers of a deployment.

use std::collections::VecDeque;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::store::RETENTION_S;
use super::{Shared, bad_request, errors, lock, now};

const LONGEST_TEXT: usize = 4000;
const LONGEST_KEY: usize = 100;
const PAST_S: i64 = 18 * 60 * 60;
/// Datadog's ids are large too: a client that reads them as floating point gets them wrong.
const FIRST_ID: i64 = 6_327_818_702_635_911_000;

#[derive(Default)]
pub struct Events {
    events: VecDeque<Event>,
    made: i64,
}

#[derive(Clone, Serialize)]
struct Event {
    id: i64,
    id_str: String,
    url: String,
    handle: Option<String>,
    date_happened: i64,
    #[serde(flatten)]
    posted: Posted,
    #[serde(skip)]
    received: i64,
}

/// What a client sends.
#[derive(Clone, Serialize, Deserialize)]
struct Posted {
    title: String,
    text: String,
    #[serde(default, skip_serializing)]
    date_happened: Option<i64>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    priority: Option<String>,
    #[serde(default)]
    related_event_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aggregation_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_type_name: Option<String>,
}

/// POST /api/v1/events
pub async fn create(State(endpoint): State<Shared>, body: Bytes) -> Response {
    let Ok(posted) = serde_json::from_slice::<Posted>(&body) else {
        return bad_request("Invalid event: 'title' and 'text' are required");
    };
    if posted.text.chars().count() > LONGEST_TEXT {
        return bad_request("The event's text is longer than 4000 characters");
    }
    if posted
        .aggregation_key
        .as_ref()
        .is_some_and(|key| key.chars().count() > LONGEST_KEY)
    {
        return bad_request("The event's aggregation key is longer than 100 characters");
    }
    let now = now();
    let happened = posted.date_happened.unwrap_or(now);
    if happened < now - PAST_S {
        return bad_request("Event too far in the past");
    }
    let event = lock(&endpoint.events).add(posted, happened, now);
    (
        StatusCode::ACCEPTED,
        Json(json!({ "status": "ok", "event": event })),
    )
        .into_response()
}

#[derive(Deserialize)]
pub struct Asked {
    start: Option<i64>,
    end: Option<i64>,
    tags: Option<String>,
    sources: Option<String>,
    priority: Option<String>,
}

/// GET /api/v1/events: those with all of `tags` between `start` and `end`, newest first.
pub async fn list(State(endpoint): State<Shared>, Query(asked): Query<Asked>) -> Response {
    let (Some(start), Some(end)) = (asked.start, asked.end) else {
        return bad_request("The parameters 'start' and 'end' are required");
    };
    let tags: Vec<&str> = asked.tags.iter().flat_map(|tags| tags.split(',')).collect();
    let sources: Option<Vec<&str>> = asked
        .sources
        .as_ref()
        .map(|sources| sources.split(',').collect());
    let events = lock(&endpoint.events);
    let mut found: Vec<&Event> = events
        .events
        .iter()
        .filter(|event| (start..=end).contains(&event.date_happened))
        .filter(|event| {
            tags.iter()
                .all(|tag| event.posted.tags.iter().any(|own| own == tag))
        })
        .filter(|event| asked.priority.is_none() || event.posted.priority == asked.priority)
        .filter(|event| {
            let source = event.posted.source_type_name.as_deref().unwrap_or_default();
            sources
                .as_ref()
                .is_none_or(|sources| sources.contains(&source))
        })
        .collect();
    found.sort_by_key(|event| std::cmp::Reverse((event.date_happened, event.id)));
    Json(json!({ "status": "ok", "events": found })).into_response()
}

/// GET /api/v1/events/{id}
pub async fn show(State(endpoint): State<Shared>, Path(id): Path<i64>) -> Response {
    match lock(&endpoint.events)
        .events
        .iter()
        .find(|event| event.id == id)
    {
        Some(event) => Json(json!({ "status": "ok", "event": event })).into_response(),
        None => errors(StatusCode::NOT_FOUND, "No event matches that event_id"),
    }
}

impl Events {
    fn add(&mut self, posted: Posted, happened: i64, now: i64) -> Event {
        self.events
            .retain(|event| event.received >= now - RETENTION_S);
        self.made += 1;
        let id = FIRST_ID + self.made;
        let event = Event {
            id,
            id_str: id.to_string(),
            url: format!("/event/event?id={id}"),
            handle: None,
            date_happened: happened,
            posted,
            received: now,
        };
        self.events.push_back(event.clone());
        event
    }
}
