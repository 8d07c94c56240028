//! The road to a store of objects: the HTTP client that everything else uses, so that no second one is compiled in.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use reqwest::{Body, Client, Method, Request, redirect::Policy};

/// A store that takes no connection, or gives no answer, for so long is taken to be away.
const CONNECT: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_secs(10);
/// Time for a request that sends something: 8 MiB at 50 KB a second.
const SENDING: Duration = Duration::from_secs(180);

#[derive(Debug)]
pub(super) struct Road;

impl HttpConnector for Road {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            // The signature is for one host.
            .redirect(Policy::none())
            .no_gzip()
            .build()
            .map_err(|why| object_store::Error::Generic {
                store: "S3",
                source: Box::new(why),
            })?;
        Ok(HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(Client);

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse();
        let url =
            url.map_err(|why: url::ParseError| HttpError::new(HttpErrorKind::Unknown, why))?;
        let mut request = Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(Body::wrap(body));
        let patience = match *request.method() {
            Method::PUT | Method::POST => SENDING,
            _ => SILENCE,
        };
        // Limits the wait for the head of the answer; reading the rest is limited below.
        let answer = in_time(patience, self.0.execute(request)).await?;
        let mut response = HttpResponse::new(HttpResponseBody::from(Bytes::new()));
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        // What is asked for is a frame or a few; nothing larger is ever read at once.
        *response.body_mut() = in_time(SILENCE, answer.bytes()).await?.into();
        Ok(response)
    }
}

async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = reqwest::Result<T>>,
) -> Result<T, HttpError> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done.map_err(failed),
        Err(late) => Err(HttpError::new(HttpErrorKind::Timeout, late)),
    }
}

fn failed(why: reqwest::Error) -> HttpError {
    let kind = if why.is_timeout() {
        HttpErrorKind::Timeout
    } else if why.is_connect() {
        HttpErrorKind::Connect
    } else if why.is_decode() {
        HttpErrorKind::Decode
    } else {
        HttpErrorKind::Interrupted
    };
    HttpError::new(kind, why.without_url())
}

/// The innermost reason, which is what a person needs: “connection refused”.
pub(super) fn reason(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
