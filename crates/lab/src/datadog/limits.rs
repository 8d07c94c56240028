//! Rate limits: counted as Datadog counts them, and on demand out of turn.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use tokio::time::Instant;

use super::{Shared, errors, lock};

/// More than a console in a hurry asks for.
const CALLS: u32 = 6000;
const PERIOD: Duration = Duration::from_secs(60);
const NAME: &str = "lab";

pub struct Limits {
    since: Instant,
    used: u32,
    refusals: Option<Refusals>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            used: 0,
            refusals: None,
        }
    }
}

/// Refuse the next `calls` calls with 429, saying that the limit resets in `reset_s` seconds; `html` gives a page
/// instead of JSON, as a proxy in between may.
#[derive(Clone, Deserialize)]
pub struct Refusals {
    calls: u32,
    #[serde(default = "one")]
    reset_s: u64,
    #[serde(default)]
    html: bool,
}

fn one() -> u64 {
    1
}

/// What a call learns of its limit.
struct Standing {
    remaining: u32,
    reset_s: u64,
    /// The form of the answer when the call is refused.
    refused: Option<Form>,
}

#[derive(Clone, Copy)]
enum Form {
    Json,
    Html,
}

impl Limits {
    fn count(&mut self) -> Standing {
        if self.since.elapsed() >= PERIOD {
            self.since = Instant::now();
            self.used = 0;
        }
        if let Some(refusals) = self.refusals.as_mut().filter(|refusals| refusals.calls > 0) {
            refusals.calls -= 1;
            let form = if refusals.html {
                Form::Html
            } else {
                Form::Json
            };
            return Standing {
                remaining: 0,
                reset_s: refusals.reset_s,
                refused: Some(form),
            };
        }
        let reset_s = PERIOD.saturating_sub(self.since.elapsed()).as_secs().max(1);
        if self.used == CALLS {
            return Standing {
                remaining: 0,
                reset_s,
                refused: Some(Form::Json),
            };
        }
        self.used += 1;
        Standing {
            remaining: CALLS - self.used,
            reset_s,
            refused: None,
        }
    }
}

/// POST /lab/refusals
pub async fn refuse(State(endpoint): State<Shared>, Json(refusals): Json<Refusals>) -> StatusCode {
    lock(&endpoint.limits).refusals = Some(refusals);
    StatusCode::NO_CONTENT
}

/// Counts a call, refuses it when there were too many, and writes where the caller stands into the headers.
pub async fn limit(State(endpoint): State<Shared>, request: Request, next: Next) -> Response {
    let standing = lock(&endpoint.limits).count();
    let sentence = format!(
        "Rate limit of {CALLS} requests in {} seconds reached. Please try again later.",
        PERIOD.as_secs()
    );
    let mut response = match standing.refused {
        None => next.run(request).await,
        Some(Form::Json) => errors(StatusCode::TOO_MANY_REQUESTS, &sentence),
        Some(Form::Html) => {
            let page = format!(
                "<html><head><title>429 Too Many Requests</title></head><body><h1>{sentence}</h1></body></html>"
            );
            (StatusCode::TOO_MANY_REQUESTS, Html(page)).into_response()
        }
    };
    let numbers = [
        ("x-ratelimit-limit", u64::from(CALLS)),
        ("x-ratelimit-period", PERIOD.as_secs()),
        ("x-ratelimit-remaining", u64::from(standing.remaining)),
        ("x-ratelimit-reset", standing.reset_s),
    ];
    for (name, number) in numbers {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from(number));
    }
    response
        .headers_mut()
        .insert("x-ratelimit-name", HeaderValue::from_static(NAME));
    response
}
