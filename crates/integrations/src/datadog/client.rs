//! The requests, and what may go wrong with them.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{DATE, HeaderMap},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use url::{Host as UrlHost, Url};

use super::types::{
    Complaint, Event, Host, HostsAnswer, Listed, QueryAnswer, RawHost, Series, Validation,
};

/// Why Datadog gave no usable answer. None of these is a measurement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "Datadog refused the keys. Check datadog.api_key and datadog.app_key, that both belong to the organisation at datadog.site, and that the application key may read metrics and hosts."
    )]
    Unauthorized,
    #[error("Datadog's rate limit is reached; it ends in {} s. Ask less often, or have the limit raised.", reset_after.as_secs())]
    RateLimited { reset_after: Duration },
    #[error(
        "Datadog cannot be reached at {url}: {why}. Check datadog.site or datadog.url, and the network."
    )]
    Unreachable { url: String, why: String },
    #[error("Datadog refused the request (HTTP {status}): {message}")]
    Refused { status: u16, message: String },
    #[error(
        "The answer to {what} is not Datadog's: {why}. Check that datadog.url is the address of Datadog's API."
    )]
    Malformed { what: &'static str, why: String },
    #[error(
        "Datadog lists more than {hosts} hosts. Narrow the selection by a tag, such as “env:production”."
    )]
    TooMany { hosts: usize },
    #[error("The Datadog client could not be set up: {0}")]
    SetUp(String),
}

const CONNECT: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(20);
/// How often a request waits for the rate limit, and how long at most in all.
const WAITS: u32 = 2;
const WAIT_BUDGET: Duration = Duration::from_secs(5);
/// When a rate limit does not say when it ends.
const UNKNOWN_RESET: Duration = Duration::from_secs(5);
const LONGEST_ANSWER: usize = 32 << 20;
const HOSTS_A_PAGE: usize = 1000;
const MOST_PAGES: usize = 100;

/// What a metric query brought.
#[derive(Debug, Clone)]
pub struct Queried {
    pub series: Vec<Series>,
    /// When it was answered, by Datadog's clock.
    pub at: Option<Timestamp>,
}

/// Talks to one Datadog organisation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    api_key: SecretString,
    app_key: SecretString,
    wait_budget: Duration,
}

impl Client {
    /// `base` is `https://api.<site>` or the address of something that answers like it.
    pub fn new(base: Url, api_key: SecretString, app_key: SecretString) -> Result<Self, Error> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            // The keys go to the configured address and nowhere else.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("slipway/", env!("CARGO_PKG_VERSION")));
        let local = match base.host() {
            Some(UrlHost::Ipv4(address)) => address.is_loopback(),
            Some(UrlHost::Ipv6(address)) => address.is_loopback(),
            Some(UrlHost::Domain(name)) => name == "localhost",
            None => {
                return Err(Error::SetUp(format!(
                    "{base} has no host. Set datadog.site, such as datadoghq.eu."
                )));
            }
        };
        if local {
            // A company's proxy has no way to this machine.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| Error::SetUp(chain(&error)))?;
        Ok(Self {
            http,
            base,
            api_key,
            app_key,
            wait_budget: WAIT_BUDGET,
        })
    }

    /// How long a request may wait for the end of a rate limit before it fails with [`Error::RateLimited`].
    pub fn with_wait_budget(self, wait_budget: Duration) -> Self {
        Self {
            wait_budget,
            ..self
        }
    }

    /// Whether the API key is good. The application key shows with the first query.
    pub async fn validate(&self) -> Result<(), Error> {
        let what = "a check of the API key";
        let answer: Validation = self
            .ask(what, self.request(Method::GET, "api/v1/validate")?)
            .await?;
        if answer.valid {
            Ok(())
        } else {
            Err(Error::Unauthorized)
        }
    }

    /// The series of a metric query between two times, to the second. Unfinished points are among them: see
    /// [`Series::trusted_points`].
    pub async fn query(
        &self,
        query: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Queried, Error> {
        let what = "a metric query";
        let times = [
            ("from", from.as_second().to_string()),
            ("to", to.as_second().to_string()),
        ];
        let request = self
            .request(Method::GET, "api/v1/query")?
            .query(&times)
            .query(&[("query", query)]);
        let (answer, at) = self.ask_dated::<QueryAnswer>(what, request).await?;
        if !answer.error.is_empty() || answer.status == "error" {
            let message = if answer.error.is_empty() {
                "it gave no reason".to_owned()
            } else {
                short(&answer.error)
            };
            return Err(Error::Refused {
                status: 200,
                message,
            });
        }
        let series = answer.series.ok_or_else(|| Error::Malformed {
            what,
            why: "it has no series".to_owned(),
        })?;
        Ok(Queried {
            series: series.into_iter().map(Series::from).collect(),
            at,
        })
    }

    /// All hosts Datadog knows.
    pub async fn hosts(&self) -> Result<Vec<Host>, Error> {
        let listed = self.list_hosts(&[]).await?;
        Ok(listed
            .hosts
            .into_iter()
            .filter_map(RawHost::named)
            .collect())
    }

    /// Every page of hosts, narrowed by these parameters.
    pub(super) async fn list_hosts(&self, narrowed: &[(&str, &str)]) -> Result<Listed, Error> {
        let what = "a list of hosts";
        let mut hosts = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = [("start", hosts.len()), ("count", HOSTS_A_PAGE)];
            let request = self.request(Method::GET, "api/v1/hosts")?;
            let request = request.query(&page).query(narrowed);
            let answer: HostsAnswer = self.ask(what, request).await?;
            let list = answer.host_list.ok_or_else(|| Error::Malformed {
                what,
                why: "it has no host_list".to_owned(),
            })?;
            let last = list.is_empty() || hosts.len() + list.len() >= answer.total_matching;
            hosts.extend(list);
            if last {
                return Ok(Listed { hosts, more: false });
            }
        }
        Ok(Listed { hosts, more: true })
    }

    /// Puts an event that happened at `at` into Datadog's event stream. Datadog takes none older than 18 hours.
    pub async fn post_event(&self, event: &Event, at: Timestamp) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(flatten)]
            event: &'a Event,
            date_happened: i64,
        }
        let body = Body {
            event,
            date_happened: at.as_second(),
        };
        self.send(self.request(Method::POST, "api/v1/events")?.json(&body))
            .await
            .map(drop)
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Error> {
        // A base with a path, as behind a gateway, keeps it.
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let url = Url::parse(&url)
            .map_err(|error| Error::SetUp(format!("{url} is no address: {error}")))?;
        Ok(self
            .http
            .request(method, url)
            .header("DD-API-KEY", self.api_key.expose_secret())
            .header("DD-APPLICATION-KEY", self.app_key.expose_secret()))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<T, Error> {
        let (answer, _) = self.ask_dated(what, request).await?;
        Ok(answer)
    }

    /// The answer, with the time at which it was given.
    async fn ask_dated<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<(T, Option<Timestamp>), Error> {
        let (body, at) = self.send(request).await?;
        let answer = serde_json::from_slice(&body).map_err(|error| Error::Malformed {
            what,
            why: short(&error.to_string()),
        })?;
        Ok((answer, at))
    }

    /// Sends, waiting out a rate limit a few times if that is soon over.
    async fn send(&self, request: RequestBuilder) -> Result<(Vec<u8>, Option<Timestamp>), Error> {
        let mut budget = self.wait_budget;
        let mut waits = 0;
        loop {
            let again = request.try_clone();
            let result = self
                .send_once(
                    again
                        .ok_or_else(|| Error::SetUp("the request cannot be repeated".to_owned()))?,
                )
                .await;
            match result {
                Err(Error::RateLimited { reset_after })
                    if waits < WAITS && reset_after <= budget =>
                {
                    waits += 1;
                    budget -= reset_after;
                    tokio::time::sleep(reset_after).await;
                }
                result => return result,
            }
        }
    }

    async fn send_once(
        &self,
        request: RequestBuilder,
    ) -> Result<(Vec<u8>, Option<Timestamp>), Error> {
        let mut response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let reset_after = reset_after(response.headers());
        let at = dated(response.headers());
        let body = match self.body(&mut response).await {
            Ok(body) => body,
            // The status alone says enough when it is no success.
            Err(_) if !status.is_success() => Vec::new(),
            Err(error) => return Err(error),
        };
        match status {
            status if status.is_success() => Ok((body, at)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::Unauthorized),
            StatusCode::TOO_MANY_REQUESTS => Err(Error::RateLimited { reset_after }),
            status => Err(Error::Refused {
                status: status.as_u16(),
                message: complaint(&body),
            }),
        }
    }

    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.unreachable(&error))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                let why = format!("it is longer than {} MB", LONGEST_ANSWER >> 20);
                return Err(Error::Malformed {
                    what: "a request",
                    why,
                });
            }
        }
        Ok(body)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        let why = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            chain(error)
        };
        Error::Unreachable {
            url: self.base.to_string(),
            why,
        }
    }
}

/// When an answer was given, by the clock of whoever gave it.
fn dated(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(rfc2822::parse(text).ok()?.timestamp())
}

/// Seconds until the limit ends, from the header Datadog sends with every limited answer.
fn reset_after(headers: &HeaderMap) -> Duration {
    let seconds = ["x-ratelimit-reset", "retry-after"]
        .iter()
        .find_map(|name| {
            headers
                .get(*name)?
                .to_str()
                .ok()?
                .trim()
                .parse::<f64>()
                .ok()
        });
    let known = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    // Zero means "in this second": asking again at once would only be refused again.
    known
        .unwrap_or(UNKNOWN_RESET)
        .max(Duration::from_millis(100))
}

/// What Datadog says about a refusal; gateways in between may say it in HTML, or nothing.
fn complaint(body: &[u8]) -> String {
    let said: Complaint = serde_json::from_slice(body).unwrap_or_default();
    let said = if said.errors.is_empty() {
        said.error
    } else {
        said.errors.join("; ")
    };
    if said.is_empty() {
        "it gave no reason".to_owned()
    } else {
        short(&said)
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// The innermost cause, which says "connection refused" where the outer ones say "error sending request".
fn chain(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
