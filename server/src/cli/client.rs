//! A client of the API of a running Slipway.

use std::time::Duration;

use app::live::ALIVE_EVERY;
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use super::Failure;
use crate::{
    api::shape::ProblemBody,
    config::{self, Config, ConfigError},
};

/// Where a Slipway listens unless it is told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8400";

/// A stream that does not begin within this has no server.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);

/// Longer than the server gives Ansible to read an inventory.
const WORKS_WITHIN: Duration = Duration::from_secs(75);

const MAKE_A_TOKEN: &str =
    "Make one with `slipway token create` where Slipway runs, and set SLIPWAY_TOKEN to it.";

/// Talks to one Slipway with one token.
pub struct Client {
    base: Url,
    token: String,
    http: reqwest::Client,
}

impl Client {
    /// From `SLIPWAY_URL` and `SLIPWAY_TOKEN`.
    pub fn from_environment() -> Result<Self, Failure> {
        let token = std::env::var("SLIPWAY_TOKEN")
            .ok()
            .filter(|token| !token.trim().is_empty());
        let token = token.ok_or_else(|| {
            Failure::new(
                Failure::NOT_ALLOWED,
                format!("There is no token. {MAKE_A_TOKEN}"),
            )
        })?;
        Ok(Self {
            base: base()?,
            token: token.trim().to_owned(),
            // A stream on which nothing comes for so long has lost its server.
            http: http(ALIVE_EVERY * 3)?,
        })
    }

    /// The address of `segments` below `root`, with a query. Segments are escaped.
    fn url(
        &self,
        root: &str,
        segments: &[&str],
        query: &[(&str, Option<&str>)],
    ) -> Result<Url, Failure> {
        let mut url = self
            .base
            .join(root)
            .map_err(|why| Failure::new(Failure::USAGE, why.to_string()))?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        for (name, value) in query {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        Ok(url)
    }

    /// Reads one thing.
    pub async fn get<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, Option<&str>)],
    ) -> Result<T, Failure> {
        let url = self.url("/api/v1/", segments, query)?;
        let response = self
            .http
            .get(url)
            .timeout(Duration::from_secs(30))
            .bearer_auth(&self.token)
            .send()
            .await;
        let response = self.accepted(response).await?;
        response.json().await.map_err(|why| self.no_answer(&why))
    }

    /// Sends something: a wish, or a question that is too long for an address.
    pub async fn post<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        body: &impl serde::Serialize,
    ) -> Result<T, Failure> {
        let url = self.url("/api/v1/", segments, &[])?;
        let response = http(WORKS_WITHIN)?
            .post(url)
            .timeout(WORKS_WITHIN)
            .bearer_auth(&self.token)
            .json(body)
            .send()
            .await;
        let response = self.accepted(response).await?;
        response.json().await.map_err(|why| self.no_answer(&why))
    }

    /// Follows a stream; `None` when the server says there is nothing more to follow.
    pub async fn follow(
        &self,
        segments: &[&str],
        last: Option<&str>,
    ) -> Result<Option<Events>, Failure> {
        let mut request = self
            .http
            .get(self.url("/stream/", segments, &[])?)
            .bearer_auth(&self.token);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        // What is said afterwards may take its time.
        let began = tokio::time::timeout(BEGINS_WITHIN, request.send()).await;
        let began = began.map_err(|_| silent(&self.base, "it says nothing"))?;
        let response = self.accepted(began).await?;
        let over = response.status() == StatusCode::NO_CONTENT;
        Ok((!over).then(|| Events {
            response,
            rest: Vec::new(),
        }))
    }

    async fn accepted(
        &self,
        response: Result<Response, reqwest::Error>,
    ) -> Result<Response, Failure> {
        let response = response.map_err(|why| self.no_answer(&why))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let code = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::NOT_ALLOWED,
            StatusCode::NOT_FOUND => Failure::NOT_FOUND,
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Failure::USAGE,
            StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT => Failure::NO_ANSWER,
            _ => Failure::FAILED,
        };
        let message = match response.json::<ProblemBody>().await {
            Ok(_) if status == StatusCode::UNAUTHORIZED => format!(
                "The token was not accepted: it is not known there, or has expired. {MAKE_A_TOKEN}"
            ),
            Ok(problem) => problem.detail,
            Err(_) => format!(
                "{} answered {status}. Is it a Slipway? Check SLIPWAY_URL.",
                self.base
            ),
        };
        Err(Failure::new(code, message))
    }

    fn no_answer(&self, why: &reqwest::Error) -> Failure {
        no_answer(&self.base, why)
    }
}

fn no_answer(base: &Url, why: &reqwest::Error) -> Failure {
    let cause = std::iter::successors(std::error::Error::source(why), |error| error.source())
        .last()
        .map_or_else(|| why.to_string(), ToString::to_string);
    silent(base, &cause)
}

fn silent(base: &Url, cause: &str) -> Failure {
    Failure::new(
        Failure::NO_ANSWER,
        format!(
            "Slipway at {base} does not answer ({cause}). Start it, or set SLIPWAY_URL to where it is."
        ),
    )
}

fn base() -> Result<Url, Failure> {
    let text = std::env::var("SLIPWAY_URL").unwrap_or_else(|_| DEFAULT_URL.to_owned());
    // The token must not be readable on the way.
    config::safe_url(&text)
        .map_err(|wrong| Failure::new(Failure::USAGE, format!("SLIPWAY_URL {wrong}")))
}

/// `silence` is how long nothing may come.
fn http(silence: Duration) -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(silence)
        .build();
    client.map_err(|why| {
        Failure::new(
            Failure::FAILED,
            format!("No connection can be made: {why}."),
        )
    })
}

/// `SLIPWAY_URL`, or where the configuration says that Slipway listens.
pub async fn healthcheck(
    configuration: impl FnOnce() -> Result<Config, ConfigError>,
) -> Result<(), Failure> {
    let base = if std::env::var_os("SLIPWAY_URL").is_some() {
        base()?
    } else {
        let mut listen = configuration()?.listen()?;
        if listen.ip().is_unspecified() {
            listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        Url::parse(&format!("http://{listen}"))
            .map_err(|why| Failure::new(Failure::USAGE, why.to_string()))?
    };
    let url = base
        .join("/readyz")
        .map_err(|why| Failure::new(Failure::USAGE, why.to_string()))?;
    let response = http(ALIVE_EVERY * 3)?
        .get(url)
        .timeout(Duration::from_secs(5))
        .send()
        .await
        .map_err(|why| no_answer(&base, &why))?;
    let ready = response.status().is_success();
    let text = response.text().await.unwrap_or_default();
    if ready {
        println!("{}", text.trim());
        Ok(())
    } else {
        Err(Failure::new(Failure::NO_ANSWER, text.trim().to_owned()))
    }
}

/// One server-sent event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: String,
}

/// Server-sent events as they come.
pub struct Events {
    response: Response,
    rest: Vec<u8>,
}

impl Events {
    /// The next event; `None` when the connection ended and should be made again.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.rest.drain(..end + 2).collect();
                match event(&String::from_utf8_lossy(&block)) {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let chunk = self.response.chunk().await.ok()??;
            self.rest.extend_from_slice(&chunk);
        }
    }
}

/// Comments, which keep the connection open, are no events.
fn event(block: &str) -> Option<Event> {
    let mut found = Event::default();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut found.name),
            "id" => found.id = Some(value.to_owned()),
            "data" => {
                if !found.data.is_empty() {
                    found.data.push('\n');
                }
                found.data.push_str(value);
            }
            _ => {}
        }
    }
    (!found.name.is_empty() || !found.data.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_and_comments_are_not() {
        let read = event("event: line\nid: 7\ndata: {\"number\":7}\n\n").unwrap();
        assert_eq!(
            (read.name.as_str(), read.id.as_deref(), read.data.as_str()),
            ("line", Some("7"), "{\"number\":7}")
        );
        assert_eq!(event(": still here\n\n"), None);
        assert_eq!(event("data: a\ndata: b\n\n").unwrap().data, "a\nb");
    }

    #[test]
    fn addresses_are_escaped() {
        let client = Client {
            base: "http://127.0.0.1:1".parse().unwrap(),
            token: String::new(),
            http: reqwest::Client::new(),
        };
        let url = client
            .url(
                "/api/v1/",
                &["services", "../x?y"],
                &[("cursor", Some("a&b")), ("none", None)],
            )
            .unwrap();
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:1/api/v1/services/..%2Fx%3Fy?cursor=a%26b"
        );
    }
}
